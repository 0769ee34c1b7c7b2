//! Replaces the progress bar of the command. Whatever the command opens, it reads the fuzzer's bytes.

use core::fmt::Display;
use std::io::{Cursor, ErrorKind, Read, Result};
use std::time::Instant;

use crate::input::Pausing;

/// An input, how many bytes each read returns at most, and whether it pauses before each.
pub(crate) struct Progress {
    pub(crate) bytes: Vec<u8>,
    pub(crate) at_once: usize,
    pub(crate) pauses: bool,
}

#[expect(clippy::unused_self, reason = "the command calls them as methods")]
impl Progress {
    pub(crate) const fn expect(&self, _bytes: u64) {}

    /// Messages are not written, but they must not fail.
    pub(crate) fn warn(&self, message: impl Display) {
        assert!(!message.to_string().contains('\u{1b}'));
    }

    pub(crate) fn error(&self, message: impl Display) {
        assert!(!message.to_string().contains('\u{1b}'));
    }

    /// Returns a reader of the fuzzer's bytes.
    pub(crate) fn watch(&self, _reader: Box<dyn Pausing>) -> Box<dyn Pausing> {
        let Self { bytes, at_once, pauses } = self;
        Box::new(Dripping {
            bytes: Cursor::new(bytes.clone()),
            at_once: *at_once,
            pauses: *pauses,
            waited: false,
        })
    }
}

struct Dripping {
    bytes: Cursor<Vec<u8>>,
    at_once: usize,
    pauses: bool,
    waited: bool,
}

impl Read for Dripping {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.pauses && !self.waited {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.waited = false;
        let len = buffer.len().min(self.at_once);
        self.bytes.read(&mut buffer[..len])
    }
}

impl Pausing for Dripping {
    fn wait(&mut self, _until: Option<Instant>) {
        self.waited = true;
    }

    fn was_stopped(&self) -> bool {
        false
    }
}
