//! Blocks of several messages side by side, which the compiler turns into vector instructions.

use core::array;
use core::hint::black_box;

use super::constants::SINES;
use super::kernel::{BLOCK, words};
use super::rounds::block;

/// The states of `N` messages: all their `a`s, all their `b`s, and so on.
pub(super) type States<const N: usize> = [[u32; N]; 4];

/// Takes the first `blocks` blocks of each run into the state of its lane.
///
/// One MD5 is a chain of dependent steps that leaves a core mostly idle; `N` of them wait no longer than one. A loop
/// over lanes around all steps is what the compiler makes vectors of, without a word about them here: with vectors of
/// four numbers on any x86-64 or 64-bit ARM, and of eight or sixteen in a caller that was compiled for those. Loops
/// over lanes within each step it leaves as they are.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "`lane` counts the lanes, and every array has as many")]
pub(super) fn compress<const N: usize>(states: &mut States<N>, runs: [&[u8]; N], blocks: usize) {
    // As in the kernel for one message.
    let sines = black_box(&SINES);
    let mut runs = runs;
    for _ in 0..blocks {
        let mut transposed = [[0; N]; 16];
        for lane in 0..N {
            if let Some((bytes, rest)) = runs[lane].split_first_chunk::<BLOCK>() {
                runs[lane] = rest;
                for (row, word) in transposed.iter_mut().zip(words(bytes)) {
                    row[lane] = word;
                }
            }
        }
        for lane in 0..N {
            let words = array::from_fn(|word| transposed[word][lane]);
            let state = array::from_fn(|part| states[part][lane]);
            let [a, b, c, d] = block(state, &words, sines);
            states[0][lane] = a;
            states[1][lane] = b;
            states[2][lane] = c;
            states[3][lane] = d;
        }
    }
}
