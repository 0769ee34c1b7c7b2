//! Many records in, their user records out.

use core::fmt;
use core::iter::FusedIterator;
use core::slice;

use crate::decode::kinesis_record::{Deaggregated, KinesisRecord, take_apart};
use crate::decode::payload::parse_body;
use crate::frame::{DigestCheck, PlainReason, verify_all};

/// How many digests are checked before the first of their records is taken apart: twice as many as are worked on at
/// once at most, so that few lanes run empty at the end.
const AHEAD: usize = 64;

/// Takes records apart, in their order: those of a GetRecords answer, of a Lambda event, of any slice.
///
/// What comes out is what [`deaggregate`](crate::deaggregate) gives for each of them, whatever becomes of the others.
/// It is faster, since the digests of up to 64 records are computed side by side; [`Md5::digest_each`](crate::Md5::digest_each)
/// says by what.
///
/// ```
/// use kinesis_aggregation::deaggregate_all;
///
/// let records = [b"one".to_vec(), b"two".to_vec()];
/// let data: Vec<&[u8]> = deaggregate_all(&records).flatten().map(|user| user.data).collect();
/// assert_eq!(data, [b"one", b"two"]);
/// ```
pub fn deaggregate_all<R: KinesisRecord>(records: &[R]) -> DeaggregatedBatch<'_, R> {
    DeaggregatedBatch { records: records.iter(), verdicts: [Ok(()); AHEAD], checked: 0 }
}

/// The user records of many Kinesis records: an item for each record, in their order.
#[derive(Clone)]
#[must_use]
pub struct DeaggregatedBatch<'r, R> {
    records: slice::Iter<'r, R>,
    verdicts: [Result<(), PlainReason>; AHEAD],
    /// How many of the verdicts, the last ones of those that were filled in, are of records to come.
    checked: usize,
}

impl<'r, R: KinesisRecord> Iterator for DeaggregatedBatch<'r, R> {
    type Item = Deaggregated<'r>;

    fn next(&mut self) -> Option<Deaggregated<'r>> {
        if self.checked == 0 {
            self.checked = self.records.len().min(AHEAD);
            // The verdict of the first record goes to the end: they are taken from there.
            let verdicts = self.verdicts.get_mut(..self.checked)?;
            verify_all(self.records.clone().map(KinesisRecord::data), verdicts);
            verdicts.reverse();
        }
        let record = self.records.next()?;
        self.checked -= 1;
        let verdict = self.verdicts.get(self.checked).copied()?;
        Some(take_apart(record, verdict.and_then(|()| parse_body(record.data(), DigestCheck::Skip))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

impl<R: KinesisRecord> ExactSizeIterator for DeaggregatedBatch<'_, R> {}
impl<R: KinesisRecord> FusedIterator for DeaggregatedBatch<'_, R> {}

impl<R> fmt::Debug for DeaggregatedBatch<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeaggregatedBatch").field("records", &self.records.len()).finish_non_exhaustive()
    }
}
