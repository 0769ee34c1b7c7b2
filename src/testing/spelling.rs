//! Writes protobuf fields in any form that the format allows, valid or with one fault.

use alloc::vec;
use alloc::vec::Vec;

use crate::wire::widen;

pub(super) const VARINT: u64 = 0;
pub(super) const FIXED64: u64 = 1;
pub(super) const BYTES: u64 = 2;
pub(super) const GROUP: u64 = 3;
pub(super) const GROUP_END: u64 = 4;
pub(super) const FIXED32: u64 = 5;

/// Part of a payload, with the offset of the fault that it contains on purpose.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) fault: Option<usize>,
}

impl Piece {
    /// Appends another piece. Of two faults, the first is kept.
    #[must_use]
    pub(super) fn then(mut self, next: impl Into<Self>) -> Self {
        let next = next.into();
        let start = self.bytes.len();
        self.fault = self.fault.or(next.fault.map(|fault| start + fault));
        self.bytes.extend(next.bytes);
        self
    }

    /// Marks the first byte as the offset of the fault.
    #[must_use]
    pub(super) fn faulty(self) -> Self {
        Self { fault: Some(0), ..self }
    }
}

impl<B: AsRef<[u8]>> From<B> for Piece {
    fn from(bytes: B) -> Self {
        Self { bytes: bytes.as_ref().to_vec(), fault: None }
    }
}

/// A whole field and its number.
pub(super) type Field = (u64, Piece);

/// Joins fields to a message.
pub(super) fn join(fields: Vec<Field>) -> Piece {
    fields.into_iter().fold(Piece::default(), |message, (_, field)| message.then(field))
}

/// Puts a field in place of all fields of that number.
pub(super) fn replace(fields: &mut Vec<Field>, number: u64, field: Piece) {
    let at = fields.iter().take_while(|(other, _)| *other != number).count();
    fields.retain(|(other, _)| *other != number);
    fields.insert(at.min(fields.len()), (number, field));
}

/// Returns a varint of at least so many bytes. A value needs 10 at most.
pub(super) fn varint(value: u64, at_least: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = value;
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 && bytes.len() + 1 >= at_least {
            bytes.push(low & 0x7f);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Returns a faulty varint of 65 bits, whose lower 64 bits are the value.
pub(super) fn with_bit_64(value: u64) -> Piece {
    let mut bytes = varint(value, 10);
    if let Some(tenth) = bytes.last_mut() {
        *tenth |= 2;
    }
    Piece::from(bytes).faulty()
}

/// Returns a faulty varint of 11 bytes.
pub(super) fn of_eleven_bytes(value: u64) -> Piece {
    let mut bytes = varint(value, 10);
    if let Some(tenth) = bytes.last_mut() {
        *tenth |= 0x80;
    }
    Piece::from(bytes).then([0]).faulty()
}

/// The fields that a message defines: their numbers and wire types.
pub(super) type Known = [(u64, u64)];

/// Chooses how to write something, by one byte for each choice. When no bytes are left, each choice is the plainest.
#[derive(Clone, Debug)]
pub(super) struct Speller<'c> {
    choices: core::slice::Iter<'c, u8>,
    /// How many of the 256 values of a byte make something odd.
    odd: u16,
}

impl<'c> Speller<'c> {
    /// The first byte chooses how often something is odd, from never to mostly.
    pub(super) fn new(choices: &'c [u8]) -> Self {
        let mut choices = choices.iter();
        let odd = match choices.next().unwrap_or(&0) & 3 {
            0 => 0,
            1 => 12,
            2 => 48,
            _ => 160,
        };
        Self { choices, odd }
    }

    fn byte(&mut self) -> u8 {
        self.choices.next().copied().unwrap_or(0)
    }

    /// Returns whether to do something that is legal, but that no encoder does.
    pub(super) fn odd(&mut self) -> bool {
        self.odd != 0 && u16::from(self.byte()) >= 256 - self.odd
    }

    /// Returns the number of a variant: 0, unless odd ones are allowed.
    pub(super) fn variant(&mut self, count: usize) -> usize {
        if self.odd == 0 { 0 } else { self.below(count) }
    }

    /// Returns a number below `bound`, or 0 if there is none.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        if bound < 2 {
            return 0;
        }
        let high = if bound > 256 { self.byte() } else { 0 };
        usize::from(u16::from_be_bytes([high, self.byte()])) % bound
    }

    /// Returns one of some values.
    pub(super) fn pick<T: Copy + Default>(&mut self, values: &[T]) -> T {
        let choice = self.below(values.len());
        values.get(choice).copied().unwrap_or_default()
    }

    /// Returns a number of up to 64 bits, a small one more often.
    pub(super) fn number(&mut self) -> u64 {
        let bytes = core::array::from_fn(|_| self.byte());
        u64::from_le_bytes(bytes) >> self.below(64)
    }

    /// Writes a varint, in more bytes than it needs if that is odd (D6).
    pub(super) fn varint(&mut self, value: u64) -> Piece {
        let at_least = if self.odd() { self.below(11) } else { 0 };
        varint(value, at_least).into()
    }

    /// Returns up to nine bytes of a varint that does not end.
    pub(super) fn unended_varint(&mut self) -> Piece {
        vec![0x88; self.below(9) + 1].into()
    }

    pub(super) fn tag(&mut self, number: u64, wire_type: u64) -> Piece {
        self.varint(number << 3 | wire_type)
    }

    pub(super) fn varint_field(&mut self, number: u64, value: u64) -> Piece {
        self.tag(number, VARINT).then(self.varint(value))
    }

    /// Writes a field that holds a string, bytes or a message.
    pub(super) fn bytes_field(&mut self, number: u64, content: impl Into<Piece>) -> Piece {
        let content = content.into();
        self.tag(number, BYTES).then(self.varint(widen(content.bytes.len()))).then(content)
    }

    /// Writes a field inside a group that no message defines.
    pub(super) fn in_group(&mut self, number: u64, wire_type: u64, value: Piece) -> Piece {
        self.tag(15, GROUP).then(self.tag(number, wire_type)).then(value).then(self.tag(15, GROUP_END))
    }

    /// Writes text that is valid up to a fault in its encoding.
    pub(super) fn invalid_text(&mut self, valid: &str, fault: &[u8]) -> Piece {
        let fault = if fault.is_empty() {
            self.pick(&[&b"\xff"[..], b"\x80", b"\xe2\x28\xa1", b"\xf0\x9f\x9a"])
        } else {
            fault
        };
        Piece::from(valid).then(Piece::from(fault).faulty())
    }

    /// Writes a field that a message does not define, because of its number or of its wire type (D5).
    fn unknown_field(&mut self, known: &Known) -> Piece {
        let number = self.pick(&[15, 1, 2, 3, 4, 5, 16, 2047, (1 << 29) - 1]);
        let wire_type = self.pick(&[VARINT, FIXED32, FIXED64, BYTES, GROUP]);
        // No message defines a field of 4 bytes.
        let wire_type = if known.contains(&(number, wire_type)) { FIXED32 } else { wire_type };
        self.any_field(number, wire_type, 1)
    }

    /// Writes a field with a meaningless value. A group in it is the `depth`th that is open.
    fn any_field(&mut self, number: u64, wire_type: u64, depth: usize) -> Piece {
        let tag = self.tag(number, wire_type);
        match wire_type {
            VARINT => {
                let number = self.number();
                tag.then(self.varint(number))
            }
            FIXED64 => tag.then(self.number().to_le_bytes()),
            FIXED32 => tag.then([0xff; 4]),
            GROUP => {
                let content = if self.odd() {
                    let wire_types = [VARINT, FIXED32, FIXED64, BYTES, GROUP];
                    let (number, choice) =
                        (self.pick(&[1, 2, 3, 15]), self.below(if depth < 4 { 5 } else { 4 }));
                    self.any_field(number, wire_types.get(choice).copied().unwrap_or(VARINT), depth + 1)
                } else if depth == 1 && self.odd() {
                    // With the one that is open, these are 100 (D9).
                    Piece::from(varint(9 << 3 | GROUP, 0).repeat(99))
                        .then(varint(9 << 3 | GROUP_END, 0).repeat(99))
                } else {
                    Piece::default()
                };
                tag.then(content).then(self.tag(number, GROUP_END))
            }
            // Not UTF-8: an unknown field may hold anything.
            _ => {
                let content = vec![0xff; self.below(5)];
                tag.then(self.varint(widen(content.len()))).then(content)
            }
        }
    }

    /// Puts unknown fields between others, where that is odd.
    pub(super) fn add_unknown_fields(&mut self, fields: Vec<Field>, known: &Known) -> Vec<Field> {
        let mut spelled = Vec::new();
        for field in fields {
            if self.odd() {
                spelled.push((0, self.unknown_field(known)));
            }
            spelled.push(field);
        }
        if self.odd() {
            spelled.push((0, self.unknown_field(known)));
        }
        spelled
    }

    /// Puts fields in any order, except that fields of the same number keep theirs: the last one counts (D10).
    pub(super) fn shuffle(&mut self, fields: Vec<Field>) -> Vec<Field> {
        let mut shuffled: Vec<Field> = Vec::new();
        for field in fields {
            let earliest =
                shuffled.iter().rposition(|(number, _)| *number == field.0).map_or(0, |last| last + 1);
            let at = earliest + self.below(shuffled.len() + 1 - earliest);
            shuffled.insert(at, field);
        }
        shuffled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints() {
        for (value, at_least, expected) in [
            (0, 0, &[0][..]),
            (0, 2, &[0x80, 0]),
            (300, 0, &[0xac, 2]),
            (300, 4, &[0xac, 0x82, 0x80, 0]),
            (u64::MAX, 0, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
            (1, 10, &[0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]),
        ] {
            assert_eq!(varint(value, at_least), expected, "{value} in {at_least}");
        }
    }

    #[test]
    fn the_first_fault_is_kept() {
        let piece = Piece::from(b"ab").then(Piece::from(b"c").then(Piece::from(b"d").faulty()));
        assert_eq!((&piece.bytes[..], piece.fault), (&b"abcd"[..], Some(3)));
        assert_eq!(piece.then(Piece::from(b"e").faulty()).fault, Some(3));
    }

    #[test]
    fn shuffled_fields_of_a_number_keep_their_order() {
        let field = |(number, text): (u64, &str)| (number, Piece::from(text));
        let fields: Vec<Field> = [(1, "a"), (2, "x"), (1, "b"), (3, "y"), (1, "c")].map(field).into();
        let mut orders = alloc::collections::BTreeSet::new();
        for choice in 0..=255 {
            let shuffled =
                join(Speller::new(&[3, 1, choice, choice / 3, choice / 5]).shuffle(fields.clone()));
            let ones: Vec<u8> = shuffled.bytes.iter().copied().filter(|byte| b"abc".contains(byte)).collect();
            assert_eq!(ones, b"abc");
            orders.insert(shuffled.bytes);
        }
        assert!(orders.len() > 10);
    }
}
