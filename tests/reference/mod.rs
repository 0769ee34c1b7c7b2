//! The decoder's executable specification: slow, readable, and without a line in common with `src/`.
//!
//! It says what `docs/wire-format.md` says, in the simplest Rust there is. Every function cites the rule that
//! it carries out. The tests compare the crate's decoder with it: a mistake would have to be made twice.
//!
//! It works in three steps, a file each:
//!
//! 1. this file takes off the frame: magic, length, digest (D1, D2);
//! 2. `fields` splits the bytes of a message into its fields, whatever they mean (D6 to D9);
//! 3. `messages` gives the fields their meaning, and then looks up the indexes (D4, D5, D10 to D17).
//!
//! Decisions that the table of rules leaves open are made here as follows.
//!
//! | where | decision |
//! |---|---|
//! | checks | magic, then length, then digest, then body |
//! | tag | the field number is judged before the wire type; the offset is always the tag's start |
//! | varint | its message ends within ten bytes: `Truncated`, otherwise `VarintOverflow`; both at its start |
//! | fixed-width value | `Truncated` at the start of the value, after its tag |
//! | length | a bad varint, or past the message: both at the length's start |
//! | field in a group | ends with the message that the group stands in; its bytes are not looked into |
//! | group end | not the number of the innermost open group, or none open: `UnmatchedGroupEnd` at its tag |
//! | end of the message | groups still open: `UnterminatedGroup` at the tag of the outermost one |
//! | group depth | `GroupsTooDeep` at the tag of the 101st open; each message counts anew from 0 |
//! | known number, other wire type | an unknown field; a group numbered 1 is skipped like any other |
//! | UTF-8 | checked in each occurrence, also in those that a later one overrides |
//! | missing field | found at the end of its message, reported at that message's tag; index before data |
//! | order of faults | structural ones as met from front to back, then index faults in record order |
//! | index fault | partition key before explicit hash key; at the last value, after its tag |

#![expect(
    clippy::indexing_slicing,
    reason = "the specification is written to be obvious; a panic in it fails a test, as it should"
)]

mod fields;
mod messages;
#[cfg(test)]
mod tests;

/// The first four bytes of an aggregated record.
const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];

/// The length of the MD5 digest that ends an aggregated record.
const DIGEST_LEN: usize = 16;

/// A user record, with its keys looked up.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SpecRecord {
    /// The entry of the partition key table.
    pub partition_key: String,
    /// The entry of the explicit hash key table, if the user record has one (D13), as it is written (D14).
    pub explicit_hash_key: Option<String>,
    /// The data, never expanded a second time (D16).
    pub data: Vec<u8>,
    /// Keys and values of the tags, in wire order.
    pub tags: Vec<(String, Option<String>)>,
}

/// The verdict on a payload.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Not an aggregated record: to be handed on as it came.
    Plain(Reason),
    /// An aggregated record, perhaps of no user records at all (D15).
    ///
    /// The position of a user record is its sub-sequence number (D17).
    Aggregated(Vec<SpecRecord>),
}

/// The reason why a payload is plain.
#[derive(Debug, PartialEq)]
pub(crate) enum Reason {
    /// It does not start with the magic (D1).
    NoMagic,
    /// It has no room for a body of one byte (D1).
    TooShort,
    /// It does not end with the MD5 of its body (D2).
    DigestMismatch,
    /// Its body is not a valid message (D3).
    Malformed {
        /// The fault in the body.
        fault: Fault,
        /// Where: counted from the payload's first byte (D18).
        offset: usize,
    },
}

/// A fault in a body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// A varint or fixed-width value ends with its message (D6).
    Truncated,
    /// A varint holds more than 64 bits or takes more than ten bytes (D6).
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

/// A fault and its offset: how the steps below this file say that a body is malformed.
#[derive(Clone, Copy)]
struct Malformed {
    fault: Fault,
    offset: usize,
}

impl Fault {
    fn at(self, offset: usize) -> Malformed {
        Malformed { fault: self, offset }
    }
}

/// Says what a payload is: D1 and D2, then D3 by [`specify_body`].
pub(crate) fn specify(payload: &[u8]) -> Verdict {
    if !payload.starts_with(&MAGIC) {
        return Verdict::Plain(Reason::NoMagic);
    }
    if payload.len() <= MAGIC.len() + DIGEST_LEN {
        return Verdict::Plain(Reason::TooShort);
    }
    let (body, digest) = payload[MAGIC.len()..].split_at(payload.len() - MAGIC.len() - DIGEST_LEN);
    if digest != md5::compute(body).0 {
        return Verdict::Plain(Reason::DigestMismatch);
    }
    specify_body(body)
}

/// Says what a payload with this body and the right frame is (D3).
///
/// An empty body is a valid message of no user records, though no payload can hold one (D1).
pub(crate) fn specify_body(body: &[u8]) -> Verdict {
    // With the magic before the body, an index into the bytes is an offset by D18.
    let payload = [&MAGIC, body].concat();
    match messages::aggregated_record(&payload) {
        Ok(records) => Verdict::Aggregated(records),
        Err(Malformed { fault, offset }) => Verdict::Plain(Reason::Malformed { fault, offset }),
    }
}
