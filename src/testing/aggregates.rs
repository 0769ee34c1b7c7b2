//! User records, valid aggregates and broken ones.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Flaw;
use super::body::Builder;
use super::spelling::{Piece, Speller};
use crate::frame::{DIGEST_SIZE, FRAME_SIZE, MAGIC, PlainReason};
use crate::md5::Md5;
use crate::message::{RecordTag, Tags, UserRecord};
use crate::wire::Reader;

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

    pub(super) fn set_tags<'t>(&mut self, tags: impl IntoIterator<Item = RecordTag<'t>>) {
        self.tags = tags.into_iter().collect();
    }
}

impl From<UserRecord<'_>> for OwnedUserRecord {
    fn from(record: UserRecord<'_>) -> Self {
        Self {
            partition_key: record.partition_key.to_owned(),
            explicit_hash_key: record.explicit_hash_key.map(str::to_owned),
            data: record.data.to_vec(),
            tags: record.tags.collect(),
        }
    }
}

/// Tags in their encoded form, because [`Tags`] can borrow that without a list of [`RecordTag`]s.
#[derive(Clone, Default, PartialEq, Eq)]
struct OwnedTags {
    fields: Vec<u8>,
    count: usize,
}

impl OwnedTags {
    fn as_tags(&self) -> Tags<'_> {
        Tags::encoded(Reader::new(&self.fields, 0), self.count)
    }
}

impl<'t> FromIterator<RecordTag<'t>> for OwnedTags {
    fn from_iter<I: IntoIterator<Item = RecordTag<'t>>>(tags: I) -> Self {
        let mut speller = Speller::new(&[]);
        let mut owned = Self::default();
        for tag in tags {
            let key = speller.bytes_field(1, tag.key);
            let value = tag.value.map_or_else(Piece::default, |value| speller.bytes_field(2, value));
            owned.fields.extend(speller.bytes_field(4, key.then(value)).bytes);
            owned.count += 1;
        }
        owned
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
        let body = Builder::new(choices, None).body(&records);
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
    /// What is wrong with it.
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
        let mut builder = Builder::new(choices, Some(flaw));
        let body = builder.body(records);
        let payload = break_frame(flaw, &body.bytes, &mut builder.speller);
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
