//! Payloads as text: hex, base64 and what tools and languages put around them.

use data_encoding::{BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use kinesis_aggregation::decode::MAGIC;

use crate::base64;
use crate::input::quote::Values;

/// The form in which a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Hex,
    Base64,
}

impl Form {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Base64 => "base64",
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Hex => Self::Base64,
            Self::Base64 => Self::Hex,
        }
    }

    /// Decodes text without anything around it.
    pub(crate) fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Hex => decode_hex(text),
            Self::Base64 => decode_base64(text),
        }
    }
}

/// Decodes a value in this form, or in another one if that gives an aggregate.
pub(crate) fn decode_value(value: &[u8], form: Form, values: Values) -> Result<Vec<u8>, String> {
    // Most values are nothing but base64.
    let mut decoded = Vec::new();
    if form == Form::Base64 && base64::decode(value, &mut decoded).is_ok() && !is_hex_magic(value) {
        return Ok(decoded);
    }
    let inner = without_wrapping(value);
    let is_wrapped = inner.len() < value.len();
    if is_wrapped {
        if let Some(bytes) = decode_decimals(inner).filter(|bytes| bytes.starts_with(&MAGIC)) {
            return Ok(bytes);
        }
    }
    let form = [form, form.other()].into_iter().find(|form| form.starts_aggregate(inner)).unwrap_or(form);
    if let Some(decoded) = form.decode(inner) {
        return Ok(decoded);
    }
    let is_quoted = is_wrapped && !matches!(value.first(), Some(b'{' | b'[' | b'<' | b'('));
    if !inner.contains(&b'\\') || !(is_quoted || inner.starts_with(b"\\")) {
        return Err(fault(inner, form, values));
    }
    let bytes = unescape(inner).ok_or_else(|| format!("unknown escape sequence{}", values.show(inner)))?;
    if !bytes.is_ascii() {
        return Ok(bytes);
    }
    // As in PHP's JSON, the escape sequences are inside base64.
    form.decode(&bytes).ok_or_else(|| fault(inner, form, values))
}

impl Form {
    /// Returns whether the text begins like an aggregate in this form.
    pub(crate) fn starts_aggregate(self, text: &[u8]) -> bool {
        match self {
            Self::Hex => is_hex_magic(text),
            // The sixth character has four bits of the next byte.
            Self::Base64 => text.strip_prefix(b"84maw").is_some_and(|rest| matches!(rest, [b'g'..=b'v', ..])),
        }
    }
}

/// Returns whether the first four bytes in hex, whatever is between them, are the magic.
fn is_hex_magic(text: &[u8]) -> bool {
    let beginning = text.get(..32).unwrap_or(text);
    let digits: Vec<u8> = hex_digits(beginning.trim_ascii_end()).unwrap_or_default();
    let digits =
        if digits.len() % 2 == 0 { &*digits } else { digits.split_last().map_or(&[][..], |(_, rest)| rest) };
    HEXLOWER_PERMISSIVE.decode(digits).is_ok_and(|bytes| bytes.starts_with(&MAGIC))
}

/// The magic and the first tag of a body in base32.
pub(crate) const BASE32_MAGIC: &[u8] = b"6OEZVQQK";

/// Describes why a value cannot be decoded.
fn fault(value: &[u8], form: Form, values: Values) -> String {
    let shown = values.show(value);
    let only = |allowed: fn(u8) -> bool| value.iter().all(|&byte| allowed(byte));
    if value.starts_with(BASE32_MAGIC) {
        return format!("this looks like base32{shown}; basenc -d --base32 decodes it");
    }
    if value.ends_with(b"more bytes") || value.ends_with(b"...") || value.ends_with("…".as_bytes()) {
        return format!("the value is cut short{shown}");
    }
    if find_aggregate(value).is_some() && !form.starts_aggregate(value) {
        return format!("an aggregate with something else around it{shown}");
    }
    match form {
        Form::Hex if only(|byte| byte.is_ascii_hexdigit()) => format!("odd number of hex digits{shown}"),
        Form::Base64 if only(is_base64) => format!("base64 is cut short or has something appended{shown}"),
        _ if decode_decimals(value).is_some() => {
            format!("a list of decimal numbers{shown}; put it in brackets")
        }
        _ => format!("not {}{shown}", form.name()),
    }
}

pub(crate) const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

/// Decodes base64, padded or not, in either alphabet.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    if base64::decode(text, &mut decoded).is_ok() {
        return Some(decoded);
    }
    let end = text.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
    let (body, padding) = text.split_at_checked(end)?;
    if !padding.is_empty() && text.len() % 4 != 0 {
        return None;
    }
    let standard: Vec<u8> = body
        .iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    BASE64_NOPAD.decode(&standard).ok()
}

/// Decodes hex digits, with or without something between the bytes.
fn decode_hex(text: &[u8]) -> Option<Vec<u8>> {
    HEXLOWER_PERMISSIVE.decode(text).ok().or_else(|| HEXLOWER_PERMISSIVE.decode(&hex_digits(text)?).ok())
}

/// Returns the digits of hex with spaces, commas, colons, hyphens, `0x`, `\x` or `%` between the bytes.
pub(crate) fn hex_digits(text: &[u8]) -> Option<Vec<u8>> {
    let mut digits = Vec::with_capacity(text.len());
    let is_separator =
        |byte: &u8| matches!(byte, b' ' | b'\t' | b',' | b':' | b'-' | b';' | b'\\' | b'%' | b'|');
    // Digits of a date or a number with a sign are not those of bytes.
    let in_pairs = text.iter().any(|byte| matches!(byte, b':' | b'-' | b';' | b'%' | b'|'));
    let is_list = text.contains(&b',') && text.iter().any(u8::is_ascii_alphabetic);
    for token in text.split(is_separator) {
        let prefixed = token.strip_prefix(b"0x").or_else(|| token.strip_prefix(b"0X"));
        let token = prefixed.or_else(|| token.strip_prefix(b"x")).unwrap_or(token);
        // Go and Rust leave out the first digit if it is 0.
        if token.len() == 1 && (prefixed.is_some() || is_list) {
            digits.push(b'0');
        }
        let wanted = if in_pairs { matches!(token.len(), 0 | 2) } else { token.len() % 2 == 0 };
        let is_alone = token.len() == 1 && (prefixed.is_some() || is_list) || token.len() == text.len();
        if !token.iter().all(u8::is_ascii_hexdigit) || !(wanted || is_alone) {
            return None;
        }
        digits.extend_from_slice(token);
    }
    Some(digits)
}

/// Decodes a list of at least four decimal numbers, with or without signs.
pub(crate) fn decode_decimals(text: &[u8]) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(text).ok()?;
    let numbers = text.split([' ', ',', '\t']).filter(|token| !token.is_empty());
    let bytes: Option<Vec<u8>> = numbers
        .map(|token| match token.parse::<i16>().ok()? {
            signed @ -128..=-1 => u8::try_from(signed + 256).ok(),
            number => u8::try_from(number).ok(),
        })
        .collect();
    bytes.filter(|bytes| bytes.len() >= 4)
}

/// Removes quotation marks, brackets and similar characters, and commas after them.
pub(crate) fn without_wrapping(value: &[u8]) -> &[u8] {
    const PAIRS: [(&[u8], &[u8]); 16] = [
        (b"bytearray(", b")"),
        (b"[]byte{", b"}"),
        (b"Buffer.from(", b")"),
        (b"b\"", b"\""),
        (b"b'", b"'"),
        (b"$'", b"'"),
        (b"X'", b"'"),
        (b"x'", b"'"),
        (b"\"", b"\""),
        (b"'", b"'"),
        (b"`", b"`"),
        (b"<Buffer ", b">"),
        (b"<", b">"),
        (b"[", b"]"),
        (b"{", b"}"),
        (b"(", b")"),
    ];
    let mut value = value.trim_ascii();
    loop {
        let before = value.len();
        value = value.strip_suffix(b",").or_else(|| value.strip_suffix(b";")).unwrap_or(value).trim_ascii();
        for (open, close) in PAIRS {
            if let Some(inside) = value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)) {
                value = inside.trim_ascii();
            }
        }
        if value.len() == before {
            return value;
        }
    }
}

/// Replaces the escape sequences of C, Go, Python, Rust and JSON that stand for bytes.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let escaped = rest.next()?;
        bytes.push(match escaped {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'a' => 7,
            b'b' => 8,
            b'v' => 11,
            b'f' => 12,
            b'e' | b'E' => 27,
            b'\\' | b'\'' | b'"' | b'/' | b'?' => escaped,
            b'x' => {
                let digits = [rest.next()?, rest.next()?];
                *HEXLOWER_PERMISSIVE.decode(&digits).ok()?.first()?
            }
            b'0'..=b'7' => {
                let mut number = u32::from(escaped - b'0');
                for _ in 0..2 {
                    if let Some(digit) = rest.next_if(|digit| matches!(digit, b'0'..=b'7')) {
                        number = number * 8 + u32::from(digit - b'0');
                    }
                }
                u8::try_from(number).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}

/// A line of a hex dump.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DumpLine {
    pub(crate) offset: u64,
    pub(crate) bytes: Vec<u8>,
}

impl DumpLine {
    /// Parses a line that `xxd`, `hexdump -C`, `od -t x1` or `tcpdump -X` write. The error says what else it is.
    pub(crate) fn parse(line: &[u8]) -> Option<Result<Self, String>> {
        let text = core::str::from_utf8(line).ok()?.trim_end();
        let end = text.find([' ', ':', '\t']).unwrap_or(text.len());
        let (offset, rest) = text.split_at_checked(end)?;
        let digits = offset.strip_prefix("0x").unwrap_or(offset);
        if !(4..=16).contains(&digits.len()) || (digits.len() == 4 && offset == digits) {
            return None;
        }
        // Only `od` writes seven digits, which are octal, apart from plain `hexdump`, whose lines are refused.
        let radix = if digits.len() == 7 { 8 } else { 16 };
        let offset = u64::from_str_radix(digits, radix).ok()?;
        let (is_xxd, rest) = rest.strip_prefix(':').map_or((false, rest), |rest| (true, rest));
        let rest = rest.trim_start_matches([' ', '\t']);
        let (hex, ascii) = split_ascii(rest, is_xxd);
        let tokens: Vec<&str> = hex.split_ascii_whitespace().collect();
        let all = |len: usize, radix: u32| {
            tokens.iter().all(|token| token.len() == len && token.chars().all(|digit| digit.is_digit(radix)))
        };
        if tokens.is_empty() {
            return Some(Ok(Self { offset, bytes: Vec::new() }));
        }
        if !is_xxd && all(6, 8) {
            return Some(Err(
                "these look like octal words, as od writes them: use od -A x -t x1, xxd or hexdump -C"
                    .to_owned(),
            ));
        }
        if !is_xxd && (all(4, 16) || all(8, 16) || all(16, 16)) {
            return Some(Err(
                "these look like words with swapped bytes, as hexdump and od -x write them: use xxd, hexdump -C or od \
                             -A x -t x1"
                    .to_owned(),
            ));
        }
        if !is_xxd && all(3, 8) {
            return Some(Err("these look like octal bytes: use od -A x -t x1, xxd or hexdump -C".to_owned()));
        }
        if is_xxd && all(8, 2) {
            return Some(Err("these look like bits, as xxd -b writes them: use xxd without -b".to_owned()));
        }
        let bytes = HEXLOWER_PERMISSIVE.decode(tokens.concat().as_bytes()).ok()?;
        if !is_xxd && !all(2, 16) {
            return None;
        }
        if ascii.is_some_and(|ascii| !agrees(ascii, &bytes)) {
            return Some(Err(
                "the characters of the dump are not those of its bytes, as in xxd -e".to_owned()
            ));
        }
        Some(Ok(Self { offset, bytes }))
    }
}

/// Splits the characters from the hex of a dump.
fn split_ascii(rest: &str, is_xxd: bool) -> (&str, Option<&str>) {
    if is_xxd {
        return rest.split_once("  ").map_or((rest, None), |(hex, ascii)| (hex, Some(ascii)));
    }
    for (open, close) in [("|", '|'), (">", '<')] {
        if let Some((hex, ascii)) = rest.split_once(open) {
            return (hex, Some(ascii.strip_suffix(close).unwrap_or(ascii)));
        }
    }
    (rest, None)
}

/// Returns whether the printable bytes are the characters. White space at the end of the line may be gone.
fn agrees(ascii: &str, bytes: &[u8]) -> bool {
    let chars = ascii.trim_start().bytes();
    let bytes: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == b' ').collect();
    chars.zip(bytes).all(|(char, byte)| char == byte || char == b'.' || !byte.is_ascii_graphic())
}

/// Returns the form in which an aggregate is found inside text that is not read otherwise.
pub(crate) fn find_aggregate(text: &[u8]) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    let contains = |needle: &[u8]| memchr::memmem::find(&lower, needle).is_some();
    let digits: Vec<u8> = lower.iter().copied().filter(u8::is_ascii_hexdigit).collect();
    let is_apart =
        [b"f3 89 9a c2".as_slice(), b"f3899ac2", b"f389 9ac2", b"f3:89:9a:c2", b"f3-89-9a-c2", b"f3, 0x89"];
    if memchr::memmem::find(text, b"84maw").is_some() {
        Some("base64")
    } else if is_apart.iter().any(|needle| contains(needle)) || digits.starts_with(b"f3899ac2") {
        Some("hex")
    } else if contains(b"\\xf3\\x89\\x9a\\xc2")
        || contains(b"\\363\\211\\232\\302")
        || contains(b"\\u00f3\\u0089")
    {
        Some("escape sequences")
    } else if contains(b"243, 137, 154")
        || contains(b"243,137,154")
        || contains(b"243 137 154")
        || contains(b"-13, -119")
    {
        Some("decimal numbers")
    } else if contains(b"363 211 232 302") || contains(b"89f3 c29a") || contains(b"104763 141232") {
        Some("a dump with octal numbers or swapped bytes")
    } else if contains(b"%f3%89%9a%c2") {
        Some("percent-encoding")
    } else if memchr::memmem::find(text, b"^NE_m").is_some() || memchr::memmem::find(text, b"o8/pQ").is_some()
    {
        Some("base85")
    } else {
        None
    }
}
