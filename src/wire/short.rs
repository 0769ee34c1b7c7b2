//! Comparing and copying of few bytes.
//!
//! The standard library calls functions for both, whose way in and out takes longer than the work on a key or on a reading.
//! Here bytes are looked at from both ends, in two pieces of a fixed size that may overlap, which take an instruction or two
//! each; many bytes still go the usual way.

use crate::wire::FAST_PATHS;

/// Whether two texts are equal.
#[inline(always)]
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if !FAST_PATHS || a.len() < 8 || a.len() > 64 {
        return a == b;
    }
    if a.len() < 16 {
        ends::<8>(a) == ends(b)
    } else if a.len() < 32 {
        ends::<16>(a) == ends(b)
    } else {
        ends::<32>(a) == ends(b)
    }
}

/// Copies bytes to where there is room for just as many.
#[inline(always)]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    match from.len() {
        8..16 if FAST_PATHS => copy_ends::<8>(from, to),
        16..32 if FAST_PATHS => copy_ends::<16>(from, to),
        32..64 if FAST_PATHS => copy_ends::<32>(from, to),
        64..=128 if FAST_PATHS => copy_ends::<64>(from, to),
        _ => copy_any(from, to),
    }
}

/// The first `N` bytes and the last.
#[inline(always)]
fn ends<const N: usize>(bytes: &[u8]) -> Option<(&[u8; N], &[u8; N])> {
    Some((bytes.first_chunk()?, bytes.last_chunk()?))
}

#[inline(always)]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8]) {
    let Some((first, last)) = ends::<N>(from) else { return };
    if let Some(to) = to.first_chunk_mut() {
        *to = *first;
    }
    if let Some(to) = to.last_chunk_mut() {
        *to = *last;
    }
}

/// `copy_from_slice` keeps a panic for unequal lengths at opt-level z. The compiler makes a call of `memcpy` of this loop,
/// and of nothing else in this function; where it is a part of others, it may not see that the two do not overlap.
#[inline(never)]
pub(crate) fn copy_any(from: &[u8], to: &mut [u8]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn every_length() {
        let from: [u8; 200] = core::array::from_fn(|i| i as u8 + 1);
        for len in 0..from.len() {
            let mut to = vec![0xa5; len + 2];
            copy(&from[..len], &mut to[1..=len]);
            assert_eq!((&to[1..=len], to[0], to[len + 1]), (&from[..len], 0xa5, 0xa5), "{len}");
        }
    }

    #[test]
    fn every_difference() {
        for len in 0..140usize {
            let a = vec![7; len];
            let mut b = a.clone();
            assert!(equal(&a, &b), "{len}");
            assert!(!equal(&a, &[&b[..], &[7]].concat()), "{len} and one more");
            for place in 0..len {
                b[place] = 8;
                assert!(!equal(&a, &b), "{place} of {len}");
                b[place] = 7;
            }
        }
    }
}
