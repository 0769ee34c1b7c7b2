//! Aggregating on the heap, in canonical order.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::encode::CallbackAggregator;
use crate::encode::aggregate::{Undigested, first_key, text};
use crate::encode::key_map::{GrowingKeyMap, Lookup};
use crate::encode::packer::{Packer, Plan, Store, pending_methods};
use crate::error::EncodeError;
use crate::frame::{DIGEST_SIZE, FRAME_SIZE, MAGIC};
use crate::message::{EXPLICIT_HASH_KEY_TABLE, HEAD_SIZE, PARTITION_KEY_TABLE, UserRecord};
use crate::wire::{Full, Writer};
use crate::{Aggregate, Limits};

/// Aggregates user records, byte for byte as the Amazon Kinesis Producer Library does (rule E1).
///
/// A full aggregate is returned by the call that adds the first user record of the next one. Key tables and user records
/// grow as needed, and keep their memory from one aggregate to the next.
///
/// ```
/// use kinesis_aggregation::{Aggregate, Limits, RecordAggregator, UserRecord};
///
/// let mut aggregator = RecordAggregator::new(Limits::KPL);
/// for reading in ["21.5", "21.6", "21.4"] {
///     if let Some(full) = aggregator.add(UserRecord::new("device-7", reading))? {
///         send(full);
///     }
/// }
/// if let Some(rest) = aggregator.finish() {
///     send(rest);
/// }
///
/// fn send(aggregate: Aggregate) {
///     println!("put {} bytes with {}", aggregate.data.len(), aggregate.partition_key);
/// }
/// # Ok::<(), kinesis_aggregation::encode::EncodeError>(())
/// ```
#[derive(Clone, Default)]
pub struct RecordAggregator {
    packer: Packer<Tables>,
}

impl RecordAggregator {
    /// Creates an aggregator. It allocates nothing yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { packer: Packer::new(Tables::default(), limits) }
    }

    /// Adds a user record. If it does not fit the pending aggregate, that one is finished and returned, and the user record
    /// is the first one of the next.
    ///
    /// # Errors
    ///
    /// Refuses a user record with keys that Kinesis does not accept ([`EncodeError::PartitionKeyLength`],
    /// [`EncodeError::ExplicitHashKey`]; rules E4 and E5), and one that neither the pending aggregate nor an empty one can
    /// take ([`EncodeError::TooLarge`], [`EncodeError::FitsOnlyPlain`]). Nothing has changed then.
    #[inline]
    pub fn add(&mut self, record: UserRecord<'_>) -> Result<Option<Aggregate>, EncodeError> {
        match self.packer.add(&record, None) {
            Ok(true) => Ok(None),
            not_added => self.finish_and_add(not_added, &record, None, Self::finish),
        }
    }

    /// Adds a user record, as [`Self::add`], at a time on any clock that does not go back. An aggregate that has reached
    /// [`Limits::max_age`] counts as full.
    ///
    /// # Errors
    ///
    /// Same as [`Self::add`].
    pub fn add_at(
        &mut self,
        record: UserRecord<'_>,
        now: Duration,
    ) -> Result<Option<Aggregate>, EncodeError> {
        self.add_with(&record, Some(now))
    }

    /// Adds a user record, as [`Self::add`], but leaves the aggregate that it finishes without its digest.
    ///
    /// # Errors
    ///
    /// Same as [`Self::add`].
    pub fn add_undigested(&mut self, record: UserRecord<'_>) -> Result<Option<Undigested>, EncodeError> {
        self.add_undigested_with(&record, None)
    }

    /// Adds a user record at a time, if one is known.
    #[inline(never)]
    pub(crate) fn add_undigested_with(
        &mut self,
        record: &UserRecord<'_>,
        now: Option<Duration>,
    ) -> Result<Option<Undigested>, EncodeError> {
        match self.packer.add(record, now) {
            Ok(true) => Ok(None),
            not_added => self.finish_and_add(not_added, record, now, Self::finish_undigested),
        }
    }

    /// Adds a user record at a time, if one is known.
    #[inline(never)]
    pub(crate) fn add_with(
        &mut self,
        record: &UserRecord<'_>,
        now: Option<Duration>,
    ) -> Result<Option<Aggregate>, EncodeError> {
        match self.packer.add(record, now) {
            Ok(true) => Ok(None),
            not_added => self.finish_and_add(not_added, record, now, Self::finish),
        }
    }

    /// Adds a user record that does not fit what is pending, unless it was refused. `finish` is [`Self::finish`] or
    /// [`Self::finish_undigested`].
    #[cold]
    #[inline(never)]
    fn finish_and_add<A>(
        &mut self,
        not_added: Result<bool, EncodeError>,
        record: &UserRecord<'_>,
        now: Option<Duration>,
        finish: impl FnOnce(&mut Self) -> Option<A>,
    ) -> Result<Option<A>, EncodeError> {
        not_added?;
        let full = finish(self);
        let added = self.packer.add(record, now);
        debug_assert_eq!(added, Ok(true), "it fits an empty aggregate");
        Ok(full)
    }

    /// Adds a user record, or returns `false` if it has to wait for [`Self::finish_undigested`].
    #[inline(never)]
    pub(crate) fn try_add(&mut self, record: &UserRecord<'_>) -> Result<bool, EncodeError> {
        self.packer.add(record, None)
    }

    /// Adds a user record if that is certain to succeed at once: it fits the pending aggregate and an aggregate of its own,
    /// its keys are known, and no memory is needed. Otherwise returns `None` and changes nothing.
    ///
    /// `index` is that of its partition key in the pending aggregate, if the caller knows it; returns what it is.
    #[inline]
    pub(crate) fn add_in_place(&mut self, record: &UserRecord<'_>, index: Option<u32>) -> Option<u32> {
        self.packer
            .add_in_place(record, index, |tables, plan| tables.records.has_capacity(plan.indexed.field_len))
    }

    /// Finishes the pending aggregate. Returns `None` if nothing is pending.
    pub fn finish(&mut self) -> Option<Aggregate> {
        let aggregate = self.undigested()?.digest();
        // Cleared last, so that the key maps are in the cache when the next user record is added.
        self.clear();
        Some(aggregate)
    }

    /// Finishes the pending aggregate except for its digest: [`Undigested::digest_all`] computes the digests of several
    /// aggregates in less time.
    pub fn finish_undigested(&mut self) -> Option<Undigested> {
        let undigested = self.undigested()?;
        self.clear();
        Some(undigested)
    }

    /// The pending aggregate without its digest.
    fn undigested(&self) -> Option<Undigested> {
        let pending = self.packer.pending()?;
        let tables = &self.packer.store;
        let mut data = Vec::with_capacity(tables.framed_len());
        let parts =
            [tables.partition_keys.encoded(), tables.explicit_hash_keys.encoded(), tables.records.written()];
        data.extend_from_slice(&MAGIC);
        for part in parts {
            data.extend_from_slice(part);
        }
        data.extend_from_slice(&[0; DIGEST_SIZE]);
        let partition_key = first_key(tables.partition_keys.encoded(), pending.partition_key_len());
        let partition_key = text(partition_key).into();
        Some(Undigested(Aggregate {
            data,
            partition_key,
            explicit_hash_key: pending.explicit_hash_key,
            user_records: pending.user_records,
        }))
    }

    pending_methods!();

    /// Passes every full aggregate to `callback`, on the calling thread.
    #[must_use]
    pub const fn on_complete<F: FnMut(Aggregate)>(self, callback: F) -> CallbackAggregator<F> {
        CallbackAggregator::new(self, callback)
    }

    /// Passes every full aggregate to `callback`, on a thread of its own.
    ///
    /// At most `queue` aggregates are queued for it, and never more than 4,096. While the queue is full, adding waits.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if it cannot start a thread.
    #[cfg(feature = "std")]
    pub fn on_complete_in_background<F>(
        self,
        queue: usize,
        callback: F,
    ) -> std::io::Result<crate::encode::BackgroundAggregator>
    where
        F: FnMut(Aggregate) + Send + 'static,
    {
        crate::encode::BackgroundAggregator::spawn(self, queue, callback)
    }

    /// The earliest known time of a pending user record.
    pub(crate) const fn since(&self) -> Option<Duration> {
        self.packer.pending.since()
    }

    /// Gives up memory that is more than twice what is pending, such as that of a larger aggregate before.
    pub(crate) fn shrink(&mut self) {
        let Tables { partition_keys, explicit_hash_keys, records } = &mut self.packer.store;
        partition_keys.shrink();
        explicit_hash_keys.shrink();
        records.shrink();
    }

    /// The number of bytes allocated, not counting the aggregator itself.
    pub(crate) fn memory(&self) -> usize {
        let Tables { partition_keys, explicit_hash_keys, records } = &self.packer.store;
        partition_keys.memory() + explicit_hash_keys.memory() + records.memory()
    }
}

impl fmt::Debug for RecordAggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordAggregator")
            .field("user_records", &self.user_records())
            .field("size_bytes", &self.size_bytes())
            .field("limits", &self.limits())
            .finish_non_exhaustive()
    }
}

/// An aggregate in canonical order: two key tables and the user records, each growing by itself.
#[derive(Clone, Debug, Default)]
struct Tables {
    partition_keys: KeyTable,
    explicit_hash_keys: KeyTable,
    records: Buffer,
}

impl Store for Tables {
    #[inline(always)]
    fn find_partition_key(&self, key: &str) -> Lookup {
        self.partition_keys.find(key)
    }

    #[inline(always)]
    fn find_explicit_hash_key(&self, key: &str) -> Lookup {
        self.explicit_hash_keys.find(key)
    }

    #[inline(always)]
    fn framed_len(&self) -> usize {
        FRAME_SIZE
            + self.partition_keys.encoded.written
            + self.explicit_hash_keys.encoded.written
            + self.records.written
    }

    #[inline(always)]
    fn capacity(&self) -> usize {
        usize::MAX
    }

    #[inline(always)]
    fn commit(&mut self, plan: &Plan<'_>) -> Result<(), Full> {
        self.partition_keys.insert(plan.partition_key, PARTITION_KEY_TABLE, plan.record.partition_key)?;
        if let Some((key, lookup)) = plan.explicit_hash_key {
            self.explicit_hash_keys.insert(lookup, EXPLICIT_HASH_KEY_TABLE, key)?;
        }
        self.records.write(
            plan.indexed.field_len,
            #[inline(always)]
            |writer| plan.indexed.write(writer),
        )
    }

    fn clear(&mut self) {
        self.partition_keys.clear();
        self.explicit_hash_keys.clear();
        self.records.clear();
    }
}

/// An encoded key table, which holds each key once.
#[derive(Clone, Debug, Default)]
struct KeyTable {
    encoded: Buffer,
    map: GrowingKeyMap,
}

impl KeyTable {
    #[inline(always)]
    fn encoded(&self) -> &[u8] {
        self.encoded.written()
    }

    #[inline(always)]
    fn find(&self, key: &str) -> Lookup {
        self.map.find(key, self.encoded())
    }

    /// Notes that a key was used, and writes it if it is new.
    #[inline(always)]
    fn insert(&mut self, lookup: Lookup, table: u32, key: &str) -> Result<(), Full> {
        match lookup {
            Lookup::Last { .. } => {}
            Lookup::Known { position, .. } => self.map.note_known(position),
            Lookup::New { index, hash, vacant } => {
                self.encoded
                    .write(lookup.cost(key), |writer| lookup.write(table, key, writer).map(|_| ()))?;
                self.map.insert(key.len(), index, hash, vacant, self.encoded.written())?;
            }
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        self.encoded.memory() + self.map.memory()
    }

    fn shrink(&mut self) {
        self.encoded.shrink();
        self.map.shrink(self.encoded.written());
    }

    fn clear(&mut self) {
        self.encoded.clear();
        self.map.clear();
    }
}

/// A buffer that is written from start to end, grows as needed, and keeps its memory when it is cleared.
///
/// All of it is initialized. A `Vec` that is extended for each user record would check its capacity several times for each.
#[derive(Clone, Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    written: usize,
}

impl Buffer {
    #[inline(always)]
    fn written(&self) -> &[u8] {
        self.bytes.get(..self.written).unwrap_or_default()
    }

    /// Returns whether `len` bytes can be written without growing.
    #[inline(always)]
    fn has_capacity(&self, len: usize) -> bool {
        self.needed(len) <= self.bytes.len()
    }

    /// The length needed to write `len` bytes. The head of a record is stored as a whole, however short it is.
    #[inline(always)]
    const fn needed(&self, len: usize) -> usize {
        self.written + len + HEAD_SIZE
    }

    /// Writes `len` bytes.
    #[inline(always)]
    fn write(
        &mut self,
        len: usize,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>,
    ) -> Result<(), Full> {
        if !self.has_capacity(len) {
            self.grow(self.needed(len));
        }
        let mut writer = Writer::new(&mut self.bytes, self.written);
        write(&mut writer)?;
        self.written = writer.position();
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, needed: usize) {
        let len = needed.max(2 * self.bytes.len());
        self.bytes.reserve_exact(len - self.bytes.len());
        self.bytes.resize(len, 0);
    }

    const fn clear(&mut self) {
        self.written = 0;
    }

    fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    fn shrink(&mut self) {
        let len = self.needed(self.written);
        if len < self.bytes.len() {
            self.bytes.truncate(len);
            self.bytes.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_grows_and_is_used_again() {
        let mut buffer = Buffer::default();
        assert_eq!((buffer.written(), buffer.memory()), (&[][..], 0));
        for round in 0..2 {
            for count in 1..=100 {
                let (has_capacity, memory) = (buffer.has_capacity(3), buffer.memory());
                buffer.write(3, |writer| writer.bytes(b"abc")).unwrap();
                assert_eq!(buffer.written().len(), 3 * count, "{round}");
                assert_eq!(buffer.memory() == memory, has_capacity, "{round}, {count}");
                // The head of the next record may be stored behind.
                assert!(buffer.bytes.len() >= 3 * count + HEAD_SIZE, "{round}");
            }
            assert_eq!(buffer.written(), b"abc".repeat(100), "{round}");
            assert!(buffer.memory() < 1000, "{round}");
            let memory = buffer.memory();
            buffer.clear();
            assert_eq!((buffer.written().len(), buffer.memory()), (0, memory), "{round}");
        }
    }

    /// Giving up memory changes nothing about what is pending, or about what comes next.
    #[test]
    fn a_smaller_aggregate_gives_up_memory() {
        let keys: alloc::vec::Vec<_> = (0..300).map(|key| alloc::format!("key-{key}")).collect();
        let add = |aggregator: &mut RecordAggregator, keys: &[alloc::string::String]| {
            for key in keys {
                let record = UserRecord::new(key, "data").with_explicit_hash_key("7");
                assert_eq!(aggregator.add(record), Ok(None));
            }
        };
        let (mut shrunk, mut kept) = (RecordAggregator::default(), RecordAggregator::default());
        for aggregator in [&mut shrunk, &mut kept] {
            add(aggregator, &keys);
            assert!(aggregator.finish().is_some());
            add(aggregator, &keys[..20]);
        }
        let before = shrunk.memory();
        shrunk.shrink();
        assert!(shrunk.memory() < before / 3, "{} of {before}", shrunk.memory());
        let after = shrunk.memory();
        shrunk.shrink();
        assert_eq!(shrunk.memory(), after, "nothing is left to give up");
        for aggregator in [&mut shrunk, &mut kept] {
            // Known keys and new ones.
            add(aggregator, &keys[10..40]);
        }
        assert_eq!(shrunk.finish(), kept.finish());
    }

    #[test]
    fn undigested_aggregates_end_where_others_do() {
        let limits = Limits::default().with_max_bytes(100);
        let (mut with, mut without) = (RecordAggregator::new(limits), RecordAggregator::new(limits));
        for key in ["a", "b", "a", "", "c", "d", "a", "b", "a", "b"] {
            let record = UserRecord::new(key, "some data");
            let undigested = without.add_undigested(record).map(|full| full.map(Undigested::digest));
            assert_eq!(undigested, with.add(record), "{key}");
        }
        let too_large = [0; 100];
        let too_large = UserRecord::new("k", &too_large);
        assert_eq!(without.add_undigested(too_large).unwrap_err(), with.add(too_large).unwrap_err());
        assert_eq!(without.finish_undigested().map(Undigested::digest), with.finish());
        assert_eq!(without.finish_undigested(), None);
    }

    /// Behind a short partition key there are bytes for a user record that exceeds the maximum alone.
    #[test]
    fn adding_in_place_leaves_bytes_for_an_aggregate_of_its_own() {
        let large = "k".repeat(256);
        let record = UserRecord::new(&large, "data");
        let alone = 20 + (3 + 256) + 10 + 256;
        // What is pending then, in which it counts with the short key.
        let pending = 20 + 3 + (3 + 256) + 6 + 2 * 10;
        for (max_bytes, expected) in [(alone, false), (pending + 255, false), (pending + 256, true)] {
            let mut aggregator = RecordAggregator::new(Limits::default().with_max_bytes(max_bytes));
            assert_eq!(aggregator.add(UserRecord::new("k", "")), Ok(None));
            assert_eq!(aggregator.add(record), Ok(None));
            assert_eq!(
                aggregator.add_in_place(&record, None).is_some(),
                expected,
                "at most {max_bytes} bytes"
            );
        }
    }
}
