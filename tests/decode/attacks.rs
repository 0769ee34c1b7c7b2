//! Known attacks on protobuf parsers, each with its references, cost this one neither stack nor memory. `time.rs` measures
//! the time that they take.

use std::collections::BTreeSet;
use std::thread;

use allocation_counter::measure;
use kinesis_aggregation::decode::DecodeErrorKind::{
    ExplicitHashKeyIndexOutOfRange, GroupsTooDeep, LengthOutOfBounds, PartitionKeyIndexOutOfRange,
};
use kinesis_aggregation::decode::{DecodeErrorKind, PlainReason};
use kinesis_aggregation::{Payload, deaggregate};

use crate::common::{field, frame, hex, long_varint, varint};

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

/// Asserts that a body is malformed in this way, at this offset in it, and that finding out allocates nothing.
fn is_malformed(name: &str, body: &[u8], kind: DecodeErrorKind, offset: usize) {
    let payload = frame(body);
    let mut reason = None;
    let measured = measure(|| reason = deaggregate(&payload).plain_reason());
    assert_eq!(measured.bytes_total, 0, "{name}");
    let Some(PlainReason::Malformed(error)) = reason else { panic!("{name}: {reason:?}") };
    assert_eq!((error.kind(), error.offset()), (kind, 4 + offset), "{name}");
}

/// Asserts that deaggregating a payload allocates the list of its keys and nothing else: on 64-bit targets, at most 16
/// bytes for the two that the shortest key takes.
fn allocates_keys_alone(name: &str, body: &[u8], keys: usize) {
    let payload = frame(body);
    let mut users = 0;
    let measured = measure(|| users = deaggregate(&payload).count());
    assert_eq!(measured.count_total, u64::from(keys != 0), "{name}");
    let bytes = u64::try_from(keys * size_of::<&str>()).unwrap();
    assert_eq!(measured.bytes_total, bytes, "{name}: of {users} user records");
    assert!(bytes <= 8 * u64::try_from(payload.len()).unwrap(), "{name}: {bytes} bytes");

    let measured =
        measure(|| assert_eq!(count_without_buffer(&payload), if keys == 0 { users } else { keys }));
    assert_eq!(measured.bytes_total, 0, "{name}: without a buffer");
}

/// The number of user records, or of keys where there are any.
fn count_without_buffer(payload: &[u8]) -> usize {
    match Payload::parse(payload, &mut []) {
        Payload::Aggregated(aggregate) => aggregate.records().count(),
        Payload::NeedsKeys { needed } => needed,
        Payload::Plain(reason) => panic!("{reason}"),
    }
}

// Nesting.

/// Too small for recursion: a million nested calls take a thousand times as much.
const SMALL_STACK: usize = 64 << 10;

/// The depth to which the input nests.
const DEPTH: usize = 1_000_000;

/// Runs on a thread with little stack. A stack overflow ends the process.
fn on_a_small_stack(work: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(SMALL_STACK).spawn_scoped(scope, work);
        thread.unwrap().join().unwrap_or_else(|_| panic!("see above"));
    });
}

/// The tag of a group's begin, or of its end.
fn group(number: u64, end: bool) -> Vec<u8> {
    varint(number << 3 | if end { 4 } else { 3 })
}

/// CVE-2024-7254: protobuf-java recursed into nested groups of unknown fields without a bound, and overflowed its stack.
/// CVE-2025-4565: pure Python protobuf did, in nested groups and messages. RUSTSEC-2024-0437: so did the crate `protobuf`
/// when it skipped unknown groups.
#[test]
fn nested_groups_take_no_stack() {
    // 201 takes two bytes of tag, and the others are fields that the messages know with another wire type.
    for number in [1, 2, 3, 4, 9, 201] {
        let begin = group(number, false);
        let open = begin.repeat(DEPTH);
        let closed = [open.clone(), group(number, true).repeat(DEPTH)].concat();
        for (name, wrap) in PLACES {
            for fields in [&open, &closed] {
                let body = wrap(fields);
                let first = body.len() - fields.len();
                let at = first + 100 * begin.len();
                on_a_small_stack(|| {
                    is_malformed(&format!("field {number} {name}"), &body, GroupsTooDeep, at);
                });
            }
        }
    }
}

/// Puts fields at the end of a message at the end of a body.
pub(crate) type Wrap = fn(&[u8]) -> Vec<u8>;

/// The positions where groups may stand.
pub(crate) const PLACES: &[(&str, Wrap)] =
    &[("in the body", <[u8]>::to_vec), ("in a record", in_a_record), ("in a tag", in_a_tag)];

/// Groups nested as deep as is allowed, everywhere and again and again.
#[test]
fn a_hundred_nested_groups_take_no_stack() {
    for (name, wrap) in PLACES {
        let payload = frame(&wrap(&nested_groups().repeat(200)));
        on_a_small_stack(|| assert_eq!(deaggregate(&payload).plain_reason(), None, "{name}"));
    }
}

/// A hundred groups, one in the other. Their numbers differ, so that each end has to match.
pub(crate) fn nested_groups() -> Vec<u8> {
    let starts = (5..105).flat_map(|number| group(number, false));
    starts.chain((5..105).rev().flat_map(|number| group(number, true))).collect()
}

/// Messages that nest inside unknown fields, which are skipped, and aggregates in aggregates, which are data (D16).
#[test]
fn nested_messages_and_aggregates_take_no_stack() {
    let mut lengths = Vec::new();
    let mut aggregate = b"innermost".to_vec();
    for depth in 0..300 {
        lengths = field(if depth % 2 == 0 { 3 } else { 15 }, &lengths);
        aggregate = frame(&in_a_record(&field(3, &aggregate)));
    }
    let in_a_group = [&group(9, false)[..], &lengths, &group(9, true)].concat();
    for fields in [field(15, &lengths), in_a_group] {
        let payload = frame(&in_a_tag(&fields));
        on_a_small_stack(|| assert_eq!(deaggregate(&payload).count(), 1));
    }
    on_a_small_stack(|| {
        let mut keys = [""];
        let Payload::Aggregated(outermost) = Payload::parse(&aggregate, &mut keys) else { panic!("plain") };
        assert_eq!(outermost.len(), 1);
        assert!(outermost.records().all(|user| user.data.len() > 300 * 20));
    });
}

// Memory.

/// RUSTSEC-2019-0003: the crate `protobuf` reserved as many bytes as a length claimed, before there were any.
/// CVE-2022-1941: protobuf's C++ and Python parsers allocated without bound for a message of a few crafted elements.
#[test]
fn lengths_past_the_end_allocate_nothing() {
    let length_delimited = |number: u64| varint(number << 3 | 2);
    let in_a_group = |claim: &[u8]| [&[0x4b], &length_delimited(5)[..], claim].concat();
    for exponent in 4..64 {
        for claimed in [1 << exponent, (1 << exponent) - 1, u64::MAX >> (63 - exponent)] {
            let claim = varint(claimed);
            for number in [1, 2, 3, 5, 2000] {
                let fields = [length_delimited(number), claim.clone()].concat();
                for (name, body) in [
                    ("in the body", [record(0, b"x"), fields.clone()].concat()),
                    ("in a record", in_a_record(&fields)),
                    ("in a tag", in_a_tag(&fields)),
                    ("in a group", in_a_group(&claim)),
                ] {
                    // The claim stands at the end, with nothing behind it.
                    let name = format!("{claimed} bytes of field {number} {name}");
                    is_malformed(&name, &body, LengthOutOfBounds, body.len() - claim.len());
                }
            }
        }
    }
}

/// Behind the length are fields that would be used if the length were believed.
#[test]
fn lengths_past_the_end_with_something_behind_allocate_nothing() {
    for claimed in [1 << 20, 1 << 31, 1 << 40, u64::MAX] {
        let claim = varint(claimed);
        let keys = hex("0a 00").repeat(10_000);
        let body = [&[0x1a], &claim[..], &keys].concat();
        is_malformed("records", &body, LengthOutOfBounds, 1);
        let body = [&keys[..], &[0x0a], &claim, &keys].concat();
        is_malformed("keys", &body, LengthOutOfBounds, keys.len() + 1);
    }
}

/// A payload costs at most eight times its size, for its keys, and nothing for data, tags and user records.
#[test]
fn only_keys_are_allocated() {
    const MANY: usize = 50_000;
    let key = field(1, b"k");
    allocates_keys_alone("empty keys", &hex("0a 00").repeat(MANY), MANY);
    allocates_keys_alone("empty keys of both tables", &hex("0a 00 12 00").repeat(MANY), 2 * MANY);
    allocates_keys_alone("long keys", &field(1, &[b'k'; 1000]).repeat(1000), 1000);
    allocates_keys_alone("records", &[&key[..], &record(0, b"").repeat(MANY)].concat(), 1);
    allocates_keys_alone("data", &[&key[..], &record(0, &[0; 1 << 20])].concat(), 1);
    allocates_keys_alone("tags", &in_a_record(&hex("22 02 0a 00").repeat(MANY)), 1);
    allocates_keys_alone("data again and again", &in_a_record(&hex("1a 01 79").repeat(MANY)), 1);
}

/// Unknown fields as small as there are, and their bytes.
pub(crate) const SMALLEST_UNKNOWN: &[(&str, &str)] = &[
    ("varints", "28 00"),
    ("empty values", "2a 00"),
    ("empty groups", "2b 2c"),
    ("groups in groups", "2b 2b 2b 2c 2c 2c"),
    ("fixed-width values of 4 bytes", "2d 00 00 00 00"),
    ("fixed-width values of 8 bytes", "29 00 00 00 00 00 00 00 00"),
    ("values of one byte", "2a 01 00"),
    ("highest field number", "f8 ff ff ff 0f 00"),
    ("fields that all messages know, with wire types they don't", "0d 00 00 00 00 15 00 00 00 00 1b 1c"),
    ("tags and values of ten bytes", "a8 80 80 80 80 80 80 80 80 00 80 80 80 80 80 80 80 80 80 00"),
];

/// CVE-2026-55407: the crate `buffa` kept each unknown field in a separate allocation, up to 22 times the size of what
/// it had read.
#[test]
fn unknown_fields_allocate_nothing() {
    for (name, one) in SMALLEST_UNKNOWN {
        let many = hex(one).repeat(100_000 / hex(one).len());
        allocates_keys_alone(name, &many, 0);
        allocates_keys_alone(name, &in_a_record(&many), 1);
        allocates_keys_alone(name, &in_a_tag(&many), 1);
        allocates_keys_alone(name, &[&[0x2b], &many[..], &[0x2c]].concat(), 0);
    }
    allocates_keys_alone("in every record", &unknown_fields_in_records(100_000), 1);
}

/// User records with unknown fields of their own.
pub(crate) fn unknown_fields_in_records(size: usize) -> Vec<u8> {
    let fields = [hex("1a 00 28 00 28 00 2b 2c 2a 00"), field(4, &hex("0a 00 28 00"))].concat();
    let record = record_with(0, &fields);
    [field(1, b""), record.repeat(size / record.len())].concat()
}

// Lengths and indexes that wrap.

/// All numbers near a power of two at which something may wrap, and numbers that are `right` when cut to fewer bits. All
/// are too large for a body of a few bytes.
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
    (varint(value).len()..=10).map(move |len| long_varint(value, len))
}

/// A record with a length or index in it, and where in its field that stands.
fn record_around(before: &str, number: &[u8], after: &str) -> (Vec<u8>, usize) {
    let record = field(3, &[&hex(before), number, &hex(after)].concat());
    let at = record.len() - hex(after).len() - number.len();
    (record, at)
}

/// A user record with a length in it, and its offset in the body.
fn length_in_a_record(before: &str, length: &[u8], after: &str) -> (Vec<u8>, usize) {
    let (record, at) = record_around(before, length, after);
    ([hex("0a 00"), record].concat(), 2 + at)
}

/// A field of the body with a length in it, and a user record.
fn length_in_the_body(before: &str, length: &[u8], after: &str) -> (Vec<u8>, usize) {
    let body = [&hex("0a 00 1a 04 08 00 1a 00"), &hex(before)[..], length, &hex(after)].concat();
    (body, 8 + hex(before).len())
}

/// A length: its position, the right value, and the body that another value makes, with its offset.
type Place = (&'static str, u64, fn(&[u8]) -> (Vec<u8>, usize));

const LENGTHS: &[Place] = &[
    ("partition key", 1, |length| length_in_the_body("0a", length, "61 0a 00")),
    ("explicit hash key", 1, |length| length_in_the_body("12", length, "30 0a 00")),
    ("record", 4, |length| length_in_the_body("1a", length, "08 00 1a 00 0a 00")),
    ("unknown field", 2, |length| length_in_the_body("7a", length, "00 00 0a 00")),
    ("value in a group", 2, |length| length_in_the_body("4b 52", length, "00 00 4c")),
    ("data", 3, |length| length_in_a_record("08 00 1a", length, "78 79 7a 48 00")),
    ("data, the last field", 1, |length| length_in_a_record("08 00 1a", length, "78")),
    ("tag", 3, |length| length_in_a_record("08 00 1a 00 22", length, "0a 01 6b 48 00")),
    ("unknown field in a record", 1, |length| length_in_a_record("08 00 1a 00 7a", length, "00 48 00")),
];

/// CVE-2021-3121: code that gogo/protobuf generated added a length to an index without a look at whether the sum was
/// still in the payload, or positive.
#[test]
fn lengths_do_not_wrap() {
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

/// An index that is cut to 32 bits would name another key.
#[test]
fn indexes_do_not_wrap() {
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
