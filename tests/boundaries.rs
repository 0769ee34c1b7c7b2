//! Sizes at which a varint grows: every way to encode is exact on both sides of each.

#![cfg(feature = "alloc")]

mod common_encode;

use common_encode::arithmetic::{encoded_len, growing_len, message_len};
use common_encode::{OwnedRecord, WAYS, streamed, unpack, with_record, with_records};
use kinesis_aggregation::{Limits, RecordAggregator};

/// The lengths at which a varint grows, with their neighbours, up to four bytes.
const LENGTHS: [usize; 8] = [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152];

/// Encodes in every way; the size must be that of the arithmetic, and the user records must come back.
fn check(name: &str, owned: &[OwnedRecord]) {
    with_records(owned, |records| {
        for way in &WAYS {
            let data = (way.encode)(records);
            assert_eq!(data.len(), encoded_len(records, way.remembers), "{name}, {}", way.name);
            assert!(unpack(&data) == owned, "{name}, {}: user records come back", way.name);
        }

        let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
        for (record, len) in records.iter().zip(growing_len(records, usize::MAX)) {
            let would_be = aggregator.size_bytes() + aggregator.would_add(*record);
            assert_eq!(aggregator.add(*record), Ok(None), "{name}");
            assert_eq!(aggregator.encoded_len(), len, "{name}, {} records", aggregator.user_records());
            assert_eq!(aggregator.size_bytes(), would_be, "{name}, {} records", aggregator.user_records());
        }
    });
}

/// So many records with a key of their own each, then the last and the first key once more.
fn distinct_keys(count: usize, record: impl Fn(usize) -> OwnedRecord) -> Vec<OwnedRecord> {
    (0..count).chain([count - 1, 0]).map(record).collect()
}

fn partition_key(index: usize) -> OwnedRecord {
    OwnedRecord::new(format!("key-{index}"), index.to_string())
}

fn explicit_hash_key(index: usize) -> OwnedRecord {
    OwnedRecord::new("key", "data").with_explicit_hash_key(index.to_string())
}

/// An index takes one byte up to 127 and two up to 16,383; the index of the last of n keys is n - 1.
const COUNTS: [usize; 6] = [127, 128, 129, 16_383, 16_384, 16_385];

#[test]
fn distinct_partition_keys() {
    for count in COUNTS {
        check(&format!("{count} partition keys"), &distinct_keys(count, partition_key));
    }
}

#[test]
fn distinct_explicit_hash_keys() {
    for count in COUNTS {
        check(&format!("{count} explicit hash keys"), &distinct_keys(count, explicit_hash_key));
    }
}

/// As many keys as an encoder remembers: none is written twice, so it is as short as canonical.
#[test]
fn encoders_that_remember_all_keys() {
    fn check<const KEYS: usize>(count: usize) {
        let rows: [(_, fn(_) -> _); 2] =
            [("partition keys", partition_key), ("explicit hash keys", explicit_hash_key)];
        for (name, record) in rows {
            let owned = distinct_keys(count, record);
            with_records(&owned, |records| {
                let data = streamed::<KEYS>(records);
                assert_eq!(data.len(), encoded_len(records, usize::MAX), "{count} {name}");
                assert!(unpack(&data) == owned, "{count} {name}: user records come back");
            });
        }
    }
    check::<127>(127);
    check::<128>(128);
    check::<129>(129);
    // 1.6 MB of slots. Twice as many as needed, so that no key fails to find one, however keys are hashed.
    let large = || [16_383, 16_384, 16_385].map(check::<32_770>);
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(large).unwrap();
    thread.join().unwrap();
}

#[test]
fn data_lengths() {
    for len in LENGTHS {
        check(&format!("{len} bytes of data"), &[OwnedRecord::new("key", vec![0x5a; len])]);
    }
}

#[test]
fn partition_key_lengths() {
    for (name, key, bytes) in [
        ("1 character", "k".to_owned(), 1),
        ("127 characters", "k".repeat(127), 127),
        ("128 characters", "k".repeat(128), 128),
        ("63 characters of two bytes and one of one", "é".repeat(63) + "k", 127),
        ("64 characters of two bytes", "é".repeat(64), 128),
        ("256 characters of one byte", "k".repeat(256), 256),
        ("256 characters of four bytes", "𝄞".repeat(256), 1024),
    ] {
        assert_eq!(key.len(), bytes, "{name}");
        check(name, &[OwnedRecord::new(key.clone(), "data"), OwnedRecord::new(key, "more")]);
    }
}

#[test]
fn explicit_hash_key_lengths() {
    let largest = u128::MAX.to_string();
    assert_eq!(largest.len(), 39);
    for key in ["0", "10", "99999999999999999999999999999999999999", &largest] {
        check(key, &[explicit_hash_key(7), OwnedRecord::new("key", "data").with_explicit_hash_key(key)]);
    }
}

#[test]
fn tag_key_and_value_lengths() {
    for len in LENGTHS {
        let text = "t".repeat(len);
        let record = || OwnedRecord::new("key", "data");
        check(&format!("tag key of {len} bytes"), &[record().with_tag(text.clone(), None)]);
        check(&format!("tag value of {len} bytes"), &[record().with_tag("t", Some(&text))]);
    }
    check(
        "a tag without value and one with an empty value",
        &[OwnedRecord::new("key", "data").with_tag("", None).with_tag("", Some(""))],
    );
}

/// A `Tag` of the key "t" and a value is 5 bytes longer than the value as long as its length takes one byte.
#[test]
fn tag_message_lengths() {
    for (value_len, message_len) in
        [(121, 126), (122, 127), (123, 128), (16_376, 16_382), (16_377, 16_383), (16_378, 16_384)]
    {
        let overhead = if value_len < 128 { 3 + 2 } else { 3 + 1 + 2 };
        assert_eq!(value_len + overhead, message_len);
        let value = "v".repeat(value_len);
        check(
            &format!("`Tag` of {message_len} bytes"),
            &[
                OwnedRecord::new("key", "data").with_tag("t", Some(&value)),
                OwnedRecord::new("key", "data").with_tag("t", Some(&value)).with_tag("u", Some(&value)),
            ],
        );
    }
}

/// The `Record` itself crosses a boundary that its data does not.
#[test]
fn record_message_lengths() {
    for (boundary, data_overhead) in [(128, 4), (16_384, 5)] {
        for len in boundary - 2..=boundary + 1 {
            for (name, plain, extra) in [
                ("plain", OwnedRecord::new("key", ""), 0),
                ("with an explicit hash key", explicit_hash_key(0), 2),
                ("with a tag", OwnedRecord::new("key", "").with_tag("t", Some("v")), 8),
            ] {
                let data = vec![0x5a; len - data_overhead - extra];
                let record = OwnedRecord { data, ..plain };
                with_record(&record, |record| assert_eq!(message_len(&record, 0, 0), len, "{name}"));
                check(&format!("record of {len} bytes {name}"), &[record]);
            }
        }
    }
}
