//! Comparing, copying and classifying short runs of bytes.
//!
//! For keys and readings, calling the functions of the standard library takes longer than their work. These look at a run
//! from both ends, in two pieces of a fixed size that may overlap and take an instruction or two each. Longer runs go to
//! the standard library, and so does everything on targets with registers of 32 bits or less, where this would cost more
//! flash than it is worth.

/// True if fast paths are compiled in.
pub(crate) const FAST_PATHS: bool = cfg!(target_pointer_width = "64");

/// Compares two runs.
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

/// Returns whether all bytes are known to be ASCII, and therefore UTF-8. This takes a quarter of the time that UTF-8
/// validation takes.
#[inline(always)]
pub(super) const fn is_ascii(bytes: &[u8]) -> bool {
    FAST_PATHS && bytes.is_ascii()
}

/// Copies a run over another one of the same length.
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

/// Returns the first `N` bytes and the last.
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

/// Copies a run of any length, as `memcpy` does.
///
/// `copy_from_slice` keeps its panic for unequal lengths at opt-level z. The compiler turns this loop into a call of
/// `memcpy` as long as it is a function of its own; inlined, it may not see that the two runs do not overlap.
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
