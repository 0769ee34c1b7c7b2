//! Bytes under construction on the heap.

use alloc::vec::Vec;

use crate::message::HEAD_SIZE;
use crate::wire::{Full, Writer};

/// A buffer that is written from its beginning on, grows as needed, and is kept from one aggregate to the next.
///
/// All of it is there to be written to: a vector that is lengthened for each user record asks for room, and what it is
/// to do if there is none, several times for each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    written: usize,
}

impl Buffer {
    /// What is written.
    #[inline(always)]
    pub(crate) fn written(&self) -> &[u8] {
        self.bytes.get(..self.written).unwrap_or_default()
    }

    /// Counts the bytes written.
    #[inline(always)]
    pub(crate) const fn len(&self) -> usize {
        self.written
    }

    /// Says whether `len` bytes more can be written without growth.
    #[inline(always)]
    pub(crate) fn has_room(&self, len: usize) -> bool {
        self.needed(len) <= self.bytes.len()
    }

    #[inline(always)]
    const fn needed(&self, len: usize) -> usize {
        self.written.saturating_add(len).saturating_add(HEAD_SIZE)
    }

    /// Writes `len` bytes more, behind which there is room for a head.
    #[inline(always)]
    pub(crate) fn write(
        &mut self,
        len: usize,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), Full>,
    ) -> Result<(), Full> {
        if !self.has_room(len) {
            self.grow(self.needed(len));
        }
        let mut writer = Writer::new(&mut self.bytes, self.written);
        write(&mut writer)?;
        self.written = writer.position();
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, needed: usize) {
        let doubled = self.bytes.len().saturating_mul(2);
        let len = needed.max(doubled);
        self.bytes.reserve_exact(len.saturating_sub(self.bytes.len()));
        self.bytes.resize(len, 0);
    }

    /// Forgets what is written.
    pub(crate) const fn clear(&mut self) {
        self.written = 0;
    }

    /// Counts the bytes allocated.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_is_used_again() {
        let mut buffer = Buffer::default();
        assert_eq!((buffer.written(), buffer.len(), buffer.memory()), (&[][..], 0, 0));
        for round in 0..2 {
            for count in 1..=100 {
                let (room, memory) = (buffer.has_room(3), buffer.memory());
                buffer.write(3, |writer| writer.bytes(b"abc")).unwrap();
                assert_eq!((buffer.len(), buffer.written().len()), (3 * count, 3 * count), "{round}");
                assert_eq!(buffer.memory() == memory, room, "{round}, {count}");
                // A head may be written where there is room for it alone.
                assert!(buffer.bytes.len() >= 3 * count + HEAD_SIZE, "{round}");
            }
            assert_eq!(buffer.written(), b"abc".repeat(100), "{round}");
            assert!(buffer.memory() < 1000, "{round}");
            let memory = buffer.memory();
            buffer.clear();
            assert_eq!((buffer.len(), buffer.memory()), (0, memory), "{round}");
        }
    }

    #[test]
    fn a_failed_write_leaves_no_trace() {
        let mut buffer = Buffer::default();
        buffer.write(1, |writer| writer.bytes(b"a")).unwrap();
        let failed = buffer.write(1, |writer| writer.bytes(b"b").and(Err(Full)));
        assert_eq!((failed, buffer.written()), (Err(Full), &b"a"[..]));
    }
}
