//! The state machine: its state, and what drivers call. The modules below do the work: [`routing`] finds the lane of each record,
//! [`calls`] fills calls, [`answers`] decides what follows from each, and [`results`] hands receipts back.

mod answers;
mod calls;
mod results;
mod routing;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::produce::config::{ConfigError, ProducerConfig, Routing};
use crate::produce::entry::Meta;
use crate::produce::lanes::{Lanes, Options, Schedule};
use crate::produce::outcome::{
    Action, AddError, Attempts, Call, CallEntry, CallId, Done, ListFailed, ListId, NotAdded, Outstanding,
    PutAnswer,
};
use crate::produce::pace::{Backoff, Jitter, Rate};
use crate::produce::shards::{ClosedShards, Listing};
use crate::produce::stats::ProducerStats;
use crate::route::groups::Router;
use crate::wire::widen;
use crate::{ShardMap, UserRecord};

use answers::Undecided;
use calls::Calls;
use results::DoneEntry;
use routing::{Inbox, Keyless, parse_explicit};

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
    budget: Budget,
    stats: ProducerStats,

    /// None while records are routed by shard and the shards are not known.
    router: Option<Router>,
    closed_shards: ClosedShards,
    listing: Listing,
    lanes: Lanes<R>,
    /// The records to be routed, or routed again, in the order in which they were added.
    inbox: Inbox<R>,
    keyless: Keyless,

    calls: Calls<R>,
    stream: StreamState,
    /// Taken by shards that no listing has shown so far.
    undecided: Vec<Undecided<R>>,
    done: VecDeque<DoneEntry<R>>,
}

/// The account of memory (rule P8). Lanes and the inbox count what is theirs; this counts the rest.
#[derive(Debug)]
struct Budget {
    limit: usize,
    /// The memory of calls, of what is left of rejected calls, of undecided entries, and of results.
    charged: usize,
    has_capacity: bool,
}

impl Budget {
    const fn new(limit: usize) -> Self {
        Self { limit, charged: 0, has_capacity: true }
    }

    const fn charge(&mut self, bytes: usize) {
        self.charged += bytes;
    }

    const fn refund(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.charged, "more is refunded than was charged");
        self.charged -= bytes;
    }

    /// Capacity ends at the limit, and comes back when a fifth of it is free.
    const fn update(&mut self, used: usize) {
        if used >= self.limit {
            self.has_capacity = false;
        } else if used < self.limit / 5 * 4 {
            self.has_capacity = true;
        }
    }
}

/// The state of the stream, the account and the connection, which holds up all calls (rule P6).
#[derive(Debug)]
struct StreamState {
    backoff: Backoff,
    /// True if the stream was gone: if it comes back, it may have other shards, which are listed before anything is sent.
    gone: bool,
    denied_since: Option<Duration>,
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
            budget: Budget::new(config.budget),
            stats: ProducerStats::default(),
            listing: Listing::new(router.is_none()),
            router,
            closed_shards: ClosedShards::default(),
            lanes: Lanes::new(Schedule::new(&config)),
            inbox: Inbox::default(),
            keyless: Keyless::default(),
            calls: Calls::default(),
            stream: StreamState { backoff: Backoff::NONE, gone: false, denied_since: None },
            undecided: Vec::new(),
            done: VecDeque::new(),
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

    /// Adds a common record: there is capacity, its partition key was routed before, and it fits the aggregate under
    /// construction without more memory. [`Self::add_any`] would add it as well.
    #[inline]
    fn add_in_place(&mut self, record: &UserRecord<'_>, receipt: R) -> Result<(), R> {
        let Some(router) = &mut self.router else { return Err(receipt) };
        let common =
            self.budget.has_capacity && self.config.aggregate && self.inbox.is_empty() && !self.closed;
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
        while self.used() >= self.budget.limit {
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
        self.budget.has_capacity
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
        let action = self.next_action();
        if action == Action::Finished {
            self.lanes.release_spare();
        }
        self.update_capacity();
        action
    }

    fn next_action(&mut self) -> Action {
        if self.is_finished() {
            return Action::Finished;
        }
        self.closed_shards.prune(if self.lanes.any_retired() { Duration::ZERO } else { self.now });
        if self.listing.time_out(self.now) {
            self.listing_failed();
        }
        if let Some(id) = self.listing.begin(self.now, &self.config) {
            self.stats.listings += 1;
            return Action::ListShards(id);
        }
        self.route_inbox();
        match self.begin_call() {
            Some(id) => Action::Put(id),
            // The last records may just have expired.
            None if self.is_finished() => Action::Finished,
            None => Action::Idle,
        }
    }

    const fn is_finished(&self) -> bool {
        self.closed && self.outstanding() == 0
    }

    /// Returns when [`Self::poll`] is to be called again if nothing else happens, or `None` if never.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.is_finished() {
            return None;
        }
        let inbox = match (&self.router, self.config.ttl) {
            _ if self.inbox.is_empty() => None,
            (Some(_), _) => Some(self.now),
            (None, Some(ttl)) => self.inbox.oldest().and_then(|oldest| oldest.checked_add(ttl)),
            (None, None) => None,
        };
        let until = self.stream.backoff.until;
        let ready = self.lanes.next_ready(None).map(|(at, _)| at.max(until));
        let rest = self.calls.has_rest().then_some(self.now.max(until));
        let call = [ready, rest].into_iter().flatten().min().filter(|_| self.can_call());
        let timeout = self.calls.oldest_start().and_then(|at| at.checked_add(self.config.call_timeout));
        [inbox, call, timeout, self.listing.deadline()].into_iter().flatten().min()
    }

    /// Returns the entries of a call, or `None` if the call is settled.
    #[must_use]
    pub fn call(&self, id: CallId) -> Option<Call<'_>> {
        let call = self.calls.get(id.0)?;
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
        let Some(call) = self.end_call(id.0) else {
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
                self.stream.gone = false;
                self.calls.first_of_map = self.calls.next;
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
            self.budget.refund(front.memory);
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
        stats.added - stats.delivered - stats.expired - stats.throttled - stats.refused - stats.abandoned
    }

    /// Returns the bytes that count against [`ProducerConfig::budget`].
    #[must_use]
    pub fn used(&self) -> usize {
        self.lanes.memory() + self.inbox.memory() + self.budget.charged
    }

    /// Returns when the oldest record without a result was added. Looks at every shard, or every key.
    #[must_use]
    pub fn oldest(&self) -> Option<Duration> {
        let lanes = self.lanes.iter().filter_map(|(_, lane)| lane.oldest());
        let undecided = self.undecided.iter().map(|undecided| &undecided.entry);
        let entries = self.calls.entries().chain(undecided).map(|entry| entry.records.since);
        lanes.chain(entries).chain(self.inbox.oldest()).min()
    }

    /// Stops at once: closes the producer, and returns every record without a result. These are *abandoned*, the fifth result of
    /// rule P2: their receipts come back here and not from [`Self::next_done`], which returns the results of all others.
    ///
    /// Calls in flight may still store what they carry; their answers are ignored.
    #[must_use = "these records were not delivered"]
    pub fn abandon(&mut self) -> Vec<Outstanding<R>> {
        self.closed = true;
        let mut entries = self.abandon_calls();
        for Undecided { mut entry, .. } in core::mem::take(&mut self.undecided) {
            self.budget.refund(entry.memory());
            entry.history.possibly_stored = true;
            entries.push(entry);
        }
        let lanes: Vec<usize> = self.lanes.iter().map(|(lane, _)| lane).collect();
        for lane in lanes {
            entries.extend(self.lanes.take_all(lane));
        }
        entries.extend(core::iter::from_fn(|| self.inbox.pop_front()));
        let mut abandoned = Vec::new();
        for entry in entries {
            entry.for_each_record(|record, receipt, meta| {
                abandoned.push(Outstanding {
                    receipt,
                    partition_key: if meta.keyless { String::new() } else { record.partition_key.into() },
                    explicit_hash_key: record.explicit_hash_key.filter(|_| !meta.keyless).map(Into::into),
                    data: record.data.into(),
                    tags: record.tags.map(|tag| (tag.key.into(), tag.value.map(Into::into))).collect(),
                    possibly_delivered: meta.history.is_some_and(|history| history.possibly_stored),
                });
            });
        }
        self.stats.abandoned += widen(abandoned.len());
        abandoned
    }

    /// Takes note of the time. It never goes back (rule P7).
    fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        if let Some(since) = self.stream.denied_since {
            self.stats.stalled = self.now.saturating_sub(since) >= self.config.stalled_after;
        }
    }

    fn update_capacity(&mut self) {
        // Buffers that hold no records are released when they are in the way.
        self.budget.update(self.used() - self.lanes.spare_memory());
    }

    const fn options(&self) -> Options {
        Options { limits: self.config.limits, keep_times: self.config.ttl.is_some() }
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
