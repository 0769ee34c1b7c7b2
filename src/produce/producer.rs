//! The state machine.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::encode::{EncodeError, write_digests};
use crate::produce::config::{ConfigError, ProducerConfig, Routing};
use crate::produce::entry::{Builder, Entry, Kind, Meta, Parts, Records};
use crate::produce::lanes::{Lanes, Options, SHARE, Schedule};
use crate::produce::outcome::{
    Action, AddError, Attempt, AttemptError, Attempts, CallEntry, CallFailure, CallId, Done, EntryAnswer,
    FailureKind, History, ListFailed, ListId, NotAdded, Outcome, Outstanding, PutAnswer,
};
use crate::produce::pace::{Backoff, Jitter, Rate};
use crate::produce::shards::{ClosedShards, Listing};
use crate::produce::stats::ProducerStats;
use crate::route::groups::{Destination, Route, Router};
use crate::route::{HashKey, HashKeyRange};
use crate::wire::widen;
use crate::{ShardMap, UserRecord};

/// The most bytes that are routed again in one step (rule P11).
const STEP: usize = 4 * 1024 * 1024;

/// A producer that loses nothing: user records in, PutRecords calls and results out, without a clock, a client or a thread.
///
/// You add records with a *receipt* each, make the calls that [`Self::poll`] asks for, and report their answers. Each
/// receipt comes back exactly once, with what became of its record. The producer owns every record until then: an
/// answer that is late, lost or wrong costs time and perhaps a duplicate, never a record.
///
/// All times are durations since any fixed point that you choose, such as the start of the program. The rules P1 to P13 are in
/// [`guides::producing`](crate::guides::producing).
pub struct Producer<R = ()> {
    config: ProducerConfig,
    rate: Rate,
    jitter: Jitter,
    /// The latest time that was told.
    now: Duration,
    closed: bool,
    has_capacity: bool,
    /// None while records are routed by shard and the shards are not known.
    router: Option<Router>,
    closed_shards: ClosedShards,
    listing: Listing,
    lanes: Lanes<R>,
    /// Lanes of shards that are gone, with calls in flight or waiting for others themselves.
    retired: usize,
    /// What has to be routed, or routed again, in the order in which it was added.
    inbox: Inbox<R>,
    keyless: Keyless,
    calls: BTreeMap<u64, InFlight<R>>,
    next_call: u64,
    /// The first call to this stream: those before went to another one of the same name, or to none.
    first_of_stream: u64,
    /// The first call after the shards were listed last.
    first_of_map: u64,
    /// The newest call that was answered entry by entry.
    newest_answered: u64,
    /// Calls that were rejected, whose parts are to be sent one after the other (rule P9).
    splits: VecDeque<Batch<R>>,
    /// Taken by shards that no listing has shown so far.
    undecided: Vec<Undecided<R>>,
    /// What holds up all calls: the stream or the connection.
    backoff: Backoff,
    /// Whether the stream was gone: if it comes back, it may have other shards, which are listed before anything is sent.
    was_gone: bool,
    denied_since: Option<Duration>,
    done: VecDeque<DoneEntry<R>>,
    /// The memory of calls, splits, undecided entries and results.
    memory: usize,
    stats: ProducerStats,
}

/// Records that wait to be routed.
#[derive(Debug)]
struct Inbox<R> {
    entries: VecDeque<Entry<R>>,
    builder: Option<Box<Builder<R>>>,
    memory: usize,
}

/// Where records without a key go (rule P10).
#[derive(Debug, Default)]
struct Keyless {
    /// The lane, and how many aggregates had been finished there when it was chosen.
    target: Option<(usize, u64)>,
    /// The explicit hash key.
    text: String,
}

/// Entries that are sent in one call, or in several one after the other.
#[derive(Debug)]
struct Batch<R> {
    /// The lanes of all entries, each of which this holds once.
    lanes: Vec<usize>,
    /// What is to be sent after the call in flight, the last one first.
    rest: Vec<Vec<Entry<R>>>,
    /// What goes back to its lane at the end, in order.
    returned: Vec<Entry<R>>,
}

#[derive(Debug)]
struct InFlight<R> {
    entries: Vec<Entry<R>>,
    size_bytes: usize,
    started: Duration,
    batch: Batch<R>,
}

/// Taken by a shard that is not known.
#[derive(Debug)]
struct Undecided<R> {
    call: u64,
    entry: Entry<R>,
    shard: Arc<str>,
    sequence_number: Arc<str>,
    /// The first listing that must know the shard.
    listing: u64,
}

/// The results of an entry's records.
#[derive(Debug)]
struct DoneEntry<R> {
    parts: Parts<R>,
    verdict: Verdict,
    next: u64,
    memory: usize,
}

#[derive(Clone, Debug)]
enum Verdict {
    Delivered { shard: Arc<str>, sequence_number: Arc<str> },
    Expired,
    Throttled,
    Refused { code: Arc<str> },
}

impl Verdict {
    fn outcome(&self, position: u64, possibly_delivered: bool) -> Outcome {
        match self {
            Self::Delivered { shard, sequence_number } => Outcome::Delivered {
                shard: Arc::clone(shard),
                sequence_number: Arc::clone(sequence_number),
                sub_sequence_number: position,
                possible_duplicate: possibly_delivered,
            },
            Self::Expired => Outcome::Expired { possibly_delivered },
            Self::Throttled => Outcome::Throttled { possibly_delivered },
            Self::Refused { code } => Outcome::Refused { code: Arc::clone(code), possibly_delivered },
        }
    }
}

impl<R> Producer<R> {
    /// Creates a producer with nothing in it.
    ///
    /// # Errors
    ///
    /// Returns which option is out of its range.
    pub fn new(config: ProducerConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let router = match config.routing {
            Routing::ByShard => None,
            Routing::ByKey => Some(Router::by_key()),
            Routing::Unrouted => Some(Router::unrouted()),
        };
        Ok(Self {
            rate: Rate::of_shard(config.shard_rate),
            jitter: Jitter::new(config.seed),
            now: Duration::ZERO,
            closed: false,
            has_capacity: true,
            listing: Listing::new(router.is_none()),
            router,
            closed_shards: ClosedShards::default(),
            lanes: Lanes::new(Schedule::new(&config)),
            retired: 0,
            inbox: Inbox { entries: VecDeque::new(), builder: None, memory: 0 },
            keyless: Keyless::default(),
            calls: BTreeMap::new(),
            next_call: 0,
            first_of_stream: 0,
            first_of_map: 0,
            newest_answered: 0,
            splits: VecDeque::new(),
            undecided: Vec::new(),
            backoff: Backoff::NONE,
            was_gone: false,
            denied_since: None,
            done: VecDeque::new(),
            memory: 0,
            stats: ProducerStats::default(),
            config,
        })
    }

    /// Adds a record. Its receipt comes back from [`Self::next_done`], once.
    ///
    /// # Errors
    ///
    /// Returns the receipt if the record is not added: [`NotAdded::NoCapacity`], [`NotAdded::AboveBudget`] (rule P8),
    /// [`NotAdded::Closed`], or [`NotAdded::Invalid`] if it can never be sent (rules E4, E5, E7, P10).
    #[inline]
    pub fn add(&mut self, record: UserRecord<'_>, receipt: R, now: Duration) -> Result<(), AddError<R>> {
        self.advance(now);
        let receipt = match self.add_in_place(&record, receipt) {
            Ok(()) => {
                self.stats.added += 1;
                return Ok(());
            }
            Err(receipt) => receipt,
        };
        self.add_any(&record, receipt)
    }

    /// Adds a record as most are: there is capacity, its partition key was routed before, and it fits the aggregate under
    /// construction without more memory. [`Self::add_any`] would add it as well.
    #[inline]
    fn add_in_place(&mut self, record: &UserRecord<'_>, receipt: R) -> Result<(), R> {
        let Some(router) = &mut self.router else { return Err(receipt) };
        let common = self.has_capacity && self.config.aggregate && self.inbox.is_empty() && !self.closed;
        if !common || record.partition_key.is_empty() {
            return Err(receipt);
        }
        let Ok(explicit) = parse_explicit(record) else { return Err(receipt) };
        match router.find(record, explicit) {
            Some((lane, hash_key, known)) => self.lanes.add_in_place(lane, record, hash_key, known, receipt),
            None => Err(receipt),
        }
    }

    #[inline(never)]
    fn add_any(&mut self, record: &UserRecord<'_>, receipt: R) -> Result<(), AddError<R>> {
        let added = self.try_add(record, receipt);
        match &added {
            Ok(()) => self.stats.added += 1,
            Err(_) => self.stats.not_added += 1,
        }
        self.update_capacity();
        added
    }

    fn try_add(&mut self, record: &UserRecord<'_>, receipt: R) -> Result<(), AddError<R>> {
        if self.closed {
            return Err(AddError { receipt, reason: NotAdded::Closed });
        }
        if record.data.len() + record.partition_key.len() > self.config.budget {
            return Err(AddError { receipt, reason: NotAdded::AboveBudget });
        }
        while self.used() >= self.config.budget {
            if !self.lanes.release() {
                return Err(AddError { receipt, reason: NotAdded::NoCapacity });
            }
        }
        let meta = Meta { added: self.now, keyless: record.is_without_key(), history: None };
        let waits = self.router.is_none() || !self.inbox.is_empty();
        let added =
            if waits { self.add_to_inbox(record, receipt, meta) } else { self.route(record, receipt, meta) };
        added.map_err(|(receipt, _, error)| AddError { receipt, reason: NotAdded::Invalid(error) })
    }

    /// Returns whether more should be added: false once the budget is used up, and until a fifth of it is free again (rule P8).
    #[must_use]
    pub const fn has_capacity(&self) -> bool {
        self.has_capacity
    }

    /// Sends what was added so far without waiting for [`ProducerConfig::linger`]. Records added later are not affected.
    pub fn flush(&mut self, now: Duration) {
        self.advance(now);
        self.lanes.schedule.flushed_until = Some(self.now);
        self.lanes.refresh_all();
    }

    /// Sends what was added so far, and accepts no more. [`Self::poll`] returns [`Action::Finished`] once every record has its
    /// result.
    pub fn close(&mut self, now: Duration) {
        self.closed = true;
        self.flush(now);
    }

    /// Returns what to do next. Call it until it returns [`Action::Idle`] or [`Action::Finished`], whenever a record was added, an
    /// answer arrived, or [`Self::next_deadline`] has passed.
    pub fn poll(&mut self, now: Duration) -> Action {
        self.advance(now);
        self.time_out_calls();
        self.closed_shards.prune(if self.retired == 0 { self.now } else { Duration::ZERO });
        if self.listing.time_out(self.now) {
            self.listing_failed();
        }
        if let Some(id) = self.listing.begin(self.now, &self.config) {
            self.stats.listings += 1;
            return Action::ListShards(id);
        }
        self.route_inbox();
        let call = self.begin_call();
        self.update_capacity();
        match call {
            Some(id) => Action::Put(id),
            None if self.closed && self.outstanding() == 0 => {
                self.lanes.release_spare();
                Action::Finished
            }
            None => Action::Idle,
        }
    }

    /// Returns when [`Self::poll`] is to be called again if nothing else happens, or `None` if never.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let inbox = match (&self.router, self.config.ttl) {
            _ if self.inbox.is_empty() => None,
            (Some(_), _) => Some(self.now),
            (None, Some(ttl)) => self.inbox.oldest().and_then(|oldest| oldest.checked_add(ttl)),
            (None, None) => None,
        };
        let can_call = self.can_call();
        let split = (can_call && !self.splits.is_empty()).then_some(self.now.max(self.backoff.until));
        let ready =
            self.lanes.next_ready(None).filter(|_| can_call).map(|(at, _)| at.max(self.backoff.until));
        // Calls are numbered in the order in which they begin, so the first one is the first to time out.
        let oldest = self.calls.first_key_value();
        let timeout = oldest.and_then(|(_, call)| call.started.checked_add(self.config.call_timeout));
        [inbox, split, ready, timeout, self.listing.deadline()].into_iter().flatten().min()
    }

    /// Returns the entries of a call, or `None` if the call is settled.
    #[must_use]
    pub fn call(&self, id: CallId) -> Option<Call<'_>> {
        let call = self.calls.get(&id.0)?;
        let entries = call.entries.iter().map(|entry| CallEntry {
            data: &entry.data,
            partition_key: &entry.partition_key,
            explicit_hash_key: entry.explicit_hash_key,
        });
        Some(Call { entries: entries.collect(), size_bytes: call.size_bytes })
    }

    /// Reports the answer to a call. An answer to a call that is settled already is counted and ignored (rule P1).
    pub fn on_put(&mut self, id: CallId, answer: PutAnswer<'_>, now: Duration) {
        self.advance(now);
        let Some(call) = self.take_call(id.0) else {
            self.stats.stale_answers += 1;
            return;
        };
        self.stats.request_duration.record(self.now.saturating_sub(call.started), 1);
        match answer {
            PutAnswer::Entries(answers) => self.on_entries(id.0, call, answers),
            PutAnswer::Failed(failure) => self.on_failure(id.0, call, failure),
        }
        self.update_capacity();
    }

    /// Reports the result of listing the shards: the complete map, or a failure. A late answer is counted
    /// and ignored.
    pub fn on_shards(&mut self, id: ListId, answer: Result<ShardMap, ListFailed>, now: Duration) {
        self.advance(now);
        if !self.listing.end(id) {
            self.stats.stale_answers += 1;
            return;
        }
        match answer {
            Ok(map) => {
                self.listing.succeeded();
                self.was_gone = false;
                self.first_of_map = self.next_call;
                self.replace_map(map);
                self.decide(id.0);
            }
            Err(ListFailed) => self.listing_failed(),
        }
        self.update_capacity();
    }

    /// Returns the next result.
    pub fn next_done(&mut self) -> Option<Done<R>> {
        let front = self.done.front_mut()?;
        let (receipt, meta) = front.parts.next()?;
        let possibly_stored = meta.history.as_ref().is_some_and(|history| history.possibly_stored);
        let outcome = front.verdict.outcome(front.next, possibly_stored);
        front.next += 1;
        if front.parts.len() == 0 {
            self.memory -= front.memory;
            self.done.pop_front();
            self.update_capacity();
        }
        Some(Done { receipt, outcome, attempts: Attempts(meta.history) })
    }

    /// Returns what the producer has done so far.
    #[must_use]
    pub const fn stats(&self) -> &ProducerStats {
        &self.stats
    }

    /// Counts the records without a result.
    #[must_use]
    pub const fn outstanding(&self) -> u64 {
        let stats = &self.stats;
        stats.added - stats.delivered - stats.expired - stats.throttled - stats.refused
    }

    /// Returns the bytes that count against [`ProducerConfig::budget`].
    #[must_use]
    pub fn used(&self) -> usize {
        self.lanes.memory() + self.inbox.memory + self.memory
    }

    /// Returns when the oldest record without a result was added. Looks at every shard, or every key.
    #[must_use]
    pub fn oldest(&self) -> Option<Duration> {
        let lanes = self.lanes.iter().filter_map(|(_, lane)| lane.oldest());
        let calls = self.calls.values().flat_map(|call| &call.entries);
        let batches = self.calls.values().map(|call| &call.batch).chain(&self.splits);
        let split = batches.flat_map(|batch| batch.rest.iter().flatten().chain(&batch.returned));
        let undecided = self.undecided.iter().map(|undecided| &undecided.entry);
        let entries = calls.chain(split).chain(undecided).map(|entry| entry.records.since);
        lanes.chain(entries).chain(self.inbox.oldest()).min()
    }

    /// Stops at once, and returns every record without a result. Call [`Self::next_done`] until it returns `None` first: results that were not fetched are dropped.
    #[must_use]
    pub fn into_outstanding(mut self) -> Vec<Outstanding<R>> {
        let mut entries = Vec::new();
        for (_, mut call) in core::mem::take(&mut self.calls) {
            for entry in &mut call.entries {
                entry.history.possibly_stored = true;
            }
            entries.extend(call.entries);
            self.splits.push_back(call.batch);
        }
        for undecided in core::mem::take(&mut self.undecided) {
            let mut entry = undecided.entry;
            entry.history.possibly_stored = true;
            entries.push(entry);
        }
        for mut batch in core::mem::take(&mut self.splits) {
            entries.append(&mut batch.returned);
            entries.extend(batch.rest.into_iter().rev().flatten());
        }
        let lanes: Vec<usize> = self.lanes.iter().map(|(lane, _)| lane).collect();
        for lane in lanes {
            entries.extend(self.lanes.take_all(lane));
        }
        entries.extend(core::iter::from_fn(|| self.inbox.pop_front()));
        let mut outstanding = Vec::new();
        for entry in entries {
            entry.for_each_record(|record, receipt, meta| {
                outstanding.push(Outstanding {
                    receipt,
                    partition_key: if meta.keyless { String::new() } else { record.partition_key.into() },
                    explicit_hash_key: record.explicit_hash_key.filter(|_| !meta.keyless).map(Into::into),
                    data: record.data.into(),
                    tags: record.tags.map(|tag| (tag.key.into(), tag.value.map(Into::into))).collect(),
                    possibly_delivered: meta.history.is_some_and(|history| history.possibly_stored),
                });
            });
        }
        outstanding
    }

    /// Takes note of the time. It never goes back (rule P7).
    fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        if let Some(since) = self.denied_since {
            self.stats.stalled = self.now.saturating_sub(since) >= self.config.stalled_after;
        }
    }

    fn update_capacity(&mut self) {
        // Buffers that hold no records are released when they are in the way.
        let used = self.used() - self.lanes.spare_memory();
        if used >= self.config.budget {
            self.has_capacity = false;
        } else if used < self.config.budget / 5 * 4 {
            self.has_capacity = true;
        }
    }

    const fn options(&self) -> Options {
        Options { limits: self.config.limits, keep_times: self.config.ttl.is_some() }
    }
}

/// Routing.
impl<R> Producer<R> {
    /// Adds a record behind those that wait to be routed.
    fn add_to_inbox(
        &mut self,
        record: &UserRecord<'_>,
        receipt: R,
        meta: Meta,
    ) -> Result<(), (R, Meta, EncodeError)> {
        let default_key = UserRecord {
            partition_key: &self.config.default_partition_key,
            explicit_hash_key: None,
            ..*record
        };
        let record = if meta.keyless { &default_key } else { record };
        if let Err(error) = record.validate() {
            return Err((receipt, meta, error));
        }
        let options = self.options();
        let builder = match &mut self.inbox.builder {
            Some(builder) => builder,
            None => {
                let new = Box::new(Builder::new(self.lanes.take_aggregator(options.limits)));
                self.inbox.memory += new.memory();
                self.inbox.builder.insert(new)
            }
        };
        let before = builder.memory();
        let added = builder.add(record, None, receipt, meta, options.keep_times);
        self.inbox.memory = self.inbox.memory + builder.memory() - before;
        match added {
            Ok(full) => {
                if let Some(full) = full {
                    self.inbox.push_back(full);
                }
                Ok(())
            }
            Err((receipt, meta, error)) => {
                self.inbox.finish();
                let (receipt, meta) = plain_instead(record, receipt, meta, error)?;
                self.inbox.push_back(Entry::plain(record, None, receipt, meta, options.keep_times));
                Ok(())
            }
        }
    }

    /// Routes records that wait for it, up to [`STEP`] bytes of them.
    fn route_inbox(&mut self) {
        if self.router.is_none() {
            self.expire_inbox();
            return;
        }
        let mut bytes = 0;
        while let Some(entry) = self.inbox.pop_front() {
            bytes += entry.size_bytes();
            if bytes > STEP && bytes > entry.size_bytes() {
                self.inbox.push_front(entry);
                break;
            }
            // Only what was routed before has a span.
            if entry.span.is_some() {
                self.stats.rerouted += widen(entry.records.len());
            }
            match self.lane_of(&entry) {
                Some(lane) => {
                    self.lanes.finish(lane);
                    self.lanes.push_back(lane, entry);
                }
                None => self.route_records(entry),
            }
        }
    }

    /// Routes the records of an entry, each behind all others of its lane.
    fn route_records(&mut self, entry: Entry<R>) {
        entry.for_each_record(|record, receipt, meta| {
            if let Err((receipt, meta, error)) = self.route(&record, receipt, meta) {
                // It was accepted before. But the explicit hash key of a record without a key may be longer than the last one.
                debug_assert!(meta.keyless, "a record that was accepted before: {error}");
                self.refuse(receipt, meta, &error.to_string());
            }
        });
    }

    /// Adds a record to the lane that it belongs to.
    fn route(
        &mut self,
        record: &UserRecord<'_>,
        receipt: R,
        meta: Meta,
    ) -> Result<(), (R, Meta, EncodeError)> {
        if !meta.keyless {
            return self.route_keyed(record, receipt, meta).map(|_| ());
        }
        self.choose_keys();
        let text = core::mem::take(&mut self.keyless.text);
        let partition_key = core::mem::take(&mut self.config.default_partition_key);
        let record = UserRecord { partition_key: &partition_key, explicit_hash_key: Some(&text), ..*record };
        let routed = self.route_keyed(&record, receipt, meta);
        self.keyless.text = text;
        self.config.default_partition_key = partition_key;
        let lane = routed?;
        // If this record filled the aggregate, the next one goes elsewhere.
        let open = self.lanes.get(lane).filter(|found| found.is_building());
        self.keyless.target = open.map(|found| (lane, found.finished));
        Ok(())
    }

    /// Chooses where records without a key go: to one shard until its aggregate is finished, then to the less loaded of two
    /// others (rule P10).
    fn choose_keys(&mut self) {
        let open = |&(lane, finished): &(usize, u64)| {
            self.lanes.get(lane).is_some_and(|lane| !lane.retired && lane.finished == finished)
        };
        if self.keyless.target.as_ref().is_some_and(open) {
            return;
        }
        let hash_key = match self.router.as_ref().and_then(Router::shard_map) {
            Some(map) => {
                let candidates = [self.jitter.next(), self.jitter.next()].map(|random| {
                    let position = random.checked_rem(widen(map.shards().len())).unwrap_or(0);
                    let position = usize::try_from(position).unwrap_or(0);
                    let lane = self.router.as_ref().and_then(|router| router.group_of_shard(position));
                    let lane = lane.and_then(|lane| self.lanes.get(lane));
                    let load =
                        lane.map_or((Duration::ZERO, 0), |lane| (lane.bucket.ready_at(), lane.bytes()));
                    (load, map.get(position).map_or(HashKey::MIN, |shard| shard.range().start()))
                });
                let [first, second] = candidates;
                if second.0 < first.0 { second.1 } else { first.1 }
            }
            None => HashKey::new(u128::from(self.jitter.next()) << 64 | u128::from(self.jitter.next())),
        };
        self.keyless = Keyless { target: None, text: hash_key.to_string() };
    }

    fn route_keyed(
        &mut self,
        record: &UserRecord<'_>,
        receipt: R,
        meta: Meta,
    ) -> Result<usize, (R, Meta, EncodeError)> {
        let explicit = match record.validate_partition_key().and_then(|()| parse_explicit(record)) {
            Ok(explicit) => explicit,
            Err(error) => return Err((receipt, meta, error)),
        };
        let Some(router) = &mut self.router else {
            debug_assert!(false, "records wait until the shards are known");
            return self.add_to_inbox(record, receipt, meta).map(|()| NO_LANE);
        };
        let (destination, hash_key) = router.route(record, explicit, RECENT_KEYS);
        let lane = self.lane_at(destination);
        let options = self.options();
        // Tags need an aggregate.
        if !self.config.aggregate && record.tags.len() == 0 {
            let size = record.data.len() + record.partition_key.len();
            let limit = self.config.limits.max_size();
            if size > limit {
                self.tidy(lane);
                return Err((receipt, meta, EncodeError::TooLarge { required: size, limit }));
            }
            let entry = Entry::plain(record, hash_key, receipt, meta, options.keep_times);
            self.lanes.push_back(lane, entry);
            return Ok(lane);
        }
        match self.lanes.add(lane, record, hash_key, receipt, meta, options) {
            Ok(()) => {}
            Err((receipt, meta, error)) => match plain_instead(record, receipt, meta, error) {
                Ok((receipt, meta)) => {
                    self.lanes.finish(lane);
                    self.lanes
                        .push_back(lane, Entry::plain(record, hash_key, receipt, meta, options.keep_times));
                }
                Err(refused) => {
                    self.tidy(lane);
                    return Err(refused);
                }
            },
        }
        if !self.config.aggregate {
            self.lanes.finish(lane);
        }
        Ok(lane)
    }

    fn lane_at(&mut self, destination: Destination) -> usize {
        match destination {
            Destination::Group(lane) => lane,
            Destination::New(route) => self.begin_lane(route),
        }
    }

    fn begin_lane(&mut self, route: Route) -> usize {
        let shard = match (&route, self.router.as_ref().and_then(Router::shard_map)) {
            (Route::Shard(position), Some(map)) => map.get(*position),
            _ => None,
        };
        let shard = shard.map(|shard| (Arc::from(shard.id()), shard.range()));
        let lane = self.lanes.insert(route.clone(), shard);
        if let Some(router) = &mut self.router {
            router.set_group(&route, Some(lane));
        }
        lane
    }

    /// The lane of an entry whose records all belong to one, if that needs no look at each of them.
    fn lane_of(&mut self, entry: &Entry<R>) -> Option<usize> {
        if self.lanes.get(entry.lane).is_some_and(|lane| !lane.retired) {
            return Some(entry.lane);
        }
        let span = entry.span?;
        let router = self.router.as_ref()?;
        let position = router.shard_map()?.position_of(span.start());
        let range = router.shard_map()?.get(position)?.range();
        if !range.contains(span.end()) {
            return None;
        }
        Some(router.group_of_shard(position).unwrap_or_else(|| self.begin_lane(Route::Shard(position))))
    }

    /// Drops the lane of a key that has nothing left.
    fn tidy(&mut self, lane: usize) {
        let Some(found) = self.lanes.get(lane) else { return };
        if found.shard.is_some() || !found.is_empty() || found.holds > 0 {
            return;
        }
        if let (Some(removed), Some(router)) = (self.lanes.remove(lane), &mut self.router) {
            router.set_group(&removed.route, None);
        }
    }

    /// Puts another map in place. What is queued for shards that are gone is routed again, in steps.
    fn replace_map(&mut self, map: ShardMap) {
        let mut waiting = Vec::new();
        if let Some(old) = self.router.as_ref().and_then(Router::shard_map) {
            if *old == map {
                return;
            }
            let replaced = |id: &str, range: HashKeyRange| {
                map.find(id)
                    .map(|shard| shard.range())
                    .or(map.closed_range(id))
                    .is_some_and(|new| new != range)
            };
            if old.shards().any(|shard| replaced(shard.id(), shard.range())) {
                // The same id with another range: another stream with the same name.
                self.stats.stream_replaced += 1;
                self.first_of_stream = self.next_call;
                self.closed_shards.clear();
            } else {
                self.closed_shards.keep(old, &map, self.now);
            }
        }
        let lanes: Vec<usize> =
            self.lanes.iter().filter(|(_, lane)| !lane.retired).map(|(lane, _)| lane).collect();
        let mut router = Router::by_shard(map);
        let mut gone = Vec::new();
        for lane in lanes {
            let Some((id, range)) = self.lanes.get(lane).and_then(|lane| lane.shard.clone()) else {
                continue;
            };
            match router.shard_map().and_then(|map| map.position_with(&id, range)) {
                Some(position) => {
                    router.set_group(&Route::Shard(position), Some(lane));
                    self.lanes.update(lane, |lane| lane.route = Route::Shard(position));
                }
                None => {
                    waiting.extend(self.lanes.take_all(lane));
                    gone.push((lane, range));
                }
            }
        }
        self.router = Some(router);
        for (lane, range) in gone {
            self.retire(lane, range);
        }
        // What was routed before is older than what waits.
        for entry in waiting.into_iter().rev() {
            // The lane may soon be another one's.
            self.inbox.push_front(Entry { lane: NO_LANE, ..entry });
        }
    }

    /// Retires the lane of a shard that is gone. Its children wait for the calls in flight (rule P4).
    fn retire(&mut self, lane: usize, range: HashKeyRange) {
        let Some(found) = self.lanes.get(lane) else { return };
        if found.holds == 0 && found.blockers == 0 {
            self.lanes.remove(lane);
            return;
        }
        self.retired += 1;
        let Some(map) = self.router.as_ref().and_then(Router::shard_map) else { return };
        let heirs = map.position_of(range.start())..=map.position_of(range.end());
        let mut blocks = Vec::new();
        for position in heirs {
            let known = self.router.as_ref().and_then(|router| router.group_of_shard(position));
            let heir = known.unwrap_or_else(|| self.begin_lane(Route::Shard(position)));
            self.lanes.update(heir, |heir| heir.blockers += 1);
            blocks.push(heir);
        }
        self.lanes.update(lane, |lane| {
            lane.retired = true;
            lane.blocks = blocks;
        });
    }

    /// Removes lanes that are retired and wait for nothing, and lets their children go on.
    fn unblock(&mut self, lane: usize) {
        let mut free = alloc::vec![lane];
        while let Some(lane) = free.pop() {
            let Some(found) = self.lanes.get(lane) else { continue };
            if !found.retired || found.holds > 0 || found.blockers > 0 {
                continue;
            }
            self.retired -= 1;
            for heir in self.lanes.remove(lane).map(|removed| removed.blocks).unwrap_or_default() {
                self.lanes.update(heir, |heir| heir.blockers -= 1);
                free.push(heir);
            }
        }
    }

    fn listing_failed(&mut self) {
        self.stats.failed_listings += 1;
        self.listing.failed(self.now, &self.config, &mut self.jitter);
    }
}

/// Calls.
impl<R> Producer<R> {
    fn can_call(&self) -> bool {
        self.calls.len() < self.config.max_calls && !self.was_gone
    }

    fn begin_call(&mut self) -> Option<CallId> {
        if !self.can_call() || self.backoff.until > self.now {
            return None;
        }
        while let Some(mut batch) = self.splits.pop_front() {
            self.memory -= batch.memory();
            while let Some(part) = batch.next_part() {
                let mut entries = Vec::new();
                for entry in part {
                    if self.is_expired(&entry) {
                        entries.extend(self.drop_expired(entry))
                    } else {
                        entries.push(entry)
                    }
                }
                if !entries.is_empty() {
                    return Some(self.start(entries, batch));
                }
            }
            self.end_batch(batch);
        }
        let (entries, lanes) = self.collect();
        if entries.is_empty() {
            return None;
        }
        Some(self.start(entries, Batch { lanes, rest: Vec::new(), returned: Vec::new() }))
    }

    /// Fills a call: a share of each lane that may send, the most overdue first (rule P5).
    fn collect(&mut self) -> (Vec<Entry<R>>, Vec<usize>) {
        let (mut entries, mut lanes): (Vec<Entry<R>>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        let mut last = None;
        while let Some((at, lane)) = self.lanes.next_ready(last) {
            if at > self.now || entries.len() >= self.config.max_call_entries {
                break;
            }
            last = Some((at, lane));
            if lanes.contains(&lane) {
                continue;
            }
            let Some(found) = self.lanes.get(lane) else { continue };
            if !entries.is_empty() && bytes + found.bytes().min(SHARE) > self.config.max_call_bytes {
                break;
            }
            let before = entries.len();
            bytes += self.take_share(lane, bytes, &mut entries);
            if entries.len() > before {
                lanes.push(lane);
                self.lanes.update(lane, |lane| lane.holds += 1);
            } else {
                self.tidy(lane);
            }
        }
        (entries, lanes)
    }

    /// Moves a lane's share to a call of `call_bytes`; returns its bytes.
    fn take_share(&mut self, lane: usize, call_bytes: usize, call: &mut Vec<Entry<R>>) -> usize {
        let mut share = 0;
        while call.len() < self.config.max_call_entries && share < SHARE {
            let Some(found) = self.lanes.get(lane) else { break };
            if found.bucket.ready_at() > self.now {
                break;
            }
            let Some(size) = found.front().map(Entry::size_bytes) else {
                if !self.lanes.builder_is_due(lane, self.now) {
                    break;
                }
                self.lanes.finish(lane);
                continue;
            };
            let over_share = share > 0 && share + size > SHARE;
            let over_call = !call.is_empty() && call_bytes + share + size > self.config.max_call_bytes;
            if over_share || over_call {
                break;
            }
            let Some(entry) = self.lanes.pop_front(lane) else { break };
            if self.is_expired(&entry) {
                let rest = self.drop_expired(entry);
                self.lanes.push_front(lane, rest);
                continue;
            }
            // Without routing nobody knows which shard takes it.
            if self.config.routing != Routing::Unrouted {
                let (rate, now) = (self.rate, self.now);
                self.lanes.update(lane, |lane| lane.bucket.spend(rate, size, now));
            }
            share += size;
            call.push(Entry { lane, ..entry });
        }
        share
    }

    fn start(&mut self, mut entries: Vec<Entry<R>>, batch: Batch<R>) -> CallId {
        let undigested = entries.iter_mut().filter(|entry| entry.kind == Kind::Undigested);
        write_digests(undigested.map(|entry| {
            entry.kind = Kind::Aggregate;
            &mut *entry.data
        }));
        let id = self.next_call;
        self.next_call += 1;
        let size_bytes = entries.iter().map(Entry::size_bytes).sum();
        self.stats.calls += 1;
        self.stats.entries_sent += widen(entries.len());
        self.stats.bytes_sent += widen(size_bytes);
        let call = InFlight { entries, size_bytes, started: self.now, batch };
        self.memory += call.memory();
        self.calls.insert(id, call);
        CallId(id)
    }

    fn take_call(&mut self, id: u64) -> Option<InFlight<R>> {
        let call = self.calls.remove(&id)?;
        self.memory -= call.memory();
        Some(call)
    }

    fn time_out_calls(&mut self) {
        while let Some((&id, call)) = self.calls.first_key_value() {
            if call.started.checked_add(self.config.call_timeout).is_none_or(|until| until > self.now) {
                break;
            }
            let Some(call) = self.take_call(id) else { break };
            self.stats.timed_out_calls += 1;
            let failure = CallFailure { kind: FailureKind::Unclear, code: "timeout", message: "" };
            self.on_failure(id, call, failure);
        }
    }

    fn on_entries(&mut self, id: u64, call: InFlight<R>, answers: &[EntryAnswer<'_>]) {
        // Where the stream accepts nothing, that an answer came is no success.
        let of_stream = |answer: &EntryAnswer<'_>| matches!(answer, EntryAnswer::Failed { code, .. } if is_of_stream(code));
        if !answers.iter().any(of_stream) {
            self.backoff.succeeded(id);
            self.denied_since = None;
            self.stats.stalled = false;
        }
        self.newest_answered = self.newest_answered.max(id);
        self.stats.stale_answers += widen(answers.len().saturating_sub(call.entries.len()));
        let InFlight { entries, started, mut batch, .. } = call;
        let mut answers = answers.iter();
        for mut entry in entries {
            match answers.next() {
                Some(&EntryAnswer::Stored { shard, sequence_number }) => {
                    self.lanes.update(entry.lane, |lane| lane.backoff.succeeded(id));
                    batch.returned.extend(self.on_stored(id, entry, shard, sequence_number, started));
                }
                Some(&EntryAnswer::Failed { code, message }) => {
                    let error = self.error(code, message);
                    self.count_error(&entry, &error.code);
                    if is_denied(code) {
                        self.denied_since.get_or_insert(self.now);
                    }
                    self.back_off(id, entry.lane, code);
                    self.attempt(&mut entry, started, Some(error));
                    if self.config.fail_if_throttled && code == THROUGHPUT {
                        self.settle(entry, Verdict::Throttled);
                    } else {
                        batch.returned.push(entry);
                    }
                }
                None => {
                    let error = self.error("no_answer", "");
                    entry.history.possibly_stored = true;
                    self.back_off(id, entry.lane, &error.code);
                    self.attempt(&mut entry, started, Some(error));
                    batch.returned.push(entry);
                }
            }
        }
        self.go_on(batch);
    }

    /// Judges an entry by the shard that took it (rules R3 and P3). Returns it if it has to be sent again.
    fn on_stored(
        &mut self,
        id: u64,
        mut entry: Entry<R>,
        shard: &str,
        sequence_number: &str,
        started: Duration,
    ) -> Option<Entry<R>> {
        self.attempt(&mut entry, started, None);
        match self.judge(id, &entry, shard) {
            Placement::Owned => {
                self.deliver(entry, shard.into(), sequence_number.into());
                None
            }
            Placement::Misplaced => Some(self.misplaced(entry)),
            Placement::Unknown => {
                self.listing.want();
                self.memory += entry.memory();
                self.undecided.push(Undecided {
                    call: id,
                    entry: Entry { lane: NO_LANE, ..entry },
                    shard: shard.into(),
                    sequence_number: sequence_number.into(),
                    listing: self.listing.next_number(),
                });
                None
            }
        }
    }

    fn judge(&self, id: u64, entry: &Entry<R>, shard: &str) -> Placement {
        let Some(span) = entry.span else { return Placement::Owned };
        let Some(map) = self.router.as_ref().and_then(Router::shard_map) else { return Placement::Unknown };
        // Its shards are not those of the map, or may not be.
        if self.was_gone {
            return Placement::Unknown;
        }
        if id < self.first_of_stream {
            return Placement::Misplaced;
        }
        let owns = |range: HashKeyRange| range.contains(span.start()) && range.contains(span.end());
        if let Some(open) = map.find(shard) {
            let took_it = entry.explicit_hash_key.is_some_and(|key| open.range().contains(key));
            return match owns(open.range()) {
                true => Placement::Owned,
                false if took_it => Placement::Misplaced,
                // The map is wrong about this shard.
                false => Placement::Unknown,
            };
        }
        match map.closed_range(shard).or_else(|| self.closed_shards.range(shard)) {
            Some(range) if owns(range) => Placement::Owned,
            // Closed shards take nothing, so the map is wrong about this one unless the call is older.
            Some(_) if id < self.first_of_map => Placement::Misplaced,
            Some(_) | None => Placement::Unknown,
        }
    }

    /// Decides about entries that unknown shards took, after a listing.
    fn decide(&mut self, listing: u64) {
        let mut misplaced = Vec::new();
        for undecided in core::mem::take(&mut self.undecided) {
            self.memory -= undecided.entry.memory();
            match self.judge(undecided.call, &undecided.entry, &undecided.shard) {
                Placement::Owned => self.deliver(undecided.entry, undecided.shard, undecided.sequence_number),
                Placement::Unknown if undecided.listing > listing => {
                    self.listing.want();
                    self.memory += undecided.entry.memory();
                    self.undecided.push(undecided);
                }
                Placement::Misplaced | Placement::Unknown => misplaced.push(self.misplaced(undecided.entry)),
            }
        }
        self.requeue(misplaced);
    }

    fn misplaced(&mut self, mut entry: Entry<R>) -> Entry<R> {
        self.stats.misplaced += widen(entry.records.len());
        let error = self.error("misplaced", "");
        entry.history.possibly_stored = true;
        entry.history.fail_last(error);
        Entry { lane: NO_LANE, ..entry }
    }

    fn deliver(&mut self, entry: Entry<R>, shard: Arc<str>, sequence_number: Arc<str>) {
        let (records, size) = (widen(entry.records.len()), widen(entry.size_bytes()));
        let waited = entry.history.last_start().unwrap_or(self.now).saturating_sub(entry.records.since);
        self.stats.time_in_buffer.record(waited, records);
        self.stats.entries_delivered += 1;
        self.stats.bytes_delivered += size;
        let on_shard = self.stats.shards.entry(Arc::clone(&shard)).or_default();
        on_shard.records += records;
        on_shard.entries += 1;
        on_shard.bytes += size;
        self.settle(entry, Verdict::Delivered { shard, sequence_number });
    }

    fn on_failure(&mut self, id: u64, call: InFlight<R>, failure: CallFailure<'_>) {
        self.stats.failed_calls += 1;
        let InFlight { mut entries, started, mut batch, .. } = call;
        let error = self.error(failure.code, failure.message);
        for entry in &mut entries {
            *self.stats.errors.entry(Arc::clone(&error.code)).or_default() += 1;
            entry.history.possibly_stored |= failure.kind == FailureKind::Unclear;
            self.attempt(entry, started, Some(error.clone()));
        }
        match failure.kind {
            FailureKind::Rejected => {
                self.bisect(entries, &mut batch, &error.code);
                self.go_on(batch);
                return;
            }
            FailureKind::Denied => _ = self.denied_since.get_or_insert(self.now),
            _ => {}
        }
        if failure.code.contains("ResourceNotFound") && self.config.routing == Routing::ByShard {
            self.was_gone = true;
            self.listing.want();
        }
        // A call that was not answered says nothing if later ones were.
        if failure.kind != FailureKind::Unclear || id >= self.newest_answered {
            let (next, now, delays) = (self.next_call, self.now, self.config.backoff);
            self.backoff.failed(id, next, now, delays, &mut self.jitter);
        }
        if failure.kind == FailureKind::Throttled && self.config.fail_if_throttled {
            entries.drain(..).for_each(|entry| self.settle(entry, Verdict::Throttled));
        }
        batch.returned.append(&mut entries);
        self.go_on(batch);
    }

    /// Halves what was rejected, down to the record that is the reason (rule P9).
    fn bisect(&mut self, mut entries: Vec<Entry<R>>, batch: &mut Batch<R>, code: &Arc<str>) {
        if entries.len() > 1 {
            let second = entries.split_off(entries.len() / 2);
            batch.rest.push(second);
            batch.rest.push(entries);
            return;
        }
        let Some(entry) = entries.pop() else { return };
        let half = entry.records.len() / 2;
        if half == 0 {
            self.settle(entry, Verdict::Refused { code: Arc::clone(code) });
            return;
        }
        let (lane, routed) = (entry.lane, entry.span.is_some());
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let mut builder = Builder::new(self.lanes.take_aggregator(self.config.limits));
        let keep_times = self.config.ttl.is_some();
        let mut position = 0;
        entry.for_each_record(|record, receipt, meta| {
            if position == half {
                first.extend(builder.finish());
            }
            position += 1;
            let hash_key = if routed { record.hash_key().ok() } else { None };
            match builder.add(&record, hash_key, receipt, meta, keep_times) {
                Ok(full) if position <= half => first.extend(full),
                Ok(full) => second.extend(full),
                Err((receipt, meta, error)) => self.refuse(receipt, meta, &error.to_string()),
            }
        });
        second.extend(builder.finish());
        self.lanes.keep_aggregator(builder.into_aggregator());
        for half in [second, first] {
            batch.rest.push(half.into_iter().map(|entry| Entry { lane, ..entry }).collect());
        }
    }

    /// Goes on with a batch after a call: with its next part, or to its end.
    fn go_on(&mut self, batch: Batch<R>) {
        if batch.rest.is_empty() {
            self.end_batch(batch);
        } else {
            self.memory += batch.memory();
            self.splits.push_back(batch);
        }
    }

    /// Queues again what comes back from a batch, and lets its lanes go on.
    fn end_batch(&mut self, batch: Batch<R>) {
        self.requeue(batch.returned);
        for lane in batch.lanes {
            self.lanes.update(lane, |lane| lane.holds -= 1);
            self.unblock(lane);
            self.tidy(lane);
        }
    }

    /// Queues entries before all others of their lanes, in order.
    fn requeue(&mut self, entries: Vec<Entry<R>>) {
        if self.router.is_none() {
            for entry in entries.into_iter().rev() {
                self.inbox.push_front(entry);
            }
            return;
        }
        let mut fronts: BTreeMap<usize, (Vec<Entry<R>>, Builder<R>)> = BTreeMap::new();
        for entry in entries {
            let rest = if self.is_expired(&entry) { self.drop_expired(entry) } else { alloc::vec![entry] };
            for entry in rest {
                match self.lane_of(&entry) {
                    Some(lane) => {
                        let (front, builder) = self.front(&mut fronts, lane);
                        front.extend(builder.finish());
                        front.push(entry);
                    }
                    None => self.requeue_records(entry, &mut fronts),
                }
            }
        }
        for (lane, (mut front, mut builder)) in fronts {
            front.extend(builder.finish());
            self.lanes.keep_aggregator(builder.into_aggregator());
            self.lanes.push_front(lane, front);
        }
    }

    fn front<'f>(
        &mut self,
        fronts: &'f mut BTreeMap<usize, (Vec<Entry<R>>, Builder<R>)>,
        lane: usize,
    ) -> &'f mut (Vec<Entry<R>>, Builder<R>) {
        fronts
            .entry(lane)
            .or_insert_with(|| (Vec::new(), Builder::new(self.lanes.take_aggregator(self.config.limits))))
    }

    /// Routes the records of an entry again, before all others of their lanes.
    fn requeue_records(
        &mut self,
        entry: Entry<R>,
        fronts: &mut BTreeMap<usize, (Vec<Entry<R>>, Builder<R>)>,
    ) {
        self.stats.rerouted += widen(entry.records.len());
        let keep_times = self.config.ttl.is_some();
        let plain = matches!(entry.kind, Kind::Plain { .. });
        entry.for_each_record(|record, receipt, meta| {
            let mut text = String::new();
            let mut record = record;
            if meta.keyless {
                self.choose_keys();
                text.push_str(&self.keyless.text);
                record.explicit_hash_key = Some(&text);
            }
            let explicit = parse_explicit(&record).ok();
            let router = self.router.as_mut().zip(explicit);
            let found = router.map(|(router, explicit)| router.route(&record, explicit, RECENT_KEYS));
            let Some((destination, hash_key)) = found else {
                debug_assert!(false, "a record that was routed before");
                self.refuse(receipt, meta, "unroutable");
                return;
            };
            let lane = self.lane_at(destination);
            let (front, builder) = self.front(fronts, lane);
            let (receipt, meta) = if plain {
                (receipt, meta)
            } else {
                let refused = match builder.add(&record, hash_key, receipt, meta, keep_times) {
                    Ok(full) => return front.extend(full),
                    Err((receipt, meta, error)) => plain_instead(&record, receipt, meta, error),
                };
                match refused {
                    Ok(receipt_and_meta) => receipt_and_meta,
                    Err((receipt, meta, error)) => return self.refuse(receipt, meta, &error.to_string()),
                }
            };
            front.extend(builder.finish());
            front.push(Entry::plain(&record, hash_key, receipt, meta, keep_times));
        });
    }

    /// Backs off for what an entry's error code is about (rule P6).
    fn back_off(&mut self, id: u64, lane: usize, code: &str) {
        let (next, now, delays) = (self.next_call, self.now, self.config.backoff);
        if is_of_stream(code) {
            self.backoff.failed(id, next, now, delays, &mut self.jitter);
        } else {
            let jitter = &mut self.jitter;
            self.lanes.update(lane, |lane| lane.backoff.failed(id, next, now, delays, jitter));
        }
    }
}

/// Results.
impl<R> Producer<R> {
    fn settle(&mut self, entry: Entry<R>, verdict: Verdict) {
        self.settle_records(entry.records, entry.history, verdict);
    }

    fn settle_records(&mut self, records: Records<R>, history: History, verdict: Verdict) {
        let count = widen(records.len());
        if count == 0 {
            return;
        }
        let counter = match verdict {
            Verdict::Delivered { .. } => &mut self.stats.delivered,
            Verdict::Expired => &mut self.stats.expired,
            Verdict::Throttled => &mut self.stats.throttled,
            Verdict::Refused { .. } => &mut self.stats.refused,
        };
        *counter += count;
        if matches!(verdict, Verdict::Delivered { .. }) {
            self.stats.possible_duplicates += records.possible_duplicates(&history);
        }
        let memory = size_of::<DoneEntry<R>>() + records.memory();
        self.memory += memory;
        self.done.push_back(DoneEntry { parts: records.into_parts(history), verdict, next: 0, memory });
    }

    fn refuse(&mut self, receipt: R, meta: Meta, code: &str) {
        let mut records = Records::default();
        records.push(receipt, meta, self.config.ttl.is_some());
        self.settle_records(records, History::default(), Verdict::Refused { code: code.into() });
    }

    fn is_expired(&self, entry: &Entry<R>) -> bool {
        self.has_expired(entry.records.since)
    }

    fn has_expired(&self, added: Duration) -> bool {
        let expires = self.config.ttl.and_then(|ttl| added.checked_add(ttl));
        expires.is_some_and(|expires| expires <= self.now)
    }

    /// Gives up the records of an entry that are too old; returns entries of the others (rule P7).
    fn drop_expired(&mut self, entry: Entry<R>) -> Vec<Entry<R>> {
        let (lane, routed) = (entry.lane, entry.span.is_some());
        if matches!(entry.kind, Kind::Plain { .. }) {
            self.settle(entry, Verdict::Expired);
            return Vec::new();
        }
        let mut expired = Records::default();
        let mut rest = Vec::new();
        let mut builder = Builder::new(self.lanes.take_aggregator(self.config.limits));
        entry.for_each_record(|record, receipt, meta| {
            if self.has_expired(meta.added) {
                expired.push(receipt, meta, true);
                return;
            }
            let hash_key = if routed { record.hash_key().ok() } else { None };
            match builder.add(&record, hash_key, receipt, meta, true) {
                Ok(full) => rest.extend(full),
                Err((receipt, meta, error)) => self.refuse(receipt, meta, &error.to_string()),
            }
        });
        rest.extend(builder.finish());
        self.lanes.keep_aggregator(builder.into_aggregator());
        self.settle_records(expired, History::default(), Verdict::Expired);
        for entry in &mut rest {
            entry.lane = lane;
        }
        rest
    }

    /// Gives up records that are too old while the shards are not known.
    fn expire_inbox(&mut self) {
        while self.inbox.oldest().is_some_and(|oldest| self.has_expired(oldest)) {
            let Some(entry) = self.inbox.pop_front() else { return };
            let rest = self.drop_expired(entry);
            for entry in rest.into_iter().rev() {
                self.inbox.push_front(entry);
            }
        }
    }

    fn attempt(&self, entry: &mut Entry<R>, started: Duration, error: Option<AttemptError>) {
        entry.history.push(Attempt { started, duration: self.now.saturating_sub(started), error });
    }

    /// An error whose code is shared with all others of that code.
    fn error(&mut self, code: &str, message: &str) -> AttemptError {
        let code = match self.stats.errors.get_key_value(code) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(code),
        };
        AttemptError { code, message: message.into() }
    }

    fn count_error(&mut self, entry: &Entry<R>, code: &Arc<str>) {
        *self.stats.errors.entry(Arc::clone(code)).or_default() += 1;
        let Some((shard, _)) = self.lanes.get(entry.lane).and_then(|lane| lane.shard.as_ref()) else {
            return;
        };
        let on_shard = self.stats.shards.entry(Arc::clone(shard)).or_default();
        if &**code == THROUGHPUT {
            on_shard.throttled += 1;
        } else {
            on_shard.failed += 1;
        }
    }
}

/// The error code of an entry whose shard accepts no more for now.
const THROUGHPUT: &str = "ProvisionedThroughputExceededException";

/// Whether the error code of an entry is about the stream, not the shard.
fn is_of_stream(code: &str) -> bool {
    code.starts_with("KMS")
        || code.contains("AccessDenied")
        || matches!(code, "LimitExceededException" | "ResourceNotFoundException")
}

/// Whether an entry fails with this error code until somebody changes something.
fn is_denied(code: &str) -> bool {
    code.contains("AccessDenied") || code.starts_with("KMS") && code != "KMSThrottlingException"
}

/// The lane of an entry that is in none.
pub(super) const NO_LANE: usize = usize::MAX;

/// The most memory for the hash keys of partition keys that came lately.
const RECENT_KEYS: usize = 256 * 1024;

/// Whether the shard that took an entry owns its records.
enum Placement {
    Owned,
    Misplaced,
    /// The map does not tell.
    Unknown,
}

/// The explicit hash key of a record, if it has one.
fn parse_explicit(record: &UserRecord<'_>) -> Result<Option<HashKey>, EncodeError> {
    record.explicit_hash_key.map(str::parse).transpose().map_err(EncodeError::ExplicitHashKey)
}

/// Returns the receipt of a record that is to be sent without an aggregate since it fits none (rule P10), or the error.
fn plain_instead<R>(
    record: &UserRecord<'_>,
    receipt: R,
    meta: Meta,
    error: EncodeError,
) -> Result<(R, Meta), (R, Meta, EncodeError)> {
    match error {
        EncodeError::FitsOnlyPlain { .. } if record.explicit_hash_key.is_none() || meta.keyless => {
            Ok((receipt, meta))
        }
        EncodeError::FitsOnlyPlain { required, limit, .. } => {
            Err((receipt, meta, EncodeError::TooLarge { required, limit }))
        }
        _ => Err((receipt, meta, error)),
    }
}

/// A PutRecords call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call<'p> {
    /// The entries, in the order in which they are to be put. At least one.
    pub entries: Vec<CallEntry<'p>>,
    /// The bytes of all entries, partition keys included.
    pub size_bytes: usize,
}

impl<R> Inbox<R> {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.builder.is_none()
    }

    fn oldest(&self) -> Option<Duration> {
        let first = self.entries.front().map(|entry| entry.records.since);
        first.or_else(|| self.builder.as_ref().map(|builder| builder.since()))
    }

    fn push_back(&mut self, entry: Entry<R>) {
        self.memory += entry.memory();
        self.entries.push_back(entry);
    }

    /// Ends the aggregate under construction, and frees its buffers.
    fn finish(&mut self) {
        let Some(mut builder) = self.builder.take() else { return };
        self.memory -= builder.memory();
        if let Some(entry) = builder.finish() {
            self.push_back(entry);
        }
    }

    fn push_front(&mut self, entry: Entry<R>) {
        self.memory += entry.memory();
        self.entries.push_front(entry);
    }

    fn pop_front(&mut self) -> Option<Entry<R>> {
        if self.entries.is_empty() {
            self.finish();
        }
        let entry = self.entries.pop_front()?;
        self.memory -= entry.memory();
        Some(entry)
    }
}

impl<R> Batch<R> {
    /// Takes what is to be sent next, unless there is nothing left. What would overtake something that comes back, of the same
    /// lane, comes back as well.
    fn next_part(&mut self) -> Option<Vec<Entry<R>>> {
        while let Some(part) = self.rest.pop() {
            let mut next = Vec::new();
            for entry in part {
                let overtakes = self.returned.iter().any(|returned| returned.lane == entry.lane);
                if overtakes { self.returned.push(entry) } else { next.push(entry) }
            }
            if !next.is_empty() {
                return Some(next);
            }
        }
        None
    }

    fn memory(&self) -> usize {
        self.rest.iter().flatten().chain(&self.returned).map(Entry::memory).sum()
    }
}

impl<R> InFlight<R> {
    fn memory(&self) -> usize {
        self.entries.iter().map(Entry::memory).sum::<usize>() + self.batch.memory()
    }
}

impl<R> fmt::Debug for Producer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("outstanding", &self.outstanding())
            .field("calls", &self.calls.len())
            .field("used", &self.used())
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
