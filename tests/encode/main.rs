//! Encoding: golden payloads, limits and sizes, buffers, callbacks, hostile keys.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all numbers are small, and a panic fails the test, as it should"
)]

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "alloc")]
#[path = "../common/timing.rs"]
mod timing;

#[cfg(feature = "alloc")]
mod allocations;
#[cfg(feature = "alloc")]
mod boundaries;
mod buffers;
#[cfg(feature = "std")]
mod callbacks;
#[cfg(feature = "alloc")]
mod hostile_keys;
#[cfg(feature = "alloc")]
mod limits;
#[cfg(feature = "alloc")]
mod properties;
#[cfg(feature = "std")]
mod texts;
mod vectors;
