//! Encodes and decodes the aggregated record format of the Amazon Kinesis Producer Library (KPL).
//!
//! Kinesis limits the number of records per second and bills each in units of 25 KB, so small records are expensive.
//! Producers therefore store many *user records* in one Kinesis record, an *aggregate*, and consumers deaggregate it. This
//! crate does both, with or without a heap. It also groups user records by shard, because some consumers discard aggregates
//! that mix shards.
//!
//! # Decode
//!
//! [`deaggregate`] yields the user records of one Kinesis record. For a record that is not an aggregate,
//! it yields the data of the record.
//! [`iter_deaggregate_records`] does the same for a batch, such as an SDK response or a Lambda event.
//!
//! ```
//! # #[cfg(feature = "alloc")] {
//! use kinesis_aggregation::deaggregate;
//!
//! // The smallest aggregate: one user record with the partition key "a" and the data "x".
//! let payload = b"\xf3\x89\x9a\xc2\x0a\x01a\x1a\x05\x08\x00\x1a\x01x\
//!                 \x27\x4f\xa4\xa2\x21\x60\x92\x41\x96\x6b\x02\xc7\xaf\xbf\x42\x83";
//!
//! for user in deaggregate(payload.as_slice()) {
//!     assert_eq!((user.partition_key, user.data), ("a", b"x".as_slice()));
//! }
//! # }
//! ```
//!
//! # Encode
//!
//! [`RecordAggregator::add`] returns the finished aggregate when the next user record no longer fits, and
//! [`RecordAggregator::finish`] returns the last one.
//!
//! ```
//! # #[cfg(feature = "alloc")]
//! # fn example() -> Result<(), kinesis_aggregation::encode::EncodeError> {
//! use kinesis_aggregation::{Aggregate, Limits, RecordAggregator, UserRecord};
//!
//! # fn send(_: Aggregate) {}
//! let mut aggregator = RecordAggregator::new(Limits::KPL);
//! for reading in ["21.5", "21.6", "21.4"] {
//!     if let Some(full) = aggregator.add(UserRecord::new("device-7", reading))? {
//!         send(full);
//!     }
//! }
//! if let Some(last) = aggregator.finish() {
//!     assert_eq!((last.partition_key.as_str(), last.user_records), ("device-7", 3));
//!     send(last);
//! }
//! # Ok(())
//! # }
//! # #[cfg(feature = "alloc")]
//! # example().unwrap();
//! ```
//!
//! # Route
//!
//! A stream with several shards needs an aggregate per shard: consumers built on the Kinesis Client Library discard an
//! aggregate if one of its user records belongs to another shard. [`AggregationManager`] aggregates by shard.
//!
//! ```
//! # #[cfg(feature = "alloc")]
//! # fn example() -> Result<(), Box<dyn core::error::Error>> {
//! use kinesis_aggregation::route::Shard;
//! use kinesis_aggregation::{AggregationManager, Limits, ShardMap, UserRecord};
//!
//! let shards = ShardMap::new([
//!     Shard::new("shard-0", "0-170141183460469231731687303715884105727".parse()?),
//!     Shard::new(
//!         "shard-1",
//!         "170141183460469231731687303715884105728-340282366920938463463374607431768211455".parse()?,
//!     ),
//! ])?;
//! let mut manager = AggregationManager::by_shard(shards, Limits::KPL);
//! let mut to_send = Vec::new();
//! for device in ["device-1", "device-2", "device-3", "device-4"] {
//!     to_send.extend(manager.add(UserRecord::new(device, "21.5"))?);
//! }
//! to_send.extend(manager.flush());
//! assert_eq!(to_send.len(), 2);
//! # Ok(())
//! # }
//! # #[cfg(feature = "alloc")]
//! # example().unwrap();
//! ```
//!
//! The [routing guide](guides::routing) explains why, and what happens during a reshard.
//!
//! # Produce
//!
//! A producer routes and aggregates user records and sends them with PutRecords. It limits its rate, retries
//! failures, adapts when shards split or merge, and reports exactly one result per user record. `KinesisProducer` (feature `producer`) runs on tokio and
//! calls `aws-sdk-kinesis`. [`Producer`] is the state machine
//! that it is built on, without I/O, for other clients and runtimes. See
//! the [guide to producing](guides::producing).
//!
//! # Without a heap
//!
//! You provide the memory: a byte buffer to encode into, and a slice of `&str` that receives the keys when decoding.
//!
//! ```
//! use kinesis_aggregation::encode::AddStatus;
//! use kinesis_aggregation::{Encoder, Limits, Payload, UserRecord};
//!
//! let mut buffer = [0; 256];
//! // `4`: up to four partition keys and four explicit hash keys are written only once.
//! let mut encoder = Encoder::<4>::new(&mut buffer, Limits::default());
//! for reading in ["21.5", "21.6"] {
//!     assert_eq!(encoder.add(UserRecord::new("device-7", reading))?, AddStatus::Added);
//! }
//! let aggregate = encoder.finish().expect("two user records are pending");
//!
//! let mut keys = [""; 16];
//! match Payload::parse(aggregate.data, &mut keys) {
//!     // Everything has been validated: iteration cannot fail.
//!     Payload::Aggregated(record) => assert_eq!(record.records().map(|user| user.data.len()).sum::<usize>(), 8),
//!     Payload::Plain(reason) => panic!("plain: {reason}"),
//!     Payload::NeedsKeys { needed } => panic!("the key buffer needs {needed} entries"),
//! }
//! # Ok::<(), kinesis_aggregation::encode::EncodeError>(())
//! ```
//!
//! # Which type do I need?
//!
//! | to | use |
//! |---|---|
//! | deaggregate one record | [`deaggregate`] |
//! | deaggregate a batch, an event or an SDK response | [`iter_deaggregate_records`] |
//! | decode without a heap, or find out whether a record is an aggregate | [`Payload`] |
//! | send to a stream, on tokio | `produce::KinesisProducer` (feature `producer`) |
//! | send to a stream, with another client or runtime | [`Producer`] |
//! | aggregate by shard without sending | [`AggregationManager`], [`ShardMap`] |
//! | aggregate when there is one shard, or no consumer filters by shard | [`RecordAggregator`] |
//! | encode into a fixed buffer without a heap | [`Encoder`] |
//! | set sizes, counts and ages | [`Limits`] |
//! | compute hash keys, or keep only user records in a hash key range | [`HashKey`](route::HashKey), [`HashKeyRange`](route::HashKeyRange) |
//! | checkpoint between two user records of an aggregate | [`ExtendedSequenceNumber`](decode::ExtendedSequenceNumber) |
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `std` | yes | callbacks on a worker thread; enables `alloc` and `fast-digest` |
//! | `alloc` | with `std` | [`deaggregate`], [`RecordAggregator`], [`AggregationManager`], [`Producer`] and everything else that allocates |
//! | `fast-digest` | with `std` | own MD5 code: a third faster than the `md5` crate, and several messages at once |
//! | `small-digest` | | a slower MD5 in 0.8 KB of flash instead of 8 KB; no effect together with `fast-digest` |
//! | `simd` | | AVX2 or AVX-512, detected at run time, for many digests at once; enables `std`, needs Rust 1.89 |
//! | `aws-sdk-kinesis` | | conversions from and to the types of `aws-sdk-kinesis`; enables `std` |
//! | `producer` | | `KinesisProducer` for `aws-sdk-kinesis` on tokio; enables `aws-sdk-kinesis` |
//! | `lambda-events` | | Kinesis, Firehose and Kinesis Analytics events of `aws_lambda_events`; enables `std` |
//! | `arbitrary`, `proptest` | | the module `testing`: generators for fuzzing and property tests |
//! | `defmt` | | `defmt::Format` for errors, statuses and [`Limits`] |
//! | `cli` | | the command `kinesis-agg`; enables `std` |
//!
//! Features only add items: enabling one never changes a type, a default or a result.
//!
//! # `no_std` and panics
//!
//! The crate is always `no_std`. Without `alloc` it needs neither an operating system nor an allocator. There is no `unsafe`
//! code. Functions that work without `alloc` never panic, except the `Debug` output of some types: a test links a program
//! that calls all of them and contains no panic code. With `overflow-checks = true` in your release profile, arithmetic
//! contains panic branches; no input is known to reach one.
//!
//! # Guides
//!
//! - [Wire format](guides::wire_format): the rules behind ids such as D10, E5 and R3
//! - [Producing](guides::producing): the rules of a producer, its options, shutdown, migrating from the KPL
//! - [Routing](guides::routing): why consumers drop aggregates that mix shards, and how to prevent it
//! - [AWS](guides::aws): which services deaggregate, permissions, limits, costs, troubleshooting
//! - [Migrating from Python](guides::migrating_from_python): a module in place of `aws_kinesis_agg`, and its bugs
//! - [From Python to Rust](guides::python_to_rust): `aws_kinesis_agg`, name by name
//! - [Devices](guides::devices): firmware, from the sensor to the stream
//! - [Testing](guides::testing): generators and a corpus for your own tests
//! - [Reliability](guides::reliability): the guarantees, and the tests that check them
#![no_std]
#![forbid(unsafe_code)]
// What an example ignores, its readers ignore.
#![doc(test(attr(deny(unused_must_use))))]
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

/// Guides, from the files in `docs/`.
// `doctest` comes with `doc`, so the examples of the guides are tested.
#[cfg(doc)]
pub mod guides {
    /// Puts link definitions in front of a guide. The first definition of a link wins, so links that lead to files in the
    /// repository lead to modules here.
    macro_rules! guide {
        ($file:literal) => {
            concat!(
                "[aws]: crate::guides::aws\n",
                "[aws-costs]: crate::guides::aws#costs\n",
                "[aws-failures]: crate::guides::aws#lambda-failures-within-an-aggregate\n",
                "[devices]: crate::guides::devices\n",
                "[migrating-from-python]: crate::guides::migrating_from_python\n",
                "[producing]: crate::guides::producing\n",
                "[producing-driver]: crate::guides::producing#a-driver-of-your-own\n",
                "[producing-from-kpl]: crate::guides::producing#migrating-from-the-kpl\n",
                "[producing-from-python]: crate::guides::producing#migrating-from-pythons-kinesis_publisher\n",
                "[producing-sizing]: crate::guides::producing#sizing\n",
                "[python-to-rust]: crate::guides::python_to_rust\n",
                "[routing]: crate::guides::routing\n",
                "[wire-format]: crate::guides::wire_format\n",
                "[wire-format-differences]: crate::guides::wire_format#differences-from-other-implementations\n",
                "\n",
                include_str!(concat!("../docs/", $file))
            )
        };
    }

    #[doc = guide!("wire-format.md")]
    pub mod wire_format {}

    #[cfg(any(not(doctest), feature = "std"))]
    #[doc = guide!("routing.md")]
    pub mod routing {}

    #[cfg(any(not(doctest), feature = "producer"))]
    #[doc = guide!("producing.md")]
    pub mod producing {}

    #[doc = guide!("aws.md")]
    pub mod aws {}

    #[doc = guide!("migrating-from-python.md")]
    pub mod migrating_from_python {}

    #[cfg(any(not(doctest), feature = "std"))]
    #[doc = guide!("python-to-rust.md")]
    pub mod python_to_rust {}

    #[doc = guide!("devices.md")]
    pub mod devices {}

    #[cfg(any(not(doctest), all(feature = "arbitrary", feature = "proptest")))]
    #[doc = guide!("testing.md")]
    pub mod testing {}

    #[doc = guide!("reliability.md")]
    pub mod reliability {}
}

// Each module uses those above it, and re-exports what belongs to its topic. Blank lines keep the order.

mod wire;

mod md5;

mod error;

mod hash_key;

mod message;

mod frame;

pub mod decode;

pub mod encode;

pub mod route;

#[cfg(feature = "alloc")]
pub mod produce;

#[cfg(any(feature = "aws-sdk-kinesis", feature = "lambda-events"))]
mod adapters;

#[cfg(any(feature = "arbitrary", feature = "proptest"))]
pub mod testing;

#[cfg(feature = "alloc")]
pub use crate::decode::deaggregate::{deaggregate, iter_deaggregate_records};
pub use crate::decode::payload::Payload;
#[cfg(feature = "alloc")]
pub use crate::encode::aggregate::Aggregate;
#[cfg(feature = "alloc")]
pub use crate::encode::aggregator::RecordAggregator;
pub use crate::encode::encoder::Encoder;
pub use crate::encode::limits::Limits;
pub use crate::message::UserRecord;
#[cfg(feature = "alloc")]
pub use crate::produce::producer::Producer;
#[cfg(feature = "alloc")]
pub use crate::route::manager::AggregationManager;
#[cfg(feature = "alloc")]
pub use crate::route::shard_map::ShardMap;

// The examples of the README are tested like those of the library.
#[cfg(all(doctest, feature = "lambda-events", feature = "producer"))]
#[doc = include_str!("../README.md")]
struct Readme;
