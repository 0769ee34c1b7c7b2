//! The line that `inspect --json` writes for a payload.

use kinesis_aggregation::decode::PlainReason;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::damage::Cause;
use crate::inspect::findings::Findings;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JsonLine<'a> {
    record: u64,
    file: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approximate_arrival_timestamp: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition_key: Option<&'a str>,
    bytes: usize,
    user_records: usize,
    partition_keys: usize,
    explicit_hash_keys: usize,
    data_bytes: usize,
    overhead_bytes: usize,
    #[serde(skip_serializing_if = "is_zero")]
    unusable_hash_keys: usize,
    /// With shards, `null` if no key tells the shard.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_id: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_assumed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outside_shard: Option<usize>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl<'a> JsonLine<'a> {
    pub(crate) fn new(findings: &'a Findings<'_>) -> Self {
        let payload = &findings.payload;
        let placement = findings.placement.as_ref();
        Self {
            record: payload.record,
            file: payload.file,
            kind: if findings.verdict.is_ok() { "aggregated" } else { "plain" },
            reason: findings.verdict.as_ref().err().map(PlainReason::as_str),
            offset: match findings.verdict {
                Err(PlainReason::Malformed(error)) => Some(error.offset()),
                _ => None,
            },
            cause: findings.cause_or_container().as_ref().map(Cause::name),
            sequence_number: payload.sequence_number,
            approximate_arrival_timestamp: payload
                .approximate_arrival_timestamp
                .and_then(|time| serde_json::from_str(time).ok()),
            partition_key: payload.partition_key,
            bytes: payload.data.len(),
            user_records: findings.user_records(),
            partition_keys: findings.partition_keys(),
            explicit_hash_keys: findings.explicit_hash_keys(),
            data_bytes: findings.data_bytes,
            overhead_bytes: findings.overhead_bytes(),
            unusable_hash_keys: findings.unusable.len(),
            shard_id: placement.map(|placement| placement.shard_id.as_deref()),
            shard_assumed: placement.map(|placement| placement.assumed),
            outside_shard: placement.map(|placement| placement.outside.len()),
        }
    }
}
