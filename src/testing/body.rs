//! Spells the messages of a body: key tables and user records in any order, with at most one flaw.

use alloc::borrow::ToOwned;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::flaw::Place;
use super::spelling::{
    BYTES, FIXED32, FIXED64, Field, GROUP, GROUP_END, Known, Piece, Speller, VARINT, varint,
};
use super::{Flaw, OwnedUserRecord};
use crate::error::DecodeErrorKind::{MissingData, MissingPartitionKeyIndex, MissingTagKey};
use crate::frame::PlainReason;
use crate::message::{RecordTag, UserRecord};
use crate::wire::widen;

// `AggregatedRecord`, and `Record`, whose fields with an index into a key table have the number of that table.
const PARTITION_KEYS: u64 = 1;
const EXPLICIT_HASH_KEYS: u64 = 2;
const RECORDS: u64 = 3;
const DATA: u64 = 3;
const TAGS: u64 = 4;
const BODY: &Known = &[(PARTITION_KEYS, BYTES), (EXPLICIT_HASH_KEYS, BYTES), (RECORDS, BYTES)];
const RECORD: &Known =
    &[(PARTITION_KEYS, VARINT), (EXPLICIT_HASH_KEYS, VARINT), (DATA, BYTES), (TAGS, BYTES)];

// `Tag`.
const KEY: u64 = 1;
const VALUE: u64 = 2;
const TAG: &Known = &[(KEY, BYTES), (VALUE, BYTES)];

/// A key table, and its entries as fields of the body, each with the position of the user record that it goes before.
struct Table<'r> {
    number: u64,
    keys: Vec<&'r str>,
    fields: Vec<(usize, Field)>,
}

/// An index into a key table, and the length of the table.
#[derive(Clone, Copy)]
struct Index {
    table: u64,
    value: u64,
    table_len: u64,
}

impl Speller<'_> {
    /// Writes the body of an aggregate, with a flaw or none.
    pub(super) fn body(&mut self, records: &[OwnedUserRecord], flaw: Option<Flaw>) -> Piece {
        let layout = self.variant(3);
        let mut records = records.to_vec();
        let victim = flaw.map(|flaw| self.choose_victim(flaw, &mut records));
        // A flaw that any message can have goes into the body, into a user record or into a tag.
        let flaw_of_body = flaw.filter(|flaw| flaw.is_of_any_message() && self.below(3) == 0);
        let flaw_of = |position| flaw.filter(|_| flaw_of_body.is_none() && victim == Some(position));

        let [mut partition_keys, mut explicit_hash_keys] =
            [PARTITION_KEYS, EXPLICIT_HASH_KEYS].map(|number| Table { number, keys: vec![], fields: vec![] });
        let mut indexes = Vec::new();
        for (position, record) in records.iter().enumerate() {
            let flaw = flaw_of(position);
            let key_flaw = flaw.filter(|flaw| flaw.place() == Place::PartitionKey);
            let partition_key =
                self.find_or_add(&mut partition_keys, &record.partition_key, position, key_flaw);
            let key_flaw = flaw.filter(|flaw| flaw.place() == Place::ExplicitHashKey);
            let explicit_hash_key = record
                .explicit_hash_key
                .as_ref()
                .map(|key| self.find_or_add(&mut explicit_hash_keys, key, position, key_flaw));
            indexes.push((partition_key, explicit_hash_key));
        }
        // A payload with an empty body is too short, so an aggregate without user records needs a key (D1, D15).
        let unused_flaw = flaw.filter(|flaw| flaw.place() == Place::UnusedKey);
        if records.is_empty() || unused_flaw.is_some() || self.odd() {
            self.add_key(&mut partition_keys, "unused", records.len(), unused_flaw);
        }
        if self.odd() {
            self.add_key(&mut explicit_hash_keys, "unused", records.len(), None);
        }

        let index_into = |table: &Table<'_>, value| Index {
            table: table.number,
            value: widen(value),
            table_len: widen(table.keys.len()),
        };
        let mut record_fields = Vec::new();
        for (position, (record, (partition_key, explicit_hash_key))) in
            records.iter().zip(indexes).enumerate()
        {
            let partition_key = index_into(&partition_keys, partition_key);
            let explicit_hash_key = explicit_hash_key.map(|value| index_into(&explicit_hash_keys, value));
            let indexes: Vec<Index> = [partition_key].into_iter().chain(explicit_hash_key).collect();
            record_fields.push((position, (RECORDS, self.record(record, &indexes, flaw_of(position)))));
        }

        // Streamed order: each key before the first user record that needs it (E2, E3).
        let mut fields = [partition_keys.fields, explicit_hash_keys.fields, record_fields].concat();
        fields.sort_by_key(|&(position, _)| position);
        let mut fields: Vec<Field> = fields.into_iter().map(|(_, field)| field).collect();
        match layout {
            // Canonical order (E1).
            0 => fields.sort_by_key(|&(number, _)| number),
            1 => {}
            // Tables last.
            _ => fields.sort_by_key(|&(number, _)| Reverse(number)),
        }
        self.message(fields, BODY, flaw_of_body)
    }

    /// Chooses the user record with the flaw, and adds what it needs.
    fn choose_victim(&mut self, flaw: Flaw, records: &mut Vec<OwnedUserRecord>) -> usize {
        if records.is_empty() {
            records.push(UserRecord::new("a", b"x").into());
        }
        let position = self.below(records.len());
        if let Some(victim) = records.get_mut(position) {
            if matches!(flaw.place(), Place::ExplicitHashKey | Place::ExplicitHashKeyIndex) {
                victim.explicit_hash_key.get_or_insert_with(|| "0".to_owned());
            }
            if flaw.place() == Place::Tag && victim.as_user_record().tags.len() == 0 {
                victim.set_tags(&[RecordTag { key: "k", value: None }]);
            }
        }
        position
    }

    /// Returns the index of a key, which is added to its table if it is not there. Where that is odd, a known key is added
    /// again, or an unused key before it.
    fn find_or_add<'r>(
        &mut self,
        table: &mut Table<'r>,
        key: &'r str,
        position: usize,
        flaw: Option<Flaw>,
    ) -> usize {
        if self.odd() {
            self.add_key(table, "", position, None);
        }
        match table.keys.iter().rposition(|known| *known == key) {
            Some(index) if flaw.is_none() && !self.odd() => index,
            _ => self.add_key(table, key, position, flaw),
        }
    }

    fn add_key<'r>(
        &mut self,
        table: &mut Table<'r>,
        key: &'r str,
        position: usize,
        flaw: Option<Flaw>,
    ) -> usize {
        let text = flaw.map_or_else(|| key.into(), |flaw| self.invalid_text(key, flaw));
        table.fields.push((position, (table.number, self.bytes_field(table.number, text))));
        table.keys.push(key);
        table.keys.len() - 1
    }

    /// Writes a user record as a field of the body.
    fn record(&mut self, record: &OwnedUserRecord, indexes: &[Index], flaw: Option<Flaw>) -> Piece {
        let mut fields = Vec::new();
        for &Index { table, value, .. } in indexes {
            if self.odd() {
                // This one does not count, so it may be out of range (D11).
                let overridden = self.number();
                fields.push((table, self.varint_field(table, overridden)));
            }
            fields.push((table, self.varint_field(table, value)));
        }
        self.add_bytes(&mut fields, DATA, &record.data);

        let tags = record.as_user_record().tags;
        let flaw_of_tag = flaw.filter(|flaw| {
            flaw.place() == Place::Tag || flaw.is_of_any_message() && tags.len() > 0 && self.below(2) == 1
        });
        let flaw = flaw.filter(|_| flaw_of_tag.is_none());
        for (position, tag) in tags.enumerate() {
            fields.push((TAGS, self.record_tag(tag, flaw_of_tag.filter(|_| position == 0))));
        }
        if let Some(flaw) = flaw {
            self.break_record(&mut fields, flaw, indexes, &record.data);
        }
        let mut message = self.message(fields, RECORD, flaw);
        let mut after = Piece::default();
        match flaw {
            Some(Flaw::DataPastRecord) => {
                let len = self.varint(widen(record.data.len()) + 1).faulty();
                message = message.then(self.tag(DATA, BYTES)).then(len).then(&record.data);
                // The missing byte follows.
                after = self.varint_field(15, 0);
            }
            Some(Flaw::GroupEndsOutside) => {
                message = message.then(self.tag(15, GROUP).faulty());
                after = self.tag(15, GROUP_END);
            }
            _ => {}
        }
        self.nested_message(RECORDS, message, flaw).then(after)
    }

    /// Breaks an index or the data of a user record, if that is where the flaw is.
    fn break_record(&mut self, fields: &mut Vec<Field>, flaw: Flaw, indexes: &[Index], data: &[u8]) {
        let number = match flaw.place() {
            Place::PartitionKeyIndex => PARTITION_KEYS,
            Place::ExplicitHashKeyIndex => EXPLICIT_HASH_KEYS,
            _ => DATA,
        };
        // A varint and what follows it: an index and nothing, or a length and the data.
        let index = indexes.iter().find(|index| index.table == number);
        let (wire_type, value, table_len, rest) = match index {
            Some(index) => (VARINT, index.value, index.table_len, &[][..]),
            None => (BYTES, widen(data.len()), 0, data),
        };
        let mut valid = Piece::default();
        let broken = match flaw {
            Flaw::RecordEmpty => return fields.clear(),
            Flaw::IndexMissing | Flaw::DataMissing => return replace(fields, number, Piece::default()),
            Flaw::IndexFixed64 => {
                return replace(fields, number, self.tag(number, FIXED64).then(value.to_le_bytes()));
            }
            Flaw::DataVarint => return replace(fields, number, self.varint_field(number, value)),
            Flaw::IndexInGroup | Flaw::DataInGroup => {
                let field = self.tag(number, wire_type).then(self.varint(value)).then(rest);
                return replace(fields, number, self.group(15, field));
            }
            Flaw::IndexOfElevenBytes => varint(value, 11).into(),
            Flaw::IndexBit64 | Flaw::LengthBit64 => varint(u128::from(value) | 1 << 64, 0).into(),
            Flaw::LengthNegative32 => self.varint(1 << 31),
            Flaw::IndexWraps32 | Flaw::ExplicitIndexWraps32 | Flaw::LengthWraps32 => {
                self.varint(value | 1 << 32)
            }
            Flaw::IndexNegative | Flaw::ExplicitIndexNegative | Flaw::LengthNegative64 => {
                self.varint(u64::MAX)
            }
            Flaw::IndexPastTable | Flaw::ExplicitIndexPastTable => self.varint(table_len),
            Flaw::LastIndexPastTable | Flaw::LastExplicitIndexPastTable => {
                valid = self.varint_field(number, value);
                self.varint(table_len)
            }
            _ => return,
        };
        replace(fields, number, valid.then(self.tag(number, wire_type)).then(broken.faulty()).then(rest));
    }

    /// Writes a tag as a field of a user record.
    fn record_tag(&mut self, tag: RecordTag<'_>, flaw: Option<Flaw>) -> Piece {
        let mut fields = Vec::new();
        self.add_bytes(&mut fields, KEY, tag.key.as_bytes());
        if let Some(value) = tag.value {
            self.add_bytes(&mut fields, VALUE, value.as_bytes());
        }
        let mut invalid = |number, valid| {
            let text = self.invalid_text(valid, Flaw::TagKeyInvalid);
            self.bytes_field(number, text)
        };
        match flaw {
            Some(Flaw::TagKeyInvalid) => replace(&mut fields, KEY, invalid(KEY, tag.key)),
            Some(Flaw::TagValueInvalid) => {
                replace(&mut fields, VALUE, invalid(VALUE, tag.value.unwrap_or_default()));
            }
            Some(Flaw::OverriddenTagKeyInvalid) => fields.insert(0, (KEY, invalid(KEY, tag.key))),
            Some(Flaw::TagKeyVarint) => replace(&mut fields, KEY, self.varint_field(KEY, 0)),
            Some(Flaw::TagKeyMissing) => replace(&mut fields, KEY, self.bytes_field(VALUE, "v")),
            Some(Flaw::TagEmpty) => fields.clear(),
            _ => {}
        }
        let message = self.message(fields, TAG, flaw);
        self.nested_message(TAGS, message, flaw)
    }

    /// Adds a field, where that is odd after one that it overrides (D10).
    fn add_bytes(&mut self, fields: &mut Vec<Field>, number: u64, bytes: &[u8]) {
        if self.odd() {
            fields.push((number, self.bytes_field(number, "overridden")));
        }
        fields.push((number, self.bytes_field(number, bytes)));
    }

    /// Writes text that is valid up to the flaw.
    fn invalid_text(&mut self, valid: &str, flaw: Flaw) -> Piece {
        let fault = match flaw {
            Flaw::KeyByteInvalid => b"\xffz",
            Flaw::KeyOverLong => &b"\xc0\xafz"[..],
            Flaw::KeySurrogate => b"\xed\xa0\x80z",
            Flaw::KeyAboveUnicode => b"\xf4\x90\x80\x80z",
            Flaw::KeyCharacterCut => b"\xe2\x82",
            _ => self.pick(&[&b"\xff"[..], b"\x80", b"\xe2\x28\xa1", b"\xf0\x9f\x9a"]),
        };
        Piece::from(valid).then(Piece::from(fault).faulty())
    }

    /// Joins fields to a message, where that is odd in another order and with unknown fields between them, and with the flaw
    /// if any message can have it.
    fn message(&mut self, mut fields: Vec<Field>, known: &Known, flaw: Option<Flaw>) -> Piece {
        if fields.is_empty() {
            return Piece::default();
        }
        if self.odd() {
            fields = self.shuffle(fields);
        }
        let mut pieces = Vec::new();
        for (_, field) in fields {
            if self.odd() {
                pieces.push(self.unknown_field(known));
            }
            pieces.push(field);
        }
        if self.odd() {
            pieces.push(self.unknown_field(known));
        }
        if let Some(flaw) = flaw.filter(|flaw| flaw.is_of_any_message()) {
            let end = pieces.len();
            let at = if flaw.place() == Place::MessageEnd { end } else { self.below(end + 1) };
            pieces.insert(at, self.broken_field(flaw));
        }
        pieces.into_iter().fold(Piece::default(), Piece::then)
    }

    /// Writes a message as a field. A fault in what it lacks is reported at the tag of the field.
    fn nested_message(&mut self, number: u64, message: Piece, flaw: Option<Flaw>) -> Piece {
        let field = self.bytes_field(number, message);
        match flaw.map(|flaw| flaw.reason(0)) {
            Some(PlainReason::Malformed(error))
                if matches!(error.kind(), MissingPartitionKeyIndex | MissingData | MissingTagKey) =>
            {
                field.faulty()
            }
            _ => field,
        }
    }

    /// Writes a field with a flaw that any message can have.
    fn broken_field(&mut self, flaw: Flaw) -> Piece {
        match flaw {
            Flaw::TagCut => self.unended_varint(),
            Flaw::VarintCut => self.tag(15, VARINT).then(self.unended_varint()),
            Flaw::Fixed32Cut => self.tag(15, FIXED32).then(Piece::from(vec![0; self.below(4)]).faulty()),
            Flaw::Fixed64Cut => self.tag(15, FIXED64).then(Piece::from(vec![0; self.below(8)]).faulty()),
            Flaw::TagBit64 => {
                Piece::from(varint(1 << 64 | 15 << 3 | u128::from(VARINT), 0)).faulty().then([0])
            }
            Flaw::FieldZero => self.tag(0, BYTES).faulty().then([0]),
            Flaw::FieldWraps29 => self.tag((1 << 29) + 3, BYTES).faulty().then([0]),
            Flaw::FieldWraps32 => self.tag((1 << 32) + 3, BYTES).faulty().then([0]),
            Flaw::WireTypeSix => self.tag(15, 6).faulty(),
            Flaw::WireTypeSeven => self.tag(15, 7).faulty(),
            Flaw::LengthPastEnd => {
                let len = self.below(5);
                self.tag(15, BYTES).then(self.varint(widen(len) + 1).faulty()).then(vec![0; len])
            }
            Flaw::GroupEndAlone => self.tag(15, GROUP_END).faulty(),
            Flaw::GroupEndOfOther => self.tag(15, GROUP).then(self.tag(14, GROUP_END).faulty()),
            Flaw::GroupsCrossed => {
                let open = self.tag(15, GROUP).then(self.tag(14, GROUP));
                open.then(self.tag(15, GROUP_END).faulty()).then(self.tag(14, GROUP_END))
            }
            // Everything that follows would be in the group.
            Flaw::GroupOpen => self.tag(15, GROUP).faulty().then(self.varint_field(1, 0)),
            Flaw::GroupsTooDeep => {
                let [open, close] = [GROUP, GROUP_END].map(|wire_type| varint(15 << 3 | wire_type, 0));
                Piece::from(open.repeat(100)).then(Piece::from(open).faulty()).then(close.repeat(101))
            }
            _ => Piece::default(),
        }
    }

    /// Returns up to nine bytes of a varint that does not end.
    fn unended_varint(&mut self) -> Piece {
        Piece::from(vec![0x88; self.below(9) + 1]).faulty()
    }
}

impl Flaw {
    fn is_of_any_message(self) -> bool {
        matches!(self.place(), Place::Message | Place::MessageEnd)
    }
}

/// Puts a field in place of all fields of that number.
fn replace(fields: &mut Vec<Field>, number: u64, field: Piece) {
    let at = fields.iter().take_while(|(other, _)| *other != number).count();
    fields.retain(|(other, _)| *other != number);
    fields.insert(at.min(fields.len()), (number, field));
}
