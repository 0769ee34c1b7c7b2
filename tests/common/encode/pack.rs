//! All that packs a stream of user records, behind one trait.

use core::time::Duration;

use kinesis_aggregation::encode::{AddStatus, EncodeError};
use kinesis_aggregation::{Aggregate, Encoder, Limits, RecordAggregator, UserRecord};

use super::unpack;
use crate::common::Record;

/// An aggregate that was handed out.
#[derive(Debug, PartialEq)]
pub(crate) struct Packed {
    pub(crate) records: Vec<Record>,
    pub(crate) partition_key: String,
    pub(crate) explicit_hash_key: Option<String>,
    pub(crate) size_bytes: usize,
}

impl From<Aggregate> for Packed {
    fn from(aggregate: Aggregate) -> Self {
        let records = unpack(&aggregate.data);
        assert_eq!(records.len(), aggregate.user_records);
        let size_bytes = aggregate.size_bytes();
        assert_eq!(size_bytes, aggregate.data.len() + aggregate.partition_key.len());
        let explicit_hash_key = aggregate.explicit_hash_key.map(|key| key.to_string());
        Self { records, partition_key: aggregate.partition_key, explicit_hash_key, size_bytes }
    }
}

/// The interface that all packers share, so that a test runs on each.
pub(crate) trait Pack {
    /// Adds a user record and returns the aggregate that it did not fit into.
    fn add_with(
        &mut self,
        record: UserRecord<'_>,
        now: Option<Duration>,
    ) -> Result<Option<Packed>, EncodeError>;
    fn finish(&mut self) -> Option<Packed>;
    fn clear(&mut self);
    fn fits(&self, record: UserRecord<'_>) -> bool;
    fn expired(&self, now: Duration) -> bool;
    fn user_records(&self) -> usize;
    fn size_bytes(&self) -> usize;

    fn add(&mut self, record: UserRecord<'_>) -> Result<Option<Packed>, EncodeError> {
        self.add_with(record, None)
    }

    fn add_at(&mut self, record: UserRecord<'_>, seconds: u64) -> Result<Option<Packed>, EncodeError> {
        self.add_with(record, Some(Duration::from_secs(seconds)))
    }
}

impl Pack for RecordAggregator {
    fn add_with(
        &mut self,
        record: UserRecord<'_>,
        now: Option<Duration>,
    ) -> Result<Option<Packed>, EncodeError> {
        let full = match now {
            Some(now) => self.add_at(record, now)?,
            None => self.add(record)?,
        };
        Ok(full.map(Packed::from))
    }

    fn finish(&mut self) -> Option<Packed> {
        self.finish().map(Packed::from)
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn fits(&self, record: UserRecord<'_>) -> bool {
        self.fits(record)
    }

    fn expired(&self, now: Duration) -> bool {
        self.expired(now)
    }

    fn user_records(&self) -> usize {
        self.user_records()
    }

    fn size_bytes(&self) -> usize {
        self.size_bytes()
    }
}

impl<const KEYS: usize> Pack for Encoder<'_, KEYS> {
    fn add_with(
        &mut self,
        record: UserRecord<'_>,
        now: Option<Duration>,
    ) -> Result<Option<Packed>, EncodeError> {
        let mut add = || match now {
            Some(now) => self.add_at(record, now),
            None => self.add(record),
        };
        if add()? == AddStatus::Added {
            return Ok(None);
        }
        assert_eq!(add(), Ok(AddStatus::Full), "full, until it is finished");
        let full = Pack::finish(self);
        assert!(full.is_some(), "nothing pending is not full");
        assert_eq!(Pack::add_with(self, record, now), Ok(None), "it fits after finish");
        Ok(full)
    }

    fn finish(&mut self) -> Option<Packed> {
        self.finish().map(|aggregate| Packed::from(aggregate.to_owned()))
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn fits(&self, record: UserRecord<'_>) -> bool {
        self.fits(record)
    }

    fn expired(&self, now: Duration) -> bool {
        self.expired(now)
    }

    fn user_records(&self) -> usize {
        self.user_records()
    }

    fn size_bytes(&self) -> usize {
        self.size_bytes()
    }
}

/// Runs a test on every packer: with its name, and how many keys of a table it remembers.
pub(crate) fn for_packers(limits: Limits, mut test: impl FnMut(&str, usize, &mut dyn Pack)) {
    test("RecordAggregator", usize::MAX, &mut RecordAggregator::new(limits));
    let mut buffer = vec![0xa5; limits.max_bytes().try_into().unwrap()];
    test("Encoder<0>", 0, &mut Encoder::<0>::new(&mut buffer, limits));
    test("Encoder<1>", 1, &mut Encoder::<1>::new(&mut buffer, limits));
    test("Encoder<4>", 4, &mut Encoder::<4>::new(&mut buffer, limits));
    test("Encoder<64>", 64, &mut Encoder::<64>::new(&mut buffer, limits));
}
