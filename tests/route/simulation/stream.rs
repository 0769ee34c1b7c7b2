//! A stream that is resharded, and a consumer for each shard that filters as the KCL does.

use kinesis_aggregation::route::{HashKeyRange, RoutedAggregate, Shard};
use kinesis_aggregation::{ShardMap, deaggregate};

use super::ledger::{Counts, Ledger};
use crate::common::random::Random;

/// The hash key that Kinesis would use (rule R1), computed without the library.
pub(crate) fn hash_key(explicit_hash_key: Option<&str>, partition_key: &str) -> u128 {
    match explicit_hash_key {
        Some(explicit) => explicit.parse().unwrap(),
        None => u128::from_be_bytes(md5::compute(partition_key).0),
    }
}

/// Any number of 128 bits.
pub(crate) fn any_hash_key(random: &mut Random) -> u128 {
    u128::from(random.next()) << 64 | u128::from(random.next())
}

pub(crate) struct Stream {
    /// All there ever were.
    pub(crate) shards: Vec<StreamShard>,
    /// The open ones, in the order of their hash keys.
    open: Vec<usize>,
    /// How often it was resharded.
    version: usize,
}

pub(crate) struct StreamShard {
    pub(crate) id: String,
    pub(crate) start: u128,
    pub(crate) end: u128,
    parents: Vec<usize>,
    opened: usize,
    closed: Option<usize>,
    /// The data of the records it took.
    pub(crate) records: Vec<Vec<u8>>,
}

/// How long a listing shows a shard after it was closed.
const RETENTION: usize = 10;

impl Stream {
    pub(crate) fn new(shards: usize, random: &mut Random) -> Self {
        let mut stream = Self { shards: Vec::new(), open: Vec::new(), version: 0 };
        stream.open(0, u128::MAX, Vec::new());
        let mut counts = Counts::default();
        while stream.open.len() < shards {
            stream.split(random, &mut counts);
        }
        stream
    }

    pub(crate) fn version(&self) -> usize {
        self.version
    }

    fn open(&mut self, start: u128, end: u128, parents: Vec<usize>) {
        let shard = self.shards.len();
        let place = self.open.partition_point(|&other| self.shards[other].start < start);
        self.open.insert(place, shard);
        self.shards.push(StreamShard {
            id: format!("shardId-{shard:012}"),
            start,
            end,
            parents,
            opened: self.version,
            closed: None,
            records: Vec::new(),
        });
    }

    fn close(&mut self, place: usize) -> (usize, u128, u128) {
        let shard = self.open.remove(place);
        self.shards[shard].closed = Some(self.version);
        (shard, self.shards[shard].start, self.shards[shard].end)
    }

    /// Splits or merges at random, between 2 and 40 shards.
    pub(crate) fn reshard(&mut self, random: &mut Random, counts: &mut Counts) {
        if self.open.len() < 40 && (self.open.len() < 3 || random.one_in(2)) {
            self.split(random, counts);
        } else {
            self.version += 1;
            let place = random.below(self.open.len() - 1);
            let (lower, start, _) = self.close(place);
            let (upper, _, end) = self.close(place);
            self.open(start, end, vec![lower, upper]);
            counts.merges += 1;
        }
    }

    fn split(&mut self, random: &mut Random, counts: &mut Counts) {
        let place = random.below(self.open.len());
        let StreamShard { start, end, .. } = self.shards[self.open[place]];
        if start == end {
            return;
        }
        self.version += 1;
        let half = (end - start) / 2;
        let offset = if random.one_in(2) { half } else { any_hash_key(random) % (end - start) };
        let parent = self.close(place).0;
        self.open(start, start + offset, vec![parent]);
        self.open(start + offset + 1, end, vec![parent]);
        counts.splits += 1;
    }

    /// What ListShards would have answered at a version, in any order: with shards closed not long ago, some of which
    /// are only known to be so by their children.
    pub(crate) fn map(&self, version: usize, random: &mut Random) -> ShardMap {
        let mut listing = Vec::new();
        for shard in self.shards.iter().filter(|shard| shard.opened <= version) {
            let closed = shard.closed.filter(|&closed| closed <= version);
            if closed.is_some_and(|closed| closed + RETENTION < version) {
                continue;
            }
            let range = HashKeyRange::new(shard.start.into(), shard.end.into()).unwrap();
            let parent = |which: usize| shard.parents.get(which).map(|&shard| self.shards[shard].id.as_str());
            let listed = Shard::new(&shard.id, range).with_parents(parent(0), parent(1));
            listing.push(if closed.is_some() && !random.one_in(3) { listed.closed() } else { listed });
        }
        random.shuffle(&mut listing);
        ShardMap::new(listing).unwrap()
    }

    /// An open shard's first or last hash key, or one beside them.
    pub(crate) fn edge(&self, random: &mut Random) -> u128 {
        let shard = &self.shards[random.pick(&self.open)];
        random.pick(&[shard.start, shard.end, shard.start.wrapping_sub(1), shard.end.wrapping_add(1)])
    }

    /// Takes a record as PutRecord does, and returns its shard.
    pub(crate) fn put(&mut self, aggregate: &RoutedAggregate) -> &str {
        let explicit = aggregate.aggregate.explicit_hash_key.map(|key| key.to_string());
        let key = hash_key(explicit.as_deref(), &aggregate.aggregate.partition_key);
        let owner = self.open.iter().find(|&&shard| {
            let StreamShard { start, end, .. } = self.shards[shard];
            (start..=end).contains(&key)
        });
        let shard = &mut self.shards[*owner.unwrap()];
        shard.records.push(aggregate.aggregate.data.to_vec());
        &shard.id
    }
}

#[derive(Default)]
pub(crate) struct Consumers {
    /// How many records of each shard were read.
    read: Vec<usize>,
}

impl Consumers {
    /// Lets some of them read on.
    pub(crate) fn read(&mut self, stream: &Stream, random: &mut Random, ledger: &mut Ledger) {
        self.read_where(stream, ledger, |_| random.one_in(2));
    }

    /// Lets all of them read to the end.
    pub(crate) fn read_all(&mut self, stream: &Stream, ledger: &mut Ledger) {
        self.read_where(stream, ledger, |_| true);
    }

    fn read_where(&mut self, stream: &Stream, ledger: &mut Ledger, mut reads: impl FnMut(usize) -> bool) {
        self.read.resize(stream.shards.len(), 0);
        for (shard, read) in self.read.iter_mut().enumerate() {
            if reads(shard) {
                let shard = &stream.shards[shard];
                shard.records[*read..].iter().for_each(|data| process(shard, data, ledger));
                *read = shard.records.len();
            }
        }
    }
}

/// Delivers an aggregate, or drops all of it for one user record that is not the shard's.
fn process(shard: &StreamShard, data: &[u8], ledger: &mut Ledger) {
    let mut records = deaggregate(data);
    assert_eq!(records.plain_reason(), None);
    let user_records = records.len();
    let owned = records.all(|record| {
        let key = hash_key(record.explicit_hash_key, record.partition_key);
        (shard.start..=shard.end).contains(&key)
    });
    if owned {
        ledger.deliver(data);
    } else {
        ledger.counts.dropped_aggregates += 1;
        ledger.counts.dropped_records += user_records;
    }
}
