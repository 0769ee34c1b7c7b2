//! Compares the decoder with its executable specification, `tests/reference`.
//!
//! A program that includes this has the modules `reference` and `common` as well.

#![allow(dead_code, reason = "not every program uses both comparisons")]
#![expect(clippy::panic, reason = "a panic fails the test, as it should")]

use kinesis_aggregation::decode::{AggregatedRecord, DecodeErrorKind, DigestCheck, PlainReason};
use kinesis_aggregation::{Payload, UserRecord, deaggregate};

use crate::common::{Record, records, to_hex, unframe};
use crate::reference::{Fault, Reason, SpecRecord, Verdict, specify, specify_body};

/// Decodes a payload in every way there is, and asserts that each gives what the specification says: the verdict, the
/// kind of fault and its offset, or the user records. Returns the verdict in a word.
pub(crate) fn agree(payload: &[u8], check: DigestCheck) -> String {
    let specified = specified(payload, check);
    let owned = AggregatedRecord::parse_with(payload, check);
    let needed = owned.as_ref().map_or(0, keys);
    match &owned {
        Ok(aggregate) => assert_eq!(Ok(walk(aggregate)), specified, "owned keys"),
        Err(reason) => assert_eq!(Err(in_words(*reason)), specified, "owned keys"),
    }

    let mut vector = vec!["left over"; 2];
    match AggregatedRecord::parse_reusing(payload, &mut vector, check) {
        Ok(aggregate) => {
            assert_eq!(Ok(records(&aggregate)), specified, "reused keys");
            assert_eq!(keys(&aggregate), needed, "reused keys");
        }
        Err(reason) => assert_eq!(Err(in_words(reason)), specified, "reused keys"),
    }

    match Payload::parse_with(payload, &mut ["left over"; 3], check) {
        Payload::Aggregated(aggregate) => {
            assert_eq!(Ok(records(&aggregate)), specified, "three keys");
            assert_eq!(keys(&aggregate), needed, "three keys");
        }
        Payload::Plain(reason) => assert_eq!(Err(in_words(reason)), specified, "three keys"),
        Payload::NeedsKeys { needed: told } => {
            assert_eq!((told, specified.is_ok()), (needed, true), "three keys");
            assert!(needed > 3);
        }
    }

    if check == DigestCheck::Verify {
        let users = deaggregate(payload);
        match (&specified, users.plain_reason()) {
            (Ok(specified), None) => assert_eq!(records(users), *specified, "deaggregated"),
            (Err(words), Some(reason)) => {
                assert_eq!(in_words(reason), *words, "deaggregated");
                let itself = Record { data: payload.to_vec(), ..Record::default() };
                assert_eq!(records(users), [itself], "plain");
            }
            (specified, found) => panic!("deaggregated: {found:?} instead of {specified:?}"),
        }
    }
    match specified {
        Ok(_) => "aggregated".to_owned(),
        Err(words) => words.split(' ').next().unwrap_or_default().to_owned(),
    }
}

/// The specification's verdict: the user records, or the reason in words.
fn specified(payload: &[u8], check: DigestCheck) -> Result<Vec<Record>, String> {
    let verdict = match specify(payload) {
        Verdict::Plain(Reason::DigestMismatch) if check == DigestCheck::Skip => {
            specify_body(unframe(payload))
        }
        verdict => verdict,
    };
    match verdict {
        Verdict::Aggregated(users) => {
            let record = |user: SpecRecord| Record {
                partition_key: user.partition_key,
                explicit_hash_key: user.explicit_hash_key,
                data: user.data,
                tags: user.tags,
            };
            Ok(users.into_iter().map(record).collect())
        }
        Verdict::Plain(Reason::Malformed { fault, offset }) => Err(format!("{fault:?} at {offset}")),
        Verdict::Plain(reason) => Err(format!("{reason:?}")),
    }
}

/// The specification has a fault of the same name for every kind.
fn in_words(reason: PlainReason) -> String {
    match reason {
        PlainReason::Malformed(error) => format!("{:?} at {}", error.kind(), error.offset()),
        reason => format!("{reason:?}"),
    }
}

/// Copies the user records of an aggregate, and asserts on the way what its iterators promise.
fn walk(aggregate: &AggregatedRecord<'_, '_>) -> Vec<Record> {
    let users: Vec<UserRecord<'_>> = aggregate.records().collect();
    promises(aggregate.records(), &users);
    assert_eq!(aggregate.len(), users.len());
    assert_eq!(aggregate.is_empty(), users.is_empty());
    for user in &users {
        let tags: Vec<_> = user.tags.collect();
        promises(user.tags, &tags);
        assert!(aggregate.partition_keys().contains(&user.partition_key));
        assert!(user.explicit_hash_key.is_none_or(|key| aggregate.explicit_hash_keys().contains(&key)));
    }
    records(users)
}

/// An iterator knows its length at every step, a clone of it goes on from there, and its end is final.
fn promises<I>(mut iterator: I, items: &[I::Item])
where
    I: ExactSizeIterator + Clone,
    I::Item: PartialEq + core::fmt::Debug,
{
    let mut rest = items;
    while let Some((item, after)) = rest.split_first() {
        assert_eq!(iterator.len(), rest.len());
        assert_eq!(iterator.size_hint(), (rest.len(), Some(rest.len())));
        assert_eq!(iterator.clone().next().as_ref(), Some(item), "a clone");
        assert_eq!(iterator.next().as_ref(), Some(item));
        rest = after;
    }
    for _ in 0..2 {
        assert_eq!(iterator.len(), 0);
        assert_eq!(iterator.next(), None, "after the end");
    }
}

fn keys(aggregate: &AggregatedRecord<'_, '_>) -> usize {
    aggregate.partition_keys().len().saturating_add(aggregate.explicit_hash_keys().len())
}

/// Asserts that a payload with a body, whatever its digest, decodes as the body is specified: to the kind of fault and its
/// offset, or to the user records. Returns whether it is valid.
///
/// This takes a twentieth of the time that [`agree`] takes.
pub(crate) fn compare(payload: &[u8]) -> bool {
    let body = unframe(payload);
    let specified = specify_body(body);
    let found = AggregatedRecord::parse_with(payload, DigestCheck::Skip);
    let agreed = match (&specified, &found) {
        (Verdict::Aggregated(specified), Ok(aggregate)) => {
            aggregate.len() == specified.len()
                && aggregate.records().zip(specified).all(|(user, specified)| same(&user, specified))
        }
        (Verdict::Plain(Reason::Malformed { fault, offset }), Err(PlainReason::Malformed(error))) => {
            error.kind() == kind(*fault) && error.offset() == *offset
        }
        _ => false,
    };
    assert!(agreed, "{}: {found:?} instead of {specified:?}", to_hex(body));
    found.is_ok()
}

fn same(user: &UserRecord<'_>, specified: &SpecRecord) -> bool {
    user.partition_key == specified.partition_key
        && user.explicit_hash_key == specified.explicit_hash_key.as_deref()
        && user.data == specified.data
        && user.tags.len() == specified.tags.len()
        && user
            .tags
            .zip(&specified.tags)
            .all(|(tag, (key, value))| tag.key == key && tag.value == value.as_deref())
}

/// The specification has a fault of the same name for every kind.
fn kind(fault: Fault) -> DecodeErrorKind {
    match fault {
        Fault::Truncated => DecodeErrorKind::Truncated,
        Fault::VarintOverflow => DecodeErrorKind::VarintOverflow,
        Fault::FieldNumber => DecodeErrorKind::FieldNumber,
        Fault::WireType => DecodeErrorKind::WireType,
        Fault::LengthOutOfBounds => DecodeErrorKind::LengthOutOfBounds,
        Fault::UnmatchedGroupEnd => DecodeErrorKind::UnmatchedGroupEnd,
        Fault::UnterminatedGroup => DecodeErrorKind::UnterminatedGroup,
        Fault::GroupsTooDeep => DecodeErrorKind::GroupsTooDeep,
        Fault::InvalidUtf8 => DecodeErrorKind::InvalidUtf8,
        Fault::MissingPartitionKeyIndex => DecodeErrorKind::MissingPartitionKeyIndex,
        Fault::MissingData => DecodeErrorKind::MissingData,
        Fault::MissingTagKey => DecodeErrorKind::MissingTagKey,
        Fault::PartitionKeyIndexOutOfRange => DecodeErrorKind::PartitionKeyIndexOutOfRange,
        Fault::ExplicitHashKeyIndexOutOfRange => DecodeErrorKind::ExplicitHashKeyIndexOutOfRange,
    }
}
