//! Decoding: what a payload is, the user records of an aggregate, and their place in a shard.
//!
//! `payload` works without a heap; `deaggregate` needs none from its caller, and therefore `alloc`. Nothing here knows
//! the encoding of messages, how user records are routed, or who delivers Kinesis records.

#[cfg(feature = "alloc")]
mod deaggregate;
mod payload;
mod sequence_number;

#[cfg(feature = "alloc")]
pub use deaggregate::{
    Deaggregated, DeaggregatedBatch, KinesisRecord, KinesisRecords, SourcedRecord, SourcedRecords,
    deaggregate, deaggregate_all, iter_deaggregate_records,
};
pub use payload::{AggregatedRecord, Payload, UserRecords};
pub use sequence_number::{ExtendedSequenceNumber, SequenceNumber, SequenceNumberError};
