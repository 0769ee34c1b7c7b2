//! Checks of generated aggregates, which tests and fuzz targets share.

use arbitrary::{Arbitrary, Unstructured};
use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, RecordTag};
use kinesis_aggregation::testing::{BrokenAggregate, OwnedUserRecord, ValidAggregate};

use crate::agree::agree;
use crate::common::random::Random;
use crate::common::{cases, records};

/// Calls a check with random bytes, again and again.
pub(crate) fn random_bytes(seed: u64, mut check: impl FnMut(&mut Unstructured<'_>)) {
    let mut random = Random::new(seed);
    for _ in 0..cases().unwrap_or(3000) {
        let most = random.pick(&[10, 100, 1000, 3000]);
        let len = random.below(most);
        let bytes = match random.below(4) {
            // Text, of which random bytes have little.
            0 => (0..len).map(|_| b' '.saturating_add(random.byte() % 95)).collect(),
            _ => random.bytes(len),
        };
        check(&mut Unstructured::new(&bytes));
    }
}

/// Calls a check with values generated from random bytes, again and again.
pub(crate) fn fuzzed<T: for<'a> Arbitrary<'a>>(seed: u64, mut check: impl FnMut(T)) {
    random_bytes(seed, |bytes| check(T::arbitrary(bytes).unwrap_or_else(|error| panic!("{error}"))));
}

/// Asserts that the decoder and the specification return exactly the predicted user records.
pub(crate) fn check_valid(valid: &ValidAggregate) {
    let aggregate =
        AggregatedRecord::parse(&valid.payload).unwrap_or_else(|error| panic!("{error}: {valid:?}"));
    assert!(aggregate.records().eq(valid.user_records()), "{valid:?}");
    // The library reads the tags on both sides. The specification shares no code with it.
    assert_eq!(agree(&valid.payload, DigestCheck::Verify), "aggregated");
    assert_eq!(records(&aggregate), records(valid.user_records()));
}

/// Asserts that the decoder and the specification return exactly the predicted reason.
pub(crate) fn check_broken(broken: &BrokenAggregate) {
    let parsed = AggregatedRecord::parse(&broken.payload);
    match parsed {
        Err(reason) => assert_eq!(reason, broken.reason, "{broken:?}"),
        other => panic!("{other:?}: {broken:?}"),
    }
    agree(&broken.payload, DigestCheck::Verify);
    agree(&broken.payload, DigestCheck::Skip);
}

/// Generates user records. Some share a key, and some have an explicit hash key, data of 128 bytes or tags.
pub(crate) fn user_records(random: &mut Random, count: usize) -> Vec<OwnedUserRecord> {
    let record = |_| {
        let len = random.pick(&[0, 1, 20, 127, 128]);
        let data = random.bytes(len);
        let mut record = UserRecord::new(random.pick(&["a", "b", "device-7", "clé"]), &data);
        if random.one_in(2) {
            record = record.with_explicit_hash_key(random.pick(&[
                "0",
                "7",
                "340282366920938463463374607431768211455",
            ]));
        }
        let tags = [RecordTag { key: "k", value: None }, RecordTag { key: "", value: Some("") }];
        let some = random.pick(&[0, 0, 1, 2]);
        record.with_tags(tags.get(..some).unwrap_or_default()).into()
    };
    (0..count).map(record).collect()
}
