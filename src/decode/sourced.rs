//! User records beside the Kinesis records that they came in.

use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;
use core::slice;

use crate::decode::batch::{DeaggregatedBatch, deaggregate_all};
use crate::decode::kinesis_record::{Deaggregated, KinesisRecord};
use crate::frame::PlainReason;
use crate::message::UserRecord;

/// Kinesis records as they come: a slice of them, or what a service puts around it.
///
/// With the features `aws-sdk-kinesis` and `lambda-events` these are the answer to GetRecords, the events that functions
/// are called with, and each of their records alone.
pub trait KinesisRecords {
    /// What one of the records is.
    type Record: KinesisRecord;

    /// The records, in their order.
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

/// A user record, and the Kinesis record that it came in, which has all that the user record does not have: sequence number,
/// arrival time, event id and the like. Nothing is copied.
#[non_exhaustive]
pub struct SourcedRecord<'r, R> {
    /// The Kinesis record, as it came.
    pub record: &'r R,
    /// The user record: of a plain record, its own data and partition key.
    pub user: UserRecord<'r>,
    /// Why the Kinesis record is plain, if it is.
    pub plain_reason: Option<PlainReason>,
}

impl<R> SourcedRecord<'_, R> {
    /// Says whether the user record came in an aggregate.
    #[must_use]
    pub const fn aggregated(&self) -> bool {
        self.plain_reason.is_none()
    }
}

// Derived, these would ask the same of the Kinesis record.

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

/// Takes Kinesis records apart one at a time, and yields each user record with the Kinesis record that it came in.
///
/// A plain record yields itself; an aggregate without user records yields nothing. The digests of up to 64 records are
/// computed side by side, as [`deaggregate_all`] does, whose order and verdicts these are.
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
    SourcedRecords { records: records.iter(), taken_apart: deaggregate_all(records), current: None }
}

/// The same, collected.
///
/// ```
/// use kinesis_aggregation::deaggregate_records;
///
/// assert_eq!(deaggregate_records(&[b"one".to_vec(), b"two".to_vec()]).len(), 2);
/// ```
#[must_use]
pub fn deaggregate_records<B: KinesisRecords + ?Sized>(batch: &B) -> Vec<SourcedRecord<'_, B::Record>> {
    let records = batch.records();
    let mut all = Vec::with_capacity(records.len());
    for (record, users) in records.iter().zip(deaggregate_all(records)) {
        let plain_reason = users.plain_reason();
        all.extend(users.map(|user| SourcedRecord { record, user, plain_reason }));
    }
    all
}

/// The user records of Kinesis records, each with the Kinesis record that it came in.
#[derive(Clone)]
#[must_use]
pub struct SourcedRecords<'r, R> {
    /// Those that `taken_apart` has not yielded yet.
    records: slice::Iter<'r, R>,
    taken_apart: DeaggregatedBatch<'r, R>,
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
            self.current = Some((self.records.next()?, self.taken_apart.next()?));
        }
    }
}

impl<R: KinesisRecord> FusedIterator for SourcedRecords<'_, R> {}

impl<R> fmt::Debug for SourcedRecords<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourcedRecords").field("records", &self.records.len()).finish_non_exhaustive()
    }
}
