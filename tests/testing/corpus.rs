//! `tests/corpus` is what its sources give, and says of each payload what the decoder and the specification say.
//!
//! The sources are `tests/vectors`, every [`Flaw`], and valid aggregates in many spellings. To write it anew:
//! `KINESIS_AGG_WRITE=1 cargo test --features arbitrary,proptest --test testing corpus`

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, PlainReason, RecordTag};
use kinesis_aggregation::testing::{BrokenAggregate, Flaw, OwnedUserRecord, ValidAggregate};
use kinesis_aggregation::{ParseError, UserRecord};
use serde::{Deserialize, Serialize};

use crate::agree::agree;
use crate::common::random::Random;
use crate::common::{Record, decode_vectors, encode_vectors, hex, to_hex};
use crate::reference::{Reason, SpecRecord, Verdict, specify};

/// The most bytes of a payload: the corpus stays small.
const LARGEST: usize = 4096;

/// A line of `cases.jsonl`.
#[derive(Debug, Deserialize, Serialize)]
struct Case {
    name: String,
    class: String,
    why: String,
    verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Vec<CaseRecord>>,
    payload: String,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct CaseRecord {
    partition_key: String,
    explicit_hash_key: Option<String>,
    data: String,
    tags: Vec<(String, Option<String>)>,
}

impl From<Record> for CaseRecord {
    fn from(record: Record) -> Self {
        let Record { partition_key, explicit_hash_key, data, tags } = record;
        Self { partition_key, explicit_hash_key, data: to_hex(&data), tags }
    }
}

impl Case {
    /// Says of a payload what the specification says.
    fn new(name: &str, why: &str, payload: &[u8]) -> Self {
        let mut case = Self {
            name: name.to_owned(),
            class: String::new(),
            why: why.to_owned(),
            verdict: String::new(),
            kind: None,
            offset: None,
            records: None,
            payload: to_hex(payload),
        };
        let (class, verdict) = match specify(payload) {
            Verdict::Plain(Reason::NoMagic) => ("plain", "no_magic"),
            Verdict::Plain(Reason::TooShort) => ("plain", "too_short"),
            Verdict::Plain(Reason::DigestMismatch) => ("plain", "digest_mismatch"),
            Verdict::Plain(Reason::Malformed { fault, offset }) => {
                case.kind = Some(format!("{fault:?}"));
                case.offset = Some(offset);
                ("malformed", "malformed")
            }
            Verdict::Aggregated(records) => {
                let class = if is_usual(&records, payload) { "valid" } else { "odd" };
                let record = |record: SpecRecord| CaseRecord {
                    partition_key: record.partition_key,
                    explicit_hash_key: record.explicit_hash_key,
                    data: to_hex(&record.data),
                    tags: record.tags,
                };
                case.records = Some(records.into_iter().map(record).collect());
                (class, "aggregated")
            }
        };
        (case.class, case.verdict) = (class.to_owned(), verdict.to_owned());
        case
    }

    fn file(&self) -> String {
        format!("{}/{}.bin", self.class, self.name)
    }
}

/// Whether an encoder could have written it: user records that may be sent, in canonical or in streamed order.
fn is_usual(records: &[SpecRecord], payload: &[u8]) -> bool {
    let owned = |record: &SpecRecord| {
        let tags: Vec<RecordTag<'_>> =
            record.tags.iter().map(|(key, value)| RecordTag { key, value: value.as_deref() }).collect();
        let mut owned =
            OwnedUserRecord::from(UserRecord::new(&record.partition_key, &record.data).with_tags(&tags));
        owned.explicit_hash_key.clone_from(&record.explicit_hash_key);
        owned
    };
    let records: Vec<OwnedUserRecord> = records.iter().map(owned).collect();
    let may_be_sent = |record: &OwnedUserRecord| record.as_user_record().validate().is_ok();
    let spelled = |choices| ValidAggregate::new(records.clone(), choices).payload == payload;
    !records.is_empty() && records.iter().all(may_be_sent) && (spelled(&[]) || spelled(&[1, 1]))
}

/// All cases, and that their sources agree with the specification.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for vector in decode_vectors() {
        let case = Case::new(&slug(&vector.name), &vector.name, &vector.payload);
        let records: Option<Vec<CaseRecord>> = vector
            .expected
            .as_ref()
            .ok()
            .map(|records| records.iter().cloned().map(CaseRecord::from).collect());
        assert_eq!(case.records, records, "{}", vector.name);
        assert_eq!(&case.verdict, vector.expected.as_ref().err().map_or("aggregated", |reason| reason));
        cases.push(case);
    }
    for vector in encode_vectors().into_iter().filter(|vector| vector.encoded.len() <= LARGEST) {
        let why = format!("written by another implementation: {}", vector.name);
        let case = Case::new(&slug(&vector.name), &why, &vector.encoded);
        assert_eq!(case.records, Some(vector.records.into_iter().map(CaseRecord::from).collect()), "{why}");
        cases.push(case);
    }
    for (name, why, valid) in spellings() {
        let case = Case::new(&name, why, &valid.payload);
        let records = valid.user_records().map(|record| Record::from(record).into()).collect();
        assert_eq!(case.records, Some(records), "{name}");
        cases.push(case);
    }
    for (place, &flaw) in (0..).zip(Flaw::ALL) {
        // In any user record, in any kind of message, and nothing else odd.
        let broken = BrokenAggregate::new(flaw, &sample_records(), &[0, place, place / 3]);
        let case = Case::new(&flaw_name(flaw), flaw.description(), &broken.payload);
        assert_eq!(
            (case.verdict.as_str(), case.kind.clone(), case.offset),
            in_words(broken.reason),
            "{flaw:?}"
        );
        cases.push(case);
    }
    cases
}

fn sample_records() -> Vec<OwnedUserRecord> {
    let tags = [RecordTag { key: "unit", value: Some("C") }];
    vec![
        UserRecord::new("device-7", b"21.5").with_explicit_hash_key("0").with_tags(&tags).into(),
        UserRecord::new("clé", b"").into(),
        UserRecord::new("device-7", b"21.6").with_explicit_hash_key("7").into(),
    ]
}

/// Valid aggregates: a name, why, and the aggregate.
fn spellings() -> Vec<(String, &'static str, ValidAggregate)> {
    let edges: Vec<OwnedUserRecord> =
        ["0", "170141183460469231731687303715884105727", "340282366920938463463374607431768211455"]
            .map(|key| UserRecord::new("a", b"x").with_explicit_hash_key(key).into())
            .into();
    let longest = "é".repeat(256);
    let sets: [(&str, Vec<OwnedUserRecord>); 4] = [
        ("sample", sample_records()),
        ("hash-keys-at-the-edges", edges),
        ("partition-key-of-256-characters", vec![UserRecord::new(&longest, b"x").into()]),
        ("data-of-128-bytes", vec![UserRecord::new("a", &[0x78; 128]).into()]),
    ];
    let mut random = Random::new(8);
    let mut rows = Vec::new();
    for (name, records) in sets {
        let rows_of_set = [
            ("canonical", "canonical order, as the KPL and Google's serializers write", vec![]),
            ("streamed", "streamed order: a key just ahead of the first record that needs it", vec![1, 1]),
            ("tables-last", "the tables come after the records that use them", vec![1, 2]),
        ];
        for (layout, why, choices) in rows_of_set {
            rows.push((format!("{name}-{layout}"), why, ValidAggregate::new(records.clone(), &choices)));
        }
        for place in 1..=4 {
            // Mostly odd; any order.
            let choices = [vec![3, 3], random.bytes(200)].concat();
            let why = "odd in many ways: unknown fields and groups, over-long varints, overridden fields, unused keys";
            rows.push((format!("{name}-odd-{place}"), why, ValidAggregate::new(records.clone(), &choices)));
        }
    }
    // One record in streamed order is canonical, too.
    let mut seen = BTreeSet::new();
    rows.retain(|(_, _, valid)| seen.insert(valid.payload.clone()));
    rows
}

/// Verdict, kind and offset.
fn in_words(reason: PlainReason) -> (&'static str, Option<String>, Option<usize>) {
    match reason {
        PlainReason::Malformed(error) => {
            ("malformed", Some(format!("{:?}", error.kind())), Some(error.offset()))
        }
        reason => (reason.as_str(), None, None),
    }
}

/// A name for a file: lower-case words.
fn slug(name: &str) -> String {
    let spaced: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join("-")
}

/// `IndexWraps32` is `flaw-index-wraps32`.
fn flaw_name(flaw: Flaw) -> String {
    let spaced = |name: String, c: char| {
        if c.is_uppercase() { name + " " + &c.to_string() } else { name + &c.to_string() }
    };
    format!("flaw-{}", slug(&format!("{flaw:?}").chars().fold(String::new(), spaced)))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// All files that are to be there but the README, by path.
fn files(cases: &[Case]) -> BTreeMap<String, Vec<u8>> {
    let line = |case: &Case| serde_json::to_string(case).unwrap_or_else(|error| panic!("{error}")) + "\n";
    let table: String = cases.iter().map(line).collect();
    let mut files: BTreeMap<_, _> = cases.iter().map(|case| (case.file(), hex(&case.payload))).collect();
    assert_eq!(files.len(), cases.len(), "two cases have the same name");
    files.insert("cases.jsonl".to_owned(), table.into_bytes());
    files
}

/// The files that are there but the README, by path.
fn found() -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let entries =
        |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries(&folder()) {
        for file in entries(&path).chain(path.is_file().then(|| path.clone())) {
            let name = file.strip_prefix(folder()).ok().and_then(Path::to_str).unwrap_or_default().to_owned();
            if name != "README.md" {
                found.insert(name, fs::read(&file).unwrap_or_else(|error| panic!("{file:?}: {error}")));
            }
        }
    }
    found
}

#[test]
fn corpus_is_what_its_sources_give() {
    let cases = cases();
    let files = files(&cases);
    if std::env::var_os("KINESIS_AGG_WRITE").is_some() {
        for stale in found().keys().filter(|name| !files.contains_key(*name)) {
            fs::remove_file(folder().join(stale)).unwrap();
        }
        for (name, content) in &files {
            let path = folder().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
    let found = found();
    assert_eq!(found.keys().collect::<Vec<_>>(), files.keys().collect::<Vec<_>>());
    for (name, content) in &files {
        assert!(found.get(name) == Some(content), "{name} is not what its sources give");
    }
    let size: usize = found.values().map(Vec::len).sum();
    assert!(size < 300_000, "{size} bytes");
    for class in ["valid", "odd", "plain", "malformed"] {
        assert!(cases.iter().filter(|case| case.class == class).count() >= 8, "{class}");
    }
}

/// Reads the corpus as anybody would.
#[test]
fn corpus_says_what_the_decoder_says() {
    let table = fs::read_to_string(folder().join("cases.jsonl")).unwrap();
    let cases: Vec<Case> = table.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(cases.len() > 150);
    for case in cases {
        let payload = fs::read(folder().join(case.file())).unwrap();
        assert_eq!(to_hex(&payload), case.payload, "{}", case.name);
        agree(&payload, DigestCheck::Verify);
        match AggregatedRecord::parse(&payload, Vec::new()) {
            Ok(aggregate) => {
                let records = aggregate.records().map(|record| Record::from(record).into()).collect();
                assert_eq!(case.records, Some(records), "{}", case.name);
                assert_eq!((case.verdict.as_str(), case.kind, case.offset), ("aggregated", None, None));
            }
            Err(ParseError::Plain(reason)) => {
                assert_eq!(
                    (case.verdict.as_str(), case.kind, case.offset),
                    in_words(reason),
                    "{}",
                    case.name
                );
                assert_eq!(case.records, None);
            }
            Err(error) => panic!("{error}"),
        }
    }
}
