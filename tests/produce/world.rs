//! A stream and the network in front of it, on a simulated clock.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BTreeMap, BinaryHeap};

use kinesis_aggregation::ShardMap;
use kinesis_aggregation::route::{HashKey, HashKeyRange, Shard};

use crate::random::Random;

/// A record as a shard stores it.
pub(crate) struct Stored {
    pub(crate) data: Vec<u8>,
    /// The position among all records that the stream stored, in time.
    pub(crate) number: u64,
}

pub(crate) struct StreamShard {
    pub(crate) id: String,
    pub(crate) range: HashKeyRange,
    parents: [Option<usize>; 2],
    pub(crate) open: bool,
    /// The time at which the write limits allow the next byte and the next record.
    bytes_at: Duration,
    records_at: Duration,
    /// The factor by which it is slower than a shard.
    slowdown: u32,
    pub(crate) stored: Vec<Stored>,
}

/// The faults that calls in flight meet.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) round_trip: Duration,
    /// The percentage by which it may be longer or shorter.
    pub(crate) jitter: u32,
    /// One call in so many takes `slow_for`.
    pub(crate) slow_one_in: u32,
    pub(crate) slow_for: Duration,
    /// One call in so many never arrives, and one in so many arrives but is never answered.
    pub(crate) vanish_one_in: u32,
    pub(crate) unanswered_one_in: u32,
    /// One call in so many fails as a whole: with some of `FailureKind`.
    pub(crate) fail_one_in: u32,
    /// One entry in so many fails with `InternalFailure`.
    pub(crate) entry_fail_one_in: u32,
    /// One listing in so many fails, is never answered, or has a gap.
    pub(crate) list_fail_one_in: u32,
    /// True if shards have write limits.
    pub(crate) limits: bool,
    /// True if an entry is rejected when an earlier one of the same shard was, in the same call.
    pub(crate) in_order: bool,
    /// A record whose data contains this is never accepted: the call breaks a rule.
    pub(crate) poison: Option<Vec<u8>>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            round_trip: Duration::from_millis(100),
            jitter: 30,
            slow_one_in: 0,
            slow_for: Duration::ZERO,
            vanish_one_in: 0,
            unanswered_one_in: 0,
            fail_one_in: 0,
            entry_fail_one_in: 0,
            list_fail_one_in: 0,
            limits: true,
            in_order: true,
            poison: None,
        }
    }
}

pub(crate) struct Put {
    pub(crate) data: Vec<u8>,
    pub(crate) partition_key: String,
    pub(crate) explicit_hash_key: Option<HashKey>,
}

/// The answer to an entry: shard and sequence number, or the error code.
pub(crate) type EntryResult = Result<(String, String), &'static str>;

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Entries(Vec<EntryResult>),
    Failed(kinesis_aggregation::produce::FailureKind, &'static str),
}

/// A message in the network.
pub(crate) enum Event {
    Arrives(u64, Vec<Put>),
    Answered(u64, Answer),
    ListArrives(u64),
    Listed(u64, Option<ShardMap>),
}

pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) shards: Vec<StreamShard>,
    pub(crate) network: Network,
    pub(crate) random: Random,
    events: BinaryHeap<Reverse<(Duration, u64)>>,
    carried: BTreeMap<u64, Event>,
    next_event: u64,
    stored: u64,
    generation: u32,
    pub(crate) bytes_accepted: u64,
    pub(crate) bytes_offered: u64,
    pub(crate) entries_offered: u64,
    pub(crate) calls: u64,
    pub(crate) lists: u64,
    pub(crate) reshards: u64,
    /// Until when the stream is gone at least. It comes back once the producer knows, as a stream is deleted slowly.
    gone_until: Option<Duration>,
    gone_is_known: bool,
    /// The first call from this time on takes five seconds.
    pub(crate) slow_from: Option<Duration>,
    /// The records in that call, and the shards that took them.
    pub(crate) slow_records: Vec<u32>,
    pub(crate) slow_shards: Vec<String>,
}

fn even(shard: u128, count: u128) -> HashKeyRange {
    let width = u128::MAX / count;
    let end = if shard + 1 == count { u128::MAX } else { (shard + 1) * width - 1 };
    HashKeyRange::new(HashKey::new(shard * width), HashKey::new(end)).unwrap()
}

impl World {
    pub(crate) fn new(shards: u32, network: Network, seed: u64) -> Self {
        let mut world = Self {
            now: Duration::from_secs(1000),
            shards: Vec::new(),
            network,
            random: Random::new(seed),
            events: BinaryHeap::new(),
            carried: BTreeMap::new(),
            next_event: 0,
            stored: 0,
            generation: 0,
            bytes_accepted: 0,
            bytes_offered: 0,
            entries_offered: 0,
            calls: 0,
            lists: 0,
            reshards: 0,
            gone_until: None,
            gone_is_known: false,
            slow_from: None,
            slow_records: Vec::new(),
            slow_shards: Vec::new(),
        };
        for shard in 0..shards {
            world.open(even(shard.into(), shards.into()), [None, None]);
        }
        world
    }

    fn open(&mut self, range: HashKeyRange, parents: [Option<usize>; 2]) {
        let id = format!("shardId-{:012}", self.shards.len() - self.first_of_generation());
        // It has taken nothing for a second.
        let rested = self.now - Duration::from_secs(1);
        self.shards.push(StreamShard {
            id,
            range,
            parents,
            open: true,
            bytes_at: rested,
            records_at: rested,
            slowdown: 1,
            stored: Vec::new(),
        });
    }

    /// Shards before this one belong to a stream that was deleted.
    fn first_of_generation(&self) -> usize {
        self.generation as usize
    }

    /// Makes a shard accept less.
    pub(crate) fn slow_down(&mut self, shard: usize, factor: u32) {
        self.shards[shard].slowdown = factor;
    }

    /// Splits or merges shards at random.
    pub(crate) fn reshard(&mut self) {
        let mut open: Vec<usize> = (0..self.shards.len()).filter(|&shard| self.shards[shard].open).collect();
        open.sort_by_key(|&shard| self.shards[shard].range.start());
        let at = self.random.below(open.len());
        self.reshards += 1;
        if open.len() > 1 && self.random.one_in(2) {
            let at = at.min(open.len() - 2);
            let (a, b) = (open[at], open[at + 1]);
            let range = HashKeyRange::new(self.shards[a].range.start(), self.shards[b].range.end()).unwrap();
            self.shards[a].open = false;
            self.shards[b].open = false;
            self.open(range, [Some(a), Some(b)]);
            return;
        }
        let range = self.shards[open[at]].range;
        let (start, end) = (range.start().get(), range.end().get());
        if end - start < 4 {
            return;
        }
        let middle = start + (end - start) / 8 * (1 + self.random.below(7)) as u128 + 1;
        self.shards[open[at]].open = false;
        let range = |start, end| HashKeyRange::new(HashKey::new(start), HashKey::new(end)).unwrap();
        self.open(range(start, middle - 1), [Some(open[at]), None]);
        self.open(range(middle, end), [Some(open[at]), None]);
    }

    /// Deletes the stream and creates it again, with other shards. Meanwhile there is none.
    pub(crate) fn recreate(&mut self, shards: u32, after: Duration) {
        self.gone_until = Some(self.now + after);
        for shard in &mut self.shards {
            shard.open = false;
        }
        self.generation = self.shards.len() as u32;
        for shard in 0..shards {
            self.open(even(shard.into(), shards.into()), [None, None]);
        }
    }

    pub(crate) fn was_recreated(&self) -> bool {
        self.generation > 0
    }

    fn is_gone(&self) -> bool {
        self.gone_until.is_some_and(|until| {
            // A producer that does not know the shards makes no calls, so it is never told.
            let long_ago = until + Duration::from_secs(1000);
            self.now < until || !self.gone_is_known && self.now < long_ago
        })
    }

    /// The longest time that a call or a listing takes where nothing happens to it.
    pub(crate) fn longest_round_trip(&self) -> Duration {
        self.network.round_trip * (100 + self.network.jitter) / 100
    }

    pub(crate) fn next_event(&self) -> Option<Duration> {
        self.events.peek().map(|Reverse((at, _))| *at)
    }

    fn carry(&mut self, after: Duration, event: Event) {
        let number = self.next_event;
        self.next_event += 1;
        self.events.push(Reverse((self.now + after, number)));
        self.carried.insert(number, event);
    }

    fn one_way(&mut self) -> Duration {
        let network = &self.network;
        if network.slow_one_in > 0 && self.random.one_in(network.slow_one_in as usize) {
            return self.network.slow_for;
        }
        let percent = 100 - network.jitter + self.random.below(2 * network.jitter as usize + 1) as u32;
        network.round_trip * percent / 200
    }

    fn happens(&mut self, one_in: u32) -> bool {
        one_in > 0 && self.random.one_in(one_in as usize)
    }

    pub(crate) fn send(&mut self, id: u64, entries: Vec<Put>) {
        self.bytes_offered +=
            entries.iter().map(|put| (put.data.len() + put.partition_key.len()) as u64).sum::<u64>();
        self.calls += 1;
        self.entries_offered += entries.len() as u64;
        if self.happens(self.network.vanish_one_in) {
            return;
        }
        let mut way = self.one_way();
        if self.slow_from.is_some_and(|from| from <= self.now) {
            self.slow_from = None;
            way = Duration::from_secs(5);
            for put in &entries {
                let users = kinesis_aggregation::deaggregate(&put.data);
                self.slow_records
                    .extend(users.map(|user| u32::from_le_bytes(*user.data.first_chunk().unwrap())));
                let key = put.explicit_hash_key.unwrap();
                let shard = self.shards.iter().find(|shard| shard.open && shard.range.contains(key));
                self.slow_shards.push(shard.unwrap().id.clone());
            }
        }
        self.carry(way, Event::Arrives(id, entries));
    }

    pub(crate) fn list(&mut self, id: u64) {
        self.lists += 1;
        let way = self.one_way();
        self.carry(way, Event::ListArrives(id));
    }

    /// Lets the next thing happen; returns what the producer is told.
    pub(crate) fn step(&mut self) -> Option<Event> {
        use kinesis_aggregation::produce::FailureKind::*;
        let Reverse((at, number)) = self.events.pop()?;
        self.now = self.now.max(at);
        match self.carried.remove(&number)? {
            Event::Arrives(id, entries) => {
                let way = self.one_way();
                let answer = if self.is_gone() {
                    Answer::Failed(Denied, "ResourceNotFoundException")
                } else if self.happens(self.network.fail_one_in) {
                    let (kind, stores) =
                        [(Throttled, false), (Transient, false), (Unclear, true), (NotSent, false)]
                            [self.random.below(4)];
                    if stores && self.random.one_in(2) {
                        self.put(&entries);
                    }
                    Answer::Failed(kind, "SimulatedFailure")
                } else if self.is_poisoned(&entries) {
                    Answer::Failed(Rejected, "ValidationException")
                } else {
                    Answer::Entries(self.put(&entries))
                };
                if !self.happens(self.network.unanswered_one_in) {
                    self.carry(way, Event::Answered(id, answer));
                }
                None
            }
            Event::ListArrives(id) => {
                let way = self.one_way();
                let map = if self.is_gone() {
                    None
                } else if !self.happens(self.network.list_fail_one_in) {
                    self.map()
                } else if self.random.one_in(3) {
                    return None;
                } else {
                    None
                };
                self.carry(way, Event::Listed(id, map));
                None
            }
            told => {
                self.gone_is_known |= matches!(&told, Event::Answered(_, Answer::Failed(Denied, _)));
                Some(told)
            }
        }
    }

    /// Returns whether this is never accepted.
    pub(crate) fn is_poison(&self, data: &[u8]) -> bool {
        let Some(poison) = &self.network.poison else { return false };
        data.windows(poison.len()).any(|window| window == poison)
    }

    fn is_poisoned(&self, entries: &[Put]) -> bool {
        entries.iter().any(|put| self.is_poison(&put.data))
    }

    /// Returns whether no fault befalls calls.
    pub(crate) fn is_calm(&self) -> bool {
        let Network { slow_one_in, vanish_one_in, unanswered_one_in, fail_one_in, entry_fail_one_in, .. } =
            self.network;
        let odds = [slow_one_in, vanish_one_in, unanswered_one_in, fail_one_in, entry_fail_one_in];
        odds == [0; 5] && self.network.poison.is_none() && !self.was_recreated()
    }

    /// The shards as ListShards describes them.
    pub(crate) fn map(&self) -> Option<ShardMap> {
        let shards = self.shards.iter().skip(self.first_of_generation());
        ShardMap::new(shards.map(|shard| {
            let parent = |parent: Option<usize>| parent.map(|parent| self.shards[parent].id.as_str());
            let described = Shard::new(&shard.id, shard.range)
                .with_parents(parent(shard.parents[0]), parent(shard.parents[1]));
            if shard.open { described } else { described.closed() }
        }))
        .ok()
    }

    /// Returns whether some closed shard had hash keys of both.
    fn are_related(&self, one: usize, other: usize) -> bool {
        let overlaps = |closed: &StreamShard, shard: usize| {
            let (a, b) = (closed.range, self.shards[shard].range);
            a.start() <= b.end() && b.start() <= a.end()
        };
        let mut closed = self.shards.iter().filter(|shard| !shard.open);
        one == other || closed.any(|closed| overlaps(closed, one) && overlaps(closed, other))
    }

    fn put(&mut self, entries: &[Put]) -> Vec<EntryResult> {
        let mut full = Vec::new();
        let mut results = Vec::new();
        for put in entries {
            let key = put.explicit_hash_key.unwrap_or_else(|| HashKey::of_partition_key(&put.partition_key));
            let shard = self.shards.iter().position(|shard| shard.open && shard.range.contains(key)).unwrap();
            // A producer that does not know of a reshard mixes the records of children in its aggregates.
            if self.network.in_order && full.iter().any(|&other| self.are_related(shard, other)) {
                results.push(Err("ProvisionedThroughputExceededException"));
                continue;
            }
            let size = put.data.len() + put.partition_key.len();
            if self.happens(self.network.entry_fail_one_in) {
                full.push(shard);
                results.push(Err("InternalFailure"));
                continue;
            }
            let (now, limits) = (self.now, self.network.limits);
            let taken = &mut self.shards[shard];
            if limits {
                // A second's worth may be written at once.
                let floor = now - Duration::from_secs(1);
                let (bytes_at, records_at) = (taken.bytes_at.max(floor), taken.records_at.max(floor));
                let byte_time = Duration::from_secs(1) * size as u32 / (1024 * 1024) * taken.slowdown;
                if bytes_at + byte_time > now || records_at > now {
                    full.push(shard);
                    results.push(Err("ProvisionedThroughputExceededException"));
                    continue;
                }
                taken.bytes_at = bytes_at + byte_time;
                taken.records_at = records_at + Duration::from_millis(1) * taken.slowdown;
            }
            self.stored += 1;
            self.bytes_accepted += size as u64;
            taken.stored.push(Stored { data: put.data.clone(), number: self.stored });
            results.push(Ok((taken.id.clone(), format!("{}", self.stored))));
        }
        results
    }
}
