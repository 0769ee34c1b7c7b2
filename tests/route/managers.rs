//! Managers: the limits and the map in use, the aggregates they return, and shards that are not in the map.

use core::time::Duration;

use kinesis_aggregation::encode::EncodeError;
use kinesis_aggregation::route::{Aggregates, HashKey, HashKeyRange, Placement, Shard};
use kinesis_aggregation::{AggregationManager, Encoder, Limits, RecordAggregator, ShardMap, UserRecord};

use crate::common::random::Random;

#[test]
fn limits_are_those_given() {
    let limits = Limits::KPL.with_max_bytes(77).with_max_user_records(3).with_max_age(Duration::from_secs(5));
    assert_eq!((limits.max_bytes(), limits.max_user_records()), (77, 3));
    assert_eq!(limits.max_age(), Some(Duration::from_secs(5)));
    assert_eq!(RecordAggregator::new(limits).limits(), limits);
    assert_eq!(Encoder::<1>::new(&mut [0; 100], limits).limits(), limits);
    let manager = AggregationManager::by_key(limits);
    assert_eq!((manager.limits(), manager.shard_map()), (limits, None));
}

#[test]
fn the_shard_map_is_the_one_given() {
    let map = ShardMap::new([Shard::new("only", HashKeyRange::ALL)]).unwrap();
    let manager = AggregationManager::by_shard(map.clone(), Limits::default());
    assert_eq!(manager.shard_map(), Some(&map));
    assert!(map.shards().eq([map.shard_for(HashKey::MAX)]));
    assert_eq!((map.find("only"), map.find("other")), (Some(map.shard_for(HashKey::MIN)), None));
}

#[test]
fn aggregates_of_several_calls_are_collected_in_order() {
    let mut manager = AggregationManager::by_key(Limits::default());
    let mut all = manager.flush();
    for key in ["a", "b", "c"] {
        all.extend(manager.add(UserRecord::new(key, "21.5")).unwrap());
        all.extend(manager.flush());
    }
    assert!(all.iter().map(|routed| &*routed.aggregate.partition_key).eq(["a", "b", "c"]));
    assert!((&all).into_iter().eq(all.clone().into_vec().iter()));
    assert!(all.clone().into_iter().eq(all.into_vec()));
}

/// Until the map is refreshed, a shard that it does not have may be a new one.
#[test]
fn a_shard_stays_unknown_until_a_refresh() {
    let map = ShardMap::new([Shard::new("old", HashKeyRange::ALL)]).unwrap();
    let mut manager = AggregationManager::by_shard(map.clone(), Limits::default());
    assert!(manager.refresh(map.clone()).is_empty());
    assert!(manager.add(UserRecord::new("device-7", "21.5")).unwrap().is_empty());
    let mut sent = manager.flush().into_vec().remove(0);
    for _ in 0..3 {
        sent = match manager.confirm(sent, "new") {
            Placement::Unknown(sent) => sent,
            other => panic!("{other:?}"),
        };
    }
    assert!(manager.refresh(map).is_empty());
    assert!(matches!(manager.confirm(sent, "new"), Placement::Misplaced(_)));
}

/// Above the bound on memory, the fullest 64th and one more are finished at once, until the rest is within the bound.
#[test]
fn the_fullest_share_is_finished_even_if_all_are_equally_full() {
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

/// A map with shards that start anywhere.
fn map(random: &mut Random) -> ShardMap {
    let mut starts: Vec<u128> = (0..random.below(12)).map(|_| u128::from(random.next()) << 64 | 1).collect();
    starts.push(0);
    starts.sort_unstable();
    starts.dedup();
    let ids: Vec<String> = starts.iter().map(|start| format!("shard-{start}")).collect();
    let ends = starts[1..].iter().map(|next| next - 1).chain([u128::MAX]);
    let ranges =
        starts.iter().zip(ends).map(|(&start, end)| HashKeyRange::new(start.into(), end.into()).unwrap());
    ShardMap::new(ids.iter().zip(ranges).map(|(id, range)| Shard::new(id, range))).unwrap()
}

/// What was returned, except for times.
fn without_times(
    out: Result<Aggregates, EncodeError>,
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
            assert_eq!(fast.counters(), general.counters(), "{case}");
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
