//! A queue of entries for PutRecords calls.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::Aggregate;
use crate::route::RoutedAggregate;

/// Batches entries into PutRecords calls, and retries those that were not delivered.
///
/// The queue does no I/O: it returns what the next call should put, and is told the outcome.
///
/// - A call has at most 500 entries and 5 MiB, partition keys included.
/// - Shards are served round-robin, so one that is busy or throttled does not hold up the others.
/// - Entries of a shard are sent in order. While some are in flight, no others of the same shard are sent, and entries that
///   failed are retried before later ones. Kinesis itself may accept a later entry of a call and reject an earlier one.
/// - After a shard throttled or failed, its entries are held back for a while: twice as long each time that nothing is
///   delivered.
/// - Every entry is queued, in flight or returned as delivered. None is lost, and only entries that are not known to be
///   delivered are sent again.
///
/// Entries without a shard share one queue, which is served like a shard. Any number of its calls may be in flight.
///
/// The queue has no bound and counts neither time nor attempts. Stop adding entries while [`Self::size_bytes`] and what is in
/// flight are above a bound of your own. To know the age of entries, wrap them in a type of your own that implements
/// [`PutEntry`].
///
/// ```
/// use std::time::Instant;
/// use kinesis_aggregation::{AggregationManager, Limits, UserRecord};
/// use kinesis_aggregation::route::{Placement, PutOutcome, PutQueue};
///
/// let mut manager = AggregationManager::by_key(Limits::default());
/// let mut queue = PutQueue::new();
/// queue.extend(manager.add(UserRecord::new("device-7", "21.5"))?);
/// queue.extend(manager.flush());
///
/// let clock = Instant::now();
/// while !queue.is_empty() {
///     let Some(request) = queue.next_request(clock.elapsed()) else {
///         // All queued entries are for shards that are backing off.
///         let ready = queue.next_ready().unwrap_or_default();
///         std::thread::sleep(ready.saturating_sub(clock.elapsed()));
///         continue;
///     };
///     // Put request.entries(), and read the response, entry by entry:
///     let response = request.entries().map(|_| PutOutcome::new(None, Some("shardId-000000000000")));
///     let outcomes: Vec<PutOutcome<'_>> = response.collect();
///     for (aggregate, shard_id) in queue.settle(request, outcomes, clock.elapsed()).delivered {
///         // Routed by shard, the aggregate may be misplaced and has to be requeued: docs/routing.md shows how.
///         assert_eq!(manager.confirm(aggregate, &shard_id), Placement::Delivered);
///     }
/// }
/// # Ok::<(), kinesis_aggregation::encode::EncodeError>(())
/// ```
#[derive(Clone)]
pub struct PutQueue<T = RoutedAggregate> {
    max_entries: usize,
    max_request_bytes: usize,
    /// The first and the longest.
    backoff: (Duration, Duration),
    /// By shard id, which is empty for entries without a shard. Queues without anything to remember are removed.
    shards: BTreeMap<Box<str>, ShardQueue<T>>,
    /// The shard to be served next, or the one after it if it has no queue.
    next_shard: Box<str>,
    next_ticket: u64,
    queued: usize,
    queued_bytes: usize,
    in_flight: usize,
}

/// The entries queued for one shard.
#[derive(Clone)]
struct ShardQueue<T> {
    /// In the order of their tickets.
    entries: VecDeque<Ticketed<T>>,
    /// How many calls with entries of this shard are in flight.
    calls: usize,
    /// How often in a row nothing was delivered.
    failures: u32,
    ready_at: Duration,
}

/// An entry with its number in the order in which entries were added.
#[derive(Clone)]
struct Ticketed<T> {
    ticket: u64,
    entry: T,
}

impl<T> Default for PutQueue<T> {
    fn default() -> Self {
        Self {
            max_entries: 500,
            max_request_bytes: 5 * 1024 * 1024,
            backoff: (Duration::from_millis(100), Duration::from_secs(5)),
            shards: BTreeMap::new(),
            next_shard: Box::default(),
            next_ticket: 0,
            queued: 0,
            queued_bytes: 0,
            in_flight: 0,
        }
    }
}

impl<T: PutEntry> PutQueue<T> {
    /// Makes a queue for calls of at most 500 entries and 5 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the highest number of entries in a call. It is clamped to 1 to 500.
    #[must_use]
    pub fn with_max_entries(self, count: usize) -> Self {
        Self { max_entries: count.clamp(1, 500), ..self }
    }

    /// Sets the highest number of bytes in a call, partition keys included. It is at most 10 MiB, which Kinesis accepts for
    /// streams with large records. An entry that is larger gets a call of its own.
    #[must_use]
    pub fn with_max_request_bytes(self, bytes: usize) -> Self {
        Self { max_request_bytes: bytes.min(10 * 1024 * 1024), ..self }
    }

    /// Sets for how long the entries of a shard are held back after one was not delivered. The time doubles from `first` to
    /// `longest` while nothing is delivered. The default is 100 milliseconds to 5 seconds.
    #[must_use]
    pub fn with_backoff(self, first: Duration, longest: Duration) -> Self {
        Self { backoff: (first, longest), ..self }
    }

    /// Adds an entry behind all others of its shard.
    pub fn push(&mut self, entry: T) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.enqueue(Ticketed { ticket, entry });
    }

    /// Returns what the next call should put, if anything may be sent at the time `now`, by any clock that never goes back.
    ///
    /// Several calls may be in flight at the same time.
    pub fn next_request(&mut self, now: Duration) -> Option<PutRequest<T>> {
        let mut request = PutRequest { entries: Vec::new(), size_bytes: 0 };
        let mut ready: VecDeque<_> =
            self.shards.iter_mut().filter(|(shard, queue)| queue.is_ready(shard, now)).collect();
        ready.rotate_left(ready.partition_point(|(shard, _)| **shard < self.next_shard));
        // The first shard whose next entry is too large for the rest of this call is served first by the next one.
        let mut passed_over = None;
        while request.entries.len() < self.max_entries {
            let Some((shard, queue)) = ready.pop_front() else { break };
            let Some(next) = queue.entries.front() else { continue };
            let size_bytes = request.size_bytes.saturating_add(next.entry.size_bytes());
            if size_bytes > self.max_request_bytes && !request.entries.is_empty() {
                passed_over = passed_over.or(Some(shard));
                continue;
            }
            request.entries.extend(queue.entries.pop_front());
            request.size_bytes = size_bytes;
            ready.push_back((shard, queue));
        }
        if let Some(shard) = passed_over.or(ready.front().map(|(shard, _)| *shard)) {
            self.next_shard = shard.clone();
        }
        drop(ready);
        self.count_sent(&request);
        (!request.entries.is_empty()).then_some(request)
    }

    /// Returns when [`Self::next_request`] will have something again, as far as that depends on time. If the time has passed,
    /// it has something now.
    #[must_use]
    pub fn next_ready(&self) -> Option<Duration> {
        let idle = self.shards.iter().filter(|(shard, queue)| queue.is_ready(shard, Duration::MAX));
        idle.map(|(_, queue)| queue.ready_at).min()
    }

    /// Takes the outcomes of the entries of a call, in their order. Returns the entries that were delivered, and queues the
    /// others again, before later entries.
    ///
    /// Entries without an outcome may have been delivered or not. They are sent again.
    pub fn settle<'a>(
        &mut self,
        request: PutRequest<T>,
        outcomes: impl IntoIterator<Item = PutOutcome<'a>>,
        now: Duration,
    ) -> Settled<T> {
        let mut settled = Settled::default();
        let mut shards = self.count_answered(&request);
        let mut outcomes = outcomes.into_iter();
        for ticketed in request.entries {
            let tally = shards.entry(shard_of(&ticketed.entry).into()).or_default();
            match outcomes.next().unwrap_or(PutOutcome::Failed) {
                PutOutcome::Delivered { shard_id } => {
                    tally.delivered += 1;
                    settled.delivered.push((ticketed.entry, shard_id.into()));
                    continue;
                }
                PutOutcome::Throttled => settled.throttled += 1,
                PutOutcome::Failed => settled.failed += 1,
            }
            tally.failed += 1;
            self.enqueue(ticketed);
        }
        for (shard, tally) in shards {
            self.back_off(&shard, tally, now);
        }
        settled
    }

    /// Takes back a call that failed as a whole, or whose response was lost: all its entries are queued again, before later
    /// entries.
    ///
    /// Not for a call that can never succeed, which would be retried forever: no such stream, no permission, a record above the
    /// limit of the stream; most responses with a status of 400 to 499 that are not about throttling. Use [`Self::give_up`] for
    /// these.
    pub fn retry(&mut self, request: PutRequest<T>, now: Duration) {
        _ = self.settle(request, [], now);
    }

    /// Takes back a call that would fail again however often it is put, or that is too old. Returns its entries in their order,
    /// to be set aside or pushed again.
    pub fn give_up(&mut self, request: PutRequest<T>) -> Vec<T> {
        for shard in self.count_answered(&request).into_keys() {
            self.remove_if_empty(&shard);
        }
        request.entries.into_iter().map(|ticketed| ticketed.entry).collect()
    }

    /// Removes and returns all queued entries, in the order in which they were added: to be routed again when the shards have
    /// changed. Entries in flight are not included.
    #[must_use = "queued entries are lost unless they are sent"]
    pub fn drain(&mut self) -> Vec<T> {
        let mut all: Vec<Ticketed<T>> =
            self.shards.values_mut().flat_map(|queue| core::mem::take(&mut queue.entries)).collect();
        self.shards.retain(|_, queue| queue.calls > 0);
        all.sort_unstable_by_key(|ticketed| ticketed.ticket);
        (self.queued, self.queued_bytes) = (0, 0);
        all.into_iter().map(|ticketed| ticketed.entry).collect()
    }

    /// Returns the number of queued entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.queued
    }

    /// Returns whether no entry is queued. Some may be in flight.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// Returns the size of the queued entries in bytes, partition keys included.
    #[must_use]
    pub const fn size_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Returns the number of entries in flight.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Queues an entry in the order of tickets.
    fn enqueue(&mut self, ticketed: Ticketed<T>) {
        self.queued += 1;
        self.queued_bytes = self.queued_bytes.saturating_add(ticketed.entry.size_bytes());
        let shard = shard_of(&ticketed.entry);
        let entries = match self.shards.get_mut(shard) {
            Some(queue) => &mut queue.entries,
            None => &mut self.shards.entry(shard.into()).or_default().entries,
        };
        // A new entry belongs at the end, a retried one near the front.
        let newest = entries.back().is_none_or(|last| last.ticket < ticketed.ticket);
        let position = if newest {
            entries.len()
        } else {
            entries.partition_point(|other| other.ticket < ticketed.ticket)
        };
        entries.insert(position, ticketed);
    }

    fn count_sent(&mut self, request: &PutRequest<T>) {
        self.queued -= request.entries.len();
        self.queued_bytes = self.queued_bytes.saturating_sub(request.size_bytes);
        self.in_flight += request.entries.len();
        for shard in request.shards().into_keys() {
            if let Some(queue) = self.shards.get_mut(&shard) {
                queue.calls += 1;
            }
        }
    }

    /// Counts a call that is no longer in flight. Returns its shards, with nothing delivered and nothing failed so far.
    fn count_answered(&mut self, request: &PutRequest<T>) -> BTreeMap<Box<str>, Tally> {
        self.in_flight = self.in_flight.saturating_sub(request.entries.len());
        let shards = request.shards();
        for shard in shards.keys() {
            if let Some(queue) = self.shards.get_mut(shard) {
                queue.calls = queue.calls.saturating_sub(1);
            }
        }
        shards
    }

    /// Holds the entries of a shard back, if some of them were not delivered.
    fn back_off(&mut self, shard: &str, tally: Tally, now: Duration) {
        let Some(queue) = self.shards.get_mut(shard) else { return };
        queue.failures = match tally {
            Tally { failed: 0, .. } => 0,
            Tally { delivered: 0, .. } => queue.failures.saturating_add(1),
            _ => 1,
        };
        queue.ready_at = Duration::ZERO;
        if let Some(doublings) = queue.failures.checked_sub(1) {
            let (first, longest) = self.backoff;
            let backoff = first.saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX));
            queue.ready_at = now.saturating_add(backoff.min(longest));
        }
        self.remove_if_empty(shard);
    }

    /// Removes the queue of a shard if it is empty. Entries without a shard may still be in flight in other calls, but nothing
    /// has to wait for those.
    fn remove_if_empty(&mut self, shard: &str) {
        if self.shards.get(shard).is_some_and(|queue| queue.entries.is_empty()) {
            self.shards.remove(shard);
        }
    }
}

/// The shard of an entry; empty if it has none.
fn shard_of<T: PutEntry>(entry: &T) -> &str {
    entry.shard_id().unwrap_or_default()
}

impl<T> ShardQueue<T> {
    /// Returns whether an entry may be sent now. Entries without a shard do not wait for calls in flight.
    fn is_ready(&self, shard: &str, now: Duration) -> bool {
        !self.entries.is_empty() && self.ready_at <= now && (self.calls == 0 || shard.is_empty())
    }
}

impl<T> Default for ShardQueue<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), calls: 0, failures: 0, ready_at: Duration::ZERO }
    }
}

impl<T: PutEntry> Extend<T> for PutQueue<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, entries: I) {
        for entry in entries {
            self.push(entry);
        }
    }
}

impl<T> fmt::Debug for PutQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutQueue")
            .field("queued", &self.queued)
            .field("queued_bytes", &self.queued_bytes)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}

/// How many entries of a shard in one call were delivered, and how many were not.
#[derive(Clone, Copy, Default)]
struct Tally {
    delivered: usize,
    failed: usize,
}

/// What one call puts. Return it to its queue with the outcome, by [`PutQueue::settle`], [`PutQueue::retry`] or
/// [`PutQueue::give_up`]. Until then no other entry of its shards is sent.
#[must_use = "its entries are lost unless it is returned to its queue"]
pub struct PutRequest<T = RoutedAggregate> {
    entries: Vec<Ticketed<T>>,
    size_bytes: usize,
}

impl<T> PutRequest<T> {
    /// Returns the entries, in the order in which they are to be put.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &T> {
        self.entries.iter().map(|ticketed| &ticketed.entry)
    }

    /// Returns the size of all entries in bytes, partition keys included.
    #[must_use]
    pub const fn size_bytes(&self) -> usize {
        self.size_bytes
    }
}

impl<T: PutEntry> PutRequest<T> {
    /// Returns the shards of its entries, with nothing counted so far.
    fn shards(&self) -> BTreeMap<Box<str>, Tally> {
        let mut shards = BTreeMap::new();
        for entry in self.entries() {
            let shard = shard_of(entry);
            if !shards.contains_key(shard) {
                shards.insert(shard.into(), Tally::default());
            }
        }
        shards
    }
}

impl<T> fmt::Debug for PutRequest<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutRequest")
            .field("entries", &self.entries.len())
            .field("size_bytes", &self.size_bytes)
            .finish_non_exhaustive()
    }
}

/// Something that is put as one entry of a PutRecords call.
pub trait PutEntry {
    /// Returns the size that Kinesis counts, in bytes: the data and the partition key (rule E6).
    fn size_bytes(&self) -> usize;

    /// Returns the shard that should take the entry, if it is known.
    fn shard_id(&self) -> Option<&str> {
        None
    }
}

impl PutEntry for RoutedAggregate {
    fn size_bytes(&self) -> usize {
        self.aggregate.size_bytes()
    }

    fn shard_id(&self) -> Option<&str> {
        self.shard_id.as_deref()
    }
}

impl PutEntry for Aggregate {
    fn size_bytes(&self) -> usize {
        self.size_bytes()
    }
}

/// The outcome of one entry of a PutRecords call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PutOutcome<'a> {
    /// A shard took the entry.
    Delivered {
        /// The id of this shard.
        shard_id: &'a str,
    },
    /// The shard is throttled: the error code is `ProvisionedThroughputExceededException`, `LimitExceededException` or
    /// `KMSThrottlingException`.
    Throttled,
    /// The entry failed for another reason, usually `InternalFailure`.
    Failed,
}

impl<'a> PutOutcome<'a> {
    /// Makes the outcome from `ErrorCode` and `ShardId` of an entry in the response.
    ///
    /// Without an error code the entry was delivered. If the shard is missing as well, which does not happen with Kinesis, its
    /// id is empty here. No shard map has this id, so a producer that routes by shard sends the entry again (rule R3).
    ///
    /// ```
    /// use kinesis_aggregation::route::PutOutcome;
    ///
    /// let throttled = PutOutcome::new(Some("ProvisionedThroughputExceededException"), None);
    /// assert_eq!(throttled, PutOutcome::Throttled);
    /// ```
    #[must_use]
    pub fn new(error_code: Option<&str>, shard_id: Option<&'a str>) -> Self {
        match error_code {
            None | Some("") => Self::Delivered { shard_id: shard_id.unwrap_or_default() },
            Some(
                "ProvisionedThroughputExceededException"
                | "LimitExceededException"
                | "KMSThrottlingException",
            ) => Self::Throttled,
            Some(_) => Self::Failed,
        }
    }
}

/// The outcome of a PutRecords call, returned by [`PutQueue::settle`]. Entries that were not delivered are queued again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "an aggregate on the wrong shard has to be sent again"]
pub struct Settled<T> {
    /// The entries that were delivered, in the order of the call, each with the shard that took it: for
    /// [`AggregationManager::confirm`](crate::AggregationManager::confirm).
    pub delivered: Vec<(T, Box<str>)>,
    /// The number of entries that were throttled.
    pub throttled: usize,
    /// The number of entries that failed for other reasons, or have no outcome.
    pub failed: usize,
}

impl<T> Default for Settled<T> {
    fn default() -> Self {
        Self { delivered: Vec::new(), throttled: 0, failed: 0 }
    }
}
