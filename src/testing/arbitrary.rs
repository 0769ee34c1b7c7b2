//! Implements `Arbitrary` of the crate `arbitrary`, for fuzzers.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use arbitrary::{Arbitrary, Result, Unstructured};

use super::{BrokenAggregate, Flaw, OwnedUserRecord, ValidAggregate};
use super::{HASH_KEYS, INVALID_HASH_KEYS, LENGTHS, PARTITION_KEYS, partition_key};
use crate::message::{RecordTag, UserRecord};

/// Generates a user record that a producer may send, without tags. It borrows from the fuzzer's bytes.
impl<'a> Arbitrary<'a> for UserRecord<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let text = text(u)?;
        // 1 to 256 characters (E5).
        let end = text.char_indices().nth(256).map_or(text.len(), |(end, _)| end);
        let key = match text.get(..end) {
            Some("") | None => u.choose(PARTITION_KEYS)?,
            Some(key) => key,
        };
        let mut record = Self::new(key, bytes(u)?);
        if bool::arbitrary(u)? {
            record.explicit_hash_key = Some(u.choose(HASH_KEYS)?);
        }
        Ok(record)
    }
}

/// Generates a user record that a producer may send.
impl<'a> Arbitrary<'a> for OwnedUserRecord {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut record = Self::from(UserRecord::arbitrary(u)?);
        if one_in(u, 2)? {
            record.partition_key = u.choose(PARTITION_KEYS)?.to_string();
        } else if one_in(u, 8)? {
            let character = char::arbitrary(u)?;
            record.partition_key = partition_key(vec![character; u.int_in_range(1..=256)?]);
        }
        if record.explicit_hash_key.is_some() && bool::arbitrary(u)? {
            record.explicit_hash_key = Some(u128::arbitrary(u)?.to_string());
        }
        if one_in(u, 16)? {
            record.data = vec![u8::arbitrary(u)?; *u.choose(LENGTHS)?];
        }
        if one_in(u, 4)? {
            let mut tags = vec![RecordTag { key: text(u)?, value: None }];
            if bool::arbitrary(u)? {
                tags.push(RecordTag { key: text(u)?, value: Some(text(u)?) });
            }
            record.set_tags(&tags);
        }
        Ok(record)
    }
}

impl<'a> Arbitrary<'a> for ValidAggregate {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let choices = choices(u)?;
        let mut records = records(u)?;
        // An aggregate may hold keys that no producer may send (D14).
        if one_in(u, 4)? {
            if let Some(record) = records.first_mut() {
                record.partition_key.clear();
                record.explicit_hash_key = Some(u.choose(INVALID_HASH_KEYS)?.to_string());
            }
        }
        Ok(Self::new(records, choices))
    }
}

impl<'a> Arbitrary<'a> for BrokenAggregate {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let flaw = Flaw::arbitrary(u)?;
        let choices = choices(u)?;
        Ok(Self::new(flaw, &records(u)?, choices))
    }
}

impl<'a> Arbitrary<'a> for Flaw {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        u.choose(Self::ALL).copied()
    }
}

fn records(u: &mut Unstructured<'_>) -> Result<Vec<OwnedUserRecord>> {
    let max = if one_in(u, 16)? { 200 } else { 8 };
    let count = u.int_in_range(0..=max)?;
    (0..count).map(|_| OwnedUserRecord::arbitrary(u)).collect()
}

fn choices<'a>(u: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    // At most half of the bytes: the user records need some, too.
    let max = 256.min(u.len() / 2);
    at_most(u, max)
}

/// Takes a few of the fuzzer's bytes, now and then many.
fn bytes<'a>(u: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    let max = if one_in(u, 16)? { u.len() } else { 24 };
    at_most(u, max)
}

fn at_most<'a>(u: &mut Unstructured<'a>, max: usize) -> Result<&'a [u8]> {
    let len = u.int_in_range(0..=max)?;
    // Choosing the length has taken bytes, too.
    u.bytes(len.min(u.len()))
}

/// Takes some of the fuzzer's bytes, up to the first that is not UTF-8.
fn text<'a>(u: &mut Unstructured<'a>) -> Result<&'a str> {
    let bytes = bytes(u)?;
    Ok(bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid()))
}

/// Returns true once in `odds` times, and false when no bytes are left.
fn one_in(u: &mut Unstructured<'_>, odds: u8) -> Result<bool> {
    Ok(u8::arbitrary(u)? % odds.max(1) == odds - 1)
}
