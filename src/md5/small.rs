//! MD5 in little code: one loop over 64 steps, a tenth of the flash that 64 steps one after the other take.

use super::constants::{INITIAL, SINES, to_bytes};

/// A message that comes in pieces.
#[derive(Clone)]
pub(super) struct Context {
    /// Set by the first `update`, so that a new context is all zeros: clearing it then is part of clearing what it is in.
    state: [u32; 4],
    /// The block being filled.
    block: [u32; 16],
    /// The bytes of the message so far.
    length: u64,
}

impl Context {
    pub(super) const fn new() -> Self {
        Self { state: [0; 4], block: [0; 16], length: 0 }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        if self.length == 0 {
            self.state = INITIAL;
        }
        // One at a time: the rounds take many times as long.
        for &byte in bytes {
            self.byte(byte);
        }
    }

    #[inline(never)]
    fn byte(&mut self, byte: u8) {
        let position = low_bits(self.length);
        if let Some(word) = self.block.get_mut(position / 4) {
            // The first of four bytes ends up lowest.
            *word = *word >> 8 | u32::from(byte) << 24;
        }
        self.length = self.length.wrapping_add(1);
        if position == 63 {
            self.compress();
        }
    }

    pub(super) fn finalize(&mut self) -> [u8; 16] {
        let bits = self.length.wrapping_mul(8);
        self.update(&[0x80]);
        while low_bits(self.length) != 56 {
            self.byte(0);
        }
        self.update(&bits.to_le_bytes());
        to_bytes(self.state)
    }

    /// A whole message at once.
    pub(super) fn digest(message: &[u8]) -> [u8; 16] {
        let mut context = Self::new();
        context.update(message);
        context.finalize()
    }

    fn compress(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.state;
        for (round, &sine) in (0u32..).zip(&SINES) {
            // The functions and orders of RFC 1321, section 3.4; the first two in forms with an operation less.
            let (mix, word) = match round / 16 {
                0 => (d ^ b & (c ^ d), round),
                1 => (c ^ d & (b ^ c), round.wrapping_mul(5).wrapping_add(1)),
                2 => (b ^ c ^ d, round.wrapping_mul(3).wrapping_add(5)),
                _ => (c ^ (b | !d), round.wrapping_mul(7)),
            };
            let word = pick(&self.block, word % 16);
            let rotation = u32::from(pick(&ROTATIONS, round >> 2 & 12 | round & 3));
            let sum = a.wrapping_add(mix).wrapping_add(sine).wrapping_add(word);
            (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(rotation)));
        }
        for (sum, word) in self.state.iter_mut().zip([a, b, c, d]) {
            *sum = sum.wrapping_add(word);
        }
    }
}

/// Looks up what is known to be there.
#[expect(clippy::as_conversions, reason = "at most 15")]
fn pick<T: Copy + Default>(table: &[T; 16], position: u32) -> T {
    table.get(position as usize).copied().unwrap_or_default()
}

#[expect(clippy::as_conversions, reason = "cut to six bits on purpose")]
const fn low_bits(length: u64) -> usize {
    length as usize & 63
}

/// The rotations of the rounds: each quarter repeats four of them.
const ROTATIONS: [u8; 16] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
