//! A producer in a simulated world: it is driven until every record has its result, and then held to its promises.

use std::collections::BTreeMap;
use std::time::Duration;

use kinesis_aggregation::produce::{
    Action, CallFailure, CallId, EntryAnswer, ListFailed, ListId, NotAdded, Order, Outcome, ProducerConfig, PutAnswer, Routing,
};
use kinesis_aggregation::route::HashKey;
use kinesis_aggregation::{Producer, UserRecord, deaggregate};

use crate::world::{Answer, Event, Put, World};

/// A record that is offered to the producer.
#[derive(Clone)]
pub(crate) struct Offer {
    pub(crate) at: Duration,
    /// None: without a key.
    pub(crate) partition_key: Option<String>,
    pub(crate) explicit_hash_key: Option<String>,
    pub(crate) len: usize,
}

/// What became of a record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    pub(crate) hash_key: Option<HashKey>,
    pub(crate) added: Option<Duration>,
    pub(crate) done: Option<(Outcome, Duration)>,
    /// When the answer that delivered it could be known at the earliest: the positions of its copies in the stream.
    pub(crate) copies: Vec<u64>,
    /// How many copies a consumer built on the KCL delivers.
    pub(crate) consumed: usize,
    /// Where the consumed copies are: shard and sub-sequence number.
    places: Vec<(String, u64, u64)>,
}

pub(crate) struct Run {
    pub(crate) world: World,
    pub(crate) producer: Producer<u32>,
    pub(crate) fates: Vec<Fate>,
    pub(crate) order: Order,
    routing: Routing,
    pub(crate) config: ProducerConfig,
    /// Records that were refused by `add` for lack of capacity and offered again later.
    pub(crate) refused: u64,
    pub(crate) polls: u64,
    ids: Ids,
    lens: Vec<usize>,
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
        let (order, routing) = (config.order, config.routing);
        let producer = Producer::new(config.clone()).unwrap();
        Self { config, world, producer, fates: Vec::new(), order, routing, refused: 0, polls: 0, ids: Ids::default(), lens: Vec::new() }
    }

    /// Drives the producer until `until`, offering records as they come, in order of time.
    ///
    /// A record for which there is no capacity is offered again when there is.
    pub(crate) fn drive(&mut self, offers: &mut std::iter::Peekable<impl Iterator<Item = Offer>>, until: Duration) {
        let mut idle_at = None;
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
            while offers.peek().is_some_and(|offer| offer.at <= self.world.now) && self.producer.has_capacity() {
                let offer = offers.next().unwrap();
                if !self.add(offer) {
                    break;
                }
            }
            let finished = self.poll();
            self.take_results();
            if finished && self.world.next_event().is_none() && offers.peek().is_none() {
                return;
            }
            // Whoever waits for a deadline is not to spin.
            let deadline = self.producer.next_deadline();
            assert!(deadline != Some(self.world.now) || idle_at != Some((self.world.now, self.polls)), "spins");
            idle_at = Some((self.world.now, self.polls));
            if next_offer.is_none() && self.world.next_event().is_none() && deadline.is_none() && offers.peek().is_none() {
                return;
            }
        }
    }

    /// Adds a record; returns whether there was capacity.
    pub(crate) fn add(&mut self, offer: Offer) -> bool {
        let number = self.fates.len() as u32;
        let data = data_of(number, offer.len);
        let record = match &offer.partition_key {
            Some(key) => UserRecord::new(key, &data),
            None => UserRecord::without_key(&data),
        };
        let record = offer.explicit_hash_key.as_deref().map_or(record, |key| record.with_explicit_hash_key(key));
        let hash_key = offer.partition_key.is_some().then(|| record.hash_key().unwrap());
        match self.producer.add(record, number, self.world.now) {
            Ok(()) => {
                let added = Some(self.world.now);
                self.lens.push(data.len());
                self.fates.push(Fate { hash_key, added, ..Fate::default() });
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
        loop {
            self.polls += 1;
            match self.producer.poll(self.world.now) {
                Action::Put(id) => {
                    let call = self.producer.call(id).unwrap();
                    assert!((1..=500).contains(&call.entries.len()));
                    let puts = call.entries.iter().map(|entry| Put {
                        data: entry.data.to_vec(),
                        partition_key: entry.partition_key.to_owned(),
                        explicit_hash_key: entry.explicit_hash_key,
                    });
                    let puts = puts.collect();
                    self.world.send(self.ids.put(id), puts);
                }
                Action::ListShards(id) => self.world.list(self.ids.list(id)),
                Action::Idle => return false,
                Action::Finished => return true,
            }
        }
    }

    fn tell(&mut self, told: Event) {
        let now = self.world.now;
        match told {
            Event::Answered(id, Answer::Entries(results)) => {
                let answers: Vec<EntryAnswer<'_>> = results
                    .iter()
                    .map(|result| match result {
                        Ok((shard, sequence_number)) => EntryAnswer::Stored { shard, sequence_number },
                        Err(code) => EntryAnswer::Failed { code, message: "simulated" },
                    })
                    .collect();
                self.producer.on_put(self.ids.put_id(id), PutAnswer::Entries(&answers), now);
            }
            Event::Answered(id, Answer::Failed(kind, code)) => {
                let failure = CallFailure { kind, code, message: "simulated" };
                self.producer.on_put(self.ids.put_id(id), PutAnswer::Failed(failure), now);
            }
            Event::Listed(id, map) => self.producer.on_shards(self.ids.list_id(id), map.ok_or(ListFailed), now),
            Event::Arrives(..) | Event::ListArrives(_) => unreachable!("that is for the world"),
        }
    }

    fn take_results(&mut self) {
        while let Some(done) = self.producer.next_done() {
            let fate = &mut self.fates[done.receipt as usize];
            assert!(fate.done.is_none(), "record {} has two results", done.receipt);
            fate.done = Some((done.outcome, self.world.now));
        }
    }

    /// Lets consumers read the stream, and holds the producer to its promises. `all_in_order`: nothing happened that may change the
    /// order.
    pub(crate) fn check(&mut self) {
        self.consume();
        for (number, fate) in self.fates.iter().enumerate() {
            let Some((outcome, _)) = &fate.done else { panic!("record {number} has no result") };
            match outcome {
                Outcome::Delivered { shard, sequence_number, sub_sequence_number, possible_duplicate } => {
                    let place = (shard.to_string(), sequence_number.parse().unwrap(), *sub_sequence_number);
                    if self.routing != Routing::Unrouted {
                        assert!(fate.places.contains(&place), "record {number}: {place:?} of {:?}", fate.places);
                    }
                    assert!(
                        *possible_duplicate || fate.copies.len() == 1,
                        "record {number}: {} copies, and no word of it",
                        fate.copies.len()
                    );
                }
                Outcome::Expired { possibly_delivered }
                | Outcome::Throttled { possibly_delivered }
                | Outcome::Refused { possibly_delivered, .. } => {
                    assert!(*possibly_delivered || fate.copies.is_empty(), "record {number}: {outcome:?}, but stored");
                }
                other => panic!("record {number}: {other:?}"),
            }
        }
        self.check_order();
        let stats = self.producer.stats();
        let results = stats.delivered + stats.expired + stats.throttled + stats.refused;
        assert_eq!((stats.added, results), (self.fates.len() as u64, self.fates.len() as u64));
        let by_shard: u64 = stats.shards.values().map(|shard| shard.records).sum();
        assert_eq!(by_shard, stats.delivered);
        assert_eq!(self.producer.outstanding(), 0);
        assert!(self.world.bytes_offered == stats.bytes_sent);
    }

    /// Reads every shard as a consumer built on the KCL does: an aggregate counts if the shard owns all of it.
    fn consume(&mut self) {
        for shard in &self.world.shards {
            for stored in &shard.stored {
                let mut users: Vec<(usize, HashKey)> = Vec::new();
                let records = deaggregate(&stored.data);
                // Plain records are delivered whatever their keys are.
                let plain = records.plain_reason().is_some();
                for user in records {
                    let mut user = user;
                    if user.partition_key.is_empty() {
                        user.partition_key = &stored.partition_key;
                    }
                    users.push((number_of(user.data), user.hash_key().unwrap()));
                }
                let owned = plain || users.iter().all(|&(_, key)| shard.range.contains(key));
                for (position, &(number, _)) in users.iter().enumerate() {
                    let fate = &mut self.fates[number];
                    fate.copies.push(stored.number);
                    if owned {
                        fate.consumed += 1;
                        fate.places.push((shard.id.clone(), stored.number, position as u64));
                    }
                }
            }
        }
    }

    /// The first copies of records with the same hash key are stored in the order in which they were added (rule P4).
    fn check_order(&self) {
        if self.order != Order::PerShard || !self.world.network.in_order {
            return;
        }
        let mut last: BTreeMap<HashKey, (u64, usize)> = BTreeMap::new();
        for (number, fate) in self.fates.iter().enumerate() {
            // A record that was given up may still arrive, late.
            let delivered = fate.done.as_ref().is_some_and(|(outcome, _)| outcome.is_delivered());
            let (Some(key), Some(&first), true) = (fate.hash_key, fate.copies.iter().min(), delivered) else {
                continue;
            };
            if let Some(&(before, earlier)) = last.get(&key) {
                assert!(
                    before <= first,
                    "record {number} was stored before record {earlier}, which was added earlier: {fate:#?} {:#?}",
                    self.fates[earlier]
                );
            }
            last.insert(key, (first, number));
        }
    }

    /// Offers everything, closes the producer, and drives it until all is done.
    pub(crate) fn finish(&mut self, offers: impl Iterator<Item = Offer>) {
        let mut offers = offers.peekable();
        let far = self.world.now + Duration::from_secs(100_000);
        let last = std::iter::from_fn(|| None::<Offer>);
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
