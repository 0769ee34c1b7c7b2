//! The ways to break an aggregate, where each one is, and the reason or error that it causes.

use core::fmt;

use crate::error::DecodeErrorKind;
use crate::frame::PlainReason;

/// The part of an aggregate that has a flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Frame,
    /// Any message, at any place between its fields.
    Message,
    /// Any message, after its last field.
    MessageEnd,
    Record,
    PartitionKeyIndex,
    ExplicitHashKeyIndex,
    Data,
    Tag,
    PartitionKey,
    UnusedKey,
    ExplicitHashKey,
}

macro_rules! flaws {
    (@reason $offset:ident Malformed ($kind:ident)) => {
        PlainReason::Malformed(DecodeErrorKind::$kind.at($offset))
    };
    (@reason $offset:ident $reason:ident) => {
        PlainReason::$reason
    };
    ($($(#[doc = $doc:literal])+ $name:ident in $place:ident => $reason:ident $(($kind:ident))?,)+) => {
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

            pub(super) const fn place(self) -> Place {
                match self {
                    $(Self::$name => Place::$place,)+
                }
            }

            /// Returns the reason for which a payload with this flaw is plain. Only a malformed one has the offset.
            pub(super) const fn reason(self, offset: usize) -> PlainReason {
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
    MagicBitFlipped in Frame => NoMagic,
    /// The payload ends within the magic.
    MagicCut in Frame => NoMagic,
    /// A byte precedes the magic.
    ByteBeforeMagic in Frame => NoMagic,
    /// The body is empty: the digest of no bytes follows the magic.
    BodyEmpty in Frame => TooShort,
    /// The payload is cut off after 4 to 20 bytes.
    CutToTwenty in Frame => TooShort,
    /// The last bytes are missing.
    EndCut in Frame => DigestMismatch,
    /// A byte follows the digest.
    ByteAfterDigest in Frame => DigestMismatch,
    /// One bit of the digest is flipped.
    DigestBitFlipped in Frame => DigestMismatch,
    /// One bit of the body is flipped.
    BodyBitFlipped in Frame => DigestMismatch,
    /// The digest covers the magic and the body.
    DigestOfMagicToo in Frame => DigestMismatch,
    /// The digest belongs to another body.
    DigestOfOtherBody in Frame => DigestMismatch,
    /// The bytes of the digest are in reverse order.
    DigestReversed in Frame => DigestMismatch,

    // Values (D6).
    /// A message ends within a tag.
    TagCut in MessageEnd => Malformed(Truncated),
    /// A message ends within a varint.
    VarintCut in MessageEnd => Malformed(Truncated),
    /// A message ends within a fixed-width value of 4 bytes.
    Fixed32Cut in MessageEnd => Malformed(Truncated),
    /// A message ends within a fixed-width value of 8 bytes.
    Fixed64Cut in MessageEnd => Malformed(Truncated),
    /// An index has 11 bytes, the last of which are zero bits.
    IndexOfElevenBytes in PartitionKeyIndex => Malformed(VarintOverflow),
    /// An index has bit 64 set, and is right without it.
    IndexBit64 in PartitionKeyIndex => Malformed(VarintOverflow),
    /// The length of data has bit 64 set, and is right without it.
    LengthBit64 in Data => Malformed(VarintOverflow),
    /// A tag has bit 64 set, and is right without it.
    TagBit64 in Message => Malformed(VarintOverflow),

    // Tags (D7).
    /// A field has the number 0.
    FieldZero in Message => Malformed(FieldNumber),
    /// A field has the number 2^29 + 3, which is 3 in 29 bits.
    FieldWraps29 in Message => Malformed(FieldNumber),
    /// A field has the number 2^32 + 3, which is 3 in 32 bits.
    FieldWraps32 in Message => Malformed(FieldNumber),
    /// A field has wire type 6.
    WireTypeSix in Message => Malformed(WireType),
    /// A field has wire type 7.
    WireTypeSeven in Message => Malformed(WireType),

    // Lengths (D8).
    /// The length of the last field of a message is one more than there is.
    LengthPastEnd in MessageEnd => Malformed(LengthOutOfBounds),
    /// The data of a user record goes beyond the end of its record, but not of the body.
    DataPastRecord in Record => Malformed(LengthOutOfBounds),
    /// The length of data is 2^31, negative in 32 bits.
    LengthNegative32 in Data => Malformed(LengthOutOfBounds),
    /// The length of data is too large by 2^32, and right in 32 bits.
    LengthWraps32 in Data => Malformed(LengthOutOfBounds),
    /// The length of data is 2^64 - 1, which is -1 in 64 bits.
    LengthNegative64 in Data => Malformed(LengthOutOfBounds),

    // Groups (D9).
    /// A group end has no beginning.
    GroupEndAlone in Message => Malformed(UnmatchedGroupEnd),
    /// A group ends with another number than it begins with.
    GroupEndOfOther in Message => Malformed(UnmatchedGroupEnd),
    /// The outer one of two groups ends first.
    GroupsCrossed in Message => Malformed(UnmatchedGroupEnd),
    /// A group does not end.
    GroupOpen in MessageEnd => Malformed(UnterminatedGroup),
    /// A group begins in a user record and ends after it.
    GroupEndsOutside in Record => Malformed(UnterminatedGroup),
    /// Groups are nested 101 deep.
    GroupsTooDeep in Message => Malformed(GroupsTooDeep),

    // Text (D12).
    /// A partition key contains a byte that UTF-8 never has.
    KeyByteInvalid in PartitionKey => Malformed(InvalidUtf8),
    /// A partition key contains an over-long form of a character.
    KeyOverLong in PartitionKey => Malformed(InvalidUtf8),
    /// A partition key contains one half of a surrogate pair.
    KeySurrogate in PartitionKey => Malformed(InvalidUtf8),
    /// A partition key contains a character above U+10FFFF.
    KeyAboveUnicode in PartitionKey => Malformed(InvalidUtf8),
    /// A partition key ends within a character.
    KeyCharacterCut in PartitionKey => Malformed(InvalidUtf8),
    /// A partition key that no user record uses is not UTF-8.
    UnusedKeyInvalid in UnusedKey => Malformed(InvalidUtf8),
    /// An explicit hash key is not UTF-8.
    ExplicitHashKeyInvalid in ExplicitHashKey => Malformed(InvalidUtf8),
    /// The key of a tag is not UTF-8.
    TagKeyInvalid in Tag => Malformed(InvalidUtf8),
    /// The value of a tag is not UTF-8.
    TagValueInvalid in Tag => Malformed(InvalidUtf8),
    /// The key of a tag is not UTF-8, but a valid one overrides it.
    OverriddenTagKeyInvalid in Tag => Malformed(InvalidUtf8),

    // Required fields (D4, D5).
    /// A user record has no fields.
    RecordEmpty in Record => Malformed(MissingPartitionKeyIndex),
    /// A user record has no partition key index.
    IndexMissing in PartitionKeyIndex => Malformed(MissingPartitionKeyIndex),
    /// The partition key index is a fixed-width value, which is another field.
    IndexFixed64 in PartitionKeyIndex => Malformed(MissingPartitionKeyIndex),
    /// The partition key index is inside a group, which is another field.
    IndexInGroup in PartitionKeyIndex => Malformed(MissingPartitionKeyIndex),
    /// A user record has no data.
    DataMissing in Data => Malformed(MissingData),
    /// The data is a varint, which is another field.
    DataVarint in Data => Malformed(MissingData),
    /// The data is inside a group, which is another field.
    DataInGroup in Data => Malformed(MissingData),
    /// A tag has no fields.
    TagEmpty in Tag => Malformed(MissingTagKey),
    /// A tag has a value, but no key.
    TagKeyMissing in Tag => Malformed(MissingTagKey),
    /// The key of a tag is a varint, which is another field.
    TagKeyVarint in Tag => Malformed(MissingTagKey),

    // Indexes (D11).
    /// A partition key index is one too large.
    IndexPastTable in PartitionKeyIndex => Malformed(PartitionKeyIndexOutOfRange),
    /// A partition key index occurs twice, and the second one, which counts, is too large.
    LastIndexPastTable in PartitionKeyIndex => Malformed(PartitionKeyIndexOutOfRange),
    /// A partition key index is too large by 2^32, and right in 32 bits.
    IndexWraps32 in PartitionKeyIndex => Malformed(PartitionKeyIndexOutOfRange),
    /// A partition key index is 2^64 - 1, which is -1 in 64 bits.
    IndexNegative in PartitionKeyIndex => Malformed(PartitionKeyIndexOutOfRange),
    /// An explicit hash key index is one too large, or there is no table.
    ExplicitIndexPastTable in ExplicitHashKeyIndex => Malformed(ExplicitHashKeyIndexOutOfRange),
    /// An explicit hash key index occurs twice, and the second one, which counts, is too large.
    LastExplicitIndexPastTable in ExplicitHashKeyIndex => Malformed(ExplicitHashKeyIndexOutOfRange),
    /// An explicit hash key index is too large by 2^32, and right in 32 bits.
    ExplicitIndexWraps32 in ExplicitHashKeyIndex => Malformed(ExplicitHashKeyIndexOutOfRange),
    /// An explicit hash key index is 2^64 - 1, which is -1 in 64 bits.
    ExplicitIndexNegative in ExplicitHashKeyIndex => Malformed(ExplicitHashKeyIndexOutOfRange),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}
