//! Which listings make a shard map, which are refused, and which shard owns a hash key.

use kinesis_aggregation::route::{HashKey, HashKeyRange, Shard, ShardMapError};
use kinesis_aggregation::{ShardMap, UserRecord};

use crate::common::cases;
use crate::common::random::Random;
use crate::decimal::{Number, above, any_number, below, from_decimal, to_decimal};

const MAX: u128 = u128::MAX;

fn open(id: &str, start: u128, end: u128) -> Shard<'_> {
    Shard::new(id, HashKeyRange::new(HashKey::new(start), HashKey::new(end)).unwrap())
}

fn closed(id: &str, start: u128, end: u128) -> Shard<'_> {
    open(id, start, end).closed()
}

/// A shard that came from one, by a split, or from two, by a merge.
fn child<'a>(shard: Shard<'a>, parents: &[&'a str]) -> Shard<'a> {
    shard.with_parents(parents.first().copied(), parents.get(1).copied())
}

/// Makes a map of a listing in every rotation, and compares the ids of its shards.
fn check(name: &str, listing: &[Shard<'_>], expected: &Result<Vec<&str>, ShardMapError>) {
    for rotation in 0..listing.len().max(1) {
        let mut shards = listing.to_vec();
        shards.rotate_left(rotation);
        for _ in 0..2 {
            shards.reverse();
            let map = ShardMap::new(shards.iter().copied());
            let ids = map.as_ref().map(|map| map.shards().map(|shard| shard.id()).collect());
            assert_eq!(ids.map_err(|error| *error), *expected, "{name}, rotated by {rotation}");
        }
    }
}

#[test]
fn open_shards_that_cover_all_hash_keys_make_a_map() {
    let two = [open("a", 0, 9), open("b", 10, MAX)];
    for (name, listing, ids) in [
        ("one", vec![open("a", 0, MAX)], vec!["a"]),
        ("two", two.to_vec(), vec!["a", "b"]),
        ("ids against the order of hash keys", vec![open("b", 0, 9), open("a", 10, MAX)], vec!["b", "a"]),
        ("of one hash key", vec![open("a", 0, 0), open("b", 1, 1), open("c", 2, MAX)], vec!["a", "b", "c"]),
        ("the last hash key alone", vec![open("a", 0, MAX - 1), open("b", MAX, MAX)], vec!["a", "b"]),
        (
            "a shard on two pages",
            vec![open("a", 7, MAX), open("b", 0, 6), open("a", 7, MAX), open("a", 7, MAX)],
            vec!["b", "a"],
        ),
        ("an empty id", vec![open("", 0, 9), open("b", 10, MAX)], vec!["", "b"]),
        ("closed beside open", [&two[..], &[closed("c", 0, MAX)]].concat(), vec!["a", "b"]),
        (
            "a closed one with the range of an open one",
            [&two[..], &[closed("c", 0, 9)]].concat(),
            vec!["a", "b"],
        ),
        (
            "split",
            vec![closed("p", 0, MAX), child(open("a", 0, 9), &["p"]), child(open("b", 10, MAX), &["p"])],
            vec!["a", "b"],
        ),
        (
            "split, parent not called closed",
            vec![open("p", 0, MAX), child(open("a", 0, 9), &["p"]), child(open("b", 10, MAX), &["p"])],
            vec!["a", "b"],
        ),
        (
            "split, parent not listed any more",
            vec![child(open("a", 0, 9), &["p"]), child(open("b", 10, MAX), &["p"])],
            vec!["a", "b"],
        ),
        (
            "merged, one parent not called closed",
            vec![closed("p", 0, 9), open("q", 10, MAX), child(open("a", 0, MAX), &["p", "q"])],
            vec!["a"],
        ),
        (
            "split twice, no shard called closed",
            vec![
                open("p", 0, MAX),
                child(open("q", 0, 9), &["p"]),
                child(open("a", 10, MAX), &["p"]),
                child(open("b", 0, 4), &["q"]),
                child(open("c", 5, 9), &["q"]),
            ],
            vec!["b", "c", "a"],
        ),
        (
            "split and merged again",
            vec![
                closed("p", 0, MAX),
                child(closed("q", 0, 9), &["p"]),
                child(open("r", 10, MAX), &["p"]),
                child(open("a", 0, MAX), &["q", "r"]),
            ],
            vec!["a"],
        ),
    ] {
        check(name, &listing, &Ok(ids));
    }
}

#[test]
fn other_listings_are_refused_with_the_first_fault() {
    let gap = |start, end| ShardMapError::Gap { start: HashKey::new(start), end: HashKey::new(end) };
    let overlap = |at| ShardMapError::Overlap { at: HashKey::new(at) };
    for (name, listing, error, text) in [
        ("no shard", vec![], ShardMapError::NoOpenShard, "no open shard"),
        (
            "only closed ones",
            vec![closed("a", 0, 9), closed("b", 10, MAX)],
            ShardMapError::NoOpenShard,
            "no open shard",
        ),
        (
            "each other's parents",
            vec![child(open("a", 0, 9), &["b"]), child(open("b", 10, MAX), &["a"])],
            ShardMapError::NoOpenShard,
            "no open shard",
        ),
        (
            "gap at the start",
            vec![open("a", 1, 9), open("b", 10, MAX)],
            gap(0, 0),
            "no open shard owns the hash keys 0 to 0",
        ),
        (
            "gap in the middle",
            vec![open("a", 0, 9), open("b", 15, MAX)],
            gap(10, 14),
            "no open shard owns the hash keys 10 to 14",
        ),
        (
            "gap at the end",
            vec![open("a", 0, 9), open("b", 10, MAX - 1)],
            gap(MAX, MAX),
            "no open shard owns the hash keys 340282366920938463463374607431768211455 to \
             340282366920938463463374607431768211455",
        ),
        (
            "gap where a closed shard is",
            vec![open("a", 0, 9), closed("b", 10, 19), open("c", 20, MAX)],
            gap(10, 19),
            "no open shard owns the hash keys 10 to 19",
        ),
        (
            "only one child listed",
            vec![open("p", 0, MAX), child(open("a", 0, 9), &["p"])],
            gap(10, MAX),
            "no open shard owns the hash keys 10 to 340282366920938463463374607431768211455",
        ),
        (
            "two gaps",
            vec![open("a", 5, 9), open("b", 15, MAX)],
            gap(0, 4),
            "no open shard owns the hash keys 0 to 4",
        ),
        (
            "overlap by one",
            vec![open("a", 0, 9), open("b", 9, MAX)],
            overlap(9),
            "two open shards own the hash key 9",
        ),
        (
            "one inside another",
            vec![open("a", 0, MAX), open("b", 5, 6)],
            overlap(5),
            "two open shards own the hash key 5",
        ),
        (
            "overlap of the last hash key",
            vec![open("a", 0, MAX), open("b", MAX, MAX)],
            overlap(MAX),
            "two open shards own the hash key 340282366920938463463374607431768211455",
        ),
        (
            "same start",
            vec![open("a", 0, 9), open("b", 0, MAX)],
            overlap(0),
            "two open shards own the hash key 0",
        ),
        (
            "same range twice",
            vec![open("a", 0, MAX), open("b", 0, MAX)],
            overlap(0),
            "two open shards own the hash key 0",
        ),
        (
            "overlap, then a gap",
            vec![open("a", 0, 9), open("b", 9, 20), open("c", 30, MAX)],
            overlap(9),
            "two open shards own the hash key 9",
        ),
        (
            "same shard twice, once closed",
            vec![open("a", 7, MAX), open("b", 0, 6), closed("a", 7, MAX)],
            ShardMapError::ListedTwice { start: HashKey::new(7) },
            "two different shards have the same id; one of them starts at hash key 7",
        ),
        (
            "same id as before, after an identical repetition",
            vec![open("a", 7, MAX), open("a", 7, MAX), child(open("a", 7, MAX), &["p"]), open("b", 0, 6)],
            ShardMapError::ListedTwice { start: HashKey::new(7) },
            "two different shards have the same id; one of them starts at hash key 7",
        ),
    ] {
        assert_eq!(error.to_string(), text, "{name}");
        check(name, &listing, &Err(error));
    }
}

#[test]
fn shards_are_found_by_id() {
    let listing = [
        open("p", 0, MAX),
        child(open("b", 0, 9), &["p"]),
        child(open("a", 10, 19), &["p"]),
        child(open("c", 20, MAX), &["p"]),
    ];
    let map = ShardMap::new(listing).unwrap();
    for shard in &listing[1..] {
        assert_eq!(
            map.find(shard.id()).map(|found| (found.id(), found.range())),
            Some((shard.id(), shard.range()))
        );
    }
    for id in ["p", "", "A", "aa", "d"] {
        assert_eq!(map.find(id), None, "{id:?}");
    }
}

/// Looks for each shard with its first, last and middle hash keys.
fn check_owners(name: &str, starts: &[u128]) {
    let ids: Vec<String> = (0..starts.len()).map(|position| format!("shard-{position}")).collect();
    let ends = starts[1..].iter().map(|next| next - 1).chain([u128::MAX]);
    let ranges: Vec<(u128, u128)> = starts.iter().copied().zip(ends).collect();
    let shards = ids.iter().zip(&ranges).map(|(id, &(start, end))| {
        Shard::new(id, HashKeyRange::new(HashKey::new(start), HashKey::new(end)).unwrap())
    });
    let map = ShardMap::new(shards).unwrap();
    for (id, &(start, end)) in ids.iter().zip(&ranges) {
        for key in [
            start,
            end,
            start + (end - start) / 2,
            start.saturating_add(1).min(end),
            end.saturating_sub(1).max(start),
        ] {
            let key = HashKey::new(key);
            assert_eq!(map.shard_for(key).id(), id, "{name}: {key}");
        }
    }
}

/// All ranges are equal except for rounding, as UpdateShardCount makes them. Most prefixes belong to one shard each.
#[test]
fn evenly_split_shards_own_their_hash_keys() {
    for count in (1..=70).chain([100, 127, 128, 129, 1000, 1023, 1024, 1025]) {
        let width = u128::MAX / count;
        let starts: Vec<u128> = (0..count).map(|shard| shard * width).collect();
        check_owners(&format!("{count} even shards"), &starts);
        let starts: Vec<u128> = (0..count).map(|shard| shard * width.saturating_add(1)).collect();
        check_owners(&format!("{count} even shards, rounded up"), &starts);
    }
}

/// Many shards share a prefix, or one shard owns nearly all prefixes.
#[test]
fn unevenly_split_shards_own_their_hash_keys() {
    for count in [2, 3, 4, 5, 8, 17, 64, 100, 1000] {
        let all: Vec<u128> = (0..count).collect();
        check_owners("small ones first", &all);
        let first_large =
            [vec![0], all.iter().skip(1).map(|shard| u128::MAX - (count - shard)).collect()].concat();
        check_owners("small ones last", &first_large);
        let halves = [all.iter().map(|shard| shard * 2).collect(), vec![1 << 127, u128::MAX]].concat();
        check_owners("small ones first, then halves", &halves);
        let doubling =
            (0..count.min(128)).map(|shard| if shard == 0 { 0 } else { 1 << shard }).collect::<Vec<_>>();
        check_owners("each as large as all before", &doubling);
        let around_middle =
            [vec![0], all.iter().map(|shard| (1 << 127) - count / 2 + shard).collect()].concat();
        check_owners("small ones in the middle", &around_middle);
    }
    // Off by one to either side, and by two.
    for quarter in 1..4 {
        for off in [-2i128, -1, 0, 1, 2] {
            let starts = (0..8u128).map(|shard| shard << 125).collect::<Vec<_>>();
            let mut moved = starts.clone();
            moved[quarter * 2] = starts[quarter * 2].wrapping_add_signed(off);
            check_owners("a boundary moved", &moved);
            moved[quarter * 2] = starts[quarter * 2]
                .wrapping_add_signed(off << 124)
                .clamp(starts[quarter * 2 - 1] + 1, starts[quarter * 2 + 1] - 1);
            check_owners("a boundary moved far", &moved);
        }
    }
}

// Compared with a search of all shards, in long arithmetic and with the `md5` crate.

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

    let (cases, per_map) = (cases().unwrap_or(50_000), 500);
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

/// A shard as a listing describes it, in decimal.
fn shard(id: &str, (start, end): (Number, Number)) -> Shard<'_> {
    Shard::new(id, HashKeyRange::parse(&to_decimal(start), &to_decimal(end)).unwrap())
}

#[test]
fn iterating_over_shards_tells_how_many_are_left() {
    let map = ShardMap::new([open("a", 0, 9), open("b", 10, MAX)]).unwrap();
    let mut shards = map.shards();
    for left in (0..=2).rev() {
        assert_eq!((shards.len(), shards.size_hint()), (left, (left, Some(left))));
        assert_eq!(shards.next().is_some(), left > 0);
    }
}
