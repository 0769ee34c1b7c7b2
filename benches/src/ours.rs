//! The work that is measured of this library. Only this file and `corpora` know its interface.

pub use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, MAGIC, Md5, deaggregate_all};
pub use kinesis_aggregation::encode::{AddStatus, Undigested};
pub use kinesis_aggregation::produce::ProducerConfig;
use kinesis_aggregation::produce::{Action, CallId, EntryAnswer, PutAnswer, Routing};
pub use kinesis_aggregation::route::{HashKey, HashKeyRange, Shard};
pub use kinesis_aggregation::{
    Aggregate, AggregationManager, Encoder, Limits, Producer, RecordAggregator, ShardMap, UserRecord,
    deaggregate,
};

use std::time::Duration;

use crate::others::look_at;

/// An aggregator that puts each corpus into one aggregate.
pub fn aggregator() -> RecordAggregator {
    RecordAggregator::new(Limits::KINESIS_MAX)
}

/// An encoder that puts each corpus into one aggregate. It recognises 256 partition keys.
pub fn encoder(buffer: &mut [u8]) -> Encoder<'_, 256> {
    Encoder::new(buffer, Limits::KINESIS_MAX)
}

/// A manager that puts what a corpus has for a shard into one aggregate.
pub fn manager(map: &ShardMap) -> AggregationManager {
    AggregationManager::by_shard(map.clone(), Limits::KINESIS_MAX)
}

/// Decodes an aggregate and visits every user record.
pub fn decode<'a>(payload: &'a [u8], keys: &mut Vec<&'a str>, check: DigestCheck) -> usize {
    let aggregate = AggregatedRecord::parse_reusing(payload, keys, check).expect("an aggregated record");
    aggregate.records().fold(0, |sum, record| look_at(sum, record.partition_key, record.data))
}

/// Decodes many payloads together.
pub fn decode_all(payloads: &[Vec<u8>]) -> usize {
    let records = deaggregate_all(payloads).flatten();
    records.fold(0, |sum, record| look_at(sum, record.partition_key, record.data))
}

/// Encodes in canonical order. What does not fit into the last aggregate is dropped.
pub fn aggregate<'r>(
    aggregator: &mut RecordAggregator,
    records: impl Iterator<Item = UserRecord<'r>>,
) -> Option<Vec<u8>> {
    for record in records {
        drop(aggregator.add(record).expect("a valid user record"));
    }
    aggregator.finish().map(|aggregate| aggregate.data)
}

/// Encodes in canonical order, and keeps every aggregate.
pub fn aggregate_all<'r>(records: impl Iterator<Item = UserRecord<'r>>) -> Vec<Vec<u8>> {
    aggregate_one_by_one(&mut aggregator(), records).into_iter().map(|aggregate| aggregate.data).collect()
}

/// Encodes in canonical order as many aggregates as it takes.
pub fn aggregate_one_by_one<'r>(
    aggregator: &mut RecordAggregator,
    records: impl Iterator<Item = UserRecord<'r>>,
) -> Vec<Aggregate> {
    let mut full = Vec::new();
    for record in records {
        full.extend(aggregator.add(record).expect("a valid user record"));
    }
    full.extend(aggregator.finish());
    full
}

/// Encodes in canonical order as many aggregates as it takes, and computes their digests together.
pub fn aggregate_together<'r>(
    aggregator: &mut RecordAggregator,
    records: impl Iterator<Item = UserRecord<'r>>,
) -> Vec<Aggregate> {
    let mut full = Vec::new();
    for record in records {
        full.extend(aggregator.add_undigested(record).expect("a valid user record"));
    }
    full.extend(aggregator.finish_undigested());
    Undigested::digest_all(full)
}

/// Adds to a streamed aggregate without finishing it.
pub fn fill<'r, const KEYS: usize>(
    encoder: &mut Encoder<'_, KEYS>,
    records: impl Iterator<Item = UserRecord<'r>>,
) -> usize {
    for record in records {
        let status = encoder.add(record).expect("a valid user record");
        assert_eq!(status, AddStatus::Added, "the buffer is large enough");
    }
    encoder.size_bytes()
}

/// Encodes in streamed order.
pub fn stream<'r, const KEYS: usize>(
    encoder: &mut Encoder<'_, KEYS>,
    records: impl Iterator<Item = UserRecord<'r>>,
) -> usize {
    fill(encoder, records);
    encoder.finish().map_or(0, |aggregate| aggregate.data.len())
}

/// Routes to shards and encodes, in canonical order.
pub fn route<'r>(manager: &mut AggregationManager, records: impl Iterator<Item = UserRecord<'r>>) -> usize {
    for record in records {
        drop(manager.add(record).expect("a valid user record"));
    }
    manager.flush().len()
}

/// A map whose shards after the first begin at these hash keys.
pub fn map(starts: &[u128]) -> ShardMap {
    let ids: Vec<String> = (0..=starts.len()).map(|number| format!("shardId-{number:012}")).collect();
    let ends = starts.iter().map(|start| start - 1).chain([u128::MAX]);
    let ranges = [0].iter().chain(starts).zip(ends).map(|(&start, end)| {
        HashKeyRange::new(HashKey::new(start), HashKey::new(end)).expect("the starts are in order")
    });
    ShardMap::new(ids.iter().zip(ranges).map(|(id, range)| Shard::new(id, range)))
        .expect("the ranges cover all hash keys")
}

/// The first hash key of each shard of a map.
pub fn starts(map: &ShardMap) -> Vec<u128> {
    map.shards().map(|shard| shard.range().start().get()).collect()
}

/// Looks up the shard of each hash key.
pub fn look_up(map: &ShardMap, hash_keys: &[u128]) -> u128 {
    let start = |&hash_key: &u128| map.shard_for(HashKey::new(hash_key)).range().start().get();
    hash_keys.iter().map(start).fold(0, u128::wrapping_add)
}

/// Hashes each partition key, and looks up its shard.
pub fn hash_and_look_up(map: &ShardMap, partition_keys: &[String]) -> u128 {
    let start = |key: &String| map.shard_for(HashKey::of_partition_key(key)).range().start().get();
    partition_keys.iter().map(start).fold(0, u128::wrapping_add)
}

/// A producer and the time. It is driven by whoever measures it.
pub struct Producing {
    pub producer: Producer<u64>,
    map: Option<ShardMap>,
    now: Duration,
    call: Option<CallId>,
}

impl Producing {
    /// A producer that knows the shards, or routes by key if there are none to know.
    pub fn new(map: Option<&ShardMap>, mut config: ProducerConfig) -> Self {
        config.routing = if map.is_some() { Routing::ByShard } else { Routing::ByKey };
        let mut producer = Producer::new(config).expect("options within their ranges");
        if let (Some(map), Action::ListShards(id)) = (map, producer.poll(Duration::ZERO)) {
            producer.on_shards(id, Ok(map.clone()), Duration::ZERO);
        }
        Self { producer, map: map.cloned(), now: Duration::ZERO, call: None }
    }

    /// Adds records and begins a call with all of them. Returns its data.
    pub fn add_and_call<'r>(&mut self, records: impl Iterator<Item = UserRecord<'r>>) -> Vec<&[u8]> {
        self.now += Duration::from_secs(10);
        self.add(records);
        self.producer.flush(self.now);
        self.call()
    }

    pub fn add<'r>(&mut self, records: impl Iterator<Item = UserRecord<'r>>) {
        for (receipt, record) in (0..).zip(records) {
            self.producer.add(record, receipt, self.now).expect("a valid user record");
        }
    }

    /// Begins a call with what is due. Returns its data.
    pub fn call(&mut self) -> Vec<&[u8]> {
        let Action::Put(id) = self.producer.poll(self.now) else { panic!("nothing is due") };
        self.call = Some(id);
        let call = self.producer.call(id).expect("it was just begun");
        call.entries.iter().map(|entry| entry.data).collect()
    }

    /// Reports the success of the call: everything is stored.
    pub fn answer(&mut self) {
        let Some(id) = self.call.take() else { return };
        let call = self.producer.call(id).expect("it is in flight");
        let answers: Vec<EntryAnswer<'_>> = call
            .entries
            .iter()
            .map(|entry| {
                let shard = match (&self.map, entry.explicit_hash_key) {
                    (Some(map), Some(hash_key)) => map.shard_for(hash_key).id(),
                    _ => "shardId-000000000000",
                };
                EntryAnswer::Stored {
                    shard,
                    sequence_number: "49590338271490256608559692538361571095921575989136588898",
                }
            })
            .collect();
        self.producer.on_put(id, PutAnswer::Entries(&answers), self.now);
    }

    /// Takes the results; returns how many there were.
    pub fn results(&mut self) -> usize {
        std::iter::from_fn(|| self.producer.next_done()).count()
    }

    /// A producer of plain records that are not due for years, or paced at one entry for each [`Self::wait_for_pace`].
    pub fn paced(map: Option<&ShardMap>) -> Self {
        let mut config = ProducerConfig::default();
        config.aggregate = false;
        config.linger = Duration::from_secs(1 << 40);
        config.shard_rate = 1;
        config.max_call_entries = 1;
        Self::new(map, config)
    }

    /// Lets the time pass in which a shard takes an entry at 1 % of its rate, and asks when to poll next.
    pub fn wait_for_pace(&mut self) -> Option<Duration> {
        self.now += Duration::from_millis(100);
        self.producer.next_deadline()
    }
}
