//! The user records of Kinesis records: of one, of many, and of many together with the records they came in.

use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;
use core::slice;

use crate::decode::payload::{UserRecords, parse_body};
use crate::decode::{ExtendedSequenceNumber, SequenceNumber};
use crate::frame::{DigestCheck, PlainReason, verify_all};
use crate::message::{Body, Cursor, UserRecord};

/// A record as Kinesis delivers it.
pub trait KinesisRecord {
    /// Returns its data, base64 already decoded: an aggregated record or anything else.
    fn data(&self) -> &[u8];

    /// Returns the partition key it was put with, where it is known.
    fn partition_key(&self) -> Option<&str> {
        None
    }

    /// Returns its sequence number, where it is known.
    fn sequence_number(&self) -> Option<&str> {
        None
    }
}

/// Data alone, without keys and sequence number.
impl KinesisRecord for [u8] {
    fn data(&self) -> &[u8] {
        self
    }
}

impl KinesisRecord for Vec<u8> {
    fn data(&self) -> &[u8] {
        self
    }
}

impl<R: KinesisRecord + ?Sized> KinesisRecord for &R {
    fn data(&self) -> &[u8] {
        (**self).data()
    }

    fn partition_key(&self) -> Option<&str> {
        (**self).partition_key()
    }

    fn sequence_number(&self) -> Option<&str> {
        (**self).sequence_number()
    }
}

/// Deaggregates a Kinesis record: yields its user records, or a plain record itself.
///
/// The keys are allocated, in one allocation; nothing else is.
///
/// ```
/// use kinesis_aggregation::deaggregate;
///
/// let records = [b"one".to_vec(), b"two".to_vec()];
/// let data: Vec<&[u8]> = records.iter().flat_map(deaggregate).map(|user| user.data).collect();
/// assert_eq!(data, [b"one", b"two"]);
/// ```
#[must_use]
pub fn deaggregate<R: KinesisRecord + ?Sized>(record: &R) -> Deaggregated<'_> {
    Deaggregated::new(record, parse_body(record.data(), DigestCheck::Verify))
}

/// The user records of one Kinesis record, or the record itself where it is plain.
#[derive(Clone)]
pub struct Deaggregated<'a> {
    source: Source<'a>,
}

#[derive(Clone)]
enum Source<'a> {
    Aggregated { cursor: Cursor<'a>, keys: Vec<&'a str> },
    Plain { record: Option<UserRecord<'a>>, reason: PlainReason },
}

impl<'a> Deaggregated<'a> {
    fn new<R: KinesisRecord + ?Sized>(record: &'a R, body: Result<Body<'a>, PlainReason>) -> Self {
        let source = match body {
            Ok(body) => Source::Aggregated { cursor: body.cursor(), keys: body.collect_keys() },
            Err(reason) => {
                let partition_key = record.partition_key().unwrap_or_default();
                Source::Plain { record: Some(UserRecord::new(partition_key, record.data())), reason }
            }
        };
        Self { source }
    }

    /// Returns why the record is plain, or `None` for an aggregated record.
    #[must_use]
    pub const fn plain_reason(&self) -> Option<PlainReason> {
        match self.source {
            Source::Plain { reason, .. } => Some(reason),
            Source::Aggregated { .. } => None,
        }
    }
}

impl<'a> Iterator for Deaggregated<'a> {
    type Item = UserRecord<'a>;

    fn next(&mut self) -> Option<UserRecord<'a>> {
        match &mut self.source {
            Source::Aggregated { cursor, keys } => cursor.next(keys),
            Source::Plain { record, .. } => record.take(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.source {
            Source::Aggregated { cursor, .. } => (cursor.remaining, Some(cursor.remaining)),
            Source::Plain { record, .. } => record.iter().size_hint(),
        }
    }
}

impl ExactSizeIterator for Deaggregated<'_> {}
impl FusedIterator for Deaggregated<'_> {}

/// Lists the user records that are left.
impl fmt::Debug for Deaggregated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left: &dyn fmt::Debug = match &self.source {
            Source::Aggregated { cursor, keys } => &UserRecords { cursor: *cursor, keys },
            Source::Plain { record, .. } => &record.as_slice(),
        };
        f.debug_struct("Deaggregated")
            .field("plain_reason", &self.plain_reason())
            .field("user_records", left)
            .finish()
    }
}

/// The number of digests that are verified before the first of their records is parsed: twice the largest number that is
/// computed side by side, so that few lanes run empty at the end.
const AHEAD: usize = 64;

/// Deaggregates many Kinesis records: those of a GetRecords answer, of a Lambda event, of any slice.
///
/// Yields for each of them, in order, what [`deaggregate`](crate::deaggregate) returns for it. This is faster, since the
/// digests of up to 64 records are computed together; [`Md5::digest_each`](crate::decode::Md5::digest_each) says by how much.
///
/// ```
/// use kinesis_aggregation::decode::deaggregate_all;
///
/// let records = [b"one".to_vec(), b"two".to_vec()];
/// let data: Vec<&[u8]> = deaggregate_all(&records).flatten().map(|user| user.data).collect();
/// assert_eq!(data, [b"one", b"two"]);
/// ```
pub fn deaggregate_all<R: KinesisRecord>(records: &[R]) -> DeaggregatedBatch<'_, R> {
    DeaggregatedBatch { records: records.iter(), verdicts: [Ok(()); AHEAD], verified: 0 }
}

/// The user records of many Kinesis records: one item for each Kinesis record, in order.
#[derive(Clone)]
#[must_use]
pub struct DeaggregatedBatch<'r, R> {
    records: slice::Iter<'r, R>,
    /// The first `verified` of these are the verdicts on the next records, in reverse order.
    verdicts: [Result<(), PlainReason>; AHEAD],
    verified: usize,
}

impl<'r, R: KinesisRecord> Iterator for DeaggregatedBatch<'r, R> {
    type Item = Deaggregated<'r>;

    fn next(&mut self) -> Option<Deaggregated<'r>> {
        if self.verified == 0 {
            self.verified = self.records.len().min(AHEAD);
            let verdicts = self.verdicts.get_mut(..self.verified)?;
            verify_all(self.records.clone().map(KinesisRecord::data), verdicts);
            verdicts.reverse();
        }
        let record = self.records.next()?;
        self.verified -= 1;
        let verdict = self.verdicts.get(self.verified).copied()?;
        Some(Deaggregated::new(record, verdict.and_then(|()| parse_body(record.data(), DigestCheck::Skip))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

impl<R: KinesisRecord> ExactSizeIterator for DeaggregatedBatch<'_, R> {}
impl<R: KinesisRecord> FusedIterator for DeaggregatedBatch<'_, R> {}

impl<R> fmt::Debug for DeaggregatedBatch<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeaggregatedBatch").field("records_left", &self.records.len()).finish()
    }
}

/// Kinesis records as a service delivers them: a slice, or the type that contains one.
///
/// With the features `aws-sdk-kinesis` and `lambda-events`, it is implemented for the SDK's GetRecords output, for Lambda's
/// events, and for each of their records.
pub trait KinesisRecords {
    /// The type of a record.
    type Record: KinesisRecord;

    /// Returns the records, in order.
    fn records(&self) -> &[Self::Record];
}

impl<R: KinesisRecord> KinesisRecords for [R] {
    type Record = R;

    fn records(&self) -> &[R] {
        self
    }
}

impl<R: KinesisRecord, const N: usize> KinesisRecords for [R; N] {
    type Record = R;

    fn records(&self) -> &[R] {
        self
    }
}

impl<R: KinesisRecord> KinesisRecords for Vec<R> {
    type Record = R;

    fn records(&self) -> &[R] {
        self
    }
}

impl<B: KinesisRecords + ?Sized> KinesisRecords for &B {
    type Record = B::Record;

    fn records(&self) -> &[B::Record] {
        (**self).records()
    }
}

/// Deaggregates many Kinesis records, and yields each user record together with the Kinesis record it came in.
///
/// A plain record yields itself; an aggregate without user records yields nothing. The order and the speed are those of
/// [`deaggregate_all`].
///
/// ```
/// use kinesis_aggregation::iter_deaggregate_records;
///
/// let records = [b"one".to_vec(), b"two".to_vec()];
/// for sourced in iter_deaggregate_records(&records) {
///     assert!(!sourced.aggregated());
///     assert_eq!(sourced.user.data, sourced.record);
/// }
/// ```
pub fn iter_deaggregate_records<B: KinesisRecords + ?Sized>(batch: &B) -> SourcedRecords<'_, B::Record> {
    let records = batch.records();
    SourcedRecords { records: records.iter(), deaggregated: deaggregate_all(records), current: None }
}

/// The user records of many Kinesis records, each together with the Kinesis record it came in.
#[derive(Clone)]
#[must_use]
pub struct SourcedRecords<'r, R> {
    /// The records that `deaggregated` has not yielded yet.
    records: slice::Iter<'r, R>,
    deaggregated: DeaggregatedBatch<'r, R>,
    current: Option<(&'r R, Deaggregated<'r>)>,
}

impl<'r, R: KinesisRecord> Iterator for SourcedRecords<'r, R> {
    type Item = SourcedRecord<'r, R>;

    fn next(&mut self) -> Option<SourcedRecord<'r, R>> {
        loop {
            if let Some((record, users)) = &mut self.current {
                let plain_reason = users.plain_reason();
                if let Some(user) = users.next() {
                    return Some(SourcedRecord { record, user, plain_reason });
                }
            }
            self.current = Some((self.records.next()?, self.deaggregated.next()?));
        }
    }
}

impl<R: KinesisRecord> FusedIterator for SourcedRecords<'_, R> {}

impl<R> fmt::Debug for SourcedRecords<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourcedRecords")
            .field("current", &self.current.as_ref().map(|(_, users)| users))
            .field("records_left", &self.records.len())
            .finish()
    }
}

/// A user record together with the Kinesis record it came in.
///
/// The Kinesis record has the metadata: sequence number, arrival time, event id and so on. Nothing is
/// copied.
#[non_exhaustive]
pub struct SourcedRecord<'r, R> {
    /// The Kinesis record as it was delivered.
    pub record: &'r R,
    /// The user record. That of a plain record is its own data and partition key.
    pub user: UserRecord<'r>,
    /// The reason the Kinesis record is plain, if it is.
    pub plain_reason: Option<PlainReason>,
}

impl<R> SourcedRecord<'_, R> {
    /// Returns whether the user record came in an aggregate.
    #[must_use]
    pub const fn aggregated(&self) -> bool {
        self.plain_reason.is_none()
    }
}

impl<'r, R: KinesisRecord> SourcedRecord<'r, R> {
    /// Returns its position in the shard, to be kept as a checkpoint, if the Kinesis record has a sequence number.
    #[must_use]
    pub fn extended_sequence_number(&self) -> Option<ExtendedSequenceNumber<'r>> {
        let sequence_number = SequenceNumber::parse(self.record.sequence_number()?)?;
        Some(ExtendedSequenceNumber::new(sequence_number, self.user.sub_sequence_number))
    }
}

// Derived impls would have the bounds `R: Clone`, `R: Copy` and `R: Debug`.

impl<R> Clone for SourcedRecord<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for SourcedRecord<'_, R> {}

impl<R> fmt::Debug for SourcedRecord<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourcedRecord")
            .field("user", &self.user)
            .field("plain_reason", &self.plain_reason)
            .finish_non_exhaustive()
    }
}
