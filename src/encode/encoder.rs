//! Packing into a caller's buffer, without a heap and in one pass.
//!
//! ```text
//! +-------+-----+-----+--------+--------+-----+--------+ - - - - +--------+
//! | magic | key | key | record | record | key | record |         | digest |
//! +-------+-----+-----+--------+--------+-----+--------+ - - - - +--------+
//!                                                      ^ written
//! ```
//!
//! A key is written just before the first user record that needs it (rule E2), so nothing that is written ever
//! moves, and the digest can follow behind.

use core::fmt;
use core::time::Duration;

use crate::encode::finished::{OuterKeys, Span};
use crate::encode::known_keys::KnownKeys;
use crate::encode::pending::{Pending, check_alone};
use crate::encode::plan::Plan;
use crate::encode::{Aggregate, Limits};
use crate::error::EncodeError;
use crate::frame::{DIGEST_SIZE, FRAME_SIZE, MAGIC};
use crate::md5::Md5;
use crate::message::{EXPLICIT_HASH_KEY_TABLE, IndexedRecord, PARTITION_KEY_TABLE, UserRecord};
use crate::wire::{FAST_PATHS, Full, Writer};

/// The digest takes in what was written in runs of at least this many bytes: a call for each user record would
/// cost a quarter more.
const DIGEST_RUN: usize = 1024;

/// Packs user records into a buffer of the caller's, with no heap.
///
/// `KEYS` is how many partition keys, and how many explicit hash keys, are remembered, at 24 bytes each. A key that
/// is not is written again when it comes again, unless it was the last one: this costs bytes, never correctness.
/// 0 is legal.
///
/// ```
/// use kinesis_aggregation::{AddStatus, Encoder, Limits, UserRecord};
///
/// let mut buffer = [0; 128];
/// let mut encoder = Encoder::<4>::new(&mut buffer, Limits::default());
/// for reading in ["21.5", "21.6", "21.4"] {
///     let record = UserRecord::new("device-7", reading);
///     if encoder.add(record)? == AddStatus::Full {
///         // The buffer is full: send it, then add the record again.
///         if let Some(aggregate) = encoder.finish() {
///             send(aggregate.partition_key(), aggregate.data());
///         }
///         encoder.add(record)?;
///     }
/// }
/// if let Some(aggregate) = encoder.finish() {
///     assert_eq!(aggregate.user_records(), 3);
///     send(aggregate.partition_key(), aggregate.data());
/// }
/// # fn send(_: &str, _: &[u8]) {}
/// # Ok::<(), kinesis_aggregation::EncodeError>(())
/// ```
pub struct Encoder<'b, const KEYS: usize> {
    buffer: &'b mut [u8],
    limits: Limits,
    pending: Pending,
    /// How many bytes of the buffer are written: 0, or magic, keys and user records.
    written: usize,
    /// How many of them the digest has taken in, the magic counted as if it had been.
    digested: usize,
    digest: Md5,
    partition_keys: KnownKeys<KEYS>,
    explicit_hash_keys: KnownKeys<KEYS>,
}

/// What became of a user record that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a user record that found the aggregate full was not added"]
pub enum AddStatus {
    /// It is in the aggregate.
    Added,
    /// It is not: the aggregate has no room for it, or is as old as it may get. It will fit once
    /// [`Encoder::finish`] has taken the aggregate away.
    Full,
}

impl<'b, const KEYS: usize> Encoder<'b, KEYS> {
    /// Begins in a buffer whose contents do not matter. The buffer is a limit as well: it takes the aggregated
    /// bytes, without the outer partition key.
    #[must_use]
    pub fn new(buffer: &'b mut [u8], limits: Limits) -> Self {
        Self {
            buffer,
            limits,
            pending: Pending::EMPTY,
            written: 0,
            digested: 0,
            digest: Md5::new(),
            partition_keys: KnownKeys::NONE,
            explicit_hash_keys: KnownKeys::NONE,
        }
    }

    /// Adds a user record, or says that the aggregate has to be finished first.
    ///
    /// # Errors
    ///
    /// Refuses a user record whose keys Kinesis would not take ([`EncodeError::PartitionKeyLength`],
    /// [`EncodeError::ExplicitHashKey`]; rules E4 and E5), or that neither what is pending nor an empty aggregate can
    /// take ([`EncodeError::TooLarge`], [`EncodeError::FitsOnlyBare`], [`EncodeError::BufferTooSmall`]). Whether full or
    /// refused: nothing has changed.
    #[inline]
    pub fn add(&mut self, record: UserRecord<'_>) -> Result<AddStatus, EncodeError> {
        if self.add_usual(&record) { Ok(AddStatus::Added) } else { self.add_any(&record, None) }
    }

    /// The same, with the time on any clock that never goes back. An aggregate that has reached the highest age
    /// counts as full.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub fn add_at(&mut self, record: UserRecord<'_>, now: Duration) -> Result<AddStatus, EncodeError> {
        self.add_any(&record, Some(now))
    }

    /// Adds a user record as most are, where it fits and is not the first. Otherwise changes nothing.
    ///
    /// [`Self::add_any`] would add it just the same. Here it stays in registers from end to end: what that writes down and
    /// reads again at once costs more than all else.
    #[inline]
    fn add_usual(&mut self, record: &UserRecord<'_>) -> bool {
        if !FAST_PATHS || self.is_empty() {
            return false;
        }
        let Some((written, vacant)) = self.buffer.split_at_mut_checked(self.written) else { return false };
        let place = self.partition_keys.find(record.partition_key, written);
        if place.is_new() && !record.has_usual_partition_key() {
            return false;
        }
        let explicit_hash_key =
            match record.explicit_hash_key.map(|key| self.explicit_hash_keys.find(key, written)) {
                Some(place) if place.is_new() => return false,
                place => place,
            };
        let explicit_hash_key_index = explicit_hash_key.map(|place| place.index());
        let usual = IndexedRecord::new(record, place.index(), explicit_hash_key_index);
        let added = usual.field_len.wrapping_add(place.cost(record.partition_key));
        let encoded_len = self.written.wrapping_add(DIGEST_SIZE);
        if added.wrapping_add(DIGEST_SIZE) > vacant.len()
            || !self.pending.admits_another(&self.limits, encoded_len, added)
        {
            return false;
        }
        let mut writer = Writer::new(self.buffer, self.written);
        let Ok(offset) = place.write(PARTITION_KEY_TABLE, record.partition_key, &mut writer) else {
            return false;
        };
        if usual.write(&mut writer).is_err() {
            return false;
        }
        let written = writer.position();
        self.partition_keys.note(place, record.partition_key, offset);
        if let (Some(key), Some(place)) = (record.explicit_hash_key, explicit_hash_key) {
            self.explicit_hash_keys.note(place, key, 0);
        }
        self.pending.count_another();
        self.advance_to(written);
        true
    }

    /// Adds any user record.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn add_any(&mut self, record: &UserRecord<'_>, now: Option<Duration>) -> Result<AddStatus, EncodeError> {
        record.validate()?;
        let plan = self.plan(record);
        if !self.has_room(&plan) || now.is_some_and(|now| self.expired(now)) {
            self.check_alone(record)?;
            return Ok(AddStatus::Full);
        }
        self.write(&plan).map_err(|Full| EncodeError::BufferTooSmall {
            required: plan.encoded_len,
            available: self.buffer.len(),
        })?;
        self.pending.count(record, now);
        Ok(AddStatus::Added)
    }

    /// Says whether the aggregate would take this user record now.
    #[must_use]
    pub fn fits(&self, record: UserRecord<'_>) -> bool {
        record.validate().is_ok() && self.has_room(&self.plan(&record))
    }

    /// Counts the bytes by which [`Self::size_bytes`] would grow if this user record were added, whether the
    /// limits allow it or not.
    #[must_use]
    pub fn would_add(&self, record: UserRecord<'_>) -> usize {
        let outer = if self.is_empty() { record.partition_key.len() } else { 0 };
        self.plan(&record).encoded_len.saturating_sub(self.encoded_len()).saturating_add(outer)
    }

    /// Ends the aggregate, or says that there is none. The encoder is empty afterwards, whatever becomes of the
    /// answer.
    pub fn finish(&mut self) -> Option<Aggregate<&[u8]>> {
        if self.is_empty() {
            return None;
        }
        self.digest_run();
        let digest = core::mem::take(&mut self.digest).finalize();
        let mut writer = Writer::new(self.buffer, self.written);
        // There is room: every size that was admitted has the digest in it.
        writer.bytes(&digest).ok()?;
        let len = writer.position();

        let partition_key = Span::of_entry(MAGIC.len(), self.pending.partition_key_len);
        let explicit_hash_key =
            self.pending.explicit_hash_key_len.map(|len| Span::of_entry(partition_key.end(), len));
        let user_records = self.pending.user_records;
        self.clear();
        let data = self.buffer.get(..len)?;
        Some(Aggregate { data, outer: OuterKeys { partition_key, explicit_hash_key }, user_records })
    }

    /// Drops what is pending.
    pub fn clear(&mut self) {
        self.pending = Pending::EMPTY;
        self.written = 0;
        self.digested = 0;
        self.digest = Md5::new();
        self.partition_keys = KnownKeys::NONE;
        self.explicit_hash_keys = KnownKeys::NONE;
    }

    /// Says whether what is pending has reached the highest age. Nothing pending is never too old, and neither is what was
    /// added without a time, by [`Self::add`].
    #[must_use]
    pub fn expired(&self, now: Duration) -> bool {
        self.pending.expired(&self.limits, now)
    }

    /// The limits in force.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Counts the user records pending.
    #[must_use]
    pub const fn user_records(&self) -> usize {
        self.pending.user_records
    }

    /// Says whether nothing is pending.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pending.user_records == 0
    }

    /// The exact size in bytes of the data that [`Self::finish`] would answer with; 0 if nothing is pending.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        if self.is_empty() { 0 } else { self.written.saturating_add(DIGEST_SIZE) }
    }

    /// The same with the outer partition key, as Kinesis and the limits count (rule E6).
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.encoded_len().saturating_add(self.pending.partition_key_len)
    }

    #[inline]
    fn plan<'r>(&self, record: &'r UserRecord<'r>) -> Plan<'r> {
        let written = self.buffer.get(..self.written).unwrap_or_default();
        let partition_key = self.partition_keys.find(record.partition_key, written);
        let explicit_hash_key =
            record.explicit_hash_key.map(|key| (key, self.explicit_hash_keys.find(key, written)));
        let framed_len = self.encoded_len().max(FRAME_SIZE);
        Plan::new(record, framed_len, partition_key, explicit_hash_key)
    }

    #[inline]
    fn has_room(&self, plan: &Plan<'_>) -> bool {
        plan.encoded_len <= self.buffer.len()
            && self.pending.admits(&self.limits, plan.encoded_len, plan.indexed.record)
    }

    /// Refuses a user record that would not fit if the aggregate were empty.
    fn check_alone(&self, record: &UserRecord<'_>) -> Result<(), EncodeError> {
        let required = check_alone(&self.limits, record)?;
        let available = self.buffer.len();
        if required <= available { Ok(()) } else { Err(EncodeError::BufferTooSmall { required, available }) }
    }

    /// Writes what was planned. Nothing counts as written until all of it is.
    #[inline]
    fn write(&mut self, plan: &Plan<'_>) -> Result<(), Full> {
        let mut writer = Writer::new(self.buffer, self.written);
        if self.written == 0 {
            writer.bytes(&MAGIC)?;
        }
        let key = plan.indexed.record.partition_key;
        let partition_key_offset = plan.partition_key.write(PARTITION_KEY_TABLE, key, &mut writer)?;
        let explicit_hash_key_offset = match &plan.explicit_hash_key {
            Some((key, place)) => place.write(EXPLICIT_HASH_KEY_TABLE, key, &mut writer)?,
            None => 0,
        };
        plan.indexed.write(&mut writer)?;

        let written = writer.position();
        self.partition_keys.note(plan.partition_key, key, partition_key_offset);
        if let Some((key, place)) = plan.explicit_hash_key {
            self.explicit_hash_keys.note(place, key, explicit_hash_key_offset);
        }
        self.advance_to(written);
        Ok(())
    }

    /// Takes what was written for a part of the aggregate.
    #[inline(always)]
    fn advance_to(&mut self, written: usize) {
        self.written = written;
        if written.saturating_sub(self.digested) >= DIGEST_RUN {
            self.digest_run();
        }
    }

    /// Lets the digest catch up.
    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn digest_run(&mut self) {
        // The magic is not part of what is digested.
        let from = self.digested.max(MAGIC.len());
        if let Some(run) = self.buffer.get(from..self.written) {
            self.digest.update(run);
            self.digested = self.written;
        }
    }
}

impl<const KEYS: usize> fmt::Debug for Encoder<'_, KEYS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("user_records", &self.user_records())
            .field("size_bytes", &self.size_bytes())
            .field("buffer", &self.buffer.len())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
