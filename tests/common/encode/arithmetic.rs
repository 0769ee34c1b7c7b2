//! The sizes of aggregates, counted from `docs/wire-format.md` without a line in common with `src/`.

use kinesis_aggregation::UserRecord;

/// Magic and digest.
const FRAME: usize = 4 + 16;

/// The bytes of a varint: one for each 7 bits begun, and one for 0.
pub(crate) fn varint_len(value: usize) -> usize {
    let mut len = 1;
    let mut rest = value >> 7;
    while rest > 0 {
        len += 1;
        rest >>= 7;
    }
    len
}

/// A field of `len` bytes with its tag, which for all fields of the format is one byte, and its length.
pub(crate) fn field_len(len: usize) -> usize {
    1 + varint_len(len) + len
}

/// A `Record`, without tag and length.
pub(crate) fn message_len(
    record: &UserRecord<'_>,
    partition_key_index: usize,
    explicit_hash_key_index: usize,
) -> usize {
    let mut len = 1 + varint_len(partition_key_index) + field_len(record.data.len());
    if record.explicit_hash_key.is_some() {
        len += 1 + varint_len(explicit_hash_key_index);
    }
    for tag in record.tags {
        len += field_len(field_len(tag.key.len()) + tag.value.map_or(0, |value| field_len(value.len())));
    }
    len
}

/// A key table under an encoder that remembers the first `remembers` keys written, and the last one used (E3).
struct Table<'r> {
    remembers: usize,
    remembered: std::collections::HashMap<&'r str, usize>,
    last: Option<(&'r str, usize)>,
    entries: usize,
}

impl<'r> Table<'r> {
    fn new(remembers: usize) -> Self {
        Self { remembers, remembered: Default::default(), last: None, entries: 0 }
    }

    /// The index of a key, and the bytes it takes to write it if it has to be.
    fn enter(&mut self, key: &'r str) -> (usize, usize) {
        let known = match self.last {
            Some((last, index)) if last == key => Some(index),
            _ => self.remembered.get(key).copied(),
        };
        let (index, len) = match known {
            Some(index) => (index, 0),
            None => {
                let index = self.entries;
                self.entries += 1;
                if self.remembered.len() < self.remembers {
                    self.remembered.insert(key, index);
                }
                (index, field_len(key.len()))
            }
        };
        self.last = Some((key, index));
        (index, len)
    }
}

/// The size of every aggregate on the way: of the first record, of the first two, and so on. Canonical order is
/// that of an encoder which remembers all keys.
pub(crate) fn growing_len(records: &[UserRecord<'_>], remembers: usize) -> Vec<usize> {
    let mut partition_keys = Table::new(remembers);
    let mut explicit_hash_keys = Table::new(remembers);
    let mut len = FRAME;
    let mut lens = Vec::new();
    for record in records {
        let (partition_key_index, key_len) = partition_keys.enter(record.partition_key);
        len += key_len;
        let mut explicit_hash_key_index = 0;
        if let Some(key) = record.explicit_hash_key {
            let (index, key_len) = explicit_hash_keys.enter(key);
            explicit_hash_key_index = index;
            len += key_len;
        }
        len += field_len(message_len(record, partition_key_index, explicit_hash_key_index));
        lens.push(len);
    }
    lens
}

/// The size of an aggregate, outer partition key not included. No records are no aggregate.
pub(crate) fn encoded_len(records: &[UserRecord<'_>], remembers: usize) -> usize {
    growing_len(records, remembers).pop().unwrap_or(0)
}

/// Returns the size as Kinesis counts it, outer partition key included (E6).
pub(crate) fn size_bytes(records: &[UserRecord<'_>], remembers: usize) -> usize {
    encoded_len(records, remembers) + records.first().map_or(0, |first| first.partition_key.len())
}
