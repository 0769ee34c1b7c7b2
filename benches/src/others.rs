//! The same work done with other crates, as their documentation recommends.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;
use prost::Message;
use quick_protobuf::{BytesReader, MessageRead};

use crate::corpora::body;
use crate::ours::{MAGIC, UserRecord};

/// The messages for prost; `data` is copied.
#[derive(Clone, PartialEq, Message)]
pub struct Aggregated {
    #[prost(string, repeated, tag = "1")]
    pub partition_key_table: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub explicit_hash_key_table: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    pub records: Vec<Record>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Record {
    #[prost(uint64, required, tag = "1")]
    pub partition_key_index: u64,
    #[prost(uint64, optional, tag = "2")]
    pub explicit_hash_key_index: Option<u64>,
    #[prost(bytes = "vec", required, tag = "3")]
    pub data: Vec<u8>,
    #[prost(message, repeated, tag = "4")]
    pub tags: Vec<Tag>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Tag {
    #[prost(string, required, tag = "1")]
    pub key: String,
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

/// The messages for prost; `data` shares the memory of the payload.
#[derive(Clone, PartialEq, Message)]
pub struct SharedAggregated {
    #[prost(string, repeated, tag = "1")]
    pub partition_key_table: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub explicit_hash_key_table: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    pub records: Vec<SharedRecord>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SharedRecord {
    #[prost(uint64, required, tag = "1")]
    pub partition_key_index: u64,
    #[prost(uint64, optional, tag = "2")]
    pub explicit_hash_key_index: Option<u64>,
    #[prost(bytes = "bytes", required, tag = "3")]
    pub data: Bytes,
    #[prost(message, repeated, tag = "4")]
    pub tags: Vec<Tag>,
}

/// The messages for quick-protobuf, as its generator writes them.
#[derive(Default)]
pub struct QuickAggregated<'a> {
    pub partition_key_table: Vec<Cow<'a, str>>,
    pub explicit_hash_key_table: Vec<Cow<'a, str>>,
    pub records: Vec<QuickRecord<'a>>,
}

#[derive(Default)]
pub struct QuickRecord<'a> {
    pub partition_key_index: u64,
    pub explicit_hash_key_index: Option<u64>,
    pub data: Cow<'a, [u8]>,
    pub tags: Vec<QuickTag<'a>>,
}

#[derive(Default)]
pub struct QuickTag<'a> {
    pub key: Cow<'a, str>,
    pub value: Option<Cow<'a, str>>,
}

impl<'a> MessageRead<'a> for QuickAggregated<'a> {
    fn from_reader(reader: &mut BytesReader, bytes: &'a [u8]) -> quick_protobuf::Result<Self> {
        let mut message = Self::default();
        while !reader.is_eof() {
            match reader.next_tag(bytes) {
                Ok(10) => message.partition_key_table.push(reader.read_string(bytes).map(Cow::Borrowed)?),
                Ok(18) => message.explicit_hash_key_table.push(reader.read_string(bytes).map(Cow::Borrowed)?),
                Ok(26) => message.records.push(reader.read_message::<QuickRecord>(bytes)?),
                Ok(tag) => reader.read_unknown(bytes, tag)?,
                Err(error) => return Err(error),
            }
        }
        Ok(message)
    }
}

impl<'a> MessageRead<'a> for QuickRecord<'a> {
    fn from_reader(reader: &mut BytesReader, bytes: &'a [u8]) -> quick_protobuf::Result<Self> {
        let mut message = Self::default();
        while !reader.is_eof() {
            match reader.next_tag(bytes) {
                Ok(8) => message.partition_key_index = reader.read_uint64(bytes)?,
                Ok(16) => message.explicit_hash_key_index = Some(reader.read_uint64(bytes)?),
                Ok(26) => message.data = reader.read_bytes(bytes).map(Cow::Borrowed)?,
                Ok(34) => message.tags.push(reader.read_message::<QuickTag>(bytes)?),
                Ok(tag) => reader.read_unknown(bytes, tag)?,
                Err(error) => return Err(error),
            }
        }
        Ok(message)
    }
}

impl<'a> MessageRead<'a> for QuickTag<'a> {
    fn from_reader(reader: &mut BytesReader, bytes: &'a [u8]) -> quick_protobuf::Result<Self> {
        let mut message = Self::default();
        while !reader.is_eof() {
            match reader.next_tag(bytes) {
                Ok(10) => message.key = reader.read_string(bytes).map(Cow::Borrowed)?,
                Ok(18) => message.value = Some(reader.read_string(bytes).map(Cow::Borrowed)?),
                Ok(tag) => reader.read_unknown(bytes, tag)?,
                Err(error) => return Err(error),
            }
        }
        Ok(message)
    }
}

/// The body of an aggregate, after a check of its digest.
pub fn verified(payload: &[u8]) -> &[u8] {
    let body = body(payload);
    assert!(payload.ends_with(&md5::compute(body).0), "the digest is right");
    body
}

/// Reads the key and the data of a user record, as every contender does.
pub fn look_at(sum: usize, partition_key: &str, data: &[u8]) -> usize {
    let byte = |bytes: &[u8]| bytes.first().map_or(0, |&byte| usize::from(byte));
    sum.wrapping_add(partition_key.len()).wrapping_add(byte(data)).wrapping_add(data.len())
}

pub fn by_prost(body: &[u8]) -> usize {
    let message = Aggregated::decode(body).expect("a valid body");
    message.records.iter().fold(0, |sum, record| {
        look_at(sum, &message.partition_key_table[record.partition_key_index as usize], &record.data)
    })
}

pub fn by_prost_bytes(body: Bytes) -> usize {
    let message = SharedAggregated::decode(body).expect("a valid body");
    message.records.iter().fold(0, |sum, record| {
        look_at(sum, &message.partition_key_table[record.partition_key_index as usize], &record.data)
    })
}

pub fn by_quick_protobuf(body: &[u8]) -> usize {
    let mut reader = BytesReader::from_bytes(body);
    let message = QuickAggregated::from_reader(&mut reader, body).expect("a valid body");
    message.records.iter().fold(0, |sum, record| {
        look_at(sum, &message.partition_key_table[record.partition_key_index as usize], &record.data)
    })
}

/// Encodes with prost, the standard library's map and the `md5` crate.
pub fn aggregate_by_prost<'r>(records: impl Iterator<Item = UserRecord<'r>>) -> Vec<u8> {
    let (mut keys, mut hash_keys) = (HashMap::new(), HashMap::new());
    let mut message = Aggregated::default();
    for record in records {
        let partition_key_index = index_of(record.partition_key, &mut keys, &mut message.partition_key_table);
        let explicit_hash_key_index = record
            .explicit_hash_key
            .map(|key| index_of(key, &mut hash_keys, &mut message.explicit_hash_key_table));
        message.records.push(Record {
            partition_key_index,
            explicit_hash_key_index,
            data: record.data.to_vec(),
            tags: Vec::new(),
        });
    }
    let mut payload = Vec::with_capacity(MAGIC.len() + message.encoded_len() + 16);
    payload.extend(MAGIC);
    message.encode(&mut payload).expect("the vector is large enough");
    let digest = md5::compute(&payload[MAGIC.len()..]).0;
    payload.extend(digest);
    payload
}

/// The index of a key in its table, to which it is added if it is new.
fn index_of<'r>(key: &'r str, indexes: &mut HashMap<&'r str, u64>, table: &mut Vec<String>) -> u64 {
    *indexes.entry(key).or_insert_with(|| {
        table.push(key.to_owned());
        table.len() as u64 - 1
    })
}

/// The position of a partition key's shard, found with the `md5` crate and a binary search.
pub fn search(starts: &[u128], partition_key: &str) -> usize {
    let hash_key = u128::from_be_bytes(md5::compute(partition_key).0);
    starts.partition_point(|&start| start <= hash_key) - 1
}
