//! The cursor that all reading goes through.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::{FAST_PATHS, tag::Tag, varint};

/// The unread rest of a message.
///
/// A failed read consumes nothing: it works on a copy, which replaces the cursor once all went well. What it
/// hands out lives as long as the payload, not as long as the cursor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    unread: &'a [u8],
    /// Where the message ends in the payload. The position is derived from it and from what is unread, so the
    /// reader of a nested message reports offsets in the payload without being told where it stands.
    end: usize,
}

impl<'a> Reader<'a> {
    /// Reads a message that begins `offset` bytes into the payload.
    pub(crate) const fn new(message: &'a [u8], offset: usize) -> Self {
        Self { unread: message, end: offset + message.len() }
    }

    /// The offset in the payload of the next byte.
    #[inline]
    pub(crate) const fn offset(&self) -> usize {
        // `end` is the offset of the first byte plus a length that only shrinks.
        self.end - self.unread.len()
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.unread.is_empty()
    }

    /// All that is unread.
    #[inline]
    pub(crate) const fn bytes(&self) -> &'a [u8] {
        self.unread
    }

    /// Checks that all that is unread is text (rule D12).
    #[inline]
    pub(crate) fn check_text(&self) -> Result<(), DecodeError> {
        // Keys mostly are ASCII, which is found out four times as fast as UTF-8 is checked.
        if FAST_PATHS && self.unread.is_ascii() { Ok(()) } else { self.text().map(|_| ()) }
    }

    /// All that is unread, as text (rule D12).
    pub(crate) fn text(&self) -> Result<&'a str, DecodeError> {
        // A megabyte may hold half a million empty keys.
        if FAST_PATHS && self.is_empty() {
            return Ok("");
        }
        core::str::from_utf8(self.unread)
            .map_err(|fault| DecodeErrorKind::InvalidUtf8.at(self.offset() + fault.valid_up_to()))
    }

    /// Takes a byte.
    #[inline(always)]
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.unread.split_first()?;
        self.unread = rest;
        Some(byte)
    }

    /// Takes as many bytes.
    #[inline(always)]
    pub(crate) fn take(&mut self, length: usize) -> Option<Self> {
        let (taken, rest) = self.unread.split_at_checked(length)?;
        let nested = Self::new(taken, self.offset());
        self.unread = rest;
        Some(nested)
    }

    /// Takes a varint of one to three bytes. If it is longer or cut short, what this leaves behind is of no use.
    ///
    /// The branches are on purpose: processors foresee them and go on with the next field before the value is there.
    #[inline(always)]
    pub(crate) fn short_varint(&mut self) -> Option<u32> {
        let low_bits = |byte: u8| u32::from(byte & 0x7f);
        let first = self.byte()?;
        if first < 0x80 {
            return Some(u32::from(first));
        }
        let second = self.byte()?;
        let value = low_bits(first) | low_bits(second) << 7;
        if second < 0x80 {
            return Some(value);
        }
        let third = self.byte()?;
        if third < 0x80 { Some(value | low_bits(third) << 14) } else { None }
    }

    /// Takes a varint: at most 64 bits in at most 10 bytes, over-long forms included (rule D6).
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        if FAST_PATHS {
            let mut ahead = *self;
            if let Some(value) = ahead.short_varint() {
                *self = ahead;
                return Ok(u64::from(value));
            }
        }
        let (value, len) = any_varint(self.unread).map_err(|kind| kind.at(self.offset()))?;
        self.unread = self.unread.get(len..).unwrap_or_default();
        Ok(value)
    }

    /// Takes a tag (rule D7).
    #[inline]
    pub(crate) fn tag(&mut self) -> Result<Tag, DecodeError> {
        let mut ahead = *self;
        let tag = Tag::from_varint(ahead.varint()?).map_err(|kind| kind.at(self.offset()))?;
        *self = ahead;
        Ok(tag)
    }

    /// Takes a length and as many bytes: a string, some data or a nested message (rule D8).
    #[inline]
    pub(crate) fn length_delimited(&mut self) -> Result<Self, DecodeError> {
        let mut ahead = *self;
        let length = ahead.varint()?;
        // A length that does not fit usize is longer than any message.
        let Some(nested) = usize::try_from(length).ok().and_then(|length| ahead.take(length)) else {
            return Err(DecodeErrorKind::LengthOutOfBounds.at(self.offset()));
        };
        *self = ahead;
        Ok(nested)
    }

    /// Passes over a value of `length` bytes.
    pub(crate) fn skip(&mut self, length: usize) -> Result<(), DecodeError> {
        match self.take(length) {
            Some(_) => Ok(()),
            None => Err(DecodeErrorKind::Truncated.at(self.offset())),
        }
    }
}

/// Reads a varint, and counts its bytes.
#[inline(never)]
fn any_varint(unread: &[u8]) -> Result<(u64, usize), DecodeErrorKind> {
    match unread.iter().take(varint::MAX_LEN).position(|&byte| byte < 0x80) {
        // The tenth byte holds bit 63 and nothing else.
        Some(9) if unread.get(9).is_some_and(|&byte| byte > 1) => Err(DecodeErrorKind::VarintOverflow),
        Some(last) => {
            let bytes = unread.get(..=last).unwrap_or_default();
            let value = bytes.iter().rfold(0, |value, &byte| value << 7 | u64::from(byte & 0x7f));
            Ok((value, bytes.len()))
        }
        None if unread.len() < varint::MAX_LEN => Err(DecodeErrorKind::Truncated),
        None => Err(DecodeErrorKind::VarintOverflow),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::varint::tests::BOUNDARIES;
    use DecodeErrorKind::*;

    /// Encodes with as many bytes as asked for, which may be more than needed.
    fn varint_of(value: u64, len: usize) -> ([u8; 10], usize) {
        let mut bytes = [0; 10];
        for (i, byte) in bytes.iter_mut().enumerate().take(len) {
            *byte = ((value >> (7 * i)) & 0x7f) as u8 | if i + 1 < len { 0x80 } else { 0 };
        }
        (bytes, len)
    }

    #[test]
    fn varints_in_every_legal_length() {
        for &(value, shortest) in BOUNDARIES {
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
    fn short_varints_take_one_to_three_bytes() {
        for &(value, shortest) in BOUNDARIES {
            for len in shortest..=10 {
                let (bytes, len) = varint_of(value, len);
                let expected = if len <= 3 { u32::try_from(value).ok() } else { None };
                let mut reader = Reader::new(&bytes, 7);
                assert_eq!(reader.short_varint(), expected, "{value:#x} in {len} bytes");
                if expected.is_some() {
                    assert_eq!(reader.offset(), 7 + len, "{value:#x} in {len} bytes");
                }
                assert_eq!(Reader::new(&bytes[..len - 1], 7).short_varint(), None, "{value:#x} cut");
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
    fn tags() {
        let cases: &[(&str, &[u8], Result<u32, DecodeErrorKind>)] = &[
            ("field 1", &[0x0a], Ok(1)),
            ("highest field number", &[0xfa, 0xff, 0xff, 0xff, 0x0f], Ok((1 << 29) - 1)),
            ("over-long", &[0x8a, 0x80, 0x80, 0x80, 0x80, 0x00], Ok(1)),
            ("field 0", &[0x02], Err(FieldNumber)),
            ("field 2^29", &[0x80, 0x80, 0x80, 0x80, 0x10], Err(FieldNumber)),
            ("field 0 of wire type 7: the number comes first", &[0x07], Err(FieldNumber)),
            ("wire type 6", &[0x0e], Err(WireType)),
            ("wire type 7", &[0x0f], Err(WireType)),
            ("cut", &[0x8a], Err(Truncated)),
            ("nothing", &[], Err(Truncated)),
        ];
        for &(name, bytes, expected) in cases {
            let mut reader = Reader::new(bytes, 4);
            let number = reader.tag().map(|tag| tag.number);
            assert_eq!(number, expected.map_err(|kind| kind.at(4)), "{name}");
            assert_eq!(reader.is_empty(), expected.is_ok() || bytes.is_empty(), "{name}");
        }
    }

    #[test]
    fn lengths() {
        let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, b'a'];
        let wraps_32_bits = [0x81, 0x80, 0x80, 0x80, 0x10, b'a'];
        type Case<'a> = (&'a str, &'a [u8], Result<&'a [u8], DecodeErrorKind>);
        let cases: &[Case<'_>] = &[
            ("empty", &[0], Ok(b"")),
            ("exact", &[2, b'a', b'b'], Ok(b"ab")),
            ("one too many", &[3, b'a', b'b'], Err(LengthOutOfBounds)),
            ("2^64 - 1", &huge, Err(LengthOutOfBounds)),
            ("2^32 + 1", &wraps_32_bits, Err(LengthOutOfBounds)),
            ("cut", &[0x80], Err(Truncated)),
        ];
        for &(name, bytes, expected) in cases {
            let mut reader = Reader::new(bytes, 9);
            let taken = reader.length_delimited().map(|nested| nested.bytes());
            assert_eq!(taken, expected.map_err(|kind| kind.at(9)), "{name}");
            assert_eq!(reader.bytes().len() == bytes.len(), expected.is_err(), "{name}");
        }
    }

    #[test]
    fn nested_readers_know_their_place() {
        let mut outer = Reader::new(&[3, 1, b'a', b'b', 9], 4);
        let mut inner = outer.length_delimited().unwrap();
        assert_eq!((inner.offset(), outer.offset()), (5, 8));
        assert_eq!(inner.length_delimited().unwrap().offset(), 6);
        assert_eq!(inner.varint(), Ok(u64::from(b'b')));
        assert_eq!(inner.varint(), Err(Truncated.at(8)));
    }

    #[test]
    fn text_names_the_first_bad_byte() {
        assert_eq!(Reader::new("clé".as_bytes(), 0).text(), Ok("clé"));
        assert_eq!(Reader::new(b"ab\xff\xfe", 10).text(), Err(InvalidUtf8.at(12)));
        assert_eq!(Reader::new(b"ab\xe2\x82", 10).text(), Err(InvalidUtf8.at(12)), "cut character");
    }
}
