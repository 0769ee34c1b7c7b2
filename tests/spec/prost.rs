//! A general protobuf library reads what this crate writes, writes the same bytes, and understands every body in the
//! same way, except where `known_difference` in `tests/common/by_prost.rs` says how and why.
//!
//! `KINESIS_AGG_CASES=1000000 cargo test --release --features arbitrary --test differential_prost` is a long run.

#[path = "common/bodies.rs"]
mod bodies;
#[path = "common/by_prost.rs"]
mod by_prost;
mod common;

use std::collections::BTreeMap;

use prost::Message;

use kinesis_aggregation::decode::RecordTag;
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::{Encoder, Limits, RecordAggregator, UserRecord, deaggregate};

use by_prost::{meaning, schema};
use common::random::Random;
use common::{Record, aggregates, decode_vectors, frame, records, unframe};

#[test]
fn bodies_mean_the_same() {
    let mut corpus: Vec<Vec<u8>> =
        decode_vectors().iter().map(|vector| unframe(&vector.payload).to_vec()).collect();
    corpus.extend(aggregates().iter().map(|(_, payload)| unframe(payload).to_vec()));
    let small: Vec<Vec<u8>> = corpus.iter().filter(|body| body.len() < 1000).cloned().collect();

    let cases = std::env::var("KINESIS_AGG_CASES").ok().and_then(|cases| cases.parse().ok());
    let mut random = Random::new(0);
    let mut verdicts = BTreeMap::<_, u64>::new();
    for _ in 0..cases.unwrap_or(20_000) {
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
        *verdicts.entry(by_prost::agree(&body)).or_default() += 1;
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

        let mut buffer = vec![0xa5; 500_000];
        let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
        let mut encoder = Encoder::<4>::new(&mut buffer, Limits::KINESIS_MAX);
        for &user in &users {
            assert_eq!(aggregator.add(user), Ok(None), "case {case}");
            assert_eq!(encoder.add(user), Ok(AddStatus::Added), "case {case}");
        }
        assert_eq!(aggregator.finish().unwrap().data, frame(&body), "case {case}: aggregator");

        let streamed = encoder.finish().unwrap();
        let read = schema::AggregatedRecord::decode(unframe(streamed.data)).unwrap();
        assert_eq!(meaning(&read), Some(list), "case {case}: streamed");
    }
}
