//! The payloads that the module `testing` generates decode to what it predicts, and the executable specification agrees. Every
//! flaw, every kind of error and every odd form comes up.
//!
//! For a long run: `KINESIS_AGG_CASES=1000000 cargo test --release --all-features --test testing`

#![expect(clippy::panic, reason = "a panic fails the test, as it should")]

mod common;
mod reference;

#[path = "common/agree.rs"]
mod agree;
#[path = "testing/checks.rs"]
mod checks;
#[path = "testing/distribution.rs"]
mod distribution;
#[path = "testing/generated.rs"]
mod generated;

use std::collections::BTreeSet;

use arbitrary::{Arbitrary, Unstructured};
use kinesis_aggregation::decode::{DecodeErrorKind, PlainReason, RecordTag};
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::testing::{
    BrokenAggregate, Flaw, OwnedUserRecord, ValidAggregate, broken_aggregates, user_records, valid_aggregates,
};
use kinesis_aggregation::{Encoder, Limits, UserRecord};
use proptest::prelude::*;

use checks::{check_broken, check_valid, fuzzed, random_bytes};
use common::random::Random;

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
fn no_bytes_are_enough() {
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
            let records = checks::user_records(&mut random, case % 5);
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
    let source = include_str!("../src/error.rs");
    let (_, body) = source.split_once("pub enum DecodeErrorKind {").unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let variants = body.lines().filter(|line| line.ends_with(',') && !line.contains("//")).count();
    assert_eq!(variants, kinds.len());
}

#[test]
fn descriptions_of_flaws_are_sentences() {
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
        let records = checks::user_records(&mut random, case % 20);
        let users: Vec<UserRecord<'_>> = records.iter().map(OwnedUserRecord::as_user_record).collect();
        let canonical = common::aggregate(&users);
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
        let records = checks::user_records(&mut random, 1 + case % 20);
        let mut buffer = vec![0xa5; 100_000];
        let mut encoder = Encoder::<64>::new(&mut buffer, Limits::KINESIS_MAX);
        for record in &records {
            assert_eq!(encoder.add(record.as_user_record()), Ok(AddStatus::Added));
        }
        let streamed = ValidAggregate::new(records.clone(), &[1, 1]);
        assert_eq!(streamed.payload, encoder.finish().unwrap().data);
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
