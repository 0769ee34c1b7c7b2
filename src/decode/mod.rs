//! Layer 4: taking aggregated records apart.

mod aggregated_record;
#[cfg(feature = "alloc")]
mod batch;
#[cfg(feature = "alloc")]
mod kinesis_record;
mod payload;
mod sequence_number;
#[cfg(feature = "alloc")]
mod sourced;

#[cfg(feature = "alloc")]
pub use aggregated_record::recycle;
pub use aggregated_record::{AggregatedRecord, IntoUserRecords, UserRecords};
#[cfg(feature = "alloc")]
pub use batch::{DeaggregatedBatch, deaggregate_all};
#[cfg(feature = "alloc")]
pub use kinesis_record::{Deaggregated, KinesisRecord, deaggregate};
pub use payload::{ParseError, Payload};
pub use sequence_number::{ExtendedSequenceNumber, SequenceNumber, SequenceNumberError};
#[cfg(feature = "alloc")]
pub use sourced::{
    KinesisRecords, SourcedRecord, SourcedRecords, deaggregate_records, iter_deaggregate_records,
};
