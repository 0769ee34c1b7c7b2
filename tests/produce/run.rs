//! A producer in a simulated world: it is driven until every record has its result, and then held to its promises.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use kinesis_aggregation::produce::{
    Action, CallFailure, CallId, EntryAnswer, FailureKind, ListFailed, ListId, NotAdded, Order, Outcome,
    ProducerConfig, PutAnswer, Routing,
};
use kinesis_aggregation::route::HashKey;
use kinesis_aggregation::{Producer, UserRecord, deaggregate};

use crate::world::{Answer, Event, Put, World};

/// By how much one record may exceed the budget: buffers grow in steps.
const SLACK: usize = 128 * 1024;

/// A record that is offered to the producer.
#[derive(Clone)]
pub(crate) struct Offer {
    pub(crate) at: Duration,
    /// None: without a key.
    pub(crate) partition_key: Option<String>,
    pub(crate) explicit_hash_key: Option<String>,
    pub(crate) len: usize,
}

/// The fate of a record.
#[derive(Clone, Default)]
pub(crate) struct Fate {
    pub(crate) hash_key: Option<HashKey>,
    /// Records with the same one are promised to stay in order.
    order_key: Option<HashKey>,
    pub(crate) added: Option<Duration>,
    pub(crate) done: Option<(Outcome, Duration)>,
    /// Its copies in the stream: the positions of their Kinesis records there, and those within the aggregate.
    pub(crate) copies: Vec<(u64, u64)>,
    /// The copies that a consumer built on the KCL delivers: shard, sequence number and sub-sequence number.
    places: Vec<(String, u64, u64)>,
    /// The number of times that it was in a call without a clear answer, or taken by a shard that does not own its aggregate.
    doubts: usize,
}

pub(crate) struct Run {
    pub(crate) world: World,
    pub(crate) producer: Producer<u32>,
    pub(crate) fates: Vec<Fate>,
    pub(crate) config: ProducerConfig,
    /// Records that were refused by `add` for lack of capacity and offered again later.
    pub(crate) refused: u64,
    pub(crate) polls: u64,
    ids: Ids,
    lens: Vec<usize>,
    /// Bytes of records without a result.
    outstanding: usize,
    /// Calls that the producer waits for.
    calls: BTreeMap<u64, Sent>,
    /// The order keys of the records in these calls.
    in_flight: BTreeSet<HashKey>,
    answered: u64,
    failed: u64,
    timed_out: u64,
    late: u64,
}

/// A call in flight: the records of each entry, by number and hash key.
struct Sent {
    at: Duration,
    entries: Vec<Vec<(u32, HashKey)>>,
}

/// Ids of the producer, by the number under which they are carried.
#[derive(Default)]
struct Ids {
    puts: Vec<CallId>,
    lists: Vec<ListId>,
}

impl Ids {
    fn put(&mut self, id: CallId) -> u64 {
        self.puts.push(id);
        self.puts.len() as u64 - 1
    }

    fn put_id(&self, number: u64) -> CallId {
        self.puts[number as usize]
    }

    fn list(&mut self, id: ListId) -> u64 {
        self.lists.push(id);
        self.lists.len() as u64 - 1
    }

    fn list_id(&self, number: u64) -> ListId {
        self.lists[number as usize]
    }
}

/// The data of record `number`: the number, and bytes up to `len`.
pub(crate) fn data_of(number: u32, len: usize) -> Vec<u8> {
    let mut data = number.to_le_bytes().to_vec();
    data.resize(len.max(4), b'.');
    data
}

fn number_of(data: &[u8]) -> usize {
    u32::from_le_bytes(*data.first_chunk().unwrap()) as usize
}

impl Run {
    pub(crate) fn new(world: World, config: ProducerConfig) -> Self {
        Self {
            world,
            producer: Producer::new(config.clone()).unwrap(),
            config,
            fates: Vec::new(),
            refused: 0,
            polls: 0,
            ids: Ids::default(),
            lens: Vec::new(),
            outstanding: 0,
            calls: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            answered: 0,
            failed: 0,
            timed_out: 0,
            late: 0,
        }
    }

    /// Drives the producer until `until`, offering records as they come, in order of time.
    ///
    /// A record for which there is no capacity is offered again when there is.
    pub(crate) fn drive(
        &mut self,
        offers: &mut core::iter::Peekable<impl Iterator<Item = Offer>>,
        until: Duration,
    ) {
        loop {
            let next_offer = offers.peek().map(|offer| offer.at).filter(|_| self.producer.has_capacity());
            let next = [next_offer, self.world.next_event(), self.producer.next_deadline()];
            let next = next.into_iter().flatten().min().unwrap_or(until).max(self.world.now);
            if next > until {
                self.world.now = until;
                return;
            }
            self.world.now = next;
            if self.world.next_event().is_some_and(|at| at <= self.world.now) {
                if let Some(told) = self.world.step() {
                    self.tell(told);
                }
            }
            // Now and then one more than there is capacity for.
            let insists = self.polls % 8 == 0;
            while offers.peek().is_some_and(|offer| offer.at <= self.world.now)
                && (insists || self.producer.has_capacity())
            {
                if !self.add(offers.peek().unwrap()) {
                    break;
                }
                offers.next();
            }
            let finished = self.poll();
            self.take_results();
            if finished && self.world.next_event().is_none() && offers.peek().is_none() {
                return;
            }
            let deadline = self.producer.next_deadline();
            if next_offer.is_none()
                && self.world.next_event().is_none()
                && deadline.is_none()
                && offers.peek().is_none()
            {
                return;
            }
        }
    }

    /// Adds a record; returns whether there was capacity.
    pub(crate) fn add(&mut self, offer: &Offer) -> bool {
        let number = self.fates.len() as u32;
        let data = data_of(number, offer.len);
        let record = match &offer.partition_key {
            Some(key) => UserRecord::new(key, &data),
            None => UserRecord::without_key(&data),
        };
        let record =
            offer.explicit_hash_key.as_deref().map_or(record, |key| record.with_explicit_hash_key(key));
        let hash_key = offer.partition_key.is_some().then(|| record.hash_key().unwrap());
        // Routed by key, records with one hash key and several partition keys are on their own.
        let order_key = hash_key.map(|key| match self.config.routing {
            Routing::ByKey => HashKey::of_partition_key(&format!("{key:?} {}", record.partition_key)),
            _ => key,
        });
        match self.producer.add(record, number, self.world.now) {
            Ok(()) => {
                let added = Some(self.world.now);
                self.lens.push(data.len());
                self.outstanding += data.len();
                self.fates.push(Fate { hash_key, order_key, added, ..Fate::default() });
                assert!(self.producer.used() <= self.config.budget + SLACK, "the budget is exceeded");
                true
            }
            Err(error) => {
                assert_eq!((error.receipt, error.reason), (number, NotAdded::NoCapacity));
                self.refused += 1;
                false
            }
        }
    }

    /// The bytes of data of a record.
    pub(crate) fn len_of(&self, number: u32) -> usize {
        self.lens[number as usize]
    }

    /// Polls until there is nothing to do; returns whether the producer is finished.
    pub(crate) fn poll(&mut self) -> bool {
        let mut idle = 0;
        loop {
            self.polls += 1;
            let action = self.producer.poll(self.world.now);
            self.note_time_outs();
            match action {
                Action::Put(id) => self.send(id),
                Action::ListShards(id) => self.world.list(self.ids.list(id)),
                Action::Idle => {
                    // Not later than now: only while records are routed again, a few MiB in each step.
                    if self.producer.next_deadline().is_none_or(|deadline| deadline > self.world.now) {
                        return false;
                    }
                    idle += 1;
                    assert!(idle < 100, "spins at {:?}", self.world.now);
                }
                Action::Finished => return true,
            }
        }
    }

    /// Makes a call.
    fn send(&mut self, id: CallId) {
        let call = self.producer.call(id).unwrap();
        assert!((1..=self.config.max_call_entries).contains(&call.entries.len()));
        assert!(call.size_bytes <= self.config.max_call_bytes);
        let (mut puts, mut entries, mut keys) = (Vec::new(), Vec::new(), BTreeSet::new());
        for entry in &call.entries {
            let mut records = Vec::new();
            for user in deaggregate(entry.data) {
                let number = number_of(user.data);
                let fate = &self.fates[number];
                let of_entry = || {
                    entry.explicit_hash_key.unwrap_or_else(|| HashKey::of_partition_key(entry.partition_key))
                };
                let own = |user: UserRecord<'_>| {
                    if user.partition_key.is_empty() { of_entry() } else { user.hash_key().unwrap() }
                };
                let hash_key = fate.hash_key.unwrap_or_else(|| own(user));
                keys.extend(fate.order_key);
                records.push((number as u32, hash_key));
            }
            entries.push(records);
            puts.push(Put {
                data: entry.data.to_vec(),
                partition_key: entry.partition_key.to_owned(),
                explicit_hash_key: entry.explicit_hash_key,
            });
        }
        let bytes: usize = puts.iter().map(|put| put.data.len() + put.partition_key.len()).sum();
        assert_eq!(bytes, call.size_bytes);
        if self.config.order == Order::PerShard && self.config.routing != Routing::Unrouted {
            for key in keys {
                assert!(self.in_flight.insert(key), "two calls with records of the same hash key");
            }
        }
        let number = self.ids.put(id);
        self.calls.insert(number, Sent { at: self.world.now, entries });
        assert!(self.calls.len() <= self.config.max_calls);
        self.world.send(number, puts);
    }

    /// Takes note of the calls that the producer waits for no longer.
    fn note_time_outs(&mut self) {
        let late = |sent: &Sent| sent.at + self.config.call_timeout <= self.world.now;
        let late: Vec<u64> =
            self.calls.iter().filter(|(_, sent)| late(sent)).map(|(&number, _)| number).collect();
        for number in late {
            assert_eq!(self.producer.call(self.ids.put_id(number)), None, "it waits for ever");
            self.timed_out += 1;
            let sent = self.settle(number).unwrap();
            self.doubt(sent.entries.iter().flatten());
        }
    }

    fn settle(&mut self, number: u64) -> Option<Sent> {
        let sent = self.calls.remove(&number)?;
        for &(number, _) in sent.entries.iter().flatten() {
            if let Some(key) = self.fates[number as usize].order_key {
                self.in_flight.remove(&key);
            }
        }
        Some(sent)
    }

    fn doubt<'a>(&mut self, records: impl IntoIterator<Item = &'a (u32, HashKey)>) {
        for &(number, _) in records {
            self.fates[number as usize].doubts += 1;
        }
    }

    fn tell(&mut self, told: Event) {
        let now = self.world.now;
        match told {
            Event::Answered(id, answer) => {
                self.note_answer(id, &answer);
                match answer {
                    Answer::Entries(results) => {
                        let answers: Vec<EntryAnswer<'_>> = results
                            .iter()
                            .map(|result| match result {
                                Ok((shard, sequence_number)) => {
                                    EntryAnswer::Stored { shard, sequence_number }
                                }
                                Err(code) => EntryAnswer::Failed { code, message: "simulated" },
                            })
                            .collect();
                        self.producer.on_put(self.ids.put_id(id), PutAnswer::Entries(&answers), now);
                    }
                    Answer::Failed(kind, code) => {
                        let failure = CallFailure { kind, code, message: "simulated" };
                        self.producer.on_put(self.ids.put_id(id), PutAnswer::Failed(failure), now);
                    }
                }
            }
            Event::Listed(id, map) => {
                self.producer.on_shards(self.ids.list_id(id), map.ok_or(ListFailed), now)
            }
            Event::Arrives(..) | Event::ListArrives(_) => unreachable!("that is for the world"),
        }
    }

    fn note_answer(&mut self, id: u64, answer: &Answer) {
        let Some(sent) = self.settle(id) else {
            self.late += 1;
            return;
        };
        self.answered += 1;
        match answer {
            Answer::Failed(kind, _) => {
                self.failed += 1;
                if *kind == FailureKind::Unclear {
                    self.doubt(sent.entries.iter().flatten());
                }
            }
            Answer::Entries(results) => {
                for (records, result) in sent.entries.iter().zip(results) {
                    let Ok((shard, _)) = result else { continue };
                    let shard = self.world.shards.iter().rev().find(|known| known.id == *shard).unwrap();
                    if self.config.routing == Routing::ByShard
                        && !records.iter().all(|&(_, key)| shard.range.contains(key))
                    {
                        self.doubt(records);
                    }
                }
            }
        }
    }

    fn take_results(&mut self) {
        while let Some(done) = self.producer.next_done() {
            let fate = &mut self.fates[done.receipt as usize];
            assert!(fate.done.is_none(), "record {} has two results", done.receipt);
            let (added, last) = (fate.added.unwrap(), done.attempts.recent().last());
            let expires = self.config.ttl.map_or(Duration::MAX, |ttl| added + ttl);
            match &done.outcome {
                Outcome::Delivered { .. } => {
                    let last = last.expect("an attempt");
                    assert!(last.error.is_none() && last.started >= added);
                    assert!(last.started < expires, "it was sent after it had expired");
                }
                Outcome::Expired { .. } => assert!(self.world.now >= expires, "it had not expired"),
                Outcome::Throttled { .. } => assert!(self.config.fail_if_throttled && last.is_some()),
                Outcome::Refused { code, .. } => {
                    assert!(
                        self.world.is_poison(&data_of(done.receipt, self.lens[done.receipt as usize])),
                        "{code}"
                    );
                }
                other => panic!("record {}: {other:?}", done.receipt),
            }
            fate.done = Some((done.outcome, self.world.now));
            self.outstanding -= self.lens[done.receipt as usize];
        }
        assert!(self.producer.used() >= self.outstanding, "memory that nobody accounts for");
    }

    /// Lets consumers read the stream, and holds the producer to its promises.
    pub(crate) fn check(&mut self) {
        self.consume();
        let (mut delivered, mut duplicates) = (0, 0);
        for (number, fate) in self.fates.iter().enumerate() {
            let Some((outcome, done)) = &fate.done else { panic!("record {number} has no result") };
            let said = self.check_outcome(number, fate, outcome);
            if let Outcome::Delivered { possible_duplicate, .. } = outcome {
                delivered += 1;
                duplicates += u64::from(*possible_duplicate);
            }
            if !self.world.was_recreated() {
                assert_eq!(
                    said,
                    fate.doubts > 0,
                    "record {number}: {outcome:?}, in doubt {} times",
                    fate.doubts
                );
                assert!(
                    fate.copies.len() <= 1 + fate.doubts,
                    "record {number}: {} copies",
                    fate.copies.len()
                );
            }
            if self.nothing_holds_up() {
                // A listing at the beginning, a call before this one, and one of whose slot it takes.
                let longest = self.config.linger + 4 * self.world.longest_round_trip();
                let latency = *done - fate.added.unwrap();
                assert!(latency <= longest, "record {number}: {latency:?} instead of {longest:?}");
            }
        }
        self.check_order();
        self.check_stats(delivered, duplicates);
        if self.keeps_to_limits() {
            assert_eq!(self.world.bytes_offered, self.world.bytes_accepted, "sent too early");
        }
    }

    /// Checks a result against the stream; returns whether it says that there may be another copy.
    fn check_outcome(&self, number: usize, fate: &Fate, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Delivered { shard, sequence_number, sub_sequence_number, possible_duplicate } => {
                let place = (shard.to_string(), sequence_number.parse().unwrap(), *sub_sequence_number);
                if self.config.routing != Routing::Unrouted {
                    assert!(fate.places.contains(&place), "record {number}: {place:?} of {:?}", fate.places);
                }
                let copies = fate.copies.len();
                assert!(
                    *possible_duplicate || copies == 1,
                    "record {number}: {copies} copies, and no word of it"
                );
                *possible_duplicate
            }
            Outcome::Expired { possibly_delivered }
            | Outcome::Throttled { possibly_delivered }
            | Outcome::Refused { possibly_delivered, .. } => {
                assert!(
                    *possibly_delivered || fate.copies.is_empty(),
                    "record {number}: {outcome:?}, but stored"
                );
                *possibly_delivered
            }
            other => panic!("record {number}: {other:?}"),
        }
    }

    /// Returns whether nothing is rejected if the producer keeps the pace that shards allow.
    fn keeps_to_limits(&self) -> bool {
        let keeps_pace = self.config.shard_rate <= 100 && self.config.routing == Routing::ByShard;
        self.world.is_calm() && (keeps_pace || !self.world.network.limits)
    }

    /// Returns whether only the linger and the network take time.
    fn nothing_holds_up(&self) -> bool {
        let ProducerConfig { shard_rate, max_calls, max_call_entries, max_call_bytes, .. } = self.config;
        self.world.is_calm()
            && !self.world.network.limits
            && self.world.network.list_fail_one_in == 0
            && self.world.reshards == 0
            && self.config.call_timeout > self.world.longest_round_trip()
            && (shard_rate, max_calls, max_call_entries, max_call_bytes) == (1_000_000, 24, 500, 10 << 20)
    }

    /// Stops the producer where it is. Each receipt has come back, or comes back now; returns how many.
    pub(crate) fn stop(mut self) -> u64 {
        let outstanding = self.producer.abandon();
        let mut came_back = BTreeMap::new();
        for record in &outstanding {
            assert_eq!(number_of(&record.data), record.receipt as usize);
            assert_eq!(record.data.len(), self.lens[record.receipt as usize]);
            assert!(
                came_back.insert(record.receipt as usize, record.possibly_delivered).is_none(),
                "{record:?} twice"
            );
            self.outstanding -= record.data.len();
        }
        // The other results are still there, and that is all.
        self.take_results();
        assert_eq!(self.producer.poll(self.world.now), Action::Finished);
        assert_eq!((self.producer.outstanding(), self.producer.used()), (0, 0));
        assert_eq!((self.producer.next_deadline(), self.producer.oldest()), (None, None));
        assert_eq!(self.producer.stats().abandoned, outstanding.len() as u64);
        // What is on its way still arrives.
        while self.world.next_event().is_some() {
            self.world.step();
        }
        self.consume();
        for (number, fate) in self.fates.iter().enumerate() {
            match (&fate.done, came_back.get(&number)) {
                (Some((outcome, _)), None) => _ = self.check_outcome(number, fate, outcome),
                (None, Some(possibly_delivered)) => {
                    assert!(*possibly_delivered || fate.copies.is_empty(), "record {number} is stored");
                }
                (done, back) => panic!("record {number}: {done:?} and {back:?}"),
            }
        }
        outstanding.len() as u64
    }

    /// The figures add up, and agree with what the stream saw.
    fn check_stats(&self, delivered: u64, duplicates: u64) {
        let stats = self.producer.stats();
        let given_up = |wanted: fn(&Outcome) -> bool| {
            self.fates
                .iter()
                .filter(|fate| fate.done.as_ref().is_some_and(|(outcome, _)| wanted(outcome)))
                .count() as u64
        };
        let rows = [
            ("added", stats.added, self.fates.len() as u64),
            ("not added", stats.not_added, self.refused),
            ("delivered", stats.delivered, delivered),
            ("possible duplicates", stats.possible_duplicates, duplicates),
            ("expired", stats.expired, given_up(|outcome| matches!(outcome, Outcome::Expired { .. }))),
            ("throttled", stats.throttled, given_up(|outcome| matches!(outcome, Outcome::Throttled { .. }))),
            ("refused", stats.refused, given_up(|outcome| matches!(outcome, Outcome::Refused { .. }))),
            ("outstanding", self.producer.outstanding(), 0),
            ("delivered by shard", stats.shards.values().map(|shard| shard.records).sum(), delivered),
            (
                "entries by shard",
                stats.shards.values().map(|shard| shard.entries).sum(),
                stats.entries_delivered,
            ),
            ("bytes by shard", stats.shards.values().map(|shard| shard.bytes).sum(), stats.bytes_delivered),
            ("calls", stats.calls, self.world.calls),
            ("entries sent", stats.entries_sent, self.world.entries_offered),
            ("bytes sent", stats.bytes_sent, self.world.bytes_offered),
            ("timed out", stats.timed_out_calls, self.timed_out),
            ("failed", stats.failed_calls, self.failed + self.timed_out),
            ("listings", stats.listings, self.world.lists),
            ("times in buffer", stats.time_in_buffer.count(), delivered),
            ("request durations", stats.request_duration.count(), self.answered),
            ("memory", self.producer.used() as u64, 0),
        ];
        for (name, counted, expected) in rows {
            assert_eq!(counted, expected, "{name}");
        }
        assert!((self.late..=self.late + stats.listings).contains(&stats.stale_answers), "late answers");
        assert!(self.producer.has_capacity() && self.producer.oldest().is_none());
    }

    /// Reads every shard, closed ones too, as a consumer built on the KCL does: an aggregate counts if the shard owns all of
    /// it, and what is not an aggregate counts in any case.
    fn consume(&mut self) {
        for shard in &self.world.shards {
            for stored in &shard.stored {
                let users: Vec<_> = deaggregate(&stored.data).collect();
                let owns = |user: &UserRecord<'_>| {
                    user.partition_key.is_empty() || shard.range.contains(user.hash_key().unwrap())
                };
                let owned = users.iter().all(owns);
                for (user, position) in users.iter().zip(0..) {
                    let fate = &mut self.fates[number_of(user.data)];
                    fate.copies.push((stored.number, position));
                    if owned {
                        fate.places.push((shard.id.clone(), stored.number, position));
                    }
                }
            }
        }
    }

    /// The first copies of records with the same hash key are stored in the order in which they were added (rule P4).
    fn check_order(&self) {
        if self.config.order != Order::PerShard || !self.world.network.in_order {
            return;
        }
        let mut last: BTreeMap<HashKey, ((u64, u64), usize)> = BTreeMap::new();
        for (number, fate) in self.fates.iter().enumerate() {
            // A record that was given up may still arrive, late.
            let delivered = fate.done.as_ref().is_some_and(|(outcome, _)| outcome.is_delivered());
            let (Some(key), Some(&first), true) = (fate.order_key, fate.copies.iter().min(), delivered)
            else {
                continue;
            };
            if let Some(&(before, earlier)) = last.get(&key) {
                assert!(
                    before < first,
                    "record {number} was stored before record {earlier}, which was added earlier"
                );
            }
            last.insert(key, (first, number));
        }
    }

    /// Offers everything, closes the producer, and drives it until all is done.
    pub(crate) fn finish(&mut self, offers: impl Iterator<Item = Offer>) {
        let mut offers = offers.peekable();
        let far = self.world.now + Duration::from_secs(100_000);
        let last = core::iter::from_fn(|| None::<Offer>);
        while offers.peek().is_some() {
            let until = offers.peek().map_or(far, |offer| offer.at.max(self.world.now));
            self.drive(&mut offers, until + Duration::from_millis(1));
        }
        self.producer.close(self.world.now);
        self.drive(&mut last.peekable(), far);
        assert_eq!(self.producer.poll(self.world.now), Action::Finished, "{:?}", self.producer);
        self.take_results();
    }
}
