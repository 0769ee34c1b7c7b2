//! What PutRecords takes, and what it answers for each entry.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::encode::Aggregate;
use crate::route::RoutedAggregate;

/// Something to be put as one entry of a PutRecords call.
pub trait PutEntry {
    /// The bytes that Kinesis counts: the data and the partition key (rule E6).
    fn size_bytes(&self) -> usize;

    /// The shard that should take it, where that is known.
    fn shard_id(&self) -> Option<&str> {
        None
    }
}

impl PutEntry for RoutedAggregate {
    fn size_bytes(&self) -> usize {
        self.size_bytes()
    }

    fn shard_id(&self) -> Option<&str> {
        self.shard_id()
    }
}

impl PutEntry for Aggregate {
    fn size_bytes(&self) -> usize {
        self.size_bytes()
    }
}

/// What became of one entry of a PutRecords call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PutOutcome<'a> {
    /// A shard took it.
    Delivered {
        /// That shard.
        shard_id: &'a str,
    },
    /// Its shard takes no more for now: the error code is `ProvisionedThroughputExceededException`, `LimitExceededException`
    /// or `KMSThrottlingException`.
    Throttled,
    /// It failed for another reason, mostly `InternalFailure`.
    Failed,
}

impl<'a> PutOutcome<'a> {
    /// Reads `ErrorCode` and `ShardId` of an entry in the answer.
    ///
    /// Without an error code it was delivered. If the answer does not name the shard either, which Kinesis always does, its name is
    /// empty here: one that no map knows, so whoever routes by shard sends it again (rule R3).
    ///
    /// ```
    /// use kinesis_aggregation::PutOutcome;
    ///
    /// let throttled = PutOutcome::new(Some("ProvisionedThroughputExceededException"), None);
    /// assert_eq!(throttled, PutOutcome::Throttled);
    /// ```
    #[must_use]
    pub fn new(error_code: Option<&str>, shard_id: Option<&'a str>) -> Self {
        match error_code {
            None | Some("") => Self::Delivered { shard_id: shard_id.unwrap_or_default() },
            Some(
                "ProvisionedThroughputExceededException"
                | "LimitExceededException"
                | "KMSThrottlingException",
            ) => Self::Throttled,
            Some(_) => Self::Failed,
        }
    }
}

/// What a queue learned from the answer to a call. What was not delivered is in the queue again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "where a shard took what was meant for another, some has to be sent again"]
pub struct Settled<T> {
    /// The entries that a shard took, in the order of the call, each with the shard: for
    /// [`AggregationManager::confirm`](crate::AggregationManager::confirm).
    pub delivered: Vec<(T, Box<str>)>,
    /// How many entries were throttled.
    pub throttled: usize,
    /// How many entries failed for other reasons, or are missing in the answer.
    pub failed: usize,
}

impl<T> Default for Settled<T> {
    fn default() -> Self {
        Self { delivered: Vec::new(), throttled: 0, failed: 0 }
    }
}
