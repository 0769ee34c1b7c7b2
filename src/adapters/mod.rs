//! Layer 7: records of other crates. A file is of one crate and of the feature of its name.

#[cfg(feature = "aws-sdk-kinesis")]
mod aws_sdk_kinesis;
#[cfg(feature = "producer")]
mod kinesis_producer;
#[cfg(feature = "lambda-events")]
mod lambda_events;

#[cfg(feature = "producer")]
pub use kinesis_producer::{BlockingProducer, Delivered, Delivery, KinesisProducer, Undelivered};

#[cfg(feature = "lambda-events")]
pub use lambda_events::{ArrivalTime, LambdaKinesis, LambdaRecord};
