//! Filtering by range (rule R4) and resuming after a checkpoint.

use kinesis_aggregation::deaggregate;
use kinesis_aggregation::decode::AggregatedRecord;
use kinesis_aggregation::route::{HashKeyRange, RangeMode};

use crate::common::random::Random;
use crate::common::{cases, field, frame, varint};
use crate::decimal::{Number, any_number, from_decimal, to_decimal};

/// An explicit hash key that a payload may hold: a number, perhaps on the edge of the range, or none (rule D14).
fn any_text(random: &mut Random, (start, end): (Number, Number)) -> String {
    match random.below(12) {
        0 => random.pick(&["", "007", "abc", "-1", "340282366920938463463374607431768211456"]).to_owned(),
        1 => to_decimal(start),
        2 => to_decimal(end),
        _ => to_decimal(any_number(random)),
    }
}

/// The number that a text stands for by rule E4.
fn number(text: &str) -> Option<Number> {
    from_decimal(text).filter(|_| text == "0" || !text.starts_with('0'))
}

/// The keys that are written into an aggregate: a partition key and perhaps an explicit hash key.
type Keys = (String, Option<String>);

/// An aggregate of user records with these keys, whatever they are. The data of each is its place.
fn aggregate(records: &[Keys]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut explicit_hash_keys = 0;
    for (place, (partition_key, explicit)) in records.iter().enumerate() {
        body.extend(field(1, partition_key.as_bytes()));
        let mut record = [vec![0x08], varint(place as u64)].concat();
        if let Some(explicit) = explicit {
            body.extend(field(2, explicit.as_bytes()));
            record.extend([vec![0x10], varint(explicit_hash_keys)].concat());
            explicit_hash_keys += 1;
        }
        record.extend(field(3, place.to_string().as_bytes()));
        body.extend(field(3, &record));
    }
    // Without user records there would be no body, and no aggregate.
    body.extend(field(1, b"not used"));
    frame(&body)
}

#[test]
fn filtering_by_range_agrees_with_a_plain_loop() {
    let mut random = Random::new(3);
    let (mut kept, mut left_out, mut invalid) = (0, 0, 0);
    for case in 0..cases().unwrap_or(50_000) / 20 {
        let (a, b) = (any_number(&mut random), any_number(&mut random));
        let (start, end) = (a.min(b), a.max(b));
        let range = HashKeyRange::parse(&to_decimal(start), &to_decimal(end)).unwrap();
        let records: Vec<Keys> = (0..random.below(12))
            .map(|place| {
                let explicit = random.one_in(2).then(|| any_text(&mut random, (start, end)));
                (format!("key {place} of {case}"), explicit)
            })
            .collect();
        // Where each user record lies: inside, outside, or nowhere.
        let inside: Vec<Option<bool>> = records
            .iter()
            .map(|(partition_key, explicit)| {
                let number = match explicit {
                    Some(explicit) => number(explicit)?,
                    None => md5::compute(partition_key).0,
                };
                Some(start <= number && number <= end)
            })
            .collect();

        let payload = aggregate(&records);
        assert_eq!(deaggregate(&payload).plain_reason(), None, "case {case}");
        let all_inside = !inside.contains(&Some(false));
        for (mode, keeps) in [(RangeMode::Each, true), (RangeMode::All, all_inside)] {
            // The places that come out, and whether as an error.
            let expected: Vec<(usize, bool)> = (0..)
                .zip(&inside)
                .filter(|(_, inside)| inside.is_none_or(|inside| inside && keeps))
                .map(|(place, inside)| (place, inside.is_none()))
                .collect();
            let mut filtered = range.filter(deaggregate(&payload), mode);
            let mut seen = Vec::new();
            for result in filtered.by_ref() {
                let (record, is_invalid) = match &result {
                    Ok(record) => (record, false),
                    Err(error) => {
                        let place = error.record.sub_sequence_number;
                        let expected = format!("user record {place}: explicit hash key: {}", error.error);
                        assert_eq!(error.to_string(), expected);
                        (&error.record, true)
                    }
                };
                let place = usize::try_from(record.sub_sequence_number).unwrap();
                assert_eq!(record.data, place.to_string().as_bytes(), "case {case}, {mode:?}");
                assert_eq!(record.partition_key, records[place].0, "case {case}, {mode:?}");
                assert_eq!(record.explicit_hash_key, records[place].1.as_deref(), "case {case}, {mode:?}");
                seen.push((place, is_invalid));
            }
            assert_eq!(seen, expected, "case {case}, {mode:?}: {range} of {records:?}");
            let errors = inside.iter().filter(|inside| inside.is_none()).count();
            let counts = (filtered.left_out(), filtered.invalid());
            assert_eq!(
                counts,
                ((records.len() - expected.len()) as u64, errors as u64),
                "case {case}, {mode:?}"
            );
            assert!(filtered.next().is_none(), "case {case}, {mode:?}: the end is not the end");
            kept += expected.len() - errors;
            left_out += records.len() - expected.len();
            invalid += errors;
        }
    }
    assert!(kept > 100 && left_out > 100 && invalid > 100, "{kept}, {left_out}, {invalid}");
}

#[test]
fn reading_resumes_after_a_checkpoint() {
    for count in [0, 1, 2, 7, 300] {
        let records: Vec<Keys> = (0..count).map(|place: usize| (format!("key {place}"), None)).collect();
        let payload = aggregate(&records);
        let aggregate = AggregatedRecord::parse(&payload).unwrap();
        let past_the_end = [u64::from(u32::MAX), u64::from(u32::MAX) + 1, u64::MAX - 1, u64::MAX];
        for checkpoint in (0..count as u64 + 3).chain(past_the_end) {
            let rest = aggregate.records_after(checkpoint);
            let expected: Vec<u64> = (0..count as u64).filter(|&place| place > checkpoint).collect();
            assert_eq!(rest.len(), expected.len(), "after {checkpoint} of {count}");
            let places: Vec<u64> = rest.map(|record| record.sub_sequence_number).collect();
            assert_eq!(places, expected, "after {checkpoint} of {count}");
        }
    }
}

#[test]
fn filtering_yields_at_most_as_many_user_records() {
    let payload = aggregate(&["a", "b", "c"].map(|key| (key.to_owned(), None)));
    let records = deaggregate(&payload);
    let mut filtered = HashKeyRange::ALL.filter(records.clone(), RangeMode::Each);
    for left in (0..=3).rev() {
        assert_eq!(filtered.size_hint(), (0, Some(left)));
        assert_eq!(filtered.next().is_some(), left > 0);
    }
    let endless = records.cycle();
    assert_eq!(HashKeyRange::ALL.filter(endless, RangeMode::Each).size_hint(), (0, None));
}
