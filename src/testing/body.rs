//! Builds bodies: key tables and user records in any order, with at most one flaw.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::message::{RecordTag, UserRecord};
use crate::testing::choices::Choices;
use crate::testing::flaw::Flaw;
use crate::testing::owned::OwnedUserRecord;
use crate::testing::piece::Piece;
use crate::testing::speller::{BYTES, Known, Speller};
use crate::wire::widen;

const PARTITION_KEY_TABLE: u64 = 1;
const EXPLICIT_HASH_KEY_TABLE: u64 = 2;
const RECORDS: u64 = 3;

const KNOWN: &Known = &[(PARTITION_KEY_TABLE, BYTES), (EXPLICIT_HASH_KEY_TABLE, BYTES), (RECORDS, BYTES)];

/// Builds one body.
#[derive(Debug)]
pub(crate) struct Builder<'c> {
    pub(crate) speller: Speller<'c>,
    flaw: Option<Flaw>,
    /// The user record with the flaw, if the flaw is in one.
    victim: usize,
    /// The message with the flaw, if any could have it.
    pub(crate) place: Place,
}

/// A message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    #[default]
    Body,
    Record,
    Tag,
}

/// A field of the body that is to be written, in streamed order.
#[derive(Clone, Copy, Debug)]
enum Item<'r> {
    Key { table: u64, index: usize, key: &'r str },
    Record { record: &'r OwnedUserRecord, partition_key: usize, explicit_hash_key: Option<usize> },
}

/// Where a user record is to point, and how long the tables are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Index {
    pub(crate) value: u64,
    pub(crate) table_len: u64,
}

/// The entries of a key table.
#[derive(Debug, Default)]
struct Table<'r> {
    latest: BTreeMap<&'r str, usize>,
    len: usize,
}

impl<'c> Builder<'c> {
    pub(crate) const fn new(choices: Choices<'c>, flaw: Option<Flaw>) -> Self {
        Self { speller: Speller { choices }, flaw, victim: usize::MAX, place: Place::Body }
    }

    /// Spells user records, and puts the flaw in. The fault is there afterwards if it is one of the body.
    pub(crate) fn body(&mut self, records: &[OwnedUserRecord]) -> Piece {
        let layout = self.speller.choices.variant(4);
        let mut records = records.to_vec();
        if let Some(flaw) = self.flaw {
            self.choose_victim(flaw, &mut records);
        }
        let items = self.items(&records);
        let len = |table| items.iter().filter(|item| item.number() == table).count();
        let lens = (widen(len(PARTITION_KEY_TABLE)), widen(len(EXPLICIT_HASH_KEY_TABLE)));
        let flawed_key = self.flaw.and_then(|flaw| flaw.key_of(&items, self.victim));

        let mut place = 0usize;
        let mut fields = Vec::new();
        for item in items {
            let field = match item {
                Item::Key { table, index, key } => {
                    let flaw = self.flaw.filter(|_| flawed_key == Some((table, index)));
                    let text = flaw.map_or_else(|| key.into(), |flaw| self.not_utf8(key, flaw));
                    self.speller.bytes_field(table, text)
                }
                Item::Record { record, partition_key, explicit_hash_key } => {
                    let flaw = self.flaw.filter(|_| place == self.victim);
                    place = place.saturating_add(1);
                    let partition_key = Index { value: widen(partition_key), table_len: lens.0 };
                    let explicit_hash_key =
                        explicit_hash_key.map(|index| Index { value: widen(index), table_len: lens.1 });
                    self.record(record, partition_key, explicit_hash_key, flaw)
                }
            };
            fields.push((item.number(), field));
        }

        // Canonical order, streamed order (E1, E2), tables last, any.
        match layout {
            0 => fields.sort_by_key(|&(number, _)| number),
            1 => {}
            2 => fields.sort_by_key(|&(number, _)| Reverse(number)),
            _ => return self.ended(fields, true),
        }
        self.ended(fields, false)
    }

    fn ended(&mut self, fields: Vec<(u64, Piece)>, shuffled: bool) -> Piece {
        let fields = if shuffled {
            self.speller.shuffle(fields)
        } else {
            fields.into_iter().map(|(_, field)| field).collect()
        };
        let flaw = self.flaw.filter(|_| self.place == Place::Body);
        self.message(fields, KNOWN, flaw)
    }

    /// Puts a message together from its fields, others between them, and the flaw if it is one of any message.
    pub(crate) fn message(&mut self, fields: Vec<Piece>, known: &Known, flaw: Option<Flaw>) -> Piece {
        let mut fields = self.speller.intersperse(fields, known);
        if let Some((stray, last)) = flaw.and_then(|flaw| self.stray(flaw)) {
            let end = fields.len();
            let at = if last { end } else { self.speller.choices.below(end.saturating_add(1)) };
            fields.insert(at, stray);
        }
        fields.into_iter().collect()
    }

    /// Chooses the place of the flaw, and sees to it that there is what it needs.
    fn choose_victim(&mut self, flaw: Flaw, records: &mut Vec<OwnedUserRecord>) {
        if records.is_empty() {
            records.push(UserRecord::new("a", b"x").into());
        }
        self.victim = self.speller.choices.below(records.len());
        self.place = self.speller.choices.pick(&[Place::Body, Place::Record, Place::Tag]);
        let Some(victim) = records.get_mut(self.victim) else { return };
        if flaw.needs_explicit_hash_key() && victim.explicit_hash_key.is_none() {
            victim.explicit_hash_key = Some("0".to_owned());
        }
        let needs_tag = flaw.needs_tag() || self.place == Place::Tag;
        if needs_tag && victim.as_user_record().tags.len() == 0 {
            victim.set_tags([RecordTag { key: "k", value: None }]);
        }
    }

    /// The fields in streamed order: each key ahead of the first user record that needs it (E2, E3).
    fn items<'r>(&mut self, records: &'r [OwnedUserRecord]) -> Vec<Item<'r>> {
        let mut items = Vec::new();
        let mut partition_keys = Table::default();
        let mut explicit_hash_keys = Table::default();
        for record in records {
            let key = &record.partition_key;
            let partition_key = self.entry(PARTITION_KEY_TABLE, &mut partition_keys, key, &mut items);
            let explicit_hash_key = record
                .explicit_hash_key
                .as_ref()
                .map(|key| self.entry(EXPLICIT_HASH_KEY_TABLE, &mut explicit_hash_keys, key, &mut items));
            items.push(Item::Record { record, partition_key, explicit_hash_key });
        }
        for (table, entries) in
            [(PARTITION_KEY_TABLE, &mut partition_keys), (EXPLICIT_HASH_KEY_TABLE, &mut explicit_hash_keys)]
        {
            // A payload without a body is none, though it may be one of no user records (D1, D15).
            let needed = items.is_empty() || self.flaw == Some(Flaw::UnusedKeyInvalid);
            if needed && table == PARTITION_KEY_TABLE || self.speller.choices.odd() {
                items.push(entries.push(table, "unused"));
            }
        }
        items
    }

    /// Finds the key in its table, or puts it there; now and then once more, or an unused one before it.
    fn entry<'r>(
        &mut self,
        table: u64,
        entries: &mut Table<'r>,
        key: &'r str,
        items: &mut Vec<Item<'r>>,
    ) -> usize {
        if self.speller.choices.odd() {
            items.push(entries.push(table, ""));
        }
        match entries.latest.get(key) {
            Some(&index) if !self.speller.choices.odd() => index,
            _ => {
                let index = entries.len;
                items.push(entries.push(table, key));
                index
            }
        }
    }
}

impl<'r> Table<'r> {
    fn push(&mut self, table: u64, key: &'r str) -> Item<'r> {
        let index = self.len;
        self.latest.insert(key, index);
        self.len = index.saturating_add(1);
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
    /// The table and the place in it of the key that has this flaw.
    fn key_of(self, items: &[Item<'_>], victim: usize) -> Option<(u64, usize)> {
        let records = items.iter().filter_map(|item| match *item {
            Item::Record { partition_key, explicit_hash_key, .. } => Some((partition_key, explicit_hash_key)),
            Item::Key { .. } => None,
        });
        let (partition_key, explicit_hash_key) = { records }.nth(victim)?;
        match self {
            Self::KeyByteInvalid
            | Self::KeyOverLong
            | Self::KeySurrogate
            | Self::KeyAboveUnicode
            | Self::KeyCharacterCut => Some((PARTITION_KEY_TABLE, partition_key)),
            Self::ExplicitHashKeyInvalid => Some((EXPLICIT_HASH_KEY_TABLE, explicit_hash_key?)),
            Self::UnusedKeyInvalid => items.iter().rev().find_map(|item| match *item {
                Item::Key { table: PARTITION_KEY_TABLE, index, .. } => Some((PARTITION_KEY_TABLE, index)),
                _ => None,
            }),
            _ => None,
        }
    }
}
