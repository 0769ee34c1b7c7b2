//! Adapters for the types of other crates: one file per crate, and a feature with the crate's name.

/// Implements `KinesisRecords` for a record, and for the events that contain a list of such records.
macro_rules! batches {
    ($record:ty: $($event:ty => $($field:ident).+),+) => {
        impl $crate::decode::KinesisRecords for $record {
            type Record = Self;

            fn records(&self) -> &[Self] {
                core::slice::from_ref(self)
            }
        }
        $(impl $crate::decode::KinesisRecords for $event {
            type Record = $record;

            fn records(&self) -> &[$record] {
                &self.$($field).+
            }
        })+
    };
}

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
