//! Values in every way to write them, and which of several counts.

use kinesis_aggregation::DecodeErrorKind::{
    self, ExplicitHashKeyIndexOutOfRange, InvalidUtf8, PartitionKeyIndexOutOfRange,
};
use kinesis_aggregation::UserRecord;

use crate::common::{field, hex, varint};
use crate::{MESSAGES, UNKNOWN, VALID, VARINT, decode, expect, tag};

/// A varint with so many bytes more than it needs.
fn long_varint(value: u64, more: usize) -> Vec<u8> {
    let mut bytes = varint(value);
    if more != 0 {
        bytes.last_mut().into_iter().for_each(|last| *last |= 0x80);
        bytes.resize(bytes.len() + more - 1, 0x80);
        bytes.push(0);
    }
    bytes
}

/// What the first user record is, or the fault.
fn first<T>(body: &[u8], see: impl FnOnce(&UserRecord<'_>) -> T) -> Result<T, DecodeErrorKind> {
    decode(body, |users| users.first().map(see))
        .map(|seen| seen.unwrap_or_else(|| panic!("none")))
        .map_err(|f| f.0)
}

/// ValidDataScalar.UINT64 and .UINT32, and RepeatedScalarSelectsLast of them: as an index into a table of 12,346 keys. The
/// suite's 32-bit fields are cut to 32 bits; the indexes here have 64, so that nothing wraps (D11).
#[test]
fn numbers() {
    let tables: Vec<u8> = (0..=12_345)
        .flat_map(|key| [field(1, key.to_string().as_bytes()), field(2, b"7")].concat())
        .collect();
    let key_of = |fields: &[u8]| {
        first(&[&tables, &field(3, &[fields, &hex("1a 00")].concat())[..]].concat(), |user| {
            user.partition_key.to_owned()
        })
    };
    let rows = [
        (varint(0), Some("0")),
        (varint(12_345), Some("12345")),
        (long_varint(12_345, 2), Some("12345")),
        (long_varint(12_345, 7), Some("12345")),
        (varint(12_346), None),
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
fn numbers_of_unknown_fields() {
    for value in [0, 1, 12_345_678, 1 << 33, u64::MAX >> 1, 1 << 63, u64::MAX] {
        for more in 0..=10 - varint(value).len() {
            let fields = [tag(UNKNOWN, VARINT), long_varint(value, more)].concat();
            for message in MESSAGES {
                expect(&format!("ValidDataScalar: {value:#x}, {more} more"), message, &fields, VALID);
            }
        }
    }
}

/// ValidDataScalar.STRING and RepeatedScalarSelectsLast.STRING, as the key and value of a tag. Strings in tables are
/// `repeated`, and so all of them count.
#[test]
fn strings() {
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
fn strings_that_are_not_utf_8() {
    for bytes in
        [&b"\xa0\xb0\xc0\xd0"[..], b"\xff", b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"]
    {
        for message in MESSAGES {
            for &number in message.known() {
                // A record has no strings. Data and unknown fields may hold anything.
                let text = message != crate::Message::Record && !(message.known().len() == 3 && number == 3);
                if text {
                    let name = format!("RejectInvalidUtf8: {number}: {bytes:02x?} (D12)");
                    expect(&name, message, &field(number, bytes), Err((InvalidUtf8, 2)));
                }
            }
            expect("invalid UTF-8 in an unknown field", message, &field(UNKNOWN, bytes), VALID);
        }
        expect("invalid UTF-8 as data", crate::Message::Record, &field(3, bytes), VALID);
    }
}

/// ValidDataScalar.BYTES and RepeatedScalarSelectsLast.BYTES, as data.
#[test]
fn bytes() {
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
