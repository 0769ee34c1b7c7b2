//! A general protobuf library reads what this crate writes, writes the same bytes, and understands every body in the
//! same way, except where [`known_difference`] says how and why.
//!
//! `KINESIS_AGG_CASES=1000000 cargo test --release --test differential_prost` is a long run.

#![cfg(feature = "alloc")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a panic fails the test, as it should"
)]

mod common;

use std::collections::BTreeMap;

use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

use kinesis_aggregation::{
    AddStatus, AggregatedRecord, DigestCheck, Encoder, KeySlot, Limits, RecordAggregator, RecordTag,
    UserRecord, deaggregate, encode,
};

use common::random::Random;
use common::{Record, aggregates, bodies, decode_vectors, field, frame, records, to_hex, unframe};

/// The messages of `docs/wire-format.md`. What is `required` there is `optional` here: the bytes are the same, prost does
/// not enforce it, and so it can be seen whether the field was there.
mod schema {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct AggregatedRecord {
        #[prost(string, repeated, tag = "1")]
        pub(super) partition_key_table: Vec<String>,
        #[prost(string, repeated, tag = "2")]
        pub(super) explicit_hash_key_table: Vec<String>,
        #[prost(message, repeated, tag = "3")]
        pub(super) records: Vec<Record>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Record {
        #[prost(uint64, optional, tag = "1")]
        pub(super) partition_key_index: Option<u64>,
        #[prost(uint64, optional, tag = "2")]
        pub(super) explicit_hash_key_index: Option<u64>,
        #[prost(bytes = "vec", optional, tag = "3")]
        pub(super) data: Option<Vec<u8>>,
        #[prost(message, repeated, tag = "4")]
        pub(super) tags: Vec<Tag>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Tag {
        #[prost(string, optional, tag = "1")]
        pub(super) key: Option<String>,
        #[prost(string, optional, tag = "2")]
        pub(super) value: Option<String>,
    }
}

/// The user records of a body, as this crate reads it.
fn ours(body: &[u8]) -> Option<Vec<Record>> {
    let payload = frame(body);
    let aggregate = AggregatedRecord::parse_with(&payload, Vec::new(), DigestCheck::Skip).ok()?;
    Some(records(&aggregate))
}

/// The user records of a message that prost has read: what is required has to be there (D4), and indexes in range (D11).
fn meaning(message: &schema::AggregatedRecord) -> Option<Vec<Record>> {
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

/// Why prost may see something else in a body than this crate does. There are two reasons, and both are refusals:
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

#[test]
fn bodies_mean_the_same() {
    let mut corpus: Vec<Vec<u8>> =
        decode_vectors().iter().map(|vector| unframe(&vector.payload).to_vec()).collect();
    corpus.extend(aggregates().iter().map(|(_, payload)| unframe(payload).to_vec()));
    let small: Vec<Vec<u8>> = corpus.iter().filter(|body| body.len() < 1000).cloned().collect();

    let cases = std::env::var("KINESIS_AGG_CASES").ok().and_then(|cases| cases.parse().ok());
    let mut random = Random::new(0);
    let mut verdicts = BTreeMap::<_, u64>::new();
    for case in 0..cases.unwrap_or(20_000) {
        let body = match corpus.pop() {
            Some(body) => body,
            None if random.one_in(2) => bodies::body(&mut random),
            None => {
                let mut body = if random.one_in(3) {
                    bodies::valid_body(&mut random)
                } else {
                    small[random.below(small.len())].clone()
                };
                let other = random.below(small.len());
                bodies::mutate(&mut random, &mut body, &small[other]);
                body
            }
        };
        if body.is_empty() {
            // No payload has such a body (D1).
            continue;
        }
        let ours = ours(&body);
        let read = schema::AggregatedRecord::decode(&*body);
        let theirs = read.as_ref().ok().and_then(meaning);
        let verdict = match read {
            _ if ours == theirs => {
                if ours.is_some() {
                    "the same user records"
                } else {
                    "malformed"
                }
            }
            Err(refusal) => known_difference(&body, &ours, &refusal)
                .unwrap_or_else(|| panic!("case {case}: {refusal}: {ours:?}: {}", to_hex(&body))),
            Ok(_) => panic!("case {case}: {theirs:?} instead of {ours:?}: {}", to_hex(&body)),
        };
        *verdicts.entry(verdict).or_default() += 1;
    }
    println!("{verdicts:?}");
    assert_eq!(verdicts.len(), 4, "something never came up: {verdicts:?}");
}

fn any_record(random: &mut Random) -> Record {
    let keys = ["a", "device-7", "clé", "漢字", "0", &"k".repeat(128), &"🚀".repeat(254)];
    let explicit = ["0", "1", "18446744073709551616", "340282366920938463463374607431768211455"];
    let texts = ["", "k", "名", &"v".repeat(200)];
    let len = random.pick(&[0, 1, 100, 127, 128, 5000]);
    let tag = |random: &mut Random| {
        (random.pick(&texts).to_owned(), random.one_in(2).then(|| random.pick(&texts).to_owned()))
    };
    Record {
        partition_key: random.pick(&keys).to_owned() + &random.pick(&["", "1", "22"]).repeat(random.below(2)),
        explicit_hash_key: random.one_in(2).then(|| random.pick(&explicit).to_owned()),
        data: random.bytes(len),
        tags: (0..random.pick(&[0, 0, 0, 1, 3])).map(|_| tag(random)).collect(),
    }
}

/// The message in canonical order (E1), each key with the index of its first use (E3).
fn canonical(records: &[Record]) -> schema::AggregatedRecord {
    fn index(table: &mut Vec<String>, key: &str) -> u64 {
        if !table.iter().any(|known| known == key) {
            table.push(key.to_owned());
        }
        (0..).zip(table).find(|(_, known)| *known == key).map_or(0, |(index, _)| index)
    }
    let mut message = schema::AggregatedRecord::default();
    for record in records {
        let tag = |(key, value): &(String, Option<String>)| schema::Tag {
            key: Some(key.clone()),
            value: value.clone(),
        };
        let explicit = record.explicit_hash_key.as_ref();
        message.records.push(schema::Record {
            partition_key_index: Some(index(&mut message.partition_key_table, &record.partition_key)),
            explicit_hash_key_index: explicit.map(|key| index(&mut message.explicit_hash_key_table, key)),
            data: Some(record.data.clone()),
            tags: record.tags.iter().map(tag).collect(),
        });
    }
    message
}

#[test]
fn the_same_bytes_in_canonical_order_and_the_same_records_in_both() {
    let mut random = Random::new(1);
    for case in 0..300 {
        let list: Vec<Record> = (0..random.below(40) + 1).map(|_| any_record(&mut random)).collect();
        let tags: Vec<Vec<RecordTag<'_>>> = list
            .iter()
            .map(|record| {
                record.tags.iter().map(|(key, value)| RecordTag { key, value: value.as_deref() }).collect()
            })
            .collect();
        let users: Vec<UserRecord<'_>> =
            list.iter().zip(&tags).map(|(record, tags)| record.untagged().with_tags(tags)).collect();
        let message = canonical(&list);
        let body = message.encode_to_vec();
        assert_eq!(records(deaggregate(&frame(&body))), list, "case {case}");

        let mut slots = vec![KeySlot::EMPTY; KeySlot::needed(&users)];
        let mut buffer = vec![0xa5; 500_000];
        let encoded = encode(&users, &mut slots, &mut buffer).unwrap();
        assert_eq!(encoded, frame(&body), "case {case}: encode");

        let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
        let mut encoder = Encoder::<4>::new(&mut buffer, Limits::KINESIS_MAX);
        for &user in &users {
            assert_eq!(aggregator.add(user), Ok(None), "case {case}");
            assert_eq!(encoder.add(user), Ok(AddStatus::Added), "case {case}");
        }
        assert_eq!(aggregator.finish().unwrap().data(), frame(&body), "case {case}: aggregator");

        let streamed = encoder.finish().unwrap();
        let read = schema::AggregatedRecord::decode(unframe(streamed.data())).unwrap();
        assert_eq!(meaning(&read), Some(list), "case {case}: streamed");
    }
}
