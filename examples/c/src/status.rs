//! The results of functions.

use core::ffi::{CStr, c_char};

use kinesis_aggregation::decode::PlainReason;

/// The version of this interface. It grows when a program has to be compiled again. To be told of that at compile time:
/// `_Static_assert(KAGG_ABI_VERSION == 1, "kagg has changed");`
pub const KAGG_ABI_VERSION: u32 = 1;

/// The result of a function: 0 on success, a positive number for a state that the caller has to handle, a negative number for
/// an error. On an error, nothing has changed.
#[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "the names in C")]
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KaggStatus {
    /// Success.
    KAGG_OK = 0,
    /// The user record was not added, or would not be: it does not fit what is pending, or that is too old or may have no
    /// other partition key. Finish the aggregate, and add the user record again.
    KAGG_FULL = 1,
    /// Nothing is pending.
    KAGG_EMPTY = 2,
    /// A callback ended the iteration.
    KAGG_STOPPED = 3,
    /// A pointer is NULL or not aligned as its type is, or a length is more than half of the address space.
    KAGG_INVALID_ARGUMENT = -1,
    /// The pointer to the encoder is NULL or misaligned, or the encoder was not initialized.
    KAGG_INVALID_ENCODER = -2,
    /// A key is not UTF-8; not ASCII in a library that was built without the feature `full`.
    KAGG_KEY_NOT_UTF8 = -3,
    /// A partition key has no characters, or more than 256.
    KAGG_PARTITION_KEY_LENGTH = -4,
    /// An explicit hash key is not a decimal number below 2^128, without sign or leading zeros.
    KAGG_EXPLICIT_HASH_KEY = -5,
    /// The user record does not fit an aggregate of its own: the buffer or the limit is too small. This is found out when
    /// nothing is pending; before that, the status is `KAGG_FULL`.
    KAGG_TOO_LARGE = -6,
    /// The payload is not an aggregate.
    KAGG_NOT_AGGREGATED = -7,
    /// The payload begins as an aggregate, but its digest is wrong.
    KAGG_DIGEST_MISMATCH = -8,
    /// The payload is framed as an aggregate, but breaks a rule of the format.
    KAGG_MALFORMED = -9,
    /// The aggregate has more keys than there are key slots.
    KAGG_NEEDS_KEYS = -10,
}

pub(crate) use KaggStatus::*;

/// The texts of `KaggStatus`.
const TEXTS: [(KaggStatus, &CStr); 14] = [
    (KAGG_OK, c"success"),
    (KAGG_FULL, c"the aggregate has to be finished first"),
    (KAGG_EMPTY, c"nothing is pending"),
    (KAGG_STOPPED, c"ended by the callback"),
    (KAGG_INVALID_ARGUMENT, c"null or misaligned pointer, or impossible length"),
    (KAGG_INVALID_ENCODER, c"no encoder, or not initialized"),
    (KAGG_KEY_NOT_UTF8, c"key is not UTF-8"),
    (KAGG_PARTITION_KEY_LENGTH, c"partition key without characters, or with more than 256"),
    (KAGG_EXPLICIT_HASH_KEY, c"explicit hash key is not a decimal number below 2^128"),
    (KAGG_TOO_LARGE, c"user record too large for the buffer or the limit"),
    (KAGG_NOT_AGGREGATED, c"not an aggregate"),
    (KAGG_DIGEST_MISMATCH, c"digest does not match"),
    (KAGG_MALFORMED, c"malformed aggregate"),
    (KAGG_NEEDS_KEYS, c"more keys than key slots"),
];

/// Returns the text of a status, in English and with a NUL. It is in no program that does not call this function.
#[unsafe(no_mangle)]
pub extern "C" fn kagg_status_text(status: i32) -> *const c_char {
    let known = TEXTS.iter().find(|(known, _)| known.code() == status);
    known.map_or(c"unknown status", |(_, text)| text).as_ptr()
}

impl KaggStatus {
    #[allow(clippy::as_conversions, reason = "the number of a variant")]
    const fn code(self) -> i32 {
        self as i32
    }
}

impl From<PlainReason> for KaggStatus {
    fn from(reason: PlainReason) -> Self {
        match reason {
            PlainReason::NoMagic | PlainReason::TooShort => KAGG_NOT_AGGREGATED,
            PlainReason::DigestMismatch => KAGG_DIGEST_MISMATCH,
            PlainReason::Malformed(_) => KAGG_MALFORMED,
        }
    }
}

/// Turns the result of a function's body into what it returns.
#[inline(always)]
pub(crate) fn status(result: Result<KaggStatus, KaggStatus>) -> KaggStatus {
    match result {
        Ok(status) | Err(status) => status,
    }
}
