//! Reading a body with prost, a general protobuf library, and the differences that are allowed. Shared with the
//! fuzz target `prost`.

#![expect(clippy::indexing_slicing, clippy::panic, reason = "a panic fails the test, as it should")]

use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck};

use crate::common::{Record, field, frame, records, to_hex};

/// Asserts that prost sees the same in a body as this crate does, but for the known differences. Returns what both
/// see in a word, or the rule by which they differ.
pub(crate) fn agree(body: &[u8]) -> &'static str {
    let ours = ours(body);
    let read = schema::AggregatedRecord::decode(body);
    let theirs = read.as_ref().ok().and_then(meaning);
    match read {
        _ if ours == theirs => {
            if ours.is_some() {
                "the same user records"
            } else {
                "malformed"
            }
        }
        Err(refusal) => known_difference(body, &ours, &refusal)
            .unwrap_or_else(|| panic!("{refusal}: {ours:?}: {}", to_hex(body))),
        Ok(_) => panic!("{theirs:?} instead of {ours:?}: {}", to_hex(body)),
    }
}

/// The messages of `docs/wire-format.md`. What is `required` there is `optional` here: the bytes are the same, prost does
/// not enforce it, and so it can be seen whether the field was there.
pub(crate) mod schema {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct AggregatedRecord {
        #[prost(string, repeated, tag = "1")]
        pub(crate) partition_key_table: Vec<String>,
        #[prost(string, repeated, tag = "2")]
        pub(crate) explicit_hash_key_table: Vec<String>,
        #[prost(message, repeated, tag = "3")]
        pub(crate) records: Vec<Record>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Record {
        #[prost(uint64, optional, tag = "1")]
        pub(crate) partition_key_index: Option<u64>,
        #[prost(uint64, optional, tag = "2")]
        pub(crate) explicit_hash_key_index: Option<u64>,
        #[prost(bytes = "vec", optional, tag = "3")]
        pub(crate) data: Option<Vec<u8>>,
        #[prost(message, repeated, tag = "4")]
        pub(crate) tags: Vec<Tag>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Tag {
        #[prost(string, optional, tag = "1")]
        pub(crate) key: Option<String>,
        #[prost(string, optional, tag = "2")]
        pub(crate) value: Option<String>,
    }
}

/// The user records of a body, as this crate reads it.
fn ours(body: &[u8]) -> Option<Vec<Record>> {
    let payload = frame(body);
    let aggregate = AggregatedRecord::parse_with(&payload, DigestCheck::Skip).ok()?;
    Some(records(&aggregate))
}

/// The user records of a message that prost has read: what is required has to be there (D4), and indexes in range (D11).
pub(crate) fn meaning(message: &schema::AggregatedRecord) -> Option<Vec<Record>> {
    let key = |table: &[String], index: u64| table.get(usize::try_from(index).ok()?).cloned();
    let record = |record: &schema::Record| {
        Some(Record {
            partition_key: key(&message.partition_key_table, record.partition_key_index?)?,
            explicit_hash_key: match record.explicit_hash_key_index {
                Some(index) => Some(key(&message.explicit_hash_key_table, index)?),
                None => None,
            },
            data: record.data.clone()?,
            tags: record
                .tags
                .iter()
                .map(|tag| Some((tag.key.clone()?, tag.value.clone())))
                .collect::<Option<_>>()?,
        })
    };
    message.records.iter().map(record).collect()
}

/// The reason why prost may see something else in a body than this crate does. There are two reasons, and both are refusals:
///
/// - D5: a field of a known number and another wire type is unknown here, and an error there.
/// - D9: 100 groups may be open in each message here. There, messages and groups together may nest 100 deep, the fields
///   in them counted.
///
/// Either must be what prost says, and without such fields it has to see the same.
fn known_difference(
    body: &[u8],
    ours: &Option<Vec<Record>>,
    refusal: &prost::DecodeError,
) -> Option<&'static str> {
    let refusal = refusal.to_string();
    let rule = if refusal.contains("invalid wire type: ") && refusal.contains("(expected ") {
        "D5"
    } else if refusal.ends_with("recursion limit reached") {
        "D9"
    } else {
        return None;
    };
    let rest = schema::AggregatedRecord::decode(&*without_refused(body, &AGGREGATED_RECORD));
    (rest.ok().as_ref().and_then(meaning) == *ours).then_some(rule)
}

/// The wire types of a message's fields, number by number from 1, and what the nested messages among them hold.
struct Shape(&'static [(WireType, Option<&'static Self>)]);

const AGGREGATED_RECORD: Shape = Shape(&[(BYTES, None), (BYTES, None), (BYTES, Some(&RECORD))]);
const RECORD: Shape =
    Shape(&[(WireType::Varint, None), (WireType::Varint, None), (BYTES, None), (BYTES, Some(&TAG))]);
const TAG: Shape = Shape(&[(BYTES, None), (BYTES, None)]);
const BYTES: WireType = WireType::LengthDelimited;

/// Leaves out what prost refuses to skip: known fields of another wire type, and groups. What stands after the first
/// fault stays as it is.
fn without_refused(message: &[u8], shape: &Shape) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut rest = message;
    while let Some((number, wire_type, after)) = skip_field(rest) {
        let whole = &rest[..rest.len() - after.len()];
        let known = usize::try_from(number).ok().and_then(|number| shape.0.get(number - 1));
        match known {
            _ if wire_type == WireType::StartGroup => {}
            Some(&(expected, _)) if expected != wire_type => {}
            Some(&(_, Some(nested))) => {
                let mut value = whole;
                _ = decode_key(&mut value).and_then(|_| decode_varint(&mut value));
                kept.extend(field(number.into(), &without_refused(value, nested)));
            }
            _ => kept.extend(whole),
        }
        rest = after;
    }
    kept.extend(rest);
    kept
}

/// Passes over one field. There is none in front of a fault, nor at the end.
fn skip_field(message: &[u8]) -> Option<(u32, WireType, &[u8])> {
    let mut rest = message;
    let mut open = Vec::new();
    let mut first = None;
    loop {
        let (number, wire_type) = decode_key(&mut rest).ok()?;
        let field = *first.get_or_insert((number, wire_type));
        let len = match wire_type {
            WireType::Varint => decode_varint(&mut rest).map(|_| 0).ok()?,
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => decode_varint(&mut rest).ok()?,
            WireType::StartGroup => {
                open.push(number);
                0
            }
            WireType::EndGroup => (open.pop()? == number).then_some(0)?,
        };
        rest = rest.get(usize::try_from(len).ok()?..)?;
        match open.len() {
            0 => return Some((field.0, field.1, rest)),
            1..=100 => {}
            _ => return None,
        }
    }
}
