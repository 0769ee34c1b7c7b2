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
pub(crate) const VARINT_BOUNDARIES: &[(u64, usize)] = &[
    (0, 1),
    (1, 1),
    (0x7f, 1),
    (0x80, 2),
    (0x3fff, 2),
    (0x4000, 3),
    (0x1f_ffff, 3),
    (0x20_0000, 4),
    (0xfff_ffff, 4),
    (0x1000_0000, 5),
    (0x7_ffff_ffff, 5),
    (0x8_0000_0000, 6),
    (0x3ff_ffff_ffff, 6),
    (0x400_0000_0000, 7),
    (0x1_ffff_ffff_ffff, 7),
    (0x2_0000_0000_0000, 8),
    (0xff_ffff_ffff_ffff, 8),
    (0x100_0000_0000_0000, 9),
    (0x7fff_ffff_ffff_ffff, 9),
    (0x8000_0000_0000_0000, 10),
    (u64::MAX, 10),
];
