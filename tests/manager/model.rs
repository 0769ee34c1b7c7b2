//! The model: which user records are pending, in which order, and since when.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kinesis_aggregation::route::{Counters, HashKeyRange, RoutedAggregate, Shard};
use kinesis_aggregation::{AggregationManager, Limits, ShardMap};

use crate::common_encode::OwnedRecord;

/// How a manager finds the aggregate of a user record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routing {
    ByShard,
    ByKey,
    Unrouted,
}

impl Routing {
    pub(crate) fn manager(self, map: ShardMap, limits: Limits) -> AggregationManager {
        match self {
            Self::ByShard => AggregationManager::by_shard(map, limits),
            Self::ByKey => AggregationManager::by_key(limits),
            Self::Unrouted => AggregationManager::unrouted(limits),
        }
    }
}

/// The shards of a stream: id, first and last hash key, in the order of their hash keys.
pub(crate) type Shards = Vec<(String, u128, u128)>;

/// A map of these shards.
pub(crate) fn map_of(shards: &Shards) -> ShardMap {
    let shard = |(id, start, end): &'_ (String, u128, u128)| {
        (id.clone(), HashKeyRange::new((*start).into(), (*end).into()).unwrap())
    };
    let listing: Vec<_> = shards.iter().map(shard).collect();
    ShardMap::new(listing.iter().map(|(id, range)| Shard::new(id, *range))).unwrap()
}

/// The hash key by rule R1.
pub(crate) fn effective(record: &OwnedRecord) -> u128 {
    match &record.explicit_hash_key {
        Some(explicit) => explicit.parse().unwrap(),
        None => u128::from_be_bytes(md5::compute(&record.partition_key).0),
    }
}

/// A user record that is pending.
#[derive(Clone, Debug)]
struct Entry {
    record: OwnedRecord,
    /// Its position in the order in which user records were added or requeued.
    number: u64,
    /// The time it was added with, if any; after a move, that of what was pending with it.
    since: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) routing: Routing,
    pub(crate) limits: Limits,
    pub(crate) shards: Shards,
    /// What is pending, in queues: by hash key, or by what else the manager parts user records. Within each of them,
    /// what came first leaves first.
    queues: BTreeMap<(u128, String), VecDeque<Entry>>,
    /// Those that a merge may have put into another order than that in which they came.
    merged: BTreeSet<u64>,
    next: u64,
    /// What the manager should have counted.
    pub(crate) counters: Counters,
}

impl Model {
    pub(crate) fn new(routing: Routing, limits: Limits, shards: Shards) -> Self {
        Self {
            routing,
            limits,
            shards,
            queues: BTreeMap::new(),
            merged: BTreeSet::new(),
            next: 0,
            counters: Counters::default(),
        }
    }

    fn queue_of(&self, record: &OwnedRecord) -> (u128, String) {
        match self.routing {
            Routing::ByShard => (effective(record), String::new()),
            Routing::ByKey => (0, format!("{:?} {}", record.explicit_hash_key, record.partition_key)),
            Routing::Unrouted => (0, String::new()),
        }
    }

    fn owner(&self, key: u128) -> &str {
        let owns = |(_, start, end): &&(String, u128, u128)| (*start..=*end).contains(&key);
        &self.shards.iter().find(owns).unwrap().0
    }

    /// The aggregate that a queue goes into.
    fn group_of(&self, queue: &(u128, String)) -> String {
        match self.routing {
            Routing::ByShard => self.owner(queue.0).to_owned(),
            Routing::ByKey | Routing::Unrouted => queue.1.clone(),
        }
    }

    /// Records a user record as added or requeued.
    pub(crate) fn place(&mut self, record: OwnedRecord, since: Option<Duration>) {
        let number = self.next;
        self.next += 1;
        let queue = self.queue_of(&record);
        self.queues.entry(queue).or_default().push_back(Entry { record, number, since });
    }

    /// Checks an aggregate that was finished, and strikes off its user records. Returns them and the time of the oldest.
    pub(crate) fn finish(&mut self, aggregate: &RoutedAggregate) -> (Vec<OwnedRecord>, Option<Duration>) {
        let records: Vec<OwnedRecord> = aggregate.records().map(OwnedRecord::from).collect();
        let first = &records[0];
        assert_eq!(aggregate.aggregate.user_records, records.len());
        assert_eq!(aggregate.aggregate.partition_key, first.partition_key);
        assert_eq!(
            aggregate.aggregate.size_bytes(),
            aggregate.aggregate.data.len() + first.partition_key.len()
        );
        // The target is for two or more.
        let limit = if records.len() == 1 { self.limits.max_bytes() } else { self.limits.target_bytes() };
        assert!(aggregate.aggregate.size_bytes() <= usize::try_from(limit).unwrap(), "{aggregate:?}");
        assert!(records.len() <= self.limits.max_user_records(), "{aggregate:?}");
        let outer = aggregate.aggregate.explicit_hash_key.map(u128::from);
        if self.routing == Routing::ByShard {
            assert_eq!(outer, Some(effective(first)), "{aggregate:?}");
            assert_eq!(aggregate.shard_id.as_deref(), Some(self.owner(effective(first))), "{aggregate:?}");
        } else {
            assert_eq!(outer, first.explicit_hash_key.as_ref().map(|key| key.parse().unwrap()));
            assert_eq!(aggregate.shard_id.as_deref(), None);
        }

        let group = self.group_of(&self.queue_of(first));
        let (mut since, mut last): (Option<Duration>, _) = (None, None);
        for record in &records {
            let queue = self.queue_of(record);
            assert_eq!(self.group_of(&queue), group, "does not belong to the first: {record:?}");
            let entry = self.queues.get_mut(&queue).and_then(VecDeque::pop_front);
            let entry = entry.unwrap_or_else(|| panic!("not pending: {record:?}"));
            assert_eq!(&entry.record, record, "lost or in another order");
            since = since.into_iter().chain(entry.since).min();
            if !self.merged.contains(&entry.number) {
                assert!(last < Some(entry.number), "in another order than they came: {records:?}");
                last = Some(entry.number);
            }
        }
        self.counters.finished += u64::try_from(records.len()).unwrap();
        self.counters.aggregates += 1;
        self.counters.bytes += u64::try_from(aggregate.aggregate.size_bytes()).unwrap();
        (records, since)
    }

    /// Moves what is pending to where it belongs by another map.
    pub(crate) fn refresh(&mut self, shards: Shards, merges: bool) {
        if self.routing != Routing::ByShard {
            return;
        }
        // What was in an aggregate that had to be moved is from then on as old as the oldest in it.
        let oldest = self.oldest();
        let stays: BTreeSet<String> =
            self.shards.iter().filter(|shard| shards.contains(shard)).map(|shard| shard.0.clone()).collect();
        let queues = core::mem::take(&mut self.queues);
        for (queue, mut entries) in queues {
            let group = self.group_of(&queue);
            for entry in &mut entries {
                if merges {
                    self.merged.insert(entry.number);
                }
                if !stays.contains(&group) {
                    entry.since = oldest[&group];
                    self.counters.rerouted += 1;
                }
            }
            self.queues.insert(queue, entries);
        }
        self.shards = shards;
    }

    pub(crate) fn clear(&mut self) {
        self.queues.clear();
    }

    /// Everything pending, in no order.
    fn entries(&self) -> impl Iterator<Item = (&(u128, String), &Entry)> {
        self.queues.iter().flat_map(|(queue, entries)| entries.iter().map(move |entry| (queue, entry)))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries().count()
    }

    /// The time of the oldest user record in each aggregate that is pending.
    fn oldest(&self) -> BTreeMap<String, Option<Duration>> {
        let mut oldest: BTreeMap<String, Option<Duration>> = BTreeMap::new();
        for (queue, entry) in self.entries() {
            let since = oldest.entry(self.group_of(queue)).or_default();
            *since = since.iter().copied().chain(entry.since).min();
        }
        oldest
    }

    /// The groups with something pending.
    pub(crate) fn groups(&self) -> BTreeSet<String> {
        self.oldest().into_keys().collect()
    }

    /// When the next aggregate reaches the highest age.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        let age = self.limits.max_age()?;
        Some(self.oldest().into_values().flatten().min()? + age)
    }

    /// How many aggregates have reached the highest age.
    pub(crate) fn expired(&self, now: Duration) -> usize {
        let Some(age) = self.limits.max_age() else { return 0 };
        self.oldest().into_values().flatten().filter(|since| *since + age <= now).count()
    }

    /// How many user records are pending for a shard.
    pub(crate) fn pending_for(&self, shard: &str) -> usize {
        self.entries().filter(|(queue, _)| self.group_of(queue) == shard).count()
    }
}
