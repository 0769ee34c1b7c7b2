//! The plain call: a record in, its user records out.

use alloc::vec::Vec;
use core::iter::FusedIterator;

use crate::decode::payload::parse_body;
use crate::decode::{AggregatedRecord, IntoUserRecords};
use crate::frame::{DigestCheck, PlainReason};
use crate::message::{Body, UserRecord};

/// A record as it comes from Kinesis.
pub trait KinesisRecord {
    /// Its data: an aggregated record or anything else, base64 already undone.
    fn data(&self) -> &[u8];

    /// The partition key it was put with, where it is known.
    fn partition_key(&self) -> Option<&str> {
        None
    }

    /// Its sequence number, where it is known.
    fn sequence_number(&self) -> Option<&str> {
        None
    }
}

/// Bare data, without anything beside it.
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

/// Takes a record apart into its user records; a plain one yields itself.
///
/// This is the call that needs no thought about room for keys: it allocates it, at most once.
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
    take_apart(record, parse_body(record.data(), DigestCheck::Verify))
}

/// The user records of a body, or the record itself.
pub(crate) fn take_apart<'r, R: KinesisRecord + ?Sized>(
    record: &'r R,
    body: Result<Body<'r>, PlainReason>,
) -> Deaggregated<'r> {
    let source = match body {
        Ok(body) => Source::Aggregated(AggregatedRecord::with_own_room(body).into_iter()),
        Err(reason) => {
            let partition_key = record.partition_key().unwrap_or_default();
            Source::Plain { record: Some(UserRecord::new(partition_key, record.data())), reason }
        }
    };
    Deaggregated { source }
}

/// The user records of one Kinesis record, or the record itself where it is plain.
#[derive(Clone, Debug)]
pub struct Deaggregated<'a> {
    source: Source<'a>,
}

#[derive(Clone, Debug)]
enum Source<'a> {
    Aggregated(IntoUserRecords<'a, Vec<&'a str>>),
    Plain { record: Option<UserRecord<'a>>, reason: PlainReason },
}

impl Deaggregated<'_> {
    /// Says why the record is plain, where it is.
    #[must_use]
    pub const fn plain_reason(&self) -> Option<PlainReason> {
        match self.source {
            Source::Plain { reason, .. } => Some(reason),
            Source::Aggregated(_) => None,
        }
    }
}

impl<'a> Iterator for Deaggregated<'a> {
    type Item = UserRecord<'a>;

    fn next(&mut self) -> Option<UserRecord<'a>> {
        match &mut self.source {
            Source::Aggregated(records) => records.next(),
            Source::Plain { record, .. } => record.take(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.source {
            Source::Aggregated(records) => records.size_hint(),
            Source::Plain { record, .. } => record.iter().size_hint(),
        }
    }
}

impl ExactSizeIterator for Deaggregated<'_> {}
impl FusedIterator for Deaggregated<'_> {}
