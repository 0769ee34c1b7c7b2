//! The memory that a manager reports is what it has allocated, and it is used again.

use core::cell::RefCell;
use core::ops::RangeInclusive;

use allocation_counter::measure;
use kinesis_aggregation::route::{HashKey, HashKeyRange, Shard};
use kinesis_aggregation::{AggregationManager, Limits, ShardMap, UserRecord};

/// A map of so many even shards.
fn even(shards: u128) -> ShardMap {
    let start = |shard: u128| HashKey::new(u128::MAX / shards * shard);
    let ids: Vec<String> = (0..shards).map(|shard| format!("shard-{shard}")).collect();
    let range = |shard: u128| {
        let end = if shard + 1 == shards { HashKey::MAX } else { HashKey::new(start(shard + 1).get() - 1) };
        HashKeyRange::new(start(shard), end).unwrap()
    };
    ShardMap::new((0..shards).zip(&ids).map(|(shard, id)| Shard::new(id, range(shard)))).unwrap()
}

/// Asserts that the memory reported is within so many percent of the memory allocated.
fn agree(name: &str, counted: usize, allocated: i64, percent: RangeInclusive<usize>) {
    let allocated = usize::try_from(allocated).unwrap();
    // A few hundred bytes are not reported, such as a buffer to look up keys.
    let low = (allocated * percent.start() / 100).saturating_sub(512);
    let high = allocated * percent.end() / 100 + 512;
    assert!((low..=high).contains(&counted), "{name}: {counted} counted, {allocated} allocated");
}

#[test]
fn the_memory_reported_is_the_memory_allocated() {
    let keys: Vec<String> = (0..2000).map(|key| format!("device-{key}")).collect();
    let ways = [
        // The map and an entry for each shard are there from the beginning, and not counted.
        ("by shard", AggregationManager::by_shard(even(50), Limits::default()), 90..=110),
        ("unrouted", AggregationManager::unrouted(Limits::default()), 90..=110),
        // Nodes of a search tree are estimated.
        ("by key", AggregationManager::by_key(Limits::default()), 85..=130),
    ];
    for (name, manager, percent) in ways {
        let manager = RefCell::new(manager);
        let mut allocated = 0;
        assert_eq!(manager.borrow().memory(), 0, "{name}");
        let mut step = |what: &str, run: &mut dyn FnMut(&mut AggregationManager)| {
            allocated += measure(|| run(&mut manager.borrow_mut())).bytes_current;
            agree(&format!("{name}, {what}"), manager.borrow().memory(), allocated, percent.clone());
        };
        for (round, key) in keys.iter().enumerate() {
            step(&format!("{round} added"), &mut |manager| {
                let record = UserRecord::new(key, "some data").with_explicit_hash_key("7");
                let record = if round % 2 == 0 { record } else { UserRecord::new(key, "some data") };
                assert!(manager.add(record).unwrap().is_empty());
            });
        }
        step("flushed", &mut |manager| {
            drop(manager.flush().into_iter().map(|routed| routed.aggregate.data).collect::<Vec<_>>());
        });
        for (round, key) in keys.iter().enumerate() {
            step(&format!("{round} added again"), &mut |manager| {
                assert!(manager.add(UserRecord::new(key, "x")).unwrap().is_empty());
            });
        }
        step("cleared", &mut AggregationManager::clear);
    }
}

/// Adds a user record for each key, which all fit.
fn add_all(manager: &mut AggregationManager, keys: &[String]) {
    for key in keys {
        assert!(manager.add(UserRecord::new(key, "some data")).unwrap().is_empty());
    }
}

#[test]
fn memory_is_used_again_after_a_flush() {
    let keys: Vec<String> = (0..1000).map(|key| format!("device-{key}")).collect();
    for (name, mut manager) in [
        ("by shard", AggregationManager::by_shard(even(50), Limits::default())),
        ("by key", AggregationManager::by_key(Limits::default())),
    ] {
        let first = measure(|| add_all(&mut manager, &keys));
        let groups = u64::try_from(manager.pending().len()).unwrap();
        let before = manager.memory();
        let mut finished = 0;
        let flushed = measure(|| finished = manager.flush().len());
        assert_eq!(u64::try_from(finished), Ok(groups), "{name}");
        // The data and the partition key of each, and its shard if it has one; the rest are lists that grow or shrink.
        let each = if manager.shard_map().is_some() { 3 } else { 2 };
        assert!(flushed.count_total <= each * groups + 64, "{name}: {flushed:?}");
        assert!(manager.memory() <= before, "{name}: {} after {before}", manager.memory());

        let again = measure(|| add_all(&mut manager, &keys));
        // Each has a vector for its records and two for its table of keys: most of them are there already.
        assert!(again.count_total + 2 * groups <= first.count_total, "{name}: {again:?} after {first:?}");
    }
}

/// A way to remove everything that is pending.
#[derive(Clone, Copy, Debug)]
enum Emptied {
    Flushed,
    Cleared,
    /// Rerouted to a single shard, and flushed from there.
    Merged,
}

/// The memory in use before and after.
fn emptied(how: Emptied, max_memory: usize) -> (usize, usize) {
    let mut manager = AggregationManager::by_shard(even(100), Limits::default()).with_max_memory(max_memory);
    for key in 0..400 {
        drop(manager.add(UserRecord::new(&format!("device-{key}"), "some data")).unwrap());
    }
    let before = manager.memory();
    match how {
        Emptied::Flushed => {}
        Emptied::Cleared => manager.clear(),
        Emptied::Merged => drop(manager.refresh(even(1))),
    }
    drop(manager.flush());
    assert_eq!(manager.user_records(), 0);
    (before, manager.memory())
}

#[test]
fn spare_memory_is_at_most_half_of_the_bound() {
    for how in [Emptied::Flushed, Emptied::Cleared, Emptied::Merged] {
        for max_memory in (0..300_000).step_by(3000) {
            let (_, after) = emptied(how, max_memory);
            assert!(after <= max_memory / 2, "{how:?}, {max_memory}: {after}");
        }
        let (before, after) = emptied(how, 10_000_000);
        assert!(after > before / 3, "{how:?}: {after} after {before}");
    }
}

#[test]
fn the_bound_is_kept_to_the_byte() {
    let keys: Vec<String> = (0..20).map(|key| format!("device-{key}")).collect();
    let finished = |max_memory: usize| {
        let mut manager = AggregationManager::by_key(Limits::default()).with_max_memory(max_memory);
        let count =
            keys.iter().map(|key| manager.add(UserRecord::new(key, "some data")).unwrap().len()).sum();
        (manager.memory(), count)
    };
    let (needed, none) = finished(usize::MAX);
    assert_eq!((finished(needed), none), ((needed, 0), 0));
    let (memory, some) = finished(needed - 1);
    assert!(memory < needed && some > 0);
}

#[test]
fn memory_of_closed_shards_is_kept_for_others() {
    let keys: Vec<String> = (0..200).map(|key| format!("device-{key}")).collect();
    let mut manager = AggregationManager::by_shard(even(4), Limits::default());
    add_all(&mut manager, &keys);
    let before = manager.memory();
    assert!(manager.refresh(even(1)).is_empty());
    assert_eq!(manager.pending().len(), 1);
    // Those of four shards, and that of the one that there is now, which takes about as much as they.
    let after = manager.memory();
    assert!(after > before / 2 * 3, "{before} before, {after} after");
}

#[test]
fn hash_keys_are_cached() {
    let keys: Vec<String> = (0..200).map(|key| format!("device-{key}")).collect();
    let mut by_shard = AggregationManager::by_shard(even(1), Limits::default());
    let mut unrouted = AggregationManager::unrouted(Limits::default());
    add_all(&mut by_shard, &keys);
    add_all(&mut unrouted, &keys);
    // In 64 bytes each, for 64 or more.
    let cached = by_shard.memory() - unrouted.memory();
    assert!(cached >= 64 * 64, "{cached} bytes");
}

/// Adds a user record of each key in each of some rounds. Returns how many aggregates that makes, with those at the end, and
/// the memory before these.
fn light_traffic(mut manager: AggregationManager, keys: &[String]) -> (usize, usize) {
    let mut aggregates = 0;
    for _ in 0..6 {
        for key in keys {
            aggregates += manager.add(UserRecord::new(key, "a small user record")).unwrap().len();
        }
    }
    let memory = manager.memory();
    (aggregates + manager.flush().len(), memory)
}

/// Buffers that once held full aggregates do not take the memory that others need.
#[test]
fn keys_that_were_busy_do_not_cut_other_aggregates_short() {
    let keys: Vec<String> = (0..4000).map(|key| format!("device-{key}")).collect();
    for (name, manager) in [
        ("by key", AggregationManager::by_key as fn(Limits) -> AggregationManager),
        ("by shard", |limits| AggregationManager::by_shard(even(4000), limits)),
    ] {
        let manager = || manager(Limits::default().with_target_bytes(2000));
        // The bound is a little more than light traffic needs.
        let (without, needed) = light_traffic(manager(), &keys);
        let mut busy = manager().with_max_memory(needed / 10 * 11);
        for key in &keys {
            // A full aggregate, and a user record pending in its buffers.
            let full = (0..10).map(|_| busy.add(UserRecord::new(key, &[0; 200])).unwrap().len());
            assert!(full.sum::<usize>() >= 1, "{name}");
        }
        let (with, _) = light_traffic(busy, &keys);
        assert!(10 * with <= 11 * without, "{name}: {with} aggregates, {without} in a new manager");
    }
}
