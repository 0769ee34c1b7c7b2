//! The comparison of the decoder with its executable specification on a body, cheap enough for millions of them.
//!
//! `agree.rs` compares more ways to decode, and is some twenty times as slow. A file that uses this one has the modules
//! `reference` and `common` as well.

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::{AggregatedRecord, DecodeErrorKind, DigestCheck, PlainReason};

use crate::common::{to_hex, unframe};
use crate::reference::{Fault, Reason, SpecRecord, Verdict, specify_body};

/// Asserts that a payload, whatever its digest, decodes as its body is specified: the kind of fault and its offset, or
/// the user records. The body is not empty. Answers with whether it is valid.
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
