//! Layer 0: the protobuf wire format, and the only code that touches raw bytes.
//!
//! Nothing here knows what the bytes mean. A [`Reader`] takes varints, tags and whole [`Field`]s off a message
//! and reports each fault with its offset in the payload; a [`Writer`] puts them into a buffer.

mod fields;
mod head;
mod reader;
mod short;
mod tag;
pub(crate) mod varint;
mod window;
mod writer;

pub(crate) use fields::Value;
pub(crate) use head::Head;
pub(crate) use reader::Reader;
pub(crate) use short::{copy, copy_any, equal};
pub(crate) use tag::{length_delimited_tag, varint_tag};
pub(crate) use window::Window;
pub(crate) use writer::{Full, Writer};

/// Whether what is usual is read by ways of its own, next to the one for everything. Where registers have 32 bits or
/// fewer, they would cost more in flash than they are worth in time.
pub(crate) const FAST_PATHS: bool = cfg!(target_pointer_width = "64");

/// Widens a size. Lengths and indexes on the wire are 64-bit numbers, so that nothing wraps on a target whose
/// `usize` is smaller (rules D8 and D11).
#[expect(clippy::as_conversions, reason = "usize has at most 64 bits on every target Rust has")]
pub(crate) const fn widen(size: usize) -> u64 {
    size as u64
}

/// Counts the bytes of a length-delimited field with a one-byte tag.
///
/// It saturates: `len` may be the sum of slices that overlap, and so more than there is memory.
pub(crate) const fn length_delimited_len(len: usize) -> usize {
    (1 + varint::encoded_len(widen(len))).saturating_add(len)
}
