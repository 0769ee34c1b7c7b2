//! Sizes at which a varint grows: every way to encode is exact on both sides of each.

use kinesis_aggregation::{Limits, RecordAggregator};

use crate::common::encode::arithmetic::{encoded_len, growing_len, message_len};
use crate::common::encode::{WAYS, streamed, unpack};
use crate::common::{Record, with_record, with_records};

/// The lengths at which a varint grows, with their neighbours, up to four bytes.
const LENGTHS: [usize; 8] = [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152];

/// Asserts that every way to encode gives the size that the arithmetic says, and that decoding gives the user records.
fn check(name: &str, owned: &[Record]) {
    with_records(owned, |records| {
        for way in &WAYS {
            let data = (way.encode)(records);
            assert_eq!(data.len(), encoded_len(records, way.remembers), "{name}, {}", way.name);
            assert!(unpack(&data) == owned, "{name}, {}: other user records", way.name);
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

/// So many records with a key of their own each, then the last and the first key again.
fn distinct_keys(count: usize, record: impl Fn(usize) -> Record) -> Vec<Record> {
    (0..count).chain([count - 1, 0]).map(record).collect()
}

fn partition_key(index: usize) -> Record {
    Record::new(format!("key-{index}"), index.to_string())
}

fn explicit_hash_key(index: usize) -> Record {
    Record::new("key", "data").with_explicit_hash_key(index.to_string())
}

/// An index takes one byte up to 127 and two up to 16,383; the index of the last of n keys is n - 1.
const COUNTS: [usize; 6] = [127, 128, 129, 16_383, 16_384, 16_385];

#[test]
fn indexes_of_partition_keys_are_exact_where_a_varint_grows() {
    for count in COUNTS {
        check(&format!("{count} partition keys"), &distinct_keys(count, partition_key));
    }
}

#[test]
fn indexes_of_explicit_hash_keys_are_exact_where_a_varint_grows() {
    for count in COUNTS {
        check(&format!("{count} explicit hash keys"), &distinct_keys(count, explicit_hash_key));
    }
}

/// With as many keys as an encoder remembers, its output is as short as in canonical order.
#[test]
fn an_encoder_that_remembers_all_keys_writes_none_twice() {
    fn check<const KEYS: usize>(count: usize) {
        let rows: [(_, fn(_) -> _); 2] =
            [("partition keys", partition_key), ("explicit hash keys", explicit_hash_key)];
        for (name, record) in rows {
            let owned = distinct_keys(count, record);
            with_records(&owned, |records| {
                let data = streamed::<KEYS>(records);
                assert_eq!(data.len(), encoded_len(records, usize::MAX), "{count} {name}");
                assert!(unpack(&data) == owned, "{count} {name}: other user records");
            });
        }
    }
    check::<127>(127);
    check::<128>(128);
    check::<129>(129);
    // 1.6 MB of entries. Twice as many as needed, so that every key finds one, however keys are hashed.
    let large = || [16_383, 16_384, 16_385].map(check::<32_770>);
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(large).unwrap();
    thread.join().unwrap();
}

#[test]
fn lengths_of_data_are_exact_where_a_varint_grows() {
    for len in LENGTHS {
        check(&format!("{len} bytes of data"), &[Record::new("key", vec![0x5a; len])]);
    }
}

#[test]
fn lengths_of_partition_keys_are_exact_where_a_varint_grows() {
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
        check(name, &[Record::new(key.clone(), "data"), Record::new(key, "more")]);
    }
}

#[test]
fn lengths_of_explicit_hash_keys_are_exact_where_a_varint_grows() {
    let largest = u128::MAX.to_string();
    assert_eq!(largest.len(), 39);
    for key in ["0", "10", "99999999999999999999999999999999999999", &largest] {
        check(key, &[explicit_hash_key(7), Record::new("key", "data").with_explicit_hash_key(key)]);
    }
}

#[test]
fn lengths_of_tag_keys_and_values_are_exact_where_a_varint_grows() {
    for len in LENGTHS {
        let text = "t".repeat(len);
        let record = || Record::new("key", "data");
        check(&format!("tag key of {len} bytes"), &[record().with_tag(text.clone(), None)]);
        check(&format!("tag value of {len} bytes"), &[record().with_tag("t", Some(&text))]);
    }
    check(
        "a tag without value and one with an empty value",
        &[Record::new("key", "data").with_tag("", None).with_tag("", Some(""))],
    );
}

/// A `Tag` of the key "t" and a value is 5 bytes longer than the value as long as its length takes one byte.
#[test]
fn lengths_of_tags_are_exact_where_a_varint_grows() {
    for (value_len, message_len) in
        [(121, 126), (122, 127), (123, 128), (16_376, 16_382), (16_377, 16_383), (16_378, 16_384)]
    {
        let overhead = if value_len < 128 { 3 + 2 } else { 3 + 1 + 2 };
        assert_eq!(value_len + overhead, message_len);
        let value = "v".repeat(value_len);
        check(
            &format!("`Tag` of {message_len} bytes"),
            &[
                Record::new("key", "data").with_tag("t", Some(&value)),
                Record::new("key", "data").with_tag("t", Some(&value)).with_tag("u", Some(&value)),
            ],
        );
    }
}

/// The `Record` itself crosses a boundary that its data does not.
#[test]
fn lengths_of_records_are_exact_where_a_varint_grows() {
    for (boundary, data_overhead) in [(128, 4), (16_384, 5)] {
        for len in boundary - 2..=boundary + 1 {
            for (name, plain, extra) in [
                ("plain", Record::new("key", ""), 0),
                ("with an explicit hash key", explicit_hash_key(0), 2),
                ("with a tag", Record::new("key", "").with_tag("t", Some("v")), 8),
            ] {
                let data = vec![0x5a; len - data_overhead - extra];
                let record = Record { data, ..plain };
                with_record(&record, |record| assert_eq!(message_len(&record, 0, 0), len, "{name}"));
                check(&format!("record of {len} bytes {name}"), &[record]);
            }
        }
    }
}
