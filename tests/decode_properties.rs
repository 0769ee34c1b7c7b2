//! What decoding promises for every input: it ends without a panic, it asks for just the room it needs, a damaged
//! aggregate is plain and never other data, and what it yields borrows from the payload alone.

#![cfg(feature = "alloc")]

mod common;
mod reference;

#[path = "common/agree.rs"]
mod agree;

use proptest::collection::vec;
use proptest::prelude::*;

use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, MAGIC, PlainReason, RecordTag};
use kinesis_aggregation::{KeyRoom, ParseError, Payload, UserRecord, deaggregate, recycle};

use agree::agree;
use common::random::Random;
use common::{Record, aggregates, bodies, frame, hex, records};

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
    let users: Vec<UserRecord<'_>> = records.iter().map(Record::untagged).collect();
    common::canonical(&users)
}

/// What comes of parsing in some room: the user records, and how many keys.
fn parse_in<'a, K: KeyRoom<'a>>(payload: &'a [u8], room: K) -> Result<(Vec<Record>, usize), ParseError> {
    let aggregate = AggregatedRecord::parse(payload, room)?;
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
    fn the_room_needed_is_enough_and_no_less(users in any_records(), more in 1..9usize) {
        let payload = encoded(&users);
        let expected = parse_in(&payload, Vec::new());
        prop_assert_eq!(expected.as_ref().map(|(users, _)| users), Ok(&users));
        let (_, needed) = expected.unwrap();
        let mut room = vec!["left over"; needed + more];
        for size in 0..needed {
            let found = parse_in(&payload, &mut room[..size]);
            prop_assert_eq!(found, Err(ParseError::NeedsRoom { needed }), "a slice of {}", size);
        }
        for size in [needed, needed + more] {
            let found = parse_in(&payload, &mut room[..size]);
            prop_assert_eq!(found, Ok((users.clone(), needed)), "a slice of {}", size);
        }
        prop_assert!(room[needed..].iter().all(|&key| key == "left over"));
        room.truncate(needed / 2);
        prop_assert_eq!(parse_in(&payload, &mut room), Ok((users, needed)), "a vector with something in it");
    }

    #[test]
    fn malformed_comes_before_too_little_room(body in any_body()) {
        let payload = frame(&body);
        match parse_in(&payload, Vec::new()) {
            Err(plain) => {
                prop_assert_eq!(parse_in(&payload, [""; 0]), Err(plain));
                prop_assert_eq!(parse_in(&payload, heapless::Vec::<_, 0>::new()), Err(plain));
            }
            Ok((users, needed)) => {
                let expected = if needed == 0 { Ok((users, 0)) } else { Err(ParseError::NeedsRoom { needed }) };
                prop_assert_eq!(parse_in(&payload, [""; 0]), expected);
            }
        }
    }
}

/// Parses in `N` keys of room of every fixed kind.
fn in_fixed_rooms<const N: usize>(payload: &[u8]) -> [Result<(Vec<Record>, usize), ParseError>; 5] {
    let array = &mut ["left over"; N];
    let mut vector = heapless::Vec::<_, N>::new();
    while vector.push("left over").is_ok() {}
    [
        parse_in(payload, *array),
        parse_in(payload, array),
        parse_in(payload, heapless::Vec::<_, N>::new()),
        parse_in(payload, &mut vector),
        parse_in(payload, vector),
    ]
}

#[test]
fn fixed_rooms_hold_as_many_keys_as_they_say() {
    let user = |key: &str, explicit: &str| Record {
        partition_key: key.to_owned(),
        explicit_hash_key: Some(explicit.to_owned()),
        ..Record::default()
    };
    // Two partition keys and one explicit hash key.
    let users = vec![user("a", "0"), user("b", "0")];
    let payload = encoded(&users);
    for found in [in_fixed_rooms::<0>(&payload), in_fixed_rooms::<2>(&payload)].as_flattened() {
        assert_eq!(*found, Err(ParseError::NeedsRoom { needed: 3 }));
    }
    for found in [in_fixed_rooms::<3>(&payload), in_fixed_rooms::<9>(&payload)].as_flattened() {
        assert_eq!(*found, Ok((users.clone(), 3)));
    }
    // An unknown field, and no keys at all (D15).
    let payload = frame(&hex("78 01"));
    for found in [in_fixed_rooms::<0>(&payload), in_fixed_rooms::<1>(&payload)].as_flattened() {
        assert_eq!(*found, Ok((vec![], 0)));
    }
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

/// It compiles: the user records borrow neither from the room nor from the aggregate.
fn outlives<'a>(payload: &'a [u8]) -> (Vec<UserRecord<'a>>, Option<RecordTag<'a>>) {
    let mut room = [""; 4];
    let Payload::Aggregated(aggregate) = Payload::parse(payload, &mut room) else { return (vec![], None) };
    let mut users: Vec<UserRecord<'a>> = aggregate.records().collect();
    users.extend(&aggregate);
    users.extend(aggregate);
    let tag = users.first().and_then(|user| { user.tags }.next());
    (users, tag)
}

#[test]
fn user_records_outlive_room_and_aggregate() {
    let payload = frame(&hex("0a 01 61 | 1a 0a 08 00 1a 01 78 22 03 0a 01 6b"));
    let (users, tag) = outlives(&payload);
    assert_eq!(users.iter().map(|user| user.partition_key).collect::<Vec<_>>(), ["a"; 3]);
    assert_eq!(tag, Some(RecordTag { key: "k", value: None }));
}

#[test]
fn recycled_room_is_the_same_allocation() {
    let mut keys: Vec<&'static str> = Vec::with_capacity(5);
    let place = keys.as_ptr().addr();
    for data in ["x", "y", "z"] {
        // Each payload is gone before the next one comes.
        let payload = encoded(&[Record { partition_key: data.to_owned(), ..Record::default() }]);
        let mut room: Vec<&str> = keys;
        let aggregate = AggregatedRecord::parse(&payload, &mut room).unwrap();
        assert_eq!(aggregate.partition_keys(), [data]);
        keys = recycle(room);
        assert_eq!((keys.as_ptr().addr(), keys.capacity(), keys.len()), (place, 5, 0));
    }
}
