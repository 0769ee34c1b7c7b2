//! Shared by tests: user records that own what they hold, the vectors, hexadecimal and framing.

#![allow(dead_code, reason = "no test uses all of it")]
#![expect(clippy::panic, reason = "a panic fails the test, as it should")]

#[cfg(feature = "alloc")]
pub(crate) mod encode;
pub(crate) mod random;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::{MAGIC, Md5, RecordTag};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Returns how many cases a test should run, if a number is asked for.
pub(crate) fn cases() -> Option<usize> {
    std::env::var("KINESIS_AGG_CASES").ok()?.parse().ok()
}

/// A user record that owns what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) partition_key: String,
    pub(crate) explicit_hash_key: Option<String>,
    pub(crate) data: Vec<u8>,
    pub(crate) tags: Vec<(String, Option<String>)>,
}

impl Record {
    pub(crate) fn new(partition_key: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self { partition_key: partition_key.into(), data: data.into(), ..Self::default() }
    }

    pub(crate) fn with_explicit_hash_key(self, key: impl Into<String>) -> Self {
        Self { explicit_hash_key: Some(key.into()), ..self }
    }

    pub(crate) fn with_tag(mut self, key: impl Into<String>, value: Option<&str>) -> Self {
        self.tags.push((key.into(), value.map(Into::into)));
        self
    }

    /// Borrows everything except for the tags.
    pub(crate) fn untagged(&self) -> UserRecord<'_> {
        let record = UserRecord::new(&self.partition_key, &self.data);
        match &self.explicit_hash_key {
            Some(key) => record.with_explicit_hash_key(key),
            None => record,
        }
    }

    fn borrow_tags(&self) -> Vec<RecordTag<'_>> {
        self.tags.iter().map(|(key, value)| RecordTag { key, value: value.as_deref() }).collect()
    }
}

/// Runs a test on user records that borrow from these.
pub(crate) fn with_records<T>(owned: &[Record], test: impl FnOnce(&[UserRecord<'_>]) -> T) -> T {
    let tags: Vec<_> = owned.iter().map(Record::borrow_tags).collect();
    let records: Vec<_> =
        owned.iter().zip(&tags).map(|(record, tags)| record.untagged().with_tags(tags)).collect();
    test(&records)
}

/// Runs a test on a user record that borrows from this one.
pub(crate) fn with_record<T>(owned: &Record, test: impl FnOnce(UserRecord<'_>) -> T) -> T {
    test(owned.untagged().with_tags(&owned.borrow_tags()))
}

impl From<UserRecord<'_>> for Record {
    fn from(record: UserRecord<'_>) -> Self {
        Self {
            partition_key: record.partition_key.to_owned(),
            explicit_hash_key: record.explicit_hash_key.map(str::to_owned),
            data: record.data.to_vec(),
            tags: record.tags.map(|tag| (tag.key.to_owned(), tag.value.map(str::to_owned))).collect(),
        }
    }
}

/// Copies user records, and asserts that each has its sub-sequence number (D17).
pub(crate) fn records<'a>(users: impl IntoIterator<Item = UserRecord<'a>>) -> Vec<Record> {
    let numbered = |(number, user): (u64, UserRecord<'a>)| {
        assert_eq!(user.sub_sequence_number, number, "{user:?}");
        Record::from(user)
    };
    (0..).zip(users).map(numbered).collect()
}

/// A line of `tests/vectors/decode.jsonl`: a payload and what it is.
pub(crate) struct DecodeVector {
    pub(crate) name: String,
    pub(crate) payload: Vec<u8>,
    /// The user records, or why the payload is plain, as `PlainReason::as_str` says it.
    pub(crate) expected: Result<Vec<Record>, String>,
}

/// A line of `tests/vectors/encode.jsonl`: user records, and the aggregate that another implementation made of them.
pub(crate) struct EncodeVector {
    pub(crate) name: String,
    pub(crate) records: Vec<Record>,
    pub(crate) encoded: Vec<u8>,
}

pub(crate) fn decode_vectors() -> Vec<DecodeVector> {
    #[derive(Deserialize)]
    struct Row {
        name: String,
        payload: String,
        expect: Expect,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Expect {
        Plain(String),
        Records(Vec<RecordRow>),
    }

    let vector = |row: Row| DecodeVector {
        name: row.name,
        payload: hex(&row.payload),
        expected: match row.expect {
            Expect::Plain(reason) => Err(reason),
            Expect::Records(rows) => Ok(rows.into_iter().map(|row| row.into_record(hex)).collect()),
        },
    };
    lines("decode.jsonl").into_iter().map(vector).collect()
}

pub(crate) fn encode_vectors() -> Vec<EncodeVector> {
    #[derive(Deserialize)]
    struct Row {
        name: String,
        records: Vec<RecordRow>,
        encoded: String,
    }

    let vector = |row: Row| EncodeVector {
        name: row.name,
        records: row.records.into_iter().map(|row| row.into_record(base64)).collect(),
        encoded: base64(&row.encoded),
    };
    lines("encode.jsonl").into_iter().map(vector).collect()
}

/// The payloads of all vectors that are aggregates, with their names.
pub(crate) fn aggregates() -> Vec<(String, Vec<u8>)> {
    let decoded = decode_vectors().into_iter().filter(|vector| vector.expected.is_ok());
    let encoded = encode_vectors().into_iter().map(|vector| (vector.name, vector.encoded));
    decoded.map(|vector| (vector.name, vector.payload)).chain(encoded).collect()
}

#[derive(Deserialize)]
struct RecordRow {
    partition_key: String,
    explicit_hash_key: Option<String>,
    data: String,
    #[serde(default)]
    tags: Vec<(String, Option<String>)>,
}

impl RecordRow {
    fn into_record(self, bytes: fn(&str) -> Vec<u8>) -> Record {
        let Self { partition_key, explicit_hash_key, data, tags } = self;
        Record { partition_key, explicit_hash_key, data: bytes(&data), tags }
    }
}

fn lines<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let row = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{path}: {error}: {line}"));
    text.lines().map(row).collect()
}

/// Reads hexadecimal digits, and ignores everything else.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    let byte = |pair: &[u32]| match *pair {
        [high, low] => u8::try_from(high << 4 | low).ok(),
        _ => None,
    };
    let bytes: Option<_> = digits.chunks(2).map(byte).collect();
    bytes.unwrap_or_else(|| panic!("half a byte in {text}"))
}

/// Shows bytes as [`hex`] reads them.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The shortest varint of a value.
pub(crate) fn varint(value: u64) -> Vec<u8> {
    let [lowest, ..] = value.to_le_bytes();
    if value < 0x80 { vec![lowest] } else { [vec![lowest | 0x80], varint(value >> 7)].concat() }
}

/// A varint of at least so many bytes.
pub(crate) fn long_varint(value: u64, at_least: usize) -> Vec<u8> {
    let mut bytes = varint(value);
    if bytes.len() < at_least {
        bytes.last_mut().into_iter().for_each(|last| *last |= 0x80);
        bytes.resize(at_least.saturating_sub(1), 0x80);
        bytes.push(0);
    }
    bytes
}

/// A length-delimited field.
pub(crate) fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    [&varint(number << 3 | 2), &varint(length), bytes].concat()
}

/// Puts a body into a valid frame.
pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    [&MAGIC, body, &Md5::digest(body)].concat()
}

/// Returns the body of a payload, whatever its magic and digest are.
pub(crate) fn unframe(payload: &[u8]) -> &[u8] {
    let body = payload.split_first_chunk::<4>().and_then(|(_, rest)| rest.split_last_chunk::<16>());
    body.map_or(&[], |(body, _)| body)
}
