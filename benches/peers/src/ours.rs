//! What is timed of this library.

use kinesis_aggregation::{AggregationManager, Encoder, Limits, Payload, RecordAggregator, ShardMap, UserRecord};
use kinesis_aggregation::decode::{DigestCheck, deaggregate_all};
use kinesis_aggregation::encode::AddStatus;

use crate::others::look_at;

/// Takes a payload apart, and looks at every user record.
pub fn take_apart<'a>(payload: &'a [u8], keys: &mut Vec<&'a str>, check: DigestCheck) -> usize {
    match Payload::parse_with(payload, keys, check) {
        Payload::Aggregated(aggregate) => {
            aggregate.records().fold(0, |sum, record| look_at(sum, record.partition_key, record.data))
        }
        other => panic!("{other:?}"),
    }
}

/// Takes many payloads apart together.
pub fn take_all_apart(payloads: &[Vec<u8>]) -> usize {
    let records = deaggregate_all(payloads).flatten();
    records.fold(0, |sum, record| look_at(sum, record.partition_key, record.data))
}

/// Packs in canonical order, until there are no more. The limit is as high as it can be, for the large corpora.
pub fn pack<'r>(
    aggregator: &mut RecordAggregator,
    records: impl Iterator<Item = UserRecord<'r>>,
) -> Option<Vec<u8>> {
    for record in records {
        if let Some(full) = aggregator.add(record).expect("a valid user record") {
            drop(full);
        }
    }
    aggregator.finish().map(|aggregate| aggregate.into_data())
}

/// Packs in streamed order.
pub fn stream<'r, const KEYS: usize>(
    encoder: &mut Encoder<'_, KEYS>,
    records: impl Iterator<Item = UserRecord<'r>>,
) -> usize {
    for record in records {
        if encoder.add(record).expect("a valid user record") == AddStatus::Full {
            panic!("the buffer is large enough");
        }
    }
    encoder.finish().map_or(0, |aggregate| aggregate.data().len())
}

/// Packs by shard.
pub fn route<'r>(manager: &mut AggregationManager, records: impl Iterator<Item = UserRecord<'r>>) -> usize {
    for record in records {
        drop(manager.add(record).expect("a valid user record"));
    }
    manager.flush().into_vec().len()
}

pub fn manager(map: &ShardMap) -> AggregationManager {
    AggregationManager::by_shard(map.clone(), Limits::KINESIS_MAX)
}
