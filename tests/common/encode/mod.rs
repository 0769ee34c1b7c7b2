//! Every way to encode a list of user records.

pub(crate) mod arithmetic;
pub(crate) mod checks;
pub(crate) mod pack;

use kinesis_aggregation::decode::AggregatedRecord;
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::{Encoder, Limits, RecordAggregator, UserRecord};

use super::Record;

/// Decodes an aggregate.
pub(crate) fn unpack(payload: &[u8]) -> Vec<Record> {
    match AggregatedRecord::parse(payload) {
        Ok(aggregate) => super::records(&aggregate),
        Err(reason) => panic!("not an aggregate: {reason}"),
    }
}

/// A way to encode a list of user records that is within the limits of Kinesis.
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) encode: fn(&[UserRecord<'_>]) -> Vec<u8>,
    /// The number of keys of a table that it remembers, for the arithmetic.
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

/// Encodes in canonical order. No user records are no bytes.
pub(crate) fn canonical(records: &[UserRecord<'_>]) -> Vec<u8> {
    let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
    for record in records {
        assert_eq!(aggregator.add(*record), Ok(None));
    }
    aggregator.finish().map_or_else(Vec::new, |aggregate| aggregate.data)
}

/// Encodes in streamed order, into a buffer of exactly the size that the arithmetic gives.
pub(crate) fn streamed<const KEYS: usize>(records: &[UserRecord<'_>]) -> Vec<u8> {
    let mut buffer = vec![0xa5; arithmetic::encoded_len(records, KEYS)];
    let mut encoder = Encoder::<KEYS>::new(&mut buffer, Limits::KINESIS_MAX);
    for record in records {
        assert_eq!(encoder.add(*record), Ok(AddStatus::Added));
    }
    encoder.finish().map_or_else(Vec::new, |aggregate| aggregate.data.to_vec())
}
