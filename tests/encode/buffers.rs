//! Buffers that are exchanged while an encoder is in use, and aggregates recovered from their data.

use kinesis_aggregation::encode::{AddStatus, AggregateRef};
use kinesis_aggregation::route::HashKey;
use kinesis_aggregation::{Encoder, Limits, Payload, UserRecord};

use crate::common::{Record, decode_vectors, encode_vectors, field, frame, records, varint};

/// In a static, before there is any memory.
static EMPTY: std::sync::Mutex<Encoder<'static, 2>> =
    std::sync::Mutex::new(Encoder::new(&mut [], Limits::KINESIS_DEFAULT));

#[test]
fn one_buffer_is_filled_while_another_is_in_use() {
    let (mut a, mut b, mut c) = ([0xa5; 100], [0x5a; 300], [0; 200]);
    let mut free: Vec<&mut [u8]> = vec![&mut c, &mut b];
    let mut encoder = Encoder::<1>::new(&mut a, Limits::default());
    let mut sent = Vec::new();
    let mut in_use = None;
    let texts: Vec<_> = (0..200).map(|number| format!("reading {number}")).collect();
    for text in &texts {
        let user = UserRecord::new("device-7", text).with_explicit_hash_key("5");
        while encoder.add(user).unwrap() == AddStatus::Full {
            let (len, count) = (encoder.encoded_len(), encoder.user_records());
            let finished = encoder.swap_buffer(free.pop().unwrap());
            assert!(encoder.is_empty());
            let aggregate = finished.aggregate().unwrap();
            assert_eq!((aggregate.data.len(), aggregate.user_records), (len, count));
            assert_eq!(aggregate.partition_key(), "device-7");
            assert_eq!(aggregate.explicit_hash_key, Some(HashKey::new(5)));
            sent.extend(users(aggregate.data));
            // The one before is free again.
            if let Some(before) = in_use.replace(finished) {
                free.push(before.into_buffer());
            }
        }
    }
    sent.extend(users(encoder.finish().unwrap().data));
    let expected: Vec<_> =
        texts.iter().map(|text| Record::new("device-7", &text[..]).with_explicit_hash_key("5")).collect();
    assert_eq!(sent, expected);
}

#[test]
fn a_buffer_is_exchanged_when_nothing_is_pending() {
    let mut encoder = EMPTY.lock().unwrap();
    let user = UserRecord::new("k", "data");
    assert!(encoder.add(user).is_err(), "without memory");
    let nothing = encoder.swap_buffer(Vec::leak(vec![0; 64]));
    assert_eq!(nothing.aggregate(), None);
    assert_eq!(format!("{nothing:?}"), "FinishedBuffer { buffer: 0, aggregate: None }");
    assert_eq!(encoder.add(user), Ok(AddStatus::Added));
    let finished = encoder.swap_buffer(nothing.into_buffer());
    let data = finished.aggregate().unwrap().data.to_vec();
    assert_eq!(users(&data), [Record::new("k", "data")]);
    let buffer = finished.into_buffer();
    assert_eq!((buffer.len(), buffer.starts_with(&data)), (64, true), "the whole buffer");
}

/// The user records of an aggregate, from the same data without its buffer.
fn users(data: &[u8]) -> Vec<Record> {
    let mut keys = [""; 8];
    let Payload::Aggregated(aggregate) = Payload::parse(data, &mut keys) else { panic!("not aggregated") };
    records(&aggregate)
}

#[test]
fn keys_and_counts_are_recovered_from_golden_payloads() {
    let aggregated = encode_vectors().into_iter().map(|vector| (vector.name, vector.encoded, vector.records));
    for (name, payload, records) in aggregated {
        let recovered = AggregateRef::from_data(&payload).unwrap();
        assert_eq!(recovered.data, payload, "{name}");
        assert_eq!(recovered.user_records, records.len(), "{name}");
        assert_eq!(recovered.partition_key(), records[0].partition_key, "{name}");
        let explicit_hash_key = recovered.explicit_hash_key.map(|key| key.to_string());
        assert_eq!(explicit_hash_key, records[0].explicit_hash_key, "{name}");
    }
    let mut recovered = 0;
    for vector in decode_vectors() {
        let mut keys = [""; 200];
        let first = match Payload::parse(&vector.payload, &mut keys) {
            Payload::Aggregated(aggregate) => aggregate.records().next(),
            _ => None,
        };
        match AggregateRef::from_data(&vector.payload) {
            Some(aggregate) => {
                let first = first.unwrap();
                assert_eq!(aggregate.partition_key(), first.partition_key, "{}", vector.name);
                let explicit_hash_key = aggregate.explicit_hash_key.map(|key| key.to_string());
                assert_eq!(explicit_hash_key.as_deref(), first.explicit_hash_key, "{}", vector.name);
                recovered += 1;
            }
            None => assert!(first.is_none_or(|user| user.validate().is_err()), "{}", vector.name),
        }
    }
    assert!(recovered > 20, "{recovered}");
}

#[test]
fn keys_are_found_wherever_their_tables_are() {
    let record = |partition_key: u64, explicit_hash_key: Option<u64>| {
        let indexes = explicit_hash_key.map(|index| [&[0x10][..], &varint(index)].concat());
        field(
            3,
            &[&[0x08][..], &varint(partition_key), &indexes.unwrap_or_default(), &field(3, b"x")].concat(),
        )
    };
    let (a, b) = (field(1, b"a"), field(1, b"b"));
    let (one, two) = (field(2, b"1"), field(2, b"2"));
    for (name, body, expected) in [
        (
            "behind the record",
            [record(1, Some(0)), one.clone(), a.clone(), b.clone()].concat(),
            Some(("b", Some(1))),
        ),
        (
            "mixed",
            [a.clone(), two.clone(), record(0, Some(1)), record(1, None), b.clone(), one.clone()].concat(),
            Some(("a", Some(1))),
        ),
        ("no explicit hash key", [record(0, None), a.clone(), two.clone()].concat(), Some(("a", None))),
        ("a later one's", [record(0, None), a.clone(), record(0, Some(0)), two].concat(), Some(("a", None))),
        ("no user record", a.clone(), None),
        ("no such key", [a.clone(), record(1, None)].concat(), None),
        ("no partition key", [field(1, b""), record(0, None)].concat(), None),
        ("not a number", [a, field(2, b"abc"), record(0, Some(0))].concat(), None),
    ] {
        let payload = frame(&body);
        let recovered = AggregateRef::from_data(&payload)
            .map(|found| (found.partition_key(), found.explicit_hash_key.map(HashKey::get)));
        assert_eq!(recovered, expected, "{name}");
    }
}

#[test]
fn a_torn_write_is_not_recovered() {
    let mut buffer = [0; 256];
    let mut encoder = Encoder::<2>::new(&mut buffer, Limits::default());
    for number in 0..10u8 {
        let user = UserRecord::new("device-7", core::slice::from_ref(&number));
        assert_eq!(encoder.add(user), Ok(AddStatus::Added));
    }
    let whole = encoder.finish().unwrap();
    assert_eq!(AggregateRef::from_data(whole.data), Some(whole));
    // Erased flash is all ones, and a write begins at the start.
    for written in 0..whole.data.len() {
        let mut torn = whole.data.to_vec();
        torn[written..].fill(0xff);
        assert_eq!(AggregateRef::from_data(&torn), None, "{written} bytes written");
    }
}
