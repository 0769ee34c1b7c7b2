//! Hash keys and their ranges as text, compared with numbers of sixteen bytes in long arithmetic, which share no code with the
//! library.

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::route::{HashKey, HashKeyError, HashKeyRange, HashKeyRangeError};

use crate::common::random::Random;
use crate::decimal::{any_number, from_decimal, to_decimal};

#[test]
fn hash_keys_are_parsed_and_printed() {
    use HashKeyError::{Empty, LeadingZero, NotADigit, TooLarge};
    let zeros = "0".repeat(39);
    for (name, text, expected) in [
        ("zero", "0", Ok(0)),
        ("one", "1", Ok(1)),
        ("zeros inside", "1000", Ok(1000)),
        ("2^64 - 1", "18446744073709551615", Ok((1 << 64) - 1)),
        ("2^64", "18446744073709551616", Ok(1 << 64)),
        ("19 digits", "9999999999999999999", Ok(9_999_999_999_999_999_999)),
        ("20 digits", "10000000000000000000", Ok(10_000_000_000_000_000_000)),
        ("2^127 - 1", "170141183460469231731687303715884105727", Ok((1 << 127) - 1)),
        ("2^127", "170141183460469231731687303715884105728", Ok(1 << 127)),
        ("2^128 - 1", "340282366920938463463374607431768211455", Ok(u128::MAX)),
        ("2^128", "340282366920938463463374607431768211456", Err(TooLarge)),
        ("39 nines", "999999999999999999999999999999999999999", Err(TooLarge)),
        ("40 digits", "1000000000000000000000000000000000000000", Err(TooLarge)),
        ("nothing", "", Err(Empty)),
        ("two zeros", "00", Err(LeadingZero)),
        ("39 zeros", &zeros, Err(LeadingZero)),
        ("leading zero", "07", Err(LeadingZero)),
        ("plus", "+7", Err(NotADigit { offset: 0 })),
        ("minus", "-7", Err(NotADigit { offset: 0 })),
        ("space before", " 7", Err(NotADigit { offset: 0 })),
        ("space behind", "7 ", Err(NotADigit { offset: 1 })),
        ("line end", "7\n", Err(NotADigit { offset: 1 })),
        ("hexadecimal", "0x7", Err(NotADigit { offset: 1 })),
        ("grouped", "1_000", Err(NotADigit { offset: 1 })),
        ("fraction", "1.0", Err(NotADigit { offset: 1 })),
        ("other digits", "7٣", Err(NotADigit { offset: 1 })),
    ] {
        assert_eq!(text.parse(), expected.map(HashKey::new), "{name}");
        let record = UserRecord::new("key", "").with_explicit_hash_key(text);
        assert_eq!(record.hash_key(), expected.map(HashKey::new), "{name}");
        if let Ok(number) = expected {
            assert_eq!(HashKey::new(number).to_string(), text, "{name}");
        }
    }
    for (error, text) in [
        (Empty, "no digits"),
        (NotADigit { offset: 3 }, "not a digit at byte 3"),
        (LeadingZero, "leading zero"),
        (TooLarge, "2^128 or more"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn hash_keys_compare_as_numbers() {
    let ascending = [HashKey::MIN, HashKey::new(1), HashKey::new(1 << 64), HashKey::MAX];
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            assert_eq!((a.cmp(b), a == b), (i.cmp(&j), i == j), "{a} and {b}");
        }
    }
}

#[test]
fn hash_keys_survive_a_round_trip_through_text() {
    let mut random = Random::new(2);
    for _ in 0..5_000 {
        let number = any_number(&mut random);
        let key = HashKey::new(u128::from_be_bytes(number));
        assert_eq!(key.to_string(), to_decimal(number));
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(from_decimal(&key.to_string()), Some(number));
        assert_eq!(HashKey::new(key.get()), key);
    }
}

#[test]
fn ranges_are_parsed_and_printed() {
    use HashKeyRangeError::{Empty, End, NoDash, Start};
    let key = HashKey::new;
    let max = HashKey::MAX.to_string();
    for (name, text, expected) in [
        ("some", "5-9", Ok((key(5), key(9)))),
        ("one", "7-7", Ok((key(7), key(7)))),
        ("all", &*format!("0-{max}"), Ok((HashKey::MIN, HashKey::MAX))),
        ("the last", &*format!("{max}-{max}"), Ok((HashKey::MAX, HashKey::MAX))),
        ("backwards", "9-5", Err(Empty { start: key(9), end: key(5) })),
        ("no dash", "5", Err(NoDash)),
        ("nothing", "", Err(NoDash)),
        ("only a dash", "-", Err(Start(HashKeyError::Empty))),
        ("no start", "-5", Err(Start(HashKeyError::Empty))),
        ("no end", "5-", Err(End(HashKeyError::Empty))),
        ("two dashes", "5--9", Err(End(HashKeyError::NotADigit { offset: 0 }))),
        ("spaces", "5 - 9", Err(Start(HashKeyError::NotADigit { offset: 1 }))),
        ("leading zero", "5-09", Err(End(HashKeyError::LeadingZero))),
        ("too large", &*format!("0-{max}0"), Err(End(HashKeyError::TooLarge))),
    ] {
        let range = text.parse::<HashKeyRange>();
        assert_eq!(range.map(|range| (range.start(), range.end())), expected, "{name}");
        if let Ok(range) = range {
            assert_eq!(range.to_string(), text, "{name}");
            assert_eq!(HashKeyRange::new(range.start(), range.end()), Some(range), "{name}");
        }
        if let Some((start, end)) = text.split_once('-') {
            assert_eq!(HashKeyRange::parse(start, end), range, "{name}");
        }
    }
    assert_eq!(HashKeyRange::new(key(9), key(5)), None);
    for (error, text) in [
        (Start(HashKeyError::Empty), "start of the range: no digits"),
        (End(HashKeyError::LeadingZero), "end of the range: leading zero"),
        (Empty { start: key(9), end: key(5) }, "empty range: 9 is above 5"),
        (NoDash, "not a range: START-END is expected"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn ranges_contain_both_ends() {
    let (max, half) = (u128::MAX, 1 << 127);
    for (start, end, inside, outside) in [
        (0, max, vec![0, 1, half, max - 1, max], vec![]),
        (0, 0, vec![0], vec![1, max]),
        (max, max, vec![max], vec![0, max - 1]),
        (5, 9, vec![5, 6, 9], vec![0, 4, 10, max]),
        (half, max, vec![half, max], vec![0, half - 1]),
        (0, half - 1, vec![0, half - 1], vec![half, max]),
    ] {
        let range = HashKeyRange::new(HashKey::new(start), HashKey::new(end)).unwrap();
        for (keys, expected) in [(inside, true), (outside, false)] {
            for key in keys {
                assert_eq!(range.contains(HashKey::new(key)), expected, "{key} in {range}");
            }
        }
    }
}

/// Parses with the standard library, and checks what rule E4 adds.
fn parse_by_core(text: &str) -> Option<u128> {
    let canonical = text == "0" || (!text.starts_with('0') && !text.is_empty());
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { text.parse().ok() } else { None }
}

/// 19 digits are one chunk, 38 two, 39 three.
#[test]
fn decimals_of_every_length_are_parsed_as_by_core() {
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
                    assert_eq!(
                        text.parse::<HashKey>().ok().map(HashKey::get),
                        parse_by_core(&text),
                        "{text}"
                    );
                }
            }
        }
    }
}

/// Among them 2^64, 10^19, 10^38 and 2^128, where chunks and numbers end.
#[test]
fn decimals_around_powers_of_two_and_ten_are_parsed() {
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
