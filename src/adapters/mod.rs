//! Adapters for the types of other crates: one file per crate, and a feature with the crate's name.

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
