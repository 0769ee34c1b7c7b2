/* `readings.c` on a Cortex-M in QEMU: start-up code, and output through semihosting. */

#include <stdint.h>

#include "../readings.h"

/* From firmware/lm3s6965.ld. */
extern uint32_t stack_top, data_start, data_end, data_load, bss_start, bss_end;

static void semihosting(int operation, uintptr_t parameter) {
  register int r0 __asm__("r0") = operation;
  register uintptr_t r1 __asm__("r1") = parameter;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void machine_print(const char *text) { semihosting(0x04, (uintptr_t)text); }

/* "Application exit" or "run time error". */
static void leave(int failed) {
  semihosting(0x18, failed ? 0x20023 : 0x20026);
  for (;;) {
  }
}

static void fault(void) {
  machine_print("failed: fault\n");
  leave(1);
}

void reset(void) {
  const uint32_t *from = &data_load;
  for (uint32_t *to = &data_start; to < &data_end;) *to++ = *from++;
  for (uint32_t *to = &bss_start; to < &bss_end;) *to++ = 0;
  leave(readings_main());
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    (uintptr_t)&stack_top, (uintptr_t)reset, (uintptr_t)fault, (uintptr_t)fault,
    (uintptr_t)fault,      (uintptr_t)fault, (uintptr_t)fault,
};
