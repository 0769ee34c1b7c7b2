//! The findings of `inspect` about a payload.

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::{AggregatedRecord, MAGIC, PlainReason};
use kinesis_aggregation::route::{HashKey, HashKeyRange};

use crate::damage::{Cause, container, likely_cause};
use crate::input::Payload;
use crate::output::to_u64;
use crate::shards::Shards;

pub(crate) struct Findings<'a> {
    pub(crate) payload: Payload<'a>,
    pub(crate) verdict: Result<AggregatedRecord<'a, 'a>, PlainReason>,
    /// Data of the user records. A plain record is its own user record.
    pub(crate) data_bytes: usize,
    /// The likely cause for being plain.
    pub(crate) cause: Option<Cause>,
    /// The numbers of user records whose data is gzip, and an aggregate.
    pub(crate) gzip: usize,
    pub(crate) nested: usize,
    /// User records with an explicit hash key that is not a number.
    pub(crate) unusable: Vec<UserRecord<'a>>,
    /// If the shards are known.
    pub(crate) placement: Option<Placement<'a>>,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(payload: Payload<'a>, shards: Option<&Shards>, shard_id: Option<&str>) -> Self {
        let verdict = payload.parse();
        let mut findings = Self {
            payload,
            data_bytes: payload.data.len(),
            cause: None,
            gzip: 0,
            nested: 0,
            unusable: Vec::new(),
            placement: None,
            verdict,
        };
        match &findings.verdict {
            Err(reason) => findings.cause = likely_cause(payload.data, *reason),
            Ok(aggregate) => {
                findings.data_bytes = 0;
                for user in aggregate.records() {
                    findings.data_bytes += user.data.len();
                    match container(user.data) {
                        Some(Cause::Gzip) => findings.gzip += 1,
                        Some(_) => findings.nested += 1,
                        None => {}
                    }
                    if user.explicit_hash_key.is_some_and(|key| key.parse::<HashKey>().is_err()) {
                        findings.unusable.push(user);
                    }
                }
            }
        }
        findings.placement =
            shards.map(|shards| Placement::new(&payload, findings.verdict.as_ref().ok(), shards, shard_id));
        findings
    }

    pub(crate) fn user_records(&self) -> usize {
        self.verdict.as_ref().map_or(1, AggregatedRecord::len)
    }

    pub(crate) fn partition_keys(&self) -> usize {
        self.verdict.as_ref().map_or(0, |aggregate| aggregate.partition_keys().len())
    }

    pub(crate) fn explicit_hash_keys(&self) -> usize {
        self.verdict.as_ref().map_or(0, |aggregate| aggregate.explicit_hash_keys().len())
    }

    /// Returns the number of bytes that are not data of user records. Data of several user records cannot overlap, so it
    /// never exceeds the payload.
    pub(crate) fn overhead_bytes(&self) -> usize {
        self.payload.data.len() - self.data_bytes
    }

    /// Returns whether this was an aggregate once, and no longer is.
    pub(crate) fn is_damaged(&self) -> bool {
        self.verdict.is_err()
            && (self.payload.data.starts_with(&MAGIC) || self.cause.is_some_and(|cause| cause.is_damage()))
    }

    /// Returns the likely cause of damage, or what the payload or its user records contain instead of plain data.
    pub(crate) fn cause_or_container(&self) -> Option<Cause> {
        self.cause.or(match (self.gzip, self.nested) {
            (0, 0) => None,
            (0, _) => Some(Cause::NestedAggregate),
            _ => Some(Cause::Gzip),
        })
    }

    pub(crate) fn outside(&self) -> usize {
        self.placement.as_ref().map_or(0, |placement| placement.outside.len())
    }
}

/// Which user records are on the wrong shard. A consumer built on the KCL drops an aggregate that has one.
pub(crate) struct Placement<'a> {
    /// The shard of the payload, or `None` if nothing names it and no user record has a usable hash key.
    pub(crate) shard_id: Option<String>,
    /// True if the shard is only assumed: the one that owns the first user record with a usable hash key.
    pub(crate) assumed: bool,
    pub(crate) outside: Vec<Outside<'a>>,
}

/// A user record outside the shard of its aggregate.
pub(crate) struct Outside<'a> {
    pub(crate) record: UserRecord<'a>,
    /// The open shard that owns it, or `None` if its explicit hash key is not a number.
    pub(crate) owner: Option<String>,
}

impl<'a> Placement<'a> {
    fn new(
        payload: &Payload<'_>,
        aggregate: Option<&AggregatedRecord<'a, 'a>>,
        shards: &Shards,
        shard_id: Option<&str>,
    ) -> Self {
        // The input knows best, then the command line, then the explicit hash key of the Kinesis record.
        let listed = |id: &str| Some((id.to_owned(), shards.range_of(id)?));
        let owner = |key: HashKey| {
            let shard = shards.map.shard_for(key);
            (shard.id().to_owned(), shard.range())
        };
        let known = payload.shard_id.and_then(listed).or_else(|| shard_id.and_then(listed));
        let outer_hash_key = payload.explicit_hash_key.and_then(|key| key.parse().ok());
        let known = known.or_else(|| outer_hash_key.map(owner));
        let first = || aggregate?.records().find_map(|user| user.hash_key().ok()).map(owner);
        let (shard, assumed) = match known {
            Some(known) => (Some(known), false),
            None => {
                let first = first();
                let assumed = first.is_some();
                (first, assumed)
            }
        };
        let outside = |record| Outside::new(record, shard.as_ref().map(|(_, range)| *range), shards);
        let outside =
            aggregate.iter().flat_map(|aggregate| aggregate.records()).filter_map(outside).collect();
        Self { shard_id: shard.map(|(id, _)| id), assumed, outside }
    }
}

impl<'a> Outside<'a> {
    /// Without a range, no user record has a usable hash key.
    fn new(record: UserRecord<'a>, range: Option<HashKeyRange>, shards: &Shards) -> Option<Self> {
        match record.hash_key() {
            Ok(key) if range.is_none_or(|range| range.contains(key)) => None,
            Ok(key) => Some(Self { record, owner: Some(shards.map.shard_for(key).id().to_owned()) }),
            Err(_) => Some(Self { record, owner: None }),
        }
    }
}

/// Sums over all payloads.
#[derive(Default)]
pub(crate) struct Totals {
    pub(crate) aggregated: u64,
    pub(crate) plain: u64,
    pub(crate) damaged: u64,
    /// Lines and values that could not be read.
    pub(crate) unreadable: u64,
    pub(crate) user_records: u64,
    pub(crate) bytes: u64,
    pub(crate) data_bytes: u64,
    pub(crate) unusable: u64,
    pub(crate) outside: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, findings: &Findings<'_>) {
        let kind = if findings.verdict.is_ok() { &mut self.aggregated } else { &mut self.plain };
        *kind += 1;
        self.damaged += u64::from(findings.is_damaged());
        self.user_records += to_u64(findings.user_records());
        self.bytes += to_u64(findings.payload.data.len());
        self.data_bytes += to_u64(findings.data_bytes);
        self.unusable += to_u64(findings.unusable.len());
        self.outside += to_u64(findings.outside());
    }

    pub(crate) const fn records(&self) -> u64 {
        self.aggregated + self.plain
    }

    pub(crate) const fn overhead_bytes(&self) -> u64 {
        self.bytes - self.data_bytes
    }
}
