//! This library. Without `digest`, `run` builds it with a digest that does nothing.

#[cfg(feature = "encode")]
pub fn encode(records: &[crate::input::Record], buffer: &mut [u8]) -> Option<usize> {
    use kinesis_aggregation::{Encoder, Limits, UserRecord};
    use kinesis_aggregation::encode::AddStatus;

    let mut encoder = Encoder::<{ crate::input::ROOM }>::new(buffer, Limits::default());
    for (key, data) in records {
        match encoder.add(UserRecord::new(key, data)) {
            Ok(AddStatus::Added) => {}
            Ok(AddStatus::Full) | Err(_) => return None,
        }
    }
    Some(encoder.finish()?.data().len())
}

#[cfg(feature = "decode")]
pub fn decode(payload: &[u8], seen: &mut crate::input::Seen) -> Option<()> {
    use kinesis_aggregation::Payload;

    let mut keys = [""; crate::input::ROOM];
    let Payload::Aggregated(aggregate) = Payload::parse(payload, &mut keys) else { return None };
    for record in &aggregate {
        seen.record(record.partition_key, record.data);
    }
    Some(())
}

#[cfg(not(any(feature = "encode", feature = "decode")))]
pub fn digest(body: &[u8]) -> [u8; 16] {
    kinesis_aggregation::decode::Md5::digest(body)
}
