//! Packing as the options say.

use kinesis_aggregation::decode::AggregatedRecord;
use kinesis_aggregation::encode::{AddStatus, AggregateRef};
use kinesis_aggregation::route::{HashKey, RoutedAggregate};
use kinesis_aggregation::{AggregationManager, Encoder, Limits, ShardMap, UserRecord};

use crate::args::{Grouping, Order, PackingArgs};
use crate::failure::Failure;
use crate::input::Event;
use crate::shards::Shards;

/// The most memory that what is pending may take.
const MAX_MEMORY: usize = 256 * 1024 * 1024;

/// Packs user records, each with those it may be together with, and hands out what is full.
pub(crate) struct Packer<H> {
    limits: Limits,
    order: Order,
    manager: AggregationManager,
    /// The shards to name, if they are known.
    shards: Option<ShardMap>,
    /// The buffer for streamed order.
    buffer: Vec<u8>,
    hand_out: H,
}

/// A Kinesis record ready to be sent.
pub(crate) struct Packed<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) partition_key: &'a str,
    pub(crate) explicit_hash_key: Option<HashKey>,
    pub(crate) shard_id: Option<&'a str>,
}

impl PackingArgs {
    /// Who shares Kinesis records, and the shards where they are known.
    pub(crate) fn grouping(&self) -> Result<(Grouping, Option<Shards>), Failure> {
        let shards = self.shards.as_deref().map(Shards::read).transpose()?;
        match (self.group, &shards) {
            (None, None) => Ok((Grouping::All, shards)),
            (None, Some(_)) => Ok((Grouping::Shard, shards)),
            (Some(Grouping::Shard), None) => {
                Err(Failure::Usage("--group shard needs --shards FILE".to_owned()))
            }
            (Some(grouping), _) => Ok((grouping, shards)),
        }
    }
}

impl<H: FnMut(Packed<'_>) -> Result<(), Failure>> Packer<H> {
    pub(crate) fn new(args: &PackingArgs, grouping: Grouping, shards: Option<Shards>, hand_out: H) -> Self {
        let limits = args.limits();
        let shards = shards.map(|shards| shards.map);
        let manager = match (grouping, &shards) {
            (Grouping::Shard, Some(map)) => AggregationManager::by_shard(map.clone(), limits),
            (Grouping::PartitionKey, _) => AggregationManager::by_key(limits),
            (Grouping::All | Grouping::Shard, _) => AggregationManager::unrouted(limits),
        };
        let manager = manager.with_max_memory(MAX_MEMORY);
        Self { limits, order: args.order, manager, shards, buffer: Vec::new(), hand_out }
    }

    /// Packs one user record.
    pub(crate) fn add(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        let full = self.manager.add(event.record).map_err(|error| event.fault(error))?;
        full.iter().try_for_each(|full| self.emit(full))
    }

    /// Hands out all that is pending.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        let rest = self.manager.flush();
        rest.iter().try_for_each(|full| self.emit(full))
    }

    fn emit(&mut self, full: &RoutedAggregate) -> Result<(), Failure> {
        let explicit_hash_key = match &self.shards {
            // Where shards are named, the Kinesis record is to land on the one that is named.
            Some(_) => full.explicit_hash_key().or(Some(HashKey::of_partition_key(full.partition_key()))),
            None => full.explicit_hash_key(),
        };
        let shard_id = match (&self.shards, explicit_hash_key) {
            (Some(map), Some(key)) => Some(map.shard_for(key).id()),
            _ => None,
        };
        let packed =
            Packed { data: full.data(), partition_key: full.partition_key(), explicit_hash_key, shard_id };
        match self.order {
            Order::Canonical => (self.hand_out)(packed),
            Order::Streamed => restream(&packed, self.limits, &mut self.buffer, &mut self.hand_out),
        }
    }
}

/// Packs the user records of a Kinesis record again, in streamed order.
///
/// In rare cases, with thousands of keys that recur, this takes more bytes than canonical order: then two Kinesis records
/// come of one.
fn restream(
    packed: &Packed<'_>,
    limits: Limits,
    buffer: &mut Vec<u8>,
    hand_out: &mut impl FnMut(Packed<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    /// The keys that are remembered, at 48 bytes each.
    const KEYS: usize = 4096;

    let bug =
        |error: &dyn core::fmt::Display| Failure::Input(format!("cannot read what was written: {error}"));
    let parsed = AggregatedRecord::parse(packed.data, Vec::new()).map_err(|error| bug(&error))?;
    buffer.resize(usize::try_from(limits.max_bytes()).unwrap_or(usize::MAX), 0);
    let mut encoder = Encoder::<KEYS>::new(buffer, limits);
    let mut hand_out = |streamed: AggregateRef<'_>, first: UserRecord<'_>| {
        let explicit_hash_key = match packed.shard_id {
            Some(_) => first.hash_key().ok(),
            None => first.explicit_hash_key.and_then(|key| key.parse().ok()),
        };
        let partition_key = first.partition_key;
        hand_out(Packed { data: streamed.data, partition_key, explicit_hash_key, shard_id: packed.shard_id })
    };
    let mut first = None;
    for record in &parsed {
        if encoder.add(record).map_err(|error| bug(&error))? == AddStatus::Full {
            if let (Some(full), Some(first)) = (encoder.finish(), first.take()) {
                hand_out(full, first)?;
            }
            _ = encoder.add(record).map_err(|error| bug(&error))?;
        }
        first = first.or(Some(record));
    }
    match (encoder.finish(), first) {
        (Some(rest), Some(first)) => hand_out(rest, first),
        _ => Ok(()),
    }
}
