//! Packing on the heap, in canonical order.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::encode::buffer::Buffer;
use crate::encode::finished::{OuterKeys, Span};
use crate::encode::key_table::KeyTable;
use crate::encode::packs::sealed::Sealed;
use crate::encode::pending::{Pending, check_alone};
use crate::encode::plan::Plan;
use crate::encode::{Aggregate, CallbackAggregator, Limits};
use crate::error::EncodeError;
use crate::frame::{FRAME_SIZE, MAGIC};
use crate::md5::Md5;
use crate::message::{EXPLICIT_HASH_KEY_TABLE, IndexedRecord, PARTITION_KEY_TABLE, UserRecord};
use crate::wire::{FAST_PATHS, Full};

/// Packs user records into aggregates, byte for byte as the KPL does (rule E1).
///
/// A full aggregate is handed out by the call that adds the first user record of the next one, so nothing is ever
/// pending that does not fit. Tables and records grow as used, up to the limit, and are kept from one aggregate to
/// the next; what is handed out is one allocation of just its size.
///
/// ```
/// use kinesis_aggregation::{Limits, RecordAggregator, UserRecord};
///
/// let mut aggregator = RecordAggregator::new(Limits::KPL);
/// for reading in ["21.5", "21.6", "21.4"] {
///     if let Some(full) = aggregator.add(UserRecord::new("device-7", reading))? {
///         send(full.partition_key(), full.explicit_hash_key(), full.data());
///     }
/// }
/// if let Some(rest) = aggregator.finish() {
///     send(rest.partition_key(), rest.explicit_hash_key(), rest.data());
/// }
/// # fn send(_: &str, _: Option<&str>, _: &[u8]) {}
/// # Ok::<(), kinesis_aggregation::EncodeError>(())
/// ```
#[derive(Clone, Default)]
pub struct RecordAggregator {
    limits: Limits,
    pending: Pending,
    partition_keys: KeyTable,
    explicit_hash_keys: KeyTable,
    records: Buffer,
}

impl RecordAggregator {
    /// Begins with nothing pending and nothing allocated.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Adds a user record. Where it does not fit what is pending, that is ended and handed out, and the record is
    /// the first of the next aggregate.
    ///
    /// # Errors
    ///
    /// Refuses a user record whose keys Kinesis would not take ([`EncodeError::PartitionKeyLength`],
    /// [`EncodeError::ExplicitHashKey`]; rules E4 and E5), or that neither what is pending nor an empty aggregate can take
    /// ([`EncodeError::TooLarge`], [`EncodeError::FitsOnlyBare`]). Nothing has changed then.
    #[inline]
    pub fn add(&mut self, record: UserRecord<'_>) -> Result<Option<Aggregate<Vec<u8>>>, EncodeError> {
        if self.add_usual(&record, true) { Ok(None) } else { self.add_any(&record, None) }
    }

    /// The same, with the time on any clock that never goes back. An aggregate that has reached the highest age is
    /// handed out as if it were full.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub fn add_at(
        &mut self,
        record: UserRecord<'_>,
        now: Duration,
    ) -> Result<Option<Aggregate<Vec<u8>>>, EncodeError> {
        self.add_any(&record, Some(now))
    }

    /// Adds a user record as most are, where it fits what is pending and, unless `may_grow`, takes no more memory. Otherwise
    /// changes nothing.
    ///
    /// [`Self::add_any`] would add it just the same. Here it stays in registers from end to end: what that writes down and
    /// reads again at once costs more than all else.
    #[inline]
    pub(crate) fn add_usual(&mut self, record: &UserRecord<'_>, may_grow: bool) -> bool {
        if !FAST_PATHS || self.is_empty() {
            return false;
        }
        let partition_key = self.partition_keys.find(record.partition_key);
        if partition_key.is_new() && !record.has_usual_partition_key() {
            return false;
        }
        let explicit_hash_key = match record.explicit_hash_key.map(|key| self.explicit_hash_keys.find(key)) {
            Some(place) if place.is_new() => return false,
            place => place,
        };
        let explicit_hash_key_index = explicit_hash_key.map(|place| place.index());
        let usual = IndexedRecord::new(record, partition_key.index(), explicit_hash_key_index);
        let added = usual.field_len.wrapping_add(partition_key.cost(record.partition_key));
        if !self.pending.admits_another(&self.limits, self.framed_len(), added) {
            return false;
        }
        if !may_grow && (partition_key.is_new() || !self.records.has_room(usual.field_len)) {
            return false;
        }
        let key = self.partition_keys.insert(partition_key, PARTITION_KEY_TABLE, record.partition_key);
        let data = self.records.write(
            usual.field_len,
            #[inline(always)]
            |writer| usual.write(writer),
        );
        // Neither fails, as buffers grow.
        if key.and(data).is_err() {
            return false;
        }
        if let (Some(key), Some(place)) = (record.explicit_hash_key, explicit_hash_key) {
            _ = self.explicit_hash_keys.insert(place, EXPLICIT_HASH_KEY_TABLE, key);
        }
        self.pending.count_another();
        true
    }

    /// Adds any user record.
    #[inline(never)]
    fn add_any(
        &mut self,
        record: &UserRecord<'_>,
        now: Option<Duration>,
    ) -> Result<Option<Aggregate<Vec<u8>>>, EncodeError> {
        record.validate()?;
        self.add_valid(record, now)
    }

    /// Adds a user record that was validated.
    pub(crate) fn add_valid(
        &mut self,
        record: &UserRecord<'_>,
        now: Option<Duration>,
    ) -> Result<Option<Aggregate<Vec<u8>>>, EncodeError> {
        let mut plan = self.plan(record);
        let mut full = None;
        if !self.has_room(&plan) || now.is_some_and(|now| self.expired(now)) {
            check_alone(&self.limits, record)?;
            full = self.finish();
            plan = self.plan(record);
        }
        self.write(&plan).map_err(|Full| EncodeError::TooLarge {
            required: plan.encoded_len,
            limit: self.limits.max_size(),
        })?;
        self.pending.count(record, now);
        Ok(full)
    }

    /// Says whether the pending aggregate would take this user record now, without being handed out.
    #[must_use]
    pub fn fits(&self, record: UserRecord<'_>) -> bool {
        record.validate().is_ok() && self.has_room(&self.plan(&record))
    }

    /// Counts the bytes by which [`Self::size_bytes`] would grow if this user record were added to what is
    /// pending, whether the limits allow it or not.
    #[must_use]
    pub fn would_add(&self, record: UserRecord<'_>) -> usize {
        let outer = if self.is_empty() { record.partition_key.len() } else { 0 };
        self.plan(&record).encoded_len.saturating_sub(self.encoded_len()).saturating_add(outer)
    }

    /// Ends the pending aggregate and hands it out, or says that there is none.
    pub fn finish(&mut self) -> Option<Aggregate<Vec<u8>>> {
        if self.is_empty() {
            return None;
        }
        let mut data = Vec::with_capacity(self.encoded_len());
        let mut digest = Md5::new();
        data.extend_from_slice(&MAGIC);
        for part in [self.partition_keys.encoded(), self.explicit_hash_keys.encoded(), self.records.written()]
        {
            digest.update(part);
            data.extend_from_slice(part);
        }
        data.extend_from_slice(&digest.finalize());

        let partition_key = Span::of_entry(MAGIC.len(), self.pending.partition_key_len);
        let table_2 = MAGIC.len().saturating_add(self.partition_keys.len());
        let explicit_hash_key = self.pending.explicit_hash_key_len.map(|len| Span::of_entry(table_2, len));
        let user_records = self.pending.user_records;
        self.clear();
        Some(Aggregate { data, outer: OuterKeys { partition_key, explicit_hash_key }, user_records })
    }

    /// Drops what is pending.
    pub fn clear(&mut self) {
        self.pending = Pending::EMPTY;
        self.partition_keys.clear();
        self.explicit_hash_keys.clear();
        self.records.clear();
    }

    /// Says whether what is pending has reached the highest age and should be finished. Nothing pending is never too
    /// old, and neither is what was added without a time, by [`Self::add`].
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

    /// The exact size in bytes of the data that [`Self::finish`] would hand out; 0 if nothing is pending.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        if self.is_empty() { 0 } else { self.framed_len() }
    }

    /// The same with the outer partition key, as Kinesis and the limits count (rule E6).
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.encoded_len().saturating_add(self.pending.partition_key_len)
    }

    /// Hands every full aggregate to `callback`, on the calling thread.
    #[must_use]
    pub fn on_complete<F: FnMut(Aggregate<Vec<u8>>)>(self, callback: F) -> CallbackAggregator<F> {
        CallbackAggregator::new(self, callback)
    }

    /// Hands every full aggregate to `callback`, on a thread of its own.
    ///
    /// At most `queue` aggregates wait for it; when as many do, adding waits until there is room again.
    ///
    /// # Errors
    ///
    /// Answers with the error of the operating system if it can start no thread.
    #[cfg(feature = "std")]
    pub fn on_complete_in_background<F>(
        self,
        queue: usize,
        callback: F,
    ) -> std::io::Result<crate::encode::BackgroundAggregator>
    where
        F: FnMut(Aggregate<Vec<u8>>) + Send + 'static,
    {
        crate::encode::BackgroundAggregator::spawn(self, queue, callback)
    }

    /// When the first user record with a known time came.
    pub(crate) const fn since(&self) -> Option<Duration> {
        self.pending.since()
    }

    /// Counts the bytes allocated for this aggregator, itself not included.
    pub(crate) fn memory(&self) -> usize {
        self.partition_keys
            .memory()
            .saturating_add(self.explicit_hash_keys.memory())
            .saturating_add(self.records.memory())
    }

    /// Magic, tables, records and digest, however many there are.
    ///
    /// They are in memory, and within the limits: the sum does not wrap.
    const fn framed_len(&self) -> usize {
        FRAME_SIZE
            .wrapping_add(self.partition_keys.len())
            .wrapping_add(self.explicit_hash_keys.len())
            .wrapping_add(self.records.len())
    }

    #[inline]
    fn plan<'r>(&self, record: &'r UserRecord<'r>) -> Plan<'r> {
        let partition_key = self.partition_keys.find(record.partition_key);
        let explicit_hash_key = record.explicit_hash_key.map(|key| (key, self.explicit_hash_keys.find(key)));
        Plan::new(record, self.framed_len(), partition_key, explicit_hash_key)
    }

    #[inline]
    fn has_room(&self, plan: &Plan<'_>) -> bool {
        self.pending.admits(&self.limits, plan.encoded_len, plan.indexed.record)
    }

    #[inline]
    fn write(&mut self, plan: &Plan<'_>) -> Result<(), Full> {
        let key = plan.indexed.record.partition_key;
        self.partition_keys.insert(plan.partition_key, PARTITION_KEY_TABLE, key)?;
        if let Some((key, place)) = plan.explicit_hash_key {
            self.explicit_hash_keys.insert(place, EXPLICIT_HASH_KEY_TABLE, key)?;
        }
        self.records.write(plan.indexed.field_len, |writer| plan.indexed.write(writer))
    }
}

impl Sealed for RecordAggregator {
    type Full = Aggregate<Vec<u8>>;

    fn add_to(
        &mut self,
        record: UserRecord<'_>,
        now: Option<Duration>,
        out: impl FnMut(Self::Full),
    ) -> Result<(), EncodeError> {
        let full = match now {
            Some(now) => self.add_at(record, now)?,
            None => self.add(record)?,
        };
        full.into_iter().for_each(out);
        Ok(())
    }

    fn finish_to(&mut self, out: impl FnMut(Self::Full)) {
        self.finish().into_iter().for_each(out);
    }

    fn clear_all(&mut self) {
        self.clear();
    }
}

impl fmt::Debug for RecordAggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordAggregator")
            .field("user_records", &self.user_records())
            .field("size_bytes", &self.size_bytes())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
