//! What a manager answers and reports.

use alloc::boxed::Box;
use core::fmt;

use crate::error::EncodeError;
use crate::route::RoutedAggregate;

/// An aggregate under construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingAggregate<'m> {
    /// The shard it is for, where the manager routes by shard.
    pub shard_id: Option<&'m str>,
    /// How many user records it has.
    pub user_records: usize,
    /// The size it would have if it were handed out now, outer partition key included.
    pub size_bytes: usize,
}

/// What a manager has done since it was made, in user records where nothing else is said.
///
/// Added and put back together are what is pending, was handed out, or was cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Added by the caller.
    pub added: u64,
    /// Refused with an error.
    pub refused: u64,
    /// Added again after a put that failed or was misplaced.
    pub put_back: u64,
    /// Moved by refreshes.
    pub rerouted: u64,
    /// Found to be on a shard that does not own them.
    pub misplaced: u64,
    /// Handed out.
    pub handed_out: u64,
    /// Aggregates handed out.
    pub aggregates: u64,
    /// Bytes handed out, outer partition keys included.
    pub bytes: u64,
}

impl Counters {
    pub(crate) const ZERO: Self = Self {
        added: 0,
        refused: 0,
        put_back: 0,
        rerouted: 0,
        misplaced: 0,
        handed_out: 0,
        aggregates: 0,
        bytes: 0,
    };
}

/// What became of an aggregate that was put.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a misplaced aggregate has to be put back"]
pub enum Placement {
    /// It is where it should be.
    Delivered,
    /// It is on another shard than predicted, but that one owns all of it. The map it was routed with was stale.
    DeliveredElsewhere,
    /// It is on a shard that does not own all of it, so consumers may drop it. Its user records have to go again:
    /// [`crate::AggregationManager::put_back`], with a fresh map.
    Misplaced(RoutedAggregate),
    /// The map does not know the shard: it is stale. [`crate::AggregationManager::refresh`] it and ask again; if it still does not
    /// know, the answer will be [`Self::Misplaced`].
    Unknown(RoutedAggregate),
}

/// Why an aggregate was not taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutBackError {
    /// The aggregate, as it was.
    pub aggregate: Box<RoutedAggregate>,
    /// What is wrong with the first of its user records that is refused.
    pub error: EncodeError,
}

impl fmt::Display for PutBackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "aggregate not taken back: {}", self.error)
    }
}

impl core::error::Error for PutBackError {}
