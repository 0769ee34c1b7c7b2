//! What the tests of encoding share: user records that own what they hold, and every way to encode a list of them.

#![allow(dead_code, reason = "every test takes what it needs")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: a panic fails the test, as it should"
)]

pub(crate) mod arithmetic;
pub(crate) mod checks;
pub(crate) mod pack;

use kinesis_aggregation::decode::{AggregatedRecord, RecordTag};
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::{Encoder, Limits, RecordAggregator, UserRecord};

/// A user record that owns what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnedRecord {
    pub(crate) partition_key: String,
    pub(crate) explicit_hash_key: Option<String>,
    pub(crate) data: Vec<u8>,
    pub(crate) tags: Vec<(String, Option<String>)>,
}

impl OwnedRecord {
    pub(crate) fn new(partition_key: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self { partition_key: partition_key.into(), data: data.into(), ..Self::default() }
    }

    pub(crate) fn with_explicit_hash_key(self, key: impl Into<String>) -> Self {
        Self { explicit_hash_key: Some(key.into()), ..self }
    }

    pub(crate) fn with_tag(mut self, key: impl Into<String>, value: Option<&str>) -> Self {
        self.tags.push((key.into(), value.map(Into::into)));
        self
    }

    fn borrow_tags(&self) -> Vec<RecordTag<'_>> {
        self.tags.iter().map(|(key, value)| RecordTag { key, value: value.as_deref() }).collect()
    }

    fn borrow<'a>(&'a self, tags: &'a [RecordTag<'a>]) -> UserRecord<'a> {
        let record = UserRecord::new(&self.partition_key, &self.data).with_tags(tags);
        match &self.explicit_hash_key {
            Some(key) => record.with_explicit_hash_key(key),
            None => record,
        }
    }
}

impl From<UserRecord<'_>> for OwnedRecord {
    fn from(record: UserRecord<'_>) -> Self {
        let owned = |text: &str| text.to_owned();
        Self {
            partition_key: record.partition_key.to_owned(),
            explicit_hash_key: record.explicit_hash_key.map(owned),
            data: record.data.to_vec(),
            tags: record.tags.map(|tag| (tag.key.to_owned(), tag.value.map(owned))).collect(),
        }
    }
}

/// Runs a test on what borrows from the records.
pub(crate) fn with_records<T>(owned: &[OwnedRecord], test: impl FnOnce(&[UserRecord<'_>]) -> T) -> T {
    let tags: Vec<_> = owned.iter().map(OwnedRecord::borrow_tags).collect();
    let records: Vec<_> = owned.iter().zip(&tags).map(|(record, tags)| record.borrow(tags)).collect();
    test(&records)
}

/// The same on a single record.
pub(crate) fn with_record<T>(owned: &OwnedRecord, test: impl FnOnce(UserRecord<'_>) -> T) -> T {
    test(owned.borrow(&owned.borrow_tags()))
}

/// The user records of an aggregate.
pub(crate) fn unpack(payload: &[u8]) -> Vec<OwnedRecord> {
    match AggregatedRecord::parse(payload) {
        Ok(aggregate) => aggregate.records().map(OwnedRecord::from).collect(),
        Err(reason) => panic!("not an aggregate: {reason}"),
    }
}

/// A way to encode a list of user records that is within the limits of Kinesis.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) encode: fn(&[UserRecord<'_>]) -> Vec<u8>,
    /// How many keys of a table it remembers, for the arithmetic.
    pub(crate) remembers: usize,
}

/// Every way to encode, the canonical one first.
pub(crate) const WAYS: [Way; 5] = [
    Way { name: "RecordAggregator", encode: canonical, remembers: usize::MAX },
    Way { name: "Encoder<0>", encode: streamed::<0>, remembers: 0 },
    Way { name: "Encoder<1>", encode: streamed::<1>, remembers: 1 },
    Way { name: "Encoder<4>", encode: streamed::<4>, remembers: 4 },
    Way { name: "Encoder<64>", encode: streamed::<64>, remembers: 64 },
];

/// By the aggregator.
pub(crate) fn canonical(records: &[UserRecord<'_>]) -> Vec<u8> {
    let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
    for record in records {
        assert_eq!(aggregator.add(*record), Ok(None));
    }
    aggregator.finish().map_or_else(Vec::new, |aggregate| aggregate.data)
}

/// By an encoder, into a buffer of just the size that the arithmetic gives.
pub(crate) fn streamed<const KEYS: usize>(records: &[UserRecord<'_>]) -> Vec<u8> {
    let mut buffer = vec![0xa5; arithmetic::encoded_len(records, KEYS)];
    let mut encoder = Encoder::<KEYS>::new(&mut buffer, Limits::KINESIS_MAX);
    for record in records {
        assert_eq!(encoder.add(*record), Ok(AddStatus::Added));
    }
    encoder.finish().map_or_else(Vec::new, |aggregate| aggregate.data.to_vec())
}
