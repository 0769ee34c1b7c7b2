//! The steps of a test: what can be done with a manager.

use kinesis_aggregation::Limits;

use crate::common_encode::OwnedRecord;
use crate::driver::Driver;
use crate::model::Routing;

/// An index into a list whose length is only known when it is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Index(pub(crate) usize);

impl Index {
    /// The list must not be empty.
    pub(crate) const fn index(self, len: usize) -> usize {
        self.0 % len
    }
}

/// A call of a manager.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Add(OwnedRecord),
    /// With the time, after this many milliseconds more.
    AddAt(OwnedRecord, u64),
    Flush,
    /// Of a shard of the map, or of one that does not exist.
    FlushShard(Option<Index>),
    Expired(u64),
    /// With the map as it is after these changes.
    Refresh(Vec<Reshard>),
    /// The response to a put of a finished aggregate.
    Confirm(Index, Answer),
    Requeue(Index),
    /// A copy, as after a lost response.
    RequeueCopy(Index),
    Clear,
}

#[derive(Clone, Debug)]
pub(crate) enum Reshard {
    /// Of a shard, at a place in it.
    Split(Index, u128),
    /// Of a shard with the next one.
    Merge(Index),
}

/// The shard that the response names.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Predicted,
    OfTheMap(Index),
    Unknown,
}

/// Runs all steps, and checks everything after each.
pub(crate) fn check(routing: Routing, limits: Limits, max_memory: usize, steps: Vec<Step>) {
    let mut driver = Driver::new(routing, limits, max_memory);
    for step in steps {
        driver.run(step);
        driver.check();
    }
}
