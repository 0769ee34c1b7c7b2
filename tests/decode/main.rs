//! Decoding: golden, malformed, damaged and hostile payloads, key buffers, deaggregation of many records.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all numbers are small, and a panic fails the test, as it should"
)]

#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "alloc")]
#[path = "../common/agree.rs"]
mod agree;
#[cfg(feature = "alloc")]
#[path = "../reference/mod.rs"]
mod reference;
#[cfg(feature = "alloc")]
#[path = "../common/timing.rs"]
mod timing;

#[cfg(feature = "alloc")]
mod allocations;
#[cfg(feature = "alloc")]
mod attacks;
#[cfg(feature = "alloc")]
mod batches;
#[cfg(feature = "alloc")]
mod conformance;
#[cfg(feature = "alloc")]
mod damage;
mod malformed;
#[cfg(feature = "alloc")]
mod payload;
#[cfg(feature = "alloc")]
mod texts;
#[cfg(feature = "alloc")]
mod time;
mod vectors;
