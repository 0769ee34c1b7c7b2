//! Routing user records to shards before they are packed.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::encode::{Aggregate, Limits, check_alone, write_digests};
use crate::error::EncodeError;
use crate::hash_key::HashKey;
use crate::message::UserRecord;
use crate::route::groups::{Group, Groups, Route, Router};
use crate::route::{
    Counters, HandedOut, OwnedShardMap, PendingAggregate, Placement, PutBackError, RoutedAggregate,
};
use crate::wire::widen;

/// Packs user records so that no consumer drops them because of their shard: an aggregate holds only user records that
/// one shard owns (rule R2).
///
/// [`Self::by_shard`] knows the shards, and packs best. [`Self::by_keys`] is as safe and needs to know nothing.
/// [`Self::together`] is for streams whose consumers do not filter by hash key.
///
/// ```
/// use kinesis_aggregation::{
///     AggregationManager, HashKey, HashKeyRange, Limits, OwnedShardMap, Placement, Shard, UserRecord,
/// };
///
/// let (below, middle) = (HashKey::new((1 << 127) - 1), HashKey::new(1 << 127));
/// let map = OwnedShardMap::new([
///     Shard::new("shardId-000000000000", HashKeyRange::new(HashKey::MIN, below).unwrap()),
///     Shard::new("shardId-000000000001", HashKeyRange::new(middle, HashKey::MAX).unwrap()),
/// ])?;
///
/// let mut manager = AggregationManager::by_shard(map, Limits::default());
/// for device in ["device-1", "device-2", "device-3", "device-4"] {
///     for full in manager.add(UserRecord::new(device, "21.5"))? {
///         send(full);
///     }
/// }
/// for rest in manager.flush() {
///     // The answer to a put names the shard that took it. Tell the manager:
///     let shard = rest.shard_id().unwrap_or_default().to_owned();
///     assert_eq!(manager.confirm(rest, &shard), Placement::Delivered);
/// }
/// # fn send(_: kinesis_aggregation::RoutedAggregate) {}
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Memory
///
/// What is pending, with its indexes and its spare room, takes no more than [`Self::with_max_memory`] allows: 64 MiB
/// unless set otherwise: an aggregate under construction takes about 2.5 times its limit, and up to 4.5 times where user
/// records of a few bytes have a key each. When it would, the fullest aggregates are handed out first: one at a time, or of
/// more than 64 a share of them. Hash keys of partition keys that came lately are a part of it: up to 256 KiB, and a sixteenth of the bound. A
/// shard that has nothing pending takes 16 bytes besides. What the allocator needs for its own purposes is not counted.
#[derive(Clone)]
pub struct AggregationManager {
    limits: Limits,
    max_memory: usize,
    groups: Groups,
    counters: Counters,
    /// How often the map was refreshed.
    refreshes: u64,
}

impl AggregationManager {
    /// Packs the user records of each shard together. Each aggregate is put with an explicit hash key, so that it lands
    /// on its shard.
    #[must_use]
    pub fn by_shard(map: OwnedShardMap, limits: Limits) -> Self {
        Self::new(Router::by_shard(map), limits)
    }

    /// Packs only user records with the same partition key and the same explicit hash key, if any, together. They have
    /// one hash key, so no shard map is needed and no reshard can part them.
    #[must_use]
    pub const fn by_keys(limits: Limits) -> Self {
        Self::new(Router::Keys { slots: BTreeMap::new(), joined: String::new() }, limits)
    }

    /// Packs all user records together, as [`crate::RecordAggregator`] does. Consumers that filter by hash key, as those
    /// built on the KCL do, lose most of them.
    #[must_use]
    pub const fn together(limits: Limits) -> Self {
        Self::new(Router::Together { slot: None }, limits)
    }

    const fn new(router: Router, limits: Limits) -> Self {
        Self {
            limits,
            max_memory: 64 * 1024 * 1024,
            groups: Groups::new(router),
            counters: Counters::ZERO,
            refreshes: 0,
        }
    }

    /// The same with another bound, in bytes, on the memory of all that is pending.
    #[must_use]
    pub fn with_max_memory(self, bytes: usize) -> Self {
        Self { max_memory: bytes, ..self }
    }

    /// Adds a user record, and hands out what became full by it: mostly nothing, or the aggregate of its shard; more
    /// where the bound on memory is met.
    ///
    /// # Errors
    ///
    /// Refuses a user record whose keys Kinesis would not take ([`EncodeError::PartitionKeyLength`],
    /// [`EncodeError::ExplicitHashKey`]; rules E4 and E5), or that an aggregate of its own could not take
    /// ([`EncodeError::TooLarge`], [`EncodeError::FitsOnlyPlain`]). Nothing has changed then but a counter.
    #[inline]
    pub fn add(&mut self, record: UserRecord<'_>) -> Result<HandedOut, EncodeError> {
        if self.add_in_place(&record) { Ok(HandedOut::default()) } else { self.add_counted(record, None) }
    }

    /// The same, with the time on any clock that never goes back.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub fn add_at(&mut self, record: UserRecord<'_>, now: Duration) -> Result<HandedOut, EncodeError> {
        self.add_counted(record, Some(now))
    }

    fn add_counted(
        &mut self,
        record: UserRecord<'_>,
        now: Option<Duration>,
    ) -> Result<HandedOut, EncodeError> {
        let mut full = HandedOut::default();
        match self.place(record, now, &mut full) {
            Ok(()) => self.counters.added = self.counters.added.saturating_add(1),
            Err(error) => {
                self.counters.refused = self.counters.refused.saturating_add(1);
                return Err(error);
            }
        }
        Ok(full)
    }

    /// Adds a user record whose partition key was routed lately, where it fits what is pending for its shard and takes no more
    /// memory. Otherwise changes nothing.
    ///
    /// [`Self::place`] would add it just the same.
    #[inline]
    fn add_in_place(&mut self, record: &UserRecord<'_>) -> bool {
        let added = self.groups.add_recent(record);
        self.counters.added = self.counters.added.saturating_add(u64::from(added));
        added
    }

    /// Hands out all that is pending, in the order in which shards or keys got their first user record.
    pub fn flush(&mut self) -> HandedOut {
        self.hand_out_where(|_| true)
    }

    /// Hands out what is pending for a shard, if anything is.
    pub fn flush_shard(&mut self, shard_id: &str) -> Option<RoutedAggregate> {
        let Router::Shards { map, slots, .. } = &self.groups.router else { return None };
        let slot = slots.get(map.position_of_id(shard_id)?).copied().flatten()?;
        let mut out = HandedOut::default();
        let group = self.groups.remove(slot)?;
        self.end([group], &mut out);
        out.0.pop()
    }

    /// Hands out what has reached the highest age, in the same order as [`Self::flush`]. What was added without a time, by
    /// [`Self::add`], never does.
    pub fn expired(&mut self, now: Duration) -> HandedOut {
        self.hand_out_where(|group| group.aggregator.expired(now))
    }

    /// The time at which the next of the pending aggregates reaches the highest age.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Duration> {
        let age = self.limits.max_age()?;
        let since = self.groups.active().iter().filter_map(|group| group.aggregator.since()).min()?;
        Some(since.saturating_add(age))
    }

    /// Puts another shard map in place, moves every pending user record to the shard that owns it now, and hands out
    /// what becomes full on the way.
    ///
    /// User records with the same hash key keep their order. A manager that does not route by shard needs no map, and
    /// ignores it.
    pub fn refresh(&mut self, map: OwnedShardMap) -> HandedOut {
        self.refreshes = self.refreshes.saturating_add(1);
        let mut full = HandedOut::default();
        for mut group in self.groups.replace_map(map) {
            let since = group.aggregator.since();
            if let Some(aggregate) = group.aggregator.finish() {
                let user_records = widen(aggregate.user_records);
                self.counters.rerouted = self.counters.rerouted.saturating_add(user_records);
                for record in crate::decode::deaggregate(&aggregate.data) {
                    // What was taken once is taken again: all that is taken fits an aggregate of its own.
                    _ = self.place(record, since, &mut full);
                }
            }
            self.groups.keep_spare(group.aggregator, self.max_memory / 2);
        }
        self.keep_within_bound(&mut full);
        full
    }

    /// Says what became of an aggregate that was put, by the shard that the answer names (rule R3). What has to be sent
    /// again is handed back.
    pub fn confirm(&mut self, sent: RoutedAggregate, shard_id: &str) -> Placement {
        let Router::Shards { map, .. } = &self.groups.router else { return Placement::Delivered };
        if sent.shard_id() == Some(shard_id) {
            return Placement::Delivered;
        }
        let Some(shard) = map.find(shard_id) else {
            if sent.unknown_at.is_some_and(|refreshes| refreshes < self.refreshes) {
                return self.misplaced(sent);
            }
            return Placement::Unknown(RoutedAggregate { unknown_at: Some(self.refreshes), ..sent });
        };
        // All of them: consumers drop the whole aggregate for one that is not the shard's.
        let owns_all =
            sent.records().all(|record| HashKey::of(&record).is_ok_and(|key| shard.range().contains(key)));
        if owns_all { Placement::DeliveredElsewhere } else { self.misplaced(sent) }
    }

    fn misplaced(&mut self, sent: RoutedAggregate) -> Placement {
        let user_records = widen(sent.user_records());
        self.counters.misplaced = self.counters.misplaced.saturating_add(user_records);
        Placement::Misplaced(sent)
    }

    /// Takes back an aggregate whose put failed or was misplaced: adds all its user records again, as old as they were,
    /// and hands out what becomes full on the way.
    ///
    /// # Errors
    ///
    /// Hands the aggregate back, and has changed nothing, if it has a user record that this manager does not take. That
    /// cannot be if the aggregate came from it.
    pub fn put_back(&mut self, aggregate: RoutedAggregate) -> Result<HandedOut, PutBackError> {
        let refused = aggregate
            .records()
            .find_map(|record| record.validate().and_then(|()| check_alone(&self.limits, &record)).err());
        if let Some(error) = refused {
            return Err(PutBackError { aggregate: Box::new(aggregate), error });
        }
        let mut full = HandedOut::default();
        for record in aggregate.records() {
            _ = self.place(record, aggregate.since, &mut full);
        }
        let user_records = widen(aggregate.user_records());
        self.counters.put_back = self.counters.put_back.saturating_add(user_records);
        Ok(full)
    }

    /// Drops all that is pending.
    pub fn clear(&mut self) {
        for mut group in self.groups.remove_where(|_| true) {
            group.aggregator.clear();
            self.groups.keep_spare(group.aggregator, self.max_memory / 2);
        }
    }

    /// The limits of each aggregate.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// The shard map in use, if it routes by shard.
    #[must_use]
    pub const fn shard_map(&self) -> Option<&OwnedShardMap> {
        match &self.groups.router {
            Router::Shards { map, .. } => Some(map),
            _ => None,
        }
    }

    /// Counts the user records pending, in all.
    #[must_use]
    pub fn user_records(&self) -> usize {
        self.pending().map(|pending| pending.user_records).fold(0, usize::saturating_add)
    }

    /// Counts the bytes pending, in all: the sizes that the aggregates would have if they were handed out now, each with
    /// its outer partition key.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.pending().map(|pending| pending.size_bytes).fold(0, usize::saturating_add)
    }

    /// Says whether nothing is pending.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.active().is_empty()
    }

    /// Counts the bytes of memory allocated for what is pending and to be reused.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.groups.memory()
    }

    /// Lists what is pending, an entry for each aggregate under construction.
    #[must_use]
    pub fn pending(&self) -> impl ExactSizeIterator<Item = PendingAggregate<'_>> {
        self.groups.active().iter().map(|group| PendingAggregate {
            shard_id: self.shard_id(&group.route),
            user_records: group.aggregator.user_records(),
            size_bytes: group.aggregator.size_bytes(),
        })
    }

    /// What the manager has done so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Packs a user record into its group, and hands out what is full.
    fn place(
        &mut self,
        record: UserRecord<'_>,
        now: Option<Duration>,
        out: &mut HandedOut,
    ) -> Result<(), EncodeError> {
        record.validate_partition_key()?;
        let (slot, hash_key) =
            self.groups.router.find(&record, self.max_memory / 16).map_err(EncodeError::ExplicitHashKey)?;
        // Also where it would fit what is pending: a refresh may make any user record the first of an aggregate.
        check_alone(&self.limits, &record)?;
        let slot = match slot {
            Ok(slot) => slot,
            Err(route) => self.groups.begin(route, self.limits),
        };
        let added = self.groups.update(slot, |group| {
            let since = group.aggregator.since();
            let full = group.aggregator.add_with(&record, now)?;
            // Whatever is full began with the hash key kept here; what begins now begins with this one.
            let first = if full.is_some() || group.aggregator.user_records() == 1 {
                core::mem::replace(&mut group.first_hash_key, hash_key)
            } else {
                None
            };
            Ok(full.map(|full| (full, group.route.clone(), first, since)))
        });
        if let Some((full, route, first, since)) = added.transpose()?.flatten() {
            let full = self.routed(full, &route, first, since);
            self.count_out(full, out);
        }
        self.keep_within_bound(out);
        Ok(())
    }

    /// Hands out the fullest aggregates until the others take no more memory than they may.
    fn keep_within_bound(&mut self, out: &mut HandedOut) {
        while self.groups.memory() > self.max_memory {
            if self.groups.take_spare().is_some() {
                continue;
            }
            let fullest = self.groups.remove_fullest();
            if fullest.is_empty() {
                break;
            }
            self.end(fullest, out);
        }
    }

    fn hand_out_where(&mut self, chosen: impl Fn(&Group) -> bool) -> HandedOut {
        let mut out = HandedOut::default();
        let groups = self.groups.remove_where(chosen);
        self.end(groups, &mut out);
        out
    }

    /// Finishes the aggregates of groups that were removed. Their digests are computed together, several times as fast as
    /// one by one.
    fn end(&mut self, groups: impl IntoIterator<Item = Group>, out: &mut HandedOut) {
        let before = out.0.len();
        for group in groups {
            let Group { mut aggregator, route, first_hash_key, .. } = group;
            let since = aggregator.since();
            if let Some(aggregate) = aggregator.finish_undigested() {
                let full = self.routed(aggregate, &route, first_hash_key, since);
                self.count_out(full, out);
            }
            self.groups.keep_spare(aggregator, self.max_memory / 2);
        }
        write_digests(out.0.iter_mut().skip(before).map(|full| &mut full.aggregate));
    }

    fn routed(
        &self,
        aggregate: Aggregate,
        route: &Route,
        first_hash_key: Option<HashKey>,
        since: Option<Duration>,
    ) -> RoutedAggregate {
        RoutedAggregate {
            explicit_hash_key: first_hash_key.or(aggregate.explicit_hash_key),
            shard_id: self.shard_id(route).map(Into::into),
            aggregate,
            since,
            unknown_at: None,
        }
    }

    fn shard_id(&self, route: &Route) -> Option<&str> {
        match (&self.groups.router, route) {
            (Router::Shards { map, .. }, Route::Shard(position)) => {
                map.get(*position).map(|shard| shard.id())
            }
            _ => None,
        }
    }

    fn count_out(&mut self, full: RoutedAggregate, out: &mut HandedOut) {
        let counters = &mut self.counters;
        counters.handed_out = counters.handed_out.saturating_add(widen(full.user_records()));
        counters.aggregates = counters.aggregates.saturating_add(1);
        counters.bytes = counters.bytes.saturating_add(widen(full.size_bytes()));
        out.0.push(full);
    }
}

impl fmt::Debug for AggregationManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AggregationManager")
            .field("aggregates", &self.groups.active().len())
            .field("user_records", &self.user_records())
            .field("size_bytes", &self.size_bytes())
            .field("memory", &self.memory())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
