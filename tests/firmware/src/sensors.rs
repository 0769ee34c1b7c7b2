//! A typical use: sensor readings are aggregated and deaggregated, and have to survive unchanged.

use core::fmt::Write;
use core::time::Duration;

use kinesis_aggregation::decode::Md5;
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::{Encoder, Limits, Payload, UserRecord};

use crate::Failure;
use crate::vectors::{Line, take_in};

const READINGS: u32 = 500;

/// Returns a simulated reading: the sensor and its temperature.
fn reading(number: u32) -> (&'static str, Line) {
    // The constants of Knuth's MMIX generator, whose upper bits are the random ones.
    let random =
        u64::from(number).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let sensor = match random >> 61 {
        0 => "boiler",
        1 => "façade",
        2..=4 => "hall-1",
        _ => "hall-2",
    };
    let mut text = Line::new();
    // The numbers are small enough to fit.
    _ = write!(text, "{number}:{}.{}", 15 + (random >> 40) % 20, (random >> 32) % 10);
    (sensor, text)
}

/// Aggregates the readings into aggregates of at most a kilobyte, and deaggregates each.
pub(crate) fn round_trip(buffer: &mut [u8], all: &mut Md5) -> Result<u32, Failure> {
    let limits = Limits::default().with_max_bytes(1024).with_max_age(Duration::from_secs(10));
    let mut encoder = Encoder::<4>::new(buffer, limits);
    let mut first = 0;
    for number in 0..READINGS {
        let (sensor, text) = reading(number);
        let user = UserRecord::new(sensor, text.text());
        let now = Duration::from_millis(u64::from(number) * 90);
        match encoder.add_at(user, now) {
            Ok(AddStatus::Added) => {}
            Ok(AddStatus::Full) => {
                unpack(&mut encoder, first..number, all)?;
                first = number;
                if encoder.add_at(user, now) != Ok(AddStatus::Added) {
                    return Err(Failure("an empty aggregate refused a reading"));
                }
            }
            Err(_) => return Err(Failure("a reading was refused")),
        }
    }
    unpack(&mut encoder, first..READINGS, all)?;
    Ok(READINGS)
}

fn unpack(
    encoder: &mut Encoder<'_, 4>,
    numbers: core::ops::Range<u32>,
    all: &mut Md5,
) -> Result<(), Failure> {
    let size = encoder.size_bytes();
    let aggregate = encoder.finish().ok_or(Failure("nothing is pending"))?;
    all.update(aggregate.data);
    if aggregate.size_bytes() != size || size > 1024 {
        return Err(Failure("the aggregate is larger than announced"));
    }
    let mut keys = [""; 8];
    let Payload::Aggregated(unpacked) = Payload::parse(aggregate.data, &mut keys) else {
        return Err(Failure("the encoder's output is not an aggregate"));
    };
    let mut users = unpacked.records();
    for number in numbers {
        let (sensor, text) = reading(number);
        let user = users.next().ok_or(Failure("a reading is lost"))?;
        take_in(all, &user);
        if (user.partition_key, user.data) != (sensor, text.text().as_bytes()) {
            return Err(Failure("a reading differs"));
        }
    }
    if users.next().is_some() { Err(Failure("a reading too many")) } else { Ok(()) }
}
