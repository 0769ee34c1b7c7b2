//! Aggregating user records.
//!
//! ```text
//! Encoder           RecordAggregator   CallbackAggregator, BackgroundAggregator
//!    \                 /
//!     Packer<S: Store>        what fits, and when an aggregate is full
//!    /                 \
//! Streamed           Tables   where the bytes go: the caller's buffer, or the heap
//! ```

mod aggregate;
#[cfg(feature = "alloc")]
mod aggregator;
#[cfg(feature = "alloc")]
mod callback;
mod encoder;
mod key_map;
mod limits;
mod packer;

#[cfg(feature = "alloc")]
pub use aggregate::Aggregate;
pub use aggregate::AggregateRef;
#[cfg(feature = "alloc")]
pub(crate) use aggregate::write_digests;
#[cfg(feature = "alloc")]
pub use aggregator::RecordAggregator;
#[cfg(feature = "alloc")]
pub use callback::CallbackAggregator;
#[cfg(feature = "std")]
pub use callback::{AddError, BackgroundAggregator, WorkerPanic};
pub use encoder::{AddStatus, Encoder};
#[cfg(feature = "alloc")]
pub(crate) use key_map::{hash, slot_of_hash};
pub use limits::Limits;
#[cfg(feature = "alloc")]
pub(crate) use packer::check_alone;
