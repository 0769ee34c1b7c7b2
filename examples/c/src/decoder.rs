//! Decoding.

use core::ffi::{c_char, c_void};
use core::mem::MaybeUninit;
use core::ptr;

use kinesis_aggregation::encode::AggregateRef;
use kinesis_aggregation::{Payload, UserRecord};

use crate::encoder::KaggAggregate;
use crate::memory::{bytes, check, slice_mut, text};
use crate::status::{
    KAGG_INVALID_ARGUMENT, KAGG_NEEDS_KEYS, KAGG_NOT_AGGREGATED, KAGG_OK, KAGG_STOPPED, KaggStatus, status,
};

/// A user record: what is added to an aggregate, or comes from one.
#[repr(C)]
#[derive(Debug)]
pub struct KaggUserRecord {
    /// The partition key: 1 to 256 characters. Without a NUL.
    pub partition_key: *const c_char,
    /// The length of the partition key.
    pub partition_key_len: usize,
    /// The explicit hash key, a decimal number without a NUL; NULL if there is none.
    pub explicit_hash_key: *const c_char,
    /// The length of the explicit hash key.
    pub explicit_hash_key_len: usize,
    /// The data.
    pub data: *const c_void,
    /// The length of the data.
    pub data_len: usize,
    /// The position in the aggregate it came from, starting at 0. Encoding ignores it.
    pub sub_sequence_number: u64,
}

/// Memory in which decoding keeps a key. Its contents do not matter before, and mean nothing after.
#[repr(C)]
#[derive(Debug)]
pub struct KaggKeySlot {
    /// Not to be used.
    pub opaque: [usize; 2],
}

/// Called for each user record. `record`, and what it points to, is valid until the function returns; what it points to is in
/// the payload, and stays there. Returns 0 to continue.
pub type KaggVisit = Option<unsafe extern "C" fn(context: *mut c_void, record: *const KaggUserRecord) -> i32>;

// The same is asserted in C.
const _: () = {
    assert!(size_of::<KaggKeySlot>() == size_of::<&str>());
    assert!(align_of::<KaggKeySlot>() == align_of::<&str>());
    assert!(size_of::<KaggUserRecord>() == 6 * size_of::<usize>() + 8);
};

/// Recovers an aggregate from its data, which was stored in flash or a queue: checks all of it, and finds the keys to put it with.
///
/// Returns `KAGG_NOT_AGGREGATED` unless it is a valid aggregate with a user record and keys that Kinesis accepts: for example, if
/// the power failed while it was written.
///
/// # Safety
///
/// `data` points to `data_len` bytes that nobody changes meanwhile, and `aggregate` to a `kagg_aggregate`.
#[unsafe(export_name = "kagg_aggregate_from_data_abi1")]
pub unsafe extern "C" fn kagg_aggregate_from_data(
    data: *const c_void,
    data_len: usize,
    aggregate: *mut KaggAggregate,
) -> KaggStatus {
    let recover = || {
        check(aggregate)?;
        // SAFETY: the caller's promise.
        let data = unsafe { bytes(data, data_len) }?;
        let recovered = AggregateRef::from_data(data).ok_or(KAGG_NOT_AGGREGATED)?;
        // SAFETY: it is neither null nor misaligned. The rest is the caller's promise.
        unsafe { aggregate.write(KaggAggregate::new(&recovered)) };
        Ok(KAGG_OK)
    };
    status(recover())
}

/// Validates a payload as a whole, then calls `visit` for each user record, in order.
///
/// `slots` has one entry for each key of the aggregate. If there are too few, the function returns `KAGG_NEEDS_KEYS` without a call
/// of `visit`. `keys_needed` gets the number of keys of a valid aggregate. It may be NULL.
///
/// Returns `KAGG_STOPPED` if `visit` returned something other than 0; `KAGG_NOT_AGGREGATED`, `KAGG_DIGEST_MISMATCH` or
/// `KAGG_MALFORMED` if the payload is not an aggregate but the data of one record.
///
/// # Safety
///
/// `payload` points to `payload_len` bytes that nobody changes meanwhile, and `slots` to `slots_len` key slots that nobody else uses.
/// `visit` returns: it does not jump out.
#[unsafe(export_name = "kagg_decode_abi1")]
pub unsafe extern "C" fn kagg_decode(
    payload: *const c_void,
    payload_len: usize,
    slots: *mut KaggKeySlot,
    slots_len: usize,
    keys_needed: *mut usize,
    visit: KaggVisit,
    context: *mut c_void,
) -> KaggStatus {
    let decode = || {
        let visit = visit.ok_or(KAGG_INVALID_ARGUMENT)?;
        if !keys_needed.is_null() {
            check(keys_needed)?;
        }
        // SAFETY: the caller's promise.
        let payload = unsafe { bytes(payload, payload_len) }?;
        // SAFETY: as above. A slot has the size and the alignment of a `&str`, as is asserted above.
        let slots = unsafe { slice_mut(slots.cast::<MaybeUninit<&str>>(), slots_len) }?;
        for slot in slots.iter_mut() {
            slot.write("");
        }
        let keys: *mut [MaybeUninit<&str>] = slots;
        #[allow(clippy::as_conversions, reason = "`cast` is for sized types")]
        // SAFETY: all of them have been written to.
        let keys = unsafe { &mut *(keys as *mut [&str]) };

        let note_needed = |needed| {
            if !keys_needed.is_null() {
                // SAFETY: it is neither null nor misaligned. The rest is the caller's promise.
                unsafe { keys_needed.write(needed) };
            }
        };
        let aggregate = match Payload::parse(payload, keys) {
            Payload::Aggregated(aggregate) => aggregate,
            Payload::NeedsKeys { needed } => {
                note_needed(needed);
                return Err(KAGG_NEEDS_KEYS);
            }
            Payload::Plain(reason) => return Err(reason.into()),
        };
        note_needed(aggregate.partition_keys().len() + aggregate.explicit_hash_keys().len());
        for record in &aggregate {
            let record = KaggUserRecord::new(&record);
            // SAFETY: the caller's function, with what it is documented to get.
            if unsafe { visit(context, &raw const record) } != 0 {
                return Ok(KAGG_STOPPED);
            }
        }
        Ok(KAGG_OK)
    };
    status(decode())
}

impl KaggUserRecord {
    fn new(record: &UserRecord<'_>) -> Self {
        let explicit_hash_key = record.explicit_hash_key;
        Self {
            partition_key: record.partition_key.as_ptr().cast(),
            partition_key_len: record.partition_key.len(),
            explicit_hash_key: explicit_hash_key.map_or(ptr::null(), |key| key.as_ptr().cast()),
            explicit_hash_key_len: explicit_hash_key.map_or(0, str::len),
            data: record.data.as_ptr().cast(),
            data_len: record.data.len(),
            sub_sequence_number: record.sub_sequence_number,
        }
    }

    /// Returns what a user record of the caller points to.
    ///
    /// # Safety
    ///
    /// If the pointer is not null, it points to a `kagg_user_record`, whose pointers are null or lead to as many bytes as
    /// their lengths say. Nobody changes any of it during `'a`.
    pub(crate) unsafe fn borrow<'a>(record: *const Self) -> Result<UserRecord<'a>, KaggStatus> {
        check(record)?;
        // SAFETY: it is neither null nor misaligned. The rest is the caller's promise.
        let record = unsafe { &*record };
        // SAFETY: the caller's promise.
        let partition_key = unsafe { text(record.partition_key, record.partition_key_len) }?;
        // SAFETY: as above.
        let data = unsafe { bytes(record.data, record.data_len) }?;
        let user = UserRecord::new(partition_key, data);
        if record.explicit_hash_key.is_null() {
            return Ok(user);
        }
        // SAFETY: as above.
        let explicit_hash_key = unsafe { text(record.explicit_hash_key, record.explicit_hash_key_len) }?;
        Ok(user.with_explicit_hash_key(explicit_hash_key))
    }
}
