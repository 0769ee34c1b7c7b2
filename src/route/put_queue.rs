//! Entries that wait for their PutRecords call.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::route::{PutEntry, PutOutcome, RoutedAggregate, Settled};

/// Batches entries into PutRecords calls, and keeps what has to go again.
///
/// It sends nothing itself: it says what the next call holds, and is told what the answer was.
///
/// - A call has at most 500 entries and 5 MiB, partition keys counted.
/// - Shards take turns, so one with much to send, or one that is throttled, holds up no other.
/// - Entries of one shard go in their order. While some are on their way no others of this shard are, and what failed goes
///   before what came later. Kinesis itself may take a later entry of a call and not an earlier one.
/// - A shard that throttled, or failed, rests for a while: twice as long each time that nothing gets through.
/// - Every entry is waiting, on its way, or handed back as delivered: none is lost, and none is sent again but what was not
///   known to be delivered.
///
/// Entries without a shard are one queue that takes its turn like a shard; any number of their calls may be on their way.
///
/// It takes whatever it is given, and counts neither time nor attempts: stop adding while [`Self::size_bytes`] and what is on
/// its way are above a bound of yours, and wrap entries in a type of your own that implements [`PutEntry`] to know how old they are.
///
/// ```
/// use std::time::Instant;
/// use kinesis_aggregation::{AggregationManager, Limits, Placement, PutOutcome, PutQueue, UserRecord};
///
/// let mut manager = AggregationManager::by_keys(Limits::default());
/// let mut queue = PutQueue::new();
/// queue.extend(manager.add(UserRecord::new("device-7", "21.5"))?);
/// queue.extend(manager.flush());
///
/// let clock = Instant::now();
/// while !queue.is_empty() {
///     let Some(request) = queue.next_request(clock.elapsed()) else {
///         // All that waits is for shards that rest.
///         let ready = queue.next_ready().unwrap_or_default();
///         std::thread::sleep(ready.saturating_sub(clock.elapsed()));
///         continue;
///     };
///     // Put request.entries(), and read the answer, entry by entry:
///     let answer = request.entries().map(|_| PutOutcome::new(None, Some("shardId-000000000000")));
///     let outcomes: Vec<PutOutcome<'_>> = answer.collect();
///     for (aggregate, shard_id) in queue.settle(request, outcomes, clock.elapsed()).delivered {
///         // Packed by shard, it may be misplaced, and has to be put back: docs/routing.md shows how.
///         assert_eq!(manager.confirm(aggregate, &shard_id), Placement::Delivered);
///     }
/// }
/// # Ok::<(), kinesis_aggregation::EncodeError>(())
/// ```
#[derive(Clone)]
pub struct PutQueue<T = RoutedAggregate> {
    max_entries: usize,
    max_request_bytes: usize,
    rests: (Duration, Duration),
    /// By shard; those without a shard have an empty name. A lane that has nothing to tell is not here.
    lanes: BTreeMap<Box<str>, Lane<T>>,
    /// The lane whose turn it is, if it is there, else the one behind.
    turn: Box<str>,
    next_ticket: u64,
    waiting: usize,
    waiting_bytes: usize,
    in_flight: usize,
}

/// What waits for one shard.
#[derive(Clone)]
struct Lane<T> {
    /// In the order of their tickets.
    waiting: VecDeque<Ticketed<T>>,
    /// How many calls with entries of this lane are on their way.
    calls: usize,
    /// How often in a row nothing got through.
    failures: u32,
    rests_until: Duration,
}

/// An entry with its number in the order of coming.
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
            rests: (Duration::from_millis(100), Duration::from_secs(5)),
            lanes: BTreeMap::new(),
            turn: Box::default(),
            next_ticket: 0,
            waiting: 0,
            waiting_bytes: 0,
            in_flight: 0,
        }
    }
}

impl<T: PutEntry> PutQueue<T> {
    /// A queue for calls of at most 500 entries and 5 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with at most `count` entries in a call: 1 to 500, other numbers are taken for the nearer of them.
    #[must_use]
    pub fn with_max_entries(self, count: usize) -> Self {
        Self { max_entries: count.clamp(1, 500), ..self }
    }

    /// The same with at most `bytes` in a call, partition keys included. Kinesis takes up to 10 MiB where records may be that
    /// large; a larger number is taken for it. An entry that is larger than a call may be goes in a call of its own.
    #[must_use]
    pub fn with_max_request_bytes(self, bytes: usize) -> Self {
        Self { max_request_bytes: bytes.min(10 * 1024 * 1024), ..self }
    }

    /// The same with other times of rest: 100 milliseconds after something did not get through, and twice as long each time
    /// that nothing does, up to 5 seconds, unless set.
    #[must_use]
    pub fn with_rests(self, first: Duration, longest: Duration) -> Self {
        Self { rests: (first, longest), ..self }
    }

    /// Adds an entry behind all others of its shard.
    pub fn push(&mut self, entry: T) {
        let ticket = self.next_ticket;
        self.next_ticket = ticket.saturating_add(1);
        self.wait(Ticketed { ticket, entry });
    }

    /// Takes what the next call should put, if there is anything that may go now, by any clock that never goes back.
    ///
    /// Calls may be on their way at the same time, as many as this hands out.
    pub fn next_request(&mut self, now: Duration) -> Option<PutRequest<T>> {
        let mut request = PutRequest { entries: Vec::new(), size_bytes: 0 };
        let mut lanes: VecDeque<_> =
            self.lanes.iter_mut().filter(|(shard, lane)| lane.is_ready(shard, now)).collect();
        lanes.rotate_left(lanes.partition_point(|(shard, _)| **shard < self.turn));
        // The first whose next entry is too large for what is left of this call begins the next one.
        let mut passed_over = None;
        while request.entries.len() < self.max_entries {
            let Some((shard, lane)) = lanes.pop_front() else { break };
            let Some(next) = lane.waiting.front() else { continue };
            let size_bytes = request.size_bytes.saturating_add(next.entry.size_bytes());
            if size_bytes > self.max_request_bytes && !request.entries.is_empty() {
                passed_over = passed_over.or(Some(shard));
                continue;
            }
            request.entries.extend(lane.waiting.pop_front());
            request.size_bytes = size_bytes;
            lanes.push_back((shard, lane));
        }
        if let Some(shard) = passed_over.or(lanes.front().map(|(shard, _)| *shard)) {
            self.turn = shard.clone();
        }
        drop(lanes);
        self.depart(&request);
        (!request.entries.is_empty()).then_some(request)
    }

    /// When [`Self::next_request`] will have something again, as far as that depends on time: at once, if the time is past.
    #[must_use]
    pub fn next_ready(&self) -> Option<Duration> {
        let idle = self.lanes.iter().filter(|(shard, lane)| lane.is_ready(shard, Duration::MAX));
        idle.map(|(_, lane)| lane.rests_until).min()
    }

    /// Takes the answer to a call: what became of its entries, in their order. Hands back those that were delivered, and
    /// lets the others wait again, before what came later. Those that the answer does not name may have been delivered or
    /// not; they go again.
    pub fn settle<'a>(
        &mut self,
        request: PutRequest<T>,
        outcomes: impl IntoIterator<Item = PutOutcome<'a>>,
        now: Duration,
    ) -> Settled<T> {
        let mut settled = Settled::default();
        let mut shards = self.arrive(&request);
        let mut outcomes = outcomes.into_iter();
        for ticketed in request.entries {
            let tally = shards.entry(lane_of(&ticketed.entry).into()).or_insert((0, 0));
            match outcomes.next().unwrap_or(PutOutcome::Failed) {
                PutOutcome::Delivered { shard_id } => {
                    tally.0 = tally.0.saturating_add(1);
                    settled.delivered.push((ticketed.entry, shard_id.into()));
                    continue;
                }
                PutOutcome::Throttled => settled.throttled = settled.throttled.saturating_add(1),
                PutOutcome::Failed => settled.failed = settled.failed.saturating_add(1),
            }
            tally.1 = tally.1.saturating_add(1);
            self.wait(ticketed);
        }
        for (shard, (delivered, kept)) in shards {
            self.rest(&shard, delivered, kept, now);
        }
        settled
    }

    /// Takes back a call that failed as a whole, or whose answer was lost: all of it goes again, before what came later.
    ///
    /// Not for a call that will never be taken (no such stream, no permission, a record above the stream's limit: most answers with
    /// a status of 400 to 499 that do not speak of throttling): it would come back without end. [`Self::give_up`] is for that.
    pub fn retry(&mut self, request: PutRequest<T>, now: Duration) {
        _ = self.settle(request, [], now);
    }

    /// Takes back a call that would fail again however often it is put, or that is too old, and hands its entries back in their
    /// order: to be set aside, or, those that are to go again, pushed.
    pub fn give_up(&mut self, request: PutRequest<T>) -> Vec<T> {
        for shard in self.arrive(&request).into_keys() {
            self.forget(&shard);
        }
        request.entries.into_iter().map(|ticketed| ticketed.entry).collect()
    }

    /// Takes out all that waits, in the order in which it came: to be routed anew when the shards have changed. What is on its
    /// way is not among it.
    #[must_use = "what waited is lost unless it is sent"]
    pub fn drain(&mut self) -> Vec<T> {
        let mut all: Vec<Ticketed<T>> =
            self.lanes.values_mut().flat_map(|lane| core::mem::take(&mut lane.waiting)).collect();
        self.lanes.retain(|_, lane| lane.calls > 0);
        all.sort_unstable_by_key(|ticketed| ticketed.ticket);
        (self.waiting, self.waiting_bytes) = (0, 0);
        all.into_iter().map(|ticketed| ticketed.entry).collect()
    }

    /// Counts the entries that wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.waiting
    }

    /// Says whether no entry waits. Some may be on their way.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Counts the bytes that wait, partition keys included.
    #[must_use]
    pub const fn size_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Counts the entries on their way.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Lets an entry wait at its place.
    fn wait(&mut self, ticketed: Ticketed<T>) {
        self.waiting = self.waiting.saturating_add(1);
        self.waiting_bytes = self.waiting_bytes.saturating_add(ticketed.entry.size_bytes());
        let shard = lane_of(&ticketed.entry);
        let waiting = match self.lanes.get_mut(shard) {
            Some(lane) => &mut lane.waiting,
            None => &mut self.lanes.entry(shard.into()).or_default().waiting,
        };
        // At the end, where it is new; what comes back belongs near the front.
        let newest = waiting.back().is_none_or(|last| last.ticket < ticketed.ticket);
        let place = if newest {
            waiting.len()
        } else {
            waiting.partition_point(|other| other.ticket < ticketed.ticket)
        };
        waiting.insert(place, ticketed);
    }

    /// Counts what leaves.
    fn depart(&mut self, request: &PutRequest<T>) {
        self.waiting = self.waiting.saturating_sub(request.entries.len());
        self.waiting_bytes = self.waiting_bytes.saturating_sub(request.size_bytes);
        self.in_flight = self.in_flight.saturating_add(request.entries.len());
        for shard in request.shards().into_keys() {
            if let Some(lane) = self.lanes.get_mut(&shard) {
                lane.calls = lane.calls.saturating_add(1);
            }
        }
    }

    /// Counts what is back. Answers with the lanes it is of, each with nothing delivered and nothing kept so far.
    fn arrive(&mut self, request: &PutRequest<T>) -> BTreeMap<Box<str>, (usize, usize)> {
        self.in_flight = self.in_flight.saturating_sub(request.entries.len());
        let shards = request.shards();
        for shard in shards.keys() {
            if let Some(lane) = self.lanes.get_mut(shard) {
                lane.calls = lane.calls.saturating_sub(1);
            }
        }
        shards
    }

    /// Lets a lane rest, if something of it did not get through.
    fn rest(&mut self, shard: &str, delivered: usize, kept: usize, now: Duration) {
        let Some(lane) = self.lanes.get_mut(shard) else { return };
        lane.failures = match (delivered, kept) {
            (_, 0) => 0,
            (0, _) => lane.failures.saturating_add(1),
            _ => 1,
        };
        lane.rests_until = Duration::ZERO;
        if let Some(doublings) = lane.failures.checked_sub(1) {
            let (first, longest) = self.rests;
            let rest = first.saturating_mul(1u32.checked_shl(doublings).unwrap_or(u32::MAX));
            lane.rests_until = now.saturating_add(rest.min(longest));
        }
        self.forget(shard);
    }

    /// Drops a lane that has nothing to tell. Entries without a shard may be on their way in other calls, which nothing has to
    /// wait for.
    fn forget(&mut self, shard: &str) {
        if self.lanes.get(shard).is_some_and(|lane| lane.waiting.is_empty()) {
            self.lanes.remove(shard);
        }
    }
}

/// The name of an entry's lane.
fn lane_of<T: PutEntry>(entry: &T) -> &str {
    entry.shard_id().unwrap_or_default()
}

impl<T> Lane<T> {
    /// Whether something may go now. Of entries without a shard, nothing has to wait for an answer.
    fn is_ready(&self, shard: &str, now: Duration) -> bool {
        !self.waiting.is_empty() && self.rests_until <= now && (self.calls == 0 || shard.is_empty())
    }
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), calls: 0, failures: 0, rests_until: Duration::ZERO }
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
            .field("waiting", &self.waiting)
            .field("waiting_bytes", &self.waiting_bytes)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}

/// What one call puts. It goes back to its queue with the answer: [`PutQueue::settle`], [`PutQueue::retry`] or
/// [`PutQueue::give_up`]. Until then no other entry of its shards leaves.
#[must_use = "its entries are lost unless it goes back to its queue"]
pub struct PutRequest<T = RoutedAggregate> {
    entries: Vec<Ticketed<T>>,
    size_bytes: usize,
}

impl<T> PutRequest<T> {
    /// The entries, in the order in which they are to be put.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &T> {
        self.entries.iter().map(|ticketed| &ticketed.entry)
    }

    /// The bytes of all entries, partition keys included.
    #[must_use]
    pub const fn size_bytes(&self) -> usize {
        self.size_bytes
    }
}

impl<T: PutEntry> PutRequest<T> {
    /// The lanes of its entries, each with zeros to count with.
    fn shards(&self) -> BTreeMap<Box<str>, (usize, usize)> {
        let mut shards = BTreeMap::new();
        for entry in self.entries() {
            let shard = lane_of(entry);
            if !shards.contains_key(shard) {
                shards.insert(shard.into(), (0, 0));
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
