//! Generates payloads to test readers with, and states what each must decode to (features `arbitrary` and `proptest`).
//!
//! - [`OwnedUserRecord`]: a user record that a producer may send.
//! - [`ValidAggregate`]: an aggregate in any form that the format allows, with the user records in it.
//! - [`BrokenAggregate`]: an aggregate with one [`Flaw`], with the reason for which it is plain.
//!
//! Aggregates are made from a list of user records and a list of *choices*, bytes that decide how something is encoded.
//! Without choices, everything is encoded as the KPL does.
//!
//! ```
//! use kinesis_aggregation::testing::{BrokenAggregate, Flaw, ValidAggregate};
//! use kinesis_aggregation::{UserRecord, deaggregate};
//!
//! let records = vec![UserRecord::new("device-7", b"21.5").into()];
//! let valid = ValidAggregate::new(records.clone(), &[3, 250, 1, 0, 200]);
//! assert!(deaggregate(&valid.payload[..]).eq(valid.user_records()));
//!
//! let broken = BrokenAggregate::new(Flaw::IndexWraps32, &records, &[]);
//! assert_eq!(deaggregate(&broken.payload[..]).plain_reason(), Some(broken.reason));
//! ```
//!
//! The guide on testing shows how to use them with fuzzers and property tests.

#[cfg(feature = "arbitrary")]
mod arbitrary;
mod body;
mod flaw;
#[cfg(feature = "proptest")]
mod proptest;
mod spelling;

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use self::spelling::Speller;
use crate::frame::{DIGEST_SIZE, FRAME_SIZE, MAGIC, PlainReason};
use crate::md5::Md5;
use crate::message::{RecordTag, Tags, UserRecord};
use crate::wire::{Reader, Writer};

pub use self::flaw::Flaw;
#[cfg(feature = "proptest")]
pub use self::proptest::{broken_aggregates, user_records, valid_aggregates};

/// A user record that owns its keys, data and tags. It is made from a [`UserRecord`].
///
/// ```
/// use kinesis_aggregation::testing::OwnedUserRecord;
/// use kinesis_aggregation::UserRecord;
/// use kinesis_aggregation::decode::RecordTag;
///
/// let tags = [RecordTag { key: "unit", value: Some("°C") }];
/// let record = UserRecord::new("device-7", b"21.5").with_explicit_hash_key("0").with_tags(&tags);
/// assert_eq!(OwnedUserRecord::from(record).as_user_record(), record);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnedUserRecord {
    /// The partition key.
    pub partition_key: String,
    /// The explicit hash key, if there is one.
    pub explicit_hash_key: Option<String>,
    /// The data.
    pub data: Vec<u8>,
    tags: OwnedTags,
}

impl OwnedUserRecord {
    /// Borrows the user record. Its sub-sequence number is 0.
    #[must_use]
    pub fn as_user_record(&self) -> UserRecord<'_> {
        let mut record = UserRecord::new(&self.partition_key, &self.data);
        record.explicit_hash_key = self.explicit_hash_key.as_deref();
        record.tags = self.tags.as_tags();
        record
    }

    fn set_tags(&mut self, tags: &[RecordTag<'_>]) {
        self.tags = Tags::given(tags).into();
    }
}

impl From<UserRecord<'_>> for OwnedUserRecord {
    fn from(record: UserRecord<'_>) -> Self {
        Self {
            partition_key: record.partition_key.to_owned(),
            explicit_hash_key: record.explicit_hash_key.map(str::to_owned),
            data: record.data.to_vec(),
            tags: record.tags.into(),
        }
    }
}

/// Tags in their encoded form, because [`Tags`] can borrow that without a list of [`RecordTag`]s.
#[derive(Clone, PartialEq, Eq)]
struct OwnedTags {
    fields: Vec<u8>,
    count: usize,
}

impl OwnedTags {
    fn as_tags(&self) -> Tags<'_> {
        Tags::encoded(Reader::new(&self.fields, 0), self.count)
    }
}

impl From<Tags<'_>> for OwnedTags {
    fn from(tags: Tags<'_>) -> Self {
        let mut fields = vec![0; tags.encoded_len()];
        let written = tags.write(&mut Writer::new(&mut fields, 0));
        debug_assert_eq!(written, Ok(()));
        Self { fields, count: tags.len() }
    }
}

impl fmt::Debug for OwnedTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_tags().fmt(f)
    }
}

/// A valid aggregate, encoded in one of the ways that the format allows, and the user records that it decodes to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidAggregate {
    /// The aggregate.
    pub payload: Vec<u8>,
    /// Its user records.
    pub records: Vec<OwnedUserRecord>,
}

impl ValidAggregate {
    /// Encodes user records as some bytes choose.
    ///
    /// Each byte decides one thing: how often something is odd, the order of the fields, whether there is an unknown
    /// field or group, a key that is in its table twice or unused, a varint with more bytes than it needs, or a field
    /// that a later one overrides. If there are no bytes, or all are 0, the payload is what the KPL would write; without
    /// user records, it has one unused key.
    ///
    /// Keys may be any text. [`UserRecord::validate`] checks whether a producer may send them.
    #[must_use]
    pub fn new(records: Vec<OwnedUserRecord>, choices: &[u8]) -> Self {
        let body = Speller::new(choices).body(&records, None);
        Self { payload: frame(&body.bytes, &Md5::digest(&body.bytes)), records }
    }

    /// Returns exactly what the payload decodes to: its user records, with their sub-sequence numbers.
    pub fn user_records(&self) -> impl Iterator<Item = UserRecord<'_>> {
        (0..).zip(&self.records).map(|(number, record)| {
            let mut record = record.as_user_record();
            record.sub_sequence_number = number;
            record
        })
    }
}

/// An aggregate with exactly one flaw, and the reason for which it is plain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokenAggregate {
    /// The payload.
    pub payload: Vec<u8>,
    /// The flaw.
    pub flaw: Flaw,
    /// The reason that decoding must give: for a malformed body, with the kind of error and its offset.
    pub reason: PlainReason,
}

impl BrokenAggregate {
    /// Encodes user records as [`ValidAggregate::new`] does, with one flaw. The bytes also choose where it goes.
    ///
    /// If the flaw needs a user record, a tag or an explicit hash key, one is added.
    #[must_use]
    pub fn new(flaw: Flaw, records: &[OwnedUserRecord], choices: &[u8]) -> Self {
        let mut speller = Speller::new(choices);
        let body = speller.body(records, Some(flaw));
        let payload = break_frame(flaw, &body.bytes, &mut speller);
        Self { payload, flaw, reason: flaw.reason(MAGIC.len() + body.fault.unwrap_or(0)) }
    }
}

fn frame(body: &[u8], digest: &[u8]) -> Vec<u8> {
    [&MAGIC, body, digest].concat()
}

/// Frames a body, with the flaw if it is one of the frame.
fn break_frame(flaw: Flaw, body: &[u8], speller: &mut Speller<'_>) -> Vec<u8> {
    let mut digest = Md5::digest(body);
    match flaw {
        Flaw::DigestOfMagicToo => digest = Md5::digest(&[&MAGIC, body].concat()),
        // A body that is repeated is valid, too (D10).
        Flaw::DigestOfOtherBody => digest = Md5::digest(&body.repeat(2)),
        Flaw::DigestReversed => digest.reverse(),
        Flaw::DigestBitFlipped => flip_a_bit(&mut digest, 0, DIGEST_SIZE, speller),
        Flaw::BodyEmpty => return frame(b"", &Md5::digest(b"")),
        _ => {}
    }
    let mut payload = frame(body, &digest);
    match flaw {
        Flaw::MagicBitFlipped => flip_a_bit(&mut payload, 0, MAGIC.len(), speller),
        Flaw::MagicCut => payload.truncate(speller.below(MAGIC.len())),
        Flaw::ByteBeforeMagic => payload.insert(0, 0),
        Flaw::CutToTwenty => payload.truncate(FRAME_SIZE - speller.below(17)),
        // At least one byte more than a frame is left, or it would be too short.
        Flaw::EndCut => payload.truncate(payload.len() - 1 - speller.below(body.len() - 1)),
        Flaw::ByteAfterDigest => payload.push(0),
        Flaw::BodyBitFlipped => flip_a_bit(&mut payload, MAGIC.len(), body.len(), speller),
        _ => {}
    }
    payload
}

/// Flips one bit of the `len` bytes at `from`.
fn flip_a_bit(bytes: &mut [u8], from: usize, len: usize, speller: &mut Speller<'_>) {
    let at = from + speller.below(len);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << speller.below(8);
    }
}

/// Partition keys that recur, so that user records of an aggregate share them.
const PARTITION_KEYS: &[&str] = &["a", "b", "0", "device-7", "clé", "漢字", "🚀", "a\0b"];

/// Hash keys at the bounds of the whole range, of a shard of two, and of 64 bits.
const HASH_KEYS: &[&str] = &[
    "0",
    "1",
    "18446744073709551616",
    "170141183460469231731687303715884105727",
    "170141183460469231731687303715884105728",
    "340282366920938463463374607431768211455",
];

/// Explicit hash keys that no producer may send, but that are decoded as they are (D14).
const INVALID_HASH_KEYS: &[&str] =
    &["", "007", "abc", "+5", "-1", " 5", "340282366920938463463374607431768211456"];

/// Lengths at which the varint of a length grows, and their neighbours.
const LENGTHS: &[usize] = &[127, 128, 129, 16_383, 16_384];

/// Makes a partition key that a producer may send (E5).
fn partition_key(characters: impl IntoIterator<Item = char>) -> String {
    let mut key: String = characters.into_iter().take(256).collect();
    if key.is_empty() {
        key.push('a');
    }
    key
}
