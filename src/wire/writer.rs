//! The cursor that all writing goes through, and the sizes of what it writes.

use crate::wire::{copy, copy_any, widen};

/// Counts the bytes of the shortest varint that holds `value`: 1 to 10.
#[expect(
    clippy::as_conversions,
    reason = "the number of significant bits is 1 to 64, so everything fits a byte"
)]
pub(crate) const fn varint_len(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    // 9/64 is a little less than 1/7: exact for 1 to 64 bits, and a shift instead of a division.
    ((bits * 9 + 64) / 64) as usize
}

/// Counts the bytes of a length-delimited field with a one-byte tag.
///
/// It saturates: `len` may be the sum of slices that overlap, and so exceed the memory there is.
pub(crate) const fn length_delimited_len(len: usize) -> usize {
    (1 + varint_len(widen(len))).saturating_add(len)
}

/// The error for a buffer that is too small.
///
/// All sizes are computed before anything is written, so no user ever sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// A buffer and the position of the next byte. A failed write may leave bytes behind the position.
#[derive(Debug)]
pub(crate) struct Writer<'b> {
    buffer: &'b mut [u8],
    position: usize,
}

impl<'b> Writer<'b> {
    /// Continues in `buffer` at `position`.
    pub(crate) const fn new(buffer: &'b mut [u8], position: usize) -> Self {
        Self { buffer, position }
    }

    /// Returns the position of the next byte.
    pub(crate) const fn position(&self) -> usize {
        self.position
    }

    /// Writes with a function that takes the buffer and the position, and returns the new position.
    ///
    /// A function that is not inlined should be called like this: given the writer by reference, it would keep the writer
    /// in memory, not in registers, in the code around the call as well (16 instructions for each record).
    #[inline(always)]
    pub(crate) fn write_with(
        &mut self,
        write: impl FnOnce(&mut [u8], usize) -> Result<usize, Full>,
    ) -> Result<(), Full> {
        self.position = write(self.buffer, self.position)?;
        Ok(())
    }

    /// Writes a whole chunk with one store. Only the first `len` bytes of it count, but there has to be space for all.
    #[inline(always)]
    pub(crate) fn chunk<const N: usize>(&mut self, chunk: [u8; N], len: usize) -> Result<(), Full> {
        debug_assert!(len <= N, "{len} of {N} bytes");
        *self.buffer.get_mut(self.position..).and_then(<[u8]>::first_chunk_mut).ok_or(Full)? = chunk;
        self.position += len;
        Ok(())
    }

    /// Writes bytes.
    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Full> {
        copy_any(bytes, self.advance(bytes.len())?);
        Ok(())
    }

    /// Writes bytes without a call if there are at most 128, which takes many times as much code.
    #[inline(always)]
    pub(crate) fn short_bytes(&mut self, bytes: &[u8]) -> Result<(), Full> {
        copy(bytes, self.advance(bytes.len())?);
        Ok(())
    }

    /// Moves on by `len` bytes, and returns them.
    #[inline(always)]
    fn advance(&mut self, len: usize) -> Result<&mut [u8], Full> {
        let start = self.position;
        let end = start.checked_add(len).ok_or(Full)?;
        let bytes = self.buffer.get_mut(start..end).ok_or(Full)?;
        self.position = end;
        Ok(bytes)
    }

    #[inline]
    fn byte(&mut self, byte: u8) -> Result<(), Full> {
        *self.buffer.get_mut(self.position).ok_or(Full)? = byte;
        self.position += 1;
        Ok(())
    }

    /// Writes the shortest varint for `value`.
    #[inline]
    pub(crate) fn varint(&mut self, mut value: u64) -> Result<(), Full> {
        while value >= 0x80 {
            self.byte(low_seven_bits(value) | 0x80)?;
            value >>= 7;
        }
        self.byte(low_seven_bits(value))
    }

    /// Writes field `number` with a number in it.
    #[inline]
    pub(crate) fn varint_field(&mut self, number: u32, value: u64) -> Result<(), Full> {
        self.varint(u64::from(number) << 3)?;
        self.varint(value)
    }

    /// Writes the tag of field `number` and the length of what follows.
    #[inline]
    pub(crate) fn length_prefix(&mut self, number: u32, length: usize) -> Result<(), Full> {
        self.varint(u64::from(number) << 3 | 2)?;
        self.varint(widen(length))
    }

    /// Writes field `number` with a string or data in it.
    #[inline]
    pub(crate) fn bytes_field(&mut self, number: u32, bytes: &[u8]) -> Result<(), Full> {
        self.length_prefix(number, bytes.len())?;
        self.bytes(bytes)
    }
}

#[expect(clippy::as_conversions, reason = "cut to seven bits on purpose")]
const fn low_seven_bits(value: u64) -> u8 {
    value as u8 & 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Reader, varint_boundaries};

    #[test]
    fn varints_as_long_as_counted() {
        for (value, len) in varint_boundaries() {
            assert_eq!(varint_len(value), len, "{value:#x}");
            let mut buffer = [0xa5; 12];
            let mut writer = Writer::new(&mut buffer, 1);
            writer.varint(value).unwrap();
            assert_eq!(writer.position(), 1 + len, "{value:#x}");
            assert_eq!((buffer[0], buffer[1 + len]), (0xa5, 0xa5), "{value:#x}: nothing beside it");
            assert_eq!(Reader::new(&buffer[1..=len], 0).varint(), Ok(value), "{value:#x}");
            for size in 0..len {
                assert_eq!(Writer::new(&mut buffer[..size], 0).varint(value), Err(Full), "{value:#x}");
            }
        }
    }

    #[test]
    fn positions_past_the_buffer_are_full() {
        let mut buffer = [0xa5; 4];
        assert_eq!(Writer::new(&mut buffer, 5).bytes(b""), Err(Full));
        assert_eq!(Writer::new(&mut buffer, usize::MAX).bytes(b"x"), Err(Full));
        assert_eq!(Writer::new(&mut buffer, 4).varint(0), Err(Full));
        assert_eq!(Writer::new(&mut buffer, 3).chunk([0; 2], 1), Err(Full));
        assert_eq!(buffer, [0xa5; 4]);
    }
}
