//! How deep the stack grows: it is painted before a piece of work, and looked at afterwards.

use core::hint::black_box;

use crate::machine;

const PAINT: u32 = 0xa5c3_5ac3;

/// Left unpainted below the caller, for what painting itself has on the stack.
const OWN: usize = 256;

/// Does a piece of work, and answers with the bytes of stack it took, never less than what is left unpainted; with
/// nothing where that cannot be known.
#[inline(never)]
pub(crate) fn measure<T>(work: impl FnOnce() -> T) -> (T, Option<usize>) {
    let Some(stack) = machine::stack() else {
        return (work(), None);
    };
    let local = 0u32;
    let here = (&raw const *black_box(&local)).addr();
    paint(stack.start, here - OWN);
    let answer = below(work);
    (answer, Some(here - lowest_use(stack.start)))
}

/// A frame of its own: else what the work keeps on the stack could lie above what is painted.
#[inline(never)]
fn below<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

/// Stack overflow is noticed here: the lowest word may not be lost.
fn lowest_use(bottom: usize) -> usize {
    let mut at = bottom;
    loop {
        // SAFETY: from the bottom up to the caller, all is memory of the stack; the loop ends at what is in use.
        if unsafe { core::ptr::with_exposed_provenance::<u32>(at).read_volatile() } != PAINT {
            assert!(at > bottom, "the stack is used up");
            return at;
        }
        at += 4;
    }
}

#[inline(never)]
fn paint(bottom: usize, top: usize) {
    for at in (bottom..top).step_by(4) {
        // SAFETY: it lies below the stack pointer and above the static variables, so nothing is there.
        unsafe { core::ptr::with_exposed_provenance_mut::<u32>(at).write_volatile(PAINT) }
    }
}
