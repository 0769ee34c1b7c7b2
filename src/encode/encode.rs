//! A list of user records at once, in canonical order and without a heap.

use crate::encode::key_runs::{KeyRuns, KeySlot};
use crate::error::EncodeError;
use crate::frame::{FRAME_SIZE, MAGIC};
use crate::md5::Md5;
use crate::message::{EXPLICIT_HASH_KEY_TABLE, IndexedRecord, PARTITION_KEY_TABLE, UserRecord};
use crate::wire::{Full, Writer, length_delimited_len};

/// Encodes user records into a buffer, in canonical order (rule E1), and answers with the written part of it.
///
/// No list is too long but for the buffer: the limits of Kinesis are the caller's to keep. An empty list encodes to
/// nothing at all, since an aggregate without user records would be read as a plain record. The outer keys are those
/// of the first user record (rule E8).
///
/// Finding equal keys takes a sort, so time grows with n log n for n user records, whatever the keys.
///
/// ```
/// use kinesis_aggregation::{KeySlot, UserRecord, encode};
///
/// let records = [UserRecord::new("device-7", "21.5"), UserRecord::new("device-7", "21.6")];
/// let mut buffer = [0; 64];
/// let data = encode(&records, &mut [KeySlot::EMPTY; 2], &mut buffer)?;
/// assert_eq!(data.len(), 20 + 10 + 2 * 10);
/// # Ok::<(), kinesis_aggregation::EncodeError>(())
/// ```
///
/// # Errors
///
/// Refuses lists with a user record that breaks rule E4 or E5 ([`UserRecord::validate`] tells which), then says how
/// many slots, then how many bytes are needed where there are fewer.
pub fn encode<'b>(
    records: &[UserRecord<'_>],
    keys: &mut [KeySlot],
    buffer: &'b mut [u8],
) -> Result<&'b [u8], EncodeError> {
    let tables = Tables::index(records, keys)?;
    let (required, available) = (tables.encoded_len(records), buffer.len());
    let too_small = EncodeError::BufferTooSmall { required, available };
    let exact = buffer.get_mut(..required).ok_or(too_small)?;
    tables.write(records, exact).map_err(|Full| too_small)?;
    Ok(exact)
}

/// Counts the bytes that [`encode`] would write.
///
/// # Errors
///
/// As [`encode`], but for the buffer.
pub fn encoded_len(records: &[UserRecord<'_>], keys: &mut [KeySlot]) -> Result<usize, EncodeError> {
    Ok(Tables::index(records, keys)?.encoded_len(records))
}

/// The keys of a list, with their indexes.
struct Tables<'s> {
    partition_keys: KeyRuns<'s>,
    explicit_hash_keys: KeyRuns<'s>,
}

impl<'s> Tables<'s> {
    fn index(records: &[UserRecord<'_>], slots: &'s mut [KeySlot]) -> Result<Self, EncodeError> {
        records.iter().try_for_each(UserRecord::validate)?;
        let (required, available) = (KeySlot::needed(records), slots.len());
        let too_few = EncodeError::KeySlotsTooFew { required, available };
        let slots = slots.get_mut(..required).ok_or(too_few)?;
        let (partition_keys, explicit_hash_keys) =
            slots.split_at_mut_checked(records.len()).ok_or(too_few)?;
        Ok(Self {
            partition_keys: KeyRuns::find(partition_keys, records, |record| Some(record.partition_key)),
            explicit_hash_keys: KeyRuns::find(explicit_hash_keys, records, |record| record.explicit_hash_key),
        })
    }

    /// Every user record with its indexes, and which of them are used for the first time.
    fn records<'r>(
        &self,
        records: &'r [UserRecord<'r>],
    ) -> impl Iterator<Item = (IndexedRecord<'r>, FirstUse<'r>)> {
        let mut partition_keys = self.partition_keys.walk();
        let mut explicit_hash_keys = self.explicit_hash_keys.walk();
        (0..).zip(records).map(move |(number, record)| {
            let (partition_key_index, first_use) = partition_keys.step(number);
            let partition_key = first_use.then_some(record.partition_key);
            let (explicit_hash_key_index, first_use) = explicit_hash_keys.step(number);
            let explicit_hash_key = record.explicit_hash_key.filter(|_| first_use);
            let indexed = IndexedRecord::new(
                record,
                partition_key_index,
                record.explicit_hash_key.map(|_| explicit_hash_key_index),
            );
            (indexed, FirstUse { partition_key, explicit_hash_key })
        })
    }

    fn encoded_len(&self, records: &[UserRecord<'_>]) -> usize {
        if records.is_empty() {
            return 0;
        }
        let entry_len = |key: Option<&str>| key.map_or(0, |key| length_delimited_len(key.len()));
        self.records(records).fold(FRAME_SIZE, |len, (indexed, first)| {
            len.saturating_add(entry_len(first.partition_key))
                .saturating_add(entry_len(first.explicit_hash_key))
                .saturating_add(indexed.field_len)
        })
    }

    fn write(&self, records: &[UserRecord<'_>], buffer: &mut [u8]) -> Result<(), Full> {
        if records.is_empty() {
            return Ok(());
        }
        let mut writer = Writer::new(buffer, 0);
        writer.bytes(&MAGIC)?;
        for key in self.records(records).filter_map(|(_, first)| first.partition_key) {
            writer.bytes_field(PARTITION_KEY_TABLE, key.as_bytes())?;
        }
        for key in self.records(records).filter_map(|(_, first)| first.explicit_hash_key) {
            writer.bytes_field(EXPLICIT_HASH_KEY_TABLE, key.as_bytes())?;
        }
        for (indexed, _) in self.records(records) {
            indexed.write(&mut writer)?;
        }
        let end = writer.position();
        let digest = Md5::digest(buffer.get(MAGIC.len()..end).ok_or(Full)?);
        Writer::new(buffer, end).bytes(&digest)
    }
}

/// The keys of a user record that no user record before it has.
struct FirstUse<'r> {
    partition_key: Option<&'r str>,
    explicit_hash_key: Option<&'r str>,
}
