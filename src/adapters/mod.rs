//! Adapters for the types of other crates: one file per crate, and a feature with the crate's name.

#[cfg(feature = "aws-sdk-kinesis")]
mod aws_sdk_kinesis;
#[cfg(feature = "lambda-events")]
mod lambda_events;

#[cfg(feature = "lambda-events")]
pub use lambda_events::{ArrivalTime, LambdaKinesis, LambdaRecord};
