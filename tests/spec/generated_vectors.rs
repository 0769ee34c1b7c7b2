//! `tests/vectors/generated.jsonl` has an aggregate for each [`Flaw`], and valid ones in many forms, in the form of
//! `decode.jsonl`. For other implementations, and as seeds for fuzzers.
//!
//! To write it again: `KINESIS_AGG_WRITE=1 cargo test --all-features --test spec generated_vectors`

use std::collections::BTreeSet;
use std::fs;

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::{PlainReason, RecordTag};
use kinesis_aggregation::testing::{BrokenAggregate, Flaw, OwnedUserRecord, ValidAggregate};
use serde_json::{Value, json};

use crate::common::random::Random;
use crate::common::to_hex;
use crate::generated_checks::{check_broken, check_valid};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/generated.jsonl");

fn row(name: &str, payload: &[u8], expect: &Value) -> String {
    format!("{{\"name\": {}, \"payload\": \"{}\", \"expect\": {expect}}}\n", json!(name), to_hex(payload))
}

fn sample_records() -> Vec<OwnedUserRecord> {
    let tags = [RecordTag { key: "unit", value: Some("C") }];
    vec![
        UserRecord::new("device-7", b"21.5").with_explicit_hash_key("0").with_tags(&tags).into(),
        UserRecord::new("clé", b"").into(),
        UserRecord::new("device-7", b"21.6").with_explicit_hash_key("7").into(),
    ]
}

fn valid_rows() -> String {
    let hash_keys =
        ["0", "170141183460469231731687303715884105727", "340282366920938463463374607431768211455"];
    let longest = "é".repeat(256);
    let lists: [(&str, Vec<OwnedUserRecord>); 4] = [
        ("three user records", sample_records()),
        (
            "hash keys at the bounds",
            hash_keys.map(|key| UserRecord::new("a", b"x").with_explicit_hash_key(key).into()).into(),
        ),
        ("partition key of 256 characters", vec![UserRecord::new(&longest, b"x").into()]),
        ("data of 128 bytes", vec![UserRecord::new("a", &[0x78; 128]).into()]),
    ];
    let mut random = Random::new(8);
    let mut seen = BTreeSet::new();
    let mut rows = String::new();
    for (name, records) in lists {
        let mut forms = vec![
            ("canonical order".to_owned(), vec![]),
            ("streamed order".to_owned(), vec![1, 1]),
            ("tables last".to_owned(), vec![1, 2]),
        ];
        // Fields in any order, and most choices odd.
        forms.extend(
            (1..=3).map(|number| (format!("odd {number}"), [vec![3, 3], random.bytes(200)].concat())),
        );
        for (form, choices) in forms {
            let valid = ValidAggregate::new(records.clone(), &choices);
            check_valid(&valid);
            // One user record has the same canonical and streamed order.
            if seen.insert(valid.payload.clone()) {
                rows +=
                    &row(&format!("{name}, {form}"), &valid.payload, &json!({ "records": expected(&valid) }));
            }
        }
    }
    rows
}

fn expected(valid: &ValidAggregate) -> Vec<Value> {
    let record = |record: UserRecord<'_>| {
        let tags: Vec<_> = record.tags.map(|tag| (tag.key, tag.value)).collect();
        json!({
            "partition_key": record.partition_key,
            "explicit_hash_key": record.explicit_hash_key,
            "data": to_hex(record.data),
            "tags": tags,
        })
    };
    valid.user_records().map(record).collect()
}

fn broken_rows() -> String {
    let row = |(number, &flaw): (u8, &Flaw)| {
        // The flaw is in any user record, and in any kind of message. Nothing else is odd.
        let broken = BrokenAggregate::new(flaw, &sample_records(), &[0, number, number / 3]);
        check_broken(&broken);
        let plain = broken.reason.as_str();
        let expect = match broken.reason {
            PlainReason::Malformed(error) => {
                json!({ "plain": plain, "kind": format!("{:?}", error.kind()), "offset": error.offset() })
            }
            _ => json!({ "plain": plain }),
        };
        row(&format!("{flaw:?}: {flaw}"), &broken.payload, &expect)
    };
    (0..).zip(Flaw::ALL).map(row).collect()
}

/// The rows without the order of their members, which depends on the features of `serde_json`.
fn rows(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn generated_vectors_are_up_to_date() {
    let generated = valid_rows() + &broken_rows();
    if std::env::var_os("KINESIS_AGG_WRITE").is_some() {
        fs::write(PATH, &generated).unwrap();
    }
    let written = fs::read_to_string(PATH).unwrap();
    assert_eq!(rows(&written), rows(&generated), "write tests/vectors/generated.jsonl again");
}
