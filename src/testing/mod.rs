//! Generates payloads to test readers with, and states what each must decode to (features `arbitrary` and `proptest`).
//!
//! - [`OwnedUserRecord`]: a user record that a producer may send.
//! - [`ValidAggregate`]: an aggregate in any form that the format allows, with the user records in it.
//! - [`BrokenAggregate`]: an aggregate with one [`Flaw`], with the reason for which it is plain.
//!
//! Aggregates are made from a list of user records and a list of *choices*, bytes that decide how something is encoded.
//! Without choices, everything is encoded as the KPL does.
//!
//! ```
//! use kinesis_aggregation::testing::{BrokenAggregate, Flaw, ValidAggregate};
//! use kinesis_aggregation::{UserRecord, deaggregate};
//!
//! let records = vec![UserRecord::new("device-7", b"21.5").into()];
//! let valid = ValidAggregate::new(records.clone(), &[3, 250, 1, 0, 200]);
//! assert!(deaggregate(&valid.payload[..]).eq(valid.user_records()));
//!
//! let broken = BrokenAggregate::new(Flaw::IndexWraps32, &records, &[]);
//! assert_eq!(deaggregate(&broken.payload[..]).plain_reason(), Some(broken.reason));
//! ```
//!
//! The guide on testing shows how to use them with fuzzers and property tests.

mod aggregates;
#[cfg(feature = "arbitrary")]
mod arbitrary;
mod body;
mod flaw;
#[cfg(feature = "proptest")]
mod proptest;
mod spelling;

pub use self::aggregates::{BrokenAggregate, OwnedUserRecord, ValidAggregate};
pub use self::flaw::Flaw;
#[cfg(feature = "proptest")]
pub use self::proptest::{broken_aggregates, user_records, valid_aggregates};

/// Partition keys that recur, so that user records of an aggregate share them.
const PARTITION_KEYS: &[&str] = &["a", "b", "0", "device-7", "clé", "漢字", "🚀", "a\0b"];

/// Hash keys at the bounds of the whole range, of a shard of two, and of 64 bits.
const HASH_KEYS: &[&str] = &[
    "0",
    "1",
    "18446744073709551616",
    "170141183460469231731687303715884105727",
    "170141183460469231731687303715884105728",
    "340282366920938463463374607431768211455",
];

/// Explicit hash keys that no producer may send, but that are decoded as they are (D14).
const INVALID_HASH_KEYS: &[&str] =
    &["", "007", "abc", "+5", "-1", " 5", "340282366920938463463374607431768211456"];

/// Lengths at which the varint of a length grows, and their neighbours.
const LENGTHS: &[usize] = &[127, 128, 129, 16_383, 16_384];

/// Makes a partition key that a producer may send (E5).
fn partition_key(characters: impl IntoIterator<Item = char>) -> alloc::string::String {
    let mut key: alloc::string::String = characters.into_iter().take(256).collect();
    if key.is_empty() {
        key.push('a');
    }
    key
}
