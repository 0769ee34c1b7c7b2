/* What benches/size/src/ours.rs does, from C: six user records with three partition keys in a buffer of 256 bytes. Without ENCODE, the
 * same frame of a program does nothing. `size/run` compares both. */

#include "kagg.h"

extern uint32_t __stack_high;

typedef struct {
  const char *key;
  size_t key_len;
  const char *data;
  size_t data_len;
} record;

static const record RECORDS[6] = {
    {"sensor-1", 8, "21.5", 4},  {"sensor-2", 8, "19.0", 4}, {"sensor-1", 8, "21.6", 4},
    {"sensor-3", 8, "-4.25", 5}, {"sensor-2", 8, "", 0},     {"sensor-1", 8, "{\"celsius\":21.4}", 16},
};

static void semihosting(int operation, uintptr_t parameter) {
  register int r0 __asm__("r0") = operation;
  register uintptr_t r1 __asm__("r1") = parameter;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

/* Returns the length of the aggregate. */
__attribute__((noinline)) static size_t work(const record *records, uint8_t *buffer, size_t len) {
#ifdef ENCODE
  static kagg_encoder encoder;
  kagg_aggregate aggregate;
  if (kagg_encoder_init(&encoder, buffer, len)) return 0;
  for (int i = 0; i < 6; i++) {
    const record *r = &records[i];
    kagg_status status = kagg_encoder_add(&encoder, r->key, r->key_len, r->data, r->data_len);
#ifdef TEXTS
    semihosting(0x04, (uintptr_t)kagg_status_text(status));
#endif
    if (status) return 0;
  }
  return kagg_encoder_finish(&encoder, &aggregate) ? 0 : aggregate.data_len;
#else
  __asm__ volatile("" : : "r"(records), "r"(buffer), "r"(len) : "memory");
  return 119;
#endif
}

void *memset(void *to, int byte, size_t len);

void _start(void) {
  /* Enables the FPU, whose registers the compiler may copy with. */
  *(volatile uint32_t *)0xe000ed88 = 0x00f00000;
  /* As in the Rust program, to which `memset` belongs as well. */
  uint8_t buffer[256];
  memset(buffer, 0xa5, sizeof buffer);
  const record *records = RECORDS;
  __asm__ volatile("" : "+r"(records));
  /* All orders of an aggregate are equally long. */
  const int good = work(records, buffer, sizeof buffer) == 119;
  semihosting(0x18, good ? 0x20026 : 0x20023);
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[2] = {(uintptr_t)&__stack_high, (uintptr_t)_start};
