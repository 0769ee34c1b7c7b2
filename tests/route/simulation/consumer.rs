//! One consumer for each shard, which filters as the KCL does.

use kinesis_aggregation::deaggregate;

use crate::common::random::Random;
use crate::ledger::Ledger;
use crate::stream::{Stream, StreamShard, hash_key};

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
