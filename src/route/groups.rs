//! The aggregators of a manager, and how user records find theirs.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::encode::{Limits, RecordAggregator};
use crate::error::HashKeyError;
use crate::hash_key::HashKey;
use crate::message::UserRecord;
use crate::route::OwnedShardMap;
use crate::route::recent_keys::RecentKeys;

/// An aggregator with something pending.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) aggregator: RecordAggregator,
    pub(crate) route: Route,
    /// The effective hash key of the first user record pending, where routing needs to know hash keys.
    pub(crate) first_hash_key: Option<HashKey>,
    /// Which of all groups it is, in the order in which they were begun.
    begun: u64,
}

impl Group {
    /// Counts the bytes allocated for this group, itself not included.
    fn memory(&self) -> usize {
        /// What the entry of a search tree takes beside its key, roughly.
        const NODE: usize = 64;
        let route = match &self.route {
            // Once here, once in the tree.
            Route::Keys(keys) => keys.len().saturating_mul(2).saturating_add(NODE),
            Route::Shard(_) | Route::Together => 0,
        };
        self.aggregator.memory().saturating_add(route)
    }
}

/// What the user records of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The shard at this position of the map owns them.
    Shard(usize),
    /// They have this explicit hash key, or none, and this partition key.
    Keys(Box<str>),
    /// Nothing.
    Together,
}

/// Which group a user record belongs to.
#[derive(Clone, Debug)]
pub(crate) enum Router {
    /// By the shard that owns its hash key. `slots` has the group of each shard.
    Shards { map: OwnedShardMap, slots: Vec<Option<usize>>, recent: RecentKeys },
    /// By its explicit hash key and partition key. `joined` is room to put them together.
    Keys { slots: BTreeMap<Box<str>, usize>, joined: String },
    /// All in one.
    Together { slot: Option<usize> },
}

impl Router {
    pub(crate) fn by_shard(map: OwnedShardMap) -> Self {
        let slots = alloc::vec![None; map.len()];
        Self::Shards { map, slots, recent: RecentKeys::default() }
    }

    /// The slot of the group of a user record whose partition key was routed lately, and decides about it.
    #[inline]
    fn find_recent(&self, record: &UserRecord<'_>) -> Option<usize> {
        let Self::Shards { slots, recent, .. } = self else { return None };
        if record.explicit_hash_key.is_some() {
            return None;
        }
        slots.get(recent.shard_of(record.partition_key)?).copied().flatten()
    }

    /// Counts the bytes that are allocated to remember hash keys.
    fn memory(&self) -> usize {
        match self {
            Self::Shards { recent, .. } => recent.memory(),
            Self::Keys { .. } | Self::Together { .. } => 0,
        }
    }

    /// Finds the group of a user record, or the route to begin one for. Hash keys are remembered in at most `most_memory`
    /// bytes.
    pub(crate) fn find(
        &mut self,
        record: &UserRecord<'_>,
        most_memory: usize,
    ) -> Result<(Result<usize, Route>, Option<HashKey>), HashKeyError> {
        Ok(match self {
            Self::Shards { map, slots, recent } => {
                let known = match record.explicit_hash_key {
                    Some(_) => None,
                    None => recent.find(record.partition_key),
                };
                let (key, position) = match known {
                    Some(known) => known,
                    None => {
                        let key = HashKey::of(record)?;
                        let position = map.position_of(key);
                        if record.explicit_hash_key.is_none() {
                            recent.insert(record.partition_key, key, position, most_memory);
                        }
                        (key, position)
                    }
                };
                let slot = slots.get(position).copied().flatten();
                (slot.ok_or(Route::Shard(position)), Some(key))
            }
            Self::Keys { slots, joined } => {
                // An explicit hash key has nothing but digits, so the first slash is where it ends.
                joined.clear();
                joined.push_str(record.explicit_hash_key.unwrap_or_default());
                joined.push('/');
                joined.push_str(record.partition_key);
                let slot = slots.get(joined.as_str()).copied();
                (slot.ok_or_else(|| Route::Keys(joined.as_str().into())), None)
            }
            Self::Together { slot } => (slot.ok_or(Route::Together), None),
        })
    }

    /// Notes where the group of a route is, or that there is none.
    fn set(&mut self, route: &Route, slot: Option<usize>) {
        match (self, route) {
            (Self::Shards { slots, .. }, Route::Shard(position)) => {
                if let Some(entry) = slots.get_mut(*position) {
                    *entry = slot;
                }
            }
            (Self::Keys { slots, .. }, Route::Keys(keys)) => {
                match slot {
                    Some(slot) => slots.insert(keys.clone(), slot),
                    None => slots.remove(keys),
                };
            }
            (Self::Together { slot: entry }, _) => *entry = slot,
            // A group's route is always of its router's kind.
            _ => {}
        }
    }
}

/// All groups with something pending, some aggregators to be used again, and the memory that both take.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    pub(crate) router: Router,
    active: Vec<Group>,
    spare: Vec<RecordAggregator>,
    /// What is allocated for both, the two lists themselves not included.
    allocated: usize,
    begun: u64,
}

impl Groups {
    pub(crate) const fn new(router: Router) -> Self {
        Self { router, active: Vec::new(), spare: Vec::new(), allocated: 0, begun: 0 }
    }

    pub(crate) fn active(&self) -> &[Group] {
        &self.active
    }

    /// The bytes that are allocated for all groups and spare aggregators.
    pub(crate) fn memory(&self) -> usize {
        let active = self.active.capacity().saturating_mul(size_of::<Group>());
        let spare = self.spare.capacity().saturating_mul(size_of::<RecordAggregator>());
        self.allocated.saturating_add(active).saturating_add(spare).saturating_add(self.router.memory())
    }

    /// Adds a user record whose partition key was routed lately, where it fits what is pending for its shard and takes no more
    /// memory. Otherwise changes nothing.
    #[inline]
    pub(crate) fn add_recent(&mut self, record: &UserRecord<'_>) -> bool {
        let group = self.router.find_recent(record).and_then(|slot| self.active.get_mut(slot));
        group.is_some_and(|group| group.aggregator.add_in_place(record))
    }

    /// Begins a group, and answers with its slot.
    pub(crate) fn begin(&mut self, route: Route, limits: Limits) -> usize {
        let aggregator = self.take_spare().unwrap_or_else(|| RecordAggregator::new(limits));
        self.begun = self.begun.saturating_add(1);
        let group = Group { aggregator, route, first_hash_key: None, begun: self.begun };
        self.insert(group)
    }

    fn insert(&mut self, group: Group) -> usize {
        let slot = self.active.len();
        self.router.set(&group.route, Some(slot));
        self.allocated = self.allocated.saturating_add(group.memory());
        self.active.push(group);
        slot
    }

    /// Lets something be done to a group, and takes note of the memory it takes afterwards.
    pub(crate) fn update<T>(&mut self, slot: usize, change: impl FnOnce(&mut Group) -> T) -> Option<T> {
        let group = self.active.get_mut(slot)?;
        let before = group.memory();
        let result = change(group);
        self.allocated = self.allocated.saturating_sub(before).saturating_add(group.memory());
        Some(result)
    }

    /// Takes a group out.
    pub(crate) fn remove(&mut self, slot: usize) -> Option<Group> {
        if slot >= self.active.len() {
            return None;
        }
        let group = self.active.swap_remove(slot);
        self.router.set(&group.route, None);
        if let Some(moved) = self.active.get(slot) {
            self.router.set(&moved.route, Some(slot));
        }
        self.allocated = self.allocated.saturating_sub(group.memory());
        if self.active.len() <= self.active.capacity() / 4 {
            self.active.shrink_to(self.active.len().saturating_mul(2));
        }
        Some(group)
    }

    /// Takes those groups out that are chosen, in the order in which they were begun.
    pub(crate) fn remove_where(&mut self, mut chosen: impl FnMut(&Group) -> bool) -> Vec<Group> {
        let mut removed = Vec::new();
        // From the last on, since the last takes the place of what is taken out.
        for slot in (0..self.active.len()).rev() {
            if self.active.get(slot).is_some_and(&mut chosen) {
                removed.extend(self.remove(slot));
            }
        }
        removed.sort_unstable_by_key(|group| group.begun);
        removed
    }

    /// Keeps an aggregator to be used again, if all together then take no more than `bound`.
    pub(crate) fn keep_spare(&mut self, aggregator: RecordAggregator, bound: usize) {
        // The list doubles when it is full, which counts as well.
        let capacity = self.spare.capacity();
        let growth = if self.spare.len() < capacity { 0 } else { capacity.max(1) };
        let memory = aggregator.memory().saturating_add(growth.saturating_mul(size_of::<RecordAggregator>()));
        if self.memory().saturating_add(memory) <= bound {
            self.allocated = self.allocated.saturating_add(aggregator.memory());
            self.spare.reserve_exact(growth);
            self.spare.push(aggregator);
        }
    }

    /// Takes an aggregator that was kept, if there is one.
    pub(crate) fn take_spare(&mut self) -> Option<RecordAggregator> {
        let aggregator = self.spare.pop()?;
        self.allocated = self.allocated.saturating_sub(aggregator.memory());
        if self.spare.is_empty() {
            self.spare = Vec::new();
        }
        Some(aggregator)
    }

    /// Takes out the groups with the most bytes pending: one, or of many a share, so that the look at all of them is paid
    /// for.
    pub(crate) fn remove_fullest(&mut self) -> Vec<Group> {
        let size = |group: &Group| group.aggregator.size_bytes();
        let last = self.active.len() / 64;
        let mut sizes: Vec<usize> = self.active.iter().map(size).collect();
        if sizes.is_empty() {
            return Vec::new();
        }
        let (larger, &mut least, _) = sizes.select_nth_unstable_by(last, |a, b| b.cmp(a));
        // Of those as large as the least, only as many as are still wanted.
        let mut ties =
            last.saturating_add(1).saturating_sub(larger.iter().filter(|&&size| size > least).count());
        self.remove_where(|group| match size(group).cmp(&least) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => {
                let wanted = ties;
                ties = ties.saturating_sub(1);
                wanted > 0
            }
        })
    }

    /// Puts another shard map in place. Groups whose shard is in both stay; the others are handed back, to be routed
    /// anew. Without a map, nothing happens.
    pub(crate) fn replace_map(&mut self, new: OwnedShardMap) -> Vec<Group> {
        let Router::Shards { map, slots, recent } = &mut self.router else { return Vec::new() };
        *slots = alloc::vec![None; new.len()];
        recent.clear();
        let old = core::mem::replace(map, new.clone());
        let mut to_route_anew = Vec::new();
        self.active.sort_unstable_by_key(|group| group.begun);
        for mut group in core::mem::take(&mut self.active) {
            self.allocated = self.allocated.saturating_sub(group.memory());
            let Route::Shard(position) = group.route else { continue };
            let same_shard = old.get(position).and_then(|shard| {
                let position = new.position_of_id(shard.id())?;
                (new.get(position)?.range() == shard.range()).then_some(position)
            });
            match same_shard {
                Some(position) => {
                    group.route = Route::Shard(position);
                    self.insert(group);
                }
                None => to_route_anew.push(group),
            }
        }
        to_route_anew
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// As many groups, in some order, the first `larger` of which have more pending than the others.
    fn groups(count: usize, larger: usize) -> Groups {
        let mut groups = Groups::new(Router::Keys { slots: BTreeMap::new(), joined: String::new() });
        for number in (0..count).map(|number| number.wrapping_mul(37) % count) {
            let key = format!("key-{number:03}");
            let slot = groups.begin(Route::Keys(key.as_str().into()), Limits::default());
            let data = if number < larger { "more data" } else { "data" };
            groups.update(slot, |group| group.aggregator.add(UserRecord::new(&key, data))).unwrap().unwrap();
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
