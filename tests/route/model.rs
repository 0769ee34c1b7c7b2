//! A model of a manager that knows only the rules: which user records are pending, in which order, and since when. Runs the
//! same steps on a manager and on the model. Shared with the fuzz target `manager_ops`.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kinesis_aggregation::route::{HashKey, HashKeyRange, RoutedAggregate, Shard};
use kinesis_aggregation::{AggregationManager, Limits, ShardMap, deaggregate};

use crate::common::encode::arithmetic;
use crate::common::{Record, with_record};

/// An index into a list whose length is only known when it is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Index(pub(crate) usize);

impl Index {
    /// The list must not be empty.
    pub(crate) const fn index(self, len: usize) -> usize {
        self.0 % len
    }
}

/// A call of a manager.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Add(Record),
    /// With the time, after this many milliseconds more.
    AddAt(Record, u64),
    Flush,
    /// Of a shard of the map, or of one that does not exist.
    FlushShard(Option<Index>),
    Expired(u64),
    /// With the map as it is after these changes.
    Refresh(Vec<Reshard>),
    Clear,
}

#[derive(Clone, Debug)]
pub(crate) enum Reshard {
    /// Of a shard, at a place in it.
    Split(Index, u128),
    /// Of a shard with the next one.
    Merge(Index),
}

/// Runs all steps, and checks everything after each.
pub(crate) fn check(routing: Routing, limits: Limits, max_memory: usize, steps: Vec<Step>) {
    let mut driver = Driver::new(routing, limits, max_memory);
    for step in steps {
        driver.run(step);
        driver.check();
    }
}

/// The way a manager finds the aggregate of a user record.
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
        (id.clone(), HashKeyRange::new(HashKey::new(*start), HashKey::new(*end)).unwrap())
    };
    let listing: Vec<_> = shards.iter().map(shard).collect();
    ShardMap::new(listing.iter().map(|(id, range)| Shard::new(id, *range))).unwrap()
}

/// The hash key by rule R1.
pub(crate) fn effective(record: &Record) -> u128 {
    match &record.explicit_hash_key {
        Some(explicit) => explicit.parse().unwrap(),
        None => u128::from_be_bytes(md5::compute(&record.partition_key).0),
    }
}

/// A user record that is pending.
#[derive(Clone, Debug)]
struct Entry {
    record: Record,
    /// Its position in the order in which user records were added.
    number: u64,
    /// The time it was added with, if any; after a move, that of what was pending with it.
    since: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Model {
    routing: Routing,
    limits: Limits,
    shards: Shards,
    /// The pending user records, in queues: by hash key, or by what else the manager parts user records. Within each of them,
    /// what came first leaves first.
    queues: BTreeMap<(u128, String), VecDeque<Entry>>,
    /// Those that a merge may have put into another order than that in which they came.
    merged: BTreeSet<u64>,
    next: u64,
}

impl Model {
    fn new(routing: Routing, limits: Limits, shards: Shards) -> Self {
        Self { routing, limits, shards, queues: BTreeMap::new(), merged: BTreeSet::new(), next: 0 }
    }

    fn queue_of(&self, record: &Record) -> (u128, String) {
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

    /// Records a user record as added.
    fn place(&mut self, record: Record, since: Option<Duration>) {
        let number = self.next;
        self.next += 1;
        let queue = self.queue_of(&record);
        self.queues.entry(queue).or_default().push_back(Entry { record, number, since });
    }

    /// Checks an aggregate that was finished, and strikes off its user records.
    fn finish(&mut self, aggregate: &RoutedAggregate) {
        let records: Vec<Record> = deaggregate(&aggregate.aggregate.data).map(Record::from).collect();
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
        let outer = aggregate.aggregate.explicit_hash_key.map(HashKey::get);
        if self.routing == Routing::ByShard {
            assert_eq!(outer, Some(effective(first)), "{aggregate:?}");
            assert_eq!(aggregate.shard_id.as_deref(), Some(self.owner(effective(first))), "{aggregate:?}");
        } else {
            assert_eq!(outer, first.explicit_hash_key.as_ref().map(|key| key.parse().unwrap()));
            assert_eq!(aggregate.shard_id.as_deref(), None);
        }

        let group = self.group_of(&self.queue_of(first));
        let mut last = None;
        for record in &records {
            let queue = self.queue_of(record);
            assert_eq!(self.group_of(&queue), group, "does not belong to the first: {record:?}");
            let entry = self.queues.get_mut(&queue).and_then(VecDeque::pop_front);
            let entry = entry.unwrap_or_else(|| panic!("not pending: {record:?}"));
            assert_eq!(&entry.record, record, "lost or in another order");
            if !self.merged.contains(&entry.number) {
                assert!(last < Some(entry.number), "in another order than they came: {records:?}");
                last = Some(entry.number);
            }
        }
    }

    /// Moves what is pending to where it belongs by another map.
    fn refresh(&mut self, shards: Shards, merges: bool) {
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
                }
            }
            self.queues.insert(queue, entries);
        }
        self.shards = shards;
    }

    fn clear(&mut self) {
        self.queues.clear();
    }

    /// Everything pending, in no order.
    fn entries(&self) -> impl Iterator<Item = (&(u128, String), &Entry)> {
        self.queues.iter().flat_map(|(queue, entries)| entries.iter().map(move |entry| (queue, entry)))
    }

    fn len(&self) -> usize {
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
    fn groups(&self) -> BTreeSet<String> {
        self.oldest().into_keys().collect()
    }

    /// When the next aggregate reaches the highest age.
    fn next_expiry(&self) -> Option<Duration> {
        let age = self.limits.max_age()?;
        Some(self.oldest().into_values().flatten().min()? + age)
    }

    /// Returns the number of aggregates that have reached the highest age.
    fn expired(&self, now: Duration) -> usize {
        let Some(age) = self.limits.max_age() else { return 0 };
        self.oldest().into_values().flatten().filter(|since| *since + age <= now).count()
    }

    /// Returns the number of user records pending for a shard.
    fn pending_for(&self, shard: &str) -> usize {
        self.entries().filter(|(queue, _)| self.group_of(queue) == shard).count()
    }
}

struct Driver {
    manager: AggregationManager,
    model: Model,
    max_memory: usize,
    now: Duration,
    shards_ever: usize,
    user_records: u32,
}

impl Driver {
    fn new(routing: Routing, limits: Limits, max_memory: usize) -> Self {
        let shards = vec![("shard 0".to_owned(), 0, u128::MAX)];
        Self {
            manager: routing.manager(map_of(&shards), limits).with_max_memory(max_memory),
            model: Model::new(routing, limits, shards),
            max_memory,
            now: Duration::ZERO,
            shards_ever: 1,
            user_records: 0,
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Add(record) => self.add(record, None),
            Step::AddAt(record, later) => {
                self.now += Duration::from_millis(later);
                self.add(record, Some(self.now));
            }
            Step::Flush => {
                let out = self.manager.flush();
                assert_eq!(out.len(), self.model.groups().len());
                self.take(out);
                assert!(self.manager.is_empty());
            }
            Step::FlushShard(index) => {
                let shards = &self.model.shards;
                let shard = index.map_or("nowhere", |index| &shards[index.index(shards.len())].0).to_owned();
                let pending = self.model.pending_for(&shard);
                let out = self.manager.flush_shard(&shard);
                let expected = if self.model.routing == Routing::ByShard { pending } else { 0 };
                assert_eq!(out.as_ref().map_or(0, |routed| routed.aggregate.user_records), expected);
                self.take(out);
            }
            Step::Expired(later) => {
                self.now += Duration::from_millis(later);
                let expected = self.model.expired(self.now);
                let out = self.manager.expired(self.now);
                assert_eq!(out.len(), expected, "expired at {:?}", self.now);
                self.take(out);
                assert_eq!(self.model.expired(self.now), 0, "an aggregate was finished that had not expired");
            }
            Step::Refresh(changes) => self.refresh(changes),
            Step::Clear => {
                self.manager.clear();
                self.model.clear();
            }
        }
    }

    fn add(&mut self, mut record: Record, now: Option<Duration>) {
        // No two are the same, so that one lost and another twice is noticed.
        record.data.extend(self.user_records.to_be_bytes());
        self.user_records += 1;
        let before = (self.pending(), self.manager.memory());
        let (expected, required) = with_record(&record, |user| {
            // Not even an empty aggregate takes what is too large for it.
            (user.validate().is_ok(), arithmetic::size_bytes(&[user], usize::MAX))
        });
        let fits = required <= usize::try_from(self.model.limits.max_bytes()).unwrap();
        let result = with_record(&record, |user| match now {
            Some(now) => self.manager.add_at(user, now),
            None => self.manager.add(user),
        });
        assert_eq!(result.is_ok(), expected && fits, "{result:?} for {record:?} of {required} bytes");
        match result {
            Ok(out) => {
                self.model.place(record, now);
                self.take(out);
            }
            Err(_) => {
                assert_eq!((self.pending(), self.manager.memory()), before, "refused, but something changed");
            }
        }
    }

    /// Returns the aggregates that a flush would return.
    fn pending(&self) -> Vec<RoutedAggregate> {
        self.manager.clone().flush()
    }

    fn refresh(&mut self, changes: Vec<Reshard>) {
        let mut shards: Shards = self.model.shards.clone();
        let merges = changes.iter().any(|change| matches!(change, Reshard::Merge(_)));
        for change in changes {
            let mut next = || {
                self.shards_ever += 1;
                // Ids against the order of hash keys as well as with it.
                format!("shard {}", self.shards_ever * 7 % 1_000)
            };
            match change {
                Reshard::Split(index, place) => {
                    let index = index.index(shards.len());
                    let (_, start, end) = shards[index].clone();
                    if start < end {
                        let last =
                            if (start..end).contains(&place) { place } else { start + (end - start) / 2 };
                        shards.splice(index..=index, [(next(), start, last), (next(), last + 1, end)]);
                    }
                }
                Reshard::Merge(index) if shards.len() > 1 => {
                    let index = index.index(shards.len() - 1);
                    let (start, end) = (shards[index].1, shards[index + 1].2);
                    shards.splice(index..=index + 1, [(next(), start, end)]);
                }
                Reshard::Merge(_) => {}
            }
        }
        let out = self.manager.refresh(map_of(&shards));
        self.model.refresh(shards, merges);
        self.take(out);
        if self.model.routing == Routing::ByShard {
            assert_eq!(self.manager.shard_map(), Some(&map_of(&self.model.shards)));
        }
    }

    /// Takes aggregates that were finished.
    fn take(&mut self, out: impl IntoIterator<Item = RoutedAggregate>) {
        for aggregate in out {
            self.model.finish(&aggregate);
        }
    }

    /// Checks all that can be seen from outside.
    fn check(&self) {
        let (manager, model) = (&self.manager, &self.model);
        assert_eq!(manager.user_records(), model.len());
        assert_eq!(manager.is_empty(), model.len() == 0);
        assert_eq!(manager.next_expiry(), model.next_expiry());
        assert!(manager.memory() <= self.max_memory, "{} of {}", manager.memory(), self.max_memory);

        // Exactly what the model says is pending, no more and no less.
        let rest = self.pending();
        let mut books = model.clone();
        let mut listed: Vec<_> = manager
            .pending()
            .map(|(shard_id, pending)| {
                (shard_id.map(str::to_owned), pending.user_records(), pending.size_bytes())
            })
            .collect();
        assert_eq!(listed.iter().map(|pending| pending.2).sum::<usize>(), manager.size_bytes());
        assert_eq!(rest.len(), model.groups().len());
        for aggregate in &rest {
            books.finish(aggregate);
            let entry = (
                aggregate.shard_id.as_deref().map(str::to_owned),
                aggregate.aggregate.user_records,
                aggregate.aggregate.size_bytes(),
            );
            let place = listed.iter().position(|pending| *pending == entry);
            listed.swap_remove(place.unwrap_or_else(|| panic!("not listed: {entry:?}")));
        }
        assert!(listed.is_empty(), "listed, but not pending: {listed:?}");
        assert_eq!(books.len(), 0, "neither pending nor finished: {books:?}");
    }
}
