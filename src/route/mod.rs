//! Shards, and aggregating user records by shard.

mod answers;
mod groups;
mod manager;
mod put_outcome;
mod put_queue;
mod recent_keys;
mod routed;
mod shard_map;

pub use answers::{Counters, PendingAggregate, Placement, PutBackError};
pub use manager::AggregationManager;
pub use put_outcome::{PutEntry, PutOutcome, Settled};
pub use put_queue::{PutQueue, PutRequest};
pub use routed::{HandedOut, RoutedAggregate};
pub use shard_map::{Shard, ShardMap, ShardMapError};
