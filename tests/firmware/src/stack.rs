//! Measures stack depth: fills the stack with a pattern before a piece of work, and inspects it afterwards.

use core::hint::black_box;

use crate::machine;

const PAINT: u32 = 0xa5c3_5ac3;

/// Bytes left unpainted below the caller, for the frames of the painting code itself.
const OWN: usize = 256;

/// Does a piece of work and returns the bytes of stack it used, at least [`OWN`]. Returns `None` for them if the machine does not
/// support it.
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

/// Runs the work in a separate frame. Otherwise its variables could lie above the painted area.
#[inline(never)]
fn below<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

/// Returns the lowest address in use. Panics on stack overflow, which overwrites the lowest word.
fn lowest_use(bottom: usize) -> usize {
    let mut at = bottom;
    loop {
        // SAFETY: everything from the bottom to the caller is stack memory, and the loop ends at the part in use.
        if unsafe { core::ptr::with_exposed_provenance::<u32>(at).read_volatile() } != PAINT {
            assert!(at > bottom, "stack overflow");
            return at;
        }
        at += 4;
    }
}

#[inline(never)]
fn paint(bottom: usize, top: usize) {
    for at in (bottom..top).step_by(4) {
        // SAFETY: this memory lies below the stack pointer and above the static variables, so it is unused.
        unsafe { core::ptr::with_exposed_provenance_mut::<u32>(at).write_volatile(PAINT) }
    }
}
