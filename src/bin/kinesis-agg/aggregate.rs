//! `kinesis-agg aggregate`, and the aggregation that `verify` shares with it.

use core::time::Duration;
use std::time::Instant;

use kinesis_aggregation::decode::AggregatedRecord;
use kinesis_aggregation::encode::{AddStatus, EncodeError, Undigested};
use kinesis_aggregation::route::{HashKey, RoutedAggregate};
use kinesis_aggregation::{Aggregate, AggregationManager, Encoder, RecordAggregator, ShardMap, UserRecord};

use crate::args::{AggregateArgs, AggregateOutput, AggregationArgs, Grouping, Order, Oversize};
use crate::failure::Failure;
use crate::input::{Data, UserEvent, for_each_user_record};
use crate::output::{AggregateWriter, JsonLines};
use crate::progress::Progress;
use crate::shards::Shards;
use crate::text::counted;

/// The most memory that pending aggregates may take.
const MAX_MEMORY: usize = 256 * 1024 * 1024;

/// The bytes of aggregates that are kept without their digests. With the default limits, eight are finished together.
const MAX_UNDIGESTED: usize = 7 * 1024 * 1024;

/// Entries in the key table of the streamed encoder, at 48 bytes each.
const KEYS: usize = 4096;

pub(crate) fn run(args: &AggregateArgs) -> Result<(), Failure> {
    let mut output = AggregateWriter::new(JsonLines::stdout(), args.output_plan()?);
    let mut aggregator = Aggregator::new(&args.aggregation, args.max_age)?;
    if args.output == AggregateOutput::Raw {
        // An error then names the line at which a second aggregate began.
        aggregator.max_undigested = 0;
    }
    let mut oversize = 0;
    let mut mixing = MixedKeys::default();
    let progress = Progress::new();
    let read = for_each_user_record(&args.aggregation.read, Data::Required, &progress, |event| {
        let input = match event {
            UserEvent::Record(input) => input,
            UserEvent::Pause { again_at } => {
                let finished = aggregator.pause().map_err(|error| Failure::Input(error.to_string()))?;
                finished.iter().try_for_each(|aggregate| output.write(aggregate))?;
                *again_at = aggregator.next_expiry();
                return output.pause(args.max_age.is_some());
            }
        };
        let finished = match aggregator.add(input.record) {
            Err(error @ (EncodeError::TooLarge { .. } | EncodeError::FitsOnlyPlain { .. }))
                if args.oversize == Oversize::Skip =>
            {
                progress.error(format_args!("{}: skipped: {error}", input.place));
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
    packing: Packing,
    /// Finished aggregates without their digests, and their size in bytes.
    undigested: Vec<Undigested>,
    undigested_bytes: usize,
    /// The bytes of finished aggregates that are kept, so that their digests are computed together.
    max_undigested: usize,
    started: Instant,
    pub(crate) grouping: Grouping,
    shards: Option<ShardMap>,
    order: Order,
    /// The streamed encoder's buffer.
    buffer: Vec<u8>,
}

/// Which user records share an aggregate.
enum Packing {
    All(Box<RecordAggregator>),
    Routed(Box<AggregationManager>),
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
        // Unless it has seen a buffer of such a size, glibc returns memory to the system each time that several aggregates
        // are freed, and getting it back takes a sixth of the time.
        drop(core::hint::black_box(Vec::<u8>::with_capacity(2 * MAX_UNDIGESTED)));
        let routed =
            |manager: AggregationManager| Packing::Routed(Box::new(manager.with_max_memory(MAX_MEMORY)));
        let packing = match (grouping, &shards) {
            (Grouping::All, _) if max_age.is_some() => routed(AggregationManager::unrouted(limits)),
            (Grouping::All, _) => Packing::All(Box::new(RecordAggregator::new(limits))),
            (Grouping::PartitionKey, _) => routed(AggregationManager::by_key(limits)),
            (Grouping::Shard, Some(map)) => routed(AggregationManager::by_shard(map.clone(), limits)),
            (Grouping::Shard, None) => {
                return Err(Failure::Usage("--group shard requires --shards FILE".to_owned()));
            }
        };
        Ok(Self {
            packing,
            undigested: Vec::new(),
            undigested_bytes: 0,
            max_undigested: MAX_UNDIGESTED,
            started: Instant::now(),
            grouping,
            shards,
            order: args.order,
            buffer: Vec::new(),
        })
    }

    /// Adds a user record and returns aggregates that are finished: those because of it, or those that were kept.
    pub(crate) fn add(&mut self, record: UserRecord<'_>) -> Result<Vec<Finished>, EncodeError> {
        match &mut self.packing {
            Packing::All(aggregator) => {
                let Some(full) = aggregator.add_undigested(record)? else { return Ok(Vec::new()) };
                self.keep(full);
            }
            Packing::Routed(manager) if manager.limits().max_age().is_none() => {
                let full = manager.add_undigested(record)?;
                if full.is_empty() {
                    return Ok(Vec::new());
                }
                full.into_iter().for_each(|routed| self.keep(routed.aggregate));
            }
            Packing::Routed(manager) => {
                let now = self.started.elapsed();
                let mut full = manager.expired(now);
                full.extend(manager.add_at(record, now)?);
                return self.finished(aggregates(full));
            }
        }
        if self.undigested_bytes < self.max_undigested { Ok(Vec::new()) } else { self.pause() }
    }

    fn keep(&mut self, undigested: Undigested) {
        self.undigested_bytes += undigested.size_bytes();
        self.undigested.push(undigested);
    }

    /// Computes the digests of the aggregates that were kept.
    fn digest_kept(&mut self) -> Vec<Aggregate> {
        self.undigested_bytes = 0;
        Undigested::digest_all(self.undigested.drain(..))
    }

    /// Returns all aggregates that are finished, and those that have reached their age.
    pub(crate) fn pause(&mut self) -> Result<Vec<Finished>, EncodeError> {
        let mut finished = self.digest_kept();
        if let Packing::Routed(manager) = &mut self.packing {
            finished.extend(aggregates(manager.expired(self.started.elapsed())));
        }
        self.finished(finished)
    }

    /// Returns the time at which the next pending aggregate reaches its age.
    fn next_expiry(&self) -> Option<Instant> {
        match &self.packing {
            Packing::All(_) => None,
            Packing::Routed(manager) => self.started.checked_add(manager.next_expiry()?),
        }
    }

    /// Finishes all pending aggregates.
    pub(crate) fn finish(&mut self) -> Result<Vec<Finished>, EncodeError> {
        if let Packing::All(aggregator) = &mut self.packing {
            self.undigested.extend(aggregator.finish_undigested());
        }
        let mut finished = self.digest_kept();
        if let Packing::Routed(manager) = &mut self.packing {
            finished.extend(aggregates(manager.flush()));
        }
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

    fn finished(&mut self, aggregates: Vec<Aggregate>) -> Result<Vec<Finished>, EncodeError> {
        let mut finished = Vec::new();
        for aggregate in aggregates {
            match self.order {
                Order::Canonical => finished.push(self.with_shard(aggregate)),
                Order::Streamed => self.streamed(aggregate, &mut finished)?,
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
        let limits = match &self.packing {
            Packing::All(aggregator) => aggregator.limits(),
            Packing::Routed(manager) => manager.limits(),
        };
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

fn aggregates(routed: Vec<RoutedAggregate>) -> Vec<Aggregate> {
    routed.into_iter().map(|routed| routed.aggregate).collect()
}
