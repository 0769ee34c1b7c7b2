//! What the program needs of its host: standard output, and an end for panics.

use core::fmt;
use core::panic::PanicInfo;

#[link(name = "c")]
unsafe extern "C" {
    fn write(descriptor: i32, bytes: *const u8, len: usize) -> isize;
    safe fn abort() -> !;
}

/// Standard output, unbuffered.
pub(crate) struct Output;

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            // SAFETY: pointer and length are those of one slice, which is only read.
            let written = unsafe { write(1, rest.as_ptr(), rest.len()) };
            let written = usize::try_from(written).map_err(|_| fmt::Error)?;
            rest = rest.get(written..).ok_or(fmt::Error)?;
        }
        Ok(())
    }
}

/// The `core` that comes with the compiler was built to unwind, and its tables name this function. Nothing unwinds
/// here (`panic = "abort"`), so nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // A panic message that cannot be written is lost; the program ends all the same.
    _ = fmt::Write::write_fmt(&mut Output, format_args!("no_std: {info}\n"));
    abort()
}
