//! What decoding promises for every input: it does not panic, it needs one entry for each key and no more, a damaged aggregate
//! is plain and never other data, and what it yields borrows from the payload only.

#![cfg(feature = "alloc")]

mod common;
mod reference;

#[path = "common/agree.rs"]
mod agree;
#[path = "common/bodies.rs"]
mod bodies;

use proptest::collection::vec;
use proptest::prelude::*;

use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, MAGIC, PlainReason, RecordTag};
use kinesis_aggregation::{Payload, UserRecord, deaggregate};

use agree::agree;
use common::random::Random;
use common::{Record, aggregate, aggregates, frame, hex, records};

/// A crash becomes a row of `malformed.rs`, so there is no file of seeds.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

/// Bytes that are no body but by accident, or close to one.
fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let of_the_format = any::<u64>().prop_map(|seed| bodies::body(&mut Random::new(seed)));
    prop_oneof![vec(any::<u8>(), 0..100), of_the_format]
}

/// User records that share keys.
fn any_records() -> impl Strategy<Value = Vec<Record>> {
    let explicit_hash_key = proptest::option::of((0..5u8).prop_map(|key| key.to_string()));
    let record = ((0..9u8).prop_map(|key| format!("key-{key}")), explicit_hash_key, vec(any::<u8>(), 0..9));
    let record = record.prop_map(|(partition_key, explicit_hash_key, data)| Record {
        partition_key,
        explicit_hash_key,
        data,
        tags: Vec::new(),
    });
    vec(record, 1..20)
}

fn encoded(records: &[Record]) -> Vec<u8> {
    aggregate(&records.iter().map(Record::untagged).collect::<Vec<_>>())
}

/// Parses with a buffer for keys: the user records, or how many keys are needed, or why the payload is plain.
fn parse_in<'a>(payload: &'a [u8], keys: &mut [&'a str]) -> Result<Vec<Record>, Result<usize, PlainReason>> {
    match Payload::parse(payload, keys) {
        Payload::Aggregated(aggregate) => Ok(records(&aggregate)),
        Payload::Plain(reason) => Err(Err(reason)),
        Payload::NeedsKeys { needed } => Err(Ok(needed)),
    }
}

/// The user records of a payload, and how many keys it has.
fn owned(payload: &[u8]) -> Result<(Vec<Record>, usize), PlainReason> {
    let aggregate = AggregatedRecord::parse(payload)?;
    let keys = aggregate.partition_keys().len().saturating_add(aggregate.explicit_hash_keys().len());
    Ok((records(&aggregate), keys))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_payload_is_something(bytes in vec(any::<u8>(), 0..200), with_magic: bool) {
        let payload = if with_magic { [&MAGIC, &bytes[..]].concat() } else { bytes };
        for check in [DigestCheck::Verify, DigestCheck::Skip] {
            agree(&payload, check);
        }
    }

    #[test]
    fn a_skipped_digest_leaves_all_other_rules(body in any_body(), digest: [u8; 16]) {
        agree(&[&MAGIC, &body[..], &digest].concat(), DigestCheck::Skip);
    }

    #[test]
    fn one_entry_for_each_key_is_enough_and_no_less(users in any_records(), more in 1..9usize) {
        let payload = encoded(&users);
        let (found, needed) = owned(&payload).unwrap();
        prop_assert_eq!(&found, &users);
        let mut keys = vec!["left over"; needed + more];
        for size in 0..needed {
            prop_assert_eq!(parse_in(&payload, &mut keys[..size]), Err(Ok(needed)), "{} entries", size);
        }
        for size in [needed, needed + more] {
            prop_assert_eq!(parse_in(&payload, &mut keys[..size]), Ok(users.clone()), "{} entries", size);
        }
        prop_assert!(keys[needed..].iter().all(|&key| key == "left over"));
        keys.truncate(needed / 2);
        let reused = AggregatedRecord::parse_reusing(&payload, &mut keys, DigestCheck::Verify).unwrap();
        prop_assert_eq!(records(&reused), users, "a vector with something in it");
        prop_assert_eq!(keys.len(), needed);
    }

    #[test]
    fn a_malformed_payload_is_plain_in_any_buffer(body in any_body()) {
        let payload = frame(&body);
        let expected = match owned(&payload) {
            Err(plain) => Err(Err(plain)),
            Ok((users, 0)) => Ok(users),
            Ok((_, needed)) => Err(Ok(needed)),
        };
        prop_assert_eq!(parse_in(&payload, &mut []), expected);
    }
}

#[test]
fn keys_of_both_tables_are_counted() {
    let user = |key: &str, explicit: &str| Record {
        partition_key: key.to_owned(),
        explicit_hash_key: Some(explicit.to_owned()),
        ..Record::default()
    };
    // Two partition keys and one explicit hash key.
    let users = vec![user("a", "0"), user("b", "0")];
    let payload = encoded(&users);
    for size in 0..3 {
        assert_eq!(parse_in(&payload, &mut ["left over"; 5][..size]), Err(Ok(3)));
    }
    for size in 3..6 {
        assert_eq!(parse_in(&payload, &mut ["left over"; 5][..size]), Ok(users.clone()));
    }
    // An unknown field, and no keys at all (D15).
    assert_eq!(parse_in(&frame(&hex("78 01")), &mut []), Ok(vec![]));
}

/// Every payload, and how far apart the bits and ends are that are tried: each digest costs as much as the payload is
/// long, so of the few long ones only some are.
fn steps() -> impl Iterator<Item = (String, Vec<u8>, usize)> {
    aggregates().into_iter().map(|(name, payload)| {
        // Odd, so that the steps meet every bit of a byte.
        let step = if payload.len() <= 2048 { 1 } else { payload.len() / 2048 * 20 + 1 };
        (name, payload, step)
    })
}

fn plain_reason(payload: &[u8]) -> Option<PlainReason> {
    deaggregate(payload).plain_reason()
}

#[test]
fn every_prefix_is_plain() {
    for (name, payload, step) in steps() {
        for len in (0..payload.len()).step_by(step) {
            let expected = match len {
                0..4 => PlainReason::NoMagic,
                4..=20 => PlainReason::TooShort,
                _ => PlainReason::DigestMismatch,
            };
            assert_eq!(plain_reason(&payload[..len]), Some(expected), "{name}: the first {len} bytes");
        }
    }
}

#[test]
fn every_flipped_bit_makes_it_plain() {
    let mut tried = 0;
    for (name, mut payload, step) in steps() {
        for bit in (0..payload.len() * 8).step_by(step) {
            payload[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit < 32 { PlainReason::NoMagic } else { PlainReason::DigestMismatch };
            assert_eq!(plain_reason(&payload), Some(expected), "{name}: bit {bit}");
            payload[bit / 8] ^= 1 << (bit % 8);
            tried += 1;
        }
        assert_eq!(plain_reason(&payload), None, "{name}");
    }
    assert!(tried > 10_000, "only {tried}");
}

/// It compiles: the user records borrow neither from the buffer nor from the aggregate.
fn outlives<'a>(payload: &'a [u8]) -> (Vec<UserRecord<'a>>, Option<RecordTag<'a>>) {
    let mut keys = [""; 4];
    let Payload::Aggregated(aggregate) = Payload::parse(payload, &mut keys) else { return (vec![], None) };
    let mut users: Vec<UserRecord<'a>> = aggregate.records().collect();
    users.extend(&aggregate);
    users.extend(deaggregate(payload));
    let tag = users.first().and_then(|user| { user.tags }.next());
    (users, tag)
}

#[test]
fn user_records_outlive_buffer_and_aggregate() {
    let payload = frame(&hex("0a 01 61 | 1a 0a 08 00 1a 01 78 22 03 0a 01 6b"));
    let (users, tag) = outlives(&payload);
    assert_eq!(users.iter().map(|user| user.partition_key).collect::<Vec<_>>(), ["a"; 3]);
    assert_eq!(tag, Some(RecordTag { key: "k", value: None }));
}
