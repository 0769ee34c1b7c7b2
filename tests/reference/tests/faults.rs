//! Malformed bodies, each with its fault and where it is reported.

use super::super::Fault::{self, *};
use super::super::{MAGIC, Reason, Verdict, specify, specify_body};
use super::{frame, hex};

/// A name, a body in hexadecimal with `^` before the byte at which the fault is reported, and the fault.
const FAULTS: &[(&str, &str, Fault)] = &[
    // Varints (D6).
    ("varint without a byte", "08 ^", Truncated),
    ("varint cut off after one byte", "08 ^80", Truncated),
    ("varint cut off after nine bytes", "08 ^80 80 80 80 80 80 80 80 80", Truncated),
    ("varint of bit 64", "08 ^ff ff ff ff ff ff ff ff ff 02", VarintOverflow),
    ("varint of bit 69", "08 ^80 80 80 80 80 80 80 80 80 40", VarintOverflow),
    ("ten bytes, all continued, no more", "08 ^80 80 80 80 80 80 80 80 80 80", VarintOverflow),
    ("eleven bytes", "08 ^80 80 80 80 80 80 80 80 80 80 00", VarintOverflow),
    ("varint of a record cut off by its end", "1a 02 08 ^80 01", Truncated),
    ("varint in a group cut off", "4b 08 ^80", Truncated),
    // Fixed-width values (D6).
    ("fixed32 without a byte", "4d ^", Truncated),
    ("fixed32 one short", "4d ^00 00 00", Truncated),
    ("fixed64 one short", "49 ^00 00 00 00 00 00 00", Truncated),
    ("fixed64 of a record cut off by its end", "1a 08 49 ^00 00 00 00 00 00 00 00", Truncated),
    ("fixed32 in a group cut off", "4b 4d ^00 00 00", Truncated),
    // Tags (D7).
    ("tag cut off", "08 01 ^88", Truncated),
    ("tag of a record cut off by its end", "1a 03 08 00 ^88 01", Truncated),
    ("tag of 65 bits", "^88 80 80 80 80 80 80 80 80 02 00", VarintOverflow),
    ("tag of eleven bytes", "^88 80 80 80 80 80 80 80 80 80 00 00", VarintOverflow),
    ("field number 0", "08 01 ^00 00", FieldNumber),
    ("field number 0, over-long", "^80 80 00 00", FieldNumber),
    ("field number 2^29", "^80 80 80 80 10 00", FieldNumber),
    ("field number 2^61 - 1", "^f8 ff ff ff ff ff ff ff ff 01 00", FieldNumber),
    ("field number before wire type", "^07", FieldNumber),
    ("field number before group end", "^04", FieldNumber),
    ("field number before group start", "^03", FieldNumber),
    ("field number in a group", "4b ^00 4c", FieldNumber),
    ("wire type 6", "08 01 ^0e", WireType),
    ("wire type 7", "^4f", WireType),
    ("wire type 7 in a group", "4b ^4f 4c", WireType),
    ("wire type 6 in a record", "1a 02 ^0e 00", WireType),
    // Lengths (D8).
    ("length without a byte", "0a ^", Truncated),
    ("length cut off", "0a ^80", Truncated),
    ("length of 65 bits", "0a ^81 80 80 80 80 80 80 80 80 02 61", VarintOverflow),
    ("length one too great", "0a ^02 61", LengthOutOfBounds),
    ("length 2^32 + 1", "0a ^81 80 80 80 10 61", LengthOutOfBounds),
    ("length 2^64 - 1", "0a ^ff ff ff ff ff ff ff ff ff 01 61", LengthOutOfBounds),
    ("length of an unknown field", "4a ^02 61", LengthOutOfBounds),
    ("length of a record", "1a ^05 08 00 1a 00", LengthOutOfBounds),
    ("data past its record, not the body", "1a 05 08 00 1a ^02 78 79", LengthOutOfBounds),
    ("tag past its record", "1a 08 08 00 1a 00 22 ^04 0a 00 12 00", LengthOutOfBounds),
    ("key past its tag", "1a 0a 08 00 1a 00 22 02 0a ^01 61 62", LengthOutOfBounds),
    ("length in a group past the body", "4b 4a ^02 4c", LengthOutOfBounds),
    ("length in a group past its record", "1a 03 4b 4a ^01 4c 4c", LengthOutOfBounds),
    // Groups (D9).
    ("lone group end", "08 01 ^4c", UnmatchedGroupEnd),
    ("lone end of group 1", "^0c", UnmatchedGroupEnd),
    ("end of another group", "4b ^44", UnmatchedGroupEnd),
    ("end of the outer group first", "43 4b ^44 4c", UnmatchedGroupEnd),
    ("group ended twice", "4b 4c ^4c", UnmatchedGroupEnd),
    ("lone group end in a record", "1a 01 ^4c", UnmatchedGroupEnd),
    ("group without end", "08 01 ^4b 08 01", UnterminatedGroup),
    ("outermost group of two without end", "4b 4c ^43 4b 53", UnterminatedGroup),
    ("outer group without end, inner ended", "^43 4b 4c", UnterminatedGroup),
    ("group of a record ended in the body", "1a 05 08 00 ^4b 08 01 4c", UnterminatedGroup),
    ("known number as a group without end", "^1b 08 00", UnterminatedGroup),
    // UTF-8 (D12).
    ("partition key", "0a 03 61 62 ^ff", InvalidUtf8),
    ("partition key cut in a character", "0a 04 61 ^f0 9f 9a", InvalidUtf8),
    ("partition key with a surrogate", "0a 03 ^ed a0 80", InvalidUtf8),
    ("partition key in over-long form", "0a 02 ^c0 80", InvalidUtf8),
    ("second explicit hash key", "12 01 35 12 02 35 ^80", InvalidUtf8),
    ("tag key", "1a 09 08 00 1a 00 22 03 0a 01 ^ff", InvalidUtf8),
    ("tag key overridden", "1a 0c 08 00 1a 00 22 06 0a 01 ^ff 0a 01 6b", InvalidUtf8),
    ("tag value", "1a 0b 08 00 1a 00 22 05 0a 00 12 01 ^ff", InvalidUtf8),
    ("tag value overridden", "1a 0d 08 00 1a 00 22 07 0a 00 12 01 ^ff 12 00", InvalidUtf8),
    // Missing fields (D4).
    ("empty record", "0a 00 ^1a 00", MissingPartitionKeyIndex),
    ("data alone", "^1a 02 1a 00", MissingPartitionKeyIndex),
    ("tag of the record over-long", "08 01 ^9a 00 00", MissingPartitionKeyIndex),
    ("partition key index as fixed32", "^1a 07 0d 00 00 00 00 1a 00", MissingPartitionKeyIndex),
    ("partition key index alone", "0a 00 ^1a 02 08 00", MissingData),
    ("data as a varint", "^1a 04 08 00 18 00", MissingData),
    ("data as a group", "^1a 04 08 00 1b 1c", MissingData),
    ("empty tag", "1a 06 08 00 1a 00 ^22 00", MissingTagKey),
    ("tag with a value alone", "1a 08 08 00 1a 00 ^22 02 12 00", MissingTagKey),
    ("tag key as a varint", "1a 08 08 00 1a 00 ^22 02 08 00", MissingTagKey),
    // Indexes (D11).
    ("empty partition key table", "1a 04 08 ^00 1a 00", PartitionKeyIndexOutOfRange),
    ("partition key index = length", "0a 00 1a 04 08 ^01 1a 00", PartitionKeyIndexOutOfRange),
    ("partition key index 2^32", "0a 00 1a 08 08 ^80 80 80 80 10 1a 00", PartitionKeyIndexOutOfRange),
    (
        "partition key index 2^64 - 1",
        "0a 00 1a 0d 08 ^ff ff ff ff ff ff ff ff ff 01 1a 00",
        PartitionKeyIndexOutOfRange,
    ),
    ("last of three indexes", "0a 00 1a 08 08 07 08 00 08 ^07 1a 00", PartitionKeyIndexOutOfRange),
    ("explicit hash key = length", "0a 00 12 00 1a 06 08 00 10 ^01 1a 00", ExplicitHashKeyIndexOutOfRange),
    ("explicit hash key, empty table", "0a 00 1a 06 10 ^00 08 00 1a 00", ExplicitHashKeyIndexOutOfRange),
    // The order of faults (D18).
    ("partition key before explicit hash key", "1a 06 10 00 08 ^00 1a 00", PartitionKeyIndexOutOfRange),
    (
        "first record first",
        "0a 00 1a 06 08 00 10 ^00 1a 00 1a 04 08 01 1a 00",
        ExplicitHashKeyIndexOutOfRange,
    ),
    ("structure before indexes", "1a 04 08 00 1a 00 ^0f", WireType),
    ("missing data before the next field", "^1a 02 08 00 0f", MissingData),
    ("fault in a record before it lacks a field", "1a 01 ^0f", WireType),
    ("tag without key before its record without data", "1a 02 ^22 00", MissingTagKey),
    ("UTF-8 of an entry before the next length", "0a 01 ^ff 0a 05", InvalidUtf8),
    ("length before the UTF-8 it measures", "0a ^02 ff", LengthOutOfBounds),
];

#[test]
fn each_fault_is_reported_where_it_is() {
    for &(name, marked, fault) in FAULTS {
        let (before, _) = marked.split_once('^').unwrap_or_else(|| panic!("{name}: no mark"));
        let expected =
            || Verdict::Plain(Reason::Malformed { fault, offset: MAGIC.len() + hex(before).len() });
        let body = hex(marked);
        assert_eq!(specify_body(&body), expected(), "{name}");
        assert_eq!(specify(&frame(&body)), expected(), "{name}, framed");
    }
}

#[test]
fn the_hundred_and_first_group_is_too_deep() {
    let groups = [0x4b; 100];
    let rows: [(&str, Vec<u8>, Fault, usize); 4] = [
        ("101 groups", [&groups[..], &[0x4b]].concat(), GroupsTooDeep, 104),
        ("101 groups, known number", [&groups[..], &[0x1b]].concat(), GroupsTooDeep, 104),
        ("field number before depth", [&groups[..], &[0x03]].concat(), FieldNumber, 104),
        ("in a record", [&[0x1a, 101], &groups[..], &[0x4b]].concat(), GroupsTooDeep, 106),
    ];
    for (name, body, fault, offset) in rows {
        assert_eq!(specify_body(&body), Verdict::Plain(Reason::Malformed { fault, offset }), "{name}");
    }
}
