//! A producer that loses nothing, as a state machine without I/O.
//!
//! [`Producer`](crate::Producer) decides what is sent when, and keeps every record until it is known what became of it. It knows neither a client
//! nor a clock: a driver makes the calls that it asks for. With the feature `producer`, `KinesisProducer` is that driver for
//! `aws-sdk-kinesis` on tokio.
//!
//! ```
//! use core::time::Duration;
//! use kinesis_aggregation::produce::{Action, EntryAnswer, ProducerConfig, PutAnswer};
//! use kinesis_aggregation::route::{HashKeyRange, Shard};
//! use kinesis_aggregation::{Producer, ShardMap, UserRecord};
//!
//! let mut producer = Producer::new(ProducerConfig::default())?;
//! let now = Duration::ZERO;
//! producer.add(UserRecord::new("device-7", "21.5"), "receipt", now)?;
//! producer.close(now);
//! loop {
//!     match producer.poll(now) {
//!         Action::Put(id) => {
//!             let call = producer.call(id).expect("the call was just begun");
//!             // PutRecords with call.entries; this is its answer:
//!             let stored = EntryAnswer::Stored { shard: "shardId-000000000000", sequence_number: "49" };
//!             let answers = vec![stored; call.entries.len()];
//!             producer.on_put(id, PutAnswer::Entries(&answers), now);
//!         }
//!         Action::ListShards(id) => {
//!             let map = ShardMap::new([Shard::new("shardId-000000000000", HashKeyRange::ALL)])?;
//!             producer.on_shards(id, Ok(map), now);
//!         }
//!         Action::Idle => unreachable!("here everything is answered at once"),
//!         Action::Finished => break,
//!     }
//! }
//! let done = producer.next_done().expect("one record, one result");
//! assert!(done.receipt == "receipt" && done.outcome.is_delivered());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod codes;
mod config;
mod entry;
mod lanes;
mod outcome;
mod pace;
pub(crate) mod producer;
mod shards;
mod stats;

#[cfg(feature = "producer")]
pub use crate::adapters::{BlockingProducer, Delivered, Delivery, KinesisProducer, Undelivered};
pub use config::{ConfigError, Order, ProducerConfig, Routing};
pub use outcome::{
    Action, AddError, Attempt, AttemptError, Attempts, Call, CallEntry, CallFailure, CallId, Done,
    EntryAnswer, FailureKind, ListFailed, ListId, NotAdded, Outcome, Outstanding, PutAnswer,
};
pub use stats::{Histogram, ProducerStats, ShardStats};
