//! Corners that no other test gets into, found by `tests/coverage/run`: one test for each.

#![cfg(feature = "alloc")]
#![expect(clippy::unwrap_used, reason = "a panic fails the test, as it should")]

use kinesis_aggregation::decode::{KinesisRecord, RecordTag, Tags, deaggregate_all};
use kinesis_aggregation::encode::EncodeError;
use kinesis_aggregation::route::{Aggregates, HashKey, HashKeyRange, Shard};
use kinesis_aggregation::{AggregationManager, Encoder, Limits, ShardMap, UserRecord};

/// A manager for a stream of one shard.
fn manager(limits: Limits) -> AggregationManager {
    let map = ShardMap::new([Shard::new("only", HashKeyRange::ALL)]).unwrap();
    AggregationManager::by_shard(map, limits)
}

#[test]
fn an_aggregate_outlives_the_buffer_that_it_is_copied_out_of() {
    let mut buffer = [0xa5; 200];
    let mut encoder = Encoder::<2>::new(&mut buffer, Limits::default());
    _ = encoder.add(UserRecord::new("device-7", "21.5").with_explicit_hash_key("340")).unwrap();
    _ = encoder.add(UserRecord::new("device-8", "21.6")).unwrap();
    let lent = encoder.finish().unwrap();
    let (data, size_bytes) = (lent.data.to_vec(), lent.size_bytes());
    let kept = lent.to_owned();
    // The next one overwrites it.
    _ = encoder.add(UserRecord::new("k", "0123456789")).unwrap();
    _ = encoder.finish();
    assert_ne!(buffer.get(..data.len()), Some(&data[..]));
    assert_eq!((&kept.data, kept.size_bytes(), kept.user_records), (&data, size_bytes, 2));
    assert_eq!((&*kept.partition_key, kept.explicit_hash_key), ("device-7", Some(HashKey::new(340))));
}

#[test]
fn tags_are_none_by_default() {
    assert_eq!(Tags::default().next(), None);
    assert_eq!(Tags::default(), UserRecord::new("key", "data").tags);
    let tag = RecordTag { key: "", value: None };
    assert_ne!(Tags::default(), UserRecord::new("key", "data").with_tags(&[tag]).tags);
}

#[test]
fn an_aggregate_that_cannot_be_taken_back_is_handed_back_whole() {
    let mut wide = manager(Limits::default());
    _ = wide.add(UserRecord::new("a", "short")).unwrap();
    _ = wide.add(UserRecord::new("b", &[7; 300])).unwrap();
    let sent = wide.flush().into_iter().next().unwrap();

    let mut narrow = manager(Limits::default().with_max_bytes(200));
    assert_eq!(narrow.add(UserRecord::new("c", "pending")), Ok(Aggregates::default()));
    let refusal = narrow.requeue(sent.clone()).unwrap_err();
    assert!(
        matches!(refusal.error, EncodeError::TooLarge { required, limit: 200 } if required > 300),
        "{:?}",
        refusal.error
    );
    assert_eq!(*refusal.aggregate, sent);
    // Not even the first user record, which would have had room.
    assert_eq!((narrow.user_records(), narrow.counters().requeued), (1, 0));
    assert_eq!(wide.requeue(*refusal.aggregate), Ok(Aggregates::default()), "its own manager takes it");
}

#[test]
fn where_memory_is_short_the_fullest_go_first() {
    // 100 aggregates, each larger than the one before: a 64th of them and one more go at once.
    let fill = |manager: &mut AggregationManager| {
        let mut out = Vec::new();
        for number in 0..100_u32 {
            let data = vec![7; usize::try_from(number).unwrap() * 20];
            out.extend(manager.add(UserRecord::new(&format!("key-{number:02}"), &data)).unwrap());
        }
        out
    };
    let mut unbound = AggregationManager::by_key(Limits::default());
    assert_eq!(fill(&mut unbound), []);
    // The last one is what does not fit any more.
    let mut bound = AggregationManager::by_key(Limits::default()).with_max_memory(unbound.memory() - 1);
    let keys: Vec<_> = fill(&mut bound).iter().map(|full| full.aggregate.partition_key.clone()).collect();
    assert_eq!(keys, ["key-98", "key-99"]);
}

#[test]
fn bare_data_has_nothing_beside_it() {
    let records: [&dyn KinesisRecord; 2] = [&b"data".to_vec(), &b"data".as_slice()];
    for record in records {
        assert_eq!(
            (record.data(), record.partition_key(), record.sequence_number()),
            (&b"data"[..], None, None)
        );
    }
}

#[test]
fn a_batch_shows_how_many_records_are_left() {
    let records = [b"one".to_vec(), b"two".to_vec()];
    let mut batch = deaggregate_all(&records);
    assert_eq!(format!("{batch:?}"), "DeaggregatedBatch { records_left: 2 }");
    _ = batch.next();
    assert_eq!(format!("{batch:?}"), "DeaggregatedBatch { records_left: 1 }");
}
