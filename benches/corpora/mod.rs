//! The user records and payloads that all benchmarks work on: the same in every run and on every machine.
//!
//! | corpus | user records | of | partition keys | payload |
//! |---|---:|---|---:|---:|
//! | A | 10,000 | 80 to 111 bytes | 256 | 1.03 MB |
//! | B | 500 | 80 to 111 bytes | 32 | 52 KB |
//! | C | 10 | 104 KB | 10 | 1.04 MB |
//! | D | 40,000 | 16 bytes | 1 | 0.88 MB |
//! | E | 10,000 | 48 to 63 bytes | 10,000 | 1.0 MB |
//! | H | 80,000 | 1 byte | 80,000, of a byte | 0.96 MB |
//!
//! H is hostile: no producer would write it.

use core::ops::Range;

use kinesis_aggregation::{Limits, RecordAggregator, UserRecord};
use kinesis_aggregation::decode::{MAGIC, Md5};

#[path = "../../tests/common/random.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod random;

pub(crate) use random::Random;

/// Some user records, and their aggregate in canonical order.
///
/// Keys and data lie together: else much of what is timed would be to fetch them from all over the memory.
pub(crate) struct Corpus {
    pub(crate) name: &'static str,
    keys: Vec<String>,
    data: Vec<u8>,
    /// The number of the key, and where the data ends.
    records: Vec<(usize, usize)>,
    pub(crate) payload: Vec<u8>,
}

impl Corpus {
    /// All that a producer may have sent.
    pub(crate) fn usual() -> Vec<Self> {
        vec![
            Self::new("A", 10_000, 80..112, 256),
            Self::new("B", 500, 80..112, 32),
            Self::new("C", 10, 104_000..104_001, 10),
            Self::new("D", 40_000, 16..17, 1),
            Self::new("E", 10_000, 48..64, 10_000),
        ]
    }

    /// `count` user records with data of any length of `sizes`, and any of `keys` keys; each of these is used once, if
    /// there are as many user records.
    pub(crate) fn new(name: &'static str, count: usize, sizes: Range<usize>, keys: usize) -> Self {
        let mut random = Random::new(2026);
        let keys: Vec<String> = (0..keys).map(|_| uuid(&mut random)).collect();
        let mut data = Vec::new();
        let mut records: Vec<_> = (0..count)
            .map(|number| {
                let key = if count == keys.len() { number } else { random.below(keys.len()) };
                let len = sizes.start + random.below(sizes.len());
                data.extend(random.bytes(len));
                (key, data.len())
            })
            .collect();
        if count > keys.len() {
            // However few user records there are, every key is used.
            for (number, (key, _)) in records.iter_mut().enumerate().take(keys.len()) {
                *key = number;
            }
        }
        let mut corpus = Self { name, keys, data, records, payload: Vec::new() };
        let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
        for record in corpus.user_records() {
            assert_eq!(aggregator.add(record), Ok(None), "one aggregate");
        }
        corpus.payload = aggregator.finish().expect("user records").into_data();
        corpus
    }

    pub(crate) fn user_records(&self) -> impl ExactSizeIterator<Item = UserRecord<'_>> {
        let mut start = 0;
        self.records.iter().map(move |&(key, end)| {
            let data = &self.data[start..end];
            start = end;
            UserRecord::new(self.keys[key].as_str(), data)
        })
    }
}

/// Corpus H: 80,000 keys, and as many user records that point anywhere among them.
pub(crate) fn hostile() -> Vec<u8> {
    let mut random = Random::new(2026);
    let mut body = Vec::new();
    for _ in 0..80_000 {
        body.extend([0x0a, 1, b'a' + random.byte() % 26]);
    }
    for _ in 0..80_000 {
        let index = random.below(80_000);
        let mut record = vec![0x08];
        varint(&mut record, index);
        record.extend([0x1a, 1, random.byte()]);
        body.push(0x1a);
        varint(&mut body, record.len());
        body.extend(record);
    }
    frame(&body)
}

/// A body with magic and digest.
pub(crate) fn frame(body: &[u8]) -> Vec<u8> {
    [&MAGIC[..], body, &Md5::digest(body)].concat()
}

fn varint(bytes: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

/// A key of 36 characters.
fn uuid(random: &mut Random) -> String {
    let (high, low) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}
