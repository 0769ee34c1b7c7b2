//! Bodies that others are compared with, and parts of bodies.

#![allow(dead_code, reason = "not every test file uses all of it")]

use crate::common::random::Random;
use crate::common::{field, varint};

/// A body of about `len` bytes as producers make them: user records of about 100 bytes, with 256 keys at most.
pub(crate) fn ordinary(len: usize) -> Vec<u8> {
    let mut random = Random::new(0);
    let keys = (len / 400).clamp(1, 256);
    let mut body: Vec<u8> = (0..keys).flat_map(|key| field(1, format!("device-{key}").as_bytes())).collect();
    while body.len() < len {
        body.extend(record(random.below(keys), &random.bytes(98)));
    }
    body
}

/// A user record with an index and data.
pub(crate) fn record(index: usize, data: &[u8]) -> Vec<u8> {
    record_with(index, &field(3, data))
}

/// A user record with an index and more fields.
pub(crate) fn record_with(index: usize, fields: &[u8]) -> Vec<u8> {
    field(3, &[&[8], &varint(index.try_into().unwrap_or(0))[..], fields].concat())
}

/// One user record with key and data, and these fields.
pub(crate) fn in_a_record(fields: &[u8]) -> Vec<u8> {
    [field(1, b"k"), record_with(0, &[&[0x1a, 1, b'x'], fields].concat())].concat()
}

/// One user record with a tag that has these fields after its key.
pub(crate) fn in_a_tag(fields: &[u8]) -> Vec<u8> {
    in_a_record(&field(4, &[&[0x0a, 1, b'k'], fields].concat()))
}

/// As many keys as records, each record with a key anywhere in the table.
pub(crate) fn scattered(count: usize) -> Vec<u8> {
    let mut random = Random::new(0);
    let mut body = field(1, b"k").repeat(count);
    body.extend((0..count).flat_map(|_| record(random.below(count), b"x")));
    body
}
