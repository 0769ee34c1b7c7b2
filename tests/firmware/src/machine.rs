//! Machine-specific code: entry point, output and exit.

#[cfg(not(target_os = "none"))]
mod host {
    pub(crate) use std::println;

    /// Returns `None`: the host has plenty of stack, so it is not measured.
    pub(crate) fn stack() -> Option<core::ops::Range<usize>> {
        None
    }
}

#[cfg(target_os = "none")]
mod bare {
    use core::panic::PanicInfo;

    pub(crate) use semihosting::println;

    unsafe extern "C" {
        // From the runtime's linker script: the highest address of the stack, and the end of static variables.
        static _stack_start: u8;
        #[cfg_attr(target_arch = "arm", link_name = "__euninit")]
        #[cfg_attr(target_arch = "riscv32", link_name = "_ebss")]
        static STATIC_END: u8;
    }

    /// Returns the memory available to the stack.
    pub(crate) fn stack() -> Option<core::ops::Range<usize>> {
        Some((&raw const STATIC_END).addr().next_multiple_of(4)..(&raw const _stack_start).addr())
    }

    #[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
    #[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
    fn main() -> ! {
        semihosting::process::exit(crate::verdict())
    }

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        println!("firmware: {info}");
        semihosting::process::exit(101)
    }
}

#[cfg(target_os = "none")]
pub(crate) use bare::{println, stack};
#[cfg(not(target_os = "none"))]
pub(crate) use host::{println, stack};
