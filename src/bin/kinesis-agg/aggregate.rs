//! `kinesis-agg aggregate`, and the aggregation that `verify` shares with it.

use core::time::Duration;

use kinesis_aggregation::decode::AggregatedRecord;
use kinesis_aggregation::encode::{AddStatus, EncodeError};
use kinesis_aggregation::route::{HashKey, RoutedAggregate};
use kinesis_aggregation::{Aggregate, AggregationManager, Encoder, ShardMap, UserRecord};

use crate::args::{AggregateArgs, AggregationArgs, ERROR, Grouping, Order, Oversize};
use crate::failure::Failure;
use crate::input::{Data, UserEvent, for_each_user_record};
use crate::output::{AggregateWriter, JsonLines};
use crate::progress::Progress;
use crate::shards::Shards;
use crate::text::counted;

/// The most memory that pending aggregates may take.
const MAX_MEMORY: usize = 256 * 1024 * 1024;

/// Entries in the key table of the streamed encoder, at 48 bytes each.
const KEYS: usize = 4096;

pub(crate) fn run(args: &AggregateArgs) -> Result<(), Failure> {
    let mut output = AggregateWriter::new(JsonLines::stdout(), args.output_plan()?);
    let mut aggregator = Aggregator::new(&args.aggregation, args.max_age)?;
    let mut oversize = 0;
    let mut mixing = MixedKeys::default();
    let progress = Progress::new();
    let read = for_each_user_record(&args.aggregation.read, Data::Required, &progress, |event| {
        let UserEvent::Record(input) = event else { return Ok(()) };
        let finished = match aggregator.add(input.record) {
            Err(error @ (EncodeError::TooLarge { .. } | EncodeError::FitsOnlyPlain { .. }))
                if args.oversize == Oversize::Skip =>
            {
                progress.say(format_args!("{ERROR}error:{ERROR:#} {}: skipped: {error}", input.place));
                oversize += 1;
                return Ok(());
            }
            finished => finished.map_err(|error| input.place.fault(error))?,
        };
        finished.iter().try_for_each(|aggregate| output.write(aggregate)).map_err(
            |failure| match failure {
                // `--output raw` has no place for a second aggregate.
                Failure::Input(what) => input.place.fault(what),
                failure => failure,
            },
        )?;
        if aggregator.grouping == Grouping::All && mixing.begins_with(input.record.partition_key) {
            progress.warn(
                "user records with different partition keys share Kinesis records; consumers built on the KCL drop \
                 aggregates that mix shards: if the stream has several shards, use --shards FILE or --group \
                 partition-key",
            );
        }
        Ok(())
    });
    if let Err(Failure::Output(_)) = read {
        return read;
    }
    // Everything before an invalid line is written.
    let pending = match aggregator.finish() {
        Ok(finished) => finished.iter().try_for_each(|aggregate| output.write(aggregate)),
        Err(error) => Err(Failure::Input(error.to_string())),
    };
    output.finish()?;
    let mut findings = Vec::new();
    if oversize > 0 {
        findings.push(format!("skipped {} above --limit-bytes", counted(oversize, "user record")));
    }
    Failure::found(read.and(pending), findings)
}

/// Notices the first time that different partition keys are aggregated together.
#[derive(Default)]
struct MixedKeys {
    first: Option<String>,
    noticed: bool,
}

impl MixedKeys {
    /// Returns `true` for the first partition key that differs from those before, and for no other.
    fn begins_with(&mut self, partition_key: &str) -> bool {
        if self.noticed {
            return false;
        }
        self.noticed = self.first.get_or_insert_with(|| partition_key.to_owned()) != partition_key;
        self.noticed
    }
}

/// Aggregates user records as the options say.
pub(crate) struct Aggregator {
    manager: AggregationManager,
    pub(crate) grouping: Grouping,
    shards: Option<ShardMap>,
    order: Order,
    /// The streamed encoder's buffer.
    buffer: Vec<u8>,
}

/// A finished aggregate, and its shard if the shards are known.
pub(crate) struct Finished {
    pub(crate) aggregate: Aggregate,
    pub(crate) shard_id: Option<String>,
}

impl Aggregator {
    pub(crate) fn new(args: &AggregationArgs, max_age: Option<Duration>) -> Result<Self, Failure> {
        let shards = args.shards.as_deref().map(Shards::read).transpose()?.map(|shards| shards.map);
        let limits = match max_age {
            Some(age) => args.limits()?.with_max_age(age),
            None => args.limits()?,
        };
        let default = if shards.is_some() { Grouping::Shard } else { Grouping::All };
        let grouping = args.group.unwrap_or(default);
        let manager = match (grouping, &shards) {
            (Grouping::All, _) => AggregationManager::unrouted(limits),
            (Grouping::PartitionKey, _) => AggregationManager::by_key(limits),
            (Grouping::Shard, Some(map)) => AggregationManager::by_shard(map.clone(), limits),
            (Grouping::Shard, None) => {
                return Err(Failure::Usage("--group shard requires --shards FILE".to_owned()));
            }
        };
        let manager = manager.with_max_memory(MAX_MEMORY);
        Ok(Self { manager, grouping, shards, order: args.order, buffer: Vec::new() })
    }

    /// Adds a user record and returns the aggregates that are finished because of it.
    pub(crate) fn add(&mut self, record: UserRecord<'_>) -> Result<Vec<Finished>, EncodeError> {
        let finished = self.manager.add(record)?;
        self.finished(finished)
    }

    /// Finishes all pending aggregates.
    pub(crate) fn finish(&mut self) -> Result<Vec<Finished>, EncodeError> {
        let finished = self.manager.flush();
        self.finished(finished)
    }

    /// Returns the group of a user record: the same for all that may share an aggregate.
    pub(crate) fn group_of(&self, record: &UserRecord<'_>) -> String {
        match (self.grouping, &self.shards) {
            (Grouping::All, _) | (Grouping::Shard, None) => String::new(),
            (Grouping::PartitionKey, _) => {
                format!("{}/{}", record.explicit_hash_key.unwrap_or_default(), record.partition_key)
            }
            // `add` refuses explicit hash keys that are not numbers.
            (Grouping::Shard, Some(map)) => {
                record.hash_key().map_or_else(|_| String::new(), |key| map.shard_for(key).id().to_owned())
            }
        }
    }

    fn finished(&mut self, aggregates: Vec<RoutedAggregate>) -> Result<Vec<Finished>, EncodeError> {
        let mut finished = Vec::new();
        for routed in aggregates {
            match self.order {
                Order::Canonical => finished.push(self.with_shard(routed.aggregate)),
                Order::Streamed => self.streamed(routed.aggregate, &mut finished)?,
            }
        }
        Ok(finished)
    }

    /// Adds the shard to an aggregate, and the explicit hash key that sends it there.
    fn with_shard(&self, mut aggregate: Aggregate) -> Finished {
        let shard_id = self.shards.as_ref().map(|map| {
            let of_partition_key = || HashKey::of_partition_key(&aggregate.partition_key);
            let key = *aggregate.explicit_hash_key.get_or_insert_with(of_partition_key);
            map.shard_for(key).id().to_owned()
        });
        Finished { aggregate, shard_id }
    }

    /// Encodes an aggregate again in streamed order.
    ///
    /// If more than [`KEYS`] partition keys recur, this order can take more bytes, and one aggregate may become two.
    fn streamed(&mut self, canonical: Aggregate, finished: &mut Vec<Finished>) -> Result<(), EncodeError> {
        let Ok(parsed) = AggregatedRecord::parse(&canonical.data) else {
            debug_assert!(false, "the manager's aggregates are well-formed");
            finished.push(self.with_shard(canonical));
            return Ok(());
        };
        let limits = self.manager.limits();
        let mut buffer = core::mem::take(&mut self.buffer);
        buffer.resize(usize::try_from(limits.max_bytes()).unwrap_or(usize::MAX), 0);
        let mut encoder = Encoder::<KEYS>::new(&mut buffer, limits);
        for record in &parsed {
            if encoder.add(record)? == AddStatus::Full {
                finished.extend(encoder.finish().map(|full| self.with_shard(full.to_owned())));
                // An empty encoder accepts any user record that the manager accepted.
                _ = encoder.add(record)?;
            }
        }
        finished.extend(encoder.finish().map(|last| self.with_shard(last.to_owned())));
        self.buffer = buffer;
        Ok(())
    }
}
