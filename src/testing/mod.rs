//! Layer 7: payloads to test with, for this crate and for others (features `arbitrary` and `proptest`).
//!
//! There are user records as producers may send them ([`OwnedUserRecord`]), aggregates in any spelling that the format
//! allows, with the user records they must give ([`ValidAggregate`]), and aggregates with one [`Flaw`], with the
//! verdict they must get ([`BrokenAggregate`]). All come from a list of user records and a list of *choices*: bytes
//! that decide how something is spelled. Without choices, everything is spelled as the KPL does.
//!
//! ```
//! use kinesis_aggregation::testing::{BrokenAggregate, Flaw, ValidAggregate};
//! use kinesis_aggregation::UserRecord;
//! use kinesis_aggregation::decode::{AggregatedRecord, PlainReason};
//!
//! let records = vec![UserRecord::new("device-7", b"21.5").into()];
//! let valid = ValidAggregate::new(records.clone(), &[3, 250, 1, 0, 200]);
//! let aggregate = AggregatedRecord::parse(&valid.payload)?;
//! assert!(aggregate.records().eq(valid.user_records()));
//!
//! let broken = BrokenAggregate::new(Flaw::IndexWraps32, &records, &[]);
//! let error = AggregatedRecord::parse(&broken.payload).unwrap_err();
//! assert_eq!(error, broken.reason);
//! # Ok::<(), PlainReason>(())
//! ```
//!
//! `docs/testing.md` shows how to use this with fuzzers and property tests.

mod aggregates;
mod body;
mod choices;
mod faults;
mod flaw;
mod owned;
mod piece;
mod record;
mod samples;
mod speller;
#[cfg(feature = "proptest")]
mod strategies;
#[cfg(feature = "arbitrary")]
mod unstructured;

pub use aggregates::{BrokenAggregate, ValidAggregate};
pub use flaw::Flaw;
pub use owned::OwnedUserRecord;
#[cfg(feature = "proptest")]
pub use strategies::{broken_aggregates, user_records, valid_aggregates};
