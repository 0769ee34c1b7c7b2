//! Spells user records and their tags.

use alloc::vec;
use alloc::vec::Vec;

use crate::message::RecordTag;
use crate::testing::body::{Builder, Index, Place};
use crate::testing::flaw::Flaw;
use crate::testing::owned::OwnedUserRecord;
use crate::testing::piece::{Piece, varint};
use crate::testing::speller::{BYTES, FIXED64, GROUP, GROUP_END, Known, Speller, VARINT};
use crate::wire::widen;

/// Among the body's fields.
const RECORDS: u64 = 3;

const PARTITION_KEY_INDEX: u64 = 1;
const EXPLICIT_HASH_KEY_INDEX: u64 = 2;
const DATA: u64 = 3;
const TAGS: u64 = 4;

const KNOWN: &Known =
    &[(PARTITION_KEY_INDEX, VARINT), (EXPLICIT_HASH_KEY_INDEX, VARINT), (DATA, BYTES), (TAGS, BYTES)];

const KEY: u64 = 1;
const VALUE: u64 = 2;

const TAG_KNOWN: &Known = &[(KEY, BYTES), (VALUE, BYTES)];

impl Builder<'_> {
    /// A field of the body: a user record, with the flaw if there is one for it.
    pub(crate) fn record(
        &mut self,
        record: &OwnedUserRecord,
        partition_key: Index,
        explicit_hash_key: Option<Index>,
        flaw: Option<Flaw>,
    ) -> Piece {
        if flaw == Some(Flaw::RecordEmpty) {
            return self.speller.bytes_field(RECORDS, Piece::default()).faulty();
        }
        let mut fields = self.speller.index(PARTITION_KEY_INDEX, partition_key, flaw);
        if let Some(index) = explicit_hash_key {
            fields.extend(self.speller.index(EXPLICIT_HASH_KEY_INDEX, index, flaw));
        }
        fields.extend(self.speller.data(&record.data, flaw));
        for (place, tag) in record.as_user_record().tags.enumerate() {
            let tag = self.tag(tag, flaw.filter(|_| place == 0));
            fields.push((TAGS, tag));
        }

        let fields = if self.speller.choices.odd() {
            self.speller.shuffle(fields)
        } else {
            fields.into_iter().map(|(_, field)| field).collect()
        };
        let here = self.place == Place::Record;
        let message = self.message(fields, KNOWN, flaw.filter(|_| here));

        let Some(flaw) = flaw else { return self.speller.bytes_field(RECORDS, message) };
        match flaw {
            Flaw::IndexMissing
            | Flaw::IndexFixed64
            | Flaw::IndexInGroup
            | Flaw::DataMissing
            | Flaw::DataVarint
            | Flaw::DataInGroup => self.speller.bytes_field(RECORDS, message).faulty(),
            Flaw::DataPastRecord => {
                let length = widen(record.data.len()).saturating_add(1);
                let data = self.speller.tag(DATA, BYTES).then(self.speller.varint(length).faulty());
                let message = message.then(data).then(&record.data);
                // The byte that is missing follows.
                self.speller.bytes_field(RECORDS, message).then(self.speller.varint_field(15, 0))
            }
            Flaw::GroupEndsOutside => {
                let message = message.then(self.speller.tag(15, GROUP).faulty());
                self.speller.bytes_field(RECORDS, message).then(self.speller.tag(15, GROUP_END))
            }
            _ => self.speller.bytes_field(RECORDS, message),
        }
    }

    /// A field of a user record: a tag, with the flaw if there is one for it.
    fn tag(&mut self, tag: RecordTag<'_>, flaw: Option<Flaw>) -> Piece {
        if flaw == Some(Flaw::TagEmpty) {
            return self.speller.bytes_field(TAGS, Piece::default()).faulty();
        }
        let mut fields = Vec::new();
        match flaw {
            Some(Flaw::TagKeyMissing) => {}
            Some(Flaw::TagKeyVarint) => fields.push((KEY, self.speller.varint_field(KEY, 0))),
            _ => {
                let earlier = match flaw {
                    Some(flaw @ Flaw::OverriddenTagKeyInvalid) => Some(self.not_utf8(tag.key, flaw)),
                    _ => self.speller.choices.odd().then(|| "another".into()),
                };
                let key = match flaw {
                    Some(flaw @ Flaw::TagKeyInvalid) => self.not_utf8(tag.key, flaw),
                    _ => tag.key.into(),
                };
                for text in earlier.into_iter().chain([key]) {
                    fields.push((KEY, self.speller.bytes_field(KEY, text)));
                }
            }
        }
        let value = match flaw {
            Some(flaw @ Flaw::TagValueInvalid) => Some(self.not_utf8(tag.value.unwrap_or(""), flaw)),
            Some(Flaw::TagKeyMissing) => Some(tag.value.unwrap_or("v").into()),
            _ => tag.value.map(Piece::from),
        };
        if let Some(value) = value {
            if self.speller.choices.odd() {
                fields.push((VALUE, self.speller.bytes_field(VALUE, "another")));
            }
            fields.push((VALUE, self.speller.bytes_field(VALUE, value)));
        }

        let fields = if self.speller.choices.odd() {
            self.speller.shuffle(fields)
        } else {
            fields.into_iter().map(|(_, field)| field).collect()
        };
        let here = self.place == Place::Tag;
        let message = self.message(fields, TAG_KNOWN, flaw.filter(|_| here));
        let field = self.speller.bytes_field(TAGS, message);
        match flaw {
            Some(Flaw::TagKeyMissing | Flaw::TagKeyVarint) => field.faulty(),
            _ => field,
        }
    }
}

impl Speller<'_> {
    /// The fields for an index, of which the last one counts (D10).
    fn index(&mut self, number: u64, index: Index, flaw: Option<Flaw>) -> Vec<(u64, Piece)> {
        let Index { value, table_len } = index;
        let right = self.varint(value);
        let values = match (number, flaw) {
            (PARTITION_KEY_INDEX, Some(Flaw::IndexMissing)) => vec![],
            (PARTITION_KEY_INDEX, Some(Flaw::IndexFixed64)) => {
                return vec![(number, self.tag(number, FIXED64).then(value.to_le_bytes()))];
            }
            (PARTITION_KEY_INDEX, Some(Flaw::IndexInGroup)) => {
                return vec![(number, self.in_group(number, VARINT, right))];
            }
            (PARTITION_KEY_INDEX, Some(Flaw::IndexOfElevenBytes)) => {
                let mut bytes = varint(value, 10);
                if let Some(tenth) = bytes.last_mut() {
                    *tenth |= 0x80;
                }
                vec![Piece::from(bytes).then([0]).faulty()]
            }
            (PARTITION_KEY_INDEX, Some(Flaw::IndexBit64)) => vec![with_bit_64(value)],
            (PARTITION_KEY_INDEX, Some(Flaw::IndexPastTable))
            | (EXPLICIT_HASH_KEY_INDEX, Some(Flaw::ExplicitIndexPastTable)) => {
                vec![self.varint(table_len).faulty()]
            }
            (PARTITION_KEY_INDEX, Some(Flaw::LastIndexPastTable))
            | (EXPLICIT_HASH_KEY_INDEX, Some(Flaw::LastExplicitIndexPastTable)) => {
                vec![right, self.varint(table_len).faulty()]
            }
            (PARTITION_KEY_INDEX, Some(Flaw::IndexWraps32))
            | (EXPLICIT_HASH_KEY_INDEX, Some(Flaw::ExplicitIndexWraps32)) => {
                vec![self.varint(value | 1 << 32).faulty()]
            }
            (PARTITION_KEY_INDEX, Some(Flaw::IndexNegative))
            | (EXPLICIT_HASH_KEY_INDEX, Some(Flaw::ExplicitIndexNegative)) => {
                vec![self.varint(u64::MAX).faulty()]
            }
            _ if self.choices.odd() => {
                // It may be out of range: it does not count (D11).
                let earlier = self.choices.number();
                vec![self.varint(earlier), right]
            }
            _ => vec![right],
        };
        let field = |value| (number, self.tag(number, VARINT).then(value));
        values.into_iter().map(field).collect()
    }

    /// The fields for the data, of which the last one counts (D10).
    fn data(&mut self, data: &[u8], flaw: Option<Flaw>) -> Vec<(u64, Piece)> {
        let len = widen(data.len());
        let mut fields = Vec::new();
        let length = match flaw {
            Some(Flaw::DataMissing | Flaw::DataPastRecord) => return fields,
            Some(Flaw::DataVarint) => return vec![(DATA, self.varint_field(DATA, len))],
            Some(Flaw::DataInGroup) => {
                let value = self.varint(len).then(data);
                return vec![(DATA, self.in_group(DATA, BYTES, value))];
            }
            Some(Flaw::LengthBit64) => with_bit_64(len),
            Some(Flaw::LengthNegative32) => self.varint(1 << 31).faulty(),
            Some(Flaw::LengthWraps32) => self.varint(len | 1 << 32).faulty(),
            Some(Flaw::LengthNegative64) => self.varint(u64::MAX).faulty(),
            _ => self.varint(len),
        };
        if self.choices.odd() {
            fields.push((DATA, self.bytes_field(DATA, b"overridden")));
        }
        fields.push((DATA, self.tag(DATA, BYTES).then(length).then(data)));
        fields
    }

    fn in_group(&mut self, number: u64, wire_type: u64, value: Piece) -> Piece {
        self.tag(15, GROUP).then(self.tag(number, wire_type)).then(value).then(self.tag(15, GROUP_END))
    }
}

/// A varint of 65 bits, of which those a `u64` has room for are right.
pub(crate) fn with_bit_64(value: u64) -> Piece {
    let mut bytes = varint(value, 10);
    if let Some(tenth) = bytes.last_mut() {
        *tenth |= 2;
    }
    Piece::from(bytes).faulty()
}
