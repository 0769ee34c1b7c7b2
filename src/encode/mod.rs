//! Aggregating user records: [`Encoder`](crate::Encoder) without a heap, [`RecordAggregator`](crate::RecordAggregator) with one.
//!
//! ```text
//! Encoder           RecordAggregator   CallbackAggregator, BackgroundAggregator
//!    \                 /
//!     Packer<S: Store>        what fits, and when an aggregate is full
//!    /                 \
//! Streamed           Tables   where the bytes go: the caller's buffer, or the heap
//! ```

pub(crate) mod aggregate;
#[cfg(feature = "alloc")]
pub(crate) mod aggregator;
#[cfg(feature = "std")]
mod background;
#[cfg(feature = "alloc")]
mod callback;
pub(crate) mod encoder;
mod key_map;
pub(crate) mod limits;
mod packer;

#[cfg(feature = "alloc")]
pub use aggregate::Undigested;
#[cfg(feature = "alloc")]
pub(crate) use aggregate::write_digests;
pub use aggregate::{AggregateRef, FinishedBuffer};
#[cfg(feature = "std")]
pub use background::{AddError, BackgroundAggregator, WorkerPanic};
#[cfg(feature = "alloc")]
pub use callback::CallbackAggregator;
pub use encoder::AddStatus;
#[cfg(feature = "alloc")]
pub(crate) use key_map::{hash, slot_of_hash};
#[cfg(feature = "alloc")]
pub(crate) use packer::check_alone;

pub use crate::error::EncodeError;
