//! Faults that any message, or any text, can have.

use alloc::vec;
use alloc::vec::Vec;

use crate::testing::body::Builder;
use crate::testing::flaw::Flaw;
use crate::testing::piece::{Piece, varint};
use crate::testing::record::with_bit_64;
use crate::testing::speller::{BYTES, FIXED32, FIXED64, GROUP, GROUP_END, Speller, VARINT};
use crate::wire::widen;

impl Flaw {
    pub(crate) const fn needs_explicit_hash_key(self) -> bool {
        matches!(
            self,
            Self::ExplicitHashKeyInvalid
                | Self::ExplicitIndexPastTable
                | Self::LastExplicitIndexPastTable
                | Self::ExplicitIndexWraps32
                | Self::ExplicitIndexNegative
        )
    }

    pub(crate) const fn needs_tag(self) -> bool {
        matches!(
            self,
            Self::TagKeyInvalid
                | Self::TagValueInvalid
                | Self::OverriddenTagKeyInvalid
                | Self::TagEmpty
                | Self::TagKeyMissing
                | Self::TagKeyVarint
        )
    }
}

impl Builder<'_> {
    /// A field with the flaw, if any message can have it, and whether no other field may follow.
    pub(crate) fn stray(&mut self, flaw: Flaw) -> Option<(Piece, bool)> {
        let speller = &mut self.speller;
        let field = match flaw {
            Flaw::TagCut => (Piece::from(speller.continued()).faulty(), true),
            Flaw::VarintCut => {
                (speller.tag(15, VARINT).then(Piece::from(speller.continued()).faulty()), true)
            }
            Flaw::Fixed32Cut => {
                let rest = vec![0; speller.choices.below(4)];
                (speller.tag(15, FIXED32).then(Piece::from(rest).faulty()), true)
            }
            Flaw::Fixed64Cut => {
                let rest = vec![0; speller.choices.below(8)];
                (speller.tag(15, FIXED64).then(Piece::from(rest).faulty()), true)
            }
            Flaw::TagBit64 => (with_bit_64(15 << 3 | VARINT).then([0]), false),
            Flaw::FieldZero => (speller.tag(0, BYTES).then([0]).faulty(), false),
            Flaw::FieldWraps29 => (speller.tag((1 << 29) + 3, BYTES).then([0]).faulty(), false),
            Flaw::FieldWraps32 => (speller.tag((1 << 32) + 3, BYTES).then([0]).faulty(), false),
            Flaw::WireTypeSix => (speller.tag(15, 6).faulty(), false),
            Flaw::WireTypeSeven => (speller.tag(15, 7).faulty(), false),
            Flaw::LengthPastEnd => {
                let length = speller.choices.below(5);
                let past = widen(length).saturating_add(1);
                let value = speller.varint(past).faulty().then(vec![0; length]);
                (speller.tag(15, BYTES).then(value), true)
            }
            Flaw::GroupEndAlone => (speller.tag(15, GROUP_END).faulty(), false),
            Flaw::GroupEndOfOther => {
                (speller.tag(15, GROUP).then(speller.tag(14, GROUP_END).faulty()), false)
            }
            Flaw::GroupsCrossed => {
                let crossed = speller.tag(15, GROUP).then(speller.tag(14, GROUP));
                let crossed = crossed.then(speller.tag(15, GROUP_END).faulty());
                (crossed.then(speller.tag(14, GROUP_END)), false)
            }
            // What follows would stand in it.
            Flaw::GroupOpen => (speller.tag(15, GROUP).faulty().then(speller.varint_field(1, 0)), true),
            Flaw::GroupsTooDeep => {
                let open = varint(15 << 3 | GROUP, 0).repeat(100);
                let close = varint(15 << 3 | GROUP_END, 0).repeat(101);
                let one_more = Piece::from(varint(15 << 3 | GROUP, 0)).faulty();
                (Piece::from(open).then(one_more).then(close), false)
            }
            _ => return None,
        };
        Some(field)
    }

    /// A text that is valid up to its fault.
    pub(crate) fn not_utf8(&mut self, valid: &str, flaw: Flaw) -> Piece {
        let (bad, rest): (&[u8], _) = match flaw {
            Flaw::KeyByteInvalid => (b"\xff", "z"),
            Flaw::KeyOverLong => (b"\xc0\xaf", "z"),
            Flaw::KeySurrogate => (b"\xed\xa0\x80", "z"),
            Flaw::KeyAboveUnicode => (b"\xf4\x90\x80\x80", "z"),
            Flaw::KeyCharacterCut => (b"\xe2\x82", ""),
            _ => (self.speller.choices.pick(&[&b"\xff"[..], b"\x80", b"\xe2\x28\xa1", b"\xf0\x9f\x9a"]), ""),
        };
        Piece::from(valid).then(Piece::from(bad).faulty()).then(rest)
    }
}

impl Speller<'_> {
    /// One to nine bytes of a varint that goes on.
    fn continued(&mut self) -> Vec<u8> {
        vec![0x88; self.choices.below(9).saturating_add(1)]
    }
}
