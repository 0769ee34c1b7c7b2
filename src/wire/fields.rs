//! Whole fields: a tag with its value, unknown ones passed over.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::tag::WireType;
use crate::wire::{FAST_PATHS, Reader};

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    /// Where its tag begins in the payload.
    pub(crate) offset: usize,
    pub(crate) value: Value<'a>,
}

/// The value of a field.
///
/// Messages match on number and value together, so a known field of another wire type falls through to where
/// unknown fields are ignored (rule D5).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// A number, and where it stands in the payload.
    Varint { value: u64, offset: usize },
    /// A string, some data or a message.
    LengthDelimited(Reader<'a>),
    /// A fixed-width value or a group: no message of this format has one, so it is passed over.
    Skipped,
}

/// How many groups may be open at once (rule D9).
const MAX_OPEN_GROUPS: usize = 100;

impl<'a> Reader<'a> {
    /// Takes the next field, or says that the message ends here. On failure nothing is consumed.
    #[inline(always)]
    pub(crate) fn field(&mut self) -> Result<Option<Field<'a>>, DecodeError> {
        if !FAST_PATHS {
            return self.any_field();
        }
        if let Some(field) = self.short_field() {
            return Ok(Some(field));
        }
        if self.is_empty() {
            return Ok(None);
        }
        let (field, rest) = Self::first_field(self.bytes(), self.offset())?;
        *self = rest;
        Ok(field)
    }

    /// Takes the next field if it is of the shape that almost all are: a tag of one byte, then a number or a length of
    /// one to three; or if it is an empty group. Otherwise takes nothing.
    ///
    /// [`Self::any_field`] would take it just the same. This is inlined into the loops over messages, where the compiler
    /// then sees that most of a field is not looked at, and keeps the rest in registers: five times as fast.
    #[inline(always)]
    fn short_field(&mut self) -> Option<Field<'a>> {
        let mut ahead = *self;
        let tag @ 0x08..=0x7f = ahead.byte()? else { return None };
        let offset = self.offset();
        let value_offset = ahead.offset();
        let value = match tag & 7 {
            0 => Value::Varint { value: u64::from(ahead.short_varint()?), offset: value_offset },
            2 => {
                let length = ahead.short_varint()?;
                Value::LengthDelimited(ahead.take(usize::try_from(length).ok()?)?)
            }
            // Nothing takes fewer bytes than an empty group, so a payload may have more of them than of anything else.
            3 if ahead.byte()? == tag ^ 7 => Value::Skipped,
            _ => return None,
        };
        *self = ahead;
        Some(Field { number: u32::from(tag >> 3), offset, value })
    }

    /// [`Self::any_field`] of a message that begins `offset` bytes into the payload, and the rest of it: by value, and with what
    /// goes in in registers. By reference, callers would keep their readers in memory, for short fields too.
    #[inline(never)]
    fn first_field(message: &'a [u8], offset: usize) -> Result<(Option<Field<'a>>, Self), DecodeError> {
        let mut rest = Self::new(message, offset);
        let field = rest.any_field()?;
        Ok((field, rest))
    }

    /// Takes the next field, whatever it is, or says that the message ends here.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn any_field(&mut self) -> Result<Option<Field<'a>>, DecodeError> {
        if self.is_empty() {
            return Ok(None);
        }
        let offset = self.offset();
        let mut ahead = *self;
        let tag = ahead.tag()?;
        let value = match tag.wire_type {
            WireType::Varint => {
                let offset = ahead.offset();
                Value::Varint { value: ahead.varint()?, offset }
            }
            WireType::LengthDelimited => Value::LengthDelimited(ahead.length_delimited()?),
            WireType::Fixed64 => {
                ahead.skip(8)?;
                Value::Skipped
            }
            WireType::Fixed32 => {
                ahead.skip(4)?;
                Value::Skipped
            }
            WireType::GroupStart => {
                ahead.skip(Self::group_len(ahead.bytes(), ahead.offset(), tag.number, offset)?)?;
                Value::Skipped
            }
            WireType::GroupEnd => return Err(DecodeErrorKind::UnmatchedGroupEnd.at(offset)),
        };
        *self = ahead;
        Ok(Some(Field { number: tag.number, offset, value }))
    }

    /// Counts the bytes of the rest of a group whose start tag, at `start`, has been taken (rule D9): `message`, `offset` bytes
    /// into the payload, is what follows that tag.
    ///
    /// The open groups are kept in a fixed stack: nesting in the input never becomes recursion here.
    #[inline(never)]
    fn group_len(message: &'a [u8], offset: usize, number: u32, start: usize) -> Result<usize, DecodeError> {
        let mut rest = Self::new(message, offset);
        let mut enclosing = heapless::Vec::<u32, { MAX_OPEN_GROUPS - 1 }>::new();
        let mut innermost = number;
        while !rest.is_empty() {
            // A short field may be an empty group, which opens one more: not where 100 are open.
            if FAST_PATHS && !enclosing.is_full() && rest.short_field().is_some() {
                continue;
            }
            let offset = rest.offset();
            let tag = rest.tag()?;
            match tag.wire_type {
                WireType::Varint => _ = rest.varint()?,
                WireType::Fixed64 => rest.skip(8)?,
                WireType::LengthDelimited => _ = rest.length_delimited()?,
                WireType::Fixed32 => rest.skip(4)?,
                WireType::GroupStart => {
                    enclosing.push(innermost).map_err(|_| DecodeErrorKind::GroupsTooDeep.at(offset))?;
                    innermost = tag.number;
                }
                WireType::GroupEnd if tag.number == innermost => match enclosing.pop() {
                    Some(outer) => innermost = outer,
                    None => return Ok(message.len() - rest.bytes().len()),
                },
                WireType::GroupEnd => return Err(DecodeErrorKind::UnmatchedGroupEnd.at(offset)),
            }
        }
        Err(DecodeErrorKind::UnterminatedGroup.at(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DecodeErrorKind::*;
    use alloc::format;
    use alloc::string::String;

    const START_9: u8 = 9 << 3 | 3;
    const END_9: u8 = 9 << 3 | 4;
    const START_8: u8 = 8 << 3 | 3;
    const END_8: u8 = 8 << 3 | 4;

    /// Takes all fields; answers with how many there were.
    fn count(bytes: &[u8]) -> Result<usize, DecodeError> {
        let mut reader = Reader::new(bytes, 0);
        let mut fields = 0;
        loop {
            let before = reader.offset();
            match reader.field() {
                Ok(Some(field)) => {
                    assert_eq!(field.offset, before);
                    fields += 1;
                }
                Ok(None) => return Ok(fields),
                Err(error) => {
                    assert_eq!(reader.offset(), before, "a failed read consumes nothing");
                    return Err(error);
                }
            }
        }
    }

    #[test]
    fn every_wire_type() {
        let cases: &[(&str, &[u8], Result<usize, DecodeError>)] = &[
            ("nothing", &[], Ok(0)),
            ("varint, fixed32", &[0x08, 5, 0x0d, 1, 2, 3, 4], Ok(2)),
            ("fixed64, length-delimited", &[0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x0a, 1, b'x'], Ok(2)),
            ("fixed32 cut", &[0x08, 5, 0x0d, 1, 2, 3], Err(Truncated.at(3))),
            ("fixed64 cut", &[0x09, 1, 2, 3, 4, 5, 6, 7], Err(Truncated.at(1))),
            ("varint cut", &[0x08, 0x80], Err(Truncated.at(1))),
            ("length past the end", &[0x0a, 2, b'x'], Err(LengthOutOfBounds.at(1))),
        ];
        for &(name, bytes, expected) in cases {
            assert_eq!(count(bytes), expected, "{name}");
        }
    }

    #[test]
    fn groups() {
        let cases: &[(&str, &[u8], Result<usize, DecodeError>)] = &[
            ("empty", &[START_9, END_9], Ok(1)),
            (
                "nested, with all wire types",
                &[
                    START_9, START_8, 0x08, 5, END_8, 0x0d, 1, 2, 3, 4, 0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x0a,
                    1, b'x', END_9, 0x08, 1,
                ],
                Ok(2),
            ),
            ("same number nested", &[START_9, START_9, END_9, END_9], Ok(1)),
            ("lone end", &[0x08, 1, END_9], Err(UnmatchedGroupEnd.at(2))),
            ("wrong end", &[START_9, END_8], Err(UnmatchedGroupEnd.at(1))),
            ("ends crossed", &[START_9, START_8, END_9, END_8], Err(UnmatchedGroupEnd.at(2))),
            ("no end", &[0x08, 1, START_9, START_8, END_8], Err(UnterminatedGroup.at(2))),
            ("two without end: the outermost", &[START_9, START_8], Err(UnterminatedGroup.at(0))),
            ("bad varint inside", &[START_9, 0x08, 0x80], Err(Truncated.at(2))),
            ("bad length inside", &[START_9, 0x0a, 5, END_9], Err(LengthOutOfBounds.at(2))),
            ("bad wire type inside", &[START_9, 0x0e], Err(WireType.at(1))),
        ];
        for &(name, bytes, expected) in cases {
            assert_eq!(count(bytes), expected, "{name}");
        }
    }

    #[test]
    fn group_depth() {
        let mut bytes = [START_9; 202];
        bytes[100..].fill(END_9);
        assert_eq!(count(&bytes[..200]), Ok(1), "100 open");
        bytes[100] = START_9;
        assert_eq!(count(&bytes), Err(GroupsTooDeep.at(100)), "101 open");
    }

    /// What is taken, and where it ends.
    fn shown(taken: impl core::fmt::Debug, reader: &Reader<'_>) -> String {
        format!("{taken:?}, then byte {}", reader.offset())
    }

    #[test]
    fn short_fields_are_taken_the_short_way_and_like_any_other() {
        let cases: &[(&str, &[u8], bool)] = &[
            ("nothing", &[], false),
            ("a number of one byte", &[0x08, 0x7f, 9], true),
            ("of two", &[0x08, 0xff, 0x7f, 9], true),
            ("of three", &[0x08, 0xff, 0xff, 0x7f, 9], true),
            ("of four", &[0x08, 0x80, 0x80, 0x80, 1], false),
            ("over-long", &[0x08, 0x80, 0x80, 0, 9], true),
            ("cut", &[0x08, 0x80], false),
            ("no bytes", &[0x0a, 0, 9], true),
            ("bytes to the end", &[0x0a, 2, b'a', b'b'], true),
            ("their length of two", &[0x0a, 0x81, 0, b'a', 9], true),
            ("of three", &[0x0a, 0x81, 0x80, 0, b'a', 9], true),
            ("of four", &[0x0a, 0x81, 0x80, 0x80, 0, b'a'], false),
            ("length past the end", &[0x0a, 2, b'a'], false),
            ("field 15", &[0x78, 5], true),
            ("field 15, bytes", &[0x7a, 1, b'a'], true),
            ("field 16", &[0x80, 0x01, 5], false),
            ("field 0", &[0x00, 5], false),
            ("fixed64", &[0x09, 1, 2, 3, 4, 5, 6, 7, 8], false),
            ("empty group", &[0x0b, 0x0c, 9], true),
            ("group with a field", &[0x0b, 0x08, 1, 0x0c], false),
            ("group with the end of another", &[0x0b, 0x14], false),
            ("start of a group", &[0x0b], false),
            ("fixed32", &[0x0d, 1, 2, 3, 4], false),
        ];
        for &(name, bytes, short) in cases {
            let mut reader = Reader::new(bytes, 4);
            let mut other = reader;
            match reader.short_field() {
                Some(field) => {
                    assert!(short, "{name}");
                    let expected = other.any_field().unwrap().unwrap();
                    assert_eq!(shown(field, &reader), shown(expected, &other), "{name}");
                }
                None => assert_eq!((short, reader.offset()), (false, 4), "{name}"),
            }
        }
    }
}
