//! Valid aggregates and broken ones.

use alloc::vec::Vec;

use crate::frame::{DIGEST_SIZE, FRAME_SIZE, MAGIC, PlainReason};
use crate::md5::Md5;
use crate::message::UserRecord;
use crate::testing::body::Builder;
use crate::testing::choices::Choices;
use crate::testing::flaw::Flaw;
use crate::testing::owned::OwnedUserRecord;
use crate::testing::piece::Piece;

/// An aggregated record, spelled in one of the ways that the format allows, and the user records that it must give.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidAggregate {
    /// The aggregated record.
    pub payload: Vec<u8>,
    /// Its user records.
    pub records: Vec<OwnedUserRecord>,
}

impl ValidAggregate {
    /// Spells user records as some bytes choose, each byte for one choice: how often something is odd, the order of the
    /// fields, unknown fields and groups, keys that stand in a table twice or for nobody, varints of more bytes than
    /// they need, fields that are given again and count only then.
    ///
    /// Without choices, or where all are 0, the payload is what the KPL writes. It would not write one of no user records:
    /// that has a key which nobody uses. The keys may be any text: what a
    /// producer may send is found out by [`UserRecord::validate`].
    #[must_use]
    pub fn new(records: Vec<OwnedUserRecord>, choices: &[u8]) -> Self {
        let mut builder = Builder::new(Choices::new(choices), None);
        let payload = framed(&builder.body(&records).bytes);
        Self { payload, records }
    }

    /// Lends the user records, with their sub-sequence numbers: just what the payload must decode to.
    pub fn user_records(&self) -> impl Iterator<Item = UserRecord<'_>> {
        (0..).zip(&self.records).map(|(place, record)| {
            let mut record = record.as_user_record();
            record.sub_sequence_number = place;
            record
        })
    }
}

/// An aggregated record that was valid but for one flaw, and the verdict that it must get.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokenAggregate {
    /// The aggregated record.
    pub payload: Vec<u8>,
    /// What is wrong with it.
    pub flaw: Flaw,
    /// Why it is plain: for a malformed body with the kind of fault, and where.
    pub reason: PlainReason,
}

impl BrokenAggregate {
    /// Spells user records as [`ValidAggregate::new`] does, and breaks the aggregate. The choices also decide where.
    ///
    /// A flaw that needs a user record, a tag or an explicit hash key is given one.
    #[must_use]
    pub fn new(flaw: Flaw, records: &[OwnedUserRecord], choices: &[u8]) -> Self {
        let mut builder = Builder::new(Choices::new(choices), Some(flaw));
        let Piece { bytes: body, fault } = builder.body(records);
        let offset = MAGIC.len().saturating_add(fault.unwrap_or(0));
        let payload = break_frame(flaw, &body, &mut builder.speller.choices);
        Self { payload, flaw, reason: flaw.reason(offset) }
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&MAGIC, body, &Md5::digest(body)].concat()
}

/// Frames a body, with the flaw if it is one of the frame.
fn break_frame(flaw: Flaw, body: &[u8], choices: &mut Choices<'_>) -> Vec<u8> {
    let mut digest = Md5::digest(body);
    match flaw {
        Flaw::DigestOfMagicToo => digest = Md5::digest(&[&MAGIC, body].concat()),
        // The body twice is a body as well (D10).
        Flaw::DigestOfOtherBody => digest = Md5::digest(&body.repeat(2)),
        Flaw::DigestReversed => digest.reverse(),
        Flaw::DigestBitFlipped => flip_a_bit(&mut digest, 0, DIGEST_SIZE, choices),
        Flaw::BodyEmpty => return framed(b""),
        _ => {}
    }
    let mut payload = [&MAGIC, body, &digest].concat();
    match flaw {
        Flaw::MagicBitFlipped => flip_a_bit(&mut payload, 0, MAGIC.len(), choices),
        Flaw::MagicCut => payload.truncate(choices.below(MAGIC.len())),
        Flaw::ByteBeforeMagic => payload.insert(0, 0),
        Flaw::CutToTwenty => payload.truncate(FRAME_SIZE.saturating_sub(choices.below(17))),
        Flaw::EndCut => {
            // One byte more than the frame has stays: with fewer it is too short.
            let most = body.len().saturating_sub(1);
            let missing = choices.below(most).saturating_add(1);
            payload.truncate(payload.len().saturating_sub(missing));
        }
        Flaw::ByteAfterDigest => payload.push(0),
        Flaw::BodyBitFlipped => flip_a_bit(&mut payload, MAGIC.len(), body.len(), choices),
        _ => {}
    }
    payload
}

/// Flips a bit in one of the `len` bytes from `from` on.
fn flip_a_bit(bytes: &mut [u8], from: usize, len: usize, choices: &mut Choices<'_>) {
    let at = from.saturating_add(choices.below(len));
    let bit = 1u8.checked_shl(u32::try_from(choices.below(8)).unwrap_or(0)).unwrap_or(1);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= bit;
    }
}
