//! The specification itself is tested here: against the vectors, and against payloads written by hand.

mod faults;
mod records;

use serde::Deserialize;

use super::{Fault, MAGIC, Reason, SpecRecord, Verdict, specify, specify_body};

#[derive(Deserialize)]
struct Vector {
    name: String,
    payload: String,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Plain(String),
    Records(Vec<ExpectedRecord>),
}

#[derive(Deserialize)]
struct ExpectedRecord {
    partition_key: String,
    explicit_hash_key: Option<String>,
    data: String,
    tags: Vec<(String, Option<String>)>,
}

#[test]
fn the_vectors_get_their_verdicts() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/decode.jsonl");
    let lines = std::fs::read_to_string(path).unwrap();
    assert!(lines.lines().count() > 90, "the vectors are not all there");
    for line in lines.lines() {
        let vector: Vector = serde_json::from_str(line).unwrap();
        let verdict = specify(&hex(&vector.payload));
        match (vector.expect, &verdict) {
            (Expect::Plain(reason), Verdict::Plain(found)) => {
                let found = match found {
                    Reason::NoMagic => "no_magic",
                    Reason::TooShort => "too_short",
                    Reason::DigestMismatch => "digest_mismatch",
                    Reason::Malformed { .. } => "malformed",
                };
                assert_eq!(found, reason, "{}", vector.name);
            }
            (Expect::Records(records), Verdict::Aggregated(found)) => {
                let records: Vec<_> = records
                    .into_iter()
                    .map(|record| SpecRecord {
                        partition_key: record.partition_key,
                        explicit_hash_key: record.explicit_hash_key,
                        data: hex(&record.data),
                        tags: record.tags,
                    })
                    .collect();
                assert_eq!(*found, records, "{}", vector.name);
            }
            _ => panic!("{}: {verdict:?}", vector.name),
        }
    }
}

#[test]
fn the_frame_is_judged_before_the_body() {
    let malformed = Reason::Malformed { fault: Fault::Truncated, offset: 4 };
    let rows: [(&str, Vec<u8>, Reason); 8] = [
        ("empty", vec![], Reason::NoMagic),
        ("part of the magic", MAGIC[..3].to_vec(), Reason::NoMagic),
        ("another magic, right digest", [&[0; 4][..], &frame(&[0x80])[4..]].concat(), Reason::NoMagic),
        ("magic alone", MAGIC.to_vec(), Reason::TooShort),
        ("20 bytes, right digest", frame(&[]), Reason::TooShort),
        ("20 bytes, wrong digest", [&MAGIC[..], &[0; 16]].concat(), Reason::TooShort),
        ("21 bytes, wrong digest, bad body", [&MAGIC[..], &[0x80; 17]].concat(), Reason::DigestMismatch),
        ("21 bytes, right digest, bad body", frame(&[0x80]), malformed),
    ];
    for (name, payload, reason) in rows {
        assert_eq!(specify(&payload), Verdict::Plain(reason), "{name}");
    }
}

#[test]
fn a_body_of_nothing_is_an_aggregate_of_nothing() {
    assert_eq!(specify_body(&[]), Verdict::Aggregated(Vec::new()));
}

#[test]
fn offsets_count_the_magic() {
    let reason = Reason::Malformed { fault: Fault::WireType, offset: 4 };
    assert_eq!(specify_body(&[0x0f]), Verdict::Plain(reason));
}

/// Puts the right frame round a body.
fn frame(body: &[u8]) -> Vec<u8> {
    [&MAGIC, body, &md5::compute(body).0].concat()
}

/// Reads hexadecimal, and nothing else: the rest is there for the eye.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|digit| digit.to_digit(16)?.try_into().ok()).collect();
    assert!(digits.len() % 2 == 0, "half a byte in {text}");
    digits.chunks_exact(2).map(|pair| (pair[0] << 4) | pair[1]).collect()
}
