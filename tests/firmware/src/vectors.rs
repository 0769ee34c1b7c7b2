//! Decodes the golden vectors, and re-encodes those of other producers.

use core::fmt::{self, Write};

use kinesis_aggregation::decode::{Md5, PlainReason};
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::{Encoder, Limits, Payload, UserRecord};

use crate::Failure;

include!(concat!(env!("OUT_DIR"), "/vectors.rs"));

/// A payload and its verdict. `build.rs` generates the tables.
pub(crate) struct Vector {
    name: &'static str,
    payload: &'static [u8],
    verdict: Expected,
}

enum Expected {
    /// The number of user records, and a digest over all their fields.
    Aggregated { records: usize, digest: [u8; 16] },
    /// For example `NoMagic` or `Truncated at 7`.
    Plain(&'static str),
}

/// At least the number of keys in any vector.
const KEYS: usize = 132;

pub(crate) fn decode(all: &mut Md5) -> Result<usize, Failure> {
    for vector in DECODE.iter().chain(ENCODE) {
        let mut keys = [""; KEYS];
        let right = match (Payload::parse(vector.payload, &mut keys), &vector.verdict) {
            (Payload::Aggregated(aggregate), Expected::Aggregated { records, digest }) => {
                let mut fields = Md5::new();
                aggregate.records().for_each(|user| take_in(&mut fields, &user));
                let found = fields.finalize();
                all.update(&found);
                aggregate.len() == *records && aggregate.records().count() == *records && found == *digest
            }
            (Payload::Plain(reason), Expected::Plain(expected)) => {
                let found = in_words(reason);
                all.update(found.text().as_bytes());
                found.text() == *expected
            }
            _ => false,
        };
        if !right {
            return Err(Failure(vector.name));
        }
    }
    Ok(DECODE.len() + ENCODE.len())
}

/// Encodes what was decoded: as many bytes as the other producers wrote, which decode to the same user records.
pub(crate) fn encode_again(buffer: &mut [u8], all: &mut Md5) -> Result<usize, Failure> {
    for vector in ENCODE {
        let failure = Failure(vector.name);
        let mut keys = [""; KEYS];
        let Payload::Aggregated(aggregate) = Payload::parse(vector.payload, &mut keys) else {
            return Err(failure);
        };
        let mut encoder = Encoder::<16>::new(buffer, Limits::KINESIS_MAX);
        for user in &aggregate {
            if encoder.add(user) != Ok(AddStatus::Added) {
                return Err(failure);
            }
        }
        let encoded = encoder.finish().ok_or(failure)?;
        all.update(encoded.data);
        let mut keys = [""; KEYS];
        let Payload::Aggregated(again) = Payload::parse(encoded.data, &mut keys) else {
            return Err(failure);
        };
        if encoded.data.len() != vector.payload.len() || !again.records().eq(aggregate.records()) {
            return Err(failure);
        }
    }
    Ok(ENCODE.len())
}

/// Hashes all fields as `fields` in `build.rs` does, with the MD5 under test.
pub(crate) fn take_in(digest: &mut Md5, user: &UserRecord<'_>) {
    let mut take = |bytes: Option<&[u8]>| match bytes {
        None => digest.update(&[0]),
        Some(bytes) => {
            digest.update(&[1]);
            digest.update(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
            digest.update(bytes);
        }
    };
    take(Some(user.partition_key.as_bytes()));
    take(user.explicit_hash_key.map(str::as_bytes));
    take(Some(user.data));
    for tag in user.tags {
        take(Some(tag.key.as_bytes()));
        take(tag.value.map(str::as_bytes));
    }
}

fn in_words(reason: PlainReason) -> Line {
    let mut line = Line::new();
    // If it does not fit, the comparison fails.
    _ = match reason {
        PlainReason::Malformed(error) => write!(line, "{:?} at {}", error.kind(), error.offset()),
        other => write!(line, "{other:?}"),
    };
    line
}

/// A short string without a heap.
pub(crate) struct Line {
    bytes: [u8; 48],
    len: usize,
}

impl Line {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; 48], len: 0 }
    }

    pub(crate) fn text(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
