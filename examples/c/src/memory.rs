//! C's pointers as references and slices.

use core::ffi::{c_char, c_void};
use core::slice;

use crate::status::{KAGG_INVALID_ARGUMENT, KAGG_KEY_NOT_UTF8, KaggStatus};

/// A pointer or a length that cannot be right. Without a value, so that the results below are returned in registers.
pub(crate) struct Invalid;

impl From<Invalid> for KaggStatus {
    fn from(_: Invalid) -> Self {
        KAGG_INVALID_ARGUMENT
    }
}

/// Checks what can be checked about a pointer to one `T`.
pub(crate) fn check<T>(pointer: *const T) -> Result<(), Invalid> {
    if !pointer.is_null() && pointer.is_aligned() { Ok(()) } else { Err(Invalid) }
}

/// Checks what can be checked about a pointer to `len` values.
fn check_slice<T>(pointer: *const T, len: usize) -> Result<(), Invalid> {
    check(pointer)?;
    match len.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => Err(Invalid),
    }
}

/// Returns the caller's bytes.
///
/// # Safety
///
/// If the pointer is not null, it points to `len` bytes that nobody changes during `'a`.
// Inlined, it takes 28 bytes of flash more.
#[inline(never)]
pub(crate) unsafe fn bytes<'a>(pointer: *const c_void, len: usize) -> Result<&'a [u8], Invalid> {
    if len == 0 {
        return Ok(&[]);
    }
    let pointer = pointer.cast::<u8>();
    check_slice(pointer, len)?;
    // SAFETY: the pointer is not null and the length is not too large. The rest is the caller's promise.
    Ok(unsafe { slice::from_raw_parts(pointer, len) })
}

/// Returns memory of the caller that is written to, as values whose bytes may be anything.
///
/// # Safety
///
/// If the pointer is not null, it points to `len` values that nobody else uses during `'a`. All bytes are values of `T`.
pub(crate) unsafe fn slice_mut<'a, T>(pointer: *mut T, len: usize) -> Result<&'a mut [T], Invalid> {
    if len == 0 {
        return Ok(&mut []);
    }
    check_slice(pointer, len)?;
    // SAFETY: the pointer is neither null nor misaligned, and the length is not too large. The rest is the caller's
    // promise.
    Ok(unsafe { slice::from_raw_parts_mut(pointer, len) })
}

/// Returns a key of the caller.
///
/// # Safety
///
/// Same as [`bytes`].
pub(crate) unsafe fn text<'a>(pointer: *const c_char, len: usize) -> Result<&'a str, KaggStatus> {
    // SAFETY: the caller's promise.
    let bytes = unsafe { bytes(pointer.cast(), len) }?;
    // Without the feature, 120 bytes of flash less.
    if !(if cfg!(feature = "full") { is_utf8(bytes) } else { is_ascii(bytes) }) {
        return Err(KAGG_KEY_NOT_UTF8);
    }
    // SAFETY: it is UTF-8, as ASCII always is. The tests compare `is_utf8` with the standard library.
    Ok(unsafe { core::str::from_utf8_unchecked(bytes) })
}

/// Returns whether these bytes are ASCII.
fn is_ascii(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte < 0x80)
}

/// Returns whether these bytes are UTF-8. The function of the standard library takes 650 bytes of flash, five times as many.
#[inline(never)]
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    let mut bytes = bytes.iter();
    while let Some(&first) = bytes.next() {
        let len = first.leading_ones();
        if len == 0 {
            continue;
        }
        let mut character = u32::from(first) & (0x7f >> len);
        for _ in 1..len {
            match bytes.next() {
                Some(&byte) if byte & 0xc0 == 0x80 => character = character << 6 | u32::from(byte & 0x3f),
                _ => return false,
            }
        }
        // Characters of 2, 3 and 4 bytes begin at 2^7, 2^11 and 2^16: otherwise they would be shorter. A first byte that
        // begins no character has a `len` of 1, with which the limit is 2^2, or one of 5 and more.
        let least = (9 * len - 4) / 2;
        let surrogate = character >> 11 == 0xd800 >> 11;
        if len == 1 || character >> least == 0 || character >= 0x11_0000 || surrogate {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes at the edges of all ranges that UTF-8 distinguishes.
    const EDGES: [u8; 25] = [
        0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
        0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
    ];

    #[test]
    fn utf8_is_what_the_standard_library_takes_for_it() {
        let agree =
            |bytes: &[u8]| assert_eq!(is_utf8(bytes), core::str::from_utf8(bytes).is_ok(), "{bytes:x?}");
        agree(&[]);
        for a in 0..=255u8 {
            agree(&[a]);
            if cfg!(miri) && !EDGES.contains(&a) {
                continue;
            }
            for b in EDGES {
                agree(&[a, b]);
                if cfg!(miri) {
                    continue;
                }
                for c in EDGES {
                    agree(&[a, b, c]);
                    for d in EDGES {
                        agree(&[a, b, c, d]);
                        agree(&[b'k', a, b, c, d, b'k']);
                    }
                }
            }
        }
    }
}
