//! `Arbitrary` of the crate `arbitrary`, for fuzzers.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::message::{RecordTag, UserRecord};
use crate::testing::samples::{FOREIGN_HASH_KEYS, HASH_KEYS, LENGTHS, PARTITION_KEYS, partition_key};
use crate::testing::{BrokenAggregate, Flaw, OwnedUserRecord, ValidAggregate};

/// The most user records of an aggregate.
const MOST_RECORDS: usize = 200;

/// The most choices of a spelling.
const MOST_CHOICES: usize = 256;

/// A user record that a producer may send, without tags. What it borrows are the bytes of the fuzzer.
impl<'a> Arbitrary<'a> for UserRecord<'a> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let text = text(u)?;
        // As many characters as are allowed, or the first key that there is (E5).
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

/// A user record that a producer may send.
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
            record.set_tags(tags);
        }
        Ok(record)
    }
}

impl<'a> Arbitrary<'a> for ValidAggregate {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let choices = choices(u)?;
        let mut records = records(u)?;
        // An aggregate may hold what no producer may send.
        if one_in(u, 4)? {
            if let Some(record) = records.first_mut() {
                record.partition_key.clear();
                record.explicit_hash_key = Some(u.choose(FOREIGN_HASH_KEYS)?.to_string());
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
    let most = if one_in(u, 16)? { MOST_RECORDS } else { 8 };
    let count = u.int_in_range(0..=most)?;
    (0..count).map(|_| OwnedUserRecord::arbitrary(u)).collect()
}

fn choices<'a>(u: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    // At most half of what there is: something is to be spelled, too.
    let most = MOST_CHOICES.min(u.len() / 2);
    at_most(u, most)
}

/// Bytes of the fuzzer: few, as others are to have some, or now and then many.
fn bytes<'a>(u: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    let most = if one_in(u, 16)? { u.len() } else { 24 };
    at_most(u, most)
}

fn at_most<'a>(u: &mut Unstructured<'a>, most: usize) -> Result<&'a [u8]> {
    let len = u.int_in_range(0..=most)?;
    // The number itself took bytes.
    u.bytes(len.min(u.len()))
}

/// Bytes of the fuzzer, as far as they are text.
fn text<'a>(u: &mut Unstructured<'a>) -> Result<&'a str> {
    let bytes = bytes(u)?;
    Ok(bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid()))
}

/// True once in `odds` times, and not when nothing is left.
fn one_in(u: &mut Unstructured<'_>, odds: u8) -> Result<bool> {
    Ok(u8::arbitrary(u)?.checked_rem(odds) == odds.checked_sub(1))
}
