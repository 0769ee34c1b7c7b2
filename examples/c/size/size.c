/* What benches/size/src/ours.rs does, from C: six user records with three partition keys in a buffer of 256 bytes. Without ENCODE, the
 * same frame of a program does nothing. `size/run` compares both. */

#include "kagg.h"

extern uint32_t __stack_high;

void *memset(void *to, int byte, size_t len);

#ifdef LIBRARY
/* A C library's functions, which firmware in C has anyway. Without them, those of the Rust compiler are linked. */
#define KEEP(function) __asm__ volatile("" : : "r"(function))
void *memcpy(void *to, const void *from, size_t len) {
  for (size_t i = 0; i < len; i++) ((volatile char *)to)[i] = ((const char *)from)[i];
  return to;
}
void *memset(void *to, int byte, size_t len) {
  for (size_t i = 0; i < len; i++) ((volatile char *)to)[i] = (char)byte;
  return to;
}
int memcmp(const void *a, const void *b, size_t len) {
  for (size_t i = 0; i < len; i++) {
    const int difference = ((const uint8_t *)a)[i] - ((const uint8_t *)b)[i];
    if (difference) return difference;
  }
  return 0;
}
void __aeabi_memcpy(void *to, const void *from, size_t len) { memcpy(to, from, len); }
void __aeabi_memcpy4(void *to, const void *from, size_t len) { memcpy(to, from, len); }
void __aeabi_memcpy8(void *to, const void *from, size_t len) { memcpy(to, from, len); }
void __aeabi_memset(void *to, size_t len, int byte) { memset(to, byte, len); }
void __aeabi_memset4(void *to, size_t len, int byte) { memset(to, byte, len); }
void __aeabi_memset8(void *to, size_t len, int byte) { memset(to, byte, len); }
void __aeabi_memclr(void *to, size_t len) { memset(to, 0, len); }
void __aeabi_memclr4(void *to, size_t len) { memset(to, 0, len); }
void __aeabi_memclr8(void *to, size_t len) { memset(to, 0, len); }
#endif

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

void _start(void) {
  /* Enables the FPU, whose registers the compiler may copy with. */
  *(volatile uint32_t *)0xe000ed88 = 0x00f00000;
#ifdef LIBRARY
  KEEP(memcpy);
  KEEP(memset);
  KEEP(memcmp);
  KEEP(__aeabi_memcpy);
  KEEP(__aeabi_memcpy4);
  KEEP(__aeabi_memcpy8);
  KEEP(__aeabi_memset);
  KEEP(__aeabi_memset4);
  KEEP(__aeabi_memset8);
  KEEP(__aeabi_memclr);
  KEEP(__aeabi_memclr4);
  KEEP(__aeabi_memclr8);
#endif
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
