//! Encoding.

use core::ffi::{c_char, c_void};

#[cfg(feature = "full")]
use kinesis_aggregation::encode::AggregateRef;
use kinesis_aggregation::encode::{AddStatus, EncodeError};
use kinesis_aggregation::route::HashKey;
use kinesis_aggregation::{Encoder, Limits, UserRecord};

use crate::memory::{bytes, check, slice_mut, text};
use crate::status::{
    KAGG_EMPTY, KAGG_EXPLICIT_HASH_KEY, KAGG_FULL, KAGG_INVALID_ENCODER, KAGG_OK, KAGG_PARTITION_KEY_LENGTH,
    KAGG_TOO_LARGE, KaggStatus, status,
};

/// The number of partition keys, and of explicit hash keys, that an encoder remembers. A key that it does not remember is
/// written again when it is used again, which costs only bytes.
pub const KAGG_KEYS: usize = 8;

/// The size of an encoder in bytes, on all targets. Where pointers have 32 bits, it uses 624.
pub const KAGG_ENCODER_SIZE: usize = 672;

/// The size of an encoder in 64-bit words.
pub const KAGG_ENCODER_WORDS: usize = 84;

/// An encoder, in the caller's memory. It must not be copied: both copies would write to the same buffer.
///
/// Memory that is all zeros, such as a static variable, is detected as not initialized.
#[repr(C)]
#[derive(Debug)]
pub struct KaggEncoder {
    /// Not to be used.
    pub opaque: [u64; KAGG_ENCODER_WORDS],
}

/// The contents of the memory of a `KaggEncoder`.
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
    assert!(size_of::<KaggSizes>() == 3 * size_of::<usize>());
    assert!(size_of::<*const ()>() == size_of::<usize>());
    assert!(core::mem::offset_of!(KaggAggregate, explicit_hash_key) == 4 * size_of::<usize>());
    assert!(core::mem::offset_of!(KaggAggregate, has_explicit_hash_key) == 5 * size_of::<usize>() + 16);
    assert!(size_of::<KaggStatus>() == 4);
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
    /// The explicit hash key to put it with, big-endian. `kagg_hash_key_text` returns it as Kinesis takes it.
    pub explicit_hash_key: [u8; 16],
    /// The number of user records, at least one.
    pub user_records: usize,
    /// 1 if there is an explicit hash key, 0 if there is none.
    pub has_explicit_hash_key: u8,
}

/// The number and the sizes of the pending user records.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct KaggSizes {
    /// The number of user records.
    pub user_records: usize,
    /// The exact length of the data that finishing would return; 0 if nothing is pending.
    pub data_len: usize,
    /// That length plus the outer partition key, as Kinesis and the limits count.
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
        let encoder = unsafe { initialized(encoder) }.ok_or(KAGG_INVALID_ENCODER)?;
        // SAFETY: as above.
        let partition_key = unsafe { text(partition_key, partition_key_len) }?;
        // The library checks this as well. In ASCII, where a character is a byte, checking it here lets the compiler leave out
        // counting characters and what long keys need.
        if cfg!(not(feature = "full")) && !(1..=256).contains(&partition_key.len()) {
            return Err(KAGG_PARTITION_KEY_LENGTH);
        }
        // SAFETY: as above.
        let data = unsafe { bytes(data, data_len) }?;
        let result = encoder.add(UserRecord::new(partition_key, data));
        Ok(outcome(encoder, result))
    };
    status(add())
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
        let encoder = unsafe { initialized_ref(encoder) }.ok_or(KAGG_INVALID_ENCODER)?;
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
        let encoder = unsafe { initialized(encoder) }.ok_or(KAGG_INVALID_ENCODER)?;
        let finished = encoder.finish().ok_or(KAGG_EMPTY)?;
        // SAFETY: it is from an encoder.
        let (partition_key, partition_key_len) = unsafe { first_key(finished.data) };
        let explicit_hash_key = if cfg!(feature = "full") { finished.explicit_hash_key } else { None };
        let finished = KaggAggregate {
            data: finished.data.as_ptr(),
            data_len: finished.data.len(),
            partition_key: partition_key.cast(),
            partition_key_len,
            user_records: finished.user_records,
            explicit_hash_key: explicit_hash_key.unwrap_or(HashKey::MIN).get().to_be_bytes(),
            has_explicit_hash_key: u8::from(explicit_hash_key.is_some()),
        };
        // SAFETY: it is neither null nor misaligned. The rest is the caller's promise.
        unsafe { aggregate.write(finished) };
        Ok(KAGG_OK)
    };
    status(finish())
}

/// # Safety
///
/// Same as `kagg_encoder_init`.
pub(crate) unsafe fn init(
    encoder: *mut KaggEncoder,
    buffer: *mut c_void,
    buffer_len: usize,
    limits: Limits,
) -> Result<KaggStatus, KaggStatus> {
    if check(encoder).is_err() {
        return Err(KAGG_INVALID_ENCODER);
    }
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
pub(crate) unsafe fn initialized<'s>(
    encoder: *mut KaggEncoder,
) -> Option<&'s mut Encoder<'static, KAGG_KEYS>> {
    // SAFETY: the caller's promise.
    if !unsafe { is_initialized(encoder) } {
        return None;
    }
    // SAFETY: `init` has put a `State` there.
    let state = unsafe { &mut *encoder.cast::<State>() };
    Some(&mut state.encoder)
}

/// Returns the encoder in memory that was initialized, to look at it.
///
/// # Safety
///
/// If the pointer is not null, it points to a `kagg_encoder` that nobody changes during `'s`. Its memory was written to.
pub(crate) unsafe fn initialized_ref<'s>(
    encoder: *const KaggEncoder,
) -> Option<&'s Encoder<'static, KAGG_KEYS>> {
    // SAFETY: the caller's promise.
    if !unsafe { is_initialized(encoder) } {
        return None;
    }
    // SAFETY: `init` has put a `State` there.
    let state = unsafe { &*encoder.cast::<State>() };
    Some(&state.encoder)
}

/// # Safety
///
/// Same as `initialized_ref`.
unsafe fn is_initialized(encoder: *const KaggEncoder) -> bool {
    if check(encoder).is_err() {
        return false;
    }
    // SAFETY: this computes an address within the caller's memory.
    let word = unsafe { &raw const (*encoder.cast::<State>()).initialized };
    // SAFETY: it is aligned, and all bytes are values of an integer.
    unsafe { word.read() == INITIALIZED }
}

/// The result of functions that add a user record.
///
/// The library says which limit a user record exceeds, and does so even if others are pending. Not to tell these apart lets the
/// compiler drop most of that code.
pub(crate) fn outcome(
    encoder: &Encoder<'_, KAGG_KEYS>,
    result: Result<AddStatus, EncodeError>,
) -> KaggStatus {
    match result {
        Ok(AddStatus::Added) => KAGG_OK,
        Err(EncodeError::PartitionKeyLength { .. }) => KAGG_PARTITION_KEY_LENGTH,
        Err(EncodeError::ExplicitHashKey(_)) => KAGG_EXPLICIT_HASH_KEY,
        _ if encoder.is_empty() => KAGG_TOO_LARGE,
        _ => KAGG_FULL,
    }
}

/// Finds the partition key of the first user record in an aggregate: the text of the first field (rule E2 of the format).
/// `AggregateRef::partition_key` returns it as a `str`, which takes 650 bytes of flash more.
///
/// # Safety
///
/// The data are an aggregate from an encoder.
unsafe fn first_key(data: &[u8]) -> (*const u8, usize) {
    // SAFETY: the magic and a tag are before the length. After it are at least the user record and the digest.
    let low = usize::from(unsafe { *data.get_unchecked(5) });
    // SAFETY: as above.
    let high = usize::from(unsafe { *data.get_unchecked(6) });
    // One byte or two: 256 characters have at most 1,024 bytes.
    let (start, len) = if low < 0x80 { (6, low) } else { (7, high << 7 | low & 0x7f) };
    // SAFETY: as above.
    (unsafe { data.as_ptr().add(start) }, len)
}

impl KaggAggregate {
    #[cfg(feature = "full")]
    pub(crate) fn new(aggregate: &AggregateRef<'_>) -> Self {
        let (partition_key, explicit_hash_key) = (aggregate.partition_key(), aggregate.explicit_hash_key);
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
