//! Start-up code: paints the stack, calls `work`, and reports through the emulator how much of the paint was overwritten.

use core::panic::PanicInfo;

const PAINT: u32 = 0xa5a5_a5a5;

unsafe extern "C" {
    static __stack_low: u32;
    static __stack_high: u32;
}

#[cfg(target_arch = "arm")]
core::arch::global_asm!(
    ".section .vectors, \"a\"",
    ".word __stack_high",
    ".word _start",
    ".section .text._start, \"ax\"",
    ".thumb_func",
    ".global _start",
    "_start:",
    // Enables the FPU; otherwise the first instruction on a float register faults. Harmless without an FPU.
    "ldr r0, =0xe000ed88",
    "ldr r1, =0x00f00000",
    "str r1, [r0]",
    "ldr r0, =__stack_low",
    "mov r1, sp",
    "ldr r2, =0xa5a5a5a5",
    "1:",
    "str r2, [r0]",
    "adds r0, #4",
    "cmp r0, r1",
    "blo 1b",
    "bl main",
);

#[cfg(target_arch = "riscv32")]
core::arch::global_asm!(
    ".section .vectors, \"ax\"",
    ".global _start",
    "_start:",
    "la sp, __stack_high",
    "la t0, __stack_low",
    "li t1, 0xa5a5a5a5",
    "1:",
    "sw t1, 0(t0)",
    "addi t0, t0, 4",
    "bltu t0, sp, 1b",
    "call main",
);

#[unsafe(no_mangle)]
extern "C" fn main() -> ! {
    let good = crate::work();
    let mut used = depth();
    // Print in hexadecimal, which needs no division.
    for _ in 0..8 {
        used = used.rotate_left(4);
        write(b"0123456789abcdef"[(used & 0xf) as usize & 0xf]);
    }
    exit(good)
}

/// Returns the number of bytes of stack that were written to.
fn depth() -> u32 {
    // SAFETY: the linker script defines both ends of the stack. All memory between them was initialised at start-up.
    unsafe {
        let mut deepest = &raw const __stack_low;
        let high = &raw const __stack_high;
        while deepest < high && deepest.read_volatile() == PAINT {
            deepest = deepest.add(1);
        }
        (high as usize - deepest as usize) as u32
    }
}

/// Writes a byte to the host's console.
fn write(byte: u8) {
    semihosting(0x03, &raw const byte as usize);
}

/// Stops the emulator, with the reason "application exit" or "run time error".
fn exit(good: bool) -> ! {
    semihosting(0x18, if good { 0x20026 } else { 0x20023 });
    loop {}
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(false)
}

#[cfg(target_arch = "arm")]
fn semihosting(operation: usize, parameter: usize) {
    // SAFETY: the emulator reads at most the byte that `parameter` points to.
    unsafe { core::arch::asm!("bkpt 0xab", inlateout("r0") operation => _, in("r1") parameter) }
}

#[cfg(target_arch = "riscv32")]
fn semihosting(operation: usize, parameter: usize) {
    // SAFETY: as above. The emulator recognises this sequence of three instructions, which must not be compressed.
    unsafe {
        core::arch::asm!(
            ".balign 16",
            ".option push",
            ".option norvc",
            "slli x0, x0, 0x1f",
            "ebreak",
            "srai x0, x0, 7",
            ".option pop",
            inlateout("a0") operation => _,
            in("a1") parameter,
        );
    }
}
