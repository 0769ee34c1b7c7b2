//! The aggregators of a manager, and which of them takes a user record.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::time::Duration;

use crate::ShardMap;
use crate::encode::Undigested;
use crate::error::EncodeError;
use crate::hash_key::HashKey;
use crate::message::UserRecord;
use crate::route::recent_keys::{RecentKey, RecentKeys};
use crate::route::{RoutedAggregate, Shard};
use crate::{Limits, RecordAggregator};

/// An aggregator with user records pending that have their route in common.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) aggregator: RecordAggregator,
    pub(crate) route: Route,
    /// The hash key of the first pending user record, where routing is by shard.
    first_hash_key: Option<HashKey>,
    /// The position of this group in the order in which groups were begun.
    number: u64,
}

impl Group {
    /// Returns the bytes allocated for this group, without the group itself.
    fn memory(&self) -> usize {
        /// About what an entry of a `BTreeMap` takes beside its key.
        const ENTRY: usize = 64;
        let route = match &self.route {
            // Stored twice: here and in the router.
            Route::Keys(keys) => 2 * keys.len() + ENTRY,
            Route::Shard(_) | Route::Unrouted => 0,
        };
        self.aggregator.memory() + route
    }
}

/// The property that the user records of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The shard at this position of the map owns them.
    Shard(usize),
    /// They have this explicit hash key, or none, and this partition key.
    Keys(Box<str>),
    /// Nothing.
    Unrouted,
}

/// Finds the group of a user record. Groups are named by their index in [`Groups::active`].
#[derive(Clone, Debug)]
pub(crate) enum Router {
    /// By the shard that owns its hash key. There is an entry in `groups` for each shard.
    Shard { map: ShardMap, groups: Vec<Option<usize>>, recent: RecentKeys },
    /// By its explicit hash key and partition key. `joined` is a buffer in which both are joined for the lookup.
    Keys { groups: BTreeMap<Box<str>, usize>, joined: String },
    /// There is one group for all.
    Unrouted { group: Option<usize> },
}

/// The destination of a user record.
pub(crate) enum Destination {
    /// To the group with this index.
    Group(usize),
    /// To a group that is yet to be begun.
    New(Route),
}

impl Destination {
    fn new(group: Option<usize>, route: impl FnOnce() -> Route) -> Self {
        group.map_or_else(|| Self::New(route()), Self::Group)
    }
}

impl Router {
    pub(crate) fn by_shard(map: ShardMap) -> Self {
        let groups = alloc::vec![None; map.shards().len()];
        Self::Shard { map, groups, recent: RecentKeys::default() }
    }

    pub(crate) const fn by_key() -> Self {
        Self::Keys { groups: BTreeMap::new(), joined: String::new() }
    }

    pub(crate) const fn unrouted() -> Self {
        Self::Unrouted { group: None }
    }

    pub(crate) const fn shard_map(&self) -> Option<&ShardMap> {
        match self {
            Self::Shard { map, .. } => Some(map),
            Self::Keys { .. } | Self::Unrouted { .. } => None,
        }
    }

    /// Returns the index of the group of the shard at a position of the map.
    pub(crate) fn group_of_shard(&self, position: usize) -> Option<usize> {
        match self {
            Self::Shard { groups, .. } => groups.get(position).copied().flatten(),
            Self::Keys { .. } | Self::Unrouted { .. } => None,
        }
    }

    /// Returns the id of the shard that a route leads to.
    pub(crate) fn shard_id(&self, route: &Route) -> Option<&str> {
        match (self, route) {
            (Self::Shard { map, .. }, Route::Shard(position)) => map.get(*position).map(|shard| shard.id()),
            _ => None,
        }
    }

    /// Returns the bytes allocated to cache hash keys.
    fn memory(&self) -> usize {
        match self {
            Self::Shard { recent, .. } => recent.memory(),
            Self::Keys { .. } | Self::Unrouted { .. } => 0,
        }
    }

    /// Returns the group of a user record, if it exists, and where routing is by shard also the hash key, if that needs no MD5.
    ///
    /// [`Self::route`] returns the same. What is cached about the partition key comes with it.
    #[inline]
    pub(crate) fn find(
        &mut self,
        record: &UserRecord<'_>,
        explicit_hash_key: Option<HashKey>,
    ) -> Option<(usize, Option<HashKey>, Option<&mut RecentKey>)> {
        match self {
            Self::Shard { map, groups, recent } => {
                let (hash_key, position, known) = match explicit_hash_key {
                    Some(hash_key) => (hash_key, map.position_of(hash_key), None),
                    None => {
                        let known = recent.find(record.partition_key)?;
                        (known.hash_key, known.shard(), Some(known))
                    }
                };
                Some((groups.get(position).copied().flatten()?, Some(hash_key), known))
            }
            Self::Keys { groups, joined } => {
                Some((groups.get(join_keys(record, joined)).copied()?, None, None))
            }
            Self::Unrouted { group } => Some(((*group)?, None, None)),
        }
    }

    /// Returns the destination of a user record and, where routing is by shard, its hash key.
    ///
    /// `explicit_hash_key` is that of the user record, parsed. Other hash keys are cached in at most `cache_memory` bytes.
    pub(crate) fn route(
        &mut self,
        record: &UserRecord<'_>,
        explicit_hash_key: Option<HashKey>,
        cache_memory: usize,
    ) -> (Destination, Option<HashKey>) {
        match self {
            Self::Shard { map, groups, recent } => {
                let (hash_key, position) = match explicit_hash_key {
                    Some(hash_key) => (hash_key, map.position_of(hash_key)),
                    None => match recent.find(record.partition_key) {
                        Some(known) => (known.hash_key, known.shard()),
                        None => {
                            let hash_key = HashKey::of_partition_key(record.partition_key);
                            let position = map.position_of(hash_key);
                            recent.insert(record.partition_key, hash_key, position, cache_memory);
                            (hash_key, position)
                        }
                    },
                };
                let group = groups.get(position).copied().flatten();
                (Destination::new(group, || Route::Shard(position)), Some(hash_key))
            }
            Self::Keys { groups, joined } => {
                let keys = join_keys(record, joined);
                (Destination::new(groups.get(keys).copied(), || Route::Keys(keys.into())), None)
            }
            Self::Unrouted { group } => (Destination::new(*group, || Route::Unrouted), None),
        }
    }

    /// Sets the index of the group for a route, or that there is none.
    pub(crate) fn set_group(&mut self, route: &Route, index: Option<usize>) {
        match (self, route) {
            (Self::Shard { groups, .. }, Route::Shard(position)) => {
                if let Some(group) = groups.get_mut(*position) {
                    *group = index;
                }
            }
            (Self::Keys { groups, .. }, Route::Keys(keys)) => {
                match index {
                    Some(index) => groups.insert(keys.clone(), index),
                    None => groups.remove(keys),
                };
            }
            (Self::Unrouted { group }, Route::Unrouted) => *group = index,
            (_, route) => debug_assert!(false, "a route of another router: {route:?}"),
        }
    }

    /// Completes an aggregate of a group by where it goes: its shard, and the hash key of its first user record (rule E8).
    fn routed(&self, mut undigested: Undigested, group: &Group) -> RoutedAggregate<Undigested> {
        let Undigested(aggregate) = &mut undigested;
        aggregate.explicit_hash_key = group.first_hash_key.or(aggregate.explicit_hash_key);
        RoutedAggregate { aggregate: undigested, shard_id: self.shard_id(&group.route).map(Into::into) }
    }
}

/// Joins both keys of a user record. A valid explicit hash key has only digits, so it ends at the first slash.
fn join_keys<'j>(record: &UserRecord<'_>, joined: &'j mut String) -> &'j str {
    joined.clear();
    joined.push_str(record.explicit_hash_key.unwrap_or_default());
    joined.push('/');
    joined.push_str(record.partition_key);
    joined
}

/// All groups with something pending, spare aggregators, and the memory that both take.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    pub(crate) router: Router,
    pub(crate) limits: Limits,
    pub(crate) max_memory: usize,
    active: Vec<Group>,
    /// Aggregators without anything pending, kept for their buffers.
    spare: Vec<RecordAggregator>,
    /// The bytes allocated for the elements of both lists, without the lists themselves.
    allocated: usize,
    /// The number of groups that were ever begun.
    begun: u64,
}

impl Groups {
    pub(crate) const fn new(router: Router, limits: Limits, max_memory: usize) -> Self {
        Self { router, limits, max_memory, active: Vec::new(), spare: Vec::new(), allocated: 0, begun: 0 }
    }

    pub(crate) fn active(&self) -> &[Group] {
        &self.active
    }

    /// Returns the bytes allocated for all groups and spare aggregators.
    pub(crate) fn memory(&self) -> usize {
        self.allocated
            + self.active.capacity() * size_of::<Group>()
            + self.spare.capacity() * size_of::<RecordAggregator>()
            + self.router.memory()
    }

    /// Returns the index of the group with something pending for a shard.
    pub(crate) fn find_shard(&self, shard_id: &str) -> Option<usize> {
        let Router::Shard { map, groups, .. } = &self.router else { return None };
        groups.get(map.position_of_id(shard_id)?).copied().flatten()
    }

    /// Adds a user record if the shard of its partition key is cached, and it fits what is pending there without more memory.
    /// Otherwise changes nothing.
    ///
    /// This is the fast path of [`Self::find_or_begin`] and [`Self::add`], with the same result.
    #[inline]
    pub(crate) fn add_in_place(&mut self, record: &UserRecord<'_>) -> bool {
        let Router::Shard { groups, recent, .. } = &self.router else { return false };
        if record.explicit_hash_key.is_some() {
            return false;
        }
        let index =
            recent.shard_of(record.partition_key).and_then(|shard| groups.get(shard).copied().flatten());
        let group = index.and_then(|index| self.active.get_mut(index));
        group.is_some_and(|group| group.aggregator.add_in_place(record, None).is_some())
    }

    /// Returns the index of the group that a user record goes to, which may be a new one, and its hash key where routing is by
    /// shard.
    pub(crate) fn find_or_begin(
        &mut self,
        record: &UserRecord<'_>,
        explicit_hash_key: Option<HashKey>,
    ) -> (usize, Option<HashKey>) {
        let (destination, hash_key) = self.router.route(record, explicit_hash_key, self.max_memory / 16);
        let index = match destination {
            Destination::Group(index) => index,
            Destination::New(route) => self.begin(route),
        };
        (index, hash_key)
    }

    fn begin(&mut self, route: Route) -> usize {
        let aggregator = self.take_spare().unwrap_or_else(|| RecordAggregator::new(self.limits));
        self.begun += 1;
        self.insert(Group { aggregator, route, first_hash_key: None, number: self.begun })
    }

    fn insert(&mut self, group: Group) -> usize {
        let index = self.active.len();
        self.router.set_group(&group.route, Some(index));
        self.allocated += group.memory();
        self.active.push(group);
        index
    }

    /// Adds a valid user record to the group with this index. Returns the aggregate that was pending, if it is full.
    pub(crate) fn add(
        &mut self,
        index: usize,
        record: &UserRecord<'_>,
        hash_key: Option<HashKey>,
        now: Option<Duration>,
    ) -> Result<Option<RoutedAggregate<Undigested>>, EncodeError> {
        let Some(group) = self.active.get_mut(index) else {
            debug_assert!(false, "no group {index} of {}", self.active.len());
            return Ok(None);
        };
        let memory = group.memory();
        let full = group.aggregator.add_undigested_with(record, now);
        self.allocated = self.allocated - memory + group.memory();
        let full = full?.map(|full| self.router.routed(full, group));
        if group.aggregator.user_records() == 1 {
            group.first_hash_key = hash_key;
        }
        Ok(full)
    }

    /// Finishes what is pending in a group that was removed.
    pub(crate) fn finish(&mut self, mut group: Group) -> Option<RoutedAggregate<Undigested>> {
        let undigested = group.aggregator.finish_undigested()?;
        let routed = self.router.routed(undigested, &group);
        self.keep_spare(group.aggregator);
        Some(routed)
    }

    /// Removes the group with this index.
    pub(crate) fn remove(&mut self, index: usize) -> Option<Group> {
        if index >= self.active.len() {
            return None;
        }
        let group = self.active.swap_remove(index);
        self.router.set_group(&group.route, None);
        if let Some(moved) = self.active.get(index) {
            self.router.set_group(&moved.route, Some(index));
        }
        self.allocated -= group.memory();
        if self.active.len() <= self.active.capacity() / 4 {
            self.active.shrink_to(2 * self.active.len());
        }
        Some(group)
    }

    /// Removes the groups that `chosen` selects. Returns them in the order in which they were begun.
    pub(crate) fn remove_where(&mut self, mut chosen: impl FnMut(&Group) -> bool) -> Vec<Group> {
        let mut removed = Vec::new();
        // Backwards, since the last group takes the place of one that is removed.
        for index in (0..self.active.len()).rev() {
            if self.active.get(index).is_some_and(&mut chosen) {
                removed.extend(self.remove(index));
            }
        }
        removed.sort_unstable_by_key(|group| group.number);
        removed
    }

    /// Gives up memory of groups that have little pending in it, because they were busier before. Returns whether this was a
    /// share of all memory that is worth looking at all groups for.
    pub(crate) fn shrink(&mut self) -> bool {
        let before = self.allocated;
        for group in &mut self.active {
            self.allocated -= group.memory();
            group.aggregator.shrink();
            self.allocated += group.memory();
        }
        before - self.allocated > self.max_memory / 64
    }

    /// Removes the groups with the most bytes pending: one of up to 63 groups, otherwise a 64th of them and one more.
    ///
    /// A share of them, because all groups have to be looked at to find the fullest.
    pub(crate) fn remove_fullest(&mut self) -> Vec<Group> {
        let size = |group: &Group| group.aggregator.size_bytes();
        let last = self.active.len() / 64;
        let mut sizes: Vec<usize> = self.active.iter().map(size).collect();
        if sizes.is_empty() {
            return Vec::new();
        }
        let (larger, &mut least, _) = sizes.select_nth_unstable_by(last, |a, b| b.cmp(a));
        // How many groups with exactly `least` bytes are still to be removed.
        let mut ties = last + 1 - larger.iter().filter(|&&size| size > least).count();
        self.remove_where(|group| match size(group).cmp(&least) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => {
                let wanted = ties > 0;
                ties = ties.saturating_sub(1);
                wanted
            }
        })
    }

    /// Keeps an aggregator without anything pending for later, unless more than half of the memory would then be in use.
    pub(crate) fn keep_spare(&mut self, aggregator: RecordAggregator) {
        // The list doubles when it is full, which counts as well.
        let capacity = self.spare.capacity();
        let growth = if self.spare.len() < capacity { 0 } else { capacity.max(1) };
        let added = aggregator.memory() + growth * size_of::<RecordAggregator>();
        if self.memory() + added <= self.max_memory / 2 {
            self.allocated += aggregator.memory();
            self.spare.reserve_exact(growth);
            self.spare.push(aggregator);
        }
    }

    /// Takes a spare aggregator, if there is one.
    pub(crate) fn take_spare(&mut self) -> Option<RecordAggregator> {
        let aggregator = self.spare.pop()?;
        self.allocated -= aggregator.memory();
        if self.spare.is_empty() {
            self.spare = Vec::new();
        }
        Some(aggregator)
    }

    /// Replaces the shard map, if routing is by shard. Groups whose shard is the same in both maps stay. Returns the others,
    /// whose user records have to be routed again, in the order in which they were begun.
    pub(crate) fn replace_map(&mut self, new: ShardMap) -> Vec<Group> {
        let Router::Shard { map, groups, recent } = &mut self.router else { return Vec::new() };
        let new_position = |old: Shard<'_>| {
            let position = new.position_of_id(old.id())?;
            (new.get(position)?.range() == old.range()).then_some(position)
        };
        let new_positions: Vec<Option<usize>> = map.shards().map(new_position).collect();
        *groups = alloc::vec![None; new.shards().len()];
        recent.clear();
        *map = new;

        let mut to_route_again = Vec::new();
        self.active.sort_unstable_by_key(|group| group.number);
        for mut group in core::mem::take(&mut self.active) {
            self.allocated -= group.memory();
            let new_position = match group.route {
                Route::Shard(position) => new_positions.get(position).copied().flatten(),
                Route::Keys(_) | Route::Unrouted => None,
            };
            match new_position {
                Some(position) => {
                    group.route = Route::Shard(position);
                    self.insert(group);
                }
                None => to_route_again.push(group),
            }
        }
        to_route_again
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// Makes `count` groups in some order. The first `larger` of them have more pending than the others.
    fn groups(count: usize, larger: usize) -> Groups {
        let mut groups = Groups::new(Router::by_key(), Limits::default(), usize::MAX);
        for number in (0..count).map(|number| number.wrapping_mul(37) % count) {
            let key = format!("key-{number:03}");
            let record = UserRecord::new(&key, if number < larger { "more data" } else { "data" });
            let (index, hash_key) = groups.find_or_begin(&record, None);
            assert!(groups.add(index, &record, hash_key, None).unwrap().is_none());
        }
        groups
    }

    #[test]
    fn the_fullest_are_one_or_a_share_of_many() {
        for (count, share) in [(1, 1), (63, 1), (64, 2), (127, 2), (128, 3), (320, 6)] {
            for larger in 0..10 {
                let mut groups = groups(count, larger);
                let removed = groups.remove_fullest();
                let name = format!("{count} groups, {larger} of them larger");
                assert_eq!((removed.len(), groups.active().len()), (share, count - share), "{name}");
                let sizes = removed.iter().map(|group| group.aggregator.size_bytes());
                let largest = sizes.clone().max();
                let of_the_largest = sizes.filter(|&size| Some(size) == largest).count();
                let expected = if larger == 0 { share } else { larger.min(share) };
                assert_eq!(of_the_largest, expected, "{name}");
            }
        }
        assert!(groups(0, 0).remove_fullest().is_empty());
    }
}
