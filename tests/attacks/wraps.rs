//! Lengths and indexes that are right again, or negative, once they are cut to fewer bits.

use std::collections::BTreeSet;

use kinesis_aggregation::DecodeErrorKind::{
    ExplicitHashKeyIndexOutOfRange, LengthOutOfBounds, PartitionKeyIndexOutOfRange,
};
use kinesis_aggregation::deaggregate;

use crate::common::{field, frame, hex, varint};
use crate::is_malformed;

/// All numbers near a power of two at which something may wrap, those among them that are `right` in fewer bits, and those
/// that are `right` with a sign. All are too large for a body of a few bytes.
fn near_wraps(right: u64) -> BTreeSet<u64> {
    let powers = [8, 15, 16, 24, 31, 32, 33, 48, 62, 63, 64];
    let power = |exponent: u32| 1u64.checked_shl(exponent).unwrap_or(0);
    let near = |exponent: u32| {
        // An addition to where the value stands may wrap as well.
        let below = (1..=64).map(move |less| power(exponent).wrapping_sub(less));
        below.chain((0..=64).map(move |more| power(exponent).wrapping_add(more)))
    };
    let doubled = (32..=63).map(|exponent| power(exponent) | power(32) | right);
    powers.into_iter().flat_map(near).chain(doubled).filter(|&value| value > 150).collect()
}

/// A number in every length from the shortest to the longest.
fn spellings(value: u64) -> impl Iterator<Item = Vec<u8>> {
    let shortest = varint(value);
    (shortest.len()..=10).map(move |len| {
        let mut bytes = shortest.clone();
        if bytes.len() < len {
            bytes.last_mut().into_iter().for_each(|last| *last |= 0x80);
            bytes.resize(len - 1, 0x80);
            bytes.push(0);
        }
        bytes
    })
}

/// A record with a length or index in it, and where in its field that stands.
fn record_around(before: &str, number: &[u8], after: &str) -> (Vec<u8>, usize) {
    let record = field(3, &[&hex(before), number, &hex(after)].concat());
    let at = record.len() - hex(after).len() - number.len();
    (record, at)
}

/// A user record with a length in it, and its offset in the body.
fn in_a_record(before: &str, length: &[u8], after: &str) -> (Vec<u8>, usize) {
    let (record, at) = record_around(before, length, after);
    ([hex("0a 00"), record].concat(), 2 + at)
}

/// A field of the body with a length in it, and a user record.
fn in_the_body(before: &str, length: &[u8], after: &str) -> (Vec<u8>, usize) {
    let body = [&hex("0a 00 1a 04 08 00 1a 00"), &hex(before)[..], length, &hex(after)].concat();
    (body, 8 + hex(before).len())
}

/// Where a length stands, the right one, and the body that another one makes, with its offset.
type Place = (&'static str, u64, fn(&[u8]) -> (Vec<u8>, usize));

const LENGTHS: &[Place] = &[
    ("partition key", 1, |length| in_the_body("0a", length, "61 0a 00")),
    ("explicit hash key", 1, |length| in_the_body("12", length, "30 0a 00")),
    ("record", 4, |length| in_the_body("1a", length, "08 00 1a 00 0a 00")),
    ("unknown field", 2, |length| in_the_body("7a", length, "00 00 0a 00")),
    ("value in a group", 2, |length| in_the_body("4b 52", length, "00 00 4c")),
    ("data", 3, |length| in_a_record("08 00 1a", length, "78 79 7a 48 00")),
    ("data, the last field", 1, |length| in_a_record("08 00 1a", length, "78")),
    ("tag", 3, |length| in_a_record("08 00 1a 00 22", length, "0a 01 6b 48 00")),
    ("unknown field in a record", 1, |length| in_a_record("08 00 1a 00 7a", length, "00 48 00")),
];

/// CVE-2021-3121: code that gogo/protobuf generated added a length to an index without a look at whether the sum was
/// still in the payload, or positive.
#[test]
fn lengths_that_wrap() {
    for (name, right, body) in LENGTHS {
        for length in spellings(*right) {
            let payload = frame(&body(&length).0);
            assert_eq!(deaggregate(&payload).plain_reason(), None, "{name}: {length:02x?}");
        }
        for wrong in near_wraps(*right) {
            for length in spellings(wrong) {
                let (body, at) = body(&length);
                is_malformed(&format!("{name}: {wrong:#x}: {length:02x?}"), &body, LengthOutOfBounds, at);
            }
        }
    }
}

/// The same with indexes: what is cut to 32 bits names another key.
#[test]
fn indexes_that_wrap() {
    let tables = hex("0a 01 61 0a 01 62 12 01 30 12 01 31");
    for right in [0, 1] {
        for index in spellings(right) {
            let (record, _) = record_around("08 01 10 01 08", &index, "10 00 1a 00");
            let payload = frame(&[&tables[..], &record].concat());
            let key = deaggregate(&payload).next().map(|user| user.partition_key);
            assert_eq!(key, Some(["a", "b"][usize::from(right == 1)]), "{index:02x?}");
        }
        for wrong in near_wraps(right) {
            for index in spellings(wrong) {
                let name = format!("{wrong:#x}: {index:02x?}");
                let (record, at) = record_around("08 01 08", &index, "10 00 1a 00");
                let body = [&tables[..], &record].concat();
                is_malformed(&name, &body, PartitionKeyIndexOutOfRange, tables.len() + at);
                let (record, at) = record_around("08 01 10", &index, "1a 00");
                let body = [&tables[..], &record].concat();
                is_malformed(&name, &body, ExplicitHashKeyIndexOutOfRange, tables.len() + at);
                // Overridden, it does not count (D11).
                let (record, _) = record_around("08", &index, "10 00 1a 00 08 01");
                let payload = frame(&[&tables[..], &record].concat());
                assert_eq!(deaggregate(&payload).map(|user| user.partition_key).last(), Some("b"), "{name}");
            }
        }
    }
}
