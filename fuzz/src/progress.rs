//! What stands in for the progress bar of the command: whatever is opened, bytes of ours are read.

use std::io::{Cursor, Read};

/// An input and how much of it comes at once.
pub(crate) struct Progress {
    pub(crate) bytes: Vec<u8>,
    pub(crate) at_once: usize,
}

impl Progress {
    #[expect(clippy::unused_self, reason = "it is called as a method")]
    pub(crate) const fn expect(&self, _bytes: u64) {}

    /// Reads our bytes instead.
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
