//! The entry point, and input that is unknown at compile time.

/// The host: standard input through the C library, which calls `main`.
#[cfg(not(target_os = "none"))]
mod host {
    unsafe extern "C" {
        fn read(file: i32, buffer: *mut u8, len: usize) -> isize;
    }

    pub(crate) fn fill(buffer: &mut [u8]) -> usize {
        // SAFETY: pointer and length belong to the buffer.
        let len = unsafe { read(0, buffer.as_mut_ptr(), buffer.len()) };
        usize::try_from(len).unwrap_or_default()
    }

    #[unsafe(no_mangle)]
    extern "C" fn main() -> i32 {
        i32::from(crate::call_everything() == 0)
    }
}

/// Bare metal: input from a register. This program is only linked; `tests/firmware` is run.
#[cfg(target_os = "none")]
mod bare {
    /// Stands in for a device register.
    static mut REGISTER: u32 = 0;

    fn receive() -> u32 {
        // SAFETY: nothing else accesses it, and any bit pattern is valid.
        unsafe { (&raw const REGISTER).read_volatile() }
    }

    pub(crate) fn fill(buffer: &mut [u8]) -> usize {
        for byte in buffer.iter_mut() {
            [*byte, ..] = receive().to_le_bytes();
        }
        usize::try_from(receive()).unwrap_or_default()
    }

    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        loop {
            let seen = crate::call_everything();
            // SAFETY: as above.
            unsafe { (&raw mut REGISTER).write_volatile(u32::try_from(seen >> 32).unwrap_or_default()) }
        }
    }
}

#[cfg(target_os = "none")]
pub(crate) use bare::fill;
#[cfg(not(target_os = "none"))]
pub(crate) use host::fill;
