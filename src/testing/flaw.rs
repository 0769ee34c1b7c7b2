//! Each way to break an aggregate, and what is then found.

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
        /// A subtle way to break an aggregated record: it has no other fault, and what this one leads to is known.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Flaw {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Flaw {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// What is wrong, in a sentence.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// The reason why a payload with this flaw is plain. `offset` counts where there is one.
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
    /// A byte stands before the magic.
    ByteBeforeMagic => NoMagic,
    /// There is no body: the digest, that of nothing, follows the magic.
    BodyEmpty => TooShort,
    /// The payload is cut off after 4 to 20 bytes.
    CutToTwenty => TooShort,
    /// The last bytes are missing.
    EndCut => DigestMismatch,
    /// A byte stands after the digest.
    ByteAfterDigest => DigestMismatch,
    /// One bit of the digest is flipped.
    DigestBitFlipped => DigestMismatch,
    /// One bit of the body is flipped.
    BodyBitFlipped => DigestMismatch,
    /// The digest is that of magic and body.
    DigestOfMagicToo => DigestMismatch,
    /// The digest is that of another body.
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
    /// An index takes 11 bytes, the last ones zeros.
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
    /// The data of a user record reaches past the end of its record, but not of the body.
    DataPastRecord => Malformed(LengthOutOfBounds),
    /// The length of data is 2^31, negative in 32 bits.
    LengthNegative32 => Malformed(LengthOutOfBounds),
    /// The length of data is more by 2^32, and is right in 32 bits.
    LengthWraps32 => Malformed(LengthOutOfBounds),
    /// The length of data is 2^64 - 1, which is -1 in 64 bits.
    LengthNegative64 => Malformed(LengthOutOfBounds),

    // Groups (D9).
    /// A group ends that has not begun.
    GroupEndAlone => Malformed(UnmatchedGroupEnd),
    /// A group ends with another number than it begins with.
    GroupEndOfOther => Malformed(UnmatchedGroupEnd),
    /// Of two groups the outer one ends first.
    GroupsCrossed => Malformed(UnmatchedGroupEnd),
    /// A group does not end.
    GroupOpen => Malformed(UnterminatedGroup),
    /// A group begins in a user record and ends after it.
    GroupEndsOutside => Malformed(UnterminatedGroup),
    /// Of 101 groups each stands in the one before.
    GroupsTooDeep => Malformed(GroupsTooDeep),

    // Text (D12).
    /// A partition key contains a byte that UTF-8 never has.
    KeyByteInvalid => Malformed(InvalidUtf8),
    /// A partition key contains a character in more bytes than it needs.
    KeyOverLong => Malformed(InvalidUtf8),
    /// A partition key contains half a surrogate pair.
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
    /// The key of a tag is not UTF-8, but is given a second time and is then.
    OverriddenTagKeyInvalid => Malformed(InvalidUtf8),

    // What is required (D4, D5).
    /// A user record has no fields.
    RecordEmpty => Malformed(MissingPartitionKeyIndex),
    /// A user record has no partition key index.
    IndexMissing => Malformed(MissingPartitionKeyIndex),
    /// The partition key index is a fixed-width value, which is another field.
    IndexFixed64 => Malformed(MissingPartitionKeyIndex),
    /// The partition key index stands in a group, which is another field.
    IndexInGroup => Malformed(MissingPartitionKeyIndex),
    /// A user record has no data.
    DataMissing => Malformed(MissingData),
    /// The data is a varint, which is another field.
    DataVarint => Malformed(MissingData),
    /// The data stands in a group, which is another field.
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
    /// A partition key index is given twice, and only the second, which counts, is too large.
    LastIndexPastTable => Malformed(PartitionKeyIndexOutOfRange),
    /// A partition key index is more by 2^32, and is right in 32 bits.
    IndexWraps32 => Malformed(PartitionKeyIndexOutOfRange),
    /// A partition key index is 2^64 - 1, which is -1 in 64 bits.
    IndexNegative => Malformed(PartitionKeyIndexOutOfRange),
    /// An explicit hash key index is one too large, or there is no table.
    ExplicitIndexPastTable => Malformed(ExplicitHashKeyIndexOutOfRange),
    /// An explicit hash key index is given twice, and only the second, which counts, is too large.
    LastExplicitIndexPastTable => Malformed(ExplicitHashKeyIndexOutOfRange),
    /// An explicit hash key index is more by 2^32, and is right in 32 bits.
    ExplicitIndexWraps32 => Malformed(ExplicitHashKeyIndexOutOfRange),
    /// An explicit hash key index is 2^64 - 1, which is -1 in 64 bits.
    ExplicitIndexNegative => Malformed(ExplicitHashKeyIndexOutOfRange),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}
