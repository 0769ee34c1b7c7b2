//! AWS Lambda functions that deaggregate Kinesis records: [`consume`] reads a stream, [`transform`] is a transformation for
//! Firehose. The programs in `src/bin` are thin wrappers.

pub mod consume;
pub mod event;
pub mod store;
pub mod transform;
