//! A field's tag: its number and its wire type in one varint.

use crate::error::DecodeErrorKind;

/// What follows a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireType {
    Varint,
    Fixed64,
    LengthDelimited,
    GroupStart,
    GroupEnd,
    Fixed32,
}

/// A field number with its wire type (rule D7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) number: u32,
    pub(crate) wire_type: WireType,
}

/// The tag, one byte, of field `number`, below 16, with a varint in it.
#[expect(clippy::as_conversions, reason = "field numbers below 16 leave the upper bits clear")]
pub(crate) const fn varint_tag(number: u32) -> u8 {
    (number << 3) as u8
}

/// The tag, one byte, of field `number`, below 16, with a length and as many bytes in it.
pub(crate) const fn length_delimited_tag(number: u32) -> u8 {
    varint_tag(number) | 2
}

impl Tag {
    pub(crate) fn from_varint(value: u64) -> Result<Self, DecodeErrorKind> {
        // 29 bits of number and 3 of wire type: what does not fit 32 bits has a field number too large.
        let Ok(value @ 8..) = u32::try_from(value) else { return Err(DecodeErrorKind::FieldNumber) };
        let number = value >> 3;
        let wire_type = match value & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::LengthDelimited,
            3 => WireType::GroupStart,
            4 => WireType::GroupEnd,
            5 => WireType::Fixed32,
            _ => return Err(DecodeErrorKind::WireType),
        };
        Ok(Self { number, wire_type })
    }
}
