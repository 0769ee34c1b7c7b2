//! What adding a user record takes, computed before anything is written.

use crate::message::{IndexedRecord, UserRecord};
use crate::wire::{Full, Writer, length_delimited_len};

/// What a key table knows about a key: four numbers of 32 bits at most, so that they are handed over in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the one used last.
    Last { index: u32 },
    /// It was written before, and is remembered in the slot at `position`, if there is such a slot.
    Known { index: u32, position: u32 },
    /// It is to be written as entry `index`, and remembered in the slot at `vacant`, if there is such a slot.
    New { index: u32, hash: u32, vacant: u32 },
}

/// The position of no slot.
pub(crate) const NO_SLOT: u32 = u32::MAX;

impl Place {
    #[inline]
    pub(crate) const fn is_new(&self) -> bool {
        matches!(self, Self::New { .. })
    }

    /// The index that the key has or will get.
    #[inline]
    pub(crate) const fn index(&self) -> u32 {
        let (Self::Last { index } | Self::Known { index, .. } | Self::New { index, .. }) = *self;
        index
    }

    /// The bytes it takes to have the key in its table.
    #[inline]
    pub(crate) fn cost(&self, key: &str) -> usize {
        match self {
            Self::Last { .. } | Self::Known { .. } => 0,
            Self::New { .. } => length_delimited_len(key.len()),
        }
    }

    /// Writes the key to its table if it is new, and says where it begins.
    #[inline]
    pub(crate) fn write(&self, table: u32, key: &str, writer: &mut Writer<'_>) -> Result<usize, Full> {
        if let Self::New { .. } = self {
            writer.bytes_field(table, key.as_bytes())?;
        }
        Ok(writer.position().saturating_sub(key.len()))
    }
}

/// Where everything of a user record goes, and how large the aggregate is then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'r> {
    pub(crate) indexed: IndexedRecord<'r>,
    pub(crate) partition_key: Place,
    pub(crate) explicit_hash_key: Option<(&'r str, Place)>,
    /// The encoded length of the aggregate with this user record.
    pub(crate) encoded_len: usize,
}

impl<'r> Plan<'r> {
    /// Plans to add `record` to an aggregate of `encoded_len` bytes, frame included.
    #[inline]
    pub(crate) fn new(
        record: &'r UserRecord<'r>,
        encoded_len: usize,
        partition_key: Place,
        explicit_hash_key: Option<(&'r str, Place)>,
    ) -> Self {
        let indexed = IndexedRecord::new(
            record,
            partition_key.index(),
            explicit_hash_key.as_ref().map(|(_, place)| place.index()),
        );
        let encoded_len = encoded_len
            .saturating_add(partition_key.cost(record.partition_key))
            .saturating_add(explicit_hash_key.as_ref().map_or(0, |(key, place)| place.cost(key)))
            .saturating_add(indexed.field_len);
        Self { indexed, partition_key, explicit_hash_key, encoded_len }
    }

    /// Plans to make `record` the first of an aggregate.
    pub(crate) fn alone(record: &'r UserRecord<'r>) -> Self {
        let first = Place::New { index: 0, hash: 0, vacant: NO_SLOT };
        let explicit_hash_key = record.explicit_hash_key.map(|key| (key, first));
        Self::new(record, crate::frame::FRAME_SIZE, first, explicit_hash_key)
    }
}
