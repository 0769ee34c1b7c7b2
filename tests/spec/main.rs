//! The rules: the decoder against its executable specification in `tests/reference`, other protobuf libraries, the
//! generators of the module `testing`, and what the public types promise.

#![cfg_attr(
    feature = "alloc",
    expect(
        clippy::as_conversions,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used,
        reason = "all numbers are small, and a panic fails the test, as it should"
    )
)]

#[cfg(feature = "alloc")]
#[path = "../common/agree.rs"]
mod agree;
#[cfg(feature = "arbitrary")]
mod bodies;
#[cfg(feature = "arbitrary")]
mod by_prost;
#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "arbitrary")]
mod generated_checks;
#[path = "../reference/mod.rs"]
mod reference;

#[cfg(feature = "arbitrary")]
mod agreement;
#[cfg(feature = "alloc")]
mod exhaustive;
#[cfg(feature = "arbitrary")]
mod generated_vectors;
#[cfg(all(feature = "arbitrary", feature = "proptest"))]
mod generators;
#[cfg(feature = "arbitrary")]
mod prost;
#[cfg(feature = "std")]
mod public_types;
#[cfg(feature = "arbitrary")]
#[path = "../upb/mod.rs"]
mod upb;
