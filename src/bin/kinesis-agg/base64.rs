//! Strict base64: padding is required, and unused bits must be zero.

use std::sync::LazyLock;

use ::base64::engine::general_purpose::PAD;
use ::base64::{Engine, encoded_len};
use data_encoding::{BASE64, DecodeError, DecodeKind};

/// Uses the widest vectors of the machine, found at run time.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static ENGINE: LazyLock<::base64::engine::Simd> = LazyLock::new(|| ::base64::engine::Simd::standard(PAD));

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static ENGINE: LazyLock<::base64::engine::GeneralPurpose> =
    LazyLock::new(|| ::base64::engine::GeneralPurpose::new(&::base64::alphabet::STANDARD, PAD));

/// The size of a buffer for short data.
const SHORT: usize = 256;

/// The bytes that the vectors take in one step, and those that must follow them.
const STEP: usize = 24;
const LOOK_AHEAD: usize = 8;

/// Appends the base64 of `data` to `text`.
pub(crate) fn append(data: &[u8], text: &mut Vec<u8>) {
    let start = text.len();
    let len = encoded_len(data.len(), true).unwrap_or_default();
    // The end of the data is encoded byte by byte, which takes as long as the rest of a short record. With zeros after it,
    // the vectors reach its end.
    let padded_len = data.len().next_multiple_of(STEP) + LOOK_AHEAD;
    let mut short = [0; SHORT];
    let padded = match (short.get_mut(..data.len()), padded_len <= SHORT) {
        (Some(copy), true) => {
            copy.copy_from_slice(data);
            short.get(..padded_len).unwrap_or(data)
        }
        _ => data,
    };
    text.resize(start + encoded_len(padded.len(), true).unwrap_or_default(), 0);
    if let Some(encoded) = text.get_mut(start..) {
        // Cannot fail: the slice has the exact length.
        _ = ENGINE.encode_slice(padded, encoded);
    }
    text.truncate(start + len);
    let padding = (3 - data.len() % 3) % 3;
    if let Some(end) = text.len().checked_sub(padding).and_then(|end| text.get_mut(end..)) {
        end.fill(b'=');
    }
}

/// Decodes `text` into a buffer, which is overwritten.
pub(crate) fn decode(text: &[u8], decoded: &mut Vec<u8>) -> Result<(), String> {
    decoded.clear();
    let len = decode_at(text, decoded, 0)?;
    decoded.truncate(len);
    Ok(())
}

/// Decodes `text` into a buffer from `start` on, and returns where it ends. The buffer grows if it has to; what follows the
/// end means nothing.
pub(crate) fn decode_at(text: &[u8], buffer: &mut Vec<u8>, start: usize) -> Result<usize, String> {
    let end = start + text.len() / 4 * 3;
    if buffer.len() < end {
        buffer.resize(end, 0);
    }
    match ENGINE.decode_slice(text, buffer.get_mut(start..end).unwrap_or_default()) {
        Ok(len) => Ok(start + len),
        Err(_) => {
            let mut decoded = Vec::new();
            decode_exactly(text, &mut decoded)?;
            buffer.truncate(start);
            buffer.extend_from_slice(&decoded);
            Ok(buffer.len())
        }
    }
}

/// Decodes with a slower decoder whose errors say what is wrong.
fn decode_exactly(text: &[u8], decoded: &mut Vec<u8>) -> Result<(), String> {
    *decoded = BASE64.decode(text).map_err(|error| fault(text, error))?;
    Ok(())
}

fn fault(text: &[u8], error: DecodeError) -> String {
    match (error.kind, text.get(error.position)) {
        (DecodeKind::Symbol, Some(b'-' | b'_')) => "URL-safe base64".to_owned(),
        (DecodeKind::Length, _) => "base64 is cut short or not padded".to_owned(),
        _ => format!("invalid base64 at character {}", error.position + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries lengths around those from which vectors are used, and changes each byte.
    #[test]
    fn both_decoders_agree() {
        let data: Vec<u8> = (0..400u32).map(|number| u8::try_from(number * 7919 % 251).unwrap()).collect();
        let mut decoded = vec![0xa5; 7];
        for len in (0..120).chain([190, 191, 192, 193, 239, 240, 241, 248, 249, 400]) {
            let mut text = b"before".to_vec();
            append(&data[..len], &mut text);
            let mut text = text.split_off("before".len());
            assert_eq!(text, BASE64.encode(&data[..len]).into_bytes(), "{len}");
            assert_eq!(decode(&text, &mut decoded), Ok(()), "{len}");
            assert_eq!(decoded, data[..len], "{len}");
            for at in 0..text.len() {
                for byte in [b'A', b'B', b'=', b'-', b'\n', 0x80] {
                    let before = core::mem::replace(&mut text[at], byte);
                    let mut expected = Vec::new();
                    let verdict = decode_exactly(&text, &mut expected);
                    assert_eq!(decode(&text, &mut decoded), verdict, "{len}: {byte} at {at}");
                    if verdict.is_ok() {
                        assert_eq!(decoded, expected, "{len}: {byte} at {at}");
                    }
                    text[at] = before;
                }
                let cut = &text[..at];
                assert_eq!(
                    decode(cut, &mut decoded),
                    decode_exactly(cut, &mut Vec::new()),
                    "{len}, cut at {at}"
                );
            }
        }
    }
}
