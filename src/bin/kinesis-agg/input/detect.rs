//! Detection of the form of an input from its first line.

use kinesis_aggregation::decode::MAGIC;
use serde::de::IgnoredAny;

use crate::base64;
use crate::input::BYTE_ORDER_MARK;
use crate::input::log::has_record;
use crate::input::quote::Values;
use crate::input::renderings::{
    BASE32_MAGIC, DumpLine, Form, decode_decimals, decode_value, is_base64, without_wrapping,
};

/// The format of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// An empty input, which has no payload.
    Empty,
    Raw,
    Json,
    /// Values in this form, one per line or with tabs between them, and a remark on another reading.
    Values(Form, Option<&'static str>),
    Dump,
    /// `aws kinesis get-records --output text`.
    Table,
    /// Lines with JSON in them.
    Log,
    /// Text that is a log if one of its lines has a record in it, and a payload otherwise.
    Text,
    /// Something that cannot be read, with what it is and what to do.
    Refused(&'static str),
}

/// Detects the format of an input from its beginning, which is not all of the first line if `is_cut`.
pub(crate) fn detect(beginning: &[u8], is_cut: bool) -> Format {
    let beginning = beginning.strip_prefix(BYTE_ORDER_MARK).unwrap_or(beginning);
    if beginning.starts_with(&MAGIC) || beginning.starts_with(magic_in_latin_1().as_bytes()) {
        return Format::Raw;
    }
    if let Some(what) = foreign(beginning) {
        return Format::Refused(what);
    }
    let line = beginning.trim_ascii();
    let Some(first) = line.first() else {
        return if beginning.is_empty() { Format::Empty } else { Format::Raw };
    };
    if !is_text(line, is_cut) {
        return Format::Raw;
    }
    if matches!(first, b'{' | b'[') {
        return json_or_not(line, is_cut);
    }
    // A line with nothing but an offset is a number.
    if DumpLine::parse(line)
        .is_some_and(|line| line.is_err() || line.is_ok_and(|line| !line.bytes.is_empty()))
    {
        return Format::Dump;
    }
    if is_table(line) {
        return Format::Table;
    }
    if line.starts_with(b"begin ") {
        return Format::Refused("uuencode: decode it with uudecode");
    }
    if line.starts_with(BASE32_MAGIC) {
        return Format::Refused("base32: decode it with basenc -d --base32");
    }
    if line.starts_with(b"unsigned char ") || line.starts_with(b"static const unsigned char ") {
        return Format::Refused("C source, as xxd -i writes it: use xxd -p");
    }
    let values = line.split(|&byte| byte == b'\t').next().unwrap_or(line);
    if let Some(format) = values_of(values, is_cut) {
        return format;
    }
    if has_record(line) { Format::Log } else { Format::Text }
}

/// Returns the magic if each of its bytes is taken for a character.
pub(crate) fn magic_in_latin_1() -> String {
    MAGIC.map(char::from).iter().collect()
}

/// Names formats of other programs.
pub(crate) fn foreign(beginning: &[u8]) -> Option<&'static str> {
    let is_wide = |zero: usize| {
        let pairs = beginning.chunks_exact(2).take(8);
        pairs.len() >= 4
            && pairs.clone().all(|pair| pair.get(zero) == Some(&0) && pair.get(1 - zero) != Some(&0))
    };
    let without_mark = beginning.get(2..).unwrap_or_default();
    let marked = beginning.starts_with(b"\xff\xfe") && without_mark.get(1) == Some(&0)
        || beginning.starts_with(b"\xfe\xff") && without_mark.first() == Some(&0);
    if marked || is_wide(0) || is_wide(1) {
        Some("UTF-16, as PowerShell writes it: convert it with iconv -f UTF-16 -t UTF-8")
    } else if beginning.starts_with(b"\x1f\x8b\x08") {
        Some("gzip: decompress it with gzip -dc (or read it as a payload with --input raw)")
    } else if beginning.starts_with(b"\x28\xb5\x2f\xfd") {
        Some("zstd: decompress it with zstd -dc (or read it as a payload with --input raw)")
    } else {
        None
    }
}

/// Returns whether the bytes are text as people write it.
fn is_text(line: &[u8], is_cut: bool) -> bool {
    let text = match core::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) if is_cut && error.error_len().is_none() => line
            .get(..error.valid_up_to())
            .and_then(|line| core::str::from_utf8(line).ok())
            .unwrap_or_default(),
        Err(_) => return false,
    };
    // JSON strings may contain DEL and the control characters above ASCII as they are.
    let may_be_json = line.starts_with(b"{") || line.starts_with(b"[");
    text.chars().all(|char| {
        !char.is_control()
            || matches!(char, '\t' | '\r' | '\n' | '\x1b')
            || may_be_json && !matches!(char, '\0'..='\x1f')
    })
}

fn json_or_not(line: &[u8], is_cut: bool) -> Format {
    let mut values = serde_json::Deserializer::from_slice(line).into_iter::<IgnoredAny>();
    let is_json = match values.next() {
        Some(Err(error)) => error.is_eof() || is_cut,
        // `[]byte{…}` begins with a list as well.
        _ => line.get(values.byte_offset()).is_none_or(|next| !next.is_ascii_alphabetic()),
    };
    // No other rendering begins like this, even if there is a mistake later.
    if is_json || [b"{\"".as_slice(), b"[{\"", b"[\""].iter().any(|start| line.starts_with(start)) {
        return Format::Json;
    }
    if [b"{'".as_slice(), b"[{'", b"{b'", b"[b'", b"['"].iter().any(|start| line.starts_with(start)) {
        return Format::Refused("Python's repr, not JSON: print json.dumps(…), with base64 for bytes");
    }
    if let Some(format) = values_of(line, false) {
        return format;
    }
    if has_record(line) { Format::Log } else { Format::Json }
}

/// Returns whether a line is of `aws … --output text`: a record, or what comes before the records.
pub(crate) fn is_table(line: &[u8]) -> bool {
    line.starts_with(b"RECORDS\t") || is_table_head(line)
}

/// Milliseconds behind the latest record, and an iterator.
pub(crate) fn is_table_head(line: &[u8]) -> bool {
    let mut columns = line.split(|&byte| byte == b'\t');
    let (milliseconds, iterator) = (columns.next(), columns.next());
    milliseconds.is_some_and(|column| column.iter().all(u8::is_ascii_digit))
        && iterator.is_some_and(|column| column.starts_with(b"AAAAAAAA"))
        && columns.next().is_none()
}

/// Returns the format if the value can be read in hex or base64.
fn values_of(value: &[u8], is_cut: bool) -> Option<Format> {
    if is_cut {
        let value = value.trim_ascii_start();
        let value = value.strip_prefix(b"\"").or_else(|| value.strip_prefix(b"'")).unwrap_or(value);
        return if value.iter().all(u8::is_ascii_hexdigit) {
            Some(Format::Values(Form::Hex, None))
        } else {
            value.iter().all(|&byte| is_base64(byte)).then_some(Format::Values(Form::Base64, None))
        };
    }
    let inner = without_wrapping(value);
    let silent = Values { shown: false };
    let is = |form: Form| decode_value(value, form, silent).is_ok();
    for form in [Form::Hex, Form::Base64] {
        if form.starts_aggregate(inner) {
            return Some(Format::Values(form, None));
        }
    }
    if is(Form::Hex) {
        let both = base64::decode(inner, &mut Vec::new()).is_ok() && !inner.is_empty();
        let remark = both.then_some(
            "read as hex, but it is valid base64 as well: --input hex or --input base64 settles it",
        );
        return Some(Format::Values(Form::Hex, remark));
    }
    if is(Form::Base64) {
        let is_word = inner.len() <= 24 && inner.iter().all(u8::is_ascii_alphabetic);
        let is_text = is_word && base64::decode(inner, &mut Vec::new()).is_ok() && !has_both_cases(inner);
        let remark =
            is_text.then_some("read as base64, but it may be text: --input base64 or --input raw settles it");
        return Some(Format::Values(Form::Base64, remark));
    }
    let numbers = decode_decimals(inner)?;
    (numbers.len() >= 8 || numbers.starts_with(&MAGIC)).then_some(Format::Refused(
        "decimal numbers: put all of them in brackets, with commas, as a JSON array",
    ))
}

fn has_both_cases(text: &[u8]) -> bool {
    text.iter().skip(1).any(u8::is_ascii_uppercase) && text.iter().any(u8::is_ascii_lowercase)
}
