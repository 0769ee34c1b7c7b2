//! The user records, payloads and shard maps that all benchmarks work on: the same in every run and on every machine.
//!
//! | corpus | user records | of | partition keys | payload |
//! |---|---:|---|---:|---:|
//! | A | 10,000 | 80 to 111 bytes | 256 | 1.03 MB |
//! | B | 500 | 80 to 111 bytes | 32 | 52 KB |
//! | C | 10 | 104 KB | 10 | 1.04 MB |
//! | D | 40,000 | 16 bytes | 1 | 0.88 MB |
//! | E | 10,000 | 48 to 63 bytes | 10,000 | 1.0 MB |
//! | L | 3,000 | 150 to 500 bytes | 256 | 1.0 MB |
//! | X | 10,000, with explicit hash keys | 80 to 111 bytes | 256 | 1.07 MB |
//! | H | 80,000 | 1 byte | 80,000 of one byte | 0.96 MB |
//!
//! No producer would write H: it is the worst case that an attacker might send.

use core::ops::Range;

use crate::ours::{self, MAGIC, Md5, ShardMap, UserRecord};

#[path = "../../tests/common/random.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod random;

use random::Random;

/// User records, and their aggregate in canonical order.
///
/// Keys and data lie together. Otherwise benchmarks would mostly measure fetching them from all over memory.
pub struct Corpus {
    pub name: &'static str,
    keys: Vec<String>,
    /// An explicit hash key for each partition key, or none at all.
    hash_keys: Vec<String>,
    data: Vec<u8>,
    /// The index of the key, and where the data ends.
    records: Vec<(usize, usize)>,
    pub payload: Vec<u8>,
}

impl Corpus {
    /// All corpora but H.
    pub fn all() -> Vec<Self> {
        vec![
            Self::new("A", 10_000, 80..112, 256),
            Self::new("B", 500, 80..112, 32),
            Self::new("C", 10, 104_000..104_001, 10),
            Self::new("D", 40_000, 16..17, 1),
            Self::new("E", 10_000, 48..64, 10_000),
            Self::new("L", 3_000, 150..501, 256),
            Self::new("X", 10_000, 80..112, 256).with_explicit_hash_keys(),
        ]
    }

    /// `count` user records with data of any length in `sizes`, and any of `keys` keys. Every key is used if there are
    /// enough user records, and used once if there are as many.
    pub fn new(name: &'static str, count: usize, sizes: Range<usize>, keys: usize) -> Self {
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
            for (number, (key, _)) in records.iter_mut().enumerate().take(keys.len()) {
                *key = number;
            }
        }
        Self { name, keys, hash_keys: Vec::new(), data, records, payload: Vec::new() }.encoded()
    }

    /// Gives each partition key an explicit hash key, as a producer does that chooses shards itself.
    fn with_explicit_hash_keys(mut self) -> Self {
        self.hash_keys = hash_keys(self.keys.len()).iter().map(u128::to_string).collect();
        self.encoded()
    }

    fn encoded(mut self) -> Self {
        self.payload = ours::aggregate(&mut ours::aggregator(), self.user_records()).expect("user records");
        self
    }

    pub fn has_explicit_hash_keys(&self) -> bool {
        !self.hash_keys.is_empty()
    }

    /// The payload without magic and digest.
    pub fn body(&self) -> &[u8] {
        body(&self.payload)
    }

    pub fn user_records(&self) -> impl ExactSizeIterator<Item = UserRecord<'_>> {
        let mut start = 0;
        self.records.iter().map(move |&(key, end)| {
            let data = &self.data[start..end];
            start = end;
            let record = UserRecord::new(self.keys[key].as_str(), data);
            match self.hash_keys.get(key) {
                Some(hash_key) => record.with_explicit_hash_key(hash_key),
                None => record,
            }
        })
    }
}

/// Corpus H: 80,000 keys, and as many user records that point to random ones.
pub fn hostile() -> Vec<u8> {
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
    [&MAGIC[..], &body, &Md5::digest(&body)].concat()
}

/// An aggregate without magic and digest.
pub fn body(payload: &[u8]) -> &[u8] {
    payload
        .strip_prefix(&MAGIC)
        .and_then(<[u8]>::split_last_chunk::<16>)
        .map(|(body, _)| body)
        .expect("an aggregated record")
}

/// Random bytes.
pub fn bytes(len: usize) -> Vec<u8> {
    Random::new(1).bytes(len)
}

/// Messages as long as what a consumer has at hand: payloads of 40 to 60 KB.
pub fn messages(count: usize) -> Vec<Vec<u8>> {
    let mut random = Random::new(2);
    (0..count)
        .map(|_| {
            let len = 40_000 + random.below(20_000);
            random.bytes(len)
        })
        .collect()
}

/// Partition keys of 32 characters.
pub fn partition_keys(count: usize) -> Vec<String> {
    let mut random = Random::new(7);
    (0..count).map(|_| format!("{:032x}", random.next())).collect()
}

/// Random hash keys. As many as benchmarks use are more than a branch predictor can learn.
pub fn hash_keys(count: usize) -> Vec<u128> {
    let mut random = Random::new(5);
    (0..count).map(|_| hash_key(&mut random)).collect()
}

/// A map as streams are created: all shards are equally large.
pub fn even_map(shards: usize) -> ShardMap {
    let width = u128::MAX / shards as u128;
    ours::map(&(1..shards as u128).map(|number| number * width).collect::<Vec<_>>())
}

/// A map of a stream that was split where it was busy: up to half of the shards come from halving one again and again, the
/// others are split at random.
pub fn uneven_map(shards: usize) -> ShardMap {
    let mut random = Random::new(3);
    let mut starts: Vec<u128> = (0..(shards / 2).min(32)).map(|halved| u128::MAX >> 1 >> halved).collect();
    starts.resize_with(shards - 1, || hash_key(&mut random));
    starts.sort_unstable();
    ours::map(&starts)
}

fn hash_key(random: &mut Random) -> u128 {
    u128::from(random.next()) << 64 | u128::from(random.next())
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
