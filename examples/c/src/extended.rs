//! The part of encoding that the feature `full` adds.

use core::ffi::{c_char, c_void};
use core::fmt::{self, Write};
use core::time::Duration;

use kinesis_aggregation::Limits;
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::route::HashKey;

use crate::decoder::KaggUserRecord;
use crate::encoder::{KaggAggregate, KaggEncoder, init, initialized, initialized_ref, outcome};
use crate::memory::{check, slice_mut};
use crate::status::{KAGG_EMPTY, KAGG_FULL, KAGG_INVALID_ENCODER, KAGG_OK, KaggStatus, status};

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

/// The limits of an AWS IoT rule: 128 KB and one partition key.
pub const KAGG_LIMITS_IOT_CORE: KaggLimits = KaggLimits {
    target_bytes: 131_072,
    max_bytes: 131_072,
    max_user_records: 0,
    max_partition_keys: 1,
    max_age_ms: 0,
};

// The same is asserted in C.
const _: () = assert!(size_of::<KaggLimits>() == 24);

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

/// Adds a user record, with an explicit hash key if it has one, at a time in milliseconds on any clock that does not go back.
/// `now_ms` may be NULL: then the user record has no age.
///
/// Returns the same as `kagg_encoder_add`.
///
/// # Safety
///
/// Same as `kagg_encoder_add`, for the pointers in `record`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kagg_encoder_add_record(
    encoder: *mut KaggEncoder,
    record: *const KaggUserRecord,
    now_ms: *const u64,
) -> KaggStatus {
    let add = || {
        // SAFETY: the caller's promise.
        let encoder = unsafe { initialized(encoder) }.ok_or(KAGG_INVALID_ENCODER)?;
        // SAFETY: as above.
        let record = unsafe { KaggUserRecord::borrow(record) }?;
        let result = if now_ms.is_null() {
            encoder.add(record)
        } else {
            check(now_ms)?;
            // SAFETY: it is neither null nor misaligned. The rest is the caller's promise.
            let now_ms = unsafe { now_ms.read() };
            encoder.add_at(record, Duration::from_millis(now_ms))
        };
        Ok(outcome(encoder, result))
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
        let encoder = unsafe { initialized_ref(encoder) }.ok_or(KAGG_INVALID_ENCODER)?;
        // SAFETY: as above.
        let record = unsafe { KaggUserRecord::borrow(record) }?;
        if !added.is_null() {
            check(added)?;
            // SAFETY: it is neither null nor misaligned. The rest is the caller's promise.
            unsafe { added.write(encoder.would_add(record)) };
        }
        let fits =
            record.validate().map(|()| if encoder.fits(record) { AddStatus::Added } else { AddStatus::Full });
        Ok(outcome(encoder, fits))
    };
    status(would_add())
}

/// Returns `KAGG_FULL` if the pending aggregate has reached its age, so that it should be finished, otherwise `KAGG_OK`.
///
///
///
/// # Safety
///
/// `encoder` points to a `kagg_encoder` that nobody changes meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kagg_encoder_expired(encoder: *const KaggEncoder, now_ms: u64) -> KaggStatus {
    let expired = || {
        // SAFETY: the caller's promise.
        let encoder = unsafe { initialized_ref(encoder) }.ok_or(KAGG_INVALID_ENCODER)?;
        Ok(if encoder.expired(Duration::from_millis(now_ms)) { KAGG_FULL } else { KAGG_OK })
    };
    status(expired())
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
        let encoder = unsafe { initialized(encoder) }.ok_or(KAGG_INVALID_ENCODER)?;
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
    match unsafe { initialized(encoder) } {
        Some(encoder) => {
            encoder.clear();
            KAGG_OK
        }
        None => KAGG_INVALID_ENCODER,
    }
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
