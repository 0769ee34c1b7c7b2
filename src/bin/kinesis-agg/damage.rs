//! The probable cause of an aggregate that cannot be read, or of data that is not what it seems.
//!
//! The digest proves most of it: an aggregate that is whole somewhere inside the payload, or under another magic, cannot be
//! there by chance.

use kinesis_aggregation::decode::{AggregatedRecord, MAGIC, PlainReason};

use crate::output::to_u64;
use crate::text::counted;

const DIGEST: usize = 16;
/// The Unicode replacement character, as UTF-8.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();
/// The first three bytes of every gzip file.
const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];
/// The tags of the three fields of an aggregate: both key tables and the user records.
const FIELDS: [u8; 3] = [0x0a, 0x12, 0x1a];
/// The most bytes that a cut-off field may be missing. More than a Kinesis record can have means that the length is wrong.
const MAX_MISSING: usize = 10 * 1024 * 1024;

/// A likely cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The end is missing; how many bytes, if a field tells. It may be more.
    CutShort { missing: usize },
    /// The first bytes are missing.
    BeginningMissing { missing: usize },
    /// A newline follows the aggregate that ends at `at`.
    NewlineAppended { at: usize },
    /// Something else follows it.
    Appended { at: usize, bytes: usize },
    /// Another aggregate follows it.
    Concatenated { at: usize },
    /// Each line feed was converted to a carriage return and a line feed, first at `at`.
    LineEndings { at: usize },
    /// All fields are where they should be, so bytes inside them, or the digest, are wrong.
    Changed,
    /// The bytes were decoded as UTF-8.
    DecodedAsUtf8,
    /// The bytes were decoded as Latin-1, and the result was encoded as UTF-8.
    DecodedAsLatin1,
    /// The data is the base64 of an aggregate.
    Base64Twice,
    /// The data is an aggregate in hex.
    Hex,
    /// Everything is right except for the first four bytes.
    OtherMagic,
    /// The data is compressed.
    Gzip,
    /// The data of a user record is an aggregate.
    NestedAggregate,
}

impl Cause {
    /// Returns the name that `inspect --json` has for it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::CutShort { .. } => "cut_short",
            Self::BeginningMissing { .. } => "beginning_missing",
            Self::NewlineAppended { .. } => "newline_appended",
            Self::Appended { .. } => "appended",
            Self::Concatenated { .. } => "concatenated",
            Self::LineEndings { .. } => "line_endings",
            Self::Changed => "changed",
            Self::DecodedAsUtf8 => "decoded_as_utf8",
            Self::DecodedAsLatin1 => "decoded_as_latin1",
            Self::Base64Twice => "base64_twice",
            Self::Hex => "hex",
            Self::OtherMagic => "other_magic",
            Self::Gzip => "gzip",
            Self::NestedAggregate => "nested_aggregate",
        }
    }

    /// Returns whether it is damage to an aggregate. A payload that is compressed, for example, is as it should be.
    pub(crate) const fn is_damage(&self) -> bool {
        !matches!(self, Self::Gzip | Self::NestedAggregate)
    }

    /// Returns a few words for it.
    pub(crate) const fn phrase(&self) -> &'static str {
        match self {
            Self::CutShort { .. } => "cut short",
            Self::BeginningMissing { .. } => "cut off at the beginning",
            Self::NewlineAppended { .. } => "with a newline appended",
            Self::Appended { .. } => "with something appended",
            Self::Concatenated { .. } => "concatenated with another payload",
            Self::LineEndings { .. } => "with line endings converted",
            Self::Changed => "with some bytes changed",
            Self::DecodedAsUtf8 => "decoded as UTF-8",
            Self::DecodedAsLatin1 => "decoded as Latin-1 and encoded as UTF-8",
            Self::Base64Twice => "encoded in base64 twice",
            Self::Hex => "in hex",
            Self::OtherMagic => "under another magic",
            Self::Gzip => "compressed with gzip",
            Self::NestedAggregate => "an aggregate itself",
        }
    }

    /// Explains it in a sentence or two.
    pub(crate) fn explanation(&self) -> String {
        let bytes = |bytes: usize| counted(to_u64(bytes), "byte");
        match *self {
            Self::CutShort { missing } => {
                format!("cut short: at least {} are missing at the end", bytes(missing))
            }
            Self::BeginningMissing { missing } => {
                format!("cut off at the beginning: the first {} of an aggregate are missing", bytes(missing))
            }
            Self::NewlineAppended { at } => format!(
                "a newline was appended: a complete aggregate ends before byte {at}, and a newline follows"
            ),
            Self::Appended { at, bytes: appended } => format!(
                "something was appended: a complete aggregate ends before byte {at}, and {} follow",
                bytes(appended)
            ),
            Self::Concatenated { at } => {
                format!("payloads were concatenated: one ends and the next begins at byte {at}")
            }
            Self::LineEndings { at } => format!(
                "line endings were converted: with 0d 0a changed back to 0a, first at byte {at}, this is a complete aggregate"
            ),
            Self::Changed => {
                "some bytes were changed: all fields are complete, so the fault is inside one of \
                              them or in the digest"
                    .to_owned()
            }
            Self::DecodedAsUtf8 => {
                "the bytes were decoded as UTF-8: ef bf bd stands for each byte that is not \
                                    valid UTF-8. This cannot be undone; pass bytes or base64"
                    .to_owned()
            }
            Self::DecodedAsLatin1 => {
                "the bytes were decoded as Latin-1 and encoded as UTF-8: undone, this is a \
                                      complete aggregate"
                    .to_owned()
            }
            Self::Base64Twice => "the payload was encoded in base64 twice: the data is the base64 of an \
                                  aggregate. Decode it once more"
                .to_owned(),
            Self::Hex => "the data is an aggregate in hex. Decode it once more".to_owned(),
            Self::OtherMagic => {
                "the first four bytes are not f3 89 9a c2, but the digest at the end is right: \
                                 an aggregate under another magic"
                    .to_owned()
            }
            Self::Gzip => "the data is compressed with gzip, as CloudWatch Logs sends it".to_owned(),
            Self::NestedAggregate => "the data is an aggregate itself".to_owned(),
        }
    }

    /// Returns the byte at which the fault can be seen.
    pub(crate) const fn at(&self) -> Option<usize> {
        match *self {
            Self::NewlineAppended { at }
            | Self::Appended { at, .. }
            | Self::Concatenated { at }
            | Self::LineEndings { at } => Some(at),
            Self::OtherMagic | Self::DecodedAsUtf8 | Self::DecodedAsLatin1 => Some(0),
            _ => None,
        }
    }
}

/// Returns the likely cause for a payload being plain. A malformed aggregate has a matching digest: its producer is at fault.
pub(crate) fn likely_cause(data: &[u8], reason: PlainReason) -> Option<Cause> {
    match reason {
        PlainReason::NoMagic => without_magic(data),
        PlainReason::TooShort => {
            Some(Cause::CutShort { missing: (MAGIC.len() + 1 + DIGEST).saturating_sub(data.len()).max(1) })
        }
        PlainReason::DigestMismatch => with_magic(data),
        PlainReason::Malformed(_) => None,
    }
}

/// Returns what the data of a user record is, if it is not the data itself.
pub(crate) fn container(data: &[u8]) -> Option<Cause> {
    if data.starts_with(GZIP) {
        return Some(Cause::Gzip);
    }
    let is_aggregate = data.starts_with(&MAGIC) && AggregatedRecord::parse(data).is_ok();
    is_aggregate.then_some(Cause::NestedAggregate)
}

/// Returns the digest that a framed payload should have, and the one it has.
pub(crate) fn digests(data: &[u8]) -> Option<([u8; DIGEST], &[u8])> {
    let (body, digest) = data.get(MAGIC.len()..)?.split_last_chunk::<DIGEST>()?;
    Some((md5::compute(body).0, digest))
}

fn without_magic(data: &[u8]) -> Option<Cause> {
    if data.starts_with(GZIP) {
        return Some(Cause::Gzip);
    }
    // Decoders differ in how many replacement characters four invalid bytes become.
    let replaced = data.chunks(REPLACEMENT.len()).take_while(|chunk| *chunk == REPLACEMENT).count();
    let after = data.get(replaced * REPLACEMENT.len()).copied();
    if (1..=MAGIC.len()).contains(&replaced) && after.is_some_and(|tag| FIELDS.contains(&tag)) {
        return Some(Cause::DecodedAsUtf8);
    }
    let text = data.trim_ascii();
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    if text.starts_with(b"84mawg") {
        return Some(Cause::Base64Twice);
    }
    if text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"f3899ac2")) {
        return Some(Cause::Hex);
    }
    if let Some(bytes) = from_latin1(data) {
        if bytes.starts_with(&MAGIC) && AggregatedRecord::parse(&bytes).is_ok() {
            return Some(Cause::DecodedAsLatin1);
        }
    }
    // An aggregate of which `present` bytes of the magic, or of something in its place, are left.
    (0..=MAGIC.len()).rev().find_map(|present| {
        let (body, digest) = data.get(present..)?.split_last_chunk::<DIGEST>()?;
        let is_aggregate =
            body.first().is_some_and(|tag| FIELDS.contains(tag)) && md5::compute(body).0 == *digest;
        is_aggregate.then_some(match MAGIC.len() - present {
            0 => Cause::OtherMagic,
            missing => Cause::BeginningMissing { missing },
        })
    })
}

/// Decodes UTF-8 to the bytes that its characters have in Latin-1, if all have one.
fn from_latin1(data: &[u8]) -> Option<Vec<u8>> {
    // What the magic becomes, so that other data is not copied.
    if !data.starts_with("\u{f3}\u{89}\u{9a}\u{c2}".as_bytes()) {
        return None;
    }
    core::str::from_utf8(data).ok()?.chars().map(|char| u8::try_from(char).ok()).collect()
}

fn with_magic(data: &[u8]) -> Option<Cause> {
    let fields = Fields::walk(data);
    if let Some(end) = fields.aggregate_end {
        let rest = data.get(end..).unwrap_or_default();
        return Some(match rest {
            b"\n" | b"\r\n" | b"\r" => Cause::NewlineAppended { at: end },
            rest if rest.starts_with(&MAGIC) => Cause::Concatenated { at: end },
            rest => Cause::Appended { at: end, bytes: rest.len() },
        });
    }
    if let Some(at) = memchr::memmem::find(data, b"\r\n") {
        let mut restored = Vec::with_capacity(data.len());
        let mut rest = data;
        while let Some(found) = memchr::memmem::find(rest, b"\r\n") {
            restored.extend_from_slice(rest.get(..found).unwrap_or_default());
            restored.push(b'\n');
            rest = rest.get(found + 2..).unwrap_or_default();
        }
        restored.extend_from_slice(rest);
        if AggregatedRecord::parse(&restored).is_ok() {
            return Some(Cause::LineEndings { at });
        }
    }
    match fields.missing {
        Some(missing) => Some(Cause::CutShort { missing }),
        None => fields.ends_before_digest.then_some(Cause::Changed),
    }
}

/// The findings of a walk over the fields of a damaged aggregate.
struct Fields {
    /// The end of the first complete aggregate, as its digest proves.
    aggregate_end: Option<usize>,
    /// The number of bytes missing after the last one, if it is cut short there.
    missing: Option<usize>,
    /// True if a field ends where the digest should begin.
    ends_before_digest: bool,
}

impl Fields {
    fn walk(data: &[u8]) -> Self {
        let mut found = Self { aggregate_end: None, missing: None, ends_before_digest: false };
        let mut digest = md5::Context::new();
        let mut at = MAGIC.len();
        loop {
            let rest = data.get(at..).unwrap_or_default();
            if at > MAGIC.len() {
                let expected = digest.clone().finalize().0;
                let present = rest.get(..DIGEST).unwrap_or(rest);
                match expected.strip_prefix(present) {
                    Some([]) => {
                        found.aggregate_end = Some(at + DIGEST);
                        return found;
                    }
                    // A single byte would be right once in 256 times; nothing at all is right for certain.
                    Some(missing) if present.len() != 1 => {
                        found.missing = Some(missing.len());
                        return found;
                    }
                    _ => found.ends_before_digest |= rest.len() == DIGEST,
                }
            }
            let Some(len) = field_len(rest) else { return found };
            let Some(field) = rest.get(..len) else {
                let missing = len - rest.len() + DIGEST;
                found.missing = Some(missing).filter(|missing| *missing <= MAX_MISSING);
                return found;
            };
            digest.consume(field);
            at += len;
        }
    }
}

/// Returns the length of the field at the beginning, which may be more than there is, or `None` if it is no field of an
/// aggregate.
fn field_len(bytes: &[u8]) -> Option<usize> {
    let (tag, rest) = bytes.split_first()?;
    if !FIELDS.contains(tag) {
        return None;
    }
    let mut len = 0usize;
    for (number, byte) in rest.iter().take(4).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * number);
        if byte & 0x80 == 0 {
            return Some(2 + number + len);
        }
    }
    // The length itself is cut off, or too large.
    (rest.len() < 4).then_some(bytes.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinesis_aggregation::{Limits, RecordAggregator, UserRecord};

    fn aggregate(users: &[(&str, &[u8])]) -> Vec<u8> {
        let mut aggregator = RecordAggregator::new(Limits::KPL);
        for (key, data) in users {
            assert!(aggregator.add(UserRecord::new(key, data)).unwrap().is_none());
        }
        aggregator.finish().unwrap().data
    }

    fn cause(data: &[u8]) -> Option<Cause> {
        likely_cause(data, AggregatedRecord::parse(data).map(|_| ()).expect_err("damaged"))
    }

    #[test]
    fn causes_are_found() {
        let whole = aggregate(&[("key-0", b"line\nline\n"), ("key-1", b"second"), ("key-0", b"\n")]);
        let end = whole.len();
        let text: String = whole.iter().map(|&byte| char::from(byte)).collect();
        let changed = |at: usize| {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            changed
        };
        let in_base64 = data_encoding::BASE64.encode(&whole).into_bytes();
        let converted = |from: &[u8]| -> Vec<u8> {
            from.iter()
                .flat_map(|&byte| if byte == b'\n' { vec![b'\r', b'\n'] } else { vec![byte] })
                .collect()
        };
        let first_newline = whole.iter().position(|&byte| byte == b'\n').unwrap();
        for (name, data, expected) in [
            ("newline", [&*whole, b"\n"].concat(), Some(Cause::NewlineAppended { at: end })),
            ("two newlines", [&*whole, b"\n\n"].concat(), Some(Cause::Appended { at: end, bytes: 2 })),
            ("twice", [&*whole, &*whole].concat(), Some(Cause::Concatenated { at: end })),
            ("line endings", converted(&whole), Some(Cause::LineEndings { at: first_newline })),
            ("a digest byte", changed(end - 1), Some(Cause::Changed)),
            ("a data byte", changed(end - 18), Some(Cause::Changed)),
            ("another magic", changed(2), Some(Cause::OtherMagic)),
            ("no magic", whole[4..].to_vec(), Some(Cause::BeginningMissing { missing: 4 })),
            ("first byte", whole[1..].to_vec(), Some(Cause::BeginningMissing { missing: 1 })),
            ("utf-8", String::from_utf8_lossy(&whole).into_owned().into_bytes(), Some(Cause::DecodedAsUtf8)),
            ("latin-1", text.into_bytes(), Some(Cause::DecodedAsLatin1)),
            ("base64", in_base64.clone(), Some(Cause::Base64Twice)),
            ("base64 with a newline", [&*in_base64, b"\n"].concat(), Some(Cause::Base64Twice)),
            ("hex", data_encoding::HEXUPPER.encode(&whole).into_bytes(), Some(Cause::Hex)),
            ("gzip", b"\x1f\x8b\x08\0".to_vec(), Some(Cause::Gzip)),
            ("text", b"hello".to_vec(), None),
            ("empty", Vec::new(), None),
            ("garbage", [&MAGIC[..], &[0xff; 40]].concat(), None),
        ] {
            assert_eq!(cause(&data), expected, "{name}");
        }
        // Wherever it is cut, except where one byte of the digest is left.
        for len in (4..end).filter(|&len| len != end - 15) {
            assert!(matches!(cause(&whole[..len]), Some(Cause::CutShort { .. })), "{len} of {end}");
        }
        assert_eq!(cause(&whole[..end - 1]), Some(Cause::CutShort { missing: 1 }));
        assert_eq!(cause(&whole[..end - 16]), Some(Cause::CutShort { missing: 16 }));
        assert_eq!(container(&whole), Some(Cause::NestedAggregate));
        assert_eq!((container(&whole[..end - 1]), container(b"data")), (None, None));
    }
}
