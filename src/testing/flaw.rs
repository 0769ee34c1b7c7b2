//! The ways to break an aggregate, and the reason or error that each one causes.

use core::fmt;

use crate::error::DecodeErrorKind;
use crate::frame::PlainReason;

macro_rules! flaws {
    (@reason $offset:ident Malformed ($kind:ident)) => {
        PlainReason::Malformed(DecodeErrorKind::$kind.at($offset))
    };
    (@reason $offset:ident $reason:ident) => {
        PlainReason::$reason
    };
    ($($(#[doc = $doc:literal])+ $name:ident => $reason:ident $(($kind:ident))?,)+) => {
        /// A way to break an aggregate, which then has no other fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Flaw {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Flaw {
            /// All flaws.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Describes what is wrong, in a sentence.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// Returns the reason for which a payload with this flaw is plain. Only a malformed one has the offset.
            pub(crate) const fn reason(self, offset: usize) -> PlainReason {
                match self {
                    $(Self::$name => flaws!(@reason offset $reason $(($kind))?),)+
                }
            }
        }
    };
}

flaws! {
    // The frame (D1, D2).
    /// One bit of the magic is flipped.
    MagicBitFlipped => NoMagic,
    /// The payload ends within the magic.
    MagicCut => NoMagic,
    /// A byte precedes the magic.
    ByteBeforeMagic => NoMagic,
    /// The body is empty: the digest of no bytes follows the magic.
    BodyEmpty => TooShort,
    /// The payload is cut off after 4 to 20 bytes.
    CutToTwenty => TooShort,
    /// The last bytes are missing.
    EndCut => DigestMismatch,
    /// A byte follows the digest.
    ByteAfterDigest => DigestMismatch,
    /// One bit of the digest is flipped.
    DigestBitFlipped => DigestMismatch,
    /// One bit of the body is flipped.
    BodyBitFlipped => DigestMismatch,
    /// The digest covers the magic and the body.
    DigestOfMagicToo => DigestMismatch,
    /// The digest belongs to another body.
    DigestOfOtherBody => DigestMismatch,
    /// The bytes of the digest are in reverse order.
    DigestReversed => DigestMismatch,

    // Values (D6).
    /// A message ends within a tag.
    TagCut => Malformed(Truncated),
    /// A message ends within a varint.
    VarintCut => Malformed(Truncated),
    /// A message ends within a fixed-width value of 4 bytes.
    Fixed32Cut => Malformed(Truncated),
    /// A message ends within a fixed-width value of 8 bytes.
    Fixed64Cut => Malformed(Truncated),
    /// An index has 11 bytes, the last of which are zero bits.
    IndexOfElevenBytes => Malformed(VarintOverflow),
    /// An index has bit 64 set, and is right without it.
    IndexBit64 => Malformed(VarintOverflow),
    /// The length of data has bit 64 set, and is right without it.
    LengthBit64 => Malformed(VarintOverflow),
    /// A tag has bit 64 set, and is right without it.
    TagBit64 => Malformed(VarintOverflow),

    // Tags (D7).
    /// A field has the number 0.
    FieldZero => Malformed(FieldNumber),
    /// A field has the number 2^29 + 3, which is 3 in 29 bits.
    FieldWraps29 => Malformed(FieldNumber),
    /// A field has the number 2^32 + 3, which is 3 in 32 bits.
    FieldWraps32 => Malformed(FieldNumber),
    /// A field has wire type 6.
    WireTypeSix => Malformed(WireType),
    /// A field has wire type 7.
    WireTypeSeven => Malformed(WireType),

    // Lengths (D8).
    /// The length of the last field of a message is one more than there is.
    LengthPastEnd => Malformed(LengthOutOfBounds),
    /// The data of a user record goes beyond the end of its record, but not of the body.
    DataPastRecord => Malformed(LengthOutOfBounds),
    /// The length of data is 2^31, negative in 32 bits.
    LengthNegative32 => Malformed(LengthOutOfBounds),
    /// The length of data is too large by 2^32, and right in 32 bits.
    LengthWraps32 => Malformed(LengthOutOfBounds),
    /// The length of data is 2^64 - 1, which is -1 in 64 bits.
    LengthNegative64 => Malformed(LengthOutOfBounds),

    // Groups (D9).
    /// A group end has no beginning.
    GroupEndAlone => Malformed(UnmatchedGroupEnd),
    /// A group ends with another number than it begins with.
    GroupEndOfOther => Malformed(UnmatchedGroupEnd),
    /// The outer one of two groups ends first.
    GroupsCrossed => Malformed(UnmatchedGroupEnd),
    /// A group does not end.
    GroupOpen => Malformed(UnterminatedGroup),
    /// A group begins in a user record and ends after it.
    GroupEndsOutside => Malformed(UnterminatedGroup),
    /// Groups are nested 101 deep.
    GroupsTooDeep => Malformed(GroupsTooDeep),

    // Text (D12).
    /// A partition key contains a byte that UTF-8 never has.
    KeyByteInvalid => Malformed(InvalidUtf8),
    /// A partition key contains an over-long form of a character.
    KeyOverLong => Malformed(InvalidUtf8),
    /// A partition key contains one half of a surrogate pair.
    KeySurrogate => Malformed(InvalidUtf8),
    /// A partition key contains a character above U+10FFFF.
    KeyAboveUnicode => Malformed(InvalidUtf8),
    /// A partition key ends within a character.
    KeyCharacterCut => Malformed(InvalidUtf8),
    /// A partition key that no user record uses is not UTF-8.
    UnusedKeyInvalid => Malformed(InvalidUtf8),
    /// An explicit hash key is not UTF-8.
    ExplicitHashKeyInvalid => Malformed(InvalidUtf8),
    /// The key of a tag is not UTF-8.
    TagKeyInvalid => Malformed(InvalidUtf8),
    /// The value of a tag is not UTF-8.
    TagValueInvalid => Malformed(InvalidUtf8),
    /// The key of a tag is not UTF-8, but a valid one overrides it.
    OverriddenTagKeyInvalid => Malformed(InvalidUtf8),

    // Required fields (D4, D5).
    /// A user record has no fields.
    RecordEmpty => Malformed(MissingPartitionKeyIndex),
    /// A user record has no partition key index.
    IndexMissing => Malformed(MissingPartitionKeyIndex),
    /// The partition key index is a fixed-width value, which is another field.
    IndexFixed64 => Malformed(MissingPartitionKeyIndex),
    /// The partition key index is inside a group, which is another field.
    IndexInGroup => Malformed(MissingPartitionKeyIndex),
    /// A user record has no data.
    DataMissing => Malformed(MissingData),
    /// The data is a varint, which is another field.
    DataVarint => Malformed(MissingData),
    /// The data is inside a group, which is another field.
    DataInGroup => Malformed(MissingData),
    /// A tag has no fields.
    TagEmpty => Malformed(MissingTagKey),
    /// A tag has a value, but no key.
    TagKeyMissing => Malformed(MissingTagKey),
    /// The key of a tag is a varint, which is another field.
    TagKeyVarint => Malformed(MissingTagKey),

    // Indexes (D11).
    /// A partition key index is one too large.
    IndexPastTable => Malformed(PartitionKeyIndexOutOfRange),
    /// A partition key index occurs twice, and the second one, which counts, is too large.
    LastIndexPastTable => Malformed(PartitionKeyIndexOutOfRange),
    /// A partition key index is too large by 2^32, and right in 32 bits.
    IndexWraps32 => Malformed(PartitionKeyIndexOutOfRange),
    /// A partition key index is 2^64 - 1, which is -1 in 64 bits.
    IndexNegative => Malformed(PartitionKeyIndexOutOfRange),
    /// An explicit hash key index is one too large, or there is no table.
    ExplicitIndexPastTable => Malformed(ExplicitHashKeyIndexOutOfRange),
    /// An explicit hash key index occurs twice, and the second one, which counts, is too large.
    LastExplicitIndexPastTable => Malformed(ExplicitHashKeyIndexOutOfRange),
    /// An explicit hash key index is too large by 2^32, and right in 32 bits.
    ExplicitIndexWraps32 => Malformed(ExplicitHashKeyIndexOutOfRange),
    /// An explicit hash key index is 2^64 - 1, which is -1 in 64 bits.
    ExplicitIndexNegative => Malformed(ExplicitHashKeyIndexOutOfRange),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}
