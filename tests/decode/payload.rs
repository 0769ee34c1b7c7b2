//! `Payload` and `AggregatedRecord`: key buffers, tables, and what their iterators yield.

use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, PlainReason, RecordTag, Tags};
use kinesis_aggregation::{Payload, UserRecord, deaggregate};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::common::encode::canonical;
use crate::common::{Record, field, frame, hex, records, with_records};

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
    with_records(records, canonical)
}

/// Parses with a key buffer. Returns the user records, the number of keys needed, or the reason why the payload is plain.
fn parse_in<'a>(payload: &'a [u8], keys: &mut [&'a str]) -> Result<Vec<Record>, Result<usize, PlainReason>> {
    match Payload::parse(payload, keys) {
        Payload::Aggregated(aggregate) => Ok(records(&aggregate)),
        Payload::Plain(reason) => Err(Err(reason)),
        Payload::NeedsKeys { needed } => Err(Ok(needed)),
    }
}

proptest! {
    // The failing input is printed, so no file of seeds is needed.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_entry_for_each_key_is_enough_and_no_less(users in any_records(), more in 1..9usize) {
        let payload = encoded(&users);
        let aggregate = AggregatedRecord::parse(&payload).unwrap();
        let needed = aggregate.partition_keys().len() + aggregate.explicit_hash_keys().len();
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
}

#[test]
fn keys_of_both_tables_are_counted() {
    let user = |key: &str, explicit: &str| Record::new(key, "").with_explicit_hash_key(explicit);
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

/// Compiles because the user records borrow neither from the buffer nor from the aggregate.
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

const TAGS: [RecordTag<'_>; 2] =
    [RecordTag { key: "k", value: Some("v") }, RecordTag { key: "l", value: None }];

/// An aggregate of three user records, the second of which has tags and an explicit hash key.
fn payload() -> Vec<u8> {
    canonical(&[
        UserRecord::new("a", "1"),
        UserRecord::new("b", "2").with_explicit_hash_key("7").with_tags(&TAGS),
        UserRecord::new("a", "3"),
    ])
}

/// Asserts that an iterator knows its length at each step, and after its end.
fn counts_down(name: &str, mut items: impl ExactSizeIterator, total: usize) {
    for left in (0..=total).rev() {
        assert_eq!((items.len(), items.size_hint()), (left, (left, Some(left))), "{name}");
        assert_eq!(items.next().is_some(), left > 0, "{name}: {left} left");
    }
    assert!(items.next().is_none(), "{name}");
    assert_eq!(items.size_hint(), (0, Some(0)), "{name}");
}

#[test]
fn iterators_know_how_many_items_are_left() {
    let payload = payload();
    let aggregate = AggregatedRecord::parse(&payload).unwrap();
    counts_down("user records", aggregate.records(), 3);
    counts_down("deaggregated", deaggregate(&payload), 3);
    counts_down("plain", deaggregate(b"plain".as_slice()), 1);
    counts_down("no user records", deaggregate(&frame(&field(1, b"unused"))), 0);
    counts_down("given tags", UserRecord::new("a", "").with_tags(&TAGS).tags, 2);
    counts_down("tags of a payload", aggregate.records().nth(1).unwrap().tags, 2);
    counts_down("no tags", aggregate.records().next().unwrap().tags, 0);
}

#[test]
fn tags_are_equal_if_they_list_the_same() {
    let payload = payload();
    let tags_of = |tags| UserRecord::new("a", "").with_tags(tags).tags;
    let read = deaggregate(&payload).nth(1).unwrap().tags;
    assert_eq!(read, tags_of(&TAGS), "read and given");
    assert_eq!(read, read);
    assert_eq!(Tags::default(), tags_of(&[]));
    assert_eq!(Tags::default().next(), None);
    for (name, other) in [
        ("none", &[][..]),
        ("the first only", &TAGS[..1]),
        ("one more", &[TAGS[0], TAGS[1], TAGS[1]]),
        ("in another order", &[TAGS[1], TAGS[0]]),
        ("another key", &[RecordTag { key: "x", value: Some("v") }, TAGS[1]]),
        ("another value", &[RecordTag { key: "k", value: None }, TAGS[1]]),
        ("empty is not none", &[TAGS[0], RecordTag { key: "l", value: Some("") }]),
    ] {
        assert_ne!(read, tags_of(other), "{name}");
        assert_ne!(tags_of(other), read, "{name}");
    }
}

#[test]
fn the_tables_hold_the_keys_of_each_kind() {
    let payload = payload();
    let mut keys = ["x"; 5];
    let Payload::Aggregated(aggregate) = Payload::parse(&payload, &mut keys) else { panic!("plain") };
    assert_eq!((aggregate.len(), aggregate.is_empty()), (3, false));
    assert_eq!((aggregate.partition_keys(), aggregate.explicit_hash_keys()), (&["a", "b"][..], &["7"][..]));
    assert_eq!(keys, ["a", "b", "7", "x", "x"], "what is not needed stays");

    let none = frame(&field(1, b"unused"));
    let aggregate = AggregatedRecord::parse(&none).unwrap();
    assert_eq!((aggregate.len(), aggregate.is_empty()), (0, true));
    assert_eq!((aggregate.partition_keys(), aggregate.explicit_hash_keys()), (&["unused"][..], &[][..]));
}
