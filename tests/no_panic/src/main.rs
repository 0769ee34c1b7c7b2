//! Calls what the library offers without `alloc`, on input that the compiler knows nothing of.
//!
//! The panic handler calls a function that nobody defines. The linker asks for it if any way to a panic is left in the
//! program after optimisation; so that the program links is the proof that there is none, in the library and in what it
//! is made of. That nothing public is left out is checked by `check_calls.py`, which is why calls name the type.

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
    /// Is defined nowhere.
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
    route::route(text, &mut seen);
    route::digest(input, &mut seen);
    if cfg!(feature = "broken") {
        seen.number(input[usize::from(seen.finish() & 1 == 0)]);
    }
    seen.finish()
}
