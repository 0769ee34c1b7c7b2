//! Layer 6: hash keys, shards, and routing user records to them.

#[cfg(feature = "alloc")]
mod answers;
#[cfg(feature = "alloc")]
mod groups;
#[cfg(feature = "alloc")]
mod manager;
#[cfg(feature = "alloc")]
mod owned_shard_map;
#[cfg(feature = "alloc")]
mod put_outcome;
#[cfg(feature = "alloc")]
mod put_queue;
#[cfg(feature = "alloc")]
mod recent_keys;
#[cfg(feature = "alloc")]
mod routed;
mod shard_map;

#[cfg(feature = "alloc")]
pub use answers::{Counters, PendingAggregate, Placement, PutBackError};
#[cfg(feature = "alloc")]
pub use manager::AggregationManager;
#[cfg(feature = "alloc")]
pub use owned_shard_map::OwnedShardMap;
#[cfg(feature = "alloc")]
pub use put_outcome::{PutEntry, PutOutcome, Settled};
#[cfg(feature = "alloc")]
pub use put_queue::{PutQueue, PutRequest};
#[cfg(feature = "alloc")]
pub use routed::{HandedOut, RoutedAggregate};
pub use shard_map::{Shard, ShardMap, ShardMapError};
