//! Shards that are not in the map any more, and the times to list shards (rule P3).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::ShardMap;
use crate::produce::config::ProducerConfig;
use crate::produce::outcome::ListId;
use crate::produce::pace::{Backoff, Jitter};
use crate::route::HashKeyRange;

/// The time for which the ranges of shards are kept after they have left the map, as in the KPL.
const KEEP_CLOSED: Duration = Duration::from_secs(60);

/// The ranges of shards that were in the map.
#[derive(Clone, Debug, Default)]
pub(super) struct ClosedShards {
    ranges: BTreeMap<Box<str>, (HashKeyRange, Duration)>,
}

impl ClosedShards {
    /// Keeps the shards of a map that is replaced at `now`.
    pub(super) fn keep(&mut self, old: &ShardMap, new: &ShardMap, now: Duration) {
        for shard in old.shards().filter(|shard| new.find(shard.id()).is_none()) {
            self.ranges.insert(shard.id().into(), (shard.range(), now.saturating_add(KEEP_CLOSED)));
        }
    }

    pub(super) fn range(&self, id: &str) -> Option<HashKeyRange> {
        self.ranges.get(id).map(|&(range, _)| range)
    }

    /// Forgets those that were kept long enough.
    pub(super) fn prune(&mut self, now: Duration) {
        self.ranges.retain(|_, &mut (_, until)| until > now);
    }

    pub(super) fn clear(&mut self) {
        self.ranges.clear();
    }
}

/// When the shards are listed: one listing at a time, not too often, and only when something asks for it.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    wanted: bool,
    in_flight: Option<(u64, Duration)>,
    /// Counts the listings; the next one has this number.
    next: u64,
    not_before: Duration,
    backoff: Backoff,
}

impl Listing {
    pub(super) const fn new(wanted: bool) -> Self {
        Self { wanted, in_flight: None, next: 0, not_before: Duration::ZERO, backoff: Backoff::NONE }
    }

    pub(super) const fn want(&mut self) {
        self.wanted = true;
    }

    /// The number of the next listing.
    pub(super) const fn next_number(&self) -> u64 {
        self.next
    }

    /// Begins a listing if one is due.
    pub(super) fn begin(&mut self, now: Duration, config: &ProducerConfig) -> Option<ListId> {
        if !self.wanted || self.in_flight.is_some() || self.due() > now {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.wanted = false;
        self.in_flight = Some((number, now.saturating_add(config.call_timeout)));
        self.not_before = now.saturating_add(config.list_interval);
        Some(ListId(number))
    }

    /// Ends a listing; returns whether it is the one in flight.
    pub(super) fn end(&mut self, id: ListId) -> bool {
        let current = self.in_flight.is_some_and(|(number, _)| number == id.0);
        if current {
            self.in_flight = None;
        }
        current
    }

    /// Ends a listing that was not answered in time; returns whether there was one.
    pub(super) fn time_out(&mut self, now: Duration) -> bool {
        let late = self.in_flight.is_some_and(|(_, until)| until <= now);
        if late {
            self.in_flight = None;
        }
        late
    }

    pub(super) fn failed(&mut self, now: Duration, config: &ProducerConfig, jitter: &mut Jitter) {
        self.wanted = true;
        self.backoff.failed(self.next, self.next, now, config.backoff, jitter);
    }

    pub(super) const fn succeeded(&mut self) {
        self.backoff = Backoff::NONE;
    }

    /// When something is to be done about it.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.in_flight {
            Some((_, until)) => Some(until),
            None => self.wanted.then(|| self.due()),
        }
    }

    fn due(&self) -> Duration {
        self.not_before.max(self.backoff.until)
    }
}
