//! Payloads of known meaning get it: `tests/vectors/decode.jsonl` in every way to decode, and
//! `tests/vectors/encode.jsonl`, made by other implementations, both ways and byte for byte.

#![cfg(feature = "alloc")]

mod common;

use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, PlainReason};
use kinesis_aggregation::decode::{AggregatedRecord, PlainReason};
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::{Encoder, Limits, Payload, RecordAggregator, UserRecord, deaggregate};

use common::{Record, decode_vectors, encode_vectors, records};

/// What a payload turned out to be: its user records, or why it is plain.
type Outcome = Result<Vec<Record>, String>;

/// A way to decode.
type Way = fn(&[u8]) -> Outcome;

fn plain(reason: PlainReason) -> Outcome {
    Err(reason.as_str().to_owned())
}

fn parsed(payload: &[u8], keys: usize) -> Outcome {
    match Payload::parse(payload, &mut vec![""; keys]) {
        Payload::Aggregated(aggregate) => Ok(records(&aggregate)),
        Payload::Plain(reason) => plain(reason),
        Payload::NeedsKeys { needed } => Err(format!("needs {needed} keys")),
    }
}

fn owned(payload: &[u8]) -> Outcome {
    AggregatedRecord::parse(payload).map(|aggregate| records(&aggregate)).or_else(plain)
}

fn reused(payload: &[u8]) -> Outcome {
    let mut keys = vec!["left over"; 3];
    AggregatedRecord::parse_reusing(payload, &mut keys, DigestCheck::Verify)
        .map(|aggregate| records(&aggregate))
        .or_else(plain)
}

/// A plain record is one user record, but here its reason is asked for.
fn deaggregated(payload: &[u8]) -> Outcome {
    let users = deaggregate(payload);
    match users.plain_reason() {
        None => Ok(records(users)),
        Some(reason) => {
            assert_eq!(records(users), [Record { data: payload.to_vec(), ..Record::default() }]);
            plain(reason)
        }
    }
}

/// More than any vector has.
const KEYS: usize = 200;

/// Every way to decode, by name.
const WAYS: [(&str, Way); 4] = [
    ("buffer", |payload| parsed(payload, KEYS)),
    ("owned keys", owned),
    ("reused keys", reused),
    ("deaggregate", deaggregated),
];

#[test]
fn decode() {
    let vectors = decode_vectors();
    assert_eq!(vectors.len(), 97);
    for vector in vectors {
        for (way, decode) in WAYS {
            assert_eq!(decode(&vector.payload), vector.expected, "{}: {way}", vector.name);
        }
    }
}

#[test]
fn decode_what_others_encoded() {
    let vectors = encode_vectors();
    assert_eq!(vectors.len(), 11);
    for vector in vectors {
        for (way, decode) in WAYS {
            let outcome = decode(&vector.encoded);
            assert_eq!(outcome.as_ref(), Ok(&vector.records), "{}: {way}", vector.name);
        }
    }
}

#[test]
fn encode_as_others_do() {
    for vector in encode_vectors() {
        let name = &vector.name;
        let users: Vec<UserRecord<'_>> = vector.records.iter().map(Record::untagged).collect();

        let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
        for &user in &users {
            assert_eq!(aggregator.add(user), Ok(None), "{name}");
        }
        assert_eq!(aggregator.encoded_len(), vector.encoded.len(), "{name}");
        let aggregate = aggregator.finish().unwrap();
        assert_eq!(aggregate.user_records, users.len(), "{name}");
        assert_eq!(aggregate.data, vector.encoded, "{name}");
    }
}

#[test]
fn streamed_order_decodes_to_the_same() {
    for vector in encode_vectors() {
        let name = &vector.name;
        // Without memory for keys, they are written again and again.
        let mut buffer = vec![0xa5; 400_000];
        let mut remembering = Encoder::<KEYS>::new(&mut buffer, Limits::KINESIS_MAX);
        let mut other_buffer = vec![0xa5; 400_000];
        let mut forgetful = Encoder::<0>::new(&mut other_buffer, Limits::KINESIS_MAX);
        for user in vector.records.iter().map(Record::untagged) {
            assert_eq!(remembering.add(user), Ok(AddStatus::Added), "{name}");
            assert_eq!(forgetful.add(user), Ok(AddStatus::Added), "{name}");
        }
        let streamed = remembering.finish().unwrap();
        // The same fields as in canonical order, so as many bytes.
        assert_eq!(streamed.data.len(), vector.encoded.len(), "{name}");
        for data in [streamed.data, forgetful.finish().unwrap().data] {
            assert_eq!(deaggregated(data).as_ref(), Ok(&vector.records), "{name}");
        }
    }
}
