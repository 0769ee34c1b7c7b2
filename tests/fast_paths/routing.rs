//! Partition keys that come again, which a manager knows with their shards.

use core::time::Duration;

use kinesis_aggregation::{
    Aggregates, AggregationManager, EncodeError, HashKeyRange, Limits, Shard, ShardMap, UserRecord,
};

use crate::common::random::Random;

/// A map whose shards after the first begin anywhere.
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

/// What was handed out, but for the time since when it was pending.
fn shown(out: Result<Aggregates, EncodeError>) -> Result<Vec<(String, String, Vec<u8>)>, EncodeError> {
    let shown = out?.into_iter().map(|aggregate| {
        let explicit_hash_key = format!("{:?}", aggregate.aggregate.explicit_hash_key);
        (aggregate.shard_id.as_deref().unwrap().to_owned(), explicit_hash_key, aggregate.aggregate.data)
    });
    Ok(shown.collect())
}

/// `add` has a way of its own for partition keys that came lately, and `add_at` has not: whatever is added, under any limits,
/// between any reshards, both hand out the same at each step.
#[test]
fn with_a_time_and_without() {
    let mut random = Random::new(11);
    let data = vec![7; 300];
    for case in 0..if cfg!(debug_assertions) { 100 } else { 1500 } {
        let limits = Limits::default()
            .with_max_bytes(u32::try_from(150 + random.below(2000)).unwrap())
            .with_max_user_records(1 + random.below(40));
        let memory = random.pick(&[64 << 20, 100_000, 20_000]);
        let first = map(&mut random);
        let manager = || AggregationManager::by_shard(first.clone(), limits).with_max_memory(memory);
        let (mut usual, mut any) = (manager(), manager());
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
            assert_eq!(shown(usual.add(user)), shown(any.add_at(user, Duration::ZERO)), "{case}: {user:?}");
            assert_eq!(usual.counters(), any.counters(), "{case}");
            assert_eq!(usual.memory(), any.memory(), "{case}");
            if random.one_in(60) {
                let next = map(&mut random);
                assert_eq!(shown(Ok(usual.refresh(next.clone()))), shown(Ok(any.refresh(next))), "{case}");
            }
        }
        assert_eq!(shown(Ok(usual.flush())), shown(Ok(any.flush())), "{case}");
    }
}
