//! Routing: hash keys, shards, and [`AggregationManager`](crate::AggregationManager), which aggregates user records by shard so
//! that no consumer drops them.

#[cfg(feature = "alloc")]
pub(crate) mod groups;
#[cfg(feature = "alloc")]
pub(crate) mod manager;
#[cfg(feature = "alloc")]
pub(crate) mod recent_keys;
#[cfg(feature = "alloc")]
pub(crate) mod shard_map;

#[cfg(feature = "alloc")]
pub use manager::RoutedAggregate;
#[cfg(feature = "alloc")]
pub use shard_map::{Shard, ShardMapError};

pub use crate::hash_key::{
    HashKey, HashKeyError, HashKeyRange, HashKeyRangeError, InRange, InvalidHashKey, RangeMode,
};
