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

mod decoder;
mod encoder;
mod memory;
mod status;

pub use decoder::{KaggKeySlot, KaggUserRecord, KaggVisit, kagg_aggregate_from_data, kagg_decode};
pub use encoder::{
    KAGG_ENCODER_SIZE, KAGG_ENCODER_WORDS, KAGG_KEYS, KAGG_LIMITS_IOT_CORE, KaggAggregate, KaggEncoder,
    KaggLimits, KaggSizes, kagg_encoder_add, kagg_encoder_clear, kagg_encoder_finish, kagg_encoder_init,
    kagg_encoder_init_limits, kagg_encoder_sizes, kagg_encoder_swap_buffer, kagg_encoder_would_add,
    kagg_hash_key_text,
};
#[cfg(feature = "full")]
pub use encoder::{kagg_encoder_add_record, kagg_encoder_expired};
pub use status::{KAGG_ABI_VERSION, KaggStatus, kagg_status_text};

#[cfg(all(target_os = "none", not(test)))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
