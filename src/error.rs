//! Errors in input: small `Copy` values with the kind of the error and its offset.

use core::fmt;

use crate::hash_key::HashKeyError;

/// The error of a malformed aggregated record, with the offset of the faulty byte.
///
/// The offset counts from the first byte of the payload, the magic included (rule D18 of the format).
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DecodeError {
    kind: DecodeErrorKind,
    offset: usize,
}

impl DecodeError {
    /// Returns the kind of the error.
    #[must_use]
    pub const fn kind(self) -> DecodeErrorKind {
        self.kind
    }

    /// Returns the offset in bytes from the first byte of the payload.
    ///
    /// It is the start of the faulty tag, varint, length or fixed-width value; the first invalid byte of a
    /// string; the tag of the message that lacks a required field; or the value of an index that is out of
    /// range.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)
    }
}

impl core::error::Error for DecodeError {}

/// The kinds of fault a body can have. The rule that each one breaks stands behind it.
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// A varint or fixed-width value ends with its message (D6).
    Truncated,
    /// A varint holds more than 64 bits or takes more than 10 bytes (D6).
    VarintOverflow,
    /// A field number is 0 or above 2^29 - 1 (D7).
    FieldNumber,
    /// A wire type is 6 or 7 (D7).
    WireType,
    /// A length runs past the end of its message (D8).
    LengthOutOfBounds,
    /// A group ends that was not the last one begun (D9).
    UnmatchedGroupEnd,
    /// A group does not end within its message (D9).
    UnterminatedGroup,
    /// More than 100 groups are open at once (D9).
    GroupsTooDeep,
    /// A table entry, a tag's key or a tag's value is not UTF-8 (D12).
    InvalidUtf8,
    /// A user record has no partition key index (D4).
    MissingPartitionKeyIndex,
    /// A user record has no data (D4).
    MissingData,
    /// A tag of a user record has no key (D4).
    MissingTagKey,
    /// A partition key index is at or past the end of its table (D11).
    PartitionKeyIndexOutOfRange,
    /// An explicit hash key index is at or past the end of its table (D11).
    ExplicitHashKeyIndexOutOfRange,
}

impl DecodeErrorKind {
    pub(crate) const fn at(self, offset: usize) -> DecodeError {
        DecodeError { kind: self, offset }
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "value cut short",
            Self::VarintOverflow => "varint of more than 64 bits",
            Self::FieldNumber => "field number out of range",
            Self::WireType => "unknown wire type",
            Self::LengthOutOfBounds => "length past the end of its message",
            Self::UnmatchedGroupEnd => "group end without its start",
            Self::UnterminatedGroup => "group without end",
            Self::GroupsTooDeep => "more than 100 groups open",
            Self::InvalidUtf8 => "invalid UTF-8",
            Self::MissingPartitionKeyIndex => "user record without partition key index",
            Self::MissingData => "user record without data",
            Self::MissingTagKey => "tag without key",
            Self::PartitionKeyIndexOutOfRange => "partition key index out of range",
            Self::ExplicitHashKeyIndexOutOfRange => "explicit hash key index out of range",
        })
    }
}

/// The error of a user record that cannot be encoded. Nothing pending has changed (rule E7).
///
/// Sizes are in bytes.
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncodeError {
    /// The partition key is empty or has more than 256 Unicode characters (E5).
    PartitionKeyLength {
        /// The number of characters it has.
        characters: usize,
    },
    /// The explicit hash key is not a decimal number below 2^128, without sign or leading zero (E4).
    ExplicitHashKey(HashKeyError),
    /// The user record exceeds the maximum even in an aggregate of its own, and as a plain record as well (E7).
    TooLarge {
        /// The size of an aggregate of this user record alone, outer partition key included.
        required: usize,
        /// The maximum, [`Limits::max_bytes`](crate::Limits::max_bytes).
        limit: usize,
    },
    /// The user record exceeds the maximum in an aggregate of its own, but would fit as a plain Kinesis record. Sending it
    /// as one is the caller's choice (E9).
    FitsOnlyPlain {
        /// The size of an aggregate of this user record alone, outer partition key included.
        required: usize,
        /// The maximum, [`Limits::max_bytes`](crate::Limits::max_bytes).
        limit: usize,
        /// The size of the user record as a plain Kinesis record, partition key included.
        plain: usize,
    },
    /// The buffer cannot hold an aggregate of this user record alone.
    BufferTooSmall {
        /// The size of that aggregate, without the outer partition key.
        required: usize,
        /// The size of the buffer.
        available: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::PartitionKeyLength { characters } => {
                write!(f, "partition key of {characters} characters: 1 to 256 are allowed")
            }
            Self::ExplicitHashKey(error) => write!(f, "explicit hash key: {error}"),
            Self::TooLarge { required, limit } => {
                write!(f, "user record needs an aggregate of {required} bytes: the limit is {limit}")
            }
            Self::FitsOnlyPlain { required, limit, plain } => write!(
                f,
                "user record needs an aggregate of {required} bytes: the limit is {limit}; \
                 it fits only as a plain record, in {plain} bytes"
            ),
            Self::BufferTooSmall { required, available } => {
                write!(f, "aggregate needs {required} bytes: the buffer has {available}")
            }
        }
    }
}

impl core::error::Error for EncodeError {}
