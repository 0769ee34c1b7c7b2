//! The queue of each shard, or of each key, and the time at which it may be sent (rules P4, P5 and P7).

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound;
use core::time::Duration;

use crate::encode::EncodeError;
use crate::produce::config::{Order, ProducerConfig};
use crate::produce::entry::{Builder, Entry, Meta};
use crate::produce::pace::{Backoff, Bucket};
use crate::route::groups::Route;
use crate::route::recent_keys::RecentKey;
use crate::route::{HashKey, HashKeyRange};
use crate::{Limits, RecordAggregator, UserRecord};

/// The share of a shard in one call: whole entries of this many bytes together, or one that is larger.
pub(super) const SHARE: usize = 256 * 1024;

/// The records of one shard, or of one key where records are routed by key, in the order to send them: first the queue, then the
/// aggregate under construction.
#[derive(Debug)]
pub(super) struct Lane<R> {
    pub(super) route: Route,
    /// The shard, where there is one.
    pub(super) shard: Option<(Arc<str>, HashKeyRange)>,
    queue: VecDeque<Entry<R>>,
    queued_bytes: usize,
    builder: Option<Box<Builder<R>>>,
    /// The number of aggregates finished here.
    pub(super) finished: u64,
    /// The number of records in the last of them.
    last_records: usize,
    /// Calls in flight with entries of this lane.
    pub(super) holds: usize,
    /// Lanes of parent shards that must settle before this one sends.
    pub(super) blockers: usize,
    /// Lanes of child shards that wait for this one.
    blocks: Vec<usize>,
    /// True if the shard is gone. Nothing is queued here any more; calls may be in flight.
    pub(super) retired: bool,
    pub(super) bucket: Bucket,
    pub(super) backoff: Backoff,
    /// The position of the lane in [`Lanes::ready`].
    ready_at: Option<Duration>,
    /// The memory that is charged for the builder.
    builder_charged: usize,
}

impl<R> Lane<R> {
    fn new(route: Route, shard: Option<(Arc<str>, HashKeyRange)>) -> Self {
        Self {
            route,
            shard,
            queue: VecDeque::new(),
            queued_bytes: 0,
            builder: None,
            finished: 0,
            last_records: 0,
            holds: 0,
            blockers: 0,
            blocks: Vec::new(),
            retired: false,
            bucket: Bucket::default(),
            backoff: Backoff::default(),
            ready_at: None,
            builder_charged: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.builder.is_none()
    }

    /// Returns whether an aggregate is under construction.
    pub(super) fn is_building(&self) -> bool {
        self.builder.is_some()
    }

    /// Returns whether a record fits the aggregate under construction.
    pub(super) fn fits(&self, record: &UserRecord<'_>) -> bool {
        self.builder.as_ref().is_some_and(|builder| builder.fits(record))
    }

    /// Bytes queued and under construction.
    pub(super) fn bytes(&self) -> usize {
        self.queued_bytes + self.builder.as_ref().map_or(0, |builder| builder.size_bytes())
    }

    /// When the oldest record was added.
    pub(super) fn oldest(&self) -> Option<Duration> {
        let queued = self.queue.front().map(|entry| entry.records.since);
        queued.or_else(|| self.builder.as_ref().map(|builder| builder.since()))
    }

    pub(super) fn front(&self) -> Option<&Entry<R>> {
        self.queue.front()
    }
}

/// When things are due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    pub(super) linger: Duration,
    pub(super) order: Order,
    /// Records added up to this time are to be sent without delay.
    pub(super) flushed_until: Option<Duration>,
}

impl Schedule {
    pub(super) fn new(config: &ProducerConfig) -> Self {
        Self { linger: config.linger, order: config.order, flushed_until: None }
    }

    /// Returns when a record that was added at `since` is due: never, if that is later than times go.
    fn due(&self, since: Duration) -> Option<Duration> {
        match self.flushed_until {
            Some(flushed) if since <= flushed => Some(since),
            _ => since.checked_add(self.linger),
        }
    }
}

/// All lanes, an index of those that may send by time, and one of aggregates under construction by memory.
///
/// Nothing here is linear in the number of lanes except [`Self::refresh_all`] (rule P11).
#[derive(Debug)]
pub(super) struct Lanes<R> {
    lanes: Vec<Option<Lane<R>>>,
    vacant: Vec<usize>,
    /// Lanes with something to send that nothing but time holds up, by that time. Where it has passed, the most overdue is first.
    ready: BTreeSet<(Duration, usize)>,
    /// Lanes with an aggregate under construction, by the memory that it takes.
    builders: BTreeSet<(usize, usize)>,
    /// Aggregators to be used again.
    spare: Vec<RecordAggregator>,
    spare_memory: usize,
    /// The number of retired lanes.
    retired: usize,
    /// The memory of all lanes.
    memory: usize,
    /// The number of the next aggregate, or 0.
    next_number: u32,
    pub(super) schedule: Schedule,
}

impl<R> Lanes<R> {
    pub(super) fn new(schedule: Schedule) -> Self {
        Self {
            lanes: Vec::new(),
            vacant: Vec::new(),
            ready: BTreeSet::new(),
            builders: BTreeSet::new(),
            spare: Vec::new(),
            spare_memory: 0,
            retired: 0,
            memory: 0,
            next_number: 1,
            schedule,
        }
    }

    /// The part of [`Self::memory`] that holds no records.
    pub(super) fn spare_memory(&self) -> usize {
        self.spare_memory
    }

    pub(super) fn get(&self, lane: usize) -> Option<&Lane<R>> {
        self.lanes.get(lane)?.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Lane<R>)> {
        self.lanes.iter().enumerate().filter_map(|(lane, slot)| Some((lane, slot.as_ref()?)))
    }

    /// The memory of what is queued and under construction, and of what is kept to be used again.
    pub(super) fn memory(&self) -> usize {
        self.memory + self.spare_memory
    }

    pub(super) fn insert(&mut self, route: Route, shard: Option<(Arc<str>, HashKeyRange)>) -> usize {
        let new = Lane::new(route, shard);
        match self.vacant.pop() {
            Some(lane) => {
                if let Some(slot) = self.lanes.get_mut(lane) {
                    *slot = Some(new);
                }
                lane
            }
            None => {
                self.lanes.push(Some(new));
                self.lanes.len() - 1
            }
        }
    }

    /// Removes a lane; returns what is in it, in order.
    pub(super) fn remove(&mut self, lane: usize) -> Option<Lane<R>> {
        self.update(lane, |_| ());
        let mut removed = self.lanes.get_mut(lane)?.take()?;
        self.vacant.push(lane);
        if let Some(at) = removed.ready_at.take() {
            self.ready.remove(&(at, lane));
        }
        debug_assert!(removed.is_empty());
        Some(removed)
    }

    /// Returns whether calls are in flight to shards that are gone.
    pub(super) fn any_retired(&self) -> bool {
        self.retired > 0
    }

    /// Retires the lane of a shard that is gone. Those of its children send nothing before it is removed (rule P4).
    pub(super) fn retire(&mut self, lane: usize, children: Vec<usize>) {
        for &child in &children {
            self.update(child, |child| child.blockers += 1);
        }
        self.retired += 1;
        self.update(lane, |lane| {
            lane.retired = true;
            lane.blocks = children;
        });
    }

    /// Removes a lane that is retired and waits for nothing, and lets its children go on, which may be retired themselves.
    pub(super) fn unblock(&mut self, lane: usize) {
        let mut free = alloc::vec![lane];
        while let Some(lane) = free.pop() {
            let done = |lane: &Lane<R>| lane.retired && lane.holds == 0 && lane.blockers == 0;
            if !self.get(lane).is_some_and(done) {
                continue;
            }
            self.retired -= 1;
            for child in self.remove(lane).map(|removed| removed.blocks).unwrap_or_default() {
                self.update(child, |child| child.blockers -= 1);
                free.push(child);
            }
        }
    }

    /// Changes a lane, and brings the indexes and the account of memory up to date.
    pub(super) fn update<T>(&mut self, lane: usize, change: impl FnOnce(&mut Lane<R>) -> T) -> Option<T> {
        let schedule = self.schedule;
        let found = self.lanes.get_mut(lane)?.as_mut()?;
        let result = change(found);

        let builder = found.builder.as_ref().map_or(0, |builder| builder.memory());
        if builder != found.builder_charged {
            self.builders.remove(&(found.builder_charged, lane));
            if builder > 0 {
                self.builders.insert((builder, lane));
            }
            self.memory = self.memory + builder - found.builder_charged;
            found.builder_charged = builder;
        }
        let ready_at = ready_at(found, &schedule);
        if ready_at != found.ready_at {
            if let Some(at) = found.ready_at {
                self.ready.remove(&(at, lane));
            }
            if let Some(at) = ready_at {
                self.ready.insert((at, lane));
            }
            found.ready_at = ready_at;
        }
        Some(result)
    }

    /// Adds a record to the aggregate under construction where that takes no memory and changes no index: most records.
    ///
    /// [`Self::add`] would add it as well. Returns the receipt otherwise.
    #[inline]
    pub(super) fn add_in_place(
        &mut self,
        lane: usize,
        record: &UserRecord<'_>,
        hash_key: Option<HashKey>,
        known: Option<&mut RecentKey>,
        receipt: R,
    ) -> Result<(), R> {
        let builder =
            self.lanes.get_mut(lane).and_then(Option::as_mut).and_then(|lane| lane.builder.as_mut());
        match builder {
            Some(builder) => builder.add_in_place(record, hash_key, known, receipt),
            None => Err(receipt),
        }
    }

    /// Adds a record behind all others of its lane.
    pub(super) fn add(
        &mut self,
        lane: usize,
        record: &UserRecord<'_>,
        hash_key: Option<HashKey>,
        receipt: R,
        meta: Meta,
        options: Options,
    ) -> Result<(), (R, Meta, EncodeError)> {
        let is_new = self.get(lane).is_some_and(|lane| lane.builder.is_none());
        let expected = self.get(lane).map_or(0, |lane| lane.last_records);
        let new =
            is_new.then(|| Box::new(Builder::new(self.take_aggregator(options.limits)).expecting(expected)));
        let number = self.next_number;
        let outcome = self.update(lane, |lane| {
            let builder = match new {
                Some(new) => lane.builder.insert(new),
                None => lane.builder.as_mut()?,
            };
            let added = builder.add(record, hash_key, receipt, meta, options.keep_times);
            Some(added.map(|full| (full, builder.is_full(), builder.begin(number))))
        });
        match outcome.flatten() {
            Some(Ok((full, is_full, begun))) => {
                if begun && number != 0 {
                    // After four billion aggregates there are no more numbers: none may be used twice.
                    self.next_number = number.checked_add(1).unwrap_or(0);
                }
                if let Some(full) = full {
                    self.update(lane, |lane| {
                        lane.finished += 1;
                        lane.last_records = full.records.len();
                    });
                    self.push_back(lane, full);
                }
                if is_full {
                    self.finish(lane);
                }
                Ok(())
            }
            Some(Err(refused)) => {
                self.drop_empty_builder(lane);
                Err(refused)
            }
            None => {
                debug_assert!(false, "no lane {lane}");
                Ok(())
            }
        }
    }

    /// Ends the aggregate under construction and queues it.
    pub(super) fn finish(&mut self, lane: usize) {
        let finished = self.update(lane, |lane| {
            let mut builder = lane.builder.take()?;
            lane.finished += 1;
            lane.last_records = builder.len();
            Some((builder.finish(), builder.into_aggregator()))
        });
        if let Some((entry, aggregator)) = finished.flatten() {
            self.keep_aggregator(aggregator);
            if let Some(entry) = entry {
                self.push_back(lane, entry);
            }
        }
    }

    fn drop_empty_builder(&mut self, lane: usize) {
        if self.get(lane).and_then(|lane| lane.builder.as_ref()).is_some_and(|builder| builder.len() == 0) {
            self.finish(lane);
        }
    }

    /// Queues an entry, behind the others but before the aggregate under construction.
    pub(super) fn push_back(&mut self, lane: usize, entry: Entry<R>) {
        self.memory += entry.memory();
        self.update(lane, |lane| {
            lane.queued_bytes += entry.size_bytes();
            lane.queue.push_back(entry);
        });
    }

    /// Queues entries before all others, the first of them first.
    pub(super) fn push_front(&mut self, lane: usize, entries: Vec<Entry<R>>) {
        self.memory += entries.iter().map(Entry::memory).sum::<usize>();
        self.update(lane, |lane| {
            for entry in entries.into_iter().rev() {
                lane.queued_bytes += entry.size_bytes();
                lane.queue.push_front(entry);
            }
        });
    }

    /// Takes the first entry of the queue.
    pub(super) fn pop_front(&mut self, lane: usize) -> Option<Entry<R>> {
        let entry = self.update(lane, |lane| {
            let entry = lane.queue.pop_front()?;
            lane.queued_bytes -= entry.size_bytes();
            Some(entry)
        });
        let entry = entry.flatten()?;
        self.memory -= entry.memory();
        Some(entry)
    }

    /// Takes all that is queued and under construction, in order.
    pub(super) fn take_all(&mut self, lane: usize) -> Vec<Entry<R>> {
        self.finish(lane);
        core::iter::from_fn(|| self.pop_front(lane)).collect()
    }

    /// Returns whether the aggregate under construction is due.
    pub(super) fn builder_is_due(&self, lane: usize, now: Duration) -> bool {
        let builder = self.get(lane).and_then(|lane| lane.builder.as_ref());
        let due = builder.and_then(|builder| self.schedule.due(builder.since()));
        due.is_some_and(|due| due <= now)
    }

    /// The lane that may send first after another, and from when on.
    pub(super) fn next_ready(&self, after: Option<(Duration, usize)>) -> Option<(Duration, usize)> {
        match after {
            None => self.ready.first().copied(),
            Some(after) => self.ready.range((Bound::Excluded(after), Bound::Unbounded)).next().copied(),
        }
    }

    /// Brings all lanes up to date after the schedule was changed.
    pub(super) fn refresh_all(&mut self) {
        for lane in 0..self.lanes.len() {
            self.update(lane, |_| ());
        }
    }

    /// Returns an aggregator with nothing pending.
    pub(super) fn take_aggregator(&mut self, limits: Limits) -> RecordAggregator {
        match self.spare.pop() {
            Some(aggregator) => {
                self.spare_memory -= aggregator.memory();
                aggregator
            }
            None => RecordAggregator::new(limits),
        }
    }

    /// Keeps an aggregator to be used again.
    pub(super) fn keep_aggregator(&mut self, aggregator: RecordAggregator) {
        self.spare_memory += aggregator.memory();
        self.spare.push(aggregator);
    }

    /// Releases all aggregators that are kept.
    pub(super) fn release_spare(&mut self) {
        self.spare = Vec::new();
        self.spare_memory = 0;
    }

    /// Releases memory that holds no records: first aggregators that are kept, then the unused part of the largest aggregate
    /// under construction, where that is worth it (rule P8). Returns whether there was any.
    pub(super) fn release(&mut self) -> bool {
        if let Some(aggregator) = self.spare.pop() {
            self.spare_memory -= aggregator.memory();
            return true;
        }
        let Some(&(memory, lane)) = self.builders.last() else { return false };
        let used =
            self.get(lane).and_then(|lane| lane.builder.as_ref()).map_or(0, |builder| builder.size_bytes());
        if memory < used + MIN_GAIN {
            return false;
        }
        self.finish(lane);
        true
    }
}

/// Aggregates are cut short for memory only where this much is gained: the buffers of a lightly loaded shard are smaller.
const MIN_GAIN: usize = 32 * 1024;

/// The options for adding records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) limits: Limits,
    /// Keeps the time at which each record was added.
    pub(super) keep_times: bool,
}

/// Returns when a lane may send, or `None` while something else than time holds it up.
fn ready_at<R>(lane: &Lane<R>, schedule: &Schedule) -> Option<Duration> {
    // Without routing there is no shard whose order could be kept.
    let ordered = schedule.order == Order::PerShard && lane.route != Route::Unrouted;
    if lane.retired || lane.blockers > 0 || (lane.holds > 0 && ordered) {
        return None;
    }
    let oldest = lane.oldest()?;
    // Without delay: what was sent before, and what fills a share.
    let retried = lane.queue.front().is_some_and(|entry| !entry.history.is_empty());
    let due = if retried || lane.queued_bytes >= SHARE { oldest } else { schedule.due(oldest)? };
    Some(due.max(lane.bucket.ready_at()).max(lane.backoff.until))
}
