//! The wire-level cases of Google's protobuf conformance suite, ported to the three messages of this format.
//!
//! The cases are those of the suite's binary input tests (github.com/protocolbuffers/protobuf, `conformance/`). Names in
//! capitals and camel case are the suite's. Its cases are for other messages, so here each is tried in every message and
//! field that it applies to. Those about JSON, text, maps, packed and singular message fields have no counterpart in this
//! format. Where `docs/wire-format.md` wants another verdict than the suite, the case names the rule.

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::DecodeErrorKind::{
    ExplicitHashKeyIndexOutOfRange, FieldNumber, GroupsTooDeep, InvalidUtf8, LengthOutOfBounds,
    PartitionKeyIndexOutOfRange, Truncated, UnmatchedGroupEnd, UnterminatedGroup, VarintOverflow, WireType,
};
use kinesis_aggregation::decode::{AggregatedRecord, DecodeErrorKind, DigestCheck, PlainReason};

use crate::agree::agree;
use crate::common::{field, frame, hex, long_varint, varint};

/// A position of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    AggregatedRecord,
    Record,
    Tag,
}

const MESSAGES: [Message; 3] = [Message::AggregatedRecord, Message::Record, Message::Tag];

/// A field that the suite takes for an unknown one, and the ones that a message knows.
const UNKNOWN: u64 = 666;

impl Message {
    /// The numbers of its fields.
    const fn known(self) -> &'static [u64] {
        match self {
            Self::AggregatedRecord => &[1, 2, 3],
            Self::Record => &[1, 2, 3, 4],
            Self::Tag => &[1, 2],
        }
    }

    /// A body in which the message is complete and ends with these fields, and where they begin. Other fields follow the
    /// message, if it can be `followed`: a fault must not be healed by them.
    fn ending_with(self, fields: &[u8], followed: bool) -> (Vec<u8>, usize) {
        // Not the first key: an index that is taken for missing or 0 shows.
        let tables = hex("0a 01 7a 0a 01 61 12 01 30");
        let begin = hex(match self {
            Self::AggregatedRecord => "1a 05 08 01 1a 01 78",
            Self::Record => "08 01 1a 01 78",
            Self::Tag => "0a 01 6b",
        });
        let message = [&begin, fields].concat();
        let rest = if followed { hex("1a 05 08 00 1a 01 79 78 01") } else { vec![] };
        let (before, message, after) = match self {
            Self::AggregatedRecord => (tables, message, vec![]),
            Self::Record => (tables, field(3, &message), rest),
            Self::Tag => (tables, field(3, &[hex("08 01 1a 01 78"), field(4, &message)].concat()), rest),
        };
        let offset = before.len() + message.len() - fields.len();
        ([before, message, after].concat(), offset)
    }
}

/// The expected outcome of a case: valid, or a fault at an offset in the fields that it adds.
type Expected = Result<(), (DecodeErrorKind, usize)>;

const VALID: Expected = Ok(());

/// Asserts that a message that ends with these fields has this verdict, in the last message of the payload and in one
/// before others.
fn expect(name: &str, message: Message, fields: &[u8], expected: Expected) {
    for followed in [false, true] {
        let (body, offset) = message.ending_with(fields, followed);
        let verdict = decode(&body, |_| ());
        let expected = expected.map_err(|(kind, at)| (kind, 4 + offset + at));
        assert_eq!(verdict, expected, "{name}: in {message:?}, followed by others: {followed}");
    }
}

/// The user records as `see` shows them, or the fault and its offset in the payload. The specification agrees.
fn decode<T>(body: &[u8], see: impl FnOnce(&[UserRecord<'_>]) -> T) -> Result<T, (DecodeErrorKind, usize)> {
    let payload = frame(body);
    agree(&payload, DigestCheck::Verify);
    match AggregatedRecord::parse(&payload) {
        Ok(aggregate) => Ok(see(&aggregate.records().collect::<Vec<_>>())),
        Err(PlainReason::Malformed(error)) => Err((error.kind(), error.offset())),
        Err(other) => panic!("{other}"),
    }
}

/// A tag of the wire format.
fn tag(number: u64, wire_type: u64) -> Vec<u8> {
    varint(number << 3 | wire_type)
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const START_GROUP: u64 = 3;
const END_GROUP: u64 = 4;
const FIXED32: u64 = 5;

// Tags that are none: field numbers and wire types out of range, varints that are too long.

#[test]
fn field_number_0_is_malformed() {
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
fn field_numbers_up_to_29_bits_are_valid() {
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
fn tags_of_up_to_ten_bytes_are_valid() {
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
fn wire_types_6_and_7_are_malformed() {
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

// Messages that end too early: before a value, in a value, in what a length promises, in a nested message.

/// A wire type, a value of it that is cut short, and how the fault is called.
const INCOMPLETE: &[(u64, &[u8])] =
    &[(VARINT, b"\x80"), (FIXED64, b"abcdefg"), (LENGTH_DELIMITED, b"\x80"), (FIXED32, b"abc")];

/// The start of a group of the field [`UNKNOWN`].
const START_OF_UNKNOWN: &[u8] = b"\xd3\x29";

/// Every field of every message, and an unknown one.
fn all_fields() -> impl Iterator<Item = (Message, u64)> {
    let numbers =
        |message: Message| message.known().iter().chain(&[UNKNOWN]).map(move |&number| (message, number));
    MESSAGES.into_iter().flat_map(numbers)
}

#[test]
fn a_message_that_ends_before_a_value_is_malformed() {
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
fn a_message_that_ends_inside_a_value_is_malformed() {
    for (message, number) in all_fields() {
        for &(wire_type, incomplete) in INCOMPLETE {
            // Also PrematureEofInsideUnknownValue.
            let name = format!("PrematureEofInsideKnownValue: {number}, wire type {wire_type}");
            let tag = tag(number, wire_type);
            expect(&name, message, &[&tag, incomplete].concat(), Err((Truncated, tag.len())));

            let name = format!("{name}, in a group");
            let start = START_OF_UNKNOWN;
            let fields = [start, &tag, incomplete].concat();
            expect(&name, message, &fields, Err((Truncated, start.len() + tag.len())));
        }
    }
}

#[test]
fn a_length_past_the_end_is_malformed() {
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
fn a_nested_message_that_ends_early_is_malformed() {
    let incomplete = [tag(1, VARINT), b"\x80".to_vec()].concat();
    for (message, number) in all_fields() {
        let known = &field(number, &incomplete);
        let expected = match (message, number) {
            (Message::AggregatedRecord, 3) | (Message::Record, 4) => Err((Truncated, 3)),
            // The incomplete varint is not UTF-8 (D12).
            (Message::AggregatedRecord | Message::Tag, 1 | 2) => Err((InvalidUtf8, 3)),
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

// Groups without a begin, without an end, and with another's end.

/// A group with fields in it.
fn group(number: u64, fields: &[u8]) -> Vec<u8> {
    [&tag(number, START_GROUP), fields, &tag(number, END_GROUP)].concat()
}

#[test]
fn unmatched_groups_are_malformed() {
    let start = |number| tag(number, START_GROUP);
    let end = |number| tag(number, END_GROUP);
    let hello = field(2, b"hello world");
    // In the suite, 201 and 202 are known groups, 1234 is unknown, and 1 is a number. None is known here: D5 and D9 don't
    // tell them apart.
    let rows: Vec<(&str, Vec<u8>, Expected)> = vec![
        ("UnmatchedEndGroup", end(201), Err((UnmatchedGroupEnd, 0))),
        ("UnmatchedEndGroupUnknown", end(1234), Err((UnmatchedGroupEnd, 0))),
        ("UnmatchedEndGroupWrongType", end(1), Err((UnmatchedGroupEnd, 0))),
        ("UnmatchedEndGroupNested", group(201, &end(202)), Err((UnmatchedGroupEnd, 2))),
        ("UnmatchedEndGroupWithData", [end(1), hello.clone()].concat(), Err((UnmatchedGroupEnd, 0))),
        ("UnmatchedStartGroup", start(201), Err((UnterminatedGroup, 0))),
        ("UnmatchedStartGroupUnknown", start(1234), Err((UnterminatedGroup, 0))),
        ("UnmatchedStartGroupWrongType", start(1), Err((UnterminatedGroup, 0))),
        // The end is that of the outer one, while the inner one is open.
        ("UnmatchedStartGroupNested", group(201, &start(202)), Err((UnmatchedGroupEnd, 4))),
        ("UnmatchedStartGroupWithData", [start(1), hello.clone()].concat(), Err((UnterminatedGroup, 0))),
        (
            "MismatchedGroupTags",
            [start(201), hello.clone(), end(202)].concat(),
            Err((UnmatchedGroupEnd, 2 + hello.len())),
        ),
        (
            "MismatchedNestedGroupTags",
            group(201, &[start(202), hello.clone(), end(203)].concat()),
            Err((UnmatchedGroupEnd, 4 + hello.len())),
        ),
        ("a group with data, complete", group(201, &hello), VALID),
        ("a group in a group of the same number", group(201, &group(201, &hello)), VALID),
    ];
    for (name, fields, expected) in rows {
        for message in MESSAGES {
            expect(name, message, &fields, expected);
        }
    }
}

/// UnmatchedEndGroupNestedLen and UnmatchedStartGroupNestedLen: in a field that is a message. A group neither ends nor goes
/// on past the end of its message. In an unknown field nothing is looked into, where the suite knows the field.
#[test]
fn groups_end_within_their_message() {
    for (name, fields, kind) in [
        ("UnmatchedEndGroupNestedLen", tag(1234, END_GROUP), UnmatchedGroupEnd),
        ("UnmatchedStartGroupNestedLen", tag(1234, START_GROUP), UnterminatedGroup),
    ] {
        expect(name, Message::AggregatedRecord, &field(3, &fields), Err((kind, 2)));
        expect(name, Message::Record, &field(4, &fields), Err((kind, 2)));
        for message in MESSAGES {
            expect(&format!("{name}: unknown (D5)"), message, &field(18, &fields), VALID);
        }
        // The group that would be ended stands outside, and the one that is open would be ended there.
        let across = [tag(1234, START_GROUP), field(4, &fields), tag(1234, END_GROUP)].concat();
        expect(&format!("{name}: in a group"), Message::Record, &across, VALID);
        let across = [field(4, &fields), tag(1234, END_GROUP)].concat();
        expect(&format!("{name}: ended outside"), Message::Record, &across, Err((kind, 2)));
    }
}

/// A hundred groups may be open (D9): as many as the suite's reference parsers take by default, counted in each message by
/// itself.
#[test]
fn a_hundred_groups_may_be_open() {
    for message in MESSAGES {
        for number in [1, 15, 16, UNKNOWN] {
            for depth in [1, 2, 99, 100, 101, 102, 1000] {
                let start = tag(number, START_GROUP);
                let innermost = [tag(number, VARINT), vec![1]].concat();
                let end = tag(number, END_GROUP);
                let fields = [start.repeat(depth), innermost, end.repeat(depth)].concat();
                let expected = if depth <= 100 { VALID } else { Err((GroupsTooDeep, 100 * start.len())) };
                expect(&format!("{depth} groups {number}"), message, &fields, expected);
            }
        }
    }
}

// Unknown fields, which change nothing.

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
fn an_unknown_varint_changes_nothing() {
    for message in MESSAGES {
        expect("UnknownVarint", message, &hex("a8 1f 01"), VALID);
    }
}

/// UnknownOrdering: a parser of the suite keeps unknown fields, and their order. This one keeps none, so only the verdict is
/// left to see.
#[test]
fn unknown_fields_change_nothing_in_any_order() {
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

/// TestBinaryPerformanceForAlternatingUnknownFields and its kin, of which `time.rs` measures the time.
#[test]
fn many_unknown_fields_change_nothing() {
    let one = [tag(UNKNOWN, VARINT), varint(1234), tag(UNKNOWN + 1, VARINT), varint(5678)].concat();
    for message in MESSAGES {
        expect("TestBinaryPerformanceForAlternatingUnknownFields", message, &one.repeat(2_000), VALID);
        for value in values(UNKNOWN) {
            let name = "TestBinaryPerformanceMergeMessageWithUnknownField";
            expect(name, message, &value.repeat(2_000), VALID);
        }
    }
}

// Values in every way to write them, and which of several counts.

/// The first user record, or the fault.
fn first<T>(body: &[u8], see: impl FnOnce(&UserRecord<'_>) -> T) -> Result<T, DecodeErrorKind> {
    decode(body, |users| users.first().map(see))
        .map(|seen| seen.unwrap_or_else(|| panic!("none")))
        .map_err(|f| f.0)
}

/// ValidDataScalar.UINT64 and .UINT32, and RepeatedScalarSelectsLast of them: as an index into a table of 346 keys. The
/// suite's 32-bit fields are cut to 32 bits; the indexes here have 64, so that nothing wraps (D11).
#[test]
fn the_last_index_counts_and_does_not_wrap() {
    let tables: Vec<u8> =
        (0..=345).flat_map(|key| [field(1, key.to_string().as_bytes()), field(2, b"7")].concat()).collect();
    let key_of = |fields: &[u8]| {
        first(&[&tables, &field(3, &[fields, &hex("1a 00")].concat())[..]].concat(), |user| {
            user.partition_key.to_owned()
        })
    };
    let rows = [
        (varint(0), Some("0")),
        (varint(345), Some("345")),
        (long_varint(345, 4), Some("345")),
        (long_varint(345, 9), Some("345")),
        (varint(346), None),
        (varint(u64::from(u32::MAX)), None),
        (varint(1 << 33), None),
        (varint((1 << 33) + 1), None),
        (varint((1 << 33) - 1), None),
        (varint(1 << 63 | 1), None),
        (varint(u64::MAX >> 1), None),
        (varint(u64::MAX), None),
    ];
    let of =
        |values: &[&Vec<u8>]| values.iter().flat_map(|value| [&[8], &value[..]].concat()).collect::<Vec<_>>();
    for (value, key) in &rows {
        let expected = key.map(str::to_owned).ok_or(PartitionKeyIndexOutOfRange);
        assert_eq!(key_of(&of(&[value])), expected, "ValidDataScalar: {value:02x?}");
        // The same index into the other table.
        let explicit = key_of(&[&hex("08 00 10"), &value[..]].concat());
        let expected = if key.is_some() { Ok("0".to_owned()) } else { Err(ExplicitHashKeyIndexOutOfRange) };
        assert_eq!(explicit, expected, "ValidDataScalar: {value:02x?}");
    }
    for (value, key) in &rows {
        let expected = key.map(str::to_owned).ok_or(PartitionKeyIndexOutOfRange);
        for (before, _) in rows.iter().take(2).chain(rows.last()) {
            let last = key_of(&of(&[before, value]));
            assert_eq!(last, expected, "RepeatedScalarSelectsLast: {before:02x?}, {value:02x?}");
        }
        let all: Vec<&Vec<u8>> = rows.iter().map(|(value, _)| value).chain([value]).collect();
        assert_eq!(key_of(&of(&all)), expected, "RepeatedScalarSelectsLast: all, then {value:02x?}");
    }
}

/// ValidDataScalar.BOOL, .ENUM, .SINT64 and others: there are none in the format, so any varint that is well-formed is
/// passed over, in each spelling.
#[test]
fn unknown_varints_may_have_any_value_and_length() {
    for value in [0, 1, 12_345_678, 1 << 33, u64::MAX >> 1, 1 << 63, u64::MAX] {
        for at_least in 1..=10 {
            let fields = [tag(UNKNOWN, VARINT), long_varint(value, at_least)].concat();
            for message in MESSAGES {
                expect(&format!("ValidDataScalar: {value:#x}, {at_least} bytes"), message, &fields, VALID);
            }
        }
    }
}

/// ValidDataScalar.STRING and RepeatedScalarSelectsLast.STRING, as the key and value of a tag. Strings in tables are
/// `repeated`, and so all of them count.
#[test]
fn the_last_key_and_value_of_a_tag_count() {
    let texts = ["", "Hello world!", "'\"?\\\u{7}\u{8}\u{c}\n\r\t\u{b}", "谷歌", "\u{8c37}\u{6b4c}", "😁"];
    for (place, text) in texts.iter().enumerate() {
        let all: Vec<&str> = texts.iter().copied().chain([*text]).collect();
        for chosen in [&all[..], &[*text]] {
            let fields: Vec<u8> = chosen
                .iter()
                .flat_map(|text| [field(2, text.as_bytes()), field(1, text.as_bytes())].concat())
                .collect();
            let record = field(3, &[hex("08 00 1a 00"), field(4, &fields)].concat());
            let seen = first(&[hex("0a 00"), record].concat(), |user| {
                user.tags.map(|tag| (tag.key.to_owned(), tag.value.map(str::to_owned))).collect::<Vec<_>>()
            });
            assert_eq!(seen, Ok(vec![((*text).to_owned(), Some((*text).to_owned()))]), "{text:?}");
        }
        let table: Vec<u8> = texts.iter().flat_map(|text| field(1, text.as_bytes())).collect();
        let record =
            field(3, &[&hex("08"), &varint(place.try_into().unwrap_or(0))[..], &hex("1a 00")].concat());
        let seen = first(&[table, record].concat(), |user| user.partition_key.to_owned());
        assert_eq!(seen, Ok((*text).to_owned()), "ValidDataRepeated: {text:?}");
    }
}

/// RejectInvalidUtf8.String: the suite asks it of proto3. The messages of the format are proto2, and D12 asks it of them as
/// well.
#[test]
fn strings_that_are_not_utf_8_are_malformed() {
    for bytes in
        [&b"\xa0\xb0\xc0\xd0"[..], b"\xff", b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"]
    {
        for message in MESSAGES {
            for &number in message.known() {
                // A record has no strings. Data and unknown fields may hold anything.
                let text = message != Message::Record && !(message.known().len() == 3 && number == 3);
                if text {
                    let name = format!("RejectInvalidUtf8: {number}: {bytes:02x?} (D12)");
                    expect(&name, message, &field(number, bytes), Err((InvalidUtf8, 2)));
                }
            }
            expect("invalid UTF-8 in an unknown field", message, &field(UNKNOWN, bytes), VALID);
        }
        expect("invalid UTF-8 as data", Message::Record, &field(3, bytes), VALID);
    }
}

/// ValidDataScalar.BYTES and RepeatedScalarSelectsLast.BYTES, as data.
#[test]
fn the_last_data_counts() {
    let values = [&b""[..], b"\x01\x02", b"\xfb", b"Hello world!", b"'\"?\\\x07\x08\x0c\n\r\t\x0b"];
    for value in values {
        for before in values {
            let fields = [hex("08 00"), field(3, before), field(3, value)].concat();
            let body = [hex("0a 00"), field(3, &fields)].concat();
            assert_eq!(first(&body, |user| user.data.to_vec()), Ok(value.to_vec()), "{before:?}, {value:?}");
        }
    }
}

/// RepeatedScalarMessageMerge and ValidDataRepeated.MESSAGE: no message of the format has a singular message, so only whole
/// bodies merge (D10), and each `records` and `tags` counts by itself.
#[test]
fn bodies_merge_and_repeated_messages_add_up() {
    let body = hex("0a 01 61 12 01 30 1a 0e 08 00 10 00 1a 01 78 22 05 0a 01 6b 12 00");
    let count =
        |body: &[u8]| decode(body, |users| users.iter().map(|user| user.tags.len()).collect::<Vec<_>>());
    assert_eq!(count(&body), Ok(vec![1]));
    assert_eq!(count(&body.repeat(3)), Ok(vec![1; 3]));
    let tags = [hex("08 00 1a 00"), field(4, &hex("0a 00")), field(4, &hex("0a 01 6b"))].concat();
    assert_eq!(count(&[hex("0a 00"), field(3, &tags), field(3, &tags)].concat()), Ok(vec![2; 2]));
}
