//! Many shards, and the bound on memory.

use kinesis_aggregation::route::{Aggregates, HashKey, RoutedAggregate};
use kinesis_aggregation::{Limits, UserRecord};

use crate::common::random::Random;
use crate::model::{Routing, Shards, map_of};

/// Evenly split.
fn shards(count: u128) -> Shards {
    let step = u128::MAX / count;
    let end = |shard| if shard == count - 1 { u128::MAX } else { (shard + 1) * step - 1 };
    (0..count).map(|shard| (format!("shardId-{shard:012}"), shard * step, end(shard))).collect()
}

#[test]
fn ten_thousand_shards_with_one_record_each_stay_within_16_mib() {
    let mut shards = shards(10_000);
    let mut manager = Routing::ByShard.manager(map_of(&shards), Limits::KPL);
    Random::new(1).shuffle(&mut shards);
    for (place, (id, start, end)) in shards.iter().enumerate() {
        let key = if place % 2 == 0 { start } else { end }.to_string();
        let record = UserRecord::new("key", id).with_explicit_hash_key(&key);
        assert_eq!(manager.add(record), Ok(Aggregates::default()), "{id}");
    }
    assert_eq!((manager.pending().len(), manager.user_records()), (10_000, 10_000));
    assert!(manager.memory() < 16 * 1024 * 1024, "{}", manager.memory());

    let out = manager.flush();
    assert_eq!(out.len(), 10_000);
    // Nothing was taken out before, so they are in the order in which they were begun.
    for ((id, start, end), aggregate) in shards.iter().zip(&out) {
        assert_eq!(aggregate.shard_id.as_deref(), Some(id.as_str()));
        let key = aggregate.aggregate.explicit_hash_key.map(HashKey::get);
        assert!(key == Some(*start) || key == Some(*end), "{id}: {key:?}");
        assert!(aggregate.records().map(|record| record.data).eq([id.as_bytes()]), "{id}");
    }
    assert!(manager.is_empty());
}

/// The sizes of aggregates.
fn sizes(out: &[RoutedAggregate]) -> Vec<usize> {
    out.iter().map(|routed| routed.aggregate.size_bytes()).collect()
}

#[test]
fn above_the_bound_the_fullest_is_finished_first() {
    for (name, routing) in [("by shard", Routing::ByShard), ("by key", Routing::ByKey)] {
        let shards = shards(50);
        let mut random = Random::new(2);
        let max_memory = 60_000;
        let mut manager = routing.manager(map_of(&shards), Limits::default()).with_max_memory(max_memory);
        let (mut added, mut finished) = (0, 0);
        for number in 0..3_000 {
            let key = format!("key {}", random.below(60));
            let data = random.bytes(number % 300);
            // What would be pending without the bound.
            let mut unbounded = manager.clone().with_max_memory(usize::MAX);
            assert_eq!(unbounded.add(UserRecord::new(&key, &data)), Ok(Aggregates::default()), "{name}");
            let mut fullest: Vec<_> = unbounded.pending().map(|pending| pending.size_bytes).collect();
            fullest.sort_unstable_by(|a, b| b.cmp(a));

            let out = manager.add(UserRecord::new(&key, &data)).unwrap();
            added += 1;
            finished += out.iter().map(|routed| routed.aggregate.user_records).sum::<usize>();
            assert_eq!(sizes(&out), fullest[..out.len()], "{name}, user record {number}");
            assert!(manager.memory() <= max_memory, "{name}: {}", manager.memory());
            assert_eq!(finished + manager.user_records(), added, "{name}");
        }
        assert!(finished > 1_000, "{name}: only {finished} finished");
        assert!(manager.memory() > max_memory / 2, "{name}: {}", manager.memory());
    }
}

/// No bound is too low: with 0, every user record gets an aggregate of its own.
#[test]
fn a_bound_of_zero_finishes_each_user_record_at_once() {
    for routing in [Routing::ByShard, Routing::ByKey, Routing::Unrouted] {
        let mut manager = routing.manager(map_of(&shards(3)), Limits::default()).with_max_memory(0);
        for number in 0..100 {
            let key = format!("key {number}");
            let out = manager.add(UserRecord::new(&key, "data")).unwrap();
            assert_eq!(
                out.iter().map(|routed| &*routed.aggregate.partition_key).collect::<Vec<_>>(),
                [&key],
                "{routing:?}"
            );
            assert_eq!((manager.memory(), manager.user_records()), (0, 0), "{routing:?}");
        }
    }
}

/// A user record that only just fits an aggregate of its own still fits when it is moved or requeued. Behind a user record with
/// a shorter partition key it takes less space.
#[test]
fn what_was_accepted_once_is_accepted_again() {
    let limits = Limits::default().with_max_bytes(300);
    let long = "k".repeat(120);
    for len in 0..100 {
        let mut manager = Routing::ByShard.manager(map_of(&shards(1)), limits);
        let data = vec![0xa5; len];
        let first = UserRecord::new("a", "x").with_explicit_hash_key("1");
        let second = UserRecord::new(&long, &data).with_explicit_hash_key("9");
        let mut sent = manager.add(first).unwrap();
        let Ok(full) = manager.add(second) else { continue };
        sent.extend(full);

        let mut moved = manager.clone();
        let split = vec![("b".to_owned(), 0, 4), ("c".to_owned(), 5, u128::MAX)];
        let out = moved.refresh(map_of(&split));
        let kept =
            out.iter().map(|routed| routed.aggregate.user_records).sum::<usize>() + moved.user_records();
        assert_eq!(kept, manager.user_records(), "{len} bytes: lost by a refresh");

        sent.extend(manager.flush());
        for aggregate in sent {
            assert!(manager.requeue(aggregate).is_ok(), "{len} bytes: not taken back");
        }
    }
}
