//! `AggregationManager`: nothing is lost or duplicated, every aggregate belongs to one shard, user records with the same
//! hash key stay in order, and memory is bounded.

use core::time::Duration;

use kinesis_aggregation::encode::EncodeError;
use kinesis_aggregation::route::{HashKey, HashKeyRange, RoutedAggregate, Shard};
use kinesis_aggregation::{AggregationManager, Limits, ShardMap, UserRecord, deaggregate};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::common::Record;
use crate::common::random::Random;
use crate::model::{Index, Reshard, Routing, Shards, Step, check, map_of};

// Any sequence of calls, compared with the model.

/// Few keys, so that many are the same, and long ones, so that limits are reached.
fn partition_key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(vec!["a", "b", "device-1", "device-2", "5329", "漢字"]).prop_map(str::to_owned),
        1 => (30..140usize).prop_map(|len| "k".repeat(len)),
        1 => select(vec![String::new(), "k".repeat(257)]),
    ]
}

fn explicit_hash_key() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        4 => Just(None),
        4 => select(vec![0, 1, 4, 5, 1 << 64, (1 << 127) - 1, 1 << 127, u128::MAX]).prop_map(|key| Some(key.to_string())),
        2 => any::<u128>().prop_map(|key| Some(key.to_string())),
        1 => select(vec!["", "007", "x", "340282366920938463463374607431768211456"])
            .prop_map(|key| Some(key.to_owned())),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let data = prop_oneof![8 => vec(any::<u8>(), 0..30), 1 => vec(any::<u8>(), 100..400)];
    let tags = vec(("[a-c]{0,2}", proptest::option::of("[a-c]{0,2}")), 0..2);
    (partition_key(), explicit_hash_key(), data, tags).prop_map(
        |(partition_key, explicit_hash_key, data, tags)| Record {
            partition_key,
            explicit_hash_key,
            data,
            tags,
        },
    )
}

fn index() -> impl Strategy<Value = Index> {
    any::<usize>().prop_map(Index)
}

fn reshard() -> impl Strategy<Value = Reshard> {
    // Some at the explicit hash keys above.
    let places = prop_oneof![any::<u128>(), select(vec![0, 1, 4, 1 << 64, (1 << 127) - 1])];
    prop_oneof![
        (index(), places).prop_map(|(shard, place)| Reshard::Split(shard, place)),
        index().prop_map(Reshard::Merge),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => record().prop_map(Step::Add),
        20 => (record(), 0..30u64).prop_map(|(record, later)| Step::AddAt(record, later)),
        1 => Just(Step::Flush),
        2 => proptest::option::weighted(0.9, index()).prop_map(Step::FlushShard),
        2 => (0..60u64).prop_map(Step::Expired),
        4 => vec(reshard(), 0..4).prop_map(Step::Refresh),
        1 => Just(Step::Clear),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let bytes = (select(vec![150, 300, 500, 1_000, 51_200]), select(vec![100, 150, 300, u32::MAX]));
    let age = proptest::option::of(select(vec![0, 20, 100]).prop_map(Duration::from_millis));
    (bytes, select(vec![1, 2, 5, usize::MAX]), age).prop_map(|((bytes, target), count, age)| {
        let limits = Limits::default().with_max_bytes(bytes).with_target_bytes(target);
        let limits = limits.with_max_user_records(count);
        age.map_or(limits, |age| limits.with_max_age(age))
    })
}

fn max_memory() -> impl Strategy<Value = usize> {
    select(vec![0, 500, 2_000, 5_000, 64 * 1024 * 1024])
}

proptest! {
    // The failing input is printed, so no file of seeds is needed.
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn routing_by_shard_agrees_with_the_model(limits in limits(), max_memory in max_memory(), steps in vec(step(), 0..80)) {
        check(Routing::ByShard, limits, max_memory, steps);
    }

    #[test]
    fn routing_by_key_agrees_with_the_model(limits in limits(), max_memory in max_memory(), steps in vec(step(), 0..60)) {
        check(Routing::ByKey, limits, max_memory, steps);
    }

    #[test]
    fn no_routing_agrees_with_the_model(limits in limits(), max_memory in max_memory(), steps in vec(step(), 0..60)) {
        check(Routing::Unrouted, limits, max_memory, steps);
    }
}

// Maps, limits and what is returned.

/// A manager for a stream of one shard.
fn of_one_shard(limits: Limits) -> AggregationManager {
    AggregationManager::by_shard(ShardMap::new([Shard::new("only", HashKeyRange::ALL)]).unwrap(), limits)
}

#[test]
fn the_shard_map_and_the_limits_are_those_given() {
    let manager = of_one_shard(Limits::KPL);
    let map = manager.shard_map().unwrap();
    assert_eq!(manager.limits(), Limits::KPL);
    assert!(map.shards().eq([map.shard_for(HashKey::MAX)]));
    assert_eq!((map.find("only"), map.find("other")), (Some(map.shard_for(HashKey::MIN)), None));
    assert_eq!(AggregationManager::by_key(Limits::KPL).shard_map(), None);
}

/// A user record that only just fits an aggregate of its own still fits when it is moved to another shard. Behind a user record
/// with a shorter partition key it takes less space.
#[test]
fn what_was_accepted_once_is_accepted_again() {
    let limits = Limits::default().with_max_bytes(300);
    let long = "k".repeat(120);
    for len in 0..100 {
        let mut manager = Routing::ByShard.manager(map_of(&shards(1)), limits);
        let data = vec![0xa5; len];
        let first = UserRecord::new("a", "x").with_explicit_hash_key("1");
        let second = UserRecord::new(&long, &data).with_explicit_hash_key("9");
        assert!(manager.add(first).unwrap().is_empty());
        if manager.add(second).is_err() {
            continue;
        }

        let mut moved = manager.clone();
        let split = vec![("b".to_owned(), 0, 4), ("c".to_owned(), 5, u128::MAX)];
        let out = moved.refresh(map_of(&split));
        let kept =
            out.iter().map(|routed| routed.aggregate.user_records).sum::<usize>() + moved.user_records();
        assert_eq!(kept, manager.user_records(), "{len} bytes: lost by a refresh");
    }
}

/// A map with shards that start anywhere.
fn map(random: &mut Random) -> ShardMap {
    let mut starts: Vec<u128> = (0..random.below(12)).map(|_| u128::from(random.next()) << 64 | 1).collect();
    starts.push(0);
    starts.sort_unstable();
    starts.dedup();
    let ids: Vec<String> = starts.iter().map(|start| format!("shard-{start}")).collect();
    let ends = starts[1..].iter().map(|next| next - 1).chain([u128::MAX]);
    let ranges = starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| HashKeyRange::new(HashKey::new(start), HashKey::new(end)).unwrap());
    ShardMap::new(ids.iter().zip(ranges).map(|(id, range)| Shard::new(id, range))).unwrap()
}

/// The aggregates that were returned, without their times.
fn without_times(
    out: Result<Vec<RoutedAggregate>, EncodeError>,
) -> Result<Vec<(String, String, Vec<u8>)>, EncodeError> {
    let aggregates = out?.into_iter().map(|aggregate| {
        let explicit_hash_key = format!("{:?}", aggregate.aggregate.explicit_hash_key);
        (aggregate.shard_id.as_deref().unwrap().to_owned(), explicit_hash_key, aggregate.aggregate.data)
    });
    Ok(aggregates.collect())
}

/// `add` has a fast path for partition keys whose shard is cached, which `add_at` does not use. Both return the same at each step,
/// under any limits and between any reshards.
#[test]
fn the_fast_path_of_add_returns_the_same_as_add_at() {
    let mut random = Random::new(11);
    let data = vec![7; 300];
    for case in 0..if cfg!(debug_assertions) { 100 } else { 1500 } {
        let limits = Limits::default()
            .with_max_bytes(u32::try_from(150 + random.below(2000)).unwrap())
            .with_max_user_records(1 + random.below(40));
        let memory = random.pick(&[64 << 20, 100_000, 20_000]);
        let first = map(&mut random);
        let manager = || AggregationManager::by_shard(first.clone(), limits).with_max_memory(memory);
        let (mut fast, mut general) = (manager(), manager());
        let keys: Vec<String> = (0..1 + random.below(30))
            .map(|number| match random.below(10) {
                0 => String::new(),
                1 => "é".repeat(120 + random.below(20)),
                2 => "k".repeat(36 + random.below(8)),
                _ => format!("{number}").repeat(1 + random.below(30)),
            })
            .collect();
        for _ in 0..200 {
            let key = &keys[random.below(keys.len())];
            let mut user = UserRecord::new(key, &data[..random.pick(&[0, 1, 40, 60, 120, 123, 140, 300])]);
            if random.one_in(5) {
                user = user.with_explicit_hash_key(random.pick(&[
                    "0",
                    "7",
                    "007",
                    "99999999999999999999999999",
                ]));
            }
            assert_eq!(
                without_times(fast.add(user)),
                without_times(general.add_at(user, Duration::ZERO)),
                "{case}: {user:?}"
            );
            assert_eq!(fast.memory(), general.memory(), "{case}");
            if random.one_in(60) {
                let next = map(&mut random);
                assert_eq!(
                    without_times(Ok(fast.refresh(next.clone()))),
                    without_times(Ok(general.refresh(next))),
                    "{case}"
                );
            }
        }
        assert_eq!(without_times(Ok(fast.flush())), without_times(Ok(general.flush())), "{case}");
    }
}

/// Debug output counts what is too long to show.
#[test]
fn debug_output_shows_counts() {
    let mut manager = AggregationManager::unrouted(Limits::KPL);
    assert!(manager.add(UserRecord::new("k", "data")).unwrap().is_empty());
    assert_eq!(
        format!("{manager:?}"),
        format!(
            "AggregationManager {{ aggregates: 1, user_records: 1, size_bytes: {}, memory: {}, limits: {:?}, .. }}",
            manager.size_bytes(),
            manager.memory(),
            Limits::KPL
        )
    );
}

// The bound on memory.

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
        assert_eq!(manager.add(record), Ok(Vec::new()), "{id}");
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
        assert!(deaggregate(&aggregate.aggregate.data).map(|record| record.data).eq([id.as_bytes()]), "{id}");
    }
    assert!(manager.is_empty());
}

#[test]
fn undigested_aggregates_are_those_that_add_returns() {
    for routing in [Routing::ByShard, Routing::ByKey, Routing::Unrouted] {
        let shards = shards(5);
        // So little memory that aggregates are also finished because of it.
        let manager = || routing.manager(map_of(&shards), Limits::KPL).with_max_memory(100_000);
        let (mut with, mut without) = (manager(), manager());
        let mut random = Random::new(3);
        let mut count = 0;
        for _ in 0..2_000 {
            let key = format!("key {}", random.below(20));
            let data = random.bytes(300);
            let record = UserRecord::new(&key, &data);
            let finished = without.add_undigested(record).unwrap();
            let digested: Vec<_> = finished.into_iter().map(RoutedAggregate::digest).collect();
            count += digested.len();
            assert_eq!(with.add(record).unwrap(), digested);
        }
        assert!(count > 10, "{count}");
        assert_eq!(with.flush(), without.flush());
        let refused = UserRecord::new("", "");
        assert_eq!(with.add(refused).unwrap_err(), without.add_undigested(refused).unwrap_err());
    }
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
            assert_eq!(unbounded.add(UserRecord::new(&key, &data)), Ok(Vec::new()), "{name}");
            let mut fullest: Vec<_> = unbounded.pending().map(|(_, pending)| pending.size_bytes()).collect();
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

/// Above the bound on memory, the fullest 64th and one more are finished at once, until the rest is within the bound.
#[test]
fn above_the_bound_a_share_is_finished_even_if_all_are_equally_full() {
    let max_memory = 500_000;
    let mut manager = AggregationManager::by_key(Limits::default()).with_max_memory(max_memory);
    let mut times = 0;
    // Large enough that most of the memory is data, not the list of aggregates.
    let data = [7; 1010];
    for key in 0..1000 {
        let data = if key % 20 == 0 { &data[..] } else { &data[..1000] };
        let finished = manager.add(UserRecord::new(&format!("device-{key:04}"), data)).unwrap().len();
        let mut pending = manager.pending().len() + finished;
        let mut rest = finished;
        while rest > 0 {
            let at_once = pending / 64 + 1;
            assert!(at_once <= rest, "{finished} finished, and {rest} of {pending} at last");
            pending -= at_once;
            rest -= at_once;
            times += 1;
        }
        assert!(finished == 0 || manager.memory() > max_memory / 2, "{finished} finished, {manager:?}");
    }
    assert!(times > 50 && manager.pending().len() > 128, "{times}, {manager:?}");
}
