//! Routing user records to shards before they are aggregated.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::ShardMap;
use crate::deaggregate;
use crate::decode::Deaggregated;
use crate::encode::{Undigested, check_alone, write_digests};
use crate::error::EncodeError;
use crate::message::UserRecord;
use crate::route::groups::{Group, Groups, Router};
use crate::{Aggregate, Limits, RecordAggregator};

/// Aggregates user records by shard, so that no consumer drops them: an aggregate has only user records that one shard owns
/// (rule R2).
///
/// [`Self::by_shard`] needs a map of the shards, and makes the fullest aggregates. [`Self::by_key`] is as safe and needs no
/// map. [`Self::unrouted`] is for streams whose consumers do not filter by hash key.
///
/// ```
/// use kinesis_aggregation::{AggregationManager, Limits, ShardMap, UserRecord};
/// use kinesis_aggregation::route::{HashKey, HashKeyRange, Shard};
///
/// let middle = 1 << 127;
/// let lower = HashKeyRange::new(HashKey::MIN, HashKey::new(middle - 1)).unwrap();
/// let upper = HashKeyRange::new(HashKey::new(middle), HashKey::MAX).unwrap();
/// let map = ShardMap::new([
///     Shard::new("shardId-000000000000", lower),
///     Shard::new("shardId-000000000001", upper),
/// ])?;
///
/// let mut manager = AggregationManager::by_shard(map, Limits::default());
/// for device in ["device-1", "device-2", "device-3", "device-4"] {
///     for full in manager.add(UserRecord::new(device, "21.5"))? {
///         put(&full);
///     }
/// }
/// manager.flush().iter().for_each(put);
/// # fn put(_: &kinesis_aggregation::route::RoutedAggregate) {}
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Memory
///
/// All that is pending, with its hash tables and unused capacity, takes at most what [`Self::with_max_memory`] allows, 64 MiB
/// by default. An aggregate under construction takes about 2.5 times its size, and up to 4.5 times if user records of a few
/// bytes have a partition key each. Above the bound the fullest aggregates are returned first: one at a time, or a share of
/// them if there are 64 or more. Before that, buffers that are larger than what is pending in them are given up, so that keys
/// that were busy once do not cut the aggregates of others short.
///
/// The bound includes a cache of hash keys, which takes up to 256 KiB and up to a sixteenth of the bound. In addition, each
/// shard takes 16 bytes. What the allocator needs for itself is not counted.
#[derive(Clone)]
pub struct AggregationManager {
    groups: Groups,
}

impl AggregationManager {
    /// Aggregates the user records of each shard. Each aggregate has an explicit hash key, so that its shard takes it.
    #[must_use]
    pub fn by_shard(map: ShardMap, limits: Limits) -> Self {
        Self::new(Router::by_shard(map), limits)
    }

    /// Aggregates user records that have the same partition key and the same explicit hash key, if any. As they have the same
    /// hash key, no shard map is needed, and no reshard can separate them.
    #[must_use]
    pub const fn by_key(limits: Limits) -> Self {
        Self::new(Router::by_key(), limits)
    }

    /// Aggregates all user records, as [`crate::RecordAggregator`] does. Consumers that filter by hash key, such as those built
    /// on the KCL, lose most of them.
    #[must_use]
    pub const fn unrouted(limits: Limits) -> Self {
        Self::new(Router::unrouted(), limits)
    }

    const fn new(router: Router, limits: Limits) -> Self {
        Self { groups: Groups::new(router, limits, 64 * 1024 * 1024) }
    }

    /// Sets the bound on the memory of all that is pending, in bytes.
    #[must_use]
    pub fn with_max_memory(mut self, bytes: usize) -> Self {
        self.groups.max_memory = bytes;
        self
    }

    /// Adds a user record, and returns the aggregates that are full: usually none, or that of its shard; more if the bound on
    /// memory is reached.
    ///
    /// # Errors
    ///
    /// Returns an error if Kinesis would refuse one of the keys ([`EncodeError::PartitionKeyLength`],
    /// [`EncodeError::ExplicitHashKey`]; rules E4 and E5), or if the user record does not fit an aggregate of its own
    /// ([`EncodeError::TooLarge`], [`EncodeError::FitsOnlyPlain`]). Then nothing has changed.
    #[inline]
    pub fn add(&mut self, record: UserRecord<'_>) -> Result<Vec<RoutedAggregate>, EncodeError> {
        if self.groups.add_in_place(&record) { Ok(Vec::new()) } else { self.add_with(record, None) }
    }

    /// Adds a user record with the current time, by any clock that never goes back.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub fn add_at(
        &mut self,
        record: UserRecord<'_>,
        now: Duration,
    ) -> Result<Vec<RoutedAggregate>, EncodeError> {
        self.add_with(record, Some(now))
    }

    /// Adds a user record, as [`Self::add`], but leaves the aggregates that it finishes without their digests, for
    /// [`Undigested::digest_all`] or another thread.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    #[inline]
    pub fn add_undigested(
        &mut self,
        record: UserRecord<'_>,
    ) -> Result<Vec<RoutedAggregate<Undigested>>, EncodeError> {
        let mut full = Vec::new();
        if !self.groups.add_in_place(&record) {
            self.route(record, None, &mut full)?;
        }
        Ok(full)
    }

    fn add_with(
        &mut self,
        record: UserRecord<'_>,
        now: Option<Duration>,
    ) -> Result<Vec<RoutedAggregate>, EncodeError> {
        let mut full = Vec::new();
        self.route(record, now, &mut full)?;
        Ok(digest_all(full))
    }

    /// Finishes and returns all that is pending, in the order in which shards or keys got their first user record.
    pub fn flush(&mut self) -> Vec<RoutedAggregate> {
        self.finish_where(|_| true)
    }

    /// Finishes and returns what is pending for a shard, if anything is.
    pub fn flush_shard(&mut self, shard_id: &str) -> Option<RoutedAggregate> {
        let index = self.groups.find_shard(shard_id)?;
        let group = self.groups.remove(index)?;
        Some(self.groups.finish(group)?.digest())
    }

    /// Finishes and returns the aggregates that have reached [`Limits::max_age`], in the same order as [`Self::flush`].
    ///
    /// User records that were added without a time, by [`Self::add`], have no age.
    pub fn expired(&mut self, now: Duration) -> Vec<RoutedAggregate> {
        self.finish_where(|group| group.aggregator.expired(now))
    }

    /// Returns the time at which the next pending aggregate reaches [`Limits::max_age`].
    #[must_use]
    pub fn next_expiry(&self) -> Option<Duration> {
        let age = self.limits().max_age()?;
        let since = self.groups.active().iter().filter_map(|group| group.aggregator.since()).min()?;
        Some(since.saturating_add(age))
    }

    /// Replaces the shard map, moves every pending user record to the shard that owns it now, and returns the aggregates that
    /// are full.
    ///
    /// User records with the same hash key keep their order. A manager that does not route by shard ignores the map.
    pub fn refresh(&mut self, map: ShardMap) -> Vec<RoutedAggregate> {
        let mut full = Vec::new();
        for mut group in self.groups.replace_map(map) {
            let since = group.aggregator.since();
            if let Some(aggregate) = group.aggregator.finish() {
                self.route_again(deaggregate(&aggregate.data), since, &mut full);
            }
            self.groups.keep_spare(group.aggregator);
        }
        self.keep_within_bound(&mut full);
        digest_all(full)
    }

    /// Drops all that is pending.
    pub fn clear(&mut self) {
        for mut group in self.groups.remove_where(|_| true) {
            group.aggregator.clear();
            self.groups.keep_spare(group.aggregator);
        }
    }

    /// Returns the limits of each aggregate.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.groups.limits
    }

    /// Returns the shard map in use, if the manager routes by shard.
    #[must_use]
    pub const fn shard_map(&self) -> Option<&ShardMap> {
        self.groups.router.shard_map()
    }

    /// Returns the number of user records that are pending.
    #[must_use]
    pub fn user_records(&self) -> usize {
        self.pending().map(|(_, aggregator)| aggregator.user_records()).sum()
    }

    /// Returns the number of bytes that are pending: the sizes the aggregates would have if they were finished now, outer
    /// partition keys included.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.pending().map(|(_, aggregator)| aggregator.size_bytes()).sum()
    }

    /// Returns whether nothing is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.active().is_empty()
    }

    /// Returns the number of bytes allocated for what is pending and for buffers that are kept to be reused.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.groups.memory()
    }

    /// Returns the aggregates under construction, each with its shard if the manager routes by shard.
    #[must_use]
    pub fn pending(&self) -> impl ExactSizeIterator<Item = (Option<&str>, &RecordAggregator)> {
        let shard_id = |group| self.groups.router.shard_id(group);
        self.groups.active().iter().map(move |group| (shard_id(&group.route), &group.aggregator))
    }

    /// Adds a user record to its group, and appends the aggregates that are full to `full`.
    fn route(
        &mut self,
        record: UserRecord<'_>,
        now: Option<Duration>,
        full: &mut Vec<RoutedAggregate<Undigested>>,
    ) -> Result<(), EncodeError> {
        record.validate_partition_key()?;
        let explicit_hash_key = record.explicit_hash_key.map(str::parse).transpose();
        let explicit_hash_key = explicit_hash_key.map_err(EncodeError::ExplicitHashKey)?;
        // Even if the user record fits what is pending: after a refresh, it may be the first of an aggregate.
        check_alone(&self.limits(), &record)?;
        let (index, hash_key) = self.groups.find_or_begin(&record, explicit_hash_key);
        full.extend(self.groups.add(index, &record, hash_key, now)?);
        self.keep_within_bound(full);
        Ok(())
    }

    /// Routes user records that the manager has accepted before.
    fn route_again(
        &mut self,
        records: Deaggregated<'_>,
        since: Option<Duration>,
        full: &mut Vec<RoutedAggregate<Undigested>>,
    ) {
        for record in records {
            let result = self.route(record, since, full);
            debug_assert!(result.is_ok(), "accepted before, refused now: {result:?}");
        }
    }

    /// Finishes the fullest aggregates until the others are within the bound on memory.
    fn keep_within_bound(&mut self, full: &mut Vec<RoutedAggregate<Undigested>>) {
        while self.groups.memory() > self.groups.max_memory {
            // What is pending is cut short only if no unused memory is left to give up.
            if self.groups.take_spare().is_some() || self.groups.shrink() {
                continue;
            }
            let fullest = self.groups.remove_fullest();
            if fullest.is_empty() {
                break;
            }
            full.extend(fullest.into_iter().filter_map(|group| self.groups.finish(group)));
        }
    }

    fn finish_where(&mut self, chosen: impl Fn(&Group) -> bool) -> Vec<RoutedAggregate> {
        let groups = self.groups.remove_where(chosen);
        digest_all(groups.into_iter().filter_map(|group| self.groups.finish(group)))
    }
}

/// Computes the digests together, several times as fast as one after the other.
fn digest_all(full: impl IntoIterator<Item = RoutedAggregate<Undigested>>) -> Vec<RoutedAggregate> {
    let mut all: Vec<_> = full.into_iter().map(|routed| routed.map(|undigested| undigested.0)).collect();
    write_digests(all.iter_mut().map(|routed| &mut *routed.aggregate.data));
    all
}

impl fmt::Debug for AggregationManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AggregationManager")
            .field("aggregates", &self.groups.active().len())
            .field("user_records", &self.user_records())
            .field("size_bytes", &self.size_bytes())
            .field("memory", &self.memory())
            .field("limits", &self.limits())
            .finish_non_exhaustive()
    }
}

/// A finished aggregate of an [`AggregationManager`], and the shard that should take it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "user records are lost unless their aggregate is sent"]
pub struct RoutedAggregate<A = Aggregate> {
    /// The aggregate to put, or an [`Undigested`] one. If there is a shard, the explicit hash key is always set, to the hash
    /// key of the first user record (rule E8).
    pub aggregate: A,
    /// The shard that should take it, if the manager routes by shard.
    pub shard_id: Option<Box<str>>,
}

impl<A> RoutedAggregate<A> {
    fn map<B>(self, change: impl FnOnce(A) -> B) -> RoutedAggregate<B> {
        RoutedAggregate { aggregate: change(self.aggregate), shard_id: self.shard_id }
    }
}

impl RoutedAggregate<Undigested> {
    /// Computes the digest of this aggregate alone.
    pub fn digest(self) -> RoutedAggregate {
        self.map(Undigested::digest)
    }
}
