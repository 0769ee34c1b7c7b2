//! Python's protobuf (upb) and this crate read the same in every body, except where [`known::known_difference`] says how
//! and why; each reads what the other one writes.
//!
//! `tests/upb/run` installs protobuf and runs this, a million cases of each kind.

mod known;
mod oracle;

use std::collections::BTreeMap;

use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck};

use self::known::{RULES, known_difference};
use self::oracle::{Message, Oracle, RawRecord, RawTag};
use crate::bodies;
use crate::common::encode::WAYS;
use crate::common::random::Random;
use crate::common::{
    Record, aggregates, cases, decode_vectors, field, frame, hex, records, to_hex, unframe, with_records,
};

/// The number of bodies that upb gets at once.
const BATCH: usize = 500;

/// Runs `batch` on as many cases as are asked for, some at a time.
fn in_batches(mut batch: impl FnMut(usize)) {
    let mut left = cases().unwrap_or(20_000);
    while left > 0 {
        let now = left.min(BATCH);
        batch(now);
        left -= now;
    }
}

/// The user records of a body, as this crate reads it.
fn ours(body: &[u8]) -> Option<Vec<Record>> {
    let payload = frame(body);
    let aggregate = AggregatedRecord::parse_with(&payload, DigestCheck::Skip).ok()?;
    Some(records(&aggregate))
}

/// The user records of a body, as upb reads it.
fn theirs(oracle: &mut Oracle, body: Vec<u8>) -> Option<Vec<Record>> {
    oracle.read(&[body]).pop().flatten().as_ref().and_then(Message::meaning)
}

#[test]
#[ignore = "needs Python: see tests/upb/run"]
fn upb_reads_the_same_in_every_body() {
    let mut corpus: Vec<Vec<u8>> =
        decode_vectors().iter().map(|vector| unframe(&vector.payload).to_vec()).collect();
    corpus.extend(aggregates().iter().map(|(_, payload)| unframe(payload).to_vec()));
    corpus.retain(|body| (1..1000).contains(&body.len()));

    let mut oracle = Oracle::start();
    let mut random = Random::new(0);
    let mut verdicts = BTreeMap::<_, u64>::new();
    let mut unmutated = corpus.clone();
    in_batches(|count| {
        let bodies: Vec<_> = (0..count)
            .map(|_| unmutated.pop().unwrap_or_else(|| any_body(&mut random, &corpus)))
            // No payload has an empty body (D1).
            .filter(|body| !body.is_empty())
            .collect();
        let read = oracle.read(&bodies);
        for (body, message) in bodies.iter().zip(read) {
            let ours = ours(body);
            let theirs = message.as_ref().and_then(Message::meaning);
            let mut count = |verdict| *verdicts.entry(verdict).or_default() += 1;
            match (&ours, &theirs) {
                (Some(_), Some(_)) if ours == theirs => count("the same user records"),
                (None, None) => count("malformed"),
                _ => {
                    let rules = known_difference(&mut oracle, body, &ours, &theirs).unwrap_or_else(|| {
                        panic!("upb reads {theirs:?} instead of {ours:?} in {}", to_hex(body))
                    });
                    count("different by");
                    rules.into_iter().for_each(count);
                }
            }
        }
    });
    println!("upb reads: {verdicts:#?}");
    assert_eq!(verdicts.len(), RULES + 3, "something never came up");
}

fn any_body(random: &mut Random, corpus: &[Vec<u8>]) -> Vec<u8> {
    if random.one_in(2) {
        return bodies::body(random);
    }
    let some = random.below(corpus.len());
    let mut body = if random.one_in(3) { bodies::valid_body(random) } else { corpus[some].clone() };
    if random.one_in(20) {
        body.splice(..0, rare_field(random));
    }
    let other = random.below(corpus.len());
    bodies::mutate(random, &mut body, &corpus[other]);
    body
}

/// A field that upb is known to see differently: to meet it by chance takes long.
fn rare_field(random: &mut Random) -> Vec<u8> {
    // Field number 0 in a group: a varint, some bytes, a group.
    let zero = ["4b 00 00 4c", "4b 02 01 78 4c", "4b 03 04 4c"];
    // Within `Record`s and `Tag`s: as many groups as upb allows, and more.
    let groups = random.pick(&[97, 98, 99, 100, 101]);
    let groups = "4b".repeat(groups) + &"4c".repeat(groups);
    let record = |fields: &[u8]| field(3, &[&hex("08 00 1a 00"), fields].concat());
    match random.below(4) {
        0 => hex(random.pick(&zero)),
        1 => record(&hex(&groups)),
        2 => record(&field(4, &hex(&("0a 00".to_owned() + &groups)))),
        // A key, then a value, that is not UTF-8, and the one that counts.
        _ => record(&field(4, &hex(random.pick(&["0a 01 ff 0a 00", "0a 00 12 02 c3 28 12 00"])))),
    }
}

#[test]
#[ignore = "needs Python: see tests/upb/run"]
fn this_crate_reads_what_upb_writes() {
    let mut oracle = Oracle::start();
    let mut random = Random::new(1);
    let mut verdicts = BTreeMap::<_, u64>::new();
    in_batches(|count| {
        let messages: Vec<_> = (0..count).map(|_| any_message(&mut random)).collect();
        for (message, body) in messages.iter().zip(oracle.write(&messages)) {
            if body.is_empty() {
                // No payload has such a body (D1).
                assert_eq!(*message, Message::default());
                continue;
            }
            let meaning = message.meaning();
            assert_eq!(ours(&body), meaning, "{}", to_hex(&body));
            let verdict = if meaning.is_some() { "the same user records" } else { "malformed" };
            *verdicts.entry(verdict).or_default() += 1;
        }
    });
    println!("this crate reads upb's: {verdicts:#?}");
    assert_eq!(verdicts.len(), 2, "something never came up");
}

/// A message such as no encoder writes, but upb does: with unused and repeated keys, or without what is required.
fn any_message(random: &mut Random) -> Message {
    let mut keys = |most| (0..random.below(most)).map(|_| any_text(random).into_bytes()).collect::<Vec<_>>();
    let (partition_keys, explicit_hash_keys) = (keys(5), keys(3));
    let odd = random.one_in(4);
    let index = |random: &mut Random, entries: usize| {
        let entries = u64::try_from(entries).expect("few entries");
        let index = random.next().checked_rem(entries);
        if odd && random.one_in(8) { random.pick(&[None, Some(entries), Some(u64::MAX)]) } else { index }
    };
    let records = (0..random.below(6))
        .map(|_| RawRecord {
            partition_key_index: index(random, partition_keys.len()),
            explicit_hash_key_index: index(random, explicit_hash_keys.len()).filter(|_| random.one_in(2)),
            data: (!odd || !random.one_in(8)).then(|| any_data(random)),
            tags: (0..random.pick(&[0, 0, 0, 1, 3]))
                .map(|_| RawTag {
                    key: (!odd || !random.one_in(8)).then(|| any_text(random).into_bytes()),
                    value: random.one_in(2).then(|| any_text(random).into_bytes()),
                })
                .collect(),
        })
        .collect();
    Message { partition_keys, explicit_hash_keys, records }
}

#[test]
#[ignore = "needs Python: see tests/upb/run"]
fn upb_reads_what_encoders_write_and_writes_the_same_in_canonical_order() {
    let mut oracle = Oracle::start();
    let mut random = Random::new(2);
    let mut encoded = 0;
    in_batches(|count| {
        let mut lists = Vec::new();
        let mut bodies = Vec::new();
        for _ in 0..count.div_ceil(WAYS.len()) {
            let list: Vec<_> = (0..random.below(12) + 1).map(|_| any_record(&mut random)).collect();
            with_records(&list, |records| {
                bodies.extend(WAYS.iter().map(|way| unframe(&(way.encode)(records)).to_vec()));
            });
            lists.push(list);
        }
        let messages: Vec<_> = lists.iter().map(|list| canonical(list)).collect();
        let canonical = oracle.write(&messages);
        let read = oracle.read(&bodies);
        let mut answers = bodies.iter().zip(read);
        for (list, canonical) in lists.iter().zip(canonical) {
            for way in &WAYS {
                let (body, read) = answers.next().expect("an answer to each");
                assert_eq!(read.and_then(|read| read.meaning()).as_ref(), Some(list), "{}", way.name);
                if way.remembers == usize::MAX {
                    assert_eq!(to_hex(body), to_hex(&canonical), "{}", way.name);
                }
                encoded += 1;
            }
        }
    });
    println!("upb reads what encoders write: {encoded} the same");
}

fn any_record(random: &mut Random) -> Record {
    let hash_keys = ["0", "1", "18446744073709551616", "340282366920938463463374607431768211455"];
    Record {
        partition_key: format!("{}{}", random.pick(&["a", "device-", "clé", "漢字"]), random.below(20)),
        explicit_hash_key: random.one_in(2).then(|| random.pick(&hash_keys).to_owned()),
        data: any_data(random),
        tags: (0..random.pick(&[0, 0, 0, 1, 3]))
            .map(|_| (any_text(random), random.one_in(2).then(|| any_text(random))))
            .collect(),
    }
}

fn any_text(random: &mut Random) -> String {
    let long = ["k".repeat(127), "k".repeat(128)];
    random.pick(&["", "0", "a", "device-7", "clé", "漢字", "🚀", "a\0b", &long[0], &long[1]]).to_owned()
}

fn any_data(random: &mut Random) -> Vec<u8> {
    let len = if random.one_in(500) { 16_384 } else { random.pick(&[0, 1, 20, 127, 128]) };
    random.bytes(len)
}

/// The message in canonical order (E1), each key with the index of its first use (E3).
fn canonical(list: &[Record]) -> Message {
    fn index(table: &mut Vec<Vec<u8>>, key: &str) -> Option<u64> {
        if !table.iter().any(|known| known == key.as_bytes()) {
            table.push(key.into());
        }
        (0..).zip(table).find(|(_, known)| *known == key.as_bytes()).map(|(index, _)| index)
    }
    let mut message = Message::default();
    for record in list {
        let tag = |(key, value): &(String, Option<String>)| RawTag {
            key: Some(key.clone().into_bytes()),
            value: value.clone().map(String::into_bytes),
        };
        let explicit = record.explicit_hash_key.as_ref();
        message.records.push(RawRecord {
            partition_key_index: index(&mut message.partition_keys, &record.partition_key),
            explicit_hash_key_index: explicit.and_then(|key| index(&mut message.explicit_hash_keys, key)),
            data: Some(record.data.clone()),
            tags: record.tags.iter().map(tag).collect(),
        });
    }
    message
}
