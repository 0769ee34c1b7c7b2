//! The `AggregatedRecord` message: two key tables and the records, in any order.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

use crate::error::{DecodeError, DecodeErrorKind};
use crate::message::record::RawRecord;
use crate::message::{
    EXPLICIT_HASH_KEY_TABLE, PARTITION_KEY_TABLE, RECORD_EXPLICIT_HASH_KEY_INDEX, RECORD_PARTITION_KEY_INDEX,
    RECORDS, UserRecord,
};
use crate::wire::{Reader, Value};

/// A valid body, and how much is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'a> {
    message: Reader<'a>,
    pub(crate) partition_keys: usize,
    pub(crate) explicit_hash_keys: usize,
    pub(crate) user_records: usize,
}

impl<'a> Body<'a> {
    /// Validates a whole body: first its structure in wire order, then the indexes in the order of the records
    /// (rule D18).
    ///
    /// Tables may come after the records that refer to them, so indexes can be judged only at the end. The largest ones
    /// decide; only if one of them is out of range, the first such index is looked for.
    pub(crate) fn parse(message: Reader<'a>) -> Result<Self, DecodeError> {
        // Locals, which fit registers: a body is passed by reference.
        let (mut partition_keys, mut explicit_hash_keys, mut user_records) = (0, 0, 0);
        let mut required = TableSizes::default();
        let mut fields = message;
        loop {
            while let Some(record) = RawRecord::take_common(&mut fields) {
                user_records += 1;
                required.include(record.partition_key_index, record.explicit_hash_key_index);
            }
            let Some(field) = fields.field()? else { break };
            match (field.number, field.value) {
                (RECORDS, Value::LengthDelimited(record)) => {
                    user_records += 1;
                    let (partition_key, explicit_hash_key) =
                        parse_indexes(record.bytes(), record.offset(), field.offset)?;
                    required.include(partition_key, explicit_hash_key);
                }
                (PARTITION_KEY_TABLE, Value::LengthDelimited(key)) => {
                    key.check_text()?;
                    partition_keys += 1;
                }
                (EXPLICIT_HASH_KEY_TABLE, Value::LengthDelimited(key)) => {
                    key.check_text()?;
                    explicit_hash_keys += 1;
                }
                _ => {}
            }
        }
        let body = Self { message, partition_keys, explicit_hash_keys, user_records };
        if required.partition_keys > partition_keys || required.explicit_hash_keys > explicit_hash_keys {
            body.check_indexes()?;
        }
        Ok(body)
    }

    /// Finds the first index that is out of range (rule D11).
    #[cold]
    fn check_indexes(&self) -> Result<(), DecodeError> {
        let mut fields = self.message;
        while let Some(field) = fields.field()? {
            let (RECORDS, Value::LengthDelimited(message)) = (field.number, field.value) else { continue };
            let record = RawRecord::parse(message, field.offset, false)?;
            let (kind, number) = if record.partition_key_index >= self.partition_keys {
                (DecodeErrorKind::PartitionKeyIndexOutOfRange, RECORD_PARTITION_KEY_INDEX)
            } else if record.explicit_hash_key_index.is_some_and(|index| index >= self.explicit_hash_keys) {
                (DecodeErrorKind::ExplicitHashKeyIndexOutOfRange, RECORD_EXPLICIT_HASH_KEY_INDEX)
            } else {
                continue;
            };
            return Err(kind.at(RawRecord::offset_of_index(message, number)));
        }
        Ok(())
    }

    /// Returns the number of keys in both tables.
    pub(crate) fn keys(&self) -> usize {
        self.partition_keys + self.explicit_hash_keys
    }

    /// Copies the keys into a vector: one table, then the other.
    #[cfg(feature = "alloc")]
    pub(crate) fn collect_keys(&self) -> Vec<&'a str> {
        let mut keys = Vec::with_capacity(self.keys());
        self.for_each_key(|key| keys.push(key));
        keys
    }

    /// Copies the keys into a slice of [`Self::keys`] entries: one table, then the other.
    pub(crate) fn fill(&self, keys: &mut [&'a str]) {
        debug_assert_eq!(keys.len(), self.keys(), "callers provide one entry for each key");
        let mut entries = keys.iter_mut();
        self.for_each_key(|key| {
            if let Some(entry) = entries.next() {
                *entry = key;
            }
        });
    }

    /// Visits the keys of one table, then those of the other.
    #[inline(always)]
    fn for_each_key(&self, mut visit: impl FnMut(&'a str)) {
        let tables =
            [(PARTITION_KEY_TABLE, self.partition_keys), (EXPLICIT_HASH_KEY_TABLE, self.explicit_hash_keys)];
        for (table, mut remaining) in tables {
            let mut fields = self.message;
            // The tables usually come first. Then the records are not walked over.
            while remaining > 0 {
                let Ok(Some(field)) = fields.field() else { return };
                match field.value {
                    Value::LengthDelimited(key) if field.number == table => {
                        let Ok(key) = key.text() else { return };
                        visit(key);
                        remaining -= 1;
                    }
                    _ => {}
                }
            }
        }
    }

    /// Finds the keys of the first user record, without a buffer for all keys: walks over their tables.
    pub(crate) fn first_keys(&self) -> Option<(&'a str, Option<&'a str>)> {
        let first = self.first_record()?;
        let explicit_hash_key_index =
            first.explicit_hash_key_index.map(|index| index.saturating_add(self.partition_keys));
        let (mut partition_key, mut explicit_hash_key) = (None, None);
        let mut index = 0;
        self.for_each_key(|key| {
            if index == first.partition_key_index {
                partition_key = Some(key);
            }
            if Some(index) == explicit_hash_key_index {
                explicit_hash_key = Some(key);
            }
            index += 1;
        });
        Some((partition_key?, explicit_hash_key))
    }

    fn first_record(&self) -> Option<RawRecord<'a>> {
        let mut fields = self.message;
        while let Ok(Some(field)) = fields.field() {
            if let (RECORDS, Value::LengthDelimited(record)) = (field.number, field.value) {
                return RawRecord::parse(record, field.offset, false).ok();
            }
        }
        None
    }

    /// Returns a cursor before the first user record.
    pub(crate) const fn cursor(&self) -> Cursor<'a> {
        Cursor {
            fields: self.message,
            partition_keys: self.partition_keys,
            remaining: self.user_records,
            next_sub_sequence_number: 0,
        }
    }
}

/// The user records of a valid body that are still to be yielded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    fields: Reader<'a>,
    /// The number of partition keys before the explicit hash keys.
    partition_keys: usize,
    pub(crate) remaining: usize,
    next_sub_sequence_number: u64,
}

impl<'a> Cursor<'a> {
    /// Yields the next user record. `keys` are both tables, as [`Body::fill`] leaves them.
    ///
    /// Nothing fails here, since the whole body is valid. Where the code still has to handle a failure, the iteration
    /// ends.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline)]
    pub(crate) fn next(&mut self, keys: &[&'a str]) -> Option<UserRecord<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
        let sub_sequence_number = self.next_sub_sequence_number;
        self.next_sub_sequence_number += 1;
        match RawRecord::take_common(&mut self.fields) {
            Some(record) => record.resolve(keys, self.partition_keys, sub_sequence_number),
            // `Some(…?)` and not only the call: the compiler would pass common records through memory as well.
            None => Some(self.next_general(keys, sub_sequence_number)?),
        }
    }

    /// Skips to the next record, and reads it, whatever it looks like.
    #[inline(never)]
    fn next_general(&mut self, keys: &[&'a str], sub_sequence_number: u64) -> Option<UserRecord<'a>> {
        // A copy, which fits registers.
        let mut fields = self.fields;
        while let Ok(Some(field)) = fields.field() {
            if let (RECORDS, Value::LengthDelimited(record)) = (field.number, field.value) {
                self.fields = fields;
                let record = RawRecord::parse(record, field.offset, false).ok()?;
                return record.resolve(keys, self.partition_keys, sub_sequence_number);
            }
        }
        debug_assert!(false, "records were counted");
        None
    }
}

/// The sizes that the tables need so that every index is in range.
#[derive(Clone, Copy, Debug, Default)]
struct TableSizes {
    partition_keys: usize,
    explicit_hash_keys: usize,
}

impl TableSizes {
    #[inline(always)]
    fn include(&mut self, partition_key_index: usize, explicit_hash_key_index: Option<usize>) {
        // The largest `usize` stands for every index that does not fit one.
        self.partition_keys = self.partition_keys.max(partition_key_index.saturating_add(1));
        if let Some(index) = explicit_hash_key_index {
            self.explicit_hash_keys = self.explicit_hash_keys.max(index.saturating_add(1));
        }
    }
}

/// Validates any record, `offset` bytes into the payload with its tag at `tag_offset`, and returns its indexes.
///
/// Apart from the loop over common records, which stays small; what it takes fits registers, as a reader would not.
#[cfg_attr(target_pointer_width = "64", inline(never))]
fn parse_indexes(
    message: &[u8],
    offset: usize,
    tag_offset: usize,
) -> Result<(usize, Option<usize>), DecodeError> {
    let record = RawRecord::parse(Reader::new(message, offset), tag_offset, true)?;
    Ok((record.partition_key_index, record.explicit_hash_key_index))
}
