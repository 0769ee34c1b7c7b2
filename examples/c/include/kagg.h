/* Amazon Kinesis aggregated records from C, without a heap. README.md is the introduction.
 *
 * No function keeps global state, allocates, locks or blocks. Different encoders may be used at the same time, by tasks and
 * interrupts. One encoder must be used by one of them at a time: the caller prevents an interrupt from using it in the
 * middle of a call. The functions without an encoder are reentrant.
 *
 * A library that was built without its feature `full` has kagg_status_text, kagg_encoder_init, kagg_encoder_add, kagg_encoder_finish and
 * kagg_encoder_sizes alone.
 *
 * Pointers may be NULL where their length is 0, or where it says so. Lengths are in bytes. Keys are UTF-8 and need no NUL.
 *
 * Generated from the Rust sources by cbindgen: change those. */

#ifndef KAGG_H
#define KAGG_H

#include <stddef.h>
#include <stdint.h>

#define kagg_encoder_init kagg_encoder_init_abi1
#define kagg_encoder_init_limits kagg_encoder_init_limits_abi1
#define kagg_aggregate_from_data kagg_aggregate_from_data_abi1
#define kagg_decode kagg_decode_abi1


/**
 * The version of this interface. It grows when a program has to be compiled again. To be told of that at compile time:
 * `_Static_assert(KAGG_ABI_VERSION == 1, "kagg has changed");`
 */
#define KAGG_ABI_VERSION 1

/**
 * The number of partition keys, and of explicit hash keys, that an encoder remembers. A key that it does not remember is
 * written again when it is used again, which costs only bytes.
 */
#define KAGG_KEYS 8

/**
 * The size of an encoder in bytes, on all targets. Where pointers have 32 bits, it uses 624.
 */
#define KAGG_ENCODER_SIZE 672

/**
 * The size of an encoder in 64-bit words.
 */
#define KAGG_ENCODER_WORDS 84

/**
 * The result of a function: 0 on success, a positive number for a state that the caller has to handle, a negative number for
 * an error. On an error, nothing has changed.
 */
enum kagg_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Success.
   */
  KAGG_OK = 0,
  /**
   * The user record was not added, or would not be: it does not fit what is pending, or that is too old or may have no
   * other partition key. Finish the aggregate, and add the user record again.
   */
  KAGG_FULL = 1,
  /**
   * Nothing is pending.
   */
  KAGG_EMPTY = 2,
  /**
   * A callback ended the iteration.
   */
  KAGG_STOPPED = 3,
  /**
   * A pointer is NULL or not aligned as its type is, or a length is more than half of the address space.
   */
  KAGG_INVALID_ARGUMENT = -1,
  /**
   * The pointer to the encoder is NULL or misaligned, or the encoder was not initialized.
   */
  KAGG_INVALID_ENCODER = -2,
  /**
   * A key is not UTF-8; not ASCII in a library that was built without the feature `full`.
   */
  KAGG_KEY_NOT_UTF8 = -3,
  /**
   * A partition key has no characters, or more than 256.
   */
  KAGG_PARTITION_KEY_LENGTH = -4,
  /**
   * An explicit hash key is not a decimal number below 2^128, without sign or leading zeros.
   */
  KAGG_EXPLICIT_HASH_KEY = -5,
  /**
   * The user record does not fit an aggregate of its own: the buffer or the limit is too small. This is found out when
   * nothing is pending; before that, the status is `KAGG_FULL`.
   */
  KAGG_TOO_LARGE = -6,
  /**
   * The payload is not an aggregate.
   */
  KAGG_NOT_AGGREGATED = -7,
  /**
   * The payload begins as an aggregate, but its digest is wrong.
   */
  KAGG_DIGEST_MISMATCH = -8,
  /**
   * The payload is framed as an aggregate, but breaks a rule of the format.
   */
  KAGG_MALFORMED = -9,
  /**
   * The aggregate has more keys than there are key slots.
   */
  KAGG_NEEDS_KEYS = -10,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum kagg_status kagg_status;
#else
typedef int32_t kagg_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * An encoder, in the caller's memory. It must not be copied: both copies would write to the same buffer.
 *
 * Memory that is all zeros, such as a static variable, is detected as not initialized.
 */
typedef struct {
  /**
   * Not to be used.
   */
  uint64_t opaque[KAGG_ENCODER_WORDS];
} kagg_encoder;

/**
 * The number and the sizes of the pending user records.
 */
typedef struct {
  /**
   * The number of user records.
   */
  size_t user_records;
  /**
   * The exact length of the data that finishing would return; 0 if nothing is pending.
   */
  size_t data_len;
  /**
   * That length plus the outer partition key, as Kinesis and the limits count.
   */
  size_t size_bytes;
} kagg_sizes;

/**
 * A finished aggregate: the data of one Kinesis record, and the keys to put it with. The pointers lead into the buffer in
 * which it is, or into the stored data. They are valid until that is used for something else, such as the next user record.
 */
typedef struct {
  /**
   * The data to put.
   */
  const uint8_t *data;
  /**
   * The length of the data.
   */
  size_t data_len;
  /**
   * The partition key to put it with: that of the first user record. Without a NUL.
   */
  const char *partition_key;
  /**
   * The length of the partition key.
   */
  size_t partition_key_len;
  /**
   * The explicit hash key to put it with, big-endian. `kagg_hash_key_text` returns it as Kinesis takes it.
   */
  uint8_t explicit_hash_key[16];
  /**
   * The number of user records, at least one.
   */
  size_t user_records;
  /**
   * 1 if there is an explicit hash key, 0 if there is none.
   */
  uint8_t has_explicit_hash_key;
} kagg_aggregate;

/**
 * When an aggregate is full. 0 stands for the default of each, which is no limit except that of Kinesis, 1,048,576 bytes.
 */
typedef struct {
  /**
   * The largest size of an aggregate of two or more user records, outer partition key included.
   */
  uint32_t target_bytes;
  /**
   * The largest size of any aggregate, outer partition key included. At most 10,485,760.
   */
  uint32_t max_bytes;
  /**
   * The largest number of user records.
   */
  uint32_t max_user_records;
  /**
   * The largest number of partition keys.
   */
  uint32_t max_partition_keys;
  /**
   * The age at which an aggregate is full, in milliseconds. It applies to user records that are added with a time.
   */
  uint64_t max_age_ms;
} kagg_limits;

/**
 * A user record: what is added to an aggregate, or comes from one.
 */
typedef struct {
  /**
   * The partition key: 1 to 256 characters. Without a NUL.
   */
  const char *partition_key;
  /**
   * The length of the partition key.
   */
  size_t partition_key_len;
  /**
   * The explicit hash key, a decimal number without a NUL; NULL if there is none.
   */
  const char *explicit_hash_key;
  /**
   * The length of the explicit hash key.
   */
  size_t explicit_hash_key_len;
  /**
   * The data.
   */
  const void *data;
  /**
   * The length of the data.
   */
  size_t data_len;
  /**
   * The position in the aggregate it came from, starting at 0. Encoding ignores it.
   */
  uint64_t sub_sequence_number;
} kagg_user_record;

/**
 * Memory in which decoding keeps a key. Its contents do not matter before, and mean nothing after.
 */
typedef struct {
  /**
   * Not to be used.
   */
  size_t opaque[2];
} kagg_key_slot;

/**
 * Called for each user record. `record`, and what it points to, is valid until the function returns; what it points to is in
 * the payload, and stays there. Returns 0 to continue.
 */
typedef int32_t (*kagg_visit)(void *context, const kagg_user_record *record);

/**
 * The limits of an AWS IoT rule: 128 KB and one partition key.
 */
#define KAGG_LIMITS_IOT_CORE (kagg_limits){ .target_bytes = 131072, .max_bytes = 131072, .max_user_records = 0, .max_partition_keys = 1, .max_age_ms = 0 }

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Returns the text of a status, in English and with a NUL. It is in no program that does not call this function.
 */
const char *kagg_status_text(int32_t status);

/**
 * Initializes an encoder over a buffer, with the limits of a stream with the default configuration. The contents of both do not
 * matter.
 *
 * The buffer belongs to the encoder until it is exchanged, or the encoder is initialized again. Until then it must not be
 * used except to read an aggregate through its pointers. Its length is a limit as well.
 *
 * The caller promises: `encoder` points to a `kagg_encoder` and `buffer` to `buffer_len` bytes. They do not overlap.
 */
kagg_status kagg_encoder_init_abi1(kagg_encoder *encoder,
                                   void *buffer,
                                   size_t buffer_len);

/**
 * Adds a user record without an explicit hash key and without a time.
 *
 * Returns `KAGG_OK` if it was added, `KAGG_FULL` if the aggregate has to be finished first, or an error.
 *
 * The caller promises: `encoder` points to a `kagg_encoder` that nobody else uses. The others point to as many bytes as their lengths say, which
 * nobody changes meanwhile and which are not in the encoder's buffer.
 */
kagg_status kagg_encoder_add(kagg_encoder *encoder,
                             const char *partition_key,
                             size_t partition_key_len,
                             const void *data,
                             size_t data_len);

/**
 * Returns what is pending.
 *
 * The caller promises: `encoder` points to a `kagg_encoder` that nobody changes meanwhile, and `sizes` to a `kagg_sizes`.
 */
kagg_status kagg_encoder_sizes(const kagg_encoder *encoder, kagg_sizes *sizes);

/**
 * Finishes the pending aggregate and leaves the encoder empty. The aggregate is in the encoder's buffer, until the next user
 * record is added.
 *
 * Returns `KAGG_EMPTY`, and leaves `aggregate` as it is, if nothing is pending.
 *
 * The caller promises: `encoder` points to a `kagg_encoder` that nobody else uses, and `aggregate` to a `kagg_aggregate`.
 */
kagg_status kagg_encoder_finish(kagg_encoder *encoder,
                                kagg_aggregate *aggregate);

/**
 * Initializes an encoder as `kagg_encoder_init`, with limits.
 *
 * The caller promises: Same as `kagg_encoder_init`. `limits` points to a `kagg_limits`.
 */
kagg_status kagg_encoder_init_limits_abi1(kagg_encoder *encoder,
                                          void *buffer,
                                          size_t buffer_len,
                                          const kagg_limits *limits);

/**
 * Adds a user record, with an explicit hash key if it has one, at a time in milliseconds on any clock that does not go back.
 * `now_ms` may be NULL: then the user record has no age.
 *
 * Returns the same as `kagg_encoder_add`.
 *
 * The caller promises: Same as `kagg_encoder_add`, for the pointers in `record`.
 */
kagg_status kagg_encoder_add_record(kagg_encoder *encoder,
                                    const kagg_user_record *record,
                                    const uint64_t *now_ms);

/**
 * Returns whether a user record would be added now, regardless of age: `KAGG_OK`, or `KAGG_FULL` if it would not be.
 * `added` gets the number of bytes by which `size_bytes` would grow. It may be NULL.
 *
 * The caller promises: Same as `kagg_encoder_add`, for the pointers in `record`.
 */
kagg_status kagg_encoder_would_add(const kagg_encoder *encoder,
                                   const kagg_user_record *record,
                                   size_t *added);

/**
 * Returns `KAGG_FULL` if the pending aggregate has reached its age, so that it should be finished, otherwise `KAGG_OK`.
 *
 *
 *
 * The caller promises: `encoder` points to a `kagg_encoder` that nobody changes meanwhile.
 */
kagg_status kagg_encoder_expired(const kagg_encoder *encoder,
                                 uint64_t now_ms);

/**
 * Finishes the pending aggregate, exchanges the buffer for `next`, and leaves the encoder empty. The aggregate is in the old
 * buffer, which is the caller's again: it can be sent, by DMA or by another task, while the encoder fills the next one.
 *
 * Returns `KAGG_EMPTY`, and leaves `aggregate` as it is, if nothing is pending. The buffer is exchanged then too.
 *
 * The caller promises: Same as `kagg_encoder_finish`, and as `kagg_encoder_init` for `next`, which is not the encoder's buffer.
 */
kagg_status kagg_encoder_swap_buffer(kagg_encoder *encoder,
                                     void *next,
                                     size_t next_len,
                                     kagg_aggregate *aggregate);

/**
 * Drops what is pending.
 *
 * The caller promises: `encoder` points to a `kagg_encoder` that nobody else uses.
 */
kagg_status kagg_encoder_clear(kagg_encoder *encoder);

/**
 * Writes the explicit hash key of an aggregate as a decimal number with a NUL, as Kinesis takes it.
 *
 * The caller promises: `explicit_hash_key` points to 16 bytes, and `text` to 40.
 */
kagg_status kagg_hash_key_text(const uint8_t *explicit_hash_key, char *text);

/**
 * Recovers an aggregate from its data, which was stored in flash or a queue: checks all of it, and finds the keys to put it with.
 *
 * Returns `KAGG_NOT_AGGREGATED` unless it is a valid aggregate with a user record and keys that Kinesis accepts: for example, if
 * the power failed while it was written.
 *
 * The caller promises: `data` points to `data_len` bytes that nobody changes meanwhile, and `aggregate` to a `kagg_aggregate`.
 */
kagg_status kagg_aggregate_from_data_abi1(const void *data,
                                          size_t data_len,
                                          kagg_aggregate *aggregate);

/**
 * Validates a payload as a whole, then calls `visit` for each user record, in order.
 *
 * `slots` has one entry for each key of the aggregate. If there are too few, the function returns `KAGG_NEEDS_KEYS` without a call
 * of `visit`. `keys_needed` gets the number of keys of a valid aggregate. It may be NULL.
 *
 * Returns `KAGG_STOPPED` if `visit` returned something other than 0; `KAGG_NOT_AGGREGATED`, `KAGG_DIGEST_MISMATCH` or
 * `KAGG_MALFORMED` if the payload is not an aggregate but the data of one record.
 *
 * The caller promises: `payload` points to `payload_len` bytes that nobody changes meanwhile, and `slots` to `slots_len` key slots that nobody else uses.
 * `visit` returns: it does not jump out.
 */
kagg_status kagg_decode_abi1(const void *payload,
                             size_t payload_len,
                             kagg_key_slot *slots,
                             size_t slots_len,
                             size_t *keys_needed,
                             kagg_visit visit,
                             void *context);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

/* The same is asserted in Rust. */
#ifdef __cplusplus
#define KAGG_ASSERT(condition, message) static_assert(condition, message)
#define KAGG_ALIGNOF(type) alignof(type)
#else
#define KAGG_ASSERT(condition, message) _Static_assert(condition, message)
#define KAGG_ALIGNOF(type) _Alignof(type)
#endif
KAGG_ASSERT(sizeof(size_t) == sizeof(void *), "kagg: a size and a pointer have the same size");
KAGG_ASSERT(sizeof(kagg_encoder) == KAGG_ENCODER_SIZE, "kagg: the size of an encoder");
KAGG_ASSERT(KAGG_ALIGNOF(kagg_encoder) == KAGG_ALIGNOF(uint64_t), "kagg: the alignment of an encoder");
KAGG_ASSERT(sizeof(kagg_key_slot) == 2 * sizeof(void *), "kagg: the size of a key slot");
KAGG_ASSERT(KAGG_ALIGNOF(kagg_key_slot) == KAGG_ALIGNOF(void *), "kagg: the alignment of a key slot");
KAGG_ASSERT(sizeof(kagg_limits) == 24, "kagg: the size of limits");
KAGG_ASSERT(sizeof(kagg_sizes) == 3 * sizeof(size_t), "kagg: the size of sizes");
KAGG_ASSERT(offsetof(kagg_aggregate, explicit_hash_key) == 4 * sizeof(void *), "kagg: the layout of an aggregate");
KAGG_ASSERT(offsetof(kagg_aggregate, has_explicit_hash_key) == 5 * sizeof(void *) + 16, "kagg: the layout of an aggregate");
KAGG_ASSERT(sizeof(kagg_user_record) == 6 * sizeof(void *) + 8, "kagg: the layout of a user record");
KAGG_ASSERT(sizeof(kagg_status) == 4, "kagg: the size of a status");
#undef KAGG_ASSERT
#undef KAGG_ALIGNOF

#endif
