//! Layer 6: from partition keys to shards, and packing by shard.

#[allow(dead_code, reason = "each benchmark uses some of it")]
mod corpora;
mod settings;

use std::collections::HashMap;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kinesis_aggregation::{AggregationManager, Limits, ShardMap, UserRecord};
use kinesis_aggregation::route::{HashKey, HashKeyRange, Shard};

use corpora::{Corpus, Random};

const SHARDS: usize = 64;

/// A stream as it is made, and as it becomes when it is split where it was busy: halves of halves, others at random.
fn maps() -> [(&'static str, ShardMap); 2] {
    let even = (1..SHARDS as u128).map(|number| number * (u128::MAX / SHARDS as u128)).collect();
    let mut random = Random::new(3);
    let mut uneven: Vec<u128> = (0..SHARDS / 2).map(|halved| u128::MAX >> 1 >> halved).collect();
    uneven.extend((0..SHARDS / 2 - 1).map(|_| u128::from(random.next()) << 64 | u128::from(random.next())));
    uneven.sort_unstable();
    [("even", map(even)), ("uneven", map(uneven))]
}

/// A map whose shards after the first begin at these hash keys.
fn map(starts: Vec<u128>) -> ShardMap {
    let ids: Vec<String> = (0..=starts.len()).map(|number| format!("shardId-{number:012}")).collect();
    let ends = starts.iter().map(|start| start - 1).chain([u128::MAX]);
    let shards = ids.iter().zip([0].iter().chain(&starts).zip(ends)).map(|(id, (&start, end))| {
        Shard::new(id, HashKeyRange::new(HashKey::new(start), HashKey::new(end)).expect("a range"))
    });
    ShardMap::new(shards).expect("a whole map")
}

/// Which shard, by the `md5` crate and a search: its position.
fn search(starts: &[u128], partition_key: &str) -> usize {
    let hash = u128::from_be_bytes(md5::compute(partition_key).0);
    starts.partition_point(|&start| start <= hash) - 1
}

fn new_keys(criterion: &mut Criterion) {
    let mut random = Random::new(7);
    let keys: Vec<String> = (0..4096).map(|_| format!("{:032x}", random.next())).collect();
    let hashes: Vec<HashKey> = keys.iter().map(|key| HashKey::of_partition_key(key)).collect();
    for (name, map) in maps() {
        let starts: Vec<u128> = map.shards().map(|shard| shard.range().start().get()).collect();
        let start = |hash: HashKey| map.shard_for(hash).range().start().get();
        for key in &keys {
            assert_eq!(start(HashKey::of_partition_key(key)), starts[search(&starts, key)]);
        }
        let mut group = criterion.benchmark_group(format!("route a new key: {name} map of {SHARDS}"));
        group.throughput(Throughput::Elements(keys.len() as u64));
        group.bench_function("this library", |b| {
            b.iter(|| {
                keys.iter().map(|key| start(HashKey::of_partition_key(key))).fold(0, u128::wrapping_add)
            });
        });
        group.bench_function("this library, hash key known", |b| {
            b.iter(|| hashes.iter().map(|&hash| start(hash)).fold(0, u128::wrapping_add));
        });
        group.bench_function("md5, partition_point", |b| {
            b.iter(|| keys.iter().map(|key| search(&starts, key)).sum::<usize>());
        });
    }
}

/// Routed and packed, as far as the aggregates of each shard; others would have to pack yet.
fn known_keys(criterion: &mut Criterion) {
    let [a, ..] = &Corpus::usual()[..] else { panic!("A is the first") };
    for (name, map) in maps() {
        let starts: Vec<u128> = map.shards().map(|shard| shard.range().start().get()).collect();
        let mut manager = AggregationManager::by_shard(map, Limits::KINESIS_MAX);
        let mut group = criterion.benchmark_group(format!("route known keys: {name} map of {SHARDS}, A"));
        group.throughput(Throughput::Elements(a.user_records().len() as u64));
        group.bench_function("this library, packed too", |b| b.iter(|| pack(&mut manager, a.user_records())));
        group.bench_function("HashMap of shards by key, md5", |b| {
            let mut known: HashMap<&str, usize> = HashMap::new();
            b.iter(|| {
                let shard = |record: UserRecord<'_>| record.data.len();
                a.user_records()
                    .map(|record| {
                        let key = record.partition_key;
                        shard(record) + *known.entry(key).or_insert_with(|| search(&starts, key))
                    })
                    .sum::<usize>()
            });
        });
    }
}

fn pack<'r>(manager: &mut AggregationManager, records: impl Iterator<Item = UserRecord<'r>>) -> usize {
    for record in records {
        drop(manager.add(record).expect("a valid user record"));
    }
    manager.flush().into_vec().len()
}

criterion_group!(name = benches; config = settings::criterion(); targets = new_keys, known_keys);
criterion_main!(benches);
