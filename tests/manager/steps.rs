//! What can be done with a manager, and doing it.

use kinesis_aggregation::Limits;

use crate::common_encode::OwnedRecord;
use crate::driver::Driver;
use crate::model::Routing;

/// One of so many as there are when it is needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Index(pub(crate) usize);

impl Index {
    /// It must not be asked for where there are none.
    pub(crate) const fn index(self, len: usize) -> usize {
        self.0 % len
    }
}

/// Something done with a manager.
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
    /// An answer to a put of one of the aggregates handed out.
    Confirm(Index, Answer),
    PutBack(Index),
    /// A copy, as after an answer that was lost.
    PutBackCopy(Index),
    Clear,
}

#[derive(Clone, Debug)]
pub(crate) enum Reshard {
    /// Of a shard, at a place in it.
    Split(Index, u128),
    /// Of a shard with the next one.
    Merge(Index),
}

/// The shard that the answer names.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Predicted,
    OfTheMap(Index),
    Unknown,
}

/// Does all the steps, and checks everything after each.
pub(crate) fn check(routing: Routing, limits: Limits, max_memory: usize, steps: Vec<Step>) {
    let mut driver = Driver::new(routing, limits, max_memory);
    for step in steps {
        driver.run(step);
        driver.check();
    }
}
