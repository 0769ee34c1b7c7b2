//! Routing: hash keys, shard maps, the manager, and reading by range.
//!
//! `KINESIS_AGG_CASES=1000000 cargo test --release --test route` is a long run.

#![cfg_attr(
    feature = "alloc",
    expect(
        clippy::as_conversions,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used,
        reason = "all numbers are small or bounded, and a panic fails the test, as it should"
    )
)]

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "alloc")]
mod decimal;
#[cfg(feature = "alloc")]
mod model;

#[cfg(feature = "alloc")]
mod hash_keys;
#[cfg(feature = "alloc")]
mod manager;
#[cfg(feature = "alloc")]
mod memory;
#[cfg(feature = "alloc")]
mod reading;
#[cfg(feature = "alloc")]
mod shard_maps;
