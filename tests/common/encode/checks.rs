//! Properties of a list of user records in every way to encode it.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "sizes in tests stay far below 2^64, and a panic fails the test, as it should"
)]

use kinesis_aggregation::decode::{AggregatedRecord, MAGIC};
use kinesis_aggregation::encode::{AddStatus, EncodeError};
use kinesis_aggregation::{Encoder, Limits, RecordAggregator, UserRecord};

use super::arithmetic::{encoded_len, growing_len};
use super::{WAYS, canonical, streamed, unpack};
use crate::common::{Record, with_records};

/// Runs a check for encoders that remember 0, 1, 4 and 64 keys of a table.
macro_rules! for_encoders {
    ($check:ident($($argument:expr),*)) => {
        $check::<0>($($argument),*);
        $check::<1>($($argument),*);
        $check::<4>($($argument),*);
        $check::<64>($($argument),*);
    };
}
#[allow(unused_imports, reason = "not every test has more to run for them")]
pub(crate) use for_encoders;

/// Checks that what goes in comes out, in a right frame and in as many bytes as the arithmetic says.
pub(crate) fn round_trip(owned: &[Record]) {
    with_records(owned, |records| {
        for way in &WAYS {
            let data = (way.encode)(records);
            assert_eq!(data.len(), encoded_len(records, way.remembers), "{}", way.name);
            if records.is_empty() {
                continue;
            }
            assert_eq!(unpack(&data), owned, "{}", way.name);
            check_frame(&data, way.name);
        }
    });
}

/// User records that were parsed, whose tags borrow from the payload, encode to the same bytes.
pub(crate) fn parsed_records_encode_alike(records: &[UserRecord<'_>]) {
    let data = canonical(records);
    if let Ok(aggregate) = AggregatedRecord::parse(&data) {
        let parsed: Vec<_> = aggregate.records().collect();
        assert_eq!(data, canonical(&parsed));
    }
}

/// A buffer of just the size is enough, and nothing is written behind; one byte less is refused.
pub(crate) fn exact_buffers(records: &[UserRecord<'_>], spare: usize) {
    for_encoders!(stream_exactly(records, spare));
}

/// The size is known before and after each user record.
pub(crate) fn sizes(records: &[UserRecord<'_>]) {
    aggregator_sizes(records);
    for_encoders!(encoder_sizes(records));
}

/// The frame is right by another implementation of the digest.
pub(crate) fn check_frame(data: &[u8], name: &str) {
    let (body, digest) = data[MAGIC.len()..].split_last_chunk().unwrap();
    assert_eq!(data[..MAGIC.len()], MAGIC, "{name}");
    assert_eq!(*digest, md5::compute(body).0, "{name}");
}

fn stream_exactly<const KEYS: usize>(records: &[UserRecord<'_>], spare: usize) {
    let len = encoded_len(records, KEYS);
    let mut buffer = vec![0xa5; len + spare];
    let mut encoder = Encoder::<KEYS>::new(&mut buffer, Limits::KINESIS_MAX);
    for record in records {
        assert_eq!(encoder.add(*record), Ok(AddStatus::Added));
    }
    let written = encoder.finish().map_or(0, |aggregate| aggregate.data.len());
    assert_eq!(written, len);
    assert_eq!(buffer[..len], streamed::<KEYS>(records));
    assert!(buffer[len..].iter().all(|&byte| byte == 0xa5), "nothing beyond what was written");

    let Some((last, others)) = records.split_last() else { return };
    let (required, available) = (len, len - 1);
    let mut buffer = vec![0xa5; available];
    let mut encoder = Encoder::<KEYS>::new(&mut buffer, Limits::KINESIS_MAX);
    for record in others {
        assert_eq!(encoder.add(*record), Ok(AddStatus::Added));
    }
    assert!(!encoder.fits(*last));
    let answer = encoder.add(*last);
    if others.is_empty() {
        assert_eq!(answer, Err(EncodeError::BufferTooSmall { required, available }));
    } else {
        assert_eq!(answer, Ok(AddStatus::Full));
    }
    let written = encoder.finish().map_or(0, |aggregate| aggregate.data.len());
    assert_eq!(buffer[..written], streamed::<KEYS>(others));
    assert!(buffer[written..].iter().all(|&byte| byte == 0xa5), "nothing of the last record");
}

fn aggregator_sizes(records: &[UserRecord<'_>]) {
    let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
    for (count, len) in (0..).zip([0].into_iter().chain(growing_len(records, usize::MAX))) {
        let finished = aggregator.clone().finish();
        assert_eq!(finished.as_ref().map_or(0, |aggregate| aggregate.data.len()), len);
        assert_eq!(finished.as_ref().map_or(0, |aggregate| aggregate.size_bytes()), aggregator.size_bytes());
        assert_eq!(aggregator.encoded_len(), len);
        assert_eq!(aggregator.user_records(), count);
        assert_eq!(aggregator.is_empty(), count == 0);
        let Some(record) = records.get(count) else { break };
        let would_be = aggregator.size_bytes() + aggregator.would_add(*record);
        assert!(aggregator.fits(*record));
        assert_eq!(aggregator.add(*record), Ok(None));
        assert_eq!(aggregator.size_bytes(), would_be);
        assert_eq!(aggregator.size_bytes(), aggregator.encoded_len() + records[0].partition_key.len());
    }
}

fn encoder_sizes<const KEYS: usize>(records: &[UserRecord<'_>]) {
    let mut buffer = vec![0xa5; encoded_len(records, KEYS)];
    let mut encoder = Encoder::<KEYS>::new(&mut buffer, Limits::KINESIS_MAX);
    assert_eq!((encoder.encoded_len(), encoder.size_bytes()), (0, 0));
    for (record, count) in records.iter().zip(1..) {
        let would_be = encoder.size_bytes() + encoder.would_add(*record);
        assert!(encoder.fits(*record));
        assert_eq!(encoder.add(*record), Ok(AddStatus::Added));
        assert_eq!(encoder.encoded_len(), streamed::<KEYS>(&records[..count]).len());
        assert_eq!(encoder.size_bytes(), encoder.encoded_len() + records[0].partition_key.len());
        assert_eq!(encoder.size_bytes(), would_be);
        assert_eq!((encoder.user_records(), encoder.is_empty()), (count, false));
    }
}
