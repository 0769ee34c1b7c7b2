//! Messages that end too early: before a value, in a value, in what a length promises, in a nested message.

use kinesis_aggregation::DecodeErrorKind::{LengthOutOfBounds, Truncated, UnterminatedGroup};

use crate::common::{field, varint};
use crate::{
    FIXED32, FIXED64, LENGTH_DELIMITED, MESSAGES, Message, START_GROUP, UNKNOWN, VALID, VARINT, expect, tag,
};

/// A wire type, a value of it that is cut short, and how the fault is called.
const INCOMPLETE: &[(u64, &[u8])] =
    &[(VARINT, b"\x80"), (FIXED64, b"abcdefg"), (LENGTH_DELIMITED, b"\x80"), (FIXED32, b"abc")];

/// Every field of every message, and an unknown one.
fn all_fields() -> impl Iterator<Item = (Message, u64)> {
    let numbers =
        |message: Message| message.known().iter().chain(&[UNKNOWN]).map(move |&number| (message, number));
    MESSAGES.into_iter().flat_map(numbers)
}

#[test]
fn premature_eof_before_value() {
    for (message, number) in all_fields() {
        for &(wire_type, _) in INCOMPLETE {
            // Also PrematureEofBeforeUnknownValue.
            let name = format!("PrematureEofBeforeKnownValue: {number}, wire type {wire_type}");
            let tag = tag(number, wire_type);
            expect(&name, message, &tag, Err((Truncated, tag.len())));
        }
        // A group has no value, and no end here.
        let name = format!("PrematureEofBeforeKnownValue: {number}, group");
        expect(&name, message, &tag(number, START_GROUP), Err((UnterminatedGroup, 0)));
    }
}

#[test]
fn premature_eof_inside_value() {
    for (message, number) in all_fields() {
        for &(wire_type, incomplete) in INCOMPLETE {
            // Also PrematureEofInsideUnknownValue.
            let name = format!("PrematureEofInsideKnownValue: {number}, wire type {wire_type}");
            let tag = tag(number, wire_type);
            expect(&name, message, &[&tag, incomplete].concat(), Err((Truncated, tag.len())));

            let name = format!("{name}, in a group");
            let group = self::tag(UNKNOWN, START_GROUP);
            let fields = [&group, &tag, incomplete].concat();
            expect(&name, message, &fields, Err((Truncated, group.len() + tag.len())));
        }
    }
}

#[test]
fn premature_eof_in_delimited_data() {
    for (message, number) in all_fields() {
        for (length, there) in [(1, 0), (2, 1), (127, 126), (128, 127), (300, 1)] {
            let tag = tag(number, LENGTH_DELIMITED);
            let fields = [&tag[..], &varint(length), &vec![b'x'; there]].concat();
            let name = format!("PrematureEofInDelimitedData: {number}, {there} of {length}");
            expect(&name, message, &fields, Err((LengthOutOfBounds, tag.len())));
        }
    }
}

/// A field that is a message ends in the middle of a value. Others are opaque: what looks like half a field is text.
#[test]
fn premature_eof_in_submessage() {
    let incomplete = [tag(1, VARINT), b"\x80".to_vec()].concat();
    for (message, number) in all_fields() {
        let known = &field(number, &incomplete);
        let expected = match (message, number) {
            (Message::AggregatedRecord, 3) | (Message::Record, 4) => Err((Truncated, 3)),
            // The incomplete varint is not UTF-8 (D12).
            (Message::AggregatedRecord | Message::Tag, 1 | 2) => {
                Err((kinesis_aggregation::decode::DecodeErrorKind::InvalidUtf8, 3))
            }
            // The suite's fields of these numbers could be packed ones. Those here are not, and so are unknown with this
            // wire type (D5), or data.
            _ => VALID,
        };
        expect(&format!("PrematureEofInSubmessageValue: {number}"), message, known, expected);
    }
}

/// PrematureEofInPackedFieldValue: where a `repeated` number could be packed, the suite wants a fault. There is none in
/// this format: a length-delimited index is unknown (D5), whatever is in it. PrematureEofInPackedField is a length.
#[test]
fn no_field_is_packed() {
    for number in [1, 2] {
        for &(_, incomplete) in INCOMPLETE {
            let packed = field(number, incomplete);
            expect("PrematureEofInPackedFieldValue (D5)", Message::Record, &packed, VALID);
        }
        let promise = [tag(number, LENGTH_DELIMITED), vec![1]].concat();
        let expected = Err((LengthOutOfBounds, 1));
        expect("PrematureEofInPackedField", Message::Record, &promise, expected);
    }
}
