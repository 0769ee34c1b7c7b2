// The examples of the README need `alloc`.
#![cfg_attr(feature = "alloc", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "alloc"), doc = "The Amazon Kinesis aggregated record format, without a heap.")]
#![cfg_attr(
    doc,
    doc = "\n\n# Rules\n\nWhat is named D10, E5 or R3 in this documentation is a rule in [`wire_format`]."
)]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    test,
    allow(
        clippy::as_conversions,
        reason = "tests count in small numbers, and a panic in one is its failure"
    )
)]

#[cfg(any(feature = "alloc", test))]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

/// The rules that this documentation names.
#[cfg(doc)]
#[doc = include_str!("../docs/wire-format.md")]
pub mod wire_format {}

mod error;

// Each module uses those above it.
mod wire;

mod md5;

mod hash_key;

mod message;

mod frame;

mod decode;

mod encode;

#[cfg(feature = "alloc")]
mod route;

#[cfg(any(feature = "aws-sdk-kinesis", feature = "lambda-events"))]
mod adapters;

#[cfg(any(feature = "arbitrary", feature = "proptest"))]
pub mod testing;

#[cfg(feature = "lambda-events")]
pub use crate::adapters::{ArrivalTime, LambdaKinesis, LambdaRecord};
pub use crate::decode::{
    AggregatedRecord, ExtendedSequenceNumber, Payload, SequenceNumber, SequenceNumberError, UserRecords,
};
#[cfg(feature = "alloc")]
pub use crate::decode::{
    Deaggregated, DeaggregatedBatch, KinesisRecord, KinesisRecords, SourcedRecord, SourcedRecords,
    deaggregate, deaggregate_all, iter_deaggregate_records,
};
#[cfg(feature = "std")]
pub use crate::encode::{AddError, BackgroundAggregator, WorkerPanic};
pub use crate::encode::{AddStatus, AggregateRef, Encoder, Limits};
#[cfg(feature = "alloc")]
pub use crate::encode::{Aggregate, CallbackAggregator, RecordAggregator};
pub use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
pub use crate::frame::{DigestCheck, MAGIC, PlainReason, verify_each};
pub use crate::hash_key::{
    HashKey, HashKeyError, HashKeyRange, HashKeyRangeError, InRange, InvalidHashKey, RangeMode,
};
pub use crate::md5::Md5;
pub use crate::message::{RecordTag, Tags, UserRecord};
#[cfg(feature = "alloc")]
pub use crate::route::{
    Aggregates, AggregationManager, Counters, PendingAggregate, Placement, PutEntry, PutOutcome, PutQueue,
    PutRequest, RequeueError, RoutedAggregate, Settled, Shard, ShardMap, ShardMapError,
};

// The examples of the documents are tested like those of the library.

#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../docs/coming-from-python.md")]
struct ComingFromPython;

#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../docs/routing.md")]
struct Routing;

#[cfg(all(doctest, feature = "arbitrary", feature = "proptest"))]
#[doc = include_str!("../docs/testing.md")]
struct Testing;
