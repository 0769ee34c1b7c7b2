//! When an aggregate is full: to the byte, to the user record, to the nanosecond, and without losing a user record.

use core::time::Duration;

use kinesis_aggregation::encode::{AddStatus, EncodeError};
use kinesis_aggregation::{Encoder, Limits, RecordAggregator, UserRecord};
use proptest::prelude::*;

use crate::common::encode::arithmetic::{encoded_len, field_len, message_len, size_bytes};
use crate::common::encode::pack::{Pack, for_packers};
use crate::common::{Record, with_record, with_records};

fn bytes(limit: usize) -> Limits {
    Limits::default().with_max_bytes(limit.try_into().unwrap())
}

/// The largest partition key: 256 characters of four bytes.
fn large_key() -> String {
    "𝄞".repeat(256)
}

/// User records small and large, with and without all they may have.
fn rows() -> Vec<(&'static str, Record)> {
    vec![
        ("smallest", Record::new("k", "")),
        ("some data", Record::new("k", [7; 300])),
        ("largest partition key", Record::new(large_key(), "data")),
        ("explicit hash key", Record::new("k", "data").with_explicit_hash_key(u128::MAX.to_string())),
        ("tags", Record::new("k", "data").with_tag("t", None).with_tag("t", Some(""))),
        (
            "largest keys and a tag",
            Record::new(large_key(), [7; 200])
                .with_explicit_hash_key(u128::MAX.to_string())
                .with_tag("t", Some("v")),
        ),
    ]
}

/// The error for a user record that no aggregate within the limit can take (E7, E9).
fn too_large(record: UserRecord<'_>, limit: usize) -> EncodeError {
    let required = size_bytes(&[record], usize::MAX);
    let plain = record.partition_key.len() + record.data.len();
    if plain <= limit && record.tags.len() == 0 {
        EncodeError::FitsOnlyPlain { required, limit, plain }
    } else {
        EncodeError::TooLarge { required, limit }
    }
}

#[test]
fn the_first_user_record_fits_to_the_byte() {
    for (name, owned) in rows() {
        with_record(&owned, |record| {
            let size = size_bytes(&[record], usize::MAX);
            for limit in [size, size + 1] {
                for_packers(bytes(limit), |packer_name, _, packer| {
                    assert!(packer.fits(record), "{name}, {packer_name}, {size} of {limit}");
                    assert_eq!(packer.add(record), Ok(None), "{name}, {packer_name}, {size} of {limit}");
                    assert_eq!(packer.finish().map(|packed| packed.size_bytes), Some(size), "{name}");
                });
            }
            for_packers(bytes(size - 1), |packer_name, _, packer| {
                assert!(!packer.fits(record), "{name}, {packer_name}");
                let error = too_large(record, size - 1);
                assert_eq!(packer.add(record), Err(error), "{name}, {packer_name}");
                assert_eq!(packer.finish(), None, "{name}, {packer_name}");
            });
        });
    }
}

#[test]
fn the_second_user_record_fits_to_the_byte() {
    for (first_name, first) in rows() {
        for (name, record) in rows() {
            let name = format!("{name} after {first_name}");
            with_records(&[first.clone(), record], |records| around_the_limit(&name, records));
        }
    }
}

fn around_the_limit(name: &str, records: &[UserRecord<'_>]) {
    let &[first, record] = records else { panic!("not two user records") };
    let alone = size_bytes(&[record], usize::MAX);
    // Some packers write a key again that others remember, so all are run at the sizes of each.
    for size in [0, 1].map(|remembers| size_bytes(records, remembers)) {
        for limit in [size - 1, size, size + 1] {
            for_packers(bytes(limit), |packer_name, remembers, packer| {
                let name = format!("{name}, {packer_name}, {size} of {limit}");
                let both = size_bytes(records, remembers);
                assert_eq!(packer.add(first), Ok(None), "{name}");
                let pending = size_bytes(&[first], remembers);
                assert_eq!(packer.size_bytes(), pending, "{name}");
                assert_eq!(packer.fits(record), both <= limit, "{name}");
                let answer = packer.add(record);
                if both <= limit {
                    assert_eq!(answer, Ok(None), "{name}");
                    assert_eq!(packer.size_bytes(), both, "{name}");
                } else if alone <= limit {
                    let full = answer.unwrap().unwrap();
                    assert_eq!(full.size_bytes, pending, "{name}");
                    assert_eq!(full.records, [first.into()], "{name}");
                    assert_eq!(full.partition_key, first.partition_key, "{name}");
                    assert_eq!(full.explicit_hash_key.as_deref(), first.explicit_hash_key, "{name}");
                    assert_eq!((packer.user_records(), packer.size_bytes()), (1, alone), "{name}");
                } else {
                    assert_eq!(answer, Err(too_large(record, limit)), "{name}");
                    assert_eq!((packer.user_records(), packer.size_bytes()), (1, pending), "{name}");
                }
            });
        }
    }
}

/// An aggregate counts with the partition key of its first user record. Behind a short one there may be room for a
/// user record that is over the limit by its own.
#[test]
fn a_large_key_may_fit_behind_a_small_one_but_not_alone() {
    let owned = [Record::new("k", ""), Record::new(large_key(), "data")];
    with_records(&owned, |records| {
        let alone = size_bytes(&records[1..], usize::MAX);
        let both = size_bytes(records, usize::MAX);
        assert!(both < alone);
        for_packers(bytes(both), |name, _, packer| {
            assert_eq!(packer.add(records[1]), Err(too_large(records[1], both)), "{name}, at first");
            assert_eq!(packer.add(records[0]), Ok(None), "{name}");
            assert_eq!(packer.add(records[1]), Ok(None), "{name}, as the second");
            assert_eq!(packer.finish().unwrap().records, owned, "{name}");
        });
    });
}

#[test]
fn presets_fill_aggregates_up_to_their_target() {
    for (name, limits, target, maximum, data_len) in [
        ("BILLING_UNIT", Limits::BILLING_UNIT, 25_000, 1_048_576, 331),
        ("KPL", Limits::KPL, 51_200, 1_048_576, 1031),
        ("IOT_CORE", Limits::IOT_CORE, 131_072, 131_072, 3001),
        ("KINESIS_DEFAULT", Limits::KINESIS_DEFAULT, 1_048_576, 1_048_576, 20_011),
        ("KINESIS_MAX", Limits::KINESIS_MAX, 10_485_760, 10_485_760, 700_001),
    ] {
        let sizes = [limits.target_bytes(), limits.max_bytes()].map(|bytes| usize::try_from(bytes).unwrap());
        assert_eq!(sizes, [target, maximum], "{name}");
        assert_eq!((limits.max_user_records(), limits.max_age()), (usize::MAX, None), "{name}");
        // Enough for one full aggregate and a half.
        let count = target * 3 / 2 / data_len;
        let keys = usize::try_from(limits.max_partition_keys().min(100)).unwrap();
        let owned: Vec<_> = (0..count)
            .map(|i| Record::new(format!("key-{}", i % keys), vec![0x5a; data_len - i % 13]))
            .collect();
        with_records(&owned, |records| {
            let mut aggregator = RecordAggregator::new(limits);
            check_full(name, "RecordAggregator", &mut aggregator, usize::MAX, target, records);
            let mut buffer = vec![0xa5; target];
            check_full(name, "Encoder<4>", &mut Encoder::<4>::new(&mut buffer, limits), 4, target, records);
        });
    }
}

#[test]
fn a_user_record_larger_than_the_target_gets_an_aggregate_of_its_own() {
    let target = 200;
    for (name, large, alone) in [
        ("one byte more than the target", target + 1, true),
        ("the maximum", 1000, true),
        ("one byte more than the maximum", 1001, false),
    ] {
        // Of these sizes: with a key and data of so many bytes, including the outer key.
        let data_len = (0..large)
            .find(|&len| {
                with_record(&Record::new("large", vec![7; len]), |record| {
                    size_bytes(&[record], usize::MAX) == large
                })
            })
            .unwrap();
        let small = |text: &str| Record::new("small", text);
        let large = Record::new("large", vec![7; data_len]);
        let limits = Limits::default().with_max_bytes(1000).with_target_bytes(200);
        for owned in [
            vec![large.clone()],
            vec![small("0"), large.clone(), small("1"), small("2")],
            vec![small("0"), small("1"), large.clone(), large.clone(), small("2")],
        ] {
            check_stream(name, limits, &owned);
        }
        with_record(&large, |record| {
            for_packers(limits, |packer_name, _, packer| {
                assert_eq!(packer.fits(record), alone, "{name}, {packer_name}: nothing is pending");
                assert_eq!(packer.add(record).is_ok(), alone, "{name}, {packer_name}");
                assert!(alone || packer.size_bytes() == 0, "{name}, {packer_name}");
                assert_eq!(packer.fits(UserRecord::new("k", "")), !alone, "{name}, {packer_name}: alone");
            });
        });
    }
}

/// Asserts that finished aggregates are within the limit, and would not be with the user record that did not fit.
fn check_full(
    name: &str,
    packer_name: &str,
    packer: &mut dyn Pack,
    remembers: usize,
    limit: usize,
    records: &[UserRecord<'_>],
) {
    let mut finished = 0;
    for (i, record) in records.iter().enumerate() {
        let Some(full) = packer.add(*record).unwrap() else { continue };
        let end = finished + full.records.len();
        assert_eq!(end, i, "{name}, {packer_name}: all user records before this one");
        assert_eq!(full.size_bytes, size_bytes(&records[finished..end], remembers), "{name}, {packer_name}");
        assert!(full.size_bytes <= limit, "{name}, {packer_name}");
        assert!(size_bytes(&records[finished..=end], remembers) > limit, "{name}, {packer_name}");
        finished = end;
    }
    assert!(finished > 0, "{name}, {packer_name}: at least one aggregate was full");
    let rest = packer.finish().unwrap();
    assert_eq!(finished + rest.records.len(), records.len(), "{name}, {packer_name}");
}

#[test]
fn an_aggregate_holds_so_many_user_records() {
    let owned: Vec<_> = (0..20u8).map(|i| Record::new("k", [i])).collect();
    // 0 counts as 1.
    for (count, held) in [(0, 1), (1, 1), (2, 2), (3, 3), (19, 19), (20, 20), (21, 20), (usize::MAX, 20)] {
        let limits = Limits::default().with_max_user_records(count);
        with_records(&owned, |records| {
            for_packers(limits, |name, _, packer| {
                let mut finished = Vec::new();
                for record in records {
                    assert_eq!(packer.fits(*record), packer.user_records() < held || held == 20);
                    finished.extend(packer.add(*record).unwrap());
                }
                finished.extend(packer.finish());
                let counts: Vec<_> = finished.iter().map(|packed| packed.records.len()).collect();
                let mut expected = vec![held; 20 / held];
                expected.extend([20 % held].iter().filter(|&&rest| rest > 0));
                assert_eq!(counts, expected, "{name}, at most {count}");
                let all: Vec<_> = finished.into_iter().flat_map(|packed| packed.records).collect();
                assert_eq!(all, owned, "{name}, at most {count}");
            });
        });
    }
}

#[test]
fn an_aggregate_holds_so_many_partition_keys() {
    let owned: Vec<_> = "aabacbbbcca".chars().map(|key| Record::new(key, "data")).collect();
    // 0 counts as 1.
    for (count, expected) in [
        (0, &[2, 1, 1, 1, 3, 2, 1][..]),
        (1, &[2, 1, 1, 1, 3, 2, 1]),
        (2, &[4, 6, 1]),
        (3, &[11]),
        (u32::MAX, &[11]),
    ] {
        let limits = Limits::default().with_max_partition_keys(count);
        with_records(&owned, |records| {
            for_packers(limits, |name, remembers, packer| {
                // One that forgets keys writes them again, and all that are written count.
                if remembers < 2 && count > 1 {
                    return;
                }
                let mut finished = Vec::new();
                for record in records {
                    let pending = packer.user_records();
                    let fits = packer.fits(*record);
                    let full = packer.add(*record).unwrap();
                    assert_eq!(
                        full.as_ref().map_or(0, |full| full.records.len()),
                        if fits { 0 } else { pending }
                    );
                    finished.extend(full);
                }
                finished.extend(packer.finish());
                let counts: Vec<_> = finished.iter().map(|packed| packed.records.len()).collect();
                assert_eq!(counts, expected, "{name}, at most {count}");
                let all: Vec<_> = finished.into_iter().flat_map(|packed| packed.records).collect();
                assert_eq!(all, owned, "{name}, at most {count}");
            });
        });
    }
}

#[test]
fn errors_tell_whether_a_user_record_fits_as_a_plain_record() {
    let tag = |record: Record| record.with_tag("t", None);
    for (name, owned) in [
        ("smallest", Record::new("k", "")),
        ("some data", Record::new("k", [7; 300])),
        ("largest partition key", Record::new(large_key(), "data")),
        ("explicit hash key", Record::new("k", "data").with_explicit_hash_key("5")),
    ] {
        let plain = owned.partition_key.len() + owned.data.len();
        let required = with_record(&owned, |record| size_bytes(&[record], usize::MAX));
        for (limit, expected) in [
            (0, EncodeError::TooLarge { required, limit: 0 }),
            (plain - 1, EncodeError::TooLarge { required, limit: plain - 1 }),
            (plain, EncodeError::FitsOnlyPlain { required, limit: plain, plain }),
            (plain + 1, EncodeError::FitsOnlyPlain { required, limit: plain + 1, plain }),
            (required - 1, EncodeError::FitsOnlyPlain { required, limit: required - 1, plain }),
        ] {
            with_record(&owned, |record| {
                for_packers(bytes(limit), |packer_name, _, packer| {
                    assert_eq!(packer.add(record), Err(expected), "{name}, {packer_name}, limit {limit}");
                });
            });
            // A plain record cannot have tags.
            with_record(&tag(owned.clone()), |record| {
                let required = size_bytes(&[record], usize::MAX);
                for_packers(bytes(limit), |packer_name, _, packer| {
                    let expected = EncodeError::TooLarge { required, limit };
                    assert_eq!(packer.add(record), Err(expected), "{name}, {packer_name}, tagged, {limit}");
                });
            });
        }
    }
}

#[test]
fn a_refused_user_record_leaves_what_is_pending() {
    for (name, owned) in [
        ("too large", Record::new("k", [7; 1000])),
        ("only plain", Record::new("k", [7; 990])),
        ("too large with tags", Record::new("k", [7; 990]).with_tag("t", None)),
    ] {
        let before: Vec<_> = (0..3).map(|i| Record::new("before", i.to_string())).collect();
        with_records(&before, |before_records| {
            with_record(&owned, |record| {
                for_packers(bytes(1000), |packer_name, _, packer| {
                    for other in before_records {
                        assert_eq!(packer.add_at(*other, 1), Ok(None));
                    }
                    let size = packer.size_bytes();
                    for _ in 0..2 {
                        assert_eq!(packer.add(record), Err(too_large(record, 1000)), "{name}, {packer_name}");
                        assert_eq!((packer.user_records(), packer.size_bytes()), (3, size), "{name}");
                    }
                    let packed = packer.finish().unwrap();
                    assert_eq!(packed.records, before, "{name}, {packer_name}: unharmed");
                    assert_eq!(packed.partition_key, "before", "{name}, {packer_name}");
                });
            });
        });
    }
}

/// The buffer counts without the outer partition key, the limit with it.
#[test]
fn the_length_of_the_buffer_is_a_limit_without_the_outer_key() {
    use AddStatus::{Added, Full};
    let owned = [Record::new("first", "1"), Record::new("second", "22"), Record::new("large", [7; 100])];
    with_records(&owned, |records| {
        let &[first, second, large] = records else { panic!("not three user records") };
        let one = encoded_len(&[first], 4);
        let two = encoded_len(&[first, second], 4);
        let second_alone = encoded_len(&[second], 4);
        let large_alone = encoded_len(&[large], 4);
        let small = |required, available| Err(EncodeError::BufferTooSmall { required, available });
        let over = |record, limit| Err(too_large(record, limit));
        let any = usize::MAX;
        for (name, room, limit, before, record, expected) in [
            ("no buffer", 0, any, None, first, small(one, 0)),
            ("one byte short", one - 1, any, None, first, small(one, one - 1)),
            ("exact", one, any, None, first, Ok(Added)),
            ("second exact", two, any, Some(first), second, Ok(Added)),
            ("second one byte short", two - 1, any, Some(first), second, Ok(Full)),
            ("room for the second alone", second_alone, any, Some(first), second, Ok(Full)),
            (
                "the second not even alone",
                second_alone - 1,
                any,
                Some(first),
                second,
                small(second_alone, second_alone - 1),
            ),
            (
                "large with others pending",
                large_alone - 1,
                any,
                Some(first),
                large,
                small(large_alone, large_alone - 1),
            ),
            ("large alone", large_alone, any, Some(first), large, Ok(Full)),
            ("the limit is lower", 500, one + 5, None, first, Ok(Added)),
            ("over the limit, not the buffer", 500, one + 4, None, first, over(first, one + 4)),
            ("full by the limit, not the buffer", 500, two + 4, Some(first), second, Ok(Full)),
            ("full by neither", two, two + 5, Some(first), second, Ok(Added)),
            ("over both", 0, one + 4, None, first, over(first, one + 4)),
            ("over both with others pending", two, large_alone, Some(first), large, over(large, large_alone)),
        ] {
            let mut buffer = vec![0xa5; room];
            let mut encoder = Encoder::<4>::new(&mut buffer, bytes(limit.min(100_000)));
            if let Some(before) = before {
                assert_eq!(encoder.add(before), Ok(Added), "{name}");
            }
            let pending = (encoder.user_records(), encoder.size_bytes());
            assert_eq!(encoder.fits(record), expected == Ok(Added), "{name}");
            assert_eq!(encoder.add(record), expected, "{name}");
            if expected == Ok(Added) {
                continue;
            }
            assert_eq!((encoder.user_records(), encoder.size_bytes()), pending, "{name}: unharmed");
            let unharmed = encoder.finish();
            assert_eq!(unharmed.is_some(), before.is_some(), "{name}");
            if expected == Ok(Full) {
                assert_eq!(encoder.add(record), Ok(Added), "{name}: it fits after finish");
            }
        }
    });
}

#[test]
fn an_aggregate_is_finished_when_it_reaches_its_age() {
    let record = UserRecord::new("k", "data");
    let seconds = Duration::from_secs;
    let nanosecond = Duration::from_nanos(1);
    for_packers(Limits::default().with_max_age(seconds(10)), |name, _, packer| {
        assert!(!packer.expired(Duration::MAX), "{name}: nothing is never too old");
        assert_eq!(packer.add_at(record, 100), Ok(None), "{name}");
        assert!(!packer.expired(seconds(100)), "{name}");
        assert_eq!(packer.add_at(record, 105), Ok(None), "{name}: the first one counts");
        assert!(!packer.expired(seconds(110) - nanosecond), "{name}");
        assert!(packer.expired(seconds(110)) && packer.expired(Duration::MAX), "{name}");
        let just_before = Some(seconds(110) - nanosecond);
        assert_eq!(packer.add_with(record, just_before), Ok(None), "{name}");
        assert!(packer.fits(record), "{name}: by size there is room");
        assert_eq!(packer.add(record), Ok(None), "{name}: without a time there is no age");

        let full = packer.add_at(record, 110).unwrap().unwrap();
        assert_eq!(full.records.len(), 4, "{name}");
        assert_eq!(packer.user_records(), 1, "{name}");
        assert!(!packer.expired(seconds(120) - nanosecond), "{name}: counts from its own first");
        assert!(packer.expired(seconds(120)), "{name}");

        packer.clear();
        assert!(!packer.expired(Duration::MAX), "{name}: cleared");
        assert_eq!(packer.add_at(record, 200), Ok(None), "{name}");
        assert!(!packer.expired(seconds(209)), "{name}");
        assert!(packer.finish().is_some());
        assert!(!packer.expired(Duration::MAX), "{name}: finished");
    });
}

#[test]
fn clocks_may_stand_still_and_go_back() {
    let record = UserRecord::new("k", "data");
    for_packers(Limits::default().with_max_age(Duration::from_secs(10)), |name, _, packer| {
        for _ in 0..100 {
            assert_eq!(packer.add_at(record, 50), Ok(None), "{name}: standing still");
        }
        for now in [49, 45, 54] {
            assert!(!packer.expired(Duration::from_secs(now)), "{name}: back at {now}");
            assert_eq!(packer.add_at(record, now), Ok(None), "{name}: back at {now}");
        }
        let full = packer.add_at(record, 60).unwrap().unwrap();
        assert_eq!(full.records.len(), 103, "{name}: it gets no younger");
        assert!(!packer.expired(Duration::ZERO), "{name}: however far back");
        assert_eq!(packer.add_at(record, 0), Ok(None), "{name}: however far back");
    });
}

#[test]
fn the_age_counts_from_the_first_known_time() {
    let record = UserRecord::new("k", "data");
    for_packers(Limits::default().with_max_age(Duration::from_secs(10)), |name, _, packer| {
        assert_eq!(packer.add(record), Ok(None));
        assert!(!packer.expired(Duration::MAX), "{name}: no time is known");
        assert_eq!(packer.add_at(record, 7), Ok(None), "{name}: age counts from here");
        assert_eq!(packer.add_at(record, 16), Ok(None), "{name}");
        assert_eq!(packer.add(record), Ok(None), "{name}");
        assert_eq!(packer.add_at(record, 17).unwrap().unwrap().records.len(), 4, "{name}");
        // Of the next aggregate, the time is known from the first on.
        assert_eq!(packer.add_at(record, 27).unwrap().unwrap().records.len(), 1, "{name}");
    });
}

#[test]
fn the_age_may_be_zero_or_unlimited() {
    let record = UserRecord::new("k", "data");
    for_packers(Limits::default(), |name, _, packer| {
        assert_eq!(packer.add_at(record, 0), Ok(None), "{name}");
        assert!(!packer.expired(Duration::MAX), "{name}: no age is too high");
        assert_eq!(packer.add_with(record, Some(Duration::MAX)), Ok(None), "{name}");
    });
    for_packers(Limits::default().with_max_age(Duration::ZERO), |name, _, packer| {
        assert_eq!(packer.add_at(record, 5), Ok(None), "{name}");
        for _ in 0..3 {
            assert_eq!(packer.add_at(record, 5).unwrap().unwrap().records.len(), 1, "{name}: always too old");
        }
    });
    for_packers(Limits::default().with_max_age(Duration::MAX), |name, _, packer| {
        assert_eq!(packer.add_at(record, 0), Ok(None), "{name}");
        assert!(!packer.expired(Duration::MAX - Duration::from_nanos(1)), "{name}");
        assert!(packer.expired(Duration::MAX), "{name}");
    });
}

/// A refused user record neither starts the clock nor ends an aggregate that is too old.
#[test]
fn a_refused_user_record_does_not_start_the_clock() {
    let record = UserRecord::new("k", "data");
    let bad = UserRecord::new("", "data");
    let large = UserRecord::new("k", &[7; 1000]);
    let limits = bytes(500).with_max_age(Duration::from_secs(10));
    for_packers(limits, |name, _, packer| {
        assert_eq!(packer.add(record), Ok(None));
        for refused in [bad, large] {
            assert!(packer.add_at(refused, 3).is_err(), "{name}");
        }
        assert!(!packer.expired(Duration::MAX), "{name}: no time is known");
        assert_eq!(packer.add_at(record, 100), Ok(None), "{name}");
        for refused in [bad, large] {
            assert!(packer.add_at(refused, 500).is_err(), "{name}: too old, and refused all the same");
        }
        assert_eq!(packer.user_records(), 2, "{name}: still pending");
        assert_eq!(packer.add_at(record, 109), Ok(None), "{name}");
        assert_eq!(packer.add_at(record, 110).unwrap().unwrap().records.len(), 3, "{name}");
    });
}

/// Aggregates as a plain reading of the rules says. Returns the groups, and the user records that are refused.
fn expected(limits: Limits, records: &[UserRecord<'_>], remembers: usize) -> (Vec<Vec<usize>>, Vec<usize>) {
    let within = |group: &[usize]| {
        let records: Vec<_> = group.iter().map(|&i| records[i]).collect();
        let limit = if records.len() == 1 { limits.max_bytes() } else { limits.target_bytes() };
        size_bytes(&records, remembers) <= limit.try_into().unwrap()
            && records.len() <= limits.max_user_records()
    };
    let mut groups = Vec::new();
    let mut refused = Vec::new();
    let mut pending = Vec::new();
    for i in 0..records.len() {
        let with_this = [&pending[..], &[i]].concat();
        if within(&with_this) {
            pending = with_this;
        } else if within(&[i]) {
            groups.push(core::mem::replace(&mut pending, vec![i]));
        } else {
            refused.push(i);
        }
    }
    groups.push(pending);
    groups.retain(|group| !group.is_empty());
    (groups, refused)
}

/// Asserts that every user record is in an aggregate once and in order, or is refused with its sizes.
fn check_stream(name: &str, limits: Limits, owned: &[Record]) {
    with_records(owned, |records| {
        for_packers(limits, |packer_name, remembers, packer| {
            let mut finished = Vec::new();
            let mut refused = Vec::new();
            for (i, record) in records.iter().enumerate() {
                match packer.add(*record) {
                    Ok(full) => finished.extend(full),
                    Err(error) => {
                        let limit = limits.max_bytes().try_into().unwrap();
                        assert_eq!(error, too_large(*record, limit), "{name}, {packer_name}, {i}");
                        refused.push(i);
                    }
                }
            }
            finished.extend(packer.finish());

            let (groups, expected_refused) = expected(limits, records, remembers);
            assert_eq!(refused, expected_refused, "{name}, {packer_name}");
            let groups: Vec<Vec<_>> =
                groups.iter().map(|group| group.iter().map(|&i| owned[i].clone()).collect()).collect();
            let finished: Vec<_> = finished.into_iter().map(|packed| packed.records).collect();
            assert_eq!(finished, groups, "{name}, {packer_name}");
            assert_eq!(finished.concat().len() + refused.len(), owned.len(), "{name}, {packer_name}");
        });
    });
}

/// `aws_kinesis_agg` compares a user record with the limit before it counts magic and digest. One in the last 20
/// bytes passes, finds no room in the aggregate begun for it, and is gone.
#[test]
fn user_records_that_the_python_library_loses_are_kept() {
    let limit = 1000;
    for field_bytes in limit - 35..=limit + 5 {
        // The partition key in its table, and the record without frame: what the Python library compares.
        let data_len = (0..limit)
            .find(|&len| {
                with_record(&Record::new("near", vec![7; len]), |record| {
                    field_len(4) + field_len(message_len(&record, 0, 0)) == field_bytes
                })
            })
            .unwrap();
        let near = Record::new("near", vec![7; data_len]);
        let others = |text: &str| Record::new("other", text);
        for (name, owned) in [
            ("first", vec![near.clone(), others("after")]),
            ("between", vec![others("before"), near.clone(), others("after")]),
            ("twice", vec![near.clone(), near.clone()]),
            ("last", vec![others("before"), near]),
        ] {
            check_stream(&format!("{field_bytes} bytes, {name}"), bytes(limit), &owned);
        }
    }
}

fn any_record() -> impl Strategy<Value = Record> {
    let key = prop_oneof![6 => 0..6usize, 1 => 100..120usize, 1 => 250..256usize];
    let hash_key = prop::option::weighted(0.3, 0..6u128);
    let data = prop_oneof![6 => 0..40usize, 2 => 100..300usize];
    let tags = prop::option::weighted(0.1, "[a-z]{0,3}");
    (key, hash_key, data, any::<u8>(), tags).prop_map(|(key, hash_key, data, byte, tag)| Record {
        partition_key: "k".repeat(key + 1),
        explicit_hash_key: hash_key.map(|key| key.to_string()),
        data: vec![byte; data],
        tags: tag.into_iter().map(|tag| (tag, None)).collect(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_record_is_lost_or_doubled(
        owned in prop::collection::vec(any_record(), 0..40),
        max_bytes in prop_oneof![0..200usize, 200..1200usize],
        target_bytes in prop_oneof![Just(u32::MAX), 0..1200u32],
        max_user_records in prop_oneof![Just(usize::MAX), 1..8usize],
    ) {
        let limits = bytes(max_bytes).with_target_bytes(target_bytes).with_max_user_records(max_user_records);
        check_stream("", limits, &owned);
    }
}
