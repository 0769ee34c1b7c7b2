//! Tags that are none: field numbers and wire types out of range, varints that are too long.

use kinesis_aggregation::DecodeErrorKind::{
    FieldNumber, PartitionKeyIndexOutOfRange, VarintOverflow, WireType,
};

use crate::common::hex;
use crate::{Expected, MESSAGES, Message, VALID, expect};

#[test]
fn illegal_zero_field_num() {
    for (name, fields) in [
        ("IllegalZeroFieldNum_Case_0", &b"\x01DEADBEEF"[..]),
        ("IllegalZeroFieldNum_Case_1", b"\x02\x01\x01"),
        ("IllegalZeroFieldNum_Case_2", b"\x03\x04"),
        ("IllegalZeroFieldNum_Case_3", b"\x05DEAD"),
        ("as a varint", b"\x00\x01"),
        ("as the end of a group", b"\x04"),
        ("in two bytes", b"\x80\x00\x01"),
        ("in ten bytes", b"\x82\x80\x80\x80\x80\x80\x80\x80\x80\x00\x00"),
    ] {
        for message in MESSAGES {
            expect(name, message, fields, Err((FieldNumber, 0)));
        }
    }
}

/// Tags that are followed by the value 1234, as in the suite. Field 1 is an index in a record alone; elsewhere it is unknown
/// with this wire type (D5).
#[test]
fn bad_tags() {
    let rows: &[(&str, &str, Expected)] = &[
        ("BadTag_FieldNumberTooHigh", "88 80 80 80 80 80 0f", Err((FieldNumber, 0))),
        ("BadTag_FieldNumberSlightlyTooHigh", "88 80 80 80 40", Err((FieldNumber, 0))),
        ("BadTag_VarintMoreThanTenBytes", "88 80 80 80 80 80 80 80 80 80 80 80 00", Err((VarintOverflow, 0))),
        ("2^29, the first too high", "80 80 80 80 10", Err((FieldNumber, 0))),
        ("2^29 - 1, the highest", "f8 ff ff ff 0f", VALID),
        ("19000, reserved to protobuf itself", "c0 a3 09", VALID),
        ("bit 64", "88 80 80 80 80 80 80 80 80 02", Err((VarintOverflow, 0))),
    ];
    for &(name, tag, expected) in rows {
        for message in MESSAGES {
            expect(name, message, &hex(&format!("{tag} d2 09")), expected);
        }
    }
}

/// The suite refuses tags of more than five bytes. D7 reads up to ten, as Java and Go do: the index that follows is seen.
#[test]
fn overlong_tags() {
    for (name, tag) in [
        ("BadTag_OverlongVarint (D7)", "88 80 80 80 80 80 80 80 00"),
        ("five bytes, which the suite allows", "88 80 80 80 00"),
        ("ten bytes (D7)", "88 80 80 80 80 80 80 80 80 00"),
    ] {
        for message in MESSAGES {
            let expected = match message {
                Message::Record => Err((PartitionKeyIndexOutOfRange, hex(tag).len())),
                Message::AggregatedRecord | Message::Tag => VALID,
            };
            expect(name, message, &hex(&format!("{tag} d2 09")), expected);
        }
        expect(name, Message::Record, &hex(&format!("{tag} 00")), VALID);
    }
}

#[test]
fn unknown_wire_type() {
    for wire_type in [6, 7] {
        for field in 0..4 {
            for value in 0..4 {
                let name = format!("UnknownWireType{wire_type}_Field{field}_Version{value}");
                // Of two faults, the field number is named.
                let kind = if field == 0 { FieldNumber } else { WireType };
                for message in MESSAGES {
                    expect(&name, message, &[field << 3 | wire_type, value], Err((kind, 0)));
                }
            }
        }
    }
}
