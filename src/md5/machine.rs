//! How many messages at once the machine does best.

use super::many::{Lane, advance, advance_one};

/// The vectors of the machine that the code runs on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    lanes: usize,
    #[cfg(feature = "simd")]
    level: fearless_simd::Level,
}

/// What the compiler may take for granted. Lanes are twice as many as a vector has numbers, for there are two in turns.
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
    pub(super) const MOST_LANES: usize = if cfg!(feature = "simd") { 32 } else { LANES_OF_BUILD };

    /// The vectors that the crate was compiled for.
    #[cfg(not(feature = "simd"))]
    pub(super) const fn detect() -> Self {
        Self { lanes: LANES_OF_BUILD }
    }

    /// The vectors that the machine turns out to have; the standard library asks it once.
    #[cfg(feature = "simd")]
    pub(super) fn detect() -> Self {
        Self::with_level(fearless_simd::Level::new())
    }

    #[cfg(feature = "simd")]
    fn with_level(level: fearless_simd::Level) -> Self {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        let lanes = if level.as_avx512().is_some() {
            32
        } else if level.as_avx2().is_some() {
            16
        } else {
            LANES_OF_BUILD
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

    /// How many messages it does at once.
    pub(super) const fn lanes(self) -> usize {
        self.lanes
    }

    /// How many of so many lanes to take at once: all, or the first two where more than these would be few for the next
    /// larger number of them, half of which would idle.
    pub(super) const fn width(self, lanes: usize) -> usize {
        if lanes > 2 && lanes < FEW { 2 } else { lanes }
    }

    /// Takes blocks into the states of some lanes, as many as [`Self::width`] says.
    pub(super) fn advance<T>(self, lanes: &mut [Lane<'_, T>], blocks: usize) {
        match lanes {
            [lane] => advance_one(lane, blocks),
            [_, _] => advance::<1, T>(lanes, blocks),
            _ => self.advance_vectors(lanes, blocks),
        }
    }

    #[cfg(not(feature = "simd"))]
    fn advance_vectors<T>(self, lanes: &mut [Lane<'_, T>], blocks: usize) {
        narrowest(lanes, blocks);
    }

    #[cfg(feature = "simd")]
    fn advance_vectors<T>(self, lanes: &mut [Lane<'_, T>], blocks: usize) {
        use fearless_simd::Simd;
        fearless_simd::dispatch!(self.level, simd => simd.vectorize(#[inline(always)] || narrowest(lanes, blocks)));
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
