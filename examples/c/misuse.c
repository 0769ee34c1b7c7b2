/* Calls everything, rightly and wrongly, on the host under AddressSanitizer. Every buffer has exactly the size that it needs. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kagg.h"

static int failures;

static void expect(int good, const char *what) {
  if (!good) {
    printf("misuse: wrong: %s\n", what);
    failures++;
  }
}

static void expect_status(kagg_status status, kagg_status expected, const char *what) {
  if (status != expected) {
    printf("misuse: wrong: %s: %s instead of %s\n", what, kagg_status_text(status), kagg_status_text(expected));
    failures++;
  }
}

static void *bytes(size_t len) {
  void *memory = malloc(len);
  if (!memory) abort();
  memset(memory, 0xa5, len);
  return memory;
}

/* Every buffer size from nothing to one that holds a few user records: nothing is written behind it. */
static void buffers_of_all_sizes(void) {
  for (size_t len = 0; len <= 96; len++) {
    kagg_encoder *encoder = calloc(1, sizeof *encoder);
    uint8_t *buffer = bytes(len);
    char *key = bytes(6), *data = bytes(4);
    memcpy(key, "hall-1", 6);
    memcpy(data, "21.5", 4);
    expect_status(kagg_encoder_init(encoder, buffer, len), KAGG_OK, "init");
    size_t added = 0;
    kagg_status status;
    while ((status = kagg_encoder_add(encoder, key, 6, data, 4)) == KAGG_OK) added++;
    expect_status(status, added ? KAGG_FULL : KAGG_TOO_LARGE, "add");
    /* 20 of the frame, 8 of the key, 10 of each user record. */
    expect(added == (len < 38 ? 0 : (len - 28) / 10), "the number of user records");
    kagg_aggregate aggregate;
    status = kagg_encoder_finish(encoder, &aggregate);
    expect_status(status, added ? KAGG_OK : KAGG_EMPTY, "finish");
    if (added) {
      expect(aggregate.data == buffer && aggregate.data_len == 28 + 10 * added, "the aggregate");
      expect(aggregate.partition_key_len == 6 && !memcmp(aggregate.partition_key, key, 6), "the partition key");
      expect(aggregate.user_records == added, "the number in the aggregate");
      uint8_t *copy = bytes(aggregate.data_len);
      memcpy(copy, aggregate.data, aggregate.data_len);
      kagg_aggregate stored;
      for (size_t cut = 0; cut < aggregate.data_len; cut++) {
        expect_status(kagg_aggregate_from_data(copy, cut, &stored), KAGG_NOT_AGGREGATED, "torn");
      }
      expect_status(kagg_aggregate_from_data(copy, aggregate.data_len, &stored), KAGG_OK, "stored");
      expect(stored.user_records == added, "the number in the stored aggregate");
      free(copy);
    }
    free(key);
    free(data);
    free(buffer);
    free(encoder);
  }
}

static int32_t sum(void *context, const kagg_user_record *record) {
  size_t *total = context;
  for (size_t i = 0; i < record->partition_key_len; i++) *total += (uint8_t)record->partition_key[i];
  for (size_t i = 0; i < record->data_len; i++) *total += ((const uint8_t *)record->data)[i];
  return record->data_len == 9;
}

static void decoding(void) {
  kagg_encoder *encoder = calloc(1, sizeof *encoder);
  uint8_t *buffer = bytes(256);
  expect_status(kagg_encoder_init(encoder, buffer, 256), KAGG_OK, "init");
  for (int i = 0; i < 6; i++) {
    const char key[2] = {'k', (char)('0' + i % 3)};
    expect_status(kagg_encoder_add(encoder, key, 2, "21.5", 4), KAGG_OK, "add");
  }
  kagg_aggregate aggregate;
  expect_status(kagg_encoder_finish(encoder, &aggregate), KAGG_OK, "finish");

  for (size_t len = 0; len <= 4; len++) {
    kagg_key_slot *slots = len ? bytes(len * sizeof *slots) : NULL;
    size_t needed = 0, total = 0;
    const kagg_status status =
        kagg_decode(aggregate.data, aggregate.data_len, slots, len, &needed, sum, &total);
    expect_status(status, len < 3 ? KAGG_NEEDS_KEYS : KAGG_OK, "decode");
    expect(needed == 3, "the keys needed");
    expect(total == (len < 3 ? 0 : 6 * ('2' + '1' + '.' + '5' + 'k') + 2 * ('0' + '1' + '2')), "the sum");
    free(slots);
  }

  kagg_key_slot slots[3];
  size_t total = 0;
  uint8_t *copy = bytes(aggregate.data_len);
  memcpy(copy, aggregate.data, aggregate.data_len);
  for (size_t i = 0; i < aggregate.data_len; i++) {
    copy[i] ^= 0x10;
    const kagg_status status = kagg_decode(copy, aggregate.data_len, slots, 3, NULL, sum, &total);
    expect_status(status, i < 4 ? KAGG_NOT_AGGREGATED : KAGG_DIGEST_MISMATCH, "damaged");
    copy[i] ^= 0x10;
  }
  expect(total == 0, "damaged user records");
  free(copy);
  free(buffer);
  free(encoder);
}

static void misuse(void) {
  static kagg_encoder encoder;
  static uint8_t buffer[64];
  kagg_aggregate aggregate;
  kagg_sizes sizes;
  const kagg_user_record record = {.partition_key = "k", .partition_key_len = 1};
  kagg_encoder *odd = (kagg_encoder *)((char *)&encoder + 1);

  expect_status(kagg_encoder_add(&encoder, "k", 1, NULL, 0), KAGG_INVALID_ENCODER, "add before init");
  expect_status(kagg_encoder_finish(&encoder, &aggregate), KAGG_INVALID_ENCODER, "finish before init");
  expect_status(kagg_encoder_swap_buffer(&encoder, buffer, 64, &aggregate), KAGG_INVALID_ENCODER, "swap before init");
  expect_status(kagg_encoder_clear(&encoder), KAGG_INVALID_ENCODER, "clear before init");
  expect_status(kagg_encoder_sizes(&encoder, &sizes), KAGG_INVALID_ENCODER, "sizes before init");
  expect_status(kagg_encoder_expired(&encoder, 0), KAGG_INVALID_ENCODER, "expired before init");
  expect_status(kagg_encoder_would_add(&encoder, &record, NULL), KAGG_INVALID_ENCODER, "would_add before init");
  expect_status(kagg_encoder_add_record(&encoder, &record, NULL), KAGG_INVALID_ENCODER, "add_record before init");

  expect_status(kagg_encoder_init(NULL, buffer, 64), KAGG_INVALID_ENCODER, "init");
  expect_status(kagg_encoder_init(&encoder, NULL, 64), KAGG_INVALID_ARGUMENT, "init without buffer");
  expect_status(kagg_encoder_init(odd, buffer, 64), KAGG_INVALID_ENCODER, "init misaligned");
  expect_status(kagg_encoder_init(&encoder, buffer, (size_t)-1), KAGG_INVALID_ARGUMENT, "init with a length of -1");
  expect_status(kagg_encoder_clear(&encoder), KAGG_INVALID_ENCODER, "clear after a failed init");
  expect_status(kagg_encoder_init(&encoder, buffer, 64), KAGG_OK, "init");
  expect_status(kagg_encoder_finish(&encoder, &aggregate), KAGG_EMPTY, "finish without user records");
  expect_status(kagg_encoder_finish(&encoder, NULL), KAGG_INVALID_ARGUMENT, "finish without result");
  expect_status(kagg_encoder_add(&encoder, NULL, 1, NULL, 0), KAGG_INVALID_ARGUMENT, "no key");
  expect_status(kagg_encoder_add(&encoder, NULL, 0, NULL, 0), KAGG_PARTITION_KEY_LENGTH, "empty key");
  expect_status(kagg_encoder_add(&encoder, "\xff", 1, NULL, 0), KAGG_KEY_NOT_UTF8, "key");
  expect_status(kagg_encoder_add(&encoder, "k", 1, NULL, 1), KAGG_INVALID_ARGUMENT, "no data");
  expect_status(kagg_encoder_add(&encoder, "k", 1, NULL, (size_t)-1), KAGG_INVALID_ARGUMENT, "no data, -1 byte");
  expect_status(kagg_encoder_add(&encoder, "k", 1, buffer, 0), KAGG_OK, "empty data");
  expect_status(kagg_encoder_would_add(&encoder, NULL, NULL), KAGG_INVALID_ARGUMENT, "would_add");
  expect_status(kagg_encoder_sizes(&encoder, &sizes), KAGG_OK, "sizes");
  expect(sizes.user_records == 1 && sizes.size_bytes == sizes.data_len + 1, "the sizes");
  expect_status(kagg_decode(buffer, 64, NULL, 0, NULL, NULL, NULL), KAGG_INVALID_ARGUMENT, "no function");
  expect_status(kagg_decode(NULL, 0, NULL, 0, NULL, sum, NULL), KAGG_NOT_AGGREGATED, "no payload");
}

int main(void) {
  buffers_of_all_sizes();
  decoding();
  misuse();
  printf("misuse: %d wrong\n", failures);
  return failures != 0;
}
