//! The C interface of `kinesis-aggregation`: `include/kagg.h` in Rust.
//!
//! Each function turns C's pointers into references, calls the library and turns the result into a status. What can be
//! found out about a pointer is checked, so that most mistakes of a caller become a status. The rest is up to the caller,
//! as everywhere in C; each function says what.
//!
//! Nothing here is global, nothing allocates, and nothing panics.

#![no_std]

// Its panic handler. On bare metal there is no standard library, and no panic either.
#[cfg(not(target_os = "none"))]
extern crate std;

#[cfg(feature = "full")]
mod decoder;
mod encoder;
#[cfg(feature = "full")]
mod extended;
mod memory;
mod status;

#[cfg(feature = "full")]
pub use decoder::*;
pub use encoder::*;
#[cfg(feature = "full")]
pub use extended::*;
pub use status::*;

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
