//! Layer 7: records of other crates. A file is of one crate and of the feature of its name.

#[cfg(feature = "aws-sdk-kinesis")]
mod aws_sdk_kinesis;
#[cfg(feature = "lambda-events")]
mod lambda_events;

#[cfg(feature = "lambda-events")]
pub use lambda_events::{ArrivalTime, LambdaKinesis, LambdaRecord};
