//! Aggregating user records by shard, so that no consumer drops them.

mod groups;
mod manager;
mod put_queue;
mod recent_keys;
mod shard_map;

pub use manager::{
    Aggregates, AggregationManager, Counters, PendingAggregate, Placement, RequeueError, RoutedAggregate,
};
pub use put_queue::{PutEntry, PutOutcome, PutQueue, PutRequest, Settled};
pub use shard_map::{Shard, ShardMap, ShardMapError};
