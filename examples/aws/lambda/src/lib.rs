//! Functions for AWS Lambda that take aggregated Kinesis records apart: [`consume`] reads a stream, [`transform`] is a
//! transformation for Firehose. What runs on Lambda is in `src/bin`, and is short.

pub mod consume;
pub mod event;
pub mod store;
pub mod transform;
