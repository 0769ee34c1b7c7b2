//! Hash keys, ranges, shard maps, managers and filtering by range, compared with simple implementations that share no code
//! with the library: numbers of sixteen bytes in long arithmetic, MD5 from the `md5` crate, and a search of all shards.
//!
//! `KINESIS_AGG_CASES=1000000 cargo test --release --test routing` is a long run.

#![cfg(feature = "alloc")]
#![expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "all numbers are small or bounded, and a panic fails the test, as it should"
)]

mod common;
#[path = "routing/decimal.rs"]
mod decimal;
#[path = "routing/hash_keys.rs"]
mod hash_keys;
#[path = "routing/managers.rs"]
mod managers;
#[path = "routing/reading.rs"]
mod reading;
#[path = "routing/shard_maps.rs"]
mod shard_maps;

use core::fmt::Debug;

use common::random::Random;
use decimal::{Number, above, any_number, below, from_decimal, to_decimal};
use kinesis_aggregation::route::{HashKeyRange, Shard};
use kinesis_aggregation::{ShardMap, UserRecord};

/// The number of cases to run.
fn cases() -> usize {
    let cases = std::env::var("KINESIS_AGG_CASES").ok().and_then(|cases| cases.parse().ok());
    cases.unwrap_or(50_000)
}

/// The hash key by rule R1.
fn effective(partition_key: &str, explicit_hash_key: Option<&str>) -> Number {
    match explicit_hash_key {
        Some(explicit) => from_decimal(explicit).unwrap(),
        None => md5::compute(partition_key).0,
    }
}

/// The ranges of as many shards: even ones, or uneven ones, some of which own a single hash key.
fn ranges(random: &mut Random, shards: usize) -> Vec<(Number, Number)> {
    let mut starts = vec![[0; 16]];
    match random.below(3) {
        0 => {
            let step = u128::MAX / shards as u128;
            starts.extend((1..shards as u128).map(|shard| (shard * step).to_be_bytes()));
        }
        1 => starts.extend((1..shards).map(|_| any_number(random))),
        // Close together somewhere, with nothing between some of them.
        _ => {
            let mut next = any_number(random);
            next[0] &= 0x7f;
            for _ in 1..shards {
                starts.push(next);
                let skip = random.below(3);
                for _ in 0..=skip {
                    next = above(next).unwrap();
                }
            }
        }
    }
    starts.sort_unstable();
    starts.dedup();
    let ends = starts[1..].iter().map(|&start| below(start).unwrap()).chain([[0xff; 16]]);
    starts.iter().copied().zip(ends).collect()
}

#[test]
fn the_shard_of_a_user_record_owns_its_hash_key() {
    let mut random = Random::new(1);
    // Keys with MD5s that begin with a zero byte, one of them with two.
    let low_keys: Vec<String> =
        (0..6_000).map(|number: u32| number.to_string()).filter(|key| md5::compute(key).0[0] == 0).collect();
    assert!(low_keys.contains(&"5329".to_owned()) && low_keys.len() > 10, "{}", low_keys.len());

    let (cases, per_map) = (cases(), 500);
    for map in 0..cases.div_ceil(per_map) {
        let most = random.pick(&[1, 2, 3, 10, 100, 1_000, 10_000]);
        let shards = if map % 4 == 0 { most } else { 1 + random.below(most) };
        let ranges = ranges(&mut random, shards);
        let ids: Vec<String> = (0..ranges.len()).map(|shard| format!("shardId-{shard:012}")).collect();
        let mut shards: Vec<_> = ids.iter().zip(&ranges).map(|(id, &range)| shard(id, range)).collect();
        random.shuffle(&mut shards);
        let shard_map = ShardMap::new(shards).unwrap();
        assert!(shard_map.shards().map(|shard| shard.id()).eq(ids.iter().map(String::as_str)), "map {map}");

        for _ in 0..per_map {
            let (start, end) = ranges[random.below(ranges.len())];
            let explicit = match random.below(10) {
                0 => Some(start),
                1 => Some(end),
                2 => above(end),
                3 => below(start),
                4 => Some(random.pick(&[[0; 16], [0xff; 16]])),
                5 => Some(any_number(&mut random)),
                _ => None,
            };
            let explicit = explicit.map(to_decimal);
            let partition_key = match random.below(8) {
                0 => low_keys[random.below(low_keys.len())].clone(),
                1 => "漢🚀".repeat(1 + random.below(20)),
                _ => format!("{:x}", random.next() >> random.below(60)),
            };
            let record = UserRecord::new(&partition_key, "");
            let record = explicit.as_deref().map_or(record, |key| record.with_explicit_hash_key(key));

            let number = effective(&partition_key, explicit.as_deref());
            let owner = ranges.iter().position(|&(start, end)| start <= number && number <= end).unwrap();
            let key = record.hash_key().unwrap();
            assert_eq!(key.get().to_be_bytes(), number, "{record:?}");
            assert_eq!(key.to_string(), to_decimal(number), "{record:?}");
            assert_eq!(shard_map.shard_for(key).id(), ids[owner], "{record:?} among {} shards", ids.len());
            assert_eq!(shard_map.find(&ids[owner]), Some(shard_map.shard_for(key)));
        }
    }
}

/// Asserts that all ways to compare agree on items in ascending order.
fn ordered<T: Ord + Debug>(ascending: &[T]) {
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            let expected = i.cmp(&j);
            assert_eq!((a.cmp(b), a.partial_cmp(b)), (expected, Some(expected)), "{a:?} and {b:?}");
            assert_eq!((a == b, a < b), (i == j, i < j), "{a:?} and {b:?}");
        }
    }
}

/// A shard as a listing describes it, in decimal.
fn shard(id: &str, (start, end): (Number, Number)) -> Shard<'_> {
    Shard::new(id, HashKeyRange::parse(&to_decimal(start), &to_decimal(end)).unwrap())
}
