//! Aggregating into the caller's buffer, without a heap and in one pass.
//!
//! ```text
//! +-------+-----+-----+--------+--------+-----+--------+ - - - - +--------+
//! | magic | key | key | record | record | key | record |         | digest |
//! +-------+-----+-----+--------+--------+-----+--------+ - - - - +--------+
//!                                                      ^ written
//! ```
//!
//! A key is written just before the first user record that needs it (rule E2). Nothing that was written moves, so the
//! digest can follow behind.

use core::fmt;
use core::time::Duration;

use crate::Limits;
use crate::encode::aggregate::{AggregateRef, FinishedBuffer};
use crate::encode::key_map::{FixedKeyMap, Lookup};
use crate::encode::packer::{Packer, Plan, Store, pending_methods};
use crate::error::EncodeError;
use crate::frame::{DIGEST_SIZE, FRAME_SIZE, MAGIC};
use crate::md5::Md5;
use crate::message::{EXPLICIT_HASH_KEY_TABLE, PARTITION_KEY_TABLE, UserRecord};
use crate::wire::{Full, Writer};

/// Aggregates user records into a buffer that the caller provides, without a heap.
///
/// `KEYS` is the number of partition keys, and of explicit hash keys, that the encoder remembers, at 24 bytes each. A key
/// that it does not remember is written again when it is used again, unless it was the last one: this costs bytes, never
/// correctness. 0 is allowed.
///
/// ```
/// use kinesis_aggregation::{Encoder, Limits, UserRecord};
/// use kinesis_aggregation::encode::AddStatus;
///
/// let mut buffer = [0; 128];
/// let mut encoder = Encoder::<4>::new(&mut buffer, Limits::default());
/// for reading in ["21.5", "21.6", "21.4"] {
///     let record = UserRecord::new("device-7", reading);
///     // Send what is in the buffer, then add the user record again.
///     while encoder.add(record)? == AddStatus::Full {
///         if let Some(aggregate) = encoder.finish() {
///             send(aggregate.partition_key(), aggregate.data);
///         }
///     }
/// }
/// if let Some(aggregate) = encoder.finish() {
///     assert_eq!(aggregate.user_records, 3);
///     send(aggregate.partition_key(), aggregate.data);
/// }
/// # fn send(_: &str, _: &[u8]) {}
/// # Ok::<(), kinesis_aggregation::encode::EncodeError>(())
/// ```
///
/// To collect user records while an aggregate is being sent, use two buffers and [`Self::swap_buffer`].
pub struct Encoder<'b, const KEYS: usize> {
    packer: Packer<Streamed<'b, KEYS>>,
}

/// The result of adding a user record.
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a user record was not added if the aggregate is full"]
pub enum AddStatus {
    /// The user record is in the aggregate.
    Added,
    /// The user record was not added: it does not fit the aggregate, or the aggregate is too old or may have no other
    /// partition key. It will fit after [`Encoder::finish`].
    Full,
}

impl<'b, const KEYS: usize> Encoder<'b, KEYS> {
    /// Creates an encoder over a buffer, whose contents do not matter. The length of the buffer is a limit as well: it has
    /// to hold the aggregate without its outer partition key.
    ///
    /// In a static, begin with an empty buffer, and provide the real one with [`Self::swap_buffer`]:
    ///
    /// ```
    /// use std::sync::Mutex;
    ///
    /// use kinesis_aggregation::{Encoder, Limits};
    ///
    /// static ENCODER: Mutex<Encoder<'static, 1>> = Mutex::new(Encoder::new(&mut [], Limits::IOT_CORE));
    ///
    /// # fn memory() -> &'static mut [u8] { Vec::leak(vec![0; 4096]) }
    /// let empty = ENCODER.lock().unwrap().swap_buffer(memory());
    /// assert!(empty.aggregate().is_none());
    /// ```
    #[must_use]
    pub const fn new(buffer: &'b mut [u8], limits: Limits) -> Self {
        Self { packer: Packer::new(Streamed::new(buffer), limits) }
    }

    /// Adds a user record, or returns [`AddStatus::Full`] if the aggregate has to be finished first.
    ///
    /// # Errors
    ///
    /// Refuses a user record with keys that Kinesis does not accept ([`EncodeError::PartitionKeyLength`],
    /// [`EncodeError::ExplicitHashKey`]; rules E4 and E5), and one that neither the pending aggregate nor an empty one can
    /// take ([`EncodeError::TooLarge`], [`EncodeError::FitsOnlyPlain`], [`EncodeError::BufferTooSmall`]).
    ///
    /// If the user record is not added, nothing has changed.
    #[inline]
    pub fn add(&mut self, record: UserRecord<'_>) -> Result<AddStatus, EncodeError> {
        self.add_with(&record, None)
    }

    /// Adds a user record, as [`Self::add`], at a time on any clock that does not go back. An aggregate that has reached
    /// [`Limits::max_age`] counts as full.
    ///
    /// # Errors
    ///
    /// Same as [`Self::add`].
    #[inline]
    pub fn add_at(&mut self, record: UserRecord<'_>, now: Duration) -> Result<AddStatus, EncodeError> {
        self.add_with(&record, Some(now))
    }

    #[cfg_attr(target_pointer_width = "64", inline(always))]
    fn add_with(&mut self, record: &UserRecord<'_>, now: Option<Duration>) -> Result<AddStatus, EncodeError> {
        Ok(if self.packer.add(record, now)? { AddStatus::Added } else { AddStatus::Full })
    }

    /// Finishes the pending aggregate and leaves the encoder empty. Returns `None` if nothing is pending.
    pub fn finish(&mut self) -> Option<AggregateRef<'_>> {
        let pending = self.packer.pending()?;
        let len = self.packer.store.finish();
        self.packer.clear();
        AggregateRef::in_buffer(self.packer.store.buffer, len, pending)
    }

    /// Finishes the pending aggregate, exchanges the buffer for `next`, and leaves the encoder empty. Returns the old buffer
    /// with the aggregate in it; without one if nothing is pending.
    ///
    /// The encoder fills one buffer while the other is being sent, by a DMA channel or another task:
    ///
    /// ```
    /// use kinesis_aggregation::encode::{AddStatus, FinishedBuffer};
    /// use kinesis_aggregation::{Encoder, Limits, UserRecord};
    ///
    /// let (mut first, mut second) = ([0; 64], [0; 64]);
    /// let mut encoder = Encoder::<1>::new(&mut first, Limits::IOT_CORE);
    /// let mut spare: Option<&mut [u8]> = Some(&mut second);
    /// let mut sending: Option<FinishedBuffer<'_>> = None;
    /// for reading in 0..100u8 {
    ///     let record = UserRecord::new("device-7", core::slice::from_ref(&reading));
    ///     while encoder.add(record)? == AddStatus::Full {
    ///         if let Some(next) = spare.take() {
    ///             sending = Some(encoder.swap_buffer(next));
    ///         } else if let Some(sent) = sending.take() {
    ///             // Wait until it has been sent. Then its memory is free.
    ///             spare = Some(sent.into_buffer());
    ///         }
    ///     }
    /// }
    /// # Ok::<(), kinesis_aggregation::encode::EncodeError>(())
    /// ```
    pub fn swap_buffer(&mut self, next: &'b mut [u8]) -> FinishedBuffer<'b> {
        let pending = self.packer.pending();
        let len = if pending.is_some() { self.packer.store.finish() } else { 0 };
        self.packer.clear();
        let buffer = core::mem::replace(&mut self.packer.store.buffer, next);
        FinishedBuffer { buffer, len, pending: pending.unwrap_or_default() }
    }

    pending_methods!();
}

impl<const KEYS: usize> fmt::Debug for Encoder<'_, KEYS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("user_records", &self.user_records())
            .field("size_bytes", &self.size_bytes())
            .field("buffer", &self.packer.store.capacity())
            .field("limits", &self.limits())
            .finish_non_exhaustive()
    }
}

/// The digest takes in what was written in runs of at least this many bytes. A call per user record would cost a quarter
/// more.
const DIGEST_RUN: usize = 1024;

/// An aggregate in streamed order in the caller's buffer.
struct Streamed<'b, const KEYS: usize> {
    buffer: &'b mut [u8],
    /// The number of bytes written: 0, or magic, keys and user records.
    written: usize,
    /// The number of bytes that are digested. The magic counts, although it is not digested.
    digested: usize,
    digest: Md5,
    partition_keys: FixedKeyMap<KEYS>,
    explicit_hash_keys: FixedKeyMap<KEYS>,
}

impl<'b, const KEYS: usize> Streamed<'b, KEYS> {
    const fn new(buffer: &'b mut [u8]) -> Self {
        Self {
            buffer,
            written: 0,
            digested: 0,
            digest: Md5::new(),
            partition_keys: FixedKeyMap::EMPTY,
            explicit_hash_keys: FixedKeyMap::EMPTY,
        }
    }

    #[inline(always)]
    fn written(&self) -> &[u8] {
        self.buffer.get(..self.written).unwrap_or_default()
    }

    /// Writes the digest. Returns the length of the whole aggregate.
    fn finish(&mut self) -> usize {
        self.digest_written();
        let digest = self.digest.finish();
        let mut writer = Writer::new(self.buffer, self.written);
        // Every size that was admitted includes the digest.
        let digest_written = writer.bytes(&digest);
        debug_assert_eq!(digest_written, Ok(()));
        writer.position()
    }

    #[cfg_attr(target_pointer_width = "64", inline(never))]
    fn digest_written(&mut self) {
        let from = self.digested.max(MAGIC.len());
        if let Some(run) = self.buffer.get(from..self.written) {
            self.digest.update(run);
            self.digested = self.written;
        }
    }
}

impl<const KEYS: usize> Store for Streamed<'_, KEYS> {
    #[inline(always)]
    fn find_partition_key(&self, key: &str) -> Lookup {
        self.partition_keys.find(key, self.written())
    }

    #[inline(always)]
    fn find_explicit_hash_key(&self, key: &str) -> Lookup {
        self.explicit_hash_keys.find(key, self.written())
    }

    #[inline(always)]
    fn framed_len(&self) -> usize {
        if self.written == 0 { FRAME_SIZE } else { self.written + DIGEST_SIZE }
    }

    #[inline(always)]
    fn capacity(&self) -> usize {
        self.buffer.len()
    }

    #[inline(always)]
    fn commit(&mut self, plan: &Plan<'_>) -> Result<(), Full> {
        let mut writer = Writer::new(self.buffer, self.written);
        if self.written == 0 {
            writer.bytes(&MAGIC)?;
        }
        let partition_key = plan.record.partition_key;
        let partition_key_offset =
            plan.partition_key.write(PARTITION_KEY_TABLE, partition_key, &mut writer)?;
        let explicit_hash_key_offset = match plan.explicit_hash_key {
            Some((key, lookup)) => lookup.write(EXPLICIT_HASH_KEY_TABLE, key, &mut writer)?,
            None => 0,
        };
        plan.indexed.write(&mut writer)?;

        self.written = writer.position();
        self.partition_keys.note(plan.partition_key, partition_key, partition_key_offset);
        if let Some((key, lookup)) = plan.explicit_hash_key {
            self.explicit_hash_keys.note(lookup, key, explicit_hash_key_offset);
        }
        if self.written - self.digested >= DIGEST_RUN {
            self.digest_written();
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.digest = Md5::new();
        self.partition_keys = FixedKeyMap::EMPTY;
        self.explicit_hash_keys = FixedKeyMap::EMPTY;
        self.written = 0;
        self.digested = 0;
    }
}
