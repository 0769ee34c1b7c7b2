//! A producer, which does what its manager returns.

use core::time::Duration;

use kinesis_aggregation::route::{Placement, RoutedAggregate};
use kinesis_aggregation::{AggregationManager, UserRecord};

use super::ledger::{Counts, Ledger};
use super::stream::{Stream, any_hash_key};
use crate::common::random::Random;

pub(crate) struct Producer {
    manager: AggregationManager,
    /// The version of the stream that its map shows.
    version: usize,
    /// What is to be put.
    outbox: Vec<RoutedAggregate>,
    /// Puts that are in flight.
    answers: Vec<Answer>,
}

/// What a producer is told about a put.
struct Answer {
    aggregate: RoutedAggregate,
    /// The shard, or none if it is told that the put failed.
    shard: Option<String>,
    /// Whether the stream took it, whatever the producer is told.
    landed: bool,
}

impl Producer {
    pub(crate) fn new(manager: AggregationManager, version: usize) -> Self {
        Self { manager, version, outbox: Vec::new(), answers: Vec::new() }
    }

    /// Says whether all it ever added is delivered, as far as it knows.
    pub(crate) fn is_idle(&self) -> bool {
        self.manager.is_empty() && self.outbox.is_empty() && self.answers.is_empty()
    }

    /// Adds the next user record.
    pub(crate) fn add(&mut self, now: Duration, stream: &Stream, random: &mut Random, ledger: &mut Ledger) {
        let number = u64::try_from(ledger.counts.records).unwrap();
        ledger.counts.records += 1;
        let data = [number.to_le_bytes().to_vec(), random.bytes(random_len(number))].concat();
        let partition_key = format!("device-{}", random.below(300));
        let explicit = match random.below(8) {
            0 => Some(any_hash_key(random)),
            1 => Some(stream.edge(random)),
            2 => Some(u128::try_from(random.below(20)).unwrap()),
            _ => None,
        };
        let explicit = explicit.map(|key| key.to_string());
        let record = UserRecord::new(&partition_key, &data);
        let record = explicit.as_deref().map_or(record, |key| record.with_explicit_hash_key(key));
        let full = if random.one_in(4) { self.manager.add(record) } else { self.manager.add_at(record, now) };
        self.outbox.extend(full.unwrap());
    }

    /// Flushes its manager.
    pub(crate) fn flush(&mut self, counts: &mut Counts) {
        let rest = self.manager.flush();
        counts.flushed += rest.len();
        self.outbox.extend(rest);
    }

    /// Puts something, hears of something, or looks after its map and its clock.
    pub(crate) fn work(
        &mut self,
        now: Duration,
        stream: &mut Stream,
        random: &mut Random,
        ledger: &mut Ledger,
    ) {
        if random.one_in(20) {
            let expired = self.manager.expired(now);
            ledger.counts.expired += expired.len();
            self.outbox.extend(expired);
        }
        match random.below(400) {
            0 => self.flush(&mut ledger.counts),
            1 => self.refresh(stream, random, &mut ledger.counts),
            2..40 => {
                let shard = self.manager.pending().nth(random.below(40)).and_then(|pending| pending.shard_id);
                let shard = shard.map(str::to_owned);
                self.outbox.extend(shard.and_then(|shard| self.manager.flush_shard(&shard)));
            }
            _ => {}
        }
        while !self.outbox.is_empty() && random.one_in(2) {
            let aggregate = self.outbox.swap_remove(random.below(self.outbox.len()));
            self.put(aggregate, stream, random, ledger);
        }
        while !self.answers.is_empty() && random.one_in(2) {
            let answer = self.answers.swap_remove(random.below(self.answers.len()));
            self.hear(answer, stream, random, ledger);
        }
    }

    fn put(
        &mut self,
        aggregate: RoutedAggregate,
        stream: &mut Stream,
        random: &mut Random,
        ledger: &mut Ledger,
    ) {
        let counts = &mut ledger.counts;
        counts.puts += 1;
        counts.stale_puts += usize::from(self.version != stream.version());
        let (landed, answered) = match random.below(20) {
            0 => {
                counts.failed += 1;
                (false, false)
            }
            1 => {
                counts.throttled += 1;
                (false, false)
            }
            2 => {
                counts.lost_answers += 1;
                (true, false)
            }
            _ => (true, true),
        };
        let mut shard = None;
        if landed {
            ledger.land(&aggregate.aggregate.data);
            shard = Some(stream.put(&aggregate).to_owned());
        }
        self.answers.push(Answer { aggregate, shard: shard.filter(|_| answered), landed });
    }

    fn hear(&mut self, answer: Answer, stream: &Stream, random: &mut Random, ledger: &mut Ledger) {
        let Answer { aggregate, shard, landed } = answer;
        let Some(shard) = shard else {
            if landed {
                ledger.repeat(&aggregate.aggregate.data);
            }
            if random.one_in(2) {
                self.outbox.push(aggregate);
            } else {
                self.requeue(aggregate, &mut ledger.counts);
            }
            return;
        };
        let mut placement = self.manager.confirm(aggregate, &shard);
        let was_unknown = matches!(placement, Placement::Unknown(_));
        if let Placement::Unknown(sent) = placement {
            ledger.counts.unknown += 1;
            self.refresh(stream, random, &mut ledger.counts);
            placement = self.manager.confirm(sent, &shard);
        }
        match placement {
            Placement::Delivered => {}
            Placement::DeliveredElsewhere => ledger.counts.elsewhere += 1,
            Placement::Misplaced(sent) => {
                ledger.counts.misplaced += 1;
                let known = self.manager.shard_map().is_some_and(|map| map.find(&shard).is_some());
                ledger.counts.still_unknown += usize::from(was_unknown && !known);
                ledger.repeat(&sent.aggregate.data);
                if random.one_in(2) {
                    self.refresh(stream, random, &mut ledger.counts);
                }
                self.requeue(sent, &mut ledger.counts);
            }
            Placement::Unknown(_) => panic!("{shard} is unknown to a refreshed map, and still no decision"),
        }
    }

    fn requeue(&mut self, aggregate: RoutedAggregate, counts: &mut Counts) {
        counts.requeued += 1;
        self.outbox.extend(self.manager.requeue(aggregate).unwrap());
    }

    /// Asks for the map. The answer may show the stream as it was not long ago.
    fn refresh(&mut self, stream: &Stream, random: &mut Random, counts: &mut Counts) {
        counts.refreshes += 1;
        let behind = if random.one_in(4) { random.below(4) } else { 0 };
        self.version = stream.version().saturating_sub(behind).max(self.version);
        self.outbox.extend(self.manager.refresh(stream.map(self.version, random)));
    }
}

/// Some user records are large, most are small.
fn random_len(number: u64) -> usize {
    if number % 50 == 0 { 400 } else { usize::try_from(number % 24).unwrap() }
}
