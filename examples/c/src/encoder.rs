//! Encoding.

use core::ffi::{c_char, c_void};
use core::fmt::{self, Write};
use core::time::Duration;

use kinesis_aggregation::encode::{AddStatus, AggregateRef};
use kinesis_aggregation::route::HashKey;
use kinesis_aggregation::{Encoder, Limits, UserRecord};

use crate::decoder::KaggUserRecord;
use crate::memory::{bytes, check, slice_mut, text};
use crate::status::{KAGG_EMPTY, KAGG_FULL, KAGG_NOT_INITIALIZED, KAGG_OK, KaggStatus, status};

/// The number of partition keys, and of explicit hash keys, that an encoder remembers. A key that it does not remember is
/// written again when it is used again, which costs only bytes.
pub const KAGG_KEYS: usize = 8;

/// The size of an encoder in bytes, on all targets.
pub const KAGG_ENCODER_SIZE: usize = 736;

/// The same in 64-bit words.
pub const KAGG_ENCODER_WORDS: usize = 92;

/// An encoder, in the caller's memory. It must not be copied: both copies would write to the same buffer.
///
/// Memory that is all zeros, such as a static variable, is detected as not initialized.
#[repr(C)]
#[derive(Debug)]
pub struct KaggEncoder {
    /// Not to be used.
    pub opaque: [u64; KAGG_ENCODER_WORDS],
}

/// What is in the memory of a `KaggEncoder`.
struct State {
    initialized: u32,
    encoder: Encoder<'static, KAGG_KEYS>,
}

/// "kagg", in memory that was initialized.
const INITIALIZED: u32 = u32::from_le_bytes(*b"kagg");

// The same is asserted in C.
const _: () = {
    assert!(size_of::<KaggEncoder>() == KAGG_ENCODER_SIZE);
    assert!(align_of::<KaggEncoder>() == align_of::<u64>());
    assert!(size_of::<State>() <= KAGG_ENCODER_SIZE);
    assert!(align_of::<State>() <= align_of::<KaggEncoder>());
    assert!(size_of::<KaggLimits>() == 24);
    assert!(size_of::<KaggSizes>() == 3 * size_of::<usize>());
    assert!(size_of::<*const ()>() == size_of::<usize>());
    assert!(core::mem::offset_of!(KaggAggregate, explicit_hash_key) == 5 * size_of::<usize>());
    assert!(core::mem::offset_of!(KaggAggregate, has_explicit_hash_key) == 5 * size_of::<usize>() + 16);
    assert!(size_of::<KaggStatus>() == 4);
};

/// When an aggregate is full. 0 stands for the default of each, which is no limit except that of Kinesis, 1,048,576 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct KaggLimits {
    /// The largest size of an aggregate of two or more user records, outer partition key included.
    pub target_bytes: u32,
    /// The largest size of any aggregate, outer partition key included. At most 10,485,760.
    pub max_bytes: u32,
    /// The largest number of user records.
    pub max_user_records: u32,
    /// The largest number of partition keys.
    pub max_partition_keys: u32,
    /// The age at which an aggregate is full, in milliseconds. It applies to user records that are added with a time.
    pub max_age_ms: u64,
}

/// What an AWS IoT rule can put into a stream: 128 KB and one partition key.
pub const KAGG_LIMITS_IOT_CORE: KaggLimits = KaggLimits {
    target_bytes: 131_072,
    max_bytes: 131_072,
    max_user_records: 0,
    max_partition_keys: 1,
    max_age_ms: 0,
};

/// A finished aggregate: the data of one Kinesis record, and the keys to put it with. The pointers lead into the buffer in
/// which it is, or into the stored data. They are valid until that is used for something else, such as the next user record.
#[repr(C)]
#[derive(Debug)]
pub struct KaggAggregate {
    /// The data to put.
    pub data: *const u8,
    /// The length of the data.
    pub data_len: usize,
    /// The partition key to put it with: that of the first user record. Without a NUL.
    pub partition_key: *const c_char,
    /// The length of the partition key.
    pub partition_key_len: usize,
    /// The number of user records, at least one.
    pub user_records: usize,
    /// The explicit hash key to put it with, big-endian. `kagg_hash_key_text` returns it as Kinesis takes it.
    pub explicit_hash_key: [u8; 16],
    /// 1 if there is an explicit hash key, 0 if there is none.
    pub has_explicit_hash_key: u8,
}

/// What is pending.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct KaggSizes {
    /// The number of user records.
    pub user_records: usize,
    /// The exact length of the data that finishing would return; 0 if nothing is pending.
    pub data_len: usize,
    /// The same with the outer partition key, as Kinesis and the limits count.
    pub size_bytes: usize,
}

/// Initializes an encoder over a buffer, with the limits of a stream with the default configuration. The contents of both do not
/// matter.
///
/// The buffer belongs to the encoder until it is exchanged, or the encoder is initialized again. Until then it must not be
/// used except to read an aggregate through its pointers. Its length is a limit as well.
///
/// # Safety
///
/// `encoder` points to a `kagg_encoder` and `buffer` to `buffer_len` bytes. They do not overlap.
#[unsafe(export_name = "kagg_encoder_init_abi1")]
pub unsafe extern "C" fn kagg_encoder_init(
    encoder: *mut KaggEncoder,
    buffer: *mut c_void,
    buffer_len: usize,
) -> KaggStatus {
    // SAFETY: the caller's promise.
    status(unsafe { init(encoder, buffer, buffer_len, Limits::KINESIS_DEFAULT) })
}

/// Initializes an encoder as `kagg_encoder_init`, with limits.
///
/// # Safety
///
/// Same as `kagg_encoder_init`. `limits` points to a `kagg_limits`.
#[unsafe(export_name = "kagg_encoder_init_limits_abi1")]
pub unsafe extern "C" fn kagg_encoder_init_limits(
    encoder: *mut KaggEncoder,
    buffer: *mut c_void,
    buffer_len: usize,
    limits: *const KaggLimits,
) -> KaggStatus {
    let init = || {
        check(limits)?;
        // SAFETY: it is neither null nor misaligned. The rest is the caller's promise.
        let limits = unsafe { limits.read() }.limits();
        // SAFETY: the caller's promise.
        unsafe { init(encoder, buffer, buffer_len, limits) }
    };
    status(init())
}

/// Adds a user record without an explicit hash key and without a time.
///
/// Returns `KAGG_OK` if it was added, `KAGG_FULL` if the aggregate has to be finished first, or an error.
///
/// # Safety
///
/// `encoder` points to a `kagg_encoder` that nobody else uses. The others point to as many bytes as their lengths say, which
/// nobody changes meanwhile and which are not in the encoder's buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kagg_encoder_add(
    encoder: *mut KaggEncoder,
    partition_key: *const c_char,
    partition_key_len: usize,
    data: *const c_void,
    data_len: usize,
) -> KaggStatus {
    let add = || {
        // SAFETY: the caller's promise.
        let encoder = unsafe { initialized(encoder) }?;
        // SAFETY: as above.
        let partition_key = unsafe { text(partition_key, partition_key_len) }?;
        // SAFETY: as above.
        let data = unsafe { bytes(data, data_len) }?;
        added(encoder.add(UserRecord::new(partition_key, data))?)
    };
    status(add())
}

/// Adds a user record, with an explicit hash key if it has one, at a time in milliseconds on any clock that does not go back.
/// `now_ms` may be NULL: then the user record has no age.
///
/// Returns the same as `kagg_encoder_add`. Not in a library that was built without the feature `full`.
///
/// # Safety
///
/// Same as `kagg_encoder_add`, for the pointers in `record`.
#[cfg(feature = "full")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kagg_encoder_add_record(
    encoder: *mut KaggEncoder,
    record: *const KaggUserRecord,
    now_ms: *const u64,
) -> KaggStatus {
    let add = || {
        // SAFETY: the caller's promise.
        let encoder = unsafe { initialized(encoder) }?;
        // SAFETY: as above.
        let record = unsafe { KaggUserRecord::borrow(record) }?;
        added(if now_ms.is_null() {
            encoder.add(record)?
        } else {
            check(now_ms)?;
            // SAFETY: it is neither null nor misaligned. The rest is the caller's promise.
            let now_ms = unsafe { now_ms.read() };
            encoder.add_at(record, Duration::from_millis(now_ms))?
        })
    };
    status(add())
}

/// Returns whether a user record would be added now, regardless of age: `KAGG_OK`, or `KAGG_FULL` if it would not be.
/// `added` gets the number of bytes by which `size_bytes` would grow. It may be NULL.
///
/// # Safety
///
/// Same as `kagg_encoder_add`, for the pointers in `record`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kagg_encoder_would_add(
    encoder: *const KaggEncoder,
    record: *const KaggUserRecord,
    added: *mut usize,
) -> KaggStatus {
    let would_add = || {
        // SAFETY: the caller's promise.
        let encoder = unsafe { initialized_ref(encoder) }?;
        // SAFETY: as above.
        let record = unsafe { KaggUserRecord::borrow(record) }?;
        record.validate()?;
        if !added.is_null() {
            check(added)?;
            // SAFETY: it is neither null nor misaligned. The rest is the caller's promise.
            unsafe { added.write(encoder.would_add(record)) };
        }
        Ok(if encoder.fits(record) { KAGG_OK } else { KAGG_FULL })
    };
    status(would_add())
}

/// Returns `KAGG_FULL` if the pending aggregate has reached its age, so that it should be finished, otherwise `KAGG_OK`.
///
/// Not in a library that was built without the feature `full`.
///
/// # Safety
///
/// `encoder` points to a `kagg_encoder` that nobody changes meanwhile.
#[cfg(feature = "full")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kagg_encoder_expired(encoder: *const KaggEncoder, now_ms: u64) -> KaggStatus {
    let expired = || {
        // SAFETY: the caller's promise.
        let encoder = unsafe { initialized_ref(encoder) }?;
        Ok(if encoder.expired(Duration::from_millis(now_ms)) { KAGG_FULL } else { KAGG_OK })
    };
    status(expired())
}

/// Returns what is pending.
///
/// # Safety
///
/// `encoder` points to a `kagg_encoder` that nobody changes meanwhile, and `sizes` to a `kagg_sizes`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kagg_encoder_sizes(
    encoder: *const KaggEncoder,
    sizes: *mut KaggSizes,
) -> KaggStatus {
    let read = || {
        check(sizes)?;
        // SAFETY: the caller's promise.
        let encoder = unsafe { initialized_ref(encoder) }?;
        let pending = KaggSizes {
            user_records: encoder.user_records(),
            data_len: encoder.encoded_len(),
            size_bytes: encoder.size_bytes(),
        };
        // SAFETY: it is neither null nor misaligned. The rest is the caller's promise.
        unsafe { sizes.write(pending) };
        Ok(KAGG_OK)
    };
    status(read())
}

/// Finishes the pending aggregate and leaves the encoder empty. The aggregate is in the encoder's buffer, until the next user
/// record is added.
///
/// Returns `KAGG_EMPTY`, and leaves `aggregate` as it is, if nothing is pending.
///
/// # Safety
///
/// `encoder` points to a `kagg_encoder` that nobody else uses, and `aggregate` to a `kagg_aggregate`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kagg_encoder_finish(
    encoder: *mut KaggEncoder,
    aggregate: *mut KaggAggregate,
) -> KaggStatus {
    let finish = || {
        check(aggregate)?;
        // SAFETY: the caller's promise.
        let finished = unsafe { initialized(encoder) }?.finish().ok_or(KAGG_EMPTY)?;
        // SAFETY: it is neither null nor misaligned. The rest is the caller's promise.
        unsafe { aggregate.write(KaggAggregate::new(&finished)) };
        Ok(KAGG_OK)
    };
    status(finish())
}

/// Finishes the pending aggregate, exchanges the buffer for `next`, and leaves the encoder empty. The aggregate is in the old
/// buffer, which is the caller's again: it can be sent, by DMA or by another task, while the encoder fills the next one.
///
/// Returns `KAGG_EMPTY`, and leaves `aggregate` as it is, if nothing is pending. The buffer is exchanged then too.
///
/// # Safety
///
/// Same as `kagg_encoder_finish`, and as `kagg_encoder_init` for `next`, which is not the encoder's buffer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kagg_encoder_swap_buffer(
    encoder: *mut KaggEncoder,
    next: *mut c_void,
    next_len: usize,
    aggregate: *mut KaggAggregate,
) -> KaggStatus {
    let swap = || {
        check(aggregate)?;
        // SAFETY: the caller's promise.
        let encoder = unsafe { initialized(encoder) }?;
        // SAFETY: as above.
        let finished = encoder.swap_buffer(unsafe { slice_mut(next.cast(), next_len) }?);
        let finished = finished.aggregate().ok_or(KAGG_EMPTY)?;
        // SAFETY: it is neither null nor misaligned. The rest is the caller's promise.
        unsafe { aggregate.write(KaggAggregate::new(&finished)) };
        Ok(KAGG_OK)
    };
    status(swap())
}

/// Drops what is pending.
///
/// # Safety
///
/// `encoder` points to a `kagg_encoder` that nobody else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kagg_encoder_clear(encoder: *mut KaggEncoder) -> KaggStatus {
    // SAFETY: the caller's promise.
    status(unsafe { initialized(encoder) }.map(|encoder| {
        encoder.clear();
        KAGG_OK
    }))
}

/// Writes the explicit hash key of an aggregate as a decimal number with a NUL, as Kinesis takes it.
///
/// # Safety
///
/// `explicit_hash_key` points to 16 bytes, and `text` to 40.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kagg_hash_key_text(explicit_hash_key: *const u8, text: *mut c_char) -> KaggStatus {
    let write = || {
        let explicit_hash_key = explicit_hash_key.cast::<[u8; 16]>();
        check(explicit_hash_key)?;
        // SAFETY: it is neither null nor misaligned. The rest is the caller's promise.
        let number = u128::from_be_bytes(unsafe { explicit_hash_key.read() });
        // SAFETY: the caller's promise.
        let text = unsafe { slice_mut(text.cast::<u8>(), DECIMAL_SIZE) }?;
        text.fill(0);
        let mut rest = Rest(text);
        // 2^128 - 1 has 39 digits.
        let written = write!(rest, "{}", HashKey::new(number));
        debug_assert!(written.is_ok() && !rest.0.is_empty());
        Ok(KAGG_OK)
    };
    status(write())
}

/// The digits of 2^128 - 1, and a NUL.
const DECIMAL_SIZE: usize = 40;

/// The unwritten rest of a buffer.
struct Rest<'b>(&'b mut [u8]);

impl Write for Rest<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let (written, rest) =
            core::mem::take(&mut self.0).split_at_mut_checked(text.len()).ok_or(fmt::Error)?;
        for (to, &from) in written.iter_mut().zip(text.as_bytes()) {
            *to = from;
        }
        self.0 = rest;
        Ok(())
    }
}

/// # Safety
///
/// Same as `kagg_encoder_init`.
unsafe fn init(
    encoder: *mut KaggEncoder,
    buffer: *mut c_void,
    buffer_len: usize,
    limits: Limits,
) -> Result<KaggStatus, KaggStatus> {
    check(encoder)?;
    // SAFETY: the caller's promise. The buffer is the encoder's until it returns it or is no longer used.
    let buffer = unsafe { slice_mut(buffer.cast(), buffer_len) }?;
    let state = State { initialized: INITIALIZED, encoder: Encoder::new(buffer, limits) };
    // SAFETY: the memory is large enough and as aligned as a `State`, as is asserted above. The rest is the caller's promise.
    unsafe { encoder.cast::<State>().write(state) };
    Ok(KAGG_OK)
}

/// Returns the encoder in memory that was initialized.
///
/// # Safety
///
/// If the pointer is not null, it points to a `kagg_encoder` that nobody else uses during `'s`. Its memory was written to.
unsafe fn initialized<'s>(
    encoder: *mut KaggEncoder,
) -> Result<&'s mut Encoder<'static, KAGG_KEYS>, KaggStatus> {
    // SAFETY: the caller's promise.
    unsafe { check_initialized(encoder) }?;
    // SAFETY: `init` has put a `State` there.
    let state = unsafe { &mut *encoder.cast::<State>() };
    Ok(&mut state.encoder)
}

/// Returns the encoder in memory that was initialized, to look at it.
///
/// # Safety
///
/// If the pointer is not null, it points to a `kagg_encoder` that nobody changes during `'s`. Its memory was written to.
unsafe fn initialized_ref<'s>(
    encoder: *const KaggEncoder,
) -> Result<&'s Encoder<'static, KAGG_KEYS>, KaggStatus> {
    // SAFETY: the caller's promise.
    unsafe { check_initialized(encoder) }?;
    // SAFETY: `init` has put a `State` there.
    let state = unsafe { &*encoder.cast::<State>() };
    Ok(&state.encoder)
}

/// # Safety
///
/// Same as `initialized_ref`.
unsafe fn check_initialized(encoder: *const KaggEncoder) -> Result<(), KaggStatus> {
    check(encoder)?;
    // SAFETY: this computes an address within the caller's memory.
    let word = unsafe { &raw const (*encoder.cast::<State>()).initialized };
    // SAFETY: it is aligned, and all bytes are values of an integer.
    if unsafe { word.read() } == INITIALIZED { Ok(()) } else { Err(KAGG_NOT_INITIALIZED) }
}

/// What `kagg_encoder_add` returns for a user record that was not refused.
#[allow(clippy::unnecessary_wraps, reason = "the type of the functions that end with it")]
fn added(status: AddStatus) -> Result<KaggStatus, KaggStatus> {
    Ok(match status {
        AddStatus::Added => KAGG_OK,
        AddStatus::Full => KAGG_FULL,
    })
}

impl KaggAggregate {
    pub(crate) fn new(aggregate: &AggregateRef<'_>) -> Self {
        let partition_key = aggregate.partition_key_bytes();
        // Without the feature, user records have none, unless they come from elsewhere: `kagg_aggregate_from_data`.
        let explicit_hash_key = aggregate.explicit_hash_key;
        Self {
            data: aggregate.data.as_ptr(),
            data_len: aggregate.data.len(),
            partition_key: partition_key.as_ptr().cast(),
            partition_key_len: partition_key.len(),
            user_records: aggregate.user_records,
            explicit_hash_key: explicit_hash_key.unwrap_or(HashKey::MIN).get().to_be_bytes(),
            has_explicit_hash_key: u8::from(explicit_hash_key.is_some()),
        }
    }
}

impl KaggLimits {
    fn limits(self) -> Limits {
        let mut limits = Limits::KINESIS_DEFAULT;
        if self.max_bytes > 0 {
            limits = limits.with_max_bytes(self.max_bytes);
        }
        // A larger maximum is a larger target, unless that is given as well.
        let target_bytes = if self.target_bytes > 0 { self.target_bytes } else { limits.max_bytes() };
        limits = limits.with_target_bytes(target_bytes);
        if self.max_user_records > 0 {
            let max_user_records = usize::try_from(self.max_user_records).unwrap_or(usize::MAX);
            limits = limits.with_max_user_records(max_user_records);
        }
        if self.max_partition_keys > 0 {
            limits = limits.with_max_partition_keys(self.max_partition_keys);
        }
        if self.max_age_ms > 0 {
            limits = limits.with_max_age(Duration::from_millis(self.max_age_ms));
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_library() {
        assert_eq!(KaggLimits::default().limits(), Limits::KINESIS_DEFAULT);
        assert_eq!(KAGG_LIMITS_IOT_CORE.limits(), Limits::IOT_CORE);
        let all = KaggLimits {
            target_bytes: 1_000,
            max_bytes: 2_000,
            max_user_records: 3,
            max_partition_keys: 4,
            max_age_ms: 5,
        };
        let expected = Limits::default()
            .with_max_bytes(2_000)
            .with_target_bytes(1_000)
            .with_max_user_records(3)
            .with_max_partition_keys(4)
            .with_max_age(Duration::from_millis(5));
        assert_eq!(all.limits(), expected);
        let larger = KaggLimits { max_bytes: u32::MAX, ..KaggLimits::default() };
        assert_eq!(larger.limits(), Limits::KINESIS_MAX);
    }
}
