//! C's pointers as references and slices.

use core::ffi::{c_char, c_void};
use core::slice;

use crate::status::{KAGG_KEY_NOT_UTF8, KAGG_LENGTH, KAGG_MISALIGNED, KAGG_NULL_POINTER, KaggStatus};

/// Checks what can be checked about a pointer to one `T`.
pub(crate) fn check<T>(pointer: *const T) -> Result<(), KaggStatus> {
    if pointer.is_null() {
        Err(KAGG_NULL_POINTER)
    } else if !pointer.is_aligned() {
        Err(KAGG_MISALIGNED)
    } else {
        Ok(())
    }
}

/// Checks what can be checked about a pointer to `len` values.
fn check_slice<T>(pointer: *const T, len: usize) -> Result<(), KaggStatus> {
    check(pointer)?;
    match len.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => Err(KAGG_LENGTH),
    }
}

/// Returns the caller's bytes.
///
/// # Safety
///
/// If the pointer is not null, it points to `len` bytes that nobody changes during `'a`.
pub(crate) unsafe fn bytes<'a>(pointer: *const c_void, len: usize) -> Result<&'a [u8], KaggStatus> {
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
pub(crate) unsafe fn slice_mut<'a, T>(pointer: *mut T, len: usize) -> Result<&'a mut [T], KaggStatus> {
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
    if !is_utf8(bytes) {
        return Err(KAGG_KEY_NOT_UTF8);
    }
    // SAFETY: it is UTF-8. The tests compare `is_utf8` with the standard library.
    Ok(unsafe { str::from_utf8_unchecked(bytes) })
}

/// Returns whether these bytes are UTF-8. The function of the standard library takes 650 bytes of flash, five times as many.
#[inline(never)]
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    // The character so far, the least one that may be this long, and how many bytes it still needs.
    let (mut character, mut least, mut needed) = (0u32, 0u32, 0u32);
    for &byte in bytes {
        if needed > 0 {
            if byte & 0xc0 != 0x80 {
                return false;
            }
            character = character << 6 | u32::from(byte & 0x3f);
            needed -= 1;
            let surrogate = character >> 11 == 0xd800 >> 11;
            if needed == 0 && (character < least || character > 0x10_ffff || surrogate) {
                return false;
            }
        } else if byte >= 0x80 {
            (needed, least) = match byte {
                0xc0..0xe0 => (1, 0x80),
                0xe0..0xf0 => (2, 0x800),
                0xf0..0xf8 => (3, 0x1_0000),
                _ => return false,
            };
            character = u32::from(byte) & (0x3f >> needed);
        }
    }
    needed == 0
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
        let agree = |bytes: &[u8]| assert_eq!(is_utf8(bytes), str::from_utf8(bytes).is_ok(), "{bytes:x?}");
        agree(&[]);
        for a in 0..=255u8 {
            agree(&[a]);
            if cfg!(miri) && !EDGES.contains(&a) {
                continue;
            }
            for b in EDGES {
                agree(&[a, b]);
                for c in EDGES {
                    agree(&[a, b, c]);
                    if cfg!(miri) {
                        continue;
                    }
                    for d in EDGES {
                        agree(&[a, b, c, d]);
                        agree(&[b'k', a, b, c, d, b'k']);
                    }
                }
            }
        }
    }
}
