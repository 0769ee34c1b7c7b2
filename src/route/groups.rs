//! The aggregators of a manager, and how user records find theirs.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::aggregate::{Limits, RecordAggregator};
use crate::error::HashKeyError;
use crate::message::UserRecord;
use crate::route::{HashKey, OwnedShardMap};

/// An aggregator with something pending.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) aggregator: RecordAggregator,
    pub(crate) route: Route,
    /// The effective hash key of the first user record pending, where routing needs to know hash keys.
    pub(crate) first_hash_key: Option<HashKey>,
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
    Shards { map: OwnedShardMap, slots: Vec<Option<usize>> },
    /// By its explicit hash key and partition key. `joined` is room to put them together.
    Keys { slots: BTreeMap<Box<str>, usize>, joined: String },
    /// All in one.
    Together { slot: Option<usize> },
}

impl Router {
    pub(crate) fn by_shard(map: OwnedShardMap) -> Self {
        let slots = alloc::vec![None; map.len()];
        Self::Shards { map, slots }
    }

    /// Finds the group of a user record, or the route to begin one for.
    pub(crate) fn find(
        &mut self,
        record: &UserRecord<'_>,
    ) -> Result<(Result<usize, Route>, Option<HashKey>), HashKeyError> {
        Ok(match self {
            Self::Shards { map, slots } => {
                let key = HashKey::of(record)?;
                let position = map.position_of(key);
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
    memory: usize,
}

impl Groups {
    pub(crate) const fn new(router: Router) -> Self {
        Self { router, active: Vec::new(), spare: Vec::new(), memory: 0 }
    }

    pub(crate) fn active(&self) -> &[Group] {
        &self.active
    }

    /// The bytes that are allocated for all aggregators.
    pub(crate) const fn memory(&self) -> usize {
        self.memory
    }

    /// Begins a group, and answers with its slot.
    pub(crate) fn begin(&mut self, route: Route, limits: Limits) -> usize {
        let aggregator = self.spare.pop().unwrap_or_else(|| {
            let new = RecordAggregator::new(limits);
            self.memory = self.memory.saturating_add(new.memory());
            new
        });
        self.insert(Group { aggregator, route, first_hash_key: None })
    }

    fn insert(&mut self, group: Group) -> usize {
        let slot = self.active.len();
        self.router.set(&group.route, Some(slot));
        self.active.push(group);
        slot
    }

    /// Lets something be done to a group, and takes note of the memory it takes afterwards.
    pub(crate) fn update<T>(&mut self, slot: usize, change: impl FnOnce(&mut Group) -> T) -> Option<T> {
        let group = self.active.get_mut(slot)?;
        let before = group.aggregator.memory();
        let result = change(group);
        self.memory = self.memory.saturating_sub(before).saturating_add(group.aggregator.memory());
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
        self.memory = self.memory.saturating_sub(group.aggregator.memory());
        Some(group)
    }

    /// Takes all groups out, as they were begun.
    pub(crate) fn remove_all(&mut self) -> Vec<Group> {
        let groups = core::mem::take(&mut self.active);
        for group in &groups {
            self.router.set(&group.route, None);
            self.memory = self.memory.saturating_sub(group.aggregator.memory());
        }
        groups
    }

    /// Keeps an aggregator to be used again, if all together then take no more than `bound`.
    pub(crate) fn keep_spare(&mut self, aggregator: RecordAggregator, bound: usize) {
        let memory = self.memory.saturating_add(aggregator.memory());
        if memory <= bound {
            self.memory = memory;
            self.spare.push(aggregator);
        }
    }

    /// Drops an aggregator that was kept, if there is one.
    pub(crate) fn drop_spare(&mut self) -> bool {
        match self.spare.pop() {
            Some(aggregator) => {
                self.memory = self.memory.saturating_sub(aggregator.memory());
                true
            }
            None => false,
        }
    }

    /// The slot of the group with the most bytes pending.
    pub(crate) fn fullest(&self) -> Option<usize> {
        let sizes = self.active.iter().map(|group| group.aggregator.size_bytes()).enumerate();
        sizes.max_by_key(|&(_, size)| size).map(|(slot, _)| slot)
    }

    /// Puts another shard map in place. Groups whose shard is in both stay; the others are handed back, to be routed
    /// anew. Without a map, nothing happens.
    pub(crate) fn replace_map(&mut self, new: OwnedShardMap) -> Vec<Group> {
        let Router::Shards { map, slots } = &mut self.router else { return Vec::new() };
        *slots = alloc::vec![None; new.len()];
        let old = core::mem::replace(map, new.clone());
        let mut to_route_anew = Vec::new();
        for mut group in core::mem::take(&mut self.active) {
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
                None => {
                    self.memory = self.memory.saturating_sub(group.aggregator.memory());
                    to_route_anew.push(group);
                }
            }
        }
        to_route_anew
    }
}
