//! The cursor that all writing goes through.

use crate::wire::{Head, copy, copy_any, widen};

/// The buffer has no room for what was to be written.
///
/// All sizes are computed before anything is written, so no caller ever gets to see this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The part of a buffer that is still to be written. A failed write may leave bytes behind its position.
#[derive(Debug)]
pub(crate) struct Writer<'b> {
    buffer: &'b mut [u8],
    position: usize,
}

impl<'b> Writer<'b> {
    /// Writes into `buffer`, on from `position`.
    pub(crate) const fn new(buffer: &'b mut [u8], position: usize) -> Self {
        Self { buffer, position }
    }

    /// How many bytes of the buffer are written.
    pub(crate) const fn position(&self) -> usize {
        self.position
    }

    /// Writes a head, and zeros up to its most bytes: data is to follow, and 16 bytes of digest at last, so there is room.
    #[inline(always)]
    pub(crate) fn head(&mut self, head: Head) -> Result<(), Full> {
        let (bytes, len) = head.to_bytes();
        *self.buffer.get_mut(self.position..).and_then(<[u8]>::first_chunk_mut).ok_or(Full)? = bytes;
        self.position = self.position + len;
        Ok(())
    }

    /// Puts bytes as they are.
    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Full> {
        copy_any(bytes, self.room(bytes.len())?);
        Ok(())
    }

    /// The same where many times as much code is worth the time of a call.
    #[inline(always)]
    pub(crate) fn short_bytes(&mut self, bytes: &[u8]) -> Result<(), Full> {
        copy(bytes, self.room(bytes.len())?);
        Ok(())
    }

    /// The next `len` bytes of the buffer, which count as written.
    #[inline(always)]
    fn room(&mut self, len: usize) -> Result<&mut [u8], Full> {
        let start = self.position;
        let end = start.checked_add(len).ok_or(Full)?;
        let room = self.buffer.get_mut(start..end).ok_or(Full)?;
        self.position = end;
        Ok(room)
    }

    #[inline]
    fn byte(&mut self, byte: u8) -> Result<(), Full> {
        *self.buffer.get_mut(self.position).ok_or(Full)? = byte;
        self.position += 1;
        Ok(())
    }

    /// Puts the shortest varint for `value`.
    #[inline]
    pub(crate) fn varint(&mut self, mut value: u64) -> Result<(), Full> {
        while value >= 0x80 {
            self.byte(low_seven_bits(value) | 0x80)?;
            value >>= 7;
        }
        self.byte(low_seven_bits(value))
    }

    /// Puts field `number` with a number in it.
    #[inline]
    pub(crate) fn varint_field(&mut self, number: u32, value: u64) -> Result<(), Full> {
        self.varint(u64::from(number) << 3)?;
        self.varint(value)
    }

    /// Puts the tag of field `number` and the length of what is to come.
    #[inline]
    pub(crate) fn length_prefix(&mut self, number: u32, length: usize) -> Result<(), Full> {
        self.varint(u64::from(number) << 3 | 2)?;
        self.varint(widen(length))
    }

    /// Puts field `number` with a string or some data in it.
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
    use crate::wire::varint::tests::BOUNDARIES;
    use crate::wire::{Reader, length_delimited_len};

    #[test]
    fn varints_as_long_as_counted() {
        for &(value, len) in BOUNDARIES {
            let mut buffer = [0xa5; 12];
            let mut writer = Writer::new(&mut buffer, 1);
            writer.varint(value).unwrap();
            assert_eq!(writer.position(), 1 + len, "{value:#x}");
            assert_eq!((buffer[0], buffer[1 + len]), (0xa5, 0xa5), "{value:#x}: nothing beside it");
            assert_eq!(Reader::new(&buffer[1..=len], 0).varint(), Ok(value), "{value:#x}");
            for room in 0..len {
                assert_eq!(Writer::new(&mut buffer[..room], 0).varint(value), Err(Full), "{value:#x}");
            }
        }
    }

    #[test]
    fn fields_as_long_as_counted() {
        for len in [0, 1, 127, 128, 300] {
            let data = [7; 300];
            let mut buffer = [0xa5; 400];
            let mut writer = Writer::new(&mut buffer, 0);
            writer.bytes_field(3, &data[..len]).unwrap();
            let end = writer.position();
            assert_eq!(end, length_delimited_len(len));
            assert!(buffer[end..].iter().all(|&byte| byte == 0xa5));
            assert_eq!(Writer::new(&mut buffer[..end - 1], 0).bytes_field(3, &data[..len]), Err(Full));
        }
    }

    #[test]
    fn positions_past_the_buffer_are_full() {
        let mut buffer = [0xa5; 4];
        assert_eq!(Writer::new(&mut buffer, 5).bytes(b""), Err(Full));
        assert_eq!(Writer::new(&mut buffer, usize::MAX).bytes(b"x"), Err(Full));
        assert_eq!(Writer::new(&mut buffer, 4).varint(0), Err(Full));
        assert_eq!(buffer, [0xa5; 4]);
    }
}
