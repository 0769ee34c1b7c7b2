//! Standard output and a panic handler, on top of the host's C library.

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
            // SAFETY: pointer and length belong to one slice, which is only read.
            let written = unsafe { write(1, rest.as_ptr(), rest.len()) };
            let written = usize::try_from(written).map_err(|_| fmt::Error)?;
            rest = rest.get(written..).ok_or(fmt::Error)?;
        }
        Ok(())
    }
}

/// Satisfies the linker. The precompiled `core` was built with unwinding, and its tables refer to this function; with
/// `panic = "abort"` nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // If the message cannot be written, the program still has to abort.
    _ = fmt::Write::write_fmt(&mut Output, format_args!("no_std: {info}\n"));
    abort()
}
