//! The checks that all tests of what is generated share.

use arbitrary::{Arbitrary, Unstructured};
use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, RecordTag};
use kinesis_aggregation::testing::{BrokenAggregate, OwnedUserRecord, ValidAggregate};
use kinesis_aggregation::{ParseError, UserRecord};

use crate::agree::agree;
use crate::common::random::Random;
use crate::common::records;

/// How many cases a test goes through.
pub(crate) fn cases() -> u64 {
    let asked = std::env::var("KINESIS_AGG_CASES").ok().and_then(|cases| cases.parse().ok());
    asked.unwrap_or(3000)
}

/// Random bytes, again and again: as many as a fuzzer may come up with.
pub(crate) fn random_bytes(seed: u64, mut check: impl FnMut(&mut Unstructured<'_>)) {
    let mut random = Random::new(seed);
    for _ in 0..cases() {
        let most = random.pick(&[10, 100, 1000, 3000]);
        let len = random.below(most);
        let bytes = match random.below(4) {
            // Text, as there is little of it in random bytes.
            0 => (0..len).map(|_| b' '.saturating_add(random.byte() % 95)).collect(),
            _ => random.bytes(len),
        };
        check(&mut Unstructured::new(&bytes));
    }
}

/// Something made of random bytes, again and again.
pub(crate) fn fuzzed<T: for<'a> Arbitrary<'a>>(seed: u64, mut check: impl FnMut(T)) {
    random_bytes(seed, |bytes| check(T::arbitrary(bytes).unwrap_or_else(|error| panic!("{error}"))));
}

/// The decoder and the specification give exactly the user records.
pub(crate) fn check_valid(valid: &ValidAggregate) {
    let aggregate = AggregatedRecord::parse(&valid.payload, Vec::new())
        .unwrap_or_else(|error| panic!("{error}: {valid:?}"));
    assert!(aggregate.records().eq(valid.user_records()), "{valid:?}");
    // The tags of both are read by the same code there; the specification shares none.
    assert_eq!(agree(&valid.payload, DigestCheck::Verify), "aggregated");
    assert_eq!(records(&aggregate), records(valid.user_records()));
}

/// The decoder and the specification give exactly the verdict.
pub(crate) fn check_broken(broken: &BrokenAggregate) {
    let parsed = AggregatedRecord::parse(&broken.payload, Vec::new());
    match parsed {
        Err(ParseError::Plain(reason)) => assert_eq!(reason, broken.reason, "{broken:?}"),
        other => panic!("{other:?}: {broken:?}"),
    }
    agree(&broken.payload, DigestCheck::Verify);
    agree(&broken.payload, DigestCheck::Skip);
}

/// So many user records; some have a key of another, a hash key, data of 128 bytes, tags.
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
