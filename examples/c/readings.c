/* What a device does with the library: collects readings in one buffer while the other is sent, survives a power loss, and reads
 * its own aggregates. It prints every user record that it adds and every aggregate that it sends; tests/published.rs compares
 * them. No heap, no standard library. */

#include "readings.h"

#include "kagg.h"

_Static_assert(KAGG_ABI_VERSION == 1, "written for this version of kagg");

#define BUFFER_SIZE 256
#define LENGTH_OF(array) (sizeof(array) / sizeof(array)[0])

static kagg_encoder encoder;
static uint8_t buffers[2][BUFFER_SIZE];
static uint8_t flash[BUFFER_SIZE];

static void print_bytes(const void *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) {
    const uint8_t byte = ((const uint8_t *)bytes)[i];
    const char text[3] = {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15], 0};
    machine_print(text);
  }
}

static void print_record(const kagg_user_record *record) {
  machine_print("record ");
  print_bytes(record->partition_key, record->partition_key_len);
  machine_print(" ");
  print_bytes(record->explicit_hash_key, record->explicit_hash_key_len);
  machine_print(" ");
  print_bytes(record->data, record->data_len);
  machine_print("\n");
}

/* Stands for the radio. */
static void send(const kagg_aggregate *aggregate) {
  char explicit_hash_key[40] = "";
  if (aggregate->has_explicit_hash_key) {
    kagg_hash_key_text(aggregate->explicit_hash_key, explicit_hash_key);
  }
  size_t len = 0;
  while (explicit_hash_key[len]) len++;
  machine_print("aggregate ");
  print_bytes(aggregate->partition_key, aggregate->partition_key_len);
  machine_print(" ");
  print_bytes(explicit_hash_key, len);
  machine_print(" ");
  print_bytes(aggregate->data, aggregate->data_len);
  machine_print("\n");
}

static int failed(const char *what, kagg_status status) {
  machine_print("failed: ");
  machine_print(what);
  machine_print(": ");
  machine_print(kagg_status_text(status));
  machine_print("\n");
  return 1;
}

/* A text such as "-7.3". */
static size_t reading(uint32_t number, char text[8]) {
  /* The constants of Knuth's MMIX generator. */
  static uint64_t state = 15;
  state = state * 6364136223846793005u + 1442695040888963407u;
  const uint32_t tenths = (uint32_t)(state >> 33) % 300 + number % 2;
  size_t len = 0;
  if (number % 5 == 0) text[len++] = '-';
  if (tenths >= 100) text[len++] = (char)('0' + tenths / 100);
  text[len++] = (char)('0' + tenths / 10 % 10);
  text[len++] = '.';
  text[len++] = (char)('0' + tenths % 10);
  return len;
}

/* One partition key, as an AWS IoT rule needs it, and two buffers. */
static int two_buffers(void) {
  static const char key[] = "device-7";
  unsigned next = 1;
  kagg_aggregate aggregate;
  kagg_status status = kagg_encoder_init_limits(&encoder, buffers[0], BUFFER_SIZE, &KAGG_LIMITS_IOT_CORE);
  if (status) return failed("init", status);
  for (uint32_t number = 0; number < 100; number++) {
    char text[8];
    const kagg_user_record record = {
        .partition_key = key,
        .partition_key_len = sizeof key - 1,
        .data = text,
        .data_len = reading(number, text),
    };
    print_record(&record);
    while ((status = kagg_encoder_add(&encoder, key, sizeof key - 1, text, record.data_len)) == KAGG_FULL) {
      status = kagg_encoder_swap_buffer(&encoder, buffers[next], BUFFER_SIZE, &aggregate);
      if (status) return failed("swap", status);
      next ^= 1;
      send(&aggregate);
    }
    if (status) return failed("add", status);
  }
  if ((status = kagg_encoder_finish(&encoder, &aggregate))) return failed("finish", status);

  /* The power fails before the last one is sent. Its data is enough. */
  for (size_t i = 0; i < aggregate.data_len; i++) flash[i] = aggregate.data[i];
  kagg_aggregate stored;
  if ((status = kagg_aggregate_from_data(flash, aggregate.data_len, &stored))) return failed("recover", status);
  send(&stored);
  return 0;
}

/* Several keys, explicit hash keys, and a clock. */
static int keys_and_times(void) {
  static const char *const keys[] = {"hall-1", "hall-2", "h\xc3\xa4ll-3"};
  static const size_t lengths[] = {6, 6, 7};
  static const char shard[] = "170141183460469231731687303715884105728";
  const kagg_limits limits = {.max_age_ms = 60000, .max_user_records = 12};
  kagg_aggregate aggregate;
  kagg_status status = kagg_encoder_init_limits(&encoder, buffers[0], BUFFER_SIZE, &limits);
  if (status) return failed("init", status);
  for (uint32_t number = 0; number < 60; number++) {
    const uint64_t now_ms = number * (number % 20 < 10 ? 1000 : 9000);
    char text[8];
    const kagg_user_record record = {
        .partition_key = keys[number % LENGTH_OF(keys)],
        .partition_key_len = lengths[number % LENGTH_OF(keys)],
        .explicit_hash_key = number < 40 ? shard : NULL,
        .explicit_hash_key_len = number < 40 ? sizeof shard - 1 : 0,
        .data = text,
        .data_len = reading(number, text),
    };
    print_record(&record);
    while ((status = kagg_encoder_add_record(&encoder, &record, &now_ms)) == KAGG_FULL) {
      if ((status = kagg_encoder_finish(&encoder, &aggregate))) return failed("finish", status);
      send(&aggregate);
    }
    if (status) return failed("add", status);
  }
  if ((status = kagg_encoder_finish(&encoder, &aggregate))) return failed("finish", status);
  send(&aggregate);
  return 0;
}

static int32_t count(void *context, const kagg_user_record *record) {
  size_t *records = context;
  *records += record->sub_sequence_number == *records;
  return 0;
}

/* The last aggregate is still in the buffer of the encoder. */
static int read_back(void) {
  kagg_aggregate aggregate;
  kagg_key_slot slots[4];
  size_t keys, records = 0;
  kagg_status status = kagg_encoder_init(&encoder, buffers[0], BUFFER_SIZE);
  if (status) return failed("init", status);
  for (int i = 0; i < 5; i++) {
    if ((status = kagg_encoder_add(&encoder, "hall-1", 6, "21.5", 4))) return failed("add", status);
  }
  if ((status = kagg_encoder_finish(&encoder, &aggregate))) return failed("finish", status);
  status = kagg_decode(aggregate.data, aggregate.data_len, slots, LENGTH_OF(slots), &keys, count, &records);
  if (status) return failed("decode", status);
  if (keys != 1 || records != 5) return failed("count", KAGG_MALFORMED);
  return 0;
}

int readings_main(void) { return two_buffers() || keys_and_times() || read_back(); }
