//! Decoding aggregates: [`Payload`](crate::Payload) and [`AggregatedRecord`] without a heap,
//! [`deaggregate`](crate::deaggregate()) and [`iter_deaggregate_records`](crate::iter_deaggregate_records) with one.
//!
//! A payload is validated as a whole before the first user record is returned, so iteration cannot fail.

#[cfg(feature = "alloc")]
pub(crate) mod deaggregate;
pub(crate) mod payload;
mod sequence_number;

#[cfg(feature = "alloc")]
pub use deaggregate::{
    Deaggregated, DeaggregatedBatch, KinesisRecord, KinesisRecords, SourcedRecord, SourcedRecords,
    deaggregate_all,
};
pub use payload::{AggregatedRecord, UserRecords};
pub use sequence_number::{ExtendedSequenceNumber, SequenceNumber};

#[cfg(feature = "lambda-events")]
pub use crate::adapters::{ArrivalTime, LambdaKinesis, LambdaRecord};
pub use crate::error::{DecodeError, DecodeErrorKind};
pub use crate::frame::{DigestCheck, MAGIC, PlainReason};
pub use crate::md5::Md5;
pub use crate::message::{RecordTag, Tags};
