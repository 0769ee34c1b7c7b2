//! The front door: what is this payload?

use core::fmt;

use crate::decode::AggregatedRecord;
use crate::frame::{DigestCheck, Frame, PlainReason};
use crate::message::{Body, KeyRoom};

/// What the data of a Kinesis record turned out to be.
///
/// ```
/// use kinesis_aggregation::Payload;
///
/// # let payload = b"plain";
/// let mut keys = [""; 16];
/// match Payload::parse(payload, &mut keys) {
///     Payload::Aggregated(aggregate) => {
///         for user in &aggregate {
///             println!("{}: {} bytes", user.partition_key, user.data.len());
///         }
///     }
///     Payload::Plain(reason) => println!("handed on as it is: it {reason}"),
///     Payload::NeedsRoom { needed } => println!("has {needed} keys: lend more room"),
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub enum Payload<'a, K> {
    /// An aggregated record, checked from end to end: nothing can fail from here on.
    Aggregated(AggregatedRecord<'a, K>),
    /// Not an aggregated record. The payload is the user's own data, to be handed on as it came.
    Plain(PlainReason),
    /// An aggregated record, checked, whose keys need more room than was lent.
    NeedsRoom {
        /// How many keys it has, those of both tables counted.
        needed: usize,
    },
}

impl<'a, K: KeyRoom<'a>> Payload<'a, K> {
    /// Tells an aggregated record from a plain one, with room for the keys of the former.
    pub fn parse(payload: &'a [u8], keys: K) -> Self {
        Self::parse_with(payload, keys, DigestCheck::Verify)
    }

    /// The same, with the choice not to check the digest.
    pub fn parse_with(payload: &'a [u8], keys: K, check: DigestCheck) -> Self {
        match AggregatedRecord::parse_with(payload, keys, check) {
            Ok(aggregate) => Self::Aggregated(aggregate),
            Err(ParseError::Plain(reason)) => Self::Plain(reason),
            Err(ParseError::NeedsRoom { needed }) => Self::NeedsRoom { needed },
        }
    }
}

/// Finds the body of an aggregated record and checks it.
pub(crate) fn parse_body(payload: &[u8], check: DigestCheck) -> Result<Body<'_>, PlainReason> {
    let frame = Frame::split(payload)?;
    if check == DigestCheck::Verify {
        frame.verify()?;
    }
    Body::parse(frame.body()).map_err(PlainReason::Malformed)
}

/// Why there is no [`AggregatedRecord`] to be had from a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParseError {
    /// It is a plain record.
    Plain(PlainReason),
    /// It is an aggregated record whose keys need more room than was lent.
    NeedsRoom {
        /// How many keys it has, those of both tables counted.
        needed: usize,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(reason) => reason.fmt(f),
            Self::NeedsRoom { needed } => write!(f, "needs room for {needed} keys"),
        }
    }
}

impl core::error::Error for ParseError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // Shown as the reason itself, so the source is the reason's.
            Self::Plain(reason) => core::error::Error::source(reason),
            Self::NeedsRoom { .. } => None,
        }
    }
}
