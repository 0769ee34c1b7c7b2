//! Spells fields in any way that the format allows.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;

use crate::testing::choices::Choices;
use crate::testing::piece::{self, Piece};
use crate::wire::widen;

pub(crate) const VARINT: u64 = 0;
pub(crate) const FIXED64: u64 = 1;
pub(crate) const BYTES: u64 = 2;
pub(crate) const GROUP: u64 = 3;
pub(crate) const GROUP_END: u64 = 4;
pub(crate) const FIXED32: u64 = 5;

/// The fields that a message knows: their numbers and wire types.
pub(crate) type Known = [(u64, u64)];

#[derive(Debug)]
pub(crate) struct Speller<'c> {
    pub(crate) choices: Choices<'c>,
}

impl Speller<'_> {
    /// A varint, perhaps in more bytes than it needs (D6).
    pub(crate) fn varint(&mut self, value: u64) -> Piece {
        let at_least = if self.choices.odd() { self.choices.below(11) } else { 0 };
        piece::varint(value, at_least).into()
    }

    pub(crate) fn tag(&mut self, number: u64, wire_type: u64) -> Piece {
        self.varint(number << 3 | wire_type)
    }

    pub(crate) fn varint_field(&mut self, number: u64, value: u64) -> Piece {
        self.tag(number, VARINT).then(self.varint(value))
    }

    /// A field with a string, some data or a message in it.
    pub(crate) fn bytes_field(&mut self, number: u64, content: impl Into<Piece>) -> Piece {
        let content = content.into();
        self.tag(number, BYTES).then(self.varint(widen(content.bytes.len()))).then(content)
    }

    /// A field that the message does not know: by its number, or by its wire type (D5).
    pub(crate) fn unknown(&mut self, known: &Known) -> Piece {
        let number = self.choices.pick(&[15, 1, 2, 3, 4, 5, 16, 2047, (1 << 29) - 1]);
        let wire_type = self.choices.pick(&[VARINT, FIXED32, FIXED64, BYTES, GROUP]);
        // Of these messages none knows a field of 4 bytes.
        let wire_type = if known.contains(&(number, wire_type)) { FIXED32 } else { wire_type };
        self.any_field(number, wire_type, 1)
    }

    /// A field of any number and wire type, with a value that is nobody's.
    fn any_field(&mut self, number: u64, wire_type: u64, depth: u8) -> Piece {
        let tag = self.tag(number, wire_type);
        match wire_type {
            VARINT => {
                let number = self.choices.number();
                tag.then(self.varint(number))
            }
            FIXED64 => tag.then(self.choices.number().to_le_bytes()),
            FIXED32 => tag.then([0xff; 4]),
            GROUP => tag.then(self.rest_of_group(number, depth)),
            _ => {
                // Not UTF-8: nobody looks into it.
                let content = vec![0xff; self.choices.below(5)];
                tag.then(self.varint(widen(content.len()))).then(content)
            }
        }
    }

    /// All of a group but its first tag (D9). As many as `depth` are open.
    fn rest_of_group(&mut self, number: u64, depth: u8) -> Piece {
        let mut content = Piece::default();
        if self.choices.odd() {
            let field_number = self.choices.pick(&[1, 2, 3, 15]);
            let wire_types = [VARINT, FIXED32, FIXED64, BYTES, GROUP];
            let most = if depth < 4 { wire_types.len() } else { 4 };
            let wire_type = self.choices.pick(wire_types.get(..most).unwrap_or_default());
            content = self.any_field(field_number, wire_type, depth.saturating_add(1));
        } else if depth == 1 && self.choices.odd() {
            // With the one that is open there are 100.
            content = Self::groups(99);
        }
        content.then(self.tag(number, GROUP_END))
    }

    /// As many groups, each in the one before.
    pub(crate) fn groups(count: usize) -> Piece {
        let begin = piece::varint(9 << 3 | GROUP, 0).repeat(count);
        let end = piece::varint(9 << 3 | GROUP_END, 0).repeat(count);
        Piece::from(begin).then(end)
    }

    /// Now and then puts an unknown field between others.
    pub(crate) fn intersperse(&mut self, fields: Vec<Piece>, known: &Known) -> Vec<Piece> {
        let mut spelled = Vec::new();
        for field in fields {
            if self.choices.odd() {
                spelled.push(self.unknown(known));
            }
            spelled.push(field);
        }
        if self.choices.odd() {
            spelled.push(self.unknown(known));
        }
        spelled
    }

    /// Puts numbered fields into any order. Those of the same number keep theirs, as it counts (D10).
    pub(crate) fn shuffle(&mut self, fields: Vec<(u64, Piece)>) -> Vec<Piece> {
        let mut order: Vec<u64> = fields.iter().map(|&(number, _)| number).collect();
        for last in (1..order.len()).rev() {
            // Fisher and Yates.
            order.swap(last, self.choices.below(last.saturating_add(1)));
        }
        let mut queues = BTreeMap::<u64, VecDeque<Piece>>::new();
        for (number, field) in fields {
            queues.entry(number).or_default().push_back(field);
        }
        order.iter().filter_map(|number| queues.get_mut(number)?.pop_front()).collect()
    }
}
