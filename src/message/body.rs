//! The `AggregatedRecord` message: two key tables and the user records, in any order.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::message::record::RawRecord;
use crate::message::{EXPLICIT_HASH_KEY_TABLE, PARTITION_KEY_TABLE, RECORDS, UserRecord};
use crate::wire::{Reader, Value};

/// A body that is known to be valid, and what is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'a> {
    message: Reader<'a>,
    pub(crate) partition_keys: usize,
    pub(crate) explicit_hash_keys: usize,
    pub(crate) user_records: usize,
}

impl<'a> Body<'a> {
    /// Checks everything that can be wrong with a body: first its structure in wire order, then the indexes in
    /// the order of the user records (rule D18).
    ///
    /// Tables may come after the records that point into them, so the indexes can be judged only at the end. Of
    /// all of them the largest decides; only when that one is bad, the first bad one is looked for.
    pub(crate) fn parse(message: Reader<'a>) -> Result<Self, DecodeError> {
        let mut body = Self { message, partition_keys: 0, explicit_hash_keys: 0, user_records: 0 };
        let mut largest = LargestIndexes::default();
        let mut fields = message;
        loop {
            while let Some(record) = RawRecord::take_usual(&mut fields) {
                body.user_records += 1;
                largest.take_in(&record);
            }
            let Some(field) = fields.field()? else { break };
            match (field.number, field.value) {
                (RECORDS, Value::LengthDelimited(record)) => {
                    body.user_records += 1;
                    largest.check_and_take_in(record.bytes(), record.offset(), field.offset)?;
                }
                (PARTITION_KEY_TABLE, Value::LengthDelimited(key)) => {
                    key.check_text()?;
                    body.partition_keys += 1;
                }
                (EXPLICIT_HASH_KEY_TABLE, Value::LengthDelimited(key)) => {
                    key.check_text()?;
                    body.explicit_hash_keys += 1;
                }
                _ => {}
            }
        }
        if !largest.are_in(&body) {
            body.check_indexes()?;
        }
        Ok(body)
    }

    /// Finds the first index that is out of range (rule D11).
    #[cold]
    fn check_indexes(&self) -> Result<(), DecodeError> {
        let mut fields = self.message;
        while let Some(field) = fields.field()? {
            let (RECORDS, Value::LengthDelimited(record)) = (field.number, field.value) else { continue };
            let record = RawRecord::parse(record, field.offset, false)?;
            let index = record.partition_key_index;
            if index.value >= self.partition_keys {
                return Err(DecodeErrorKind::PartitionKeyIndexOutOfRange.at(index.offset));
            }
            if let Some(index) = record.explicit_hash_key_index {
                if index.value >= self.explicit_hash_keys {
                    return Err(DecodeErrorKind::ExplicitHashKeyIndexOutOfRange.at(index.offset));
                }
            }
        }
        Ok(())
    }

    /// How many keys both tables hold.
    pub(crate) fn keys(&self) -> usize {
        self.partition_keys + self.explicit_hash_keys
    }

    /// Copies the keys into a vector.
    #[cfg(feature = "alloc")]
    pub(crate) fn collect_keys(&self) -> alloc::vec::Vec<&'a str> {
        let mut keys = alloc::vec![""; self.keys()];
        self.fill(&mut keys);
        keys
    }

    /// Copies the keys into a slice of [`Self::keys`] entries: one table, then the other.
    pub(crate) fn fill(&self, keys: &mut [&'a str]) {
        debug_assert_eq!(keys.len(), self.keys(), "callers provide one entry for each key");
        let Some((partition_keys, explicit_hash_keys)) = keys.split_at_mut_checked(self.partition_keys)
        else {
            return;
        };
        let mut partition_keys = partition_keys.iter_mut();
        let mut explicit_hash_keys = explicit_hash_keys.iter_mut();
        let mut fields = self.message;
        // Mostly the tables come first: the records need not be walked over.
        while !(partition_keys.len() == 0 && explicit_hash_keys.len() == 0) {
            let Ok(Some(field)) = fields.field() else { return };
            let next = match field.number {
                PARTITION_KEY_TABLE => &mut partition_keys,
                EXPLICIT_HASH_KEY_TABLE => &mut explicit_hash_keys,
                _ => continue,
            };
            if let Value::LengthDelimited(key) = field.value {
                if let (Some(slot), Ok(key)) = (next.next(), key.text()) {
                    *slot = key;
                }
            }
        }
    }

    /// Walks the user records, from the first.
    pub(crate) const fn cursor(&self) -> Cursor<'a> {
        Cursor {
            fields: self.message,
            partition_keys: self.partition_keys,
            remaining: self.user_records,
            next_sub_sequence_number: 0,
        }
    }
}

/// The user records of a valid body that were not yielded so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    fields: Reader<'a>,
    /// How many partition keys come before the explicit hash keys.
    partition_keys: usize,
    pub(crate) remaining: usize,
    next_sub_sequence_number: u64,
}

impl<'a> Cursor<'a> {
    /// Yields the next user record; `keys` are both tables.
    ///
    /// Nothing fails here: the body was checked as a whole, indexes included. Where the code must name a way out
    /// nevertheless, the walk ends.
    #[inline]
    pub(crate) fn next(&mut self, keys: &[&'a str]) -> Option<UserRecord<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
        let sub_sequence_number = self.next_sub_sequence_number;
        self.next_sub_sequence_number += 1;
        match RawRecord::take_usual(&mut self.fields) {
            Some(record) => record.resolve(keys, self.partition_keys, sub_sequence_number),
            // `Some(…?)` and not the call alone: the compiler would pass usual user records through memory as well.
            None => Some(self.next_unusual(keys, sub_sequence_number)?),
        }
    }

    /// Reads on up to the next user record, whatever it looks like, and whatever else stands before it.
    #[inline(never)]
    fn next_unusual(&mut self, keys: &[&'a str], sub_sequence_number: u64) -> Option<UserRecord<'a>> {
        // A copy, which fits registers.
        let mut fields = self.fields;
        while let Ok(Some(field)) = fields.field() {
            if let (RECORDS, Value::LengthDelimited(record)) = (field.number, field.value) {
                self.fields = fields;
                let record = RawRecord::parse(record, field.offset, false).ok()?;
                return record.resolve(keys, self.partition_keys, sub_sequence_number);
            }
        }
        None
    }
}

/// The largest index into each table.
#[derive(Clone, Copy, Debug, Default)]
struct LargestIndexes {
    partition_key: usize,
    explicit_hash_key: usize,
}

impl LargestIndexes {
    #[inline(always)]
    fn take_in(&mut self, record: &RawRecord<'_>) {
        self.partition_key = self.partition_key.max(record.partition_key_index.needs());
        if let Some(index) = record.explicit_hash_key_index {
            self.explicit_hash_key = self.explicit_hash_key.max(index.needs());
        }
    }

    /// Checks any user record, `offset` bytes into the payload with its tag at `tag_offset`, and takes in its indexes.
    ///
    /// A function of its own keeps the loop over usual records small; what goes in fits registers, as a reader would not.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn check_and_take_in(
        &mut self,
        message: &[u8],
        offset: usize,
        tag_offset: usize,
    ) -> Result<(), DecodeError> {
        self.take_in(&RawRecord::parse(Reader::new(message, offset), tag_offset, true)?);
        Ok(())
    }

    /// Whether the tables of a body are large enough for them.
    fn are_in(&self, body: &Body<'_>) -> bool {
        self.partition_key <= body.partition_keys && self.explicit_hash_key <= body.explicit_hash_keys
    }
}
