//! Blocks of several messages side by side, which the compiler turns into vector instructions.

use core::array;
use core::hint::black_box;

use super::constants::SINES;
use super::kernel::{BLOCK, words};
use super::rounds::two_blocks;

/// The states of `N` messages: all their `a`s, all their `b`s, and so on.
pub(super) type States<const N: usize> = [[u32; N]; 4];

/// Takes the first `blocks` blocks of each run into the state of its lane: twice `N` lanes.
///
/// One MD5 is a chain of dependent steps that leaves a core mostly idle; many of them wait no longer than one. A loop
/// over `N` lanes around all steps is what the compiler makes vectors of, without a word about them here: with vectors of
/// four numbers on any x86-64 or 64-bit ARM, and of eight or sixteen in a caller that was compiled for those. Loops
/// over lanes within each step it leaves as they are.
///
/// A single vector would wait as a single number does, and longer where vectors take two cycles for what numbers take
/// one for. So there are two, in turns; with `N` of 1, two numbers.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "`lane` counts the lanes, and every array has as many")]
pub(super) fn compress<const N: usize>(states: &mut [States<N>; 2], runs: [[&[u8]; N]; 2], blocks: usize) {
    // As in the kernel for one message.
    let sines = black_box(&SINES);
    let mut runs = runs;
    for _ in 0..blocks {
        let mut transposed = [[[0; N]; 16]; 2];
        for (runs, transposed) in runs.iter_mut().zip(&mut transposed) {
            for lane in 0..N {
                if let Some((bytes, rest)) = runs[lane].split_first_chunk::<BLOCK>() {
                    runs[lane] = rest;
                    for (row, word) in transposed.iter_mut().zip(words(bytes)) {
                        row[lane] = word;
                    }
                }
            }
        }
        // Written to another place than it is read from: else the compiler does not see that lanes do not meet.
        let mut after = [[[0; N]; 4]; 2];
        for lane in 0..N {
            let words: [[u32; 16]; 2] =
                array::from_fn(|half| array::from_fn(|word| transposed[half][word][lane]));
            let state = array::from_fn(|half| array::from_fn(|part| states[half][part][lane]));
            let [first, second] = two_blocks(state, [&words[0], &words[1]], sines);
            for part in 0..4 {
                after[0][part][lane] = first[part];
                after[1][part][lane] = second[part];
            }
        }
        *states = after;
    }
}
