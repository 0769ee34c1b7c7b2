//! Unknown fields, which change nothing.

use crate::common::{field, hex};
use crate::{
    END_GROUP, FIXED32, FIXED64, LENGTH_DELIMITED, MESSAGES, Message, START_GROUP, UNKNOWN, VALID, VARINT,
    decode, expect, tag, varint,
};

/// A well-formed value of each wire type.
fn values(number: u64) -> Vec<Vec<u8>> {
    let of = |wire_type: u64, value: &[u8]| [&tag(number, wire_type), value].concat();
    vec![
        of(VARINT, &varint(1234)),
        of(FIXED64, &[0xff; 8]),
        of(LENGTH_DELIMITED, b"\x03abc"),
        of(FIXED32, &[0xff; 4]),
        [tag(number, START_GROUP), of(VARINT, &varint(5678)), tag(number, END_GROUP)].concat(),
    ]
}

#[test]
fn unknown_varint() {
    for message in MESSAGES {
        expect("UnknownVarint", message, &hex("a8 1f 01"), VALID);
    }
}

/// UnknownOrdering: a parser of the suite keeps unknown fields, and their order. This one keeps none, so only the verdict is
/// left to see.
#[test]
fn unknown_ordering() {
    let order = [
        field(UNKNOWN, b"abc"),
        [tag(UNKNOWN, VARINT), varint(123)].concat(),
        field(UNKNOWN, b"def"),
        [tag(UNKNOWN, VARINT), varint(456)].concat(),
    ];
    for message in MESSAGES {
        expect("UnknownOrdering", message, &order.concat(), VALID);
        for value in values(UNKNOWN) {
            expect("UnknownOrdering, with others", message, &[order.concat(), value].concat(), VALID);
        }
    }
}

/// Known fields with every wrong wire type are unknown ones (D5). As in the suite's reference parsers: a value of another
/// type is not the field.
#[test]
fn wrong_wire_types_are_unknown() {
    for message in MESSAGES {
        for &number in message.known() {
            for value in values(number) {
                let right = match (message, number) {
                    (Message::Record, 1 | 2) => VARINT,
                    _ => LENGTH_DELIMITED,
                };
                // The tags of all known fields take one byte.
                if value.first().is_none_or(|tag| u64::from(tag & 7) != right) {
                    expect(&format!("field {number} as {value:02x?}"), message, &value, VALID);
                    let (body, _) = message.ending_with(&value, false);
                    let seen = decode(&body, |users| {
                        users
                            .iter()
                            .map(|user| {
                                (
                                    user.partition_key.to_owned(),
                                    user.explicit_hash_key.is_some(),
                                    user.data.len(),
                                )
                            })
                            .collect::<Vec<_>>()
                    });
                    assert_eq!(seen, Ok(vec![("a".to_owned(), false, 1)]), "field {number} as {value:02x?}");
                }
            }
        }
    }
}

/// TestBinaryPerformanceForAlternatingUnknownFields and its kin, of which `tests/attacks.rs` measures the time.
#[test]
fn many_unknown_fields() {
    let one = [tag(UNKNOWN, VARINT), varint(1234), tag(UNKNOWN + 1, VARINT), varint(5678)].concat();
    for message in MESSAGES {
        expect("TestBinaryPerformanceForAlternatingUnknownFields", message, &one.repeat(10_000), VALID);
        for value in values(UNKNOWN) {
            let name = "TestBinaryPerformanceMergeMessageWithUnknownField";
            expect(name, message, &value.repeat(10_000), VALID);
        }
    }
}
