//! The sums of `inspect --summary` over all payloads, in bounded memory.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::damage::Cause;
use crate::input::Damaged;
use crate::inspect::findings::{Findings, Totals};
use crate::output::to_u64;

/// About how much memory counted keys may take. Beyond it, new keys are no longer told apart.
const MAX_KEY_MEMORY: usize = 64 * 1024 * 1024;
/// The bytes of an entry beside its key.
const ENTRY: usize = 64;
/// The most damaged payloads that are listed.
const MAX_LISTED: usize = 1000;

#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) partition_keys: Keys,
    pub(crate) explicit_hash_keys: Keys,
    /// The number of Kinesis records of each size, by the number of its bits.
    pub(crate) sizes: BTreeMap<u32, u64>,
    /// PUT payload units of 25 KB.
    pub(crate) units: u64,
    /// Damaged payloads, and lines and values that could not be read.
    pub(crate) damaged: Vec<DamagedPayload>,
    /// User records in aggregates.
    pub(crate) aggregated_user_records: u64,
}

/// The number of uses of each key.
#[derive(Default)]
pub(crate) struct Keys {
    uses: HashMap<Box<str>, u64>,
    memory: usize,
    /// True if there were too many to tell all apart.
    pub(crate) is_incomplete: bool,
}

/// A damaged payload, for the list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DamagedPayload {
    pub(crate) record: u64,
    #[serde(skip)]
    pub(crate) place: String,
    file: String,
    pub(crate) reason: &'static str,
    #[serde(serialize_with = "cause_name", skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sequence_number: Option<String>,
}

fn cause_name<S: serde::Serializer>(cause: &Option<Cause>, serializer: S) -> Result<S::Ok, S::Error> {
    cause.as_ref().map(Cause::name).serialize(serializer)
}

impl Keys {
    fn add(&mut self, key: &str) {
        if let Some(uses) = self.uses.get_mut(key) {
            *uses += 1;
        } else if self.memory + key.len() + ENTRY > MAX_KEY_MEMORY {
            self.is_incomplete = true;
        } else {
            self.memory += key.len() + ENTRY;
            self.uses.insert(key.into(), 1);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        to_u64(self.uses.len())
    }

    /// Returns the keys with the number of their uses, most used first.
    pub(crate) fn most_used(&self, count: usize) -> Vec<(&str, u64)> {
        let mut uses: Vec<_> = self.uses.iter().map(|(key, uses)| (&**key, *uses)).collect();
        // Keys with equal counts are sorted by name so that the order does not depend on the hash table.
        uses.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        uses.truncate(count);
        uses
    }

    pub(crate) fn uses(&self) -> impl Iterator<Item = u64> {
        self.uses.values().copied()
    }
}

impl Summary {
    pub(crate) fn add(&mut self, findings: &Findings<'_>) {
        let payload = &findings.payload;
        let bytes = to_u64(payload.data.len());
        *self.sizes.entry(u64::BITS - bytes.leading_zeros()).or_default() += 1;
        self.units += bytes.div_ceil(25_000).max(1);
        match &findings.verdict {
            Ok(aggregate) => {
                self.aggregated_user_records += to_u64(aggregate.len());
                for user in aggregate.records() {
                    self.partition_keys.add(user.partition_key);
                    if let Some(key) = user.explicit_hash_key {
                        self.explicit_hash_keys.add(key);
                    }
                }
            }
            Err(reason) => {
                if let Some(key) = payload.partition_key {
                    self.partition_keys.add(key);
                }
                if findings.is_damaged() && self.damaged.len() < MAX_LISTED {
                    self.damaged.push(DamagedPayload {
                        record: payload.record,
                        place: payload.place.to_owned(),
                        file: payload.file.to_owned(),
                        reason: reason.as_str(),
                        cause: findings.cause,
                        sequence_number: payload.sequence_number.map(str::to_owned),
                    });
                }
            }
        }
    }

    /// Notes a line or a value that could not be read.
    pub(crate) fn unreadable(&mut self, damaged: &Damaged<'_>) {
        if self.damaged.len() < MAX_LISTED {
            self.damaged.push(DamagedPayload {
                record: damaged.record,
                place: damaged.place.to_owned(),
                file: damaged.file.to_owned(),
                reason: "unreadable",
                cause: None,
                sequence_number: None,
            });
        }
    }

    /// Returns the object that `--json` writes.
    pub(crate) fn json<'a>(&'a self, totals: &Totals, with_shards: bool, top: usize) -> impl Serialize + 'a {
        JsonSummary {
            records: totals.records(),
            aggregated: totals.aggregated,
            plain: totals.plain,
            damaged: totals.damaged,
            unreadable: totals.unreadable,
            bytes: totals.bytes,
            user_records: totals.user_records,
            partition_keys: self.partition_keys.count(),
            explicit_hash_keys: self.explicit_hash_keys.count(),
            keys_incomplete: self.partition_keys.is_incomplete || self.explicit_hash_keys.is_incomplete,
            data_bytes: totals.data_bytes,
            overhead_bytes: totals.overhead_bytes(),
            put_payload_units: self.units,
            unusable_hash_keys: totals.unusable,
            outside_shard: with_shards.then_some(totals.outside),
            most_used_partition_keys: self.partition_keys.most_used(top),
            damaged_records: &self.damaged,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonSummary<'a> {
    records: u64,
    aggregated: u64,
    plain: u64,
    damaged: u64,
    unreadable: u64,
    bytes: u64,
    user_records: u64,
    partition_keys: u64,
    explicit_hash_keys: u64,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    keys_incomplete: bool,
    data_bytes: u64,
    overhead_bytes: u64,
    put_payload_units: u64,
    unusable_hash_keys: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    outside_shard: Option<u64>,
    most_used_partition_keys: Vec<(&'a str, u64)>,
    damaged_records: &'a [DamagedPayload],
}
