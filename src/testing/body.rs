//! Builds bodies: key tables and user records in any order, with at most one flaw.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::spelling::{
    BYTES, FIXED32, FIXED64, Field, GROUP, GROUP_END, Known, Piece, Speller, VARINT, join, of_eleven_bytes,
    replace, varint, with_bit_64,
};
use super::{Flaw, OwnedUserRecord};
use crate::error::DecodeErrorKind;
use crate::frame::PlainReason;
use crate::message::{RecordTag, UserRecord};
use crate::wire::widen;

// `AggregatedRecord`.
const PARTITION_KEYS: u64 = 1;
const EXPLICIT_HASH_KEYS: u64 = 2;
const RECORDS: u64 = 3;
const BODY: &Known = &[(PARTITION_KEYS, BYTES), (EXPLICIT_HASH_KEYS, BYTES), (RECORDS, BYTES)];

// `Record`.
const PARTITION_KEY_INDEX: u64 = 1;
const EXPLICIT_HASH_KEY_INDEX: u64 = 2;
const DATA: u64 = 3;
const TAGS: u64 = 4;
const RECORD: &Known =
    &[(PARTITION_KEY_INDEX, VARINT), (EXPLICIT_HASH_KEY_INDEX, VARINT), (DATA, BYTES), (TAGS, BYTES)];

// `Tag`.
const KEY: u64 = 1;
const VALUE: u64 = 2;
const TAG: &Known = &[(KEY, BYTES), (VALUE, BYTES)];

/// Builds one body.
#[derive(Debug)]
pub(super) struct Builder<'c> {
    pub(super) speller: Speller<'c>,
    flaw: Option<Flaw>,
    /// The position of the user record with the flaw.
    victim: usize,
    /// The kind of message with the flaw, where any could have it.
    message: Message,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Message {
    #[default]
    Body,
    Record,
    Tag,
}

/// A field of the body before it is written.
#[derive(Clone, Copy, Debug)]
enum Item<'r> {
    Key { table: u64, index: usize, key: &'r str },
    Record { record: &'r OwnedUserRecord, partition_key: usize, explicit_hash_key: Option<usize> },
}

/// An index into a key table, and the length of the table.
#[derive(Clone, Copy, Debug)]
struct Index {
    value: u64,
    table_len: u64,
}

/// A key table: the last position of each key, and the number of entries.
#[derive(Debug, Default)]
struct Table<'r> {
    last: BTreeMap<&'r str, usize>,
    len: usize,
}

impl<'c> Builder<'c> {
    pub(super) fn new(choices: &'c [u8], flaw: Option<Flaw>) -> Self {
        Self { speller: Speller::new(choices), flaw, victim: usize::MAX, message: Message::Body }
    }

    /// Writes user records, with the flaw if the body is to have one.
    pub(super) fn body(&mut self, records: &[OwnedUserRecord]) -> Piece {
        let layout = self.speller.variant(4);
        let mut records = records.to_vec();
        if let Some(flaw) = self.flaw {
            self.choose_victim(flaw, &mut records);
        }
        let items = self.items(&records);
        let len = |table| widen(items.iter().filter(|item| item.number() == table).count());
        let flawed_key = self.flawed_key(&items);

        let mut position = 0;
        let mut fields = Vec::new();
        for item in &items {
            let field = match *item {
                Item::Key { table, index, key } => match self.flaw {
                    Some(flaw) if flawed_key == Some((table, index)) => {
                        let text = self.invalid_text(key, flaw);
                        self.speller.bytes_field(table, text)
                    }
                    _ => self.speller.bytes_field(table, key),
                },
                Item::Record { record, partition_key, explicit_hash_key } => {
                    let flaw = self.flaw.filter(|_| position == self.victim);
                    position += 1;
                    let index = |value, table| Index { value: widen(value), table_len: len(table) };
                    let explicit_hash_key = explicit_hash_key.map(|value| index(value, EXPLICIT_HASH_KEYS));
                    self.record(record, index(partition_key, PARTITION_KEYS), explicit_hash_key, flaw)
                }
            };
            fields.push((item.number(), field));
        }

        match layout {
            // Canonical order (E1).
            0 => fields.sort_by_key(|&(number, _)| number),
            // Streamed order (E2): as the items are.
            1 => {}
            // Tables last.
            2 => fields.sort_by_key(|&(number, _)| Reverse(number)),
            _ => fields = self.speller.shuffle(fields),
        }
        let flaw = self.flaw.filter(|_| self.message == Message::Body);
        self.message(fields, BODY, flaw)
    }

    /// Chooses where the flaw goes, and adds what it needs.
    fn choose_victim(&mut self, flaw: Flaw, records: &mut Vec<OwnedUserRecord>) {
        if records.is_empty() {
            records.push(UserRecord::new("a", b"x").into());
        }
        self.victim = self.speller.below(records.len());
        self.message = self.speller.pick(&[Message::Body, Message::Record, Message::Tag]);
        let Some(victim) = records.get_mut(self.victim) else { return };
        if flaw.needs_explicit_hash_key() && victim.explicit_hash_key.is_none() {
            victim.explicit_hash_key = Some("0".to_owned());
        }
        let needs_tag = flaw.needs_tag() || self.message == Message::Tag;
        if needs_tag && victim.as_user_record().tags.len() == 0 {
            victim.set_tags([RecordTag { key: "k", value: None }]);
        }
    }

    /// Lists the fields in streamed order: each key before the first user record that needs it (E2, E3).
    fn items<'r>(&mut self, records: &'r [OwnedUserRecord]) -> Vec<Item<'r>> {
        let mut items = Vec::new();
        let mut partition_keys = Table::default();
        let mut explicit_hash_keys = Table::default();
        for record in records {
            let partition_key =
                self.find_or_add(PARTITION_KEYS, &mut partition_keys, &record.partition_key, &mut items);
            let explicit_hash_key = record
                .explicit_hash_key
                .as_ref()
                .map(|key| self.find_or_add(EXPLICIT_HASH_KEYS, &mut explicit_hash_keys, key, &mut items));
            items.push(Item::Record { record, partition_key, explicit_hash_key });
        }
        // A payload with an empty body is too short, so an aggregate without user records needs a key (D1, D15).
        if items.is_empty() || self.flaw == Some(Flaw::UnusedKeyInvalid) || self.speller.odd() {
            items.push(partition_keys.add(PARTITION_KEYS, "unused"));
        }
        if self.speller.odd() {
            items.push(explicit_hash_keys.add(EXPLICIT_HASH_KEYS, "unused"));
        }
        items
    }

    /// Returns the index of a key, which is added to its table if it is not there. Where that is odd, a known key is added
    /// again, or an unused key before it.
    fn find_or_add<'r>(
        &mut self,
        number: u64,
        table: &mut Table<'r>,
        key: &'r str,
        items: &mut Vec<Item<'r>>,
    ) -> usize {
        if self.speller.odd() {
            items.push(table.add(number, ""));
        }
        match table.last.get(key) {
            Some(&index) if !self.speller.odd() => index,
            _ => {
                let index = table.len;
                items.push(table.add(number, key));
                index
            }
        }
    }

    /// Returns the table and the index of the key that has the flaw.
    fn flawed_key(&self, items: &[Item<'_>]) -> Option<(u64, usize)> {
        let records = items.iter().filter_map(|item| match *item {
            Item::Record { partition_key, explicit_hash_key, .. } => Some((partition_key, explicit_hash_key)),
            Item::Key { .. } => None,
        });
        let (partition_key, explicit_hash_key) = { records }.nth(self.victim)?;
        match self.flaw? {
            Flaw::KeyByteInvalid
            | Flaw::KeyOverLong
            | Flaw::KeySurrogate
            | Flaw::KeyAboveUnicode
            | Flaw::KeyCharacterCut => Some((PARTITION_KEYS, partition_key)),
            Flaw::ExplicitHashKeyInvalid => Some((EXPLICIT_HASH_KEYS, explicit_hash_key?)),
            Flaw::UnusedKeyInvalid => items.iter().rev().find_map(|item| match *item {
                Item::Key { table: PARTITION_KEYS, index, .. } => Some((PARTITION_KEYS, index)),
                _ => None,
            }),
            _ => None,
        }
    }

    fn invalid_text(&mut self, valid: &str, flaw: Flaw) -> Piece {
        let fault: &[u8] = match flaw {
            Flaw::KeyByteInvalid => b"\xffz",
            Flaw::KeyOverLong => b"\xc0\xafz",
            Flaw::KeySurrogate => b"\xed\xa0\x80z",
            Flaw::KeyAboveUnicode => b"\xf4\x90\x80\x80z",
            Flaw::KeyCharacterCut => b"\xe2\x82",
            _ => b"",
        };
        self.speller.invalid_text(valid, fault)
    }

    /// Joins fields to a message, with unknown fields between them, and the flaw if any message can have it.
    fn message(&mut self, fields: Vec<Field>, known: &Known, flaw: Option<Flaw>) -> Piece {
        let mut fields = self.speller.add_unknown_fields(fields, known);
        if let Some((field, last)) = flaw.and_then(|flaw| self.flawed_field(flaw)) {
            let end = fields.len();
            let at = if last { end } else { self.speller.below(end + 1) };
            fields.insert(at, (0, field));
        }
        join(fields)
    }

    /// Writes a user record as a field of the body.
    fn record(
        &mut self,
        record: &OwnedUserRecord,
        partition_key: Index,
        explicit_hash_key: Option<Index>,
        flaw: Option<Flaw>,
    ) -> Piece {
        if flaw == Some(Flaw::RecordEmpty) {
            return self.speller.bytes_field(RECORDS, Piece::default()).faulty();
        }
        let mut fields = Vec::new();
        let indexes =
            [(PARTITION_KEY_INDEX, Some(partition_key)), (EXPLICIT_HASH_KEY_INDEX, explicit_hash_key)];
        for (number, index) in indexes {
            let Some(index) = index else { continue };
            if self.speller.odd() {
                // This one does not count, so it may be out of range (D11).
                let overridden = self.speller.number();
                fields.push((number, self.speller.varint_field(number, overridden)));
            }
            fields.push((number, self.speller.varint_field(number, index.value)));
        }
        if self.speller.odd() {
            fields.push((DATA, self.speller.bytes_field(DATA, b"overridden")));
        }
        fields.push((DATA, self.speller.bytes_field(DATA, &record.data)));
        for (position, tag) in record.as_user_record().tags.enumerate() {
            fields.push((TAGS, self.tag(tag, flaw.filter(|_| position == 0))));
        }
        if let Some(flaw) = flaw {
            self.break_record(flaw, &mut fields, partition_key, explicit_hash_key, &record.data);
        }
        if self.speller.odd() {
            fields = self.speller.shuffle(fields);
        }
        let here = self.message == Message::Record;
        let mut message = self.message(fields, RECORD, flaw.filter(|_| here));

        let mut after = Piece::default();
        match flaw {
            Some(Flaw::DataPastRecord) => {
                let len = self.speller.varint(widen(record.data.len()) + 1).faulty();
                message = message.then(self.speller.tag(DATA, BYTES)).then(len).then(&record.data);
                // The missing byte follows.
                after = self.speller.varint_field(15, 0);
            }
            Some(Flaw::GroupEndsOutside) => {
                message = message.then(self.speller.tag(15, GROUP).faulty());
                after = self.speller.tag(15, GROUP_END);
            }
            _ => {}
        }
        let mut field = self.speller.bytes_field(RECORDS, message);
        if flaw.is_some_and(|flaw| {
            flaw.is(DecodeErrorKind::MissingPartitionKeyIndex) || flaw.is(DecodeErrorKind::MissingData)
        }) {
            field = field.faulty();
        }
        field.then(after)
    }

    /// Breaks one of the fields of a user record, if that is where the flaw is.
    fn break_record(
        &mut self,
        flaw: Flaw,
        fields: &mut Vec<Field>,
        partition_key: Index,
        explicit_hash_key: Option<Index>,
        data: &[u8],
    ) {
        let speller = &mut self.speller;
        let (index, len) = (partition_key.value, widen(data.len()));
        let broken = match flaw {
            Flaw::IndexMissing => return fields.retain(|&(number, _)| number != PARTITION_KEY_INDEX),
            Flaw::IndexFixed64 => speller.tag(PARTITION_KEY_INDEX, FIXED64).then(index.to_le_bytes()),
            Flaw::IndexInGroup => {
                let value = speller.varint(index);
                speller.in_group(PARTITION_KEY_INDEX, VARINT, value)
            }
            Flaw::IndexOfElevenBytes => speller.tag(PARTITION_KEY_INDEX, VARINT).then(of_eleven_bytes(index)),
            Flaw::IndexBit64 => speller.tag(PARTITION_KEY_INDEX, VARINT).then(with_bit_64(index)),
            Flaw::DataMissing | Flaw::DataPastRecord => return fields.retain(|&(number, _)| number != DATA),
            Flaw::DataVarint => speller.varint_field(DATA, len),
            Flaw::DataInGroup => {
                let value = speller.varint(len).then(data);
                speller.in_group(DATA, BYTES, value)
            }
            Flaw::LengthBit64 => speller.tag(DATA, BYTES).then(with_bit_64(len)).then(data),
            Flaw::LengthNegative32 => {
                speller.tag(DATA, BYTES).then(speller.varint(1 << 31).faulty()).then(data)
            }
            Flaw::LengthWraps32 => {
                speller.tag(DATA, BYTES).then(speller.varint(len | 1 << 32).faulty()).then(data)
            }
            Flaw::LengthNegative64 => {
                speller.tag(DATA, BYTES).then(speller.varint(u64::MAX).faulty()).then(data)
            }
            _ => {
                let Some((number, field)) = self.index_past_table(flaw, partition_key, explicit_hash_key)
                else {
                    return;
                };
                return replace(fields, number, field);
            }
        };
        let number = if flaw.is_in_data() { DATA } else { PARTITION_KEY_INDEX };
        replace(fields, number, broken);
    }

    /// Writes an index that is out of range, if that is the flaw.
    fn index_past_table(
        &mut self,
        flaw: Flaw,
        partition_key: Index,
        explicit_hash_key: Option<Index>,
    ) -> Option<Field> {
        let (number, Index { value, table_len }) = if flaw.is(DecodeErrorKind::PartitionKeyIndexOutOfRange) {
            (PARTITION_KEY_INDEX, partition_key)
        } else {
            (EXPLICIT_HASH_KEY_INDEX, explicit_hash_key?)
        };
        let mut field = Piece::default();
        let past = match flaw {
            Flaw::IndexPastTable | Flaw::ExplicitIndexPastTable => table_len,
            Flaw::LastIndexPastTable | Flaw::LastExplicitIndexPastTable => {
                field = self.speller.varint_field(number, value);
                table_len
            }
            Flaw::IndexWraps32 | Flaw::ExplicitIndexWraps32 => value | 1 << 32,
            Flaw::IndexNegative | Flaw::ExplicitIndexNegative => u64::MAX,
            _ => return None,
        };
        let field = field.then(self.speller.tag(number, VARINT)).then(self.speller.varint(past).faulty());
        Some((number, field))
    }

    /// Writes a tag as a field of a user record.
    fn tag(&mut self, tag: RecordTag<'_>, flaw: Option<Flaw>) -> Piece {
        if flaw == Some(Flaw::TagEmpty) {
            return self.speller.bytes_field(TAGS, Piece::default()).faulty();
        }
        let mut fields = Vec::new();
        for (number, text) in [(KEY, Some(tag.key)), (VALUE, tag.value)] {
            let Some(text) = text else { continue };
            if self.speller.odd() {
                fields.push((number, self.speller.bytes_field(number, "overridden")));
            }
            fields.push((number, self.speller.bytes_field(number, text)));
        }
        let mut invalid = |number, valid: Option<&str>| {
            let text = self.speller.invalid_text(valid.unwrap_or(""), b"");
            self.speller.bytes_field(number, text)
        };
        match flaw {
            Some(Flaw::TagKeyInvalid) => replace(&mut fields, KEY, invalid(KEY, Some(tag.key))),
            Some(Flaw::TagValueInvalid) => replace(&mut fields, VALUE, invalid(VALUE, tag.value)),
            Some(Flaw::OverriddenTagKeyInvalid) => fields.insert(0, (KEY, invalid(KEY, Some(tag.key)))),
            Some(Flaw::TagKeyVarint) => replace(&mut fields, KEY, self.speller.varint_field(KEY, 0)),
            Some(Flaw::TagKeyMissing) => {
                replace(&mut fields, VALUE, self.speller.bytes_field(VALUE, tag.value.unwrap_or("v")));
                fields.retain(|&(number, _)| number != KEY);
            }
            _ => {}
        }
        if self.speller.odd() {
            fields = self.speller.shuffle(fields);
        }
        let here = self.message == Message::Tag;
        let message = self.message(fields, TAG, flaw.filter(|_| here));
        let field = self.speller.bytes_field(TAGS, message);
        if flaw.is_some_and(|flaw| flaw.is(DecodeErrorKind::MissingTagKey)) { field.faulty() } else { field }
    }

    /// Writes a field that has the flaw, if any message can have it, and returns whether it must be the last one.
    fn flawed_field(&mut self, flaw: Flaw) -> Option<(Piece, bool)> {
        let speller = &mut self.speller;
        let field = match flaw {
            Flaw::TagCut => (speller.unended_varint().faulty(), true),
            Flaw::VarintCut => (speller.tag(15, VARINT).then(speller.unended_varint().faulty()), true),
            Flaw::Fixed32Cut => {
                let value = vec![0; speller.below(4)];
                (speller.tag(15, FIXED32).then(Piece::from(value).faulty()), true)
            }
            Flaw::Fixed64Cut => {
                let value = vec![0; speller.below(8)];
                (speller.tag(15, FIXED64).then(Piece::from(value).faulty()), true)
            }
            Flaw::TagBit64 => (with_bit_64(15 << 3 | VARINT).then([0]), false),
            Flaw::FieldZero => (speller.tag(0, BYTES).then([0]).faulty(), false),
            Flaw::FieldWraps29 => (speller.tag((1 << 29) + 3, BYTES).then([0]).faulty(), false),
            Flaw::FieldWraps32 => (speller.tag((1 << 32) + 3, BYTES).then([0]).faulty(), false),
            Flaw::WireTypeSix => (speller.tag(15, 6).faulty(), false),
            Flaw::WireTypeSeven => (speller.tag(15, 7).faulty(), false),
            Flaw::LengthPastEnd => {
                let len = speller.below(5);
                let value = speller.varint(widen(len) + 1).faulty().then(vec![0; len]);
                (speller.tag(15, BYTES).then(value), true)
            }
            Flaw::GroupEndAlone => (speller.tag(15, GROUP_END).faulty(), false),
            Flaw::GroupEndOfOther => {
                (speller.tag(15, GROUP).then(speller.tag(14, GROUP_END).faulty()), false)
            }
            Flaw::GroupsCrossed => {
                let open = speller.tag(15, GROUP).then(speller.tag(14, GROUP));
                (open.then(speller.tag(15, GROUP_END).faulty()).then(speller.tag(14, GROUP_END)), false)
            }
            // Everything that follows would be in the group.
            Flaw::GroupOpen => (speller.tag(15, GROUP).faulty().then(speller.varint_field(1, 0)), true),
            Flaw::GroupsTooDeep => {
                let open = varint(15 << 3 | GROUP, 0);
                let close = varint(15 << 3 | GROUP_END, 0).repeat(101);
                (Piece::from(open.repeat(100)).then(Piece::from(open).faulty()).then(close), false)
            }
            _ => return None,
        };
        Some(field)
    }
}

impl<'r> Table<'r> {
    fn add(&mut self, table: u64, key: &'r str) -> Item<'r> {
        let index = self.len;
        self.last.insert(key, index);
        self.len += 1;
        Item::Key { table, index, key }
    }
}

impl Item<'_> {
    const fn number(&self) -> u64 {
        match self {
            Self::Key { table, .. } => *table,
            Self::Record { .. } => RECORDS,
        }
    }
}

impl Flaw {
    /// Returns whether this flaw causes a kind of error.
    fn is(self, kind: DecodeErrorKind) -> bool {
        matches!(self.reason(0), PlainReason::Malformed(error) if error.kind() == kind)
    }

    const fn is_in_data(self) -> bool {
        matches!(
            self,
            Self::DataVarint
                | Self::DataInGroup
                | Self::LengthBit64
                | Self::LengthNegative32
                | Self::LengthWraps32
                | Self::LengthNegative64
        )
    }

    fn needs_explicit_hash_key(self) -> bool {
        self == Self::ExplicitHashKeyInvalid || self.is(DecodeErrorKind::ExplicitHashKeyIndexOutOfRange)
    }

    fn needs_tag(self) -> bool {
        matches!(self, Self::TagKeyInvalid | Self::TagValueInvalid | Self::OverriddenTagKeyInvalid)
            || self.is(DecodeErrorKind::MissingTagKey)
    }
}
