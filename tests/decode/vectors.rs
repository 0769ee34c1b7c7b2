//! The golden payloads decode to what is known of them, in every way to decode: `tests/vectors/decode.jsonl`, and
//! `tests/vectors/encode.jsonl`, which other implementations made.

use kinesis_aggregation::Payload;
#[cfg(feature = "alloc")]
use kinesis_aggregation::deaggregate;
use kinesis_aggregation::decode::PlainReason;
#[cfg(feature = "alloc")]
use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck};

use crate::common::{Record, decode_vectors, encode_vectors, records};

/// The user records of a payload, or why it is plain.
type Outcome = Result<Vec<Record>, String>;

/// A way to decode.
type Way = fn(&[u8]) -> Outcome;

fn plain(reason: PlainReason) -> Outcome {
    Err(reason.as_str().to_owned())
}

fn buffer(payload: &[u8]) -> Outcome {
    match Payload::parse(payload, &mut [""; KEYS]) {
        Payload::Aggregated(aggregate) => Ok(records(&aggregate)),
        Payload::Plain(reason) => plain(reason),
        Payload::NeedsKeys { needed } => Err(format!("needs {needed} keys")),
    }
}

#[cfg(feature = "alloc")]
fn owned(payload: &[u8]) -> Outcome {
    AggregatedRecord::parse(payload).map(|aggregate| records(&aggregate)).or_else(plain)
}

#[cfg(feature = "alloc")]
fn reused(payload: &[u8]) -> Outcome {
    let mut keys = vec!["left over"; 3];
    AggregatedRecord::parse_reusing(payload, &mut keys, DigestCheck::Verify)
        .map(|aggregate| records(&aggregate))
        .or_else(plain)
}

/// A plain record yields itself, and the reason.
#[cfg(feature = "alloc")]
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
const WAYS: &[(&str, Way)] = &[
    ("buffer", buffer),
    #[cfg(feature = "alloc")]
    ("owned keys", owned),
    #[cfg(feature = "alloc")]
    ("reused keys", reused),
    #[cfg(feature = "alloc")]
    ("deaggregate", deaggregated),
];

#[test]
fn payloads_decode_to_what_is_known_of_them() {
    let vectors = decode_vectors();
    assert_eq!(vectors.len(), 97);
    for vector in vectors {
        for &(way, decode) in WAYS {
            assert_eq!(decode(&vector.payload), vector.expected, "{}: {way}", vector.name);
        }
    }
}

#[test]
fn aggregates_of_other_implementations_are_decoded() {
    let vectors = encode_vectors();
    assert_eq!(vectors.len(), 11);
    for vector in vectors {
        for &(way, decode) in WAYS {
            let outcome = decode(&vector.encoded);
            assert_eq!(outcome.as_ref(), Ok(&vector.records), "{}: {way}", vector.name);
        }
    }
}
