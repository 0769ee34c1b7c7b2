//! Bodies of the same content, written in every way that the format allows.

use crate::common::{Record, field, hex, varint};

macro_rules! sites {
    ($($site:ident,)*) => {
        /// A place in which a varint stands.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Site {
            $($site,)*
        }

        /// All of them.
        pub(crate) const SITES: [Site; 18] = [$(Site::$site,)*];
    };
}

sites! {
    PartitionKeyTag,
    PartitionKeyLength,
    ExplicitHashKeyTag,
    ExplicitHashKeyLength,
    RecordTag,
    RecordLength,
    PartitionKeyIndexTag,
    PartitionKeyIndex,
    ExplicitHashKeyIndexTag,
    ExplicitHashKeyIndex,
    DataTag,
    DataLength,
    TagTag,
    TagLength,
    TagKeyTag,
    TagKeyLength,
    TagValueTag,
    TagValueLength,
}

use Site::*;

/// How a body is written. The default is what producers write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spelling {
    /// The fewest bytes that varints take, where they stand.
    pub(crate) at_least: Vec<(Site, usize)>,
    /// Which of its orders the fields of a user record are in: 0 to 23.
    pub(crate) order: usize,
    /// What stands before, between and after all fields of all messages.
    pub(crate) between: Vec<u8>,
    /// Values that the last one overrides.
    pub(crate) overridden: bool,
    /// The records come before their keys.
    pub(crate) tables_last: bool,
}

impl Spelling {
    fn varint(&self, site: Site, value: u64) -> Vec<u8> {
        let longest = self.at_least.iter().filter(|(at, _)| *at == site).map(|&(_, len)| len).max();
        long_varint(value, longest.unwrap_or(0))
    }

    fn bytes(&self, tag: Site, length: Site, number: u64, bytes: &[u8]) -> Vec<u8> {
        let len = bytes.len().try_into().unwrap();
        [self.varint(tag, number << 3 | 2), self.varint(length, len), bytes.to_vec()].concat()
    }

    fn number(&self, tag: Site, place: Site, number: u64, value: usize) -> Vec<u8> {
        [self.varint(tag, number << 3), self.varint(place, value.try_into().unwrap())].concat()
    }

    /// Writes user records.
    pub(crate) fn body(&self, users: &[Record]) -> Vec<u8> {
        self.body_after(&mut Tables::default(), users)
    }

    /// Writes user records behind others, whose keys are in the tables.
    pub(crate) fn body_after(&self, tables: &mut Tables, users: &[Record]) -> Vec<u8> {
        let mut keys = Vec::new();
        let mut records = Vec::new();
        for user in users {
            let (index, new) = enter(&mut tables.partition_keys, &user.partition_key);
            if new {
                keys.push(self.bytes(PartitionKeyTag, PartitionKeyLength, 1, user.partition_key.as_bytes()));
            }
            let explicit = user.explicit_hash_key.as_ref().map(|key| {
                let (index, new) = enter(&mut tables.explicit_hash_keys, key);
                if new {
                    keys.push(self.bytes(ExplicitHashKeyTag, ExplicitHashKeyLength, 2, key.as_bytes()));
                }
                index
            });
            records.push(self.bytes(RecordTag, RecordLength, 3, &self.record(user, index, explicit)));
        }
        let all = if self.tables_last { [records, keys] } else { [keys, records] };
        self.joined(&all.concat())
    }

    fn record(&self, user: &Record, index: usize, explicit: Option<usize>) -> Vec<u8> {
        let mut partition_key = self.number(PartitionKeyIndexTag, PartitionKeyIndex, 1, index);
        let mut explicit_hash_key = explicit
            .map(|index| self.number(ExplicitHashKeyIndexTag, ExplicitHashKeyIndex, 2, index))
            .unwrap_or_default();
        let mut data = self.bytes(DataTag, DataLength, 3, &user.data);
        if self.overridden {
            // Indexes that no table has: only the last one is looked up (D11).
            partition_key = [hex("08 ff ff 03 08 7f"), partition_key].concat();
            if explicit.is_some() {
                explicit_hash_key = [hex("10 ff ff ff 7f"), explicit_hash_key].concat();
            }
            data = [hex("1a 00"), field(3, b"overridden"), data].concat();
        }
        let tags = user.tags.iter().map(|(key, value)| self.tag(key, value.as_deref()));
        let tags = tags.collect::<Vec<_>>().concat();
        let mut fields = vec![partition_key, explicit_hash_key, data, tags];
        // Picks one field after the other by the digits of the number of the order.
        let mut order = self.order;
        let in_order: Vec<Vec<u8>> = (1..=4)
            .rev()
            .map(|left| {
                let field = fields.remove(order % left);
                order /= left;
                field
            })
            .collect();
        self.joined(&in_order)
    }

    fn tag(&self, key: &str, value: Option<&str>) -> Vec<u8> {
        let mut fields = vec![self.bytes(TagKeyTag, TagKeyLength, 1, key.as_bytes())];
        fields.extend(value.map(|value| self.bytes(TagValueTag, TagValueLength, 2, value.as_bytes())));
        if self.overridden {
            fields.insert(0, field(1, b"overridden"));
        }
        self.bytes(TagTag, TagLength, 4, &self.joined(&fields))
    }

    fn joined(&self, fields: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.between.clone();
        for field in fields.iter().filter(|field| !field.is_empty()) {
            bytes.extend([field, &self.between[..]].concat());
        }
        bytes
    }
}

/// A varint of at least so many bytes.
pub(crate) fn long_varint(value: u64, at_least: usize) -> Vec<u8> {
    let mut bytes = varint(value);
    if bytes.len() < at_least {
        bytes.last_mut().into_iter().for_each(|last| *last |= 0x80);
        bytes.resize(at_least - 1, 0x80);
        bytes.push(0);
    }
    bytes
}

/// The keys that were written.
#[derive(Default)]
pub(crate) struct Tables {
    partition_keys: Vec<String>,
    explicit_hash_keys: Vec<String>,
}

/// The index of a key in a table that it is put into if it is new, and whether it is.
fn enter(table: &mut Vec<String>, key: &str) -> (usize, bool) {
    match table.iter().position(|entry| entry == key) {
        Some(index) => (index, false),
        None => {
            table.push(key.to_owned());
            (table.len() - 1, true)
        }
    }
}
