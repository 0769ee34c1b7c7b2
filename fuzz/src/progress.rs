//! Replaces the progress bar of the command. Whatever the command opens, it reads the fuzzer's bytes.

use std::io::{Cursor, Read};

/// An input, and how many bytes each read returns at most.
pub(crate) struct Progress {
    pub(crate) bytes: Vec<u8>,
    pub(crate) at_once: usize,
}

impl Progress {
    #[expect(clippy::unused_self, reason = "the command calls it as a method")]
    pub(crate) const fn expect(&self, _bytes: u64) {}

    /// Returns a reader of the fuzzer's bytes.
    pub(crate) fn watch(&self, _reader: impl Read + 'static) -> Box<dyn Read> {
        Box::new(Dripping { bytes: Cursor::new(self.bytes.clone()), at_once: self.at_once })
    }
}

struct Dripping {
    bytes: Cursor<Vec<u8>>,
    at_once: usize,
}

impl Read for Dripping {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = buffer.len().min(self.at_once);
        self.bytes.read(&mut buffer[..len])
    }
}
