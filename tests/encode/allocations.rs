//! An encoder allocates nothing, and an aggregator only what it returns.

use allocation_counter::{AllocationInfo, measure};
use kinesis_aggregation::decode::RecordTag;
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::{Encoder, Limits, RecordAggregator, UserRecord};

use crate::common::{Record, encode_vectors};

/// Asserts that `work` neither allocates nor frees anything.
fn none(name: &str, work: impl FnOnce()) {
    assert_eq!(measure(work), AllocationInfo::default(), "{name}");
}

#[test]
fn encoding_into_a_buffer_allocates_nothing() {
    let mut buffer = vec![0; 400_000];
    for vector in encode_vectors() {
        let name = &vector.name;
        let users: Vec<UserRecord<'_>> = vector.records.iter().map(Record::untagged).collect();
        none(name, || {
            let mut encoder = Encoder::<64>::new(&mut buffer, Limits::KINESIS_MAX);
            for &user in &users {
                assert!(encoder.fits(user) && encoder.would_add(user) > 0);
                assert_eq!(encoder.add(user), Ok(AddStatus::Added));
            }
            assert!(encoder.add(UserRecord::new("", "refused")).is_err());
            let aggregate = encoder.finish().unwrap();
            assert_eq!(aggregate.user_records, users.len());
            assert!(!aggregate.partition_key().is_empty() && aggregate.size_bytes() > 0);
        });
    }
}

#[test]
fn an_aggregator_allocates_what_it_returns_and_nothing_else() {
    let tags = [RecordTag { key: "k", value: Some("v") }];
    let keys: Vec<String> = (0..300).map(|key| format!("device-{key}")).collect();
    let user = |i: usize| {
        let record = UserRecord::new(&keys[i * 7 % 300], "21.5").with_tags(&tags);
        if i % 2 == 0 { record.with_explicit_hash_key(["0", "1", "2"][i % 3]) } else { record }
    };
    let mut aggregator = RecordAggregator::new(Limits::default().with_max_user_records(1000));
    // The first two aggregates bring everything to the size that it keeps.
    for i in 0..2000 {
        _ = aggregator.add(user(i)).unwrap();
    }
    _ = aggregator.finish();

    for last in [false, false, true] {
        none("adding", || {
            for i in 0..1000 {
                assert!(aggregator.fits(user(i)) && aggregator.would_add(user(i)) > 0);
                assert_eq!(aggregator.add(user(i)), Ok(None));
            }
            assert!(aggregator.add(UserRecord::new("", "refused")).is_err());
            assert!(!aggregator.fits(user(0)));
        });
        let size = aggregator.encoded_len();
        let mut finished = None;
        let measured = measure(|| {
            // Another user record finishes the aggregate as well.
            finished = if last { aggregator.add(user(0)).unwrap_or_default() } else { aggregator.finish() };
        });
        let aggregate = finished.unwrap();
        assert_eq!((aggregate.user_records, aggregate.data.len()), (1000, size));
        assert_eq!(aggregate.data.capacity(), size);
        // The data and the partition key.
        let bytes = size + aggregate.partition_key.len();
        assert_eq!((measured.count_total, usize::try_from(measured.bytes_total)), (2, Ok(bytes)));
    }
}
