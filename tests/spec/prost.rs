//! prost, a general protobuf library, reads what this crate writes, writes the same bytes, and reads every body in the same
//! way, except where `known_difference` in `by_prost.rs` says how and why.
//!
//! `KINESIS_AGG_CASES=1000000 cargo test --release --features arbitrary --test spec prost` is a long run.

use std::collections::BTreeMap;

use kinesis_aggregation::deaggregate;
use prost::Message;

use crate::bodies;
use crate::by_prost::{self, meaning, schema};
use crate::common::encode::{WAYS, canonical};
use crate::common::random::Random;
use crate::common::{Record, aggregates, cases, decode_vectors, frame, records, unframe, with_records};

#[test]
fn prost_reads_the_same_in_every_body() {
    let mut corpus: Vec<Vec<u8>> =
        decode_vectors().iter().map(|vector| unframe(&vector.payload).to_vec()).collect();
    corpus.extend(aggregates().iter().map(|(_, payload)| unframe(payload).to_vec()));
    let small: Vec<Vec<u8>> = corpus.iter().filter(|body| body.len() < 1000).cloned().collect();

    let mut random = Random::new(0);
    let mut verdicts = BTreeMap::<_, u64>::new();
    for _ in 0..cases().unwrap_or(20_000) {
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
fn message(records: &[Record]) -> schema::AggregatedRecord {
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

/// Asserts that prost writes the same bytes in canonical order, and reads the same user records in streamed order.
fn check(list: &[Record]) {
    let body = message(list).encode_to_vec();
    assert_eq!(records(deaggregate(&frame(&body))), list);
    with_records(list, |users| {
        assert!(canonical(users) == frame(&body), "canonical: {list:?}");
        for way in &WAYS {
            let data = (way.encode)(users);
            let read = schema::AggregatedRecord::decode(unframe(&data)).unwrap();
            assert_eq!(meaning(&read).as_deref(), Some(list), "{}", way.name);
            // With few keys, all are remembered.
            assert!(way.remembers < 64 || list.len() > 64 || data.len() == 20 + body.len(), "{}", way.name);
        }
    });
}

#[test]
fn prost_writes_the_same_bytes_and_reads_the_same_user_records() {
    let mut random = Random::new(1);
    for _ in 0..300 {
        check(&(0..random.below(40) + 1).map(|_| any_record(&mut random)).collect::<Vec<_>>());
    }
}

/// Runs of a key, keys in turns, keys with none in between: with three partition keys, and two explicit hash keys or none.
#[test]
fn prost_writes_the_same_bytes_for_every_short_sequence_of_keys() {
    let user = |choice: usize| Record {
        explicit_hash_key: ["0", "1"].get(choice / 3).map(|&key| key.to_owned()),
        ..Record::new(["a", "b", "ab"][choice % 3], vec![b'0'; choice])
    };
    for len in 1..=if cfg!(debug_assertions) { 4 } else { 5 } {
        for sequence in 0..9usize.pow(len) {
            check(&(0..len).map(|place| user(sequence / 9usize.pow(place) % 9)).collect::<Vec<_>>());
        }
    }
}
