//! Calls the whole API that the library has without `alloc`, on input that is unknown at compile time.
//!
//! The panic handler calls an undefined function. The linker reports it if optimisation leaves any path to a panic, so a program
//! that links proves that neither the library nor its dependencies can panic. `check_calls.py` checks that the whole public API is
//! called, which is why calls are written with the type's name.

#![no_std]
#![no_main]

mod decode;
mod pack;
mod platform;
mod route;
mod seen;

use core::hash::Hasher;
use core::panic::PanicInfo;

use seen::Seen;

unsafe extern "C" {
    /// Deliberately undefined.
    safe fn a_panic_is_possible() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    a_panic_is_possible()
}

fn call_everything() -> u64 {
    let mut input = [0; 4096];
    let len = platform::fill(&mut input);
    let input = input.get(..len).unwrap_or_default();
    let text = core::str::from_utf8(input).unwrap_or("not text");

    let mut seen = Seen::new();
    decode::decode(input, &mut seen);
    pack::pack(text, &mut seen);
    pack::recovered(input, &mut seen);
    route::route(text, &mut seen);
    route::digest(input, &mut seen);
    if cfg!(feature = "broken") {
        seen.number(input[usize::from(seen.finish() & 1 == 0)]);
    }
    seen.finish()
}
