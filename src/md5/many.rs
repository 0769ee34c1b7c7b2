//! Many messages at once: lanes that are filled again as their messages end, and blocks side by side, which the compiler
//! turns into vector instructions.

use core::array;
use core::hint::black_box;

use super::constants::{INITIAL, SINES, to_bytes};
use super::kernel::{BLOCK, Tail, compress, split_blocks, words};
use super::rounds::two_blocks;
use crate::wire::widen;

/// Digests messages side by side and answers, in the order in which they end, with what came with each.
pub(super) fn digest_each<'m, T: Copy>(
    machine: Machine,
    messages: impl IntoIterator<Item = (T, &'m [u8])>,
    mut on_digest: impl FnMut(T, [u8; 16]),
) {
    let mut waiting = messages.into_iter().map(|(ticket, message)| Lane::new(ticket, message));
    let mut lanes = heapless::Vec::<Lane<'m, T>, { Machine::MOST_LANES }>::new();
    for lane in waiting.by_ref().take(machine.lanes) {
        // There is room: no machine has more lanes.
        _ = lanes.push(lane);
    }
    while !lanes.is_empty() {
        // Some lanes go on to where the first of them has to be looked at.
        let width = machine.width(lanes.len());
        let Some(busy) = lanes.get_mut(..width) else { break };
        let blocks = busy.iter().map(|lane| lane.run().len() / BLOCK).min().unwrap_or(0);
        machine.advance(busy, blocks);
        let mut position = 0usize;
        lanes.retain_mut(|lane| {
            position = position.saturating_add(1);
            if position > width {
                return true;
            }
            lane.skip(blocks);
            if !lane.run().is_empty() {
                return true;
            }
            on_digest(lane.ticket, to_bytes(lane.state));
            match waiting.next() {
                Some(next) => *lane = next,
                None => return false,
            }
            true
        });
    }
}

/// A message under way.
#[derive(Clone, Debug)]
struct Lane<'m, T> {
    ticket: T,
    state: [u32; 4],
    /// The whole blocks of the message that are still to come.
    blocks: &'m [u8],
    /// The blocks after them.
    tail: Tail,
    /// The number of bytes of the tail that are done.
    tail_done: usize,
}

impl<'m, T> Lane<'m, T> {
    fn new(ticket: T, message: &'m [u8]) -> Self {
        let (blocks, rest) = split_blocks(message);
        let tail = Tail::new(rest, widen(message.len()));
        Self { ticket, state: INITIAL, blocks, tail, tail_done: 0 }
    }

    /// The blocks that come next and lie together; none when the message has ended.
    fn run(&self) -> &[u8] {
        if self.blocks.is_empty() {
            self.tail.blocks().get(self.tail_done..).unwrap_or_default()
        } else {
            self.blocks
        }
    }

    /// Leaves out blocks of the run: they are done.
    fn skip(&mut self, blocks: usize) {
        let bytes = blocks.saturating_mul(BLOCK);
        if self.blocks.is_empty() {
            self.tail_done = self.tail_done.saturating_add(bytes);
        } else {
            self.blocks = self.blocks.get(bytes..).unwrap_or_default();
        }
    }
}

/// Takes the next blocks of a single lane into its state.
fn advance_one<T>(lane: &mut Lane<'_, T>, blocks: usize) {
    let mut state = lane.state;
    compress(&mut state, lane.run().get(..blocks.saturating_mul(BLOCK)).unwrap_or_default());
    lane.state = state;
}

/// Takes the next blocks of up to twice `N` lanes into their states; where there are fewer, some work for nothing.
#[inline(always)]
fn advance<const N: usize, T>(lanes: &mut [Lane<'_, T>], blocks: usize) {
    let mut states: [States<N>; 2] = [[[0; N]; 4]; 2];
    let mut runs: [[&[u8]; N]; 2] = [[&[]; N]; 2];
    for ((states, runs), lanes) in states.iter_mut().zip(&mut runs).zip(lanes.chunks(N)) {
        for (i, (run, lane)) in runs.iter_mut().zip(lanes).enumerate() {
            *run = lane.run();
            for (all, one) in states.iter_mut().zip(lane.state) {
                if let Some(place) = all.get_mut(i) {
                    *place = one;
                }
            }
        }
    }
    compress_lanes(&mut states, runs, blocks);
    for (states, lanes) in states.iter().zip(lanes.chunks_mut(N)) {
        for (i, lane) in lanes.iter_mut().enumerate() {
            for (one, all) in lane.state.iter_mut().zip(states) {
                *one = all.get(i).copied().unwrap_or(*one);
            }
        }
    }
}

/// The states of `N` messages: all their `a`s, all their `b`s, and so on.
type States<const N: usize> = [[u32; N]; 4];

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
fn compress_lanes<const N: usize>(states: &mut [States<N>; 2], runs: [[&[u8]; N]; 2], blocks: usize) {
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

/// The vectors of the machine that the code runs on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    /// The number of messages that it computes side by side.
    lanes: usize,
    #[cfg(feature = "simd")]
    level: fearless_simd::Level,
}

/// Bounds that the compiler may take for granted. Lanes are twice as many as a vector has numbers, for there are two in turns.
const LANES_OF_BUILD: usize = if cfg!(target_feature = "avx512f") {
    32
} else if cfg!(target_feature = "avx2") {
    16
} else if cfg!(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128")) {
    8
} else if cfg!(target_pointer_width = "64") {
    2
} else {
    // Too few registers for more.
    1
};

impl Machine {
    /// The most lanes there are on any machine.
    const MOST_LANES: usize = if cfg!(feature = "simd") { 32 } else { LANES_OF_BUILD };

    /// The vectors that the crate was compiled for.
    #[cfg(not(feature = "simd"))]
    pub(super) const fn detect() -> Self {
        Self { lanes: LANES_OF_BUILD }
    }

    /// The vectors that the machine turns out to have; the standard library asks it once.
    #[cfg(feature = "simd")]
    pub(super) fn detect() -> Self {
        let level = fearless_simd::Level::new();
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        let lanes = match (level.as_avx512(), level.as_avx2()) {
            (Some(_), _) => 32,
            (None, Some(_)) => 16,
            (None, None) => LANES_OF_BUILD,
        };
        #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
        let lanes = LANES_OF_BUILD;
        Self { lanes, level }
    }

    /// This machine as if it did other numbers of messages at once and, with `simd`, had older vectors.
    #[cfg(test)]
    pub(super) fn every() -> impl Iterator<Item = Self> {
        #[cfg(all(feature = "simd", target_arch = "x86_64"))]
        let levels = {
            let level = fearless_simd::Level::new();
            [
                level,
                fearless_simd::Level::baseline(),
                level.as_avx2().map_or(level, fearless_simd::Level::Avx2),
            ]
        };
        #[cfg(all(feature = "simd", not(target_arch = "x86_64")))]
        let levels = [fearless_simd::Level::new()];
        let counts = [1, 2, 4, 7, 8, 16, Self::MOST_LANES].map(|count| count.min(Self::MOST_LANES));
        #[cfg(feature = "simd")]
        return levels.into_iter().flat_map(move |level| counts.map(|lanes| Self { lanes, level }));
        #[cfg(not(feature = "simd"))]
        counts.into_iter().map(|lanes| Self { lanes })
    }

    /// Returns the number of lanes to take together, of so many: all, or the first two where more than these would be few for the next
    /// larger number of them, half of which would idle.
    const fn width(self, lanes: usize) -> usize {
        if lanes > 2 && lanes < FEW { 2 } else { lanes }
    }

    /// Takes blocks into the states of some lanes, as many as [`Self::width`] says.
    fn advance<T>(self, lanes: &mut [Lane<'_, T>], blocks: usize) {
        match lanes {
            [lane] => advance_one(lane, blocks),
            [_, _] => advance::<1, T>(lanes, blocks),
            #[cfg(not(feature = "simd"))]
            _ => narrowest(lanes, blocks),
            #[cfg(feature = "simd")]
            _ => {
                use fearless_simd::Simd;
                fearless_simd::dispatch!(self.level, simd => simd.vectorize(#[inline(always)] || narrowest(lanes, blocks)));
            }
        }
    }
}

/// From how many lanes on two vectors of four take less time than two numbers.
const FEW: usize = 6;

/// Takes as few lanes as there is work for: the fewer, the less time.
#[inline(always)]
fn narrowest<T>(lanes: &mut [Lane<'_, T>], blocks: usize) {
    match lanes.len() {
        // The others are left out of a build that never has as many.
        17.. if Machine::MOST_LANES > 16 => advance::<16, T>(lanes, blocks),
        9.. if Machine::MOST_LANES > 8 => advance::<8, T>(lanes, blocks),
        _ => advance::<4, T>(lanes, blocks),
    }
}
