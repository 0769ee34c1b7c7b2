//! The frame around a body, which tells aggregated records from plain ones.
//!
//! ```text
//! 0        4                        n              n+16
//! +--------+------------------------+--------------+
//! | magic  | AggregatedRecord       | MD5          |
//! +--------+------------------------+--------------+
//!  F3 89 9A C2                        of the body only
//! ```
//!
//! Nothing here looks into the body.

use core::fmt;

use crate::error::DecodeError;
use crate::md5::{Md5, digest_each};
use crate::wire::Reader;

/// The four bytes that every aggregated record begins with.
pub const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];

/// The size in bytes of the digest that every aggregated record ends with.
pub(crate) const DIGEST_SIZE: usize = 16;

/// The bytes of magic and digest together.
pub(crate) const FRAME_SIZE: usize = MAGIC.len() + DIGEST_SIZE;

/// The reason a payload is not an aggregated record. It is then returned unchanged.
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlainReason {
    /// It does not begin with the magic (D1): almost certainly a record that was never aggregated.
    NoMagic,
    /// It begins with the magic, but has no more than 20 bytes (D1).
    TooShort,
    /// Its last 16 bytes are not the MD5 of its body (D2).
    DigestMismatch,
    /// Its body breaks a rule of the format (D3).
    Malformed(DecodeError),
}

impl PlainReason {
    /// Returns the reason in one word: `no_magic`, `too_short`, `digest_mismatch` or `malformed`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoMagic => "no_magic",
            Self::TooShort => "too_short",
            Self::DigestMismatch => "digest_mismatch",
            Self::Malformed(_) => "malformed",
        }
    }
}

impl fmt::Display for PlainReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMagic => f.write_str("does not begin with the magic"),
            Self::TooShort => f.write_str("begins with the magic but has no more than 20 bytes"),
            Self::DigestMismatch => f.write_str("digest does not match the body"),
            Self::Malformed(error) => write!(f, "malformed: {error}"),
        }
    }
}

impl core::error::Error for PlainReason {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            _ => None,
        }
    }
}

/// The choice of whether the digest of a payload is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DigestCheck {
    /// The digest is verified.
    #[default]
    Verify,
    /// The digest is not verified. This is for payloads that were verified before: the digest takes most of the time of
    /// decoding. A damaged payload may then decode to wrong user records, but can do no other harm.
    Skip,
}

/// Verifies the digests of many payloads, as `Payload::verify_each` does, from any iterator.
pub(crate) fn verify_all<'p>(
    payloads: impl Iterator<Item = &'p [u8]> + Clone,
    verdicts: &mut [Result<(), PlainReason>],
) {
    let frames = payloads.map(Frame::split);
    for (verdict, frame) in verdicts.iter_mut().zip(frames.clone()) {
        *verdict = frame.map(|_| ());
    }
    let framed = frames.take(verdicts.len()).enumerate().filter_map(|(position, frame)| {
        let frame = frame.ok()?;
        Some(((position, frame.digest), frame.body))
    });
    digest_each(framed, |(position, expected), digest| {
        if let Some(verdict) = verdicts.get_mut(position).filter(|_| digest != *expected) {
            *verdict = Err(PlainReason::DigestMismatch);
        }
    });
}

/// A payload split into body and digest, neither of them validated yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    body: &'a [u8],
    digest: &'a [u8; DIGEST_SIZE],
}

impl<'a> Frame<'a> {
    /// Splits a payload (rule D1).
    pub(crate) fn split(payload: &'a [u8]) -> Result<Self, PlainReason> {
        let rest = payload.strip_prefix(&MAGIC).ok_or(PlainReason::NoMagic)?;
        match rest.split_last_chunk() {
            Some((body, digest)) if !body.is_empty() => Ok(Self { body, digest }),
            _ => Err(PlainReason::TooShort),
        }
    }

    /// Verifies the digest (rule D2).
    pub(crate) fn verify(&self) -> Result<(), PlainReason> {
        if Md5::digest(self.body) == *self.digest { Ok(()) } else { Err(PlainReason::DigestMismatch) }
    }

    /// Returns the body, with offsets that count from the first byte of the payload.
    pub(crate) const fn body(&self) -> Reader<'a> {
        Reader::new(self.body, MAGIC.len())
    }
}
