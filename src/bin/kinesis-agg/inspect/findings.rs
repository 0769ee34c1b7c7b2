//! What there is to know about a payload.

use kinesis_aggregation::decode::{AggregatedRecord, PlainReason};
use kinesis_aggregation::{ParseError, UserRecord};
use serde::Serialize;

use crate::input::Payload;
use crate::inspect::placement::Placement;
use crate::shards::Shards;

/// A payload, parsed.
pub(crate) struct Findings<'a> {
    pub(crate) record: u64,
    pub(crate) bytes: usize,
    pub(crate) data_bytes: usize,
    pub(crate) verdict: Result<AggregatedRecord<'a, Vec<&'a str>>, PlainReason>,
    /// Of an aggregate with user records, where the shards are known.
    pub(crate) placement: Option<Placement<'a>>,
}

/// The line that `--json` writes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    record: u64,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    bytes: usize,
    user_records: usize,
    partition_keys: usize,
    explicit_hash_keys: usize,
    data_bytes: usize,
    overhead_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_assumed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outside_shard: Option<usize>,
}

impl<'a> Findings<'a> {
    pub(crate) fn of(payload: &Payload<'a>, shards: Option<&Shards>, shard_id: Option<&str>) -> Self {
        let verdict = match AggregatedRecord::parse(payload.data, Vec::new()) {
            Ok(aggregate) => Ok(aggregate),
            Err(ParseError::Plain(reason)) => Err(reason),
            Err(ParseError::NeedsRoom { .. }) => unreachable!("a Vec has room for any number of keys"),
        };
        let data_bytes = match &verdict {
            Ok(aggregate) => aggregate.records().map(|user| user.data.len()).sum(),
            // A plain record is its own user record.
            Err(_) => payload.data.len(),
        };
        let placement = match (&verdict, shards) {
            (Ok(aggregate), Some(shards)) => Placement::of(payload, aggregate, shards, shard_id),
            _ => None,
        };
        Self { record: payload.record, bytes: payload.data.len(), data_bytes, verdict, placement }
    }

    /// Counts the user records; a plain record is one.
    pub(crate) fn user_records(&self) -> usize {
        self.verdict.as_ref().map_or(1, AggregatedRecord::len)
    }

    /// Counts the bytes that are not data of user records.
    pub(crate) fn overhead_bytes(&self) -> usize {
        self.bytes.saturating_sub(self.data_bytes)
    }

    pub(crate) fn summary(&self) -> Summary {
        let (partition_keys, explicit_hash_keys) = match &self.verdict {
            Ok(aggregate) => (aggregate.partition_keys().len(), aggregate.explicit_hash_keys().len()),
            Err(_) => (0, 0),
        };
        Summary {
            record: self.record,
            kind: if self.verdict.is_ok() { "aggregated" } else { "plain" },
            reason: self.verdict.as_ref().err().map(PlainReason::as_str),
            offset: match self.verdict {
                Err(PlainReason::Malformed(error)) => Some(error.offset()),
                _ => None,
            },
            bytes: self.bytes,
            user_records: self.user_records(),
            partition_keys,
            explicit_hash_keys,
            data_bytes: self.data_bytes,
            overhead_bytes: self.overhead_bytes(),
            shard_id: self.placement.as_ref().map(|placement| placement.shard_id.clone()),
            shard_assumed: self.placement.as_ref().map(|placement| placement.assumed),
            outside_shard: self.placement.as_ref().map(|placement| placement.outside.len()),
        }
    }
}

/// The user records of an aggregate, the largest first.
pub(crate) fn largest<'a>(
    aggregate: &AggregatedRecord<'a, Vec<&'a str>>,
    count: usize,
) -> Vec<UserRecord<'a>> {
    let mut records: Vec<_> = aggregate.records().collect();
    records.sort_by_key(|user| core::cmp::Reverse(user.data.len()));
    records.truncate(count);
    records
}

/// The keys in use, each with how many user records have it, the most used first.
pub(crate) fn most_used<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut uses = std::collections::HashMap::<&str, usize>::new();
    for key in keys {
        let count = uses.entry(key).or_default();
        *count = count.saturating_add(1);
    }
    let mut uses: Vec<_> = uses.into_iter().collect();
    // By name where the counts are the same, so that the order is always the same.
    uses.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    uses
}
