//! One message at a time.

use core::hint::black_box;

use super::constants::{INITIAL, SINES, to_bytes};
use super::rounds::block;
use crate::wire::widen;

/// The bytes of a block.
pub(super) const BLOCK: usize = 64;

/// Takes whole blocks into the state of one message; what is left over of `bytes` is not looked at. The more blocks a
/// call has, the better: 16 cost a hundredth more than a thousand, one alone costs a quarter more.
#[inline(never)]
pub(super) fn compress(state: &mut [u32; 4], bytes: &[u8]) {
    // The compiler is not to know the constants. Where it does, it puts them into instructions with three operands
    // which also add a late value, and so lie on the chain of steps that all waits for; where it does not, it adds
    // each to its message word, off the chain. This is worth a quarter of the time on x86-64.
    let sines = black_box(&SINES);
    let mut current = *state;
    for bytes in bytes.chunks_exact(BLOCK) {
        current = block(current, &words(bytes), sines);
    }
    *state = current;
}

/// The words of a block.
#[inline(always)]
pub(super) fn words(block: &[u8]) -> [u32; 16] {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    }
    words
}

/// The end of a message: what is left after its whole blocks, a bit, zeros, and its length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    bytes: [u8; 2 * BLOCK],
    len: usize,
}

impl Tail {
    /// Pads what is left, less than a block, of a message of `len` bytes.
    pub(super) fn new(rest: &[u8], len: u64) -> Self {
        let mut bytes = [0; 2 * BLOCK];
        let mark = [0x80];
        for (to, from) in bytes.iter_mut().zip(rest.iter().chain(&mark)) {
            *to = *from;
        }
        // The mark and eight bytes of length follow.
        let padded = if rest.len() < BLOCK - 8 { BLOCK } else { 2 * BLOCK };
        let bits = len.wrapping_mul(8).to_le_bytes();
        for (to, from) in bytes.iter_mut().take(padded).rev().zip(bits.iter().rev()) {
            *to = *from;
        }
        Self { bytes, len: padded }
    }

    /// Its blocks: one or two.
    pub(super) fn blocks(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Splits a message after its last whole block.
pub(super) fn split_blocks(message: &[u8]) -> (&[u8], &[u8]) {
    let whole = message.len() & !(BLOCK - 1);
    message.split_at_checked(whole).unwrap_or_default()
}

/// A message that comes in pieces.
#[derive(Clone)]
pub(super) struct Context {
    state: [u32; 4],
    /// The bytes so far, modulo 2^64 as the digest counts them.
    len: u64,
    /// Those after the last whole block, in the beginning of this.
    rest: [u8; BLOCK],
}

impl Context {
    pub(super) const fn new() -> Self {
        Self { state: INITIAL, len: 0, rest: [0; BLOCK] }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        let filled = self.filled();
        self.len = self.len.wrapping_add(widen(bytes.len()));
        let mut after = bytes;
        if filled > 0 {
            let Some((head, after_head)) = bytes.split_at_checked(BLOCK.saturating_sub(filled)) else {
                self.keep(filled, bytes);
                return;
            };
            self.keep(filled, head);
            compress(&mut self.state, &self.rest);
            after = after_head;
        }
        let (blocks, rest) = split_blocks(after);
        if !blocks.is_empty() {
            compress(&mut self.state, blocks);
        }
        self.keep(0, rest);
    }

    pub(super) fn finalize(&mut self) -> [u8; 16] {
        let rest = self.rest.get(..self.filled()).unwrap_or_default();
        compress(&mut self.state, Tail::new(rest, self.len).blocks());
        to_bytes(self.state)
    }

    /// Digests a whole message.
    pub(super) fn digest(message: &[u8]) -> [u8; 16] {
        let (blocks, rest) = split_blocks(message);
        let mut state = INITIAL;
        if !blocks.is_empty() {
            compress(&mut state, blocks);
        }
        compress(&mut state, Tail::new(rest, widen(message.len())).blocks());
        to_bytes(state)
    }

    /// Returns the number of bytes after the last whole block.
    #[expect(clippy::as_conversions, reason = "less than a block")]
    const fn filled(&self) -> usize {
        self.len as usize % BLOCK
    }

    fn keep(&mut self, filled: usize, bytes: &[u8]) {
        for (to, from) in self.rest.iter_mut().skip(filled).zip(bytes) {
            *to = *from;
        }
    }
}
