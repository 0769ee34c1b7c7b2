//! How many messages at once the machine does best.

use super::many::{Lane, advance, advance_one};

/// The vectors of the machine that the code runs on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    lanes: usize,
    #[cfg(feature = "simd")]
    level: fearless_simd::Level,
}

/// What the compiler may take for granted. Without vectors, lanes gain nothing.
const LANES_OF_BUILD: usize = if cfg!(target_feature = "avx512f") {
    16
} else if cfg!(target_feature = "avx2") {
    8
} else if cfg!(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128")) {
    4
} else {
    1
};

impl Machine {
    /// The most lanes there are on any machine.
    pub(super) const MOST_LANES: usize = 16;

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
            16
        } else if level.as_avx2().is_some() {
            8
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
        let counts = [1, 2, 4, 7, 8, Self::MOST_LANES];
        #[cfg(feature = "simd")]
        return levels.into_iter().flat_map(move |level| counts.map(|lanes| Self { lanes, level }));
        #[cfg(not(feature = "simd"))]
        counts.into_iter().map(|lanes| Self { lanes })
    }

    /// How many messages it does at once.
    pub(super) const fn lanes(self) -> usize {
        self.lanes
    }

    /// Takes blocks into the states of some lanes, at most as many as the machine has.
    pub(super) fn advance<T>(self, lanes: &mut [Lane<'_, T>], blocks: usize) {
        match lanes {
            [lane] => advance_one(lane, blocks),
            _ => self.advance_some(lanes, blocks),
        }
    }

    #[cfg(not(feature = "simd"))]
    fn advance_some<T>(self, lanes: &mut [Lane<'_, T>], blocks: usize) {
        narrowest(lanes, blocks);
    }

    #[cfg(feature = "simd")]
    fn advance_some<T>(self, lanes: &mut [Lane<'_, T>], blocks: usize) {
        use fearless_simd::Simd;
        fearless_simd::dispatch!(self.level, simd => simd.vectorize(#[inline(always)] || narrowest(lanes, blocks)));
    }
}

/// Takes as few lanes as there is work for: the fewer, the less time.
#[inline(always)]
fn narrowest<T>(lanes: &mut [Lane<'_, T>], blocks: usize) {
    match lanes.len() {
        0..=4 => advance::<4, T>(lanes, blocks),
        5..=8 => advance::<8, T>(lanes, blocks),
        _ => advance::<16, T>(lanes, blocks),
    }
}
