//! The cursor that all reading goes through: varints, tags, fields.
//!
//! Where registers have 64 bits, most of this is inlined into the loops over messages. The compiler then sees that most of
//! a field is not looked at, and keeps the rest in registers. What is rare is a function that takes and returns values:
//! given a reader by reference, it would keep the reader in memory for the common case as well.

use core::num::NonZero;

use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::bytes;

/// The unread rest of a message.
///
/// A failed read consumes nothing: it works on a copy, which replaces the cursor at the end. What it returns lives as long
/// as the payload, not as long as the cursor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    unread: &'a [u8],
    /// The end of the message in the payload. The position is derived from this and from what is unread, so that the
    /// reader of a nested message reports offsets in the payload without being told where it is.
    end: usize,
}

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    /// The offset of its tag in the payload.
    pub(crate) offset: usize,
    pub(crate) value: Value<'a>,
}

/// The value of a field.
///
/// Messages match on number and value together, so that a known field of another wire type is treated as an unknown field
/// (rule D5).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// A number, and its offset in the payload.
    Varint { value: u64, offset: usize },
    /// A string, data or a message.
    LengthDelimited(Reader<'a>),
    /// A fixed-width value or a group. No message of this format has one, so it was skipped.
    Skipped,
}

/// A field number with its wire type (rule D7).
#[derive(Clone, Copy, Debug)]
struct Tag {
    number: u32,
    wire_type: u32,
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH_DELIMITED: u32 = 2;
const GROUP_START: u32 = 3;
const GROUP_END: u32 = 4;
const FIXED32: u32 = 5;

/// The most bytes a varint may take (rule D6).
const MAX_VARINT_LEN: usize = 10;

/// The most groups that may be open at the same time (rule D9).
const MAX_OPEN_GROUPS: usize = 100;

impl<'a> Reader<'a> {
    /// Reads a message that begins `offset` bytes into the payload.
    pub(crate) const fn new(message: &'a [u8], offset: usize) -> Self {
        Self { unread: message, end: offset + message.len() }
    }

    /// Returns the offset of the next byte in the payload.
    #[inline]
    pub(crate) const fn offset(&self) -> usize {
        // `end` is the offset of the first byte plus a length that only shrinks.
        self.end - self.unread.len()
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.unread.is_empty()
    }

    /// Returns everything that is unread.
    #[inline]
    pub(crate) const fn bytes(&self) -> &'a [u8] {
        self.unread
    }

    /// Checks that everything unread is text (rule D12).
    #[inline]
    pub(crate) fn check_text(&self) -> Result<(), DecodeError> {
        if bytes::is_ascii(self.unread) { Ok(()) } else { self.text().map(|_| ()) }
    }

    /// Returns everything unread as text (rule D12).
    pub(crate) fn text(&self) -> Result<&'a str, DecodeError> {
        // A megabyte may hold half a million empty keys.
        if bytes::FAST_PATHS && self.unread.is_empty() {
            return Ok("");
        }
        core::str::from_utf8(self.unread)
            .map_err(|error| DecodeErrorKind::InvalidUtf8.at(self.offset() + error.valid_up_to()))
    }

    /// Takes `length` bytes.
    #[inline(always)]
    pub(crate) fn take(&mut self, length: usize) -> Option<Self> {
        let (taken, rest) = self.unread.split_at_checked(length)?;
        let nested = Self::new(taken, self.offset());
        self.unread = rest;
        Some(nested)
    }

    /// Takes a varint: at most 64 bits in at most 10 bytes, over-long forms included (rule D6).
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        match *self.unread {
            [byte, ref rest @ ..] if bytes::FAST_PATHS && byte < 0x80 => {
                self.unread = rest;
                return Ok(u64::from(byte));
            }
            [low, high, ref rest @ ..] if bytes::FAST_PATHS && high < 0x80 => {
                self.unread = rest;
                return Ok(u64::from(low & 0x7f) | u64::from(high) << 7);
            }
            _ => {}
        }
        let Some((value, len)) = long_varint(self.unread) else {
            let cut = self.unread.len() < MAX_VARINT_LEN;
            let kind = if cut { DecodeErrorKind::Truncated } else { DecodeErrorKind::VarintOverflow };
            return Err(kind.at(self.offset()));
        };
        self.unread = self.unread.get(len.get()..).unwrap_or_default();
        Ok(value)
    }

    /// Takes a tag (rule D7).
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn tag(&mut self) -> Result<Tag, DecodeError> {
        let mut ahead = *self;
        let tag = Tag::from_varint(ahead.varint()?).map_err(|kind| kind.at(self.offset()))?;
        *self = ahead;
        Ok(tag)
    }

    /// Takes a length and as many bytes: a string, data or a nested message (rule D8).
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn length_delimited(&mut self) -> Result<Self, DecodeError> {
        let mut ahead = *self;
        let length = ahead.varint()?;
        // A length that does not fit usize exceeds every message.
        let Some(nested) = usize::try_from(length).ok().and_then(|length| ahead.take(length)) else {
            return Err(DecodeErrorKind::LengthOutOfBounds.at(self.offset()));
        };
        *self = ahead;
        Ok(nested)
    }

    /// Skips `length` bytes.
    fn skip(&mut self, length: usize) -> Result<(), DecodeError> {
        match self.take(length) {
            Some(_) => Ok(()),
            None => Err(DecodeErrorKind::Truncated.at(self.offset())),
        }
    }

    /// Takes the next field, or returns `None` at the end of the message. On failure nothing is consumed.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn field(&mut self) -> Result<Option<Field<'a>>, DecodeError> {
        if self.is_empty() {
            return Ok(None);
        }
        let offset = self.offset();
        let mut ahead = *self;
        let tag = ahead.tag()?;
        let value = match tag.wire_type {
            VARINT => {
                let offset = ahead.offset();
                Value::Varint { value: ahead.varint()?, offset }
            }
            LENGTH_DELIMITED => Value::LengthDelimited(ahead.length_delimited()?),
            _ => {
                ahead.skip(skipped_len(ahead.bytes(), ahead.offset(), tag, offset)?)?;
                Value::Skipped
            }
        };
        *self = ahead;
        Ok(Some(Field { number: tag.number, offset, value }))
    }
}

impl Tag {
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn from_varint(value: u64) -> Result<Self, DecodeErrorKind> {
        // 29 bits of number and 3 of wire type: what does not fit 32 bits has a field number too large.
        let Ok(value @ 8..) = u32::try_from(value) else { return Err(DecodeErrorKind::FieldNumber) };
        let tag = Self { number: value >> 3, wire_type: value & 7 };
        if tag.wire_type > FIXED32 { Err(DecodeErrorKind::WireType) } else { Ok(tag) }
    }
}

/// Reads a varint of any length, and counts its bytes.
#[cfg_attr(target_pointer_width = "64", inline(never))]
fn long_varint(unread: &[u8]) -> Option<(u64, NonZero<usize>)> {
    let last = unread.iter().take(MAX_VARINT_LEN).position(|&byte| byte < 0x80)?;
    let varint = unread.get(..=last)?;
    // The tenth byte holds bit 63 and nothing else.
    if varint.get(MAX_VARINT_LEN - 1).is_some_and(|&byte| byte > 1) {
        return None;
    }
    let value = varint.iter().rfold(0, |value, &byte| value << 7 | u64::from(byte & 0x7f));
    Some((value, NonZero::new(varint.len())?))
}

/// Counts the bytes of a value that is skipped, where that does not take a varint.
///
/// `unread` is what follows the tag at `tag_offset`, `offset` bytes into the payload.
#[cfg_attr(target_pointer_width = "64", inline(never))]
fn skipped_len(unread: &[u8], offset: usize, tag: Tag, tag_offset: usize) -> Result<usize, DecodeError> {
    match tag.wire_type {
        FIXED32 => Ok(4),
        FIXED64 => Ok(8),
        // Nothing is shorter than an empty group, so a payload can have more of them than of anything else.
        GROUP_START if bytes::FAST_PATHS && begins_with_end_of(unread, tag.number) => Ok(1),
        GROUP_START => group_len(unread, offset, tag.number, tag_offset),
        _ => Err(DecodeErrorKind::UnmatchedGroupEnd.at(tag_offset)),
    }
}

/// Returns whether the first byte is the whole end tag of a group.
fn begins_with_end_of(unread: &[u8], number: u32) -> bool {
    unread.first().is_some_and(|&byte| byte < 0x80 && u32::from(byte) == number << 3 | GROUP_END)
}

/// Counts the bytes of a group after its start tag, which is at `start` and is for field `number` (rule D9).
///
/// The open groups are kept on a fixed stack: nested input never becomes recursion.
#[inline(never)]
fn group_len(unread: &[u8], offset: usize, number: u32, start: usize) -> Result<usize, DecodeError> {
    let mut rest = Reader::new(unread, offset);
    let mut enclosing = heapless::Vec::<u32, { MAX_OPEN_GROUPS - 1 }>::new();
    let mut innermost = number;
    while !rest.is_empty() {
        let offset = rest.offset();
        let tag = rest.tag()?;
        match tag.wire_type {
            VARINT => _ = rest.varint()?,
            FIXED64 => rest.skip(8)?,
            LENGTH_DELIMITED => _ = rest.length_delimited()?,
            FIXED32 => rest.skip(4)?,
            GROUP_START => {
                enclosing.push(innermost).map_err(|_| DecodeErrorKind::GroupsTooDeep.at(offset))?;
                innermost = tag.number;
            }
            GROUP_END if tag.number == innermost => match enclosing.pop() {
                Some(outer) => innermost = outer,
                None => return Ok(unread.len() - rest.bytes().len()),
            },
            _ => return Err(DecodeErrorKind::UnmatchedGroupEnd.at(offset)),
        }
    }
    Err(DecodeErrorKind::UnterminatedGroup.at(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::varint_boundaries;
    use DecodeErrorKind::*;

    /// Encodes a varint in `len` bytes, which may be more than needed.
    fn varint_of(value: u64, len: usize) -> ([u8; 10], usize) {
        let mut bytes = [0; 10];
        for (i, byte) in bytes.iter_mut().enumerate().take(len) {
            *byte = ((value >> (7 * i)) & 0x7f) as u8 | if i + 1 < len { 0x80 } else { 0 };
        }
        (bytes, len)
    }

    #[test]
    fn varints_in_every_legal_length() {
        for (value, shortest) in varint_boundaries() {
            for len in shortest..=10 {
                let (bytes, len) = varint_of(value, len);
                let mut reader = Reader::new(&bytes[..len], 7);
                assert_eq!(reader.varint(), Ok(value), "{value:#x} in {len} bytes");
                assert!(reader.is_empty(), "{value:#x} in {len} bytes");
                for cut in 0..len {
                    let mut reader = Reader::new(&bytes[..cut], 7);
                    assert_eq!(reader.varint(), Err(Truncated.at(7)), "{value:#x} cut to {cut}");
                    assert_eq!(reader.bytes().len(), cut, "a failed read consumes nothing");
                }
            }
        }
    }

    #[test]
    fn varints_over_64_bits() {
        for last in [2, 0x7f, 0x80, 0x81, 0xff] {
            let mut bytes = [0x80; 12];
            bytes[9] = last;
            // The message may end right there.
            for len in 10..=12 {
                let mut reader = Reader::new(&bytes[..len], 100);
                assert_eq!(reader.varint(), Err(VarintOverflow.at(100)), "tenth byte {last:#x} of {len}");
                assert_eq!(reader.offset(), 100);
            }
        }
    }

    #[test]
    fn nested_readers_report_offsets_in_the_payload() {
        let mut outer = Reader::new(&[3, 1, b'a', b'b', 9], 4);
        let mut inner = outer.length_delimited().unwrap();
        assert_eq!((inner.offset(), outer.offset()), (5, 8));
        assert_eq!(inner.length_delimited().unwrap().offset(), 6);
        assert_eq!(inner.varint(), Ok(u64::from(b'b')));
        assert_eq!(inner.varint(), Err(Truncated.at(8)));
    }
}
