//! The generators of the module `testing`: what they generate decodes to what they predict, the executable specification
//! agrees, and every flaw, every kind of error and everything that the format leaves open comes up.
//!
//! A long run: `KINESIS_AGG_CASES=1000000 cargo test --release --all-features --test spec generators`

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::{Arbitrary, Unstructured};
use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::{AggregatedRecord, DecodeErrorKind, PlainReason, RecordTag};
use kinesis_aggregation::testing::{
    BrokenAggregate, Flaw, OwnedUserRecord, ValidAggregate, broken_aggregates, user_records, valid_aggregates,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::common::cases;
use crate::common::encode::{canonical, streamed};
use crate::common::random::Random;
use crate::generated_checks::{check_broken, check_valid};

/// Calls a check with random bytes, again and again.
fn random_bytes(seed: u64, mut check: impl FnMut(&mut Unstructured<'_>)) {
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
fn fuzzed<T: for<'a> Arbitrary<'a>>(seed: u64, mut check: impl FnMut(T)) {
    random_bytes(seed, |bytes| check(T::arbitrary(bytes).unwrap_or_else(|error| panic!("{error}"))));
}

/// Generates user records. Some share a key, and some have an explicit hash key, data of 128 bytes or tags.
fn random_user_records(random: &mut Random, count: usize) -> Vec<OwnedUserRecord> {
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

#[test]
fn fuzzed_user_records_are_valid() {
    random_bytes(0, |bytes| assert_eq!(UserRecord::arbitrary(bytes).unwrap().validate(), Ok(())));
    fuzzed(1, |record: OwnedUserRecord| assert_eq!(record.as_user_record().validate(), Ok(())));
}

#[test]
fn fuzzed_aggregates_decode_to_their_user_records() {
    fuzzed(2, |valid: ValidAggregate| check_valid(&valid));
}

#[test]
fn fuzzed_broken_aggregates_are_plain_for_the_predicted_reason() {
    fuzzed(3, |broken: BrokenAggregate| check_broken(&broken));
}

#[test]
fn no_bytes_at_all_generate_something() {
    let nothing = || Unstructured::new(&[]);
    assert_eq!(UserRecord::arbitrary(&mut nothing()).unwrap(), UserRecord::new("a", b""));
    let valid = ValidAggregate::arbitrary(&mut nothing()).unwrap();
    assert_eq!(valid.records, []);
    check_broken(&BrokenAggregate::arbitrary(&mut nothing()).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn user_records_are_valid(record in user_records()) {
        prop_assert_eq!(record.as_user_record().validate(), Ok(()));
    }

    #[test]
    fn aggregates_decode_to_their_user_records(valid in valid_aggregates()) {
        check_valid(&valid);
    }

    #[test]
    fn broken_aggregates_are_plain_for_the_predicted_reason(broken in broken_aggregates()) {
        check_broken(&broken);
    }

    #[test]
    fn any_generates_the_same_types(record: OwnedUserRecord, valid: ValidAggregate, broken: BrokenAggregate) {
        prop_assert_eq!(record.as_user_record().validate(), Ok(()));
        check_valid(&valid);
        check_broken(&broken);
    }
}

#[test]
fn every_flaw_is_found_wherever_it_is() {
    let mut random = Random::new(4);
    for &flaw in Flaw::ALL {
        let mut reasons = BTreeSet::new();
        for case in 0..150 {
            let records = random_user_records(&mut random, case % 5);
            let len = random.below(200);
            let broken = BrokenAggregate::new(flaw, &records, &random.bytes(len));
            check_broken(&broken);
            reasons.insert(format!("{:?}", broken.reason));
        }
        // A reason with an offset has many of them.
        let malformed = reasons.iter().any(|reason| reason.starts_with("Malformed"));
        assert!(reasons.len() > 20 || !malformed && reasons.len() == 1, "{flaw:?}: {reasons:?}");
    }
}

#[test]
fn every_kind_of_error_has_a_flaw() {
    use DecodeErrorKind::*;
    let kinds = [
        Truncated,
        VarintOverflow,
        FieldNumber,
        WireType,
        LengthOutOfBounds,
        UnmatchedGroupEnd,
        UnterminatedGroup,
        GroupsTooDeep,
        InvalidUtf8,
        MissingPartitionKeyIndex,
        MissingData,
        MissingTagKey,
        PartitionKeyIndexOutOfRange,
        ExplicitHashKeyIndexOutOfRange,
    ];
    let reasons: Vec<PlainReason> =
        Flaw::ALL.iter().map(|&flaw| BrokenAggregate::new(flaw, &[], &[]).reason).collect();
    for reason in [PlainReason::NoMagic, PlainReason::TooShort, PlainReason::DigestMismatch] {
        assert!(reasons.contains(&reason), "{reason:?}");
    }
    for kind in kinds {
        let found = |reason: &PlainReason| matches!(reason, PlainReason::Malformed(e) if e.kind() == kind);
        assert!(reasons.iter().any(found), "{kind:?}");
    }
    // The enum is non-exhaustive, so the compiler cannot check that the list above is complete.
    let source = include_str!("../../src/error.rs");
    let (_, body) = source.split_once("pub enum DecodeErrorKind {").unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let variants = body.lines().filter(|line| line.ends_with(',') && !line.contains("//")).count();
    assert_eq!(variants, kinds.len());
}

#[test]
fn descriptions_of_flaws_are_different_sentences() {
    let descriptions: BTreeSet<&str> = Flaw::ALL.iter().map(|flaw| flaw.description()).collect();
    assert_eq!(descriptions.len(), Flaw::ALL.len(), "no two are the same");
    for description in descriptions {
        assert!(description.ends_with('.') && !description.starts_with(' '), "{description:?}");
    }
}

#[test]
fn without_choices_it_is_what_the_kpl_writes() {
    let mut random = Random::new(5);
    for case in 0..200 {
        let records = random_user_records(&mut random, case % 20);
        let users: Vec<UserRecord<'_>> = records.iter().map(OwnedUserRecord::as_user_record).collect();
        let canonical = canonical(&users);
        for choices in [&[][..], &[0; 40], &[4, 200, 200, 200], &[3]] {
            let valid = ValidAggregate::new(records.clone(), choices);
            // An encoder makes no aggregate of no user records.
            if !users.is_empty() {
                assert_eq!(valid.payload, canonical, "{choices:?}");
            }
        }
    }
}

#[test]
fn streamed_order_is_what_the_encoder_writes() {
    let mut random = Random::new(6);
    for case in 1..200 {
        let records = random_user_records(&mut random, 1 + case % 20);
        let users: Vec<UserRecord<'_>> = records.iter().map(OwnedUserRecord::as_user_record).collect();
        assert_eq!(ValidAggregate::new(records.clone(), &[1, 1]).payload, streamed::<64>(&users));
    }
}

#[test]
fn owned_user_records_equal_their_source() {
    let tags = [RecordTag { key: "unit", value: Some("°C") }, RecordTag { key: "", value: None }];
    let record = UserRecord::new("k", b"data").with_explicit_hash_key("7").with_tags(&tags);
    for record in [record, UserRecord::new("", b"")] {
        let owned = OwnedUserRecord::from(record);
        assert_eq!(owned.as_user_record(), record);
        assert_eq!(owned.as_user_record().tags.len(), record.tags.len());
        assert_eq!(owned.clone(), owned);
    }
    let owned = OwnedUserRecord::from(record);
    assert_ne!(owned, OwnedUserRecord::from(record.with_tags(&tags[..1])));
    assert!(format!("{owned:?}").contains("°C"));
}

// What is generated varies.

/// A name, the minimum number in a thousand, and the property.
type Property = (&'static str, usize, fn(&ValidAggregate) -> bool);

const PROPERTIES: &[Property] = &[
    ("no user records", 5, |valid| valid.records.is_empty()),
    ("one", 20, |valid| valid.records.len() == 1),
    ("more than five", 20, |valid| valid.records.len() > 5),
    ("more than a hundred", 2, |valid| valid.records.len() > 100),
    ("below 50 bytes", 20, |valid| valid.payload.len() < 50),
    ("50 to 500 bytes", 100, |valid| (50..500).contains(&valid.payload.len())),
    ("above 1,000 bytes", 10, |valid| valid.payload.len() > 1000),
    ("above 16,384 bytes", 1, |valid| valid.payload.len() > 16_384),
    ("canonical", 100, |valid| is_canonical(valid)),
    ("not canonical", 300, |valid| !is_canonical(valid)),
    ("records before keys", 30, |valid| valid.payload.get(4) == Some(&0x1a)),
    ("a tag of more bytes than it needs", 10, |valid| {
        contains(valid, &[0x9a, 0x80]) || contains(valid, &[0x8a, 0x80])
    }),
    ("a hundred groups", 1, |valid| contains(valid, &[0x4b; 99])),
    ("overridden data", 5, |valid| contains(valid, b"overridden")),
    ("an unused key", 20, |valid| contains(valid, b"unused")),
    ("a key twice in its table", 20, |valid| repeats_a_key(valid)),
    ("two user records of one key", 20, |valid| shares_a_key(valid)),
    ("explicit hash keys", 100, |valid| valid.records.iter().any(|r| r.explicit_hash_key.is_some())),
    ("a key that no producer may send", 20, |valid| {
        valid.user_records().any(|record| record.validate().is_err())
    }),
    ("tags", 30, |valid| valid.user_records().any(|record| record.tags.len() > 0)),
];

fn is_canonical(valid: &ValidAggregate) -> bool {
    ValidAggregate::new(valid.records.clone(), &[]).payload == valid.payload
}

fn contains(valid: &ValidAggregate, bytes: &[u8]) -> bool {
    valid.payload.windows(bytes.len()).any(|window| window == bytes)
}

fn repeats_a_key(valid: &ValidAggregate) -> bool {
    let aggregate = AggregatedRecord::parse(&valid.payload);
    aggregate.is_ok_and(|aggregate| repeats(aggregate.partition_keys().iter().copied()))
}

fn shares_a_key(valid: &ValidAggregate) -> bool {
    repeats(valid.records.iter().map(|record| record.partition_key.as_str()))
}

fn repeats<'k>(keys: impl Iterator<Item = &'k str>) -> bool {
    let mut keys: Vec<&str> = keys.collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair.first() == pair.last())
}

fn assert_varied(from: &str, generated: &[ValidAggregate]) {
    let count = |holds: fn(&ValidAggregate) -> bool| generated.iter().filter(|valid| holds(valid)).count();
    let counts: BTreeMap<&str, usize> =
        PROPERTIES.iter().map(|&(name, _, holds)| (name, count(holds))).collect();
    println!("{from}: of {}: {counts:?}", generated.len());
    for &(name, least, _) in PROPERTIES {
        let found = counts.get(name).copied().unwrap_or_default() * 1000 / generated.len();
        assert!(found >= least, "{from}: {name}: {found} in a thousand, not {least}");
    }
}

#[test]
fn aggregates_of_random_bytes_vary() {
    let mut generated = Vec::new();
    random_bytes(7, |bytes| generated.extend(ValidAggregate::arbitrary(bytes)));
    assert_varied("arbitrary", &generated);
}

#[test]
fn aggregates_of_the_strategy_vary() {
    let mut runner = TestRunner::deterministic();
    let mut generate = || valid_aggregates().new_tree(&mut runner).unwrap().current();
    let generated: Vec<ValidAggregate> = (0..1500).map(|_| generate()).collect();
    assert_varied("proptest", &generated);
}

/// A test that fails for nearly all aggregates shrinks to nearly nothing.
#[test]
fn aggregates_shrink_to_the_plainest() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..20 {
        let mut tree = valid_aggregates().new_tree(&mut runner).unwrap();
        while tree.current().records.is_empty() {
            tree = valid_aggregates().new_tree(&mut runner).unwrap();
        }
        // The test "no aggregate has user records" fails as long as there is one.
        let mut smaller = tree.simplify();
        while smaller {
            smaller = if tree.current().records.is_empty() { tree.complicate() } else { tree.simplify() };
        }
        let plainest = tree.current();
        assert_eq!(plainest.records.len(), 1, "{plainest:?}");
        assert!(is_canonical(&plainest), "{plainest:?}");
        assert_eq!(plainest.records.first().map(|record| record.data.len()), Some(0), "{plainest:?}");
    }
}
