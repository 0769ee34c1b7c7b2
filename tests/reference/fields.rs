//! Step two: bytes into fields. What holds for any protobuf message, whatever its fields mean (D6 to D9).
//!
//! Every function takes the payload *cut off at the end of the message*, so that the end of the slice is the
//! end of the message, and an index into the slice is an offset in the payload (D18).

use core::ops::Range;

use super::{Fault, Malformed};

/// The number of groups that may be open at once (D9).
const GROUPS_MAX: usize = 100;

/// A message split into its fields.
pub(super) struct Message {
    /// The fields before the first fault. Those inside groups are left out.
    pub fields: Vec<Field>,
    /// The end of a reading after these fields: the end of the message, or a fault.
    pub end: Result<(), Malformed>,
}

/// A field that stands directly in its message.
pub(super) struct Field {
    /// The offset of its tag.
    pub tag_start: usize,
    /// Its field number, from 1 to 2^29 - 1.
    pub number: u64,
    /// Its value.
    pub value: Value,
}

/// The value of a field.
pub(super) enum Value {
    /// A varint, and where it starts.
    Varint { value: u64, start: usize },
    /// The range of the bytes of a length-delimited value.
    Bytes(Range<usize>),
    /// A fixed-width value or a whole group. No field of the format has one, so it is of no interest (D5).
    Skipped,
}

/// Splits the message that stands at `place` in the payload.
pub(super) fn split(payload: &[u8], place: Range<usize>) -> Message {
    let mut fields = Vec::new();
    let end = read_fields(&payload[..place.end], place.start, &mut fields);
    Message { fields, end }
}

/// Reads fields up to the end of the message or the first fault. Groups are followed by a list of those that
/// are open, innermost last, and dropped with all they hold (D9).
fn read_fields(bytes: &[u8], start: usize, fields: &mut Vec<Field>) -> Result<(), Malformed> {
    let mut open_groups: Vec<Tag> = Vec::new();
    let mut position = start;
    while position < bytes.len() {
        let (tag, after_tag) = read_tag(bytes, position)?;
        let inside_group = !open_groups.is_empty();
        let value;
        (value, position) = match tag.wire_type {
            0 => {
                let (value, after) = read_varint(bytes, after_tag)?;
                (Value::Varint { value, start: after_tag }, after)
            }
            1 => (Value::Skipped, skip_fixed(bytes, after_tag, 8)?),
            2 => {
                let place = read_length(bytes, after_tag)?;
                (Value::Bytes(place.clone()), place.end)
            }
            3 if open_groups.len() == GROUPS_MAX => return Err(Fault::GroupsTooDeep.at(tag.start)),
            3 => {
                open_groups.push(tag);
                (Value::Skipped, after_tag)
            }
            4 => match open_groups.pop() {
                Some(group) if group.number == tag.number => (Value::Skipped, after_tag),
                _ => return Err(Fault::UnmatchedGroupEnd.at(tag.start)),
            },
            5 => (Value::Skipped, skip_fixed(bytes, after_tag, 4)?),
            _ => return Err(Fault::WireType.at(tag.start)),
        };
        if !inside_group {
            fields.push(Field { tag_start: tag.start, number: tag.number, value });
        }
    }
    match open_groups.first() {
        Some(outermost) => Err(Fault::UnterminatedGroup.at(outermost.start)),
        None => Ok(()),
    }
}

/// The field number and wire type before each value.
#[derive(Clone, Copy)]
struct Tag {
    start: usize,
    number: u64,
    wire_type: u64,
}

/// Reads a tag and says where it ends (D7). The wire type is judged by the caller, after the field number.
fn read_tag(bytes: &[u8], start: usize) -> Result<(Tag, usize), Malformed> {
    let (value, after) = read_varint(bytes, start)?;
    let tag = Tag { start, number: value >> 3, wire_type: value & 0b111 };
    if (1..1 << 29).contains(&tag.number) { Ok((tag, after)) } else { Err(Fault::FieldNumber.at(start)) }
}

/// Reads a varint and says where it ends (D6).
fn read_varint(bytes: &[u8], start: usize) -> Result<(u64, usize), Malformed> {
    // Ten bytes of seven bits each: at most 70 bits.
    let mut value: u128 = 0;
    for index in 0..10 {
        let Some(&byte) = bytes.get(start + index) else { return Err(Fault::Truncated.at(start)) };
        value |= u128::from(byte & 0x7f) << (7 * index);
        let is_last = byte & 0x80 == 0;
        if is_last {
            return match u64::try_from(value) {
                Ok(value) => Ok((value, start + index + 1)),
                Err(_) => Err(Fault::VarintOverflow.at(start)),
            };
        }
    }
    Err(Fault::VarintOverflow.at(start))
}

/// Passes over a fixed-width value and says where it ends (D6).
fn skip_fixed(bytes: &[u8], start: usize, width: usize) -> Result<usize, Malformed> {
    if bytes.len() - start < width { Err(Fault::Truncated.at(start)) } else { Ok(start + width) }
}

/// Reads a length and says where the bytes stand that it measures (D8).
fn read_length(bytes: &[u8], start: usize) -> Result<Range<usize>, Malformed> {
    let (length, after) = read_varint(bytes, start)?;
    // A length that is no `usize` is longer than any message.
    match usize::try_from(length) {
        Ok(length) if length <= bytes.len() - after => Ok(after..after + length),
        _ => Err(Fault::LengthOutOfBounds.at(start)),
    }
}
