//! What iterators say of themselves, and when what they yield is equal.

#![cfg(feature = "alloc")]
#![expect(clippy::unwrap_used, reason = "a panic fails the test, as it should")]

mod common;

use common::{field, frame};
use kinesis_aggregation::decode::{AggregatedRecord, KinesisRecord, RecordTag};
use kinesis_aggregation::route::{HashKey, HashKeyRange, RangeMode, Shard};
use kinesis_aggregation::{
    AggregationManager, Limits, Payload, RecordAggregator, ShardMap, UserRecord, deaggregate,
};

const TAGS: [RecordTag<'_>; 2] =
    [RecordTag { key: "k", value: Some("v") }, RecordTag { key: "l", value: None }];

/// An aggregate of three user records, the second of which has tags and an explicit hash key.
fn payload() -> Vec<u8> {
    let mut aggregator = RecordAggregator::new(Limits::default());
    for record in [
        UserRecord::new("a", "1"),
        UserRecord::new("b", "2").with_explicit_hash_key("7").with_tags(&TAGS),
        UserRecord::new("a", "3"),
    ] {
        assert_eq!(aggregator.add(record), Ok(None));
    }
    aggregator.finish().unwrap().data
}

/// Says at each step exactly how much is left, and goes on saying so after the end.
fn counts_down(name: &str, mut items: impl ExactSizeIterator, total: usize) {
    for left in (0..=total).rev() {
        assert_eq!((items.len(), items.size_hint()), (left, (left, Some(left))), "{name}");
        assert_eq!(items.next().is_some(), left > 0, "{name}: {left} left");
    }
    assert!(items.next().is_none(), "{name}");
    assert_eq!(items.size_hint(), (0, Some(0)), "{name}");
}

#[test]
fn exact_sizes_are_exact_at_every_step() {
    let payload = payload();
    let aggregate = AggregatedRecord::parse(&payload).unwrap();
    counts_down("user records", aggregate.records(), 3);
    counts_down("deaggregated", deaggregate(&payload), 3);
    counts_down("plain", deaggregate(b"plain".as_slice()), 1);
    counts_down("no user records", deaggregate(&frame(&field(1, b"unused"))), 0);
    counts_down("given tags", UserRecord::new("a", "").with_tags(&TAGS).tags, 2);
    counts_down("tags of a payload", aggregate.records().nth(1).unwrap().tags, 2);
    counts_down("no tags", aggregate.records().next().unwrap().tags, 0);

    let halves = [(0, u128::MAX / 2), (u128::MAX / 2 + 1, u128::MAX)]
        .map(|(start, end)| HashKeyRange::new(HashKey::new(start), HashKey::new(end)).unwrap());
    let map = ShardMap::new([Shard::new("s-1", halves[0]), Shard::new("s-2", halves[1])]).unwrap();
    counts_down("shards", map.shards(), 2);
    let mut manager = AggregationManager::by_key(Limits::default());
    for key in ["a", "b", "c"] {
        assert!(manager.add(UserRecord::new(key, "")).unwrap().is_empty());
    }
    counts_down("pending", manager.pending(), 3);
}

#[test]
fn filtered_by_range_there_are_at_most_as_many() {
    let payload = payload();
    let records = deaggregate(&payload);
    let mut some = HashKeyRange::ALL.filter(records.clone(), RangeMode::Each);
    for left in (0..=3).rev() {
        assert_eq!(some.size_hint(), (0, Some(left)));
        assert_eq!(some.next().is_some(), left > 0);
    }
    let endless = records.cycle();
    assert_eq!(HashKeyRange::ALL.filter(endless, RangeMode::Each).size_hint(), (0, None));
}

#[test]
fn tags_are_equal_where_they_list_the_same() {
    let payload = payload();
    let tags_of = |tags| UserRecord::new("a", "").with_tags(tags).tags;
    let read = deaggregate(&payload).nth(1).unwrap().tags;
    assert_eq!(read, tags_of(&TAGS), "wherever they come from");
    assert_eq!(read, read);
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
fn the_tables_are_told_apart() {
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

/// A record with a partition key beside its data.
struct Put<'a>(&'a str, &'a [u8]);

impl KinesisRecord for Put<'_> {
    fn data(&self) -> &[u8] {
        self.1
    }

    fn partition_key(&self) -> Option<&str> {
        Some(self.0)
    }
}

#[test]
fn plain_records_keep_the_partition_key_that_is_known() {
    let put = Put("key", b"plain");
    for (name, mut users, partition_key) in [
        ("with a key", deaggregate(&put), "key"),
        ("behind a reference", deaggregate(&&put), "key"),
        ("bytes", deaggregate(b"plain".as_slice()), ""),
        ("bytes behind a reference", deaggregate(&b"plain".as_slice()), ""),
    ] {
        assert_eq!(users.next(), Some(UserRecord::new(partition_key, "plain")), "{name}");
    }
    assert_eq!((b"plain".to_vec().data(), b"plain".to_vec().partition_key()), (&b"plain"[..], None));
}
