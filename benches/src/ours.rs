//! The work that is measured of this library. Only this file and `corpora` know its interface.

pub use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, MAGIC, Md5, deaggregate_all};
pub use kinesis_aggregation::encode::AddStatus;
pub use kinesis_aggregation::route::{HashKey, HashKeyRange, Shard};
pub use kinesis_aggregation::{
pub     AggregationManager, Encoder, Limits, RecordAggregator, ShardMap, UserRecord, deaggregate,
pub };

use crate::others::look_at;

/// An aggregator that puts each corpus into one aggregate.
pub fn aggregator() -> RecordAggregator {
    RecordAggregator::new(Limits::KINESIS_MAX)
}

/// An encoder that puts each corpus into one aggregate. It recognises 256 partition keys.
pub fn encoder(buffer: &mut [u8]) -> Encoder<'_, 256> {
    Encoder::new(buffer, Limits::KINESIS_MAX)
}

/// A manager that puts what a corpus has for a shard into one aggregate.
pub fn manager(map: &ShardMap) -> AggregationManager {
    AggregationManager::by_shard(map.clone(), Limits::KINESIS_MAX)
}

/// Decodes an aggregate and visits every user record.
pub fn decode<'a>(payload: &'a [u8], keys: &mut Vec<&'a str>, check: DigestCheck) -> usize {
    let aggregate = AggregatedRecord::parse_reusing(payload, keys, check).expect("an aggregated record");
    aggregate.records().fold(0, |sum, record| look_at(sum, record.partition_key, record.data))
}

/// Decodes many payloads together.
pub fn decode_all(payloads: &[Vec<u8>]) -> usize {
    let records = deaggregate_all(payloads).flatten();
    records.fold(0, |sum, record| look_at(sum, record.partition_key, record.data))
}

/// Encodes in canonical order. What does not fit into the last aggregate is dropped.
pub fn aggregate<'r>(
    aggregator: &mut RecordAggregator,
    records: impl Iterator<Item = UserRecord<'r>>,
) -> Option<Vec<u8>> {
    for record in records {
        drop(aggregator.add(record).expect("a valid user record"));
    }
    aggregator.finish().map(|aggregate| aggregate.data)
}

/// Encodes in canonical order, and keeps every aggregate.
pub fn aggregate_all<'r>(records: impl Iterator<Item = UserRecord<'r>>) -> Vec<Vec<u8>> {
    let mut aggregator = aggregator();
    let mut payloads = Vec::new();
    for record in records {
        payloads.extend(aggregator.add(record).expect("a valid user record").map(|full| full.data));
    }
    payloads.extend(aggregator.finish().map(|rest| rest.data));
    payloads
}

/// Adds to a streamed aggregate without finishing it.
pub fn fill<'r, const KEYS: usize>(
    encoder: &mut Encoder<'_, KEYS>,
    records: impl Iterator<Item = UserRecord<'r>>,
) -> usize {
    for record in records {
        let status = encoder.add(record).expect("a valid user record");
        assert_eq!(status, AddStatus::Added, "the buffer is large enough");
    }
    encoder.size_bytes()
}

/// Encodes in streamed order.
pub fn stream<'r, const KEYS: usize>(
    encoder: &mut Encoder<'_, KEYS>,
    records: impl Iterator<Item = UserRecord<'r>>,
) -> usize {
    fill(encoder, records);
    encoder.finish().map_or(0, |aggregate| aggregate.data.len())
}

/// Routes to shards and encodes, in canonical order.
pub fn route<'r>(manager: &mut AggregationManager, records: impl Iterator<Item = UserRecord<'r>>) -> usize {
    for record in records {
        drop(manager.add(record).expect("a valid user record"));
    }
    manager.flush().into_iter().count()
}

/// A map whose shards after the first begin at these hash keys.
pub fn map(starts: &[u128]) -> ShardMap {
    let ids: Vec<String> = (0..=starts.len()).map(|number| format!("shardId-{number:012}")).collect();
    let ends = starts.iter().map(|start| start - 1).chain([u128::MAX]);
    let ranges = [0].iter().chain(starts).zip(ends).map(|(&start, end)| {
        HashKeyRange::new(HashKey::new(start), HashKey::new(end)).expect("the starts are in order")
    });
    ShardMap::new(ids.iter().zip(ranges).map(|(id, range)| Shard::new(id, range)))
        .expect("the ranges cover all hash keys")
}

/// Where each shard of a map begins.
pub fn starts(map: &ShardMap) -> Vec<u128> {
    map.shards().map(|shard| shard.range().start().get()).collect()
}

/// Looks up the shard of each hash key.
pub fn look_up(map: &ShardMap, hash_keys: &[u128]) -> u128 {
    let start = |&hash_key: &u128| map.shard_for(HashKey::new(hash_key)).range().start().get();
    hash_keys.iter().map(start).fold(0, u128::wrapping_add)
}

/// Hashes each partition key, and looks up its shard.
pub fn hash_and_look_up(map: &ShardMap, partition_keys: &[String]) -> u128 {
    let start = |key: &String| map.shard_for(HashKey::of_partition_key(key)).range().start().get();
    partition_keys.iter().map(start).fold(0, u128::wrapping_add)
}
