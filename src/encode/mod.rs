//! Layer 5: packing user records into aggregated records.

#[cfg(feature = "alloc")]
mod aggregator;
#[cfg(feature = "std")]
mod background;
#[cfg(feature = "alloc")]
mod buffer;
#[cfg(feature = "alloc")]
mod callback;
mod encoder;
mod finished;
#[cfg(feature = "alloc")]
mod key_table;
mod known_keys;
mod limits;
#[cfg(feature = "alloc")]
pub(crate) mod packs;
mod pending;
mod plan;

#[cfg(feature = "alloc")]
pub use aggregator::RecordAggregator;
#[cfg(feature = "std")]
pub use background::{AddError, BackgroundAggregator, WorkerPanic};
#[cfg(feature = "alloc")]
pub use callback::CallbackAggregator;
pub use encoder::{AddStatus, Encoder};
pub use finished::Aggregate;
pub use limits::Limits;
#[cfg(feature = "alloc")]
pub use packs::Packs;
#[cfg(feature = "alloc")]
pub(crate) use pending::check_alone;
