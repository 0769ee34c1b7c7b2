//! The protobuf wire format: the only code that touches raw bytes.
//!
//! Nothing here knows what the bytes mean. A [`Reader`] takes varints, tags and whole fields off a message and reports
//! each fault with its offset in the payload; a [`Writer`] puts them into a buffer.

mod bytes;
mod reader;
mod writer;

pub(crate) use bytes::{FAST_PATHS, copy, copy_any, equal};
pub(crate) use reader::{Reader, Value};
pub(crate) use writer::{Full, Writer, length_delimited_len, varint_len};

/// Widens a size. Lengths and indexes on the wire are 64-bit numbers, so that nothing wraps on a target whose
/// `usize` is smaller (rules D8 and D11).
#[expect(clippy::as_conversions, reason = "usize has at most 64 bits on every target Rust has")]
pub(crate) const fn widen(size: usize) -> u64 {
    size as u64
}

/// Every value at which a varint gets longer, with its neighbours and their lengths.
#[cfg(test)]
pub(crate) fn varint_boundaries() -> impl Iterator<Item = (u64, usize)> {
    let grows = (1..10).flat_map(|len| [((1 << (7 * len)) - 1, len), (1 << (7 * len), len + 1)]);
    grows.chain([(0, 1), (1, 1), (u64::MAX, 10)])
}
