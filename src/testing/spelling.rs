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

/// The fields that a message defines: their numbers and wire types.
pub(super) type Known = [(u64, u64)];

/// Returns a varint of at least so many bytes. 64 bits need 10 at most; what has more is faulty.
pub(super) fn varint(value: impl Into<u128>, at_least: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = value.into();
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

/// Chooses how to write something, by one byte for each choice. When no bytes are left, each choice is the plainest.
#[derive(Clone, Debug)]
pub(super) struct Speller<'c> {
    choices: core::slice::Iter<'c, u8>,
    /// The number of values of a byte, out of 256, that make something odd.
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

    /// Writes a group that contains a field, or nothing.
    pub(super) fn group(&mut self, number: u64, content: Piece) -> Piece {
        self.tag(number, GROUP).then(content).then(self.tag(number, GROUP_END))
    }

    /// Writes a field that a message does not define, because of its number or of its wire type (D5).
    pub(super) fn unknown_field(&mut self, known: &Known) -> Piece {
        let number = self.pick(&[15, 1, 2, 3, 4, 5, 16, 2047, (1 << 29) - 1]);
        let wire_type = self.pick(&[VARINT, FIXED32, FIXED64, BYTES, GROUP]);
        // No message defines a field of 4 bytes.
        let wire_type = if known.contains(&(number, wire_type)) { FIXED32 } else { wire_type };
        self.any_field(number, wire_type)
    }

    /// Writes a field with a meaningless value.
    fn any_field(&mut self, number: u64, wire_type: u64) -> Piece {
        match wire_type {
            VARINT => {
                let value = self.number();
                self.varint_field(number, value)
            }
            FIXED64 => self.tag(number, FIXED64).then(self.number().to_le_bytes()),
            FIXED32 => self.tag(number, FIXED32).then([0xff; 4]),
            // Not UTF-8: an unknown field may hold anything.
            BYTES => {
                let content = vec![0xff; self.below(5)];
                self.bytes_field(number, content)
            }
            _ => {
                // With the one around them, 99 groups are 100 (D9).
                let nested = self.pick(&[0, 0, 1, 2, 99]);
                let mut content = Piece::from(varint(9 << 3 | GROUP, 0).repeat(nested));
                if self.odd() {
                    let number = self.pick(&[1, 2, 3, 15]);
                    let wire_type = self.pick(&[VARINT, FIXED32, FIXED64, BYTES]);
                    content = content.then(self.any_field(number, wire_type));
                }
                self.group(number, content.then(varint(9 << 3 | GROUP_END, 0).repeat(nested)))
            }
        }
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
