//! Telling what an input is from its beginning.

use std::io::{Cursor, Read};

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use kinesis_aggregation::decode::MAGIC;

use crate::args::InputForm;
use crate::failure::Failure;
use crate::input::{BYTE_ORDER_MARK, Source, cannot_read};

/// How much of an input is looked at.
const LOOK_AT: u64 = 64 * 1024;

/// What an input turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Nothing at all: no payload.
    Empty,
    Raw,
    Hex,
    Base64,
    Json,
}

/// Looks at the beginning of an input where it was not said what it is, and gives the whole of it back.
pub(crate) fn detect(source: Source, form: InputForm) -> Result<(Source, Form), Failure> {
    let form = match form {
        InputForm::Raw => Form::Raw,
        InputForm::Hex => Form::Hex,
        InputForm::Base64 => Form::Base64,
        InputForm::Json => Form::Json,
        InputForm::Auto => {
            let (source, beginning) = look_ahead(source)?;
            return Ok((source, form_of(&beginning)));
        }
    };
    Ok((source, form))
}

/// Reads the beginning of an input, and gives the whole of it back.
pub(crate) fn look_ahead(source: Source) -> Result<(Source, Vec<u8>), Failure> {
    let Source { name, mut reader } = source;
    let mut beginning = Vec::new();
    let read = reader.by_ref().take(LOOK_AT).read_to_end(&mut beginning);
    read.map_err(|error| cannot_read(&name, &error))?;
    let reader = Box::new(Cursor::new(beginning.clone()).chain(reader));
    Ok((Source { name, reader }, beginning))
}

/// Tells from the beginning of an input what it is.
pub(crate) fn form_of(beginning: &[u8]) -> Form {
    let beginning = beginning.strip_prefix(BYTE_ORDER_MARK).unwrap_or(beginning);
    if beginning.starts_with(&MAGIC) {
        return Form::Raw;
    }
    match beginning.trim_ascii_start().first() {
        Some(b'{' | b'[') => return Form::Json,
        None if beginning.is_empty() => return Form::Empty,
        None => return Form::Raw,
        Some(_) => {}
    }
    // The last line may be cut: of it, only the characters are judged.
    let cut = beginning.len() == usize::try_from(LOOK_AT).unwrap_or(usize::MAX);
    let lines = || {
        let mut lines = beginning.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).peekable();
        core::iter::from_fn(move || {
            let line = lines.next()?;
            Some((line, cut && lines.peek().is_none()))
        })
        .filter(|(line, _)| !line.is_empty())
    };
    let is_hex = |line: &[u8]| line.iter().all(u8::is_ascii_hexdigit);
    let is_base64 = |line: &[u8]| {
        line.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
    };
    if lines().all(|(line, _)| is_hex(line)) {
        return Form::Hex;
    }
    if lines().all(|(line, cut)| if cut { is_base64(line) } else { BASE64.decode(line).is_ok() }) {
        return Form::Base64;
    }
    Form::Raw
}

/// Decodes the hex of one line.
pub(crate) fn decode_hex(line: &[u8]) -> Result<Vec<u8>, String> {
    HEXLOWER_PERMISSIVE.decode(line).map_err(|error| match error.kind {
        data_encoding::DecodeKind::Length => "odd number of hex digits".to_owned(),
        _ => format!("invalid hex digit at character {}", error.position.saturating_add(1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let long_hex = [b'a'; 64 * 1024];
        let long_base64 = [b'z'; 64 * 1024];
        let cases: &[(&str, &[u8], Form)] = &[
            ("nothing", b"", Form::Empty),
            ("magic", b"\xf3\x89\x9a\xc2", Form::Raw),
            ("object", b"{}", Form::Json),
            ("array after blanks", b" \n\t[", Form::Json),
            ("object after a byte-order mark", b"\xef\xbb\xbf{", Form::Json),
            ("hex", b"f3899ac2\n00FF\r\n", Form::Hex),
            ("hex of an odd length is hex, and bad", b"f38", Form::Hex),
            ("hex without an end", &long_hex, Form::Hex),
            ("base64", b"84mawg==\n\nYQ==\n", Form::Base64),
            ("base64 without an end", &long_base64, Form::Base64),
            ("base64 of a wrong length", b"84mawgz", Form::Raw),
            ("hex, then base64", b"f3899ac2\n84ma\n", Form::Base64),
            ("text", b"hello world", Form::Raw),
            ("blanks only", b"  \n", Form::Raw),
            ("bytes", &[0, 1, 2], Form::Raw),
        ];
        for &(name, bytes, form) in cases {
            assert_eq!(form_of(bytes), form, "{name}");
        }
    }
}
