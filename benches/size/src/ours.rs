//! This library.

#[cfg(all(feature = "encode", not(any(feature = "age", feature = "put"))))]
pub fn encode(records: &[crate::input::Record], buffer: &mut [u8]) -> Option<usize> {
    use kinesis_aggregation::encode::AddStatus;
    use kinesis_aggregation::{Encoder, Limits, UserRecord};

    let mut encoder = Encoder::<{ crate::input::CAPACITY }>::new(buffer, Limits::default());
    for (key, data) in records {
        match encoder.add(UserRecord::new(key, data)) {
            Ok(AddStatus::Added) => {}
            Ok(AddStatus::Full) | Err(_) => return None,
        }
    }
    Some(encoder.finish()?.data.len())
}

/// With an age limit.
#[cfg(feature = "age")]
pub fn encode(records: &[crate::input::Record], buffer: &mut [u8]) -> Option<usize> {
    use core::hint::black_box;
    use core::time::Duration;

    use kinesis_aggregation::encode::AddStatus;
    use kinesis_aggregation::{Encoder, Limits, UserRecord};

    let limits = Limits::default().with_max_age(Duration::from_secs(60));
    let mut encoder = Encoder::<{ crate::input::CAPACITY }>::new(buffer, limits);
    for (key, data) in records {
        match encoder.add_at(UserRecord::new(key, data), black_box(Duration::from_secs(1))) {
            Ok(AddStatus::Added) => {}
            Ok(AddStatus::Full) | Err(_) => return None,
        }
    }
    Some(encoder.finish()?.data.len())
}

#[cfg(feature = "put")]
pub use self::put::encode;

/// With a signed PutRecord request, by the code of `examples/device`.
#[cfg(feature = "put")]
mod put {
    use core::hint::black_box;

    use device::https::{Endpoint, PutRecord, write_request};
    use device::sigv4::{Credentials, Timestamp};
    use kinesis_aggregation::encode::AddStatus;
    use kinesis_aggregation::{Encoder, Limits, UserRecord};

    const ENDPOINT: Endpoint<'static> = Endpoint {
        host: "kinesis.eu-central-1.amazonaws.com",
        region: "eu-central-1",
        credentials: Credentials { access_key_id: "A", secret_access_key: "B", session_token: Some("C") },
    };

    pub fn encode(records: &[crate::input::Record], buffer: &mut [u8]) -> Option<usize> {
        let mut encoder = Encoder::<{ crate::input::CAPACITY }>::new(buffer, Limits::default());
        for (key, data) in records {
            match encoder.add(UserRecord::new(key, data)) {
                Ok(AddStatus::Added) => {}
                Ok(AddStatus::Full) | Err(_) => return None,
            }
        }
        let aggregate = encoder.finish()?;
        let now = Timestamp::from_unix(black_box(1_795_000_000))?;
        write_request(&PutRecord::new("readings", &aggregate), &black_box(ENDPOINT), &now, &mut Socket)
            .ok()?;
        Some(aggregate.data.len())
    }

    struct Socket;

    impl embedded_io::ErrorType for Socket {
        type Error = core::convert::Infallible;
    }

    impl embedded_io::Write for Socket {
        #[inline(never)]
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
            Ok(black_box(bytes).len())
        }

        fn flush(&mut self) -> Result<(), Self::Error> {
            Ok(())
        }
    }
}

#[cfg(feature = "decode")]
pub fn decode(payload: &[u8], seen: &mut crate::input::Seen) -> Option<()> {
    use kinesis_aggregation::Payload;

    let mut keys = [""; crate::input::CAPACITY];
    let Payload::Aggregated(aggregate) = Payload::parse(payload, &mut keys) else { return None };
    for record in &aggregate {
        seen.record(record.partition_key, record.data);
    }
    Some(())
}

#[cfg(feature = "firmware")]
pub use self::firmware::firmware;

/// The work of firmware: some records have explicit hash keys, the clock may not be set yet, and an aggregate that is full is
/// sent before the record is added again. Each aggregate is decoded instead of sent.
#[cfg(feature = "firmware")]
mod firmware {
    use core::hint::black_box;
    use core::time::Duration;

    use kinesis_aggregation::encode::AddStatus;
    use kinesis_aggregation::{Encoder, Limits, UserRecord};

    use crate::input::{CAPACITY, Record, Seen};

    pub fn firmware(records: &[Record], buffer: &mut [u8], seen: &mut Seen) -> Option<()> {
        let limits = Limits::default().with_max_age(Duration::from_secs(60));
        let mut encoder = Encoder::<CAPACITY>::new(buffer, limits);
        for (seconds, (key, data)) in records.iter().enumerate() {
            let mut record = UserRecord::new(key, data);
            if key.as_bytes().last() == Some(&b'2') {
                record = record.with_explicit_hash_key("170141183460469231731687303715884105728");
            }
            let now = black_box((seconds > 1).then_some(Duration::from_secs(seconds as u64)));
            if now.is_some_and(|now| encoder.expired(now)) {
                send(&mut encoder, seen)?;
            }
            if add(&mut encoder, record, now)? == AddStatus::Full {
                send(&mut encoder, seen)?;
                if add(&mut encoder, record, now)? == AddStatus::Full {
                    return None;
                }
            }
        }
        send(&mut encoder, seen)
    }

    fn add(
        encoder: &mut Encoder<'_, CAPACITY>,
        record: UserRecord<'_>,
        now: Option<Duration>,
    ) -> Option<AddStatus> {
        match now {
            Some(now) => encoder.add_at(record, now).ok(),
            None => encoder.add(record).ok(),
        }
    }

    fn send(encoder: &mut Encoder<'_, CAPACITY>, seen: &mut Seen) -> Option<()> {
        let aggregate = encoder.finish()?;
        black_box((aggregate.partition_key(), aggregate.explicit_hash_key));
        super::decode(aggregate.data, seen)
    }
}

#[cfg(feature = "digest")]
pub fn digest(body: &[u8]) -> [u8; 16] {
    kinesis_aggregation::decode::Md5::digest(body)
}
