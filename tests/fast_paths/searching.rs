//! The shard of a hash key, and the number that a hash key is.

use kinesis_aggregation::{HashKey, HashKeyError, HashKeyRange, Shard, ShardMap};

/// Looks for each shard with its first, last and middle hash keys.
fn check(name: &str, starts: &[u128]) {
    let ids: Vec<String> = (0..starts.len()).map(|position| format!("shard-{position}")).collect();
    let ends = starts[1..].iter().map(|next| next - 1).chain([u128::MAX]);
    let ranges: Vec<(u128, u128)> = starts.iter().copied().zip(ends).collect();
    let shards = ids
        .iter()
        .zip(&ranges)
        .map(|(id, &(start, end))| Shard::new(id, HashKeyRange::new(start.into(), end.into()).unwrap()));
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

/// All ranges are equal except for rounding, as UpdateShardCount makes them. Most first bytes belong to one shard each, or all
/// hash keys of a shard have the same first bytes.
#[test]
fn even_shards() {
    for count in (1..=70).chain([100, 127, 128, 129, 1000, 1023, 1024, 1025]) {
        let width = u128::MAX / count;
        let starts: Vec<u128> = (0..count).map(|shard| shard * width).collect();
        check(&format!("{count} even shards"), &starts);
        let starts: Vec<u128> = (0..count).map(|shard| shard * width.saturating_add(1)).collect();
        check(&format!("{count} even shards, rounded up"), &starts);
    }
}

/// Many shards share a first byte, or one shard owns nearly all of them.
#[test]
fn uneven_shards() {
    for count in [2, 3, 4, 5, 8, 17, 64, 100, 1000] {
        let all: Vec<u128> = (0..count).collect();
        check("small ones first", &all);
        let first_large =
            [vec![0], all.iter().skip(1).map(|shard| u128::MAX - (count - shard)).collect()].concat();
        check("small ones last", &first_large);
        let halves = [all.iter().map(|shard| shard * 2).collect(), vec![1 << 127, u128::MAX]].concat();
        check("small ones first, then halves", &halves);
        let doubling =
            (0..count.min(128)).map(|shard| if shard == 0 { 0 } else { 1 << shard }).collect::<Vec<_>>();
        check("each as large as all before", &doubling);
        let around_middle =
            [vec![0], all.iter().map(|shard| (1 << 127) - count / 2 + shard).collect()].concat();
        check("small ones in the middle", &around_middle);
    }
    // Off by one to either side, and by two.
    for quarter in 1..4 {
        for off in [-2i128, -1, 0, 1, 2] {
            let starts = (0..8u128).map(|shard| shard << 125).collect::<Vec<_>>();
            let mut moved = starts.clone();
            moved[quarter * 2] = starts[quarter * 2].wrapping_add_signed(off);
            check("a boundary moved", &moved);
            moved[quarter * 2] = starts[quarter * 2]
                .wrapping_add_signed(off << 124)
                .clamp(starts[quarter * 2 - 1] + 1, starts[quarter * 2 + 1] - 1);
            check("a boundary moved far", &moved);
        }
    }
}

/// The standard library's way, but for the rules of E4.
fn slowly(text: &str) -> Option<u128> {
    let canonical = text == "0" || (!text.starts_with('0') && !text.is_empty());
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { text.parse().ok() } else { None }
}

/// Nineteen digits are one chunk, 38 two, 39 three.
#[test]
fn decimals_of_every_length() {
    for digits in 0..=60 {
        let all =
            ["0", "1", "9", "5", "10", "01", "3402823669209384634633746074317682114", "1844674407370955161"];
        for pattern in all {
            let text: String = pattern.chars().cycle().take(digits).collect();
            // Each digit changed, and something else in its place.
            for place in 0..=digits {
                for other in ["", "0", "9", "8", "/", ":", " ", "-", "٣"] {
                    let mut text = text.clone();
                    if place < digits {
                        text.replace_range(place..=place, other);
                    }
                    assert_eq!(text.parse::<HashKey>().ok().map(HashKey::get), slowly(&text), "{text}");
                }
            }
        }
    }
}

/// Around 2^64, 10^19, 10^38 and 2^128, where chunks and numbers end.
#[test]
fn decimals_around_the_edges() {
    let powers_of_ten = (0..39).map(|exponent| 10u128.pow(exponent));
    let powers_of_two = (0..128).map(|exponent| 1 << exponent);
    for edge in powers_of_ten.chain(powers_of_two).chain([u128::MAX]) {
        for number in (0..20).flat_map(|near| [edge.saturating_sub(near), edge.saturating_add(near)]) {
            assert_eq!(number.to_string().parse::<HashKey>().map(HashKey::get), Ok(number));
        }
    }
    // 2^128 and the numbers after it.
    for last in 6..=9 {
        let text = format!("34028236692093846346337460743176821145{last}");
        assert_eq!(text.parse::<HashKey>(), Err(HashKeyError::TooLarge), "{text}");
    }
}
