//! The options of a producer.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::Limits;

/// The grouping of user records into aggregates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routing {
    /// By the shard that owns their hash key. Needs the shards of the stream: until they are known, records wait.
    #[default]
    ByShard,
    /// By partition key and explicit hash key. Needs no shards, and makes smaller aggregates.
    ByKey,
    /// All together. Only for streams whose consumers do not filter by hash key: consumers built on the KCL drop most of the records.
    Unrouted,
}

/// Which order is kept (rule P4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The first copies of records with the same hash key are stored in the order in which they were added. At most one call with
    /// records of a shard is in flight.
    #[default]
    PerShard,
    /// None. Any number of calls may be in flight for a shard: more throughput where calls are slow.
    None,
}

/// The options of a [`Producer`](crate::Producer). The defaults suit most producers.
///
/// ```
/// use core::time::Duration;
/// use kinesis_aggregation::produce::ProducerConfig;
///
/// let mut config = ProducerConfig::default();
/// config.linger = Duration::from_millis(20);
/// config.ttl = Some(Duration::from_secs(30));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProducerConfig {
    /// The size of aggregates. Default: [`Limits::KPL`], a target of 50 KiB and a maximum of 1 MiB. [`Limits::max_age`] is
    /// ignored: use [`Self::linger`].
    pub limits: Limits,
    /// Aggregates records. If false, each is sent as a plain record. Default: true.
    pub aggregate: bool,
    /// The grouping of records. Default: [`Routing::ByShard`].
    pub routing: Routing,
    /// Which order is kept. Default: [`Order::PerShard`].
    pub order: Order,
    /// The longest time from [`add`](crate::Producer::add) to the call that sends a record, where nothing holds it up
    /// (rule P7). Default: 100 ms.
    pub linger: Duration,
    /// The time after which a record expires (rule P7). Default: none, so nothing expires.
    pub ttl: Option<Duration>,
    /// Gives up a record as soon as its shard is throttled. Default: false, so it is retried.
    pub fail_if_throttled: bool,
    /// The share of a shard's write limits (1 MiB/s and 1,000 records/s) that this producer may use, in percent (rule P5).
    /// Default: 100. Lower it where several producers share a stream; the KPL's is 150.
    pub shard_rate: u32,
    /// The most entries of a PutRecords call: 1 to 500. Default: 500.
    pub max_call_entries: usize,
    /// The most bytes of a PutRecords call, partition keys included: from the maximum of [`Self::limits`] to 10 MiB.
    /// Default: 5 MiB.
    pub max_call_bytes: usize,
    /// The most calls in flight: at least 1. Default: 24.
    pub max_calls: usize,
    /// After this time without an answer, a call counts as unclear and its records are sent again (rule P1). Default: 30 s.
    pub call_timeout: Duration,
    /// The memory for records whose result has not been fetched, in bytes of capacity (rule P8). Default: 64 MiB.
    pub budget: usize,
    /// The shortest time between two listings of the shards (rule P3). Default: 1 s.
    pub list_interval: Duration,
    /// The first and the longest delay after a failure; it doubles in between (rule P6). Default: 100 ms and 5 s.
    pub backoff: (Duration, Duration),
    /// After this time of denied calls, [`ProducerStats::stalled`](crate::produce::ProducerStats::stalled) is set. Default: 30 s.
    pub stalled_after: Duration,
    /// The partition key of records without a key (rule P10). Default: `a`.
    pub default_partition_key: String,
    /// The seed of the jitter. Default: 0. Give each producer its own.
    pub seed: u64,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self {
            limits: Limits::KPL,
            aggregate: true,
            routing: Routing::ByShard,
            order: Order::PerShard,
            linger: Duration::from_millis(100),
            ttl: None,
            fail_if_throttled: false,
            shard_rate: 100,
            max_call_entries: MAX_CALL_ENTRIES,
            max_call_bytes: 5 * 1024 * 1024,
            max_calls: 24,
            call_timeout: Duration::from_secs(30),
            budget: 64 * 1024 * 1024,
            list_interval: Duration::from_secs(1),
            backoff: (Duration::from_millis(100), Duration::from_secs(5)),
            stalled_after: Duration::from_secs(30),
            default_partition_key: "a".into(),
            seed: 0,
        }
    }
}

/// The most entries that PutRecords accepts.
const MAX_CALL_ENTRIES: usize = 500;

/// The most bytes that PutRecords accepts, partition keys included.
const MAX_CALL_BYTES: usize = 10 * 1024 * 1024;

impl ProducerConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let max_bytes = self.limits.max_size();
        let partition_key = crate::UserRecord::new(&self.default_partition_key, "");
        let faults = [
            (!(1..=MAX_CALL_ENTRIES).contains(&self.max_call_entries), ConfigError::MaxCallEntries),
            (!(max_bytes..=MAX_CALL_BYTES).contains(&self.max_call_bytes), ConfigError::MaxCallBytes),
            (self.max_calls == 0, ConfigError::MaxCalls),
            (self.shard_rate == 0, ConfigError::ShardRate),
            (self.call_timeout.is_zero(), ConfigError::CallTimeout),
            (self.backoff.0.is_zero() || self.backoff.0 > self.backoff.1, ConfigError::Backoff),
            (partition_key.validate().is_err(), ConfigError::DefaultPartitionKey),
        ];
        match faults.into_iter().find(|&(wrong, _)| wrong) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

/// The error of a [`ProducerConfig`] with an option out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// `max_call_entries` is not 1 to 500.
    MaxCallEntries,
    /// `max_call_bytes` is below the maximum of the limits or above 10 MiB.
    MaxCallBytes,
    /// `max_calls` is 0.
    MaxCalls,
    /// `shard_rate` is 0.
    ShardRate,
    /// `call_timeout` is 0.
    CallTimeout,
    /// The first delay of `backoff` is 0 or above the longest.
    Backoff,
    /// `default_partition_key` does not have 1 to 256 characters.
    DefaultPartitionKey,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MaxCallEntries => "max_call_entries must be 1 to 500",
            Self::MaxCallBytes => {
                "max_call_bytes must be at least the maximum of the limits and at most 10 MiB"
            }
            Self::MaxCalls => "max_calls must be at least 1",
            Self::ShardRate => "shard_rate must be at least 1 percent",
            Self::CallTimeout => "call_timeout must not be 0",
            Self::Backoff => "the first delay of backoff must not be 0 or above the longest",
            Self::DefaultPartitionKey => "default_partition_key must have 1 to 256 characters",
        })
    }
}

impl core::error::Error for ConfigError {}
