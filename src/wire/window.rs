//! The first eight bytes of a message in a register.

use crate::wire::Reader;

/// What was not taken off the first eight bytes of a message.
///
/// Varints are taken without a branch on their length. Lengths of indexes come as they please, so a processor could
/// not foresee such a branch; where more than 128 keys are used at random that is worth 4 ns a user record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// The next byte is the lowest. Zeros follow the eighth.
    bytes: u64,
    bits_taken: u32,
}

/// The top bits of three bytes.
const CONTINUATIONS: u64 = 0x80_8080;

impl Window {
    /// The next eight bytes, if there are as many.
    #[inline(always)]
    pub(crate) fn peek(message: &Reader<'_>) -> Option<Self> {
        let bytes = message.bytes().first_chunk()?;
        Some(Self { bytes: u64::from_le_bytes(*bytes), bits_taken: 0 })
    }

    /// Whether the next byte is this one.
    #[inline(always)]
    pub(crate) const fn begins_with(&self, byte: u8) -> bool {
        self.bytes.to_le_bytes()[0] == byte
    }

    /// Whether the bits of the next bytes that are in `mask` are these ones.
    #[inline(always)]
    pub(crate) fn matches<const N: usize>(&self, bytes: &[u8; N], mask: &[u8; N]) -> bool {
        self.bytes & Self::register(mask) == Self::register(bytes)
    }

    /// As many bytes in a register, the first one lowest.
    #[inline(always)]
    fn register<const N: usize>(bytes: &[u8; N]) -> u64 {
        bytes.iter().rev().fold(0, |register, &byte| register << 8 | u64::from(byte))
    }

    /// A byte that was not taken; 0 is the next.
    #[inline(always)]
    pub(crate) const fn nth_byte(&self, n: u32) -> u64 {
        self.bytes.wrapping_shr(n.wrapping_mul(8)) & 0xff
    }

    /// Passes over `count` bytes.
    #[inline(always)]
    pub(crate) const fn skip(&mut self, count: u32) {
        let bits = count.wrapping_mul(8);
        self.bytes = self.bytes.wrapping_shr(bits);
        self.bits_taken = self.bits_taken.wrapping_add(bits);
    }

    /// How many bytes were taken, whether they were in the window or not.
    #[inline(always)]
    pub(crate) const fn bytes_taken(&self) -> u32 {
        self.bits_taken / 8
    }

    /// Takes a byte and, after it, a varint of one to three bytes.
    #[inline(always)]
    pub(crate) const fn tagged_varint(&mut self) -> Option<u64> {
        let varint = self.bytes >> 8;
        let last = !varint & CONTINUATIONS;
        if last == 0 {
            return None;
        }
        // 8, 16 or 24.
        let bits = last.trailing_zeros().wrapping_add(1);
        let digits = varint & 1u64.wrapping_shl(bits).wrapping_sub(1);
        self.bytes = varint.wrapping_shr(bits);
        self.bits_taken = self.bits_taken.wrapping_add(8).wrapping_add(bits);
        Some(digits & 0x7f | digits >> 1 & 0x3f80 | digits >> 2 & 0x1f_c000)
    }

    /// How many bytes were taken, if they were in the window.
    #[inline(always)]
    #[expect(clippy::as_conversions, reason = "at most 8")]
    pub(crate) const fn taken(&self) -> Option<usize> {
        if self.bits_taken <= u64::BITS { Some((self.bits_taken / 8) as usize) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn seven_bytes_are_no_window() {
        assert!(Window::peek(&Reader::new(&[8; 7], 0)).is_none());
        assert!(Window::peek(&Reader::new(&[8; 8], 0)).is_some());
    }

    /// All varints of one to three bytes whose bytes are edges, alone and one after the other, against the reader.
    #[test]
    fn as_the_reader_takes_them() {
        let edges = [0, 1, 0x7f, 0x80, 0x81, 0xff];
        let triples = edges.iter().flat_map(|&a| edges.map(|b| [a, b]));
        let triples: Vec<[u8; 3]> = triples.flat_map(|[a, b]| edges.map(|c| [a, b, c])).collect();
        for first in &triples {
            for second in &triples {
                let [a, b, c] = *first;
                let [d, e, f] = *second;
                let bytes = [8, a, b, c, d, e, f, 0, 0];
                let mut window = Window::peek(&Reader::new(&bytes, 0)).unwrap();
                let mut reader = Reader::new(&bytes, 0);
                for _ in 0..3 {
                    let tag = reader.byte().unwrap();
                    assert!(window.begins_with(tag));
                    let (by_window, by_reader) = (window.tagged_varint(), reader.short_varint());
                    if reader.offset() > 8 {
                        assert_eq!(window.taken(), None, "{bytes:x?}");
                        break;
                    }
                    assert_eq!(by_window, by_reader.map(u64::from), "{bytes:x?}");
                    if by_window.is_none() {
                        break;
                    }
                    assert_eq!(window.taken(), Some(reader.offset()), "{bytes:x?}");
                }
            }
        }
    }
}
