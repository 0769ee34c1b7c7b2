//! What is said to need no heap allocates nothing, and what allocates does so just as often, and as much, as it says.

#![cfg(feature = "alloc")]

mod common;

use allocation_counter::{AllocationInfo, measure};

use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, RecordTag};
use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, RecordTag};
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::{Encoder, Limits, Payload, RecordAggregator, UserRecord, deaggregate};

use common::{Record, decode_vectors, encode_vectors, frame, hex};

/// Asserts that `work` neither allocates nor frees anything.
fn none(name: &str, work: impl FnOnce()) {
    assert_eq!(measure(work), AllocationInfo::default(), "{name}");
}

/// Asserts that `work` allocates once, and so many bytes.
fn one(name: &str, bytes: usize, work: impl FnOnce()) {
    let measured = measure(work);
    assert_eq!(measured.count_total, 1, "{name}");
    assert_eq!(usize::try_from(measured.bytes_total), Ok(bytes), "{name}");
}

/// Payloads of every sort, with and without tags, with their names.
fn payloads() -> Vec<(String, Vec<u8>)> {
    let decode = decode_vectors().into_iter().map(|vector| (vector.name, vector.payload));
    let encode = encode_vectors().into_iter().map(|vector| (vector.name, vector.encoded));
    let tags = hex("0a 01 61 | 1a 10 08 00 1a 01 78 22 03 0a 01 6b 22 04 0a 00 12 00");
    decode.chain(encode).chain([("two tags".to_owned(), frame(&tags))]).collect()
}

/// Does everything that can be done with an aggregate, and returns how many bytes it saw.
fn use_up(aggregate: &AggregatedRecord<'_, '_>) -> usize {
    let tag_len = |tag: RecordTag<'_>| tag.key.len().saturating_add(tag.value.map_or(0, str::len));
    let user_len = |user: UserRecord<'_>| user.data.len().saturating_add(user.tags.map(tag_len).sum());
    aggregate.records().chain(aggregate.records_after(0)).map(user_len).sum()
}

#[test]
fn the_counter_counts() {
    let measured = measure(|| drop(core::hint::black_box(vec![0u8; 100])));
    assert_eq!((measured.count_total, measured.bytes_total), (1, 100));
}

#[test]
fn parsing_into_a_buffer_allocates_nothing() {
    const KEYS: usize = 200;
    for (name, payload) in payloads() {
        let mut vector = Vec::with_capacity(KEYS);
        let mut seen = [0; 2];
        for check in [DigestCheck::Verify, DigestCheck::Skip] {
            none(&name, || {
                seen[0] = match Payload::parse_with(&payload, &mut [""; KEYS], check) {
                    Payload::Aggregated(aggregate) => use_up(&aggregate),
                    Payload::Plain(_) => 0,
                    Payload::NeedsKeys { needed } => panic!("{needed} keys"),
                };
                seen[1] = AggregatedRecord::parse_reusing(&payload, &mut vector, check)
                    .map_or(0, |aggregate| use_up(&aggregate));
                _ = Payload::parse_with(&payload, &mut [], check);
            });
            assert_eq!(seen[0], seen[1], "{name}");
        }
    }
}

#[test]
fn a_reused_vector_serves_many_payloads() {
    let payloads = payloads();
    assert!(payloads.len() > 50);
    let mut keys = Vec::with_capacity(200);
    none("one vector for all, plain ones in between", || {
        for (_, payload) in &payloads {
            _ = AggregatedRecord::parse_reusing(payload, &mut keys, DigestCheck::Verify);
        }
    });
    assert_eq!(keys.capacity(), 200);
}

#[test]
fn deaggregating_allocates_its_keys_at_once() {
    for (name, payload) in payloads() {
        let keys = match AggregatedRecord::parse(&payload) {
            Ok(aggregate) => aggregate.partition_keys().len() + aggregate.explicit_hash_keys().len(),
            Err(_) => 0,
        };
        let work = || _ = deaggregate(&payload).map(|user| user.data.len()).sum::<usize>();
        if keys == 0 { none(&name, work) } else { one(&name, keys * size_of::<&str>(), work) }
    }
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
