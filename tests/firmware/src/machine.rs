//! Machine-specific code: entry point, output and exit.

#[cfg(not(target_os = "none"))]
mod host {
    pub(crate) use std::println;

    /// Returns `None`: the host has plenty of stack, so it is not measured.
    pub(crate) fn stack() -> Option<core::ops::Range<usize>> {
        None
    }

    /// Returns `None`: the host's instructions are those of `benches/instructions`.
    pub(crate) fn instructions() -> Option<u64> {
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

    /// Returns the number of instructions so far, as QEMU counts them with `-icount shift=0`.
    #[cfg(target_arch = "riscv32")]
    pub(crate) fn instructions() -> Option<u64> {
        let count: u32;
        // SAFETY: this reads a counter.
        unsafe { core::arch::asm!("csrr {}, minstret", out(reg) count, options(nomem, nostack)) };
        Some(count.into())
    }

    /// Returns the number of instructions from the clock, in which each takes a nanosecond: the board's timer counts down every
    /// 80 ns.
    #[cfg(target_arch = "arm")]
    pub(crate) fn instructions() -> Option<u64> {
        const CONTROL: *mut u32 = core::ptr::without_provenance_mut(0xe000_e010);
        const RELOAD: *mut u32 = core::ptr::without_provenance_mut(0xe000_e014);
        const CURRENT: *const u32 = core::ptr::without_provenance(0xe000_e018);
        const FROM: u32 = 0xff_ffff;
        // SAFETY: these are the registers of the SysTick timer, which nothing else uses.
        let ticks = unsafe {
            if CONTROL.read_volatile() & 1 == 0 {
                RELOAD.write_volatile(FROM);
                // Enabled, by the processor's clock.
                CONTROL.write_volatile(5);
                // It starts with the next tick.
                while CURRENT.read_volatile() == 0 {}
            }
            FROM - CURRENT.read_volatile()
        };
        Some(u64::from(ticks) * 80)
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
pub(crate) use bare::{instructions, println, stack};
#[cfg(not(target_os = "none"))]
pub(crate) use host::{instructions, println, stack};
