//! Encoding gives the golden payloads in `tests/vectors/encode.jsonl`, which other implementations made.

#[cfg(feature = "alloc")]
use kinesis_aggregation::RecordAggregator;
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::{Encoder, Limits, Payload};

use crate::common::{Record, encode_vectors, records};

#[cfg(feature = "alloc")]
#[test]
fn the_aggregator_writes_what_others_write_byte_for_byte() {
    for vector in encode_vectors() {
        let name = &vector.name;
        let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
        for user in vector.records.iter().map(Record::untagged) {
            assert_eq!(aggregator.add(user), Ok(None), "{name}");
        }
        assert_eq!(aggregator.encoded_len(), vector.encoded.len(), "{name}");
        let aggregate = aggregator.finish().unwrap();
        assert_eq!(aggregate.user_records, vector.records.len(), "{name}");
        assert_eq!(aggregate.data, vector.encoded, "{name}");
    }
}

#[test]
fn an_encoder_writes_the_same_user_records_in_as_many_bytes() {
    // More than any vector has.
    const KEYS: usize = 200;
    for vector in encode_vectors() {
        let name = &vector.name;
        // Without memory for keys, they are written again and again.
        let (mut buffer, mut other_buffer) = (vec![0xa5; 400_000], vec![0xa5; 400_000]);
        let mut remembering = Encoder::<KEYS>::new(&mut buffer, Limits::KINESIS_MAX);
        let mut forgetful = Encoder::<0>::new(&mut other_buffer, Limits::KINESIS_MAX);
        for user in vector.records.iter().map(Record::untagged) {
            assert_eq!(remembering.add(user), Ok(AddStatus::Added), "{name}");
            assert_eq!(forgetful.add(user), Ok(AddStatus::Added), "{name}");
        }
        let streamed = remembering.finish().unwrap();
        // The same fields as in canonical order, so as many bytes.
        assert_eq!(streamed.data.len(), vector.encoded.len(), "{name}");
        for data in [streamed.data, forgetful.finish().unwrap().data] {
            let mut keys = vec![""; 2 * vector.records.len()];
            let Payload::Aggregated(aggregate) = Payload::parse(data, &mut keys) else { panic!("{name}") };
            assert_eq!(records(&aggregate), vector.records, "{name}");
        }
    }
}
