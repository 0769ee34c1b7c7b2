//! Decoding allocates nothing, except for the keys if there is no buffer for them.

use allocation_counter::{AllocationInfo, measure};
use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, RecordTag};
use kinesis_aggregation::{Payload, UserRecord, deaggregate};

use crate::common::{decode_vectors, encode_vectors, frame, hex};

/// Asserts that `work` neither allocates nor frees anything.
fn none(name: &str, work: impl FnOnce()) {
    assert_eq!(measure(work), AllocationInfo::default(), "{name}");
}

/// Asserts that `work` allocates so many bytes, at once.
fn one(name: &str, bytes: usize, work: impl FnOnce()) {
    let measured = measure(work);
    assert_eq!(measured.count_total, 1, "{name}");
    assert_eq!(usize::try_from(measured.bytes_total), Ok(bytes), "{name}");
}

/// Named payloads of every kind, with and without tags.
fn payloads() -> Vec<(String, Vec<u8>)> {
    let decode = decode_vectors().into_iter().map(|vector| (vector.name, vector.payload));
    let encode = encode_vectors().into_iter().map(|vector| (vector.name, vector.encoded));
    let tags = hex("0a 01 61 | 1a 10 08 00 1a 01 78 22 03 0a 01 6b 22 04 0a 00 12 00");
    decode.chain(encode).chain([("two tags".to_owned(), frame(&tags))]).collect()
}

/// Reads everything in an aggregate, and returns the number of bytes read.
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
