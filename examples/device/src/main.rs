//! The firmware, on the host or on a Cortex-M without an operating system. It collects 1,000 readings, sends them over both routes to
//! nowhere, loses power on the way, and checks that each reading was in an aggregate.

#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(target_os = "none", no_main)]

use core::convert::Infallible;
use core::time::Duration;

use device::device::{Device, DeviceError};
use device::https::{Endpoint, PutRecord, write_request};
use device::mqtt::topic;
use device::sensor::Sensor;
use device::sigv4::{Credentials, Timestamp};
use device::simulated::{Flash, PowerLoss};
use kinesis_aggregation::Payload;
use kinesis_aggregation::decode::Md5;
use kinesis_aggregation::encode::AggregateRef;

const READINGS: usize = 1000;
const SECTORS: usize = 4;
const BUFFER: usize = 1024;
/// The time that sending takes, in readings.
const SENDING: usize = 30;

const ENDPOINT: Endpoint<'static> = Endpoint {
    host: "kinesis.eu-central-1.amazonaws.com",
    region: "eu-central-1",
    credentials: Credentials {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: "secret",
        session_token: None,
    },
};

/// The user records that arrived.
struct Arrived {
    readings: [bool; READINGS],
    /// A digest over all messages and requests, to compare machines.
    all: Md5,
    aggregates: usize,
}

/// Runs the device until every reading has been sent. Returns what arrived, and the number of restarts.
fn run() -> Result<(Arrived, usize), &'static str> {
    let mut sensor = Sensor::new(7);
    let mut flash = Flash::<SECTORS>::new();
    let mut arrived = Arrived { readings: [false; READINGS], all: Md5::new(), aggregates: 0 };
    let mut restarts = 0;
    // The power fails after more and more bytes, so that writing and erasing are cut in many places.
    loop {
        if restarts < 20 {
            flash.fail_after(100 + 1_370 * restarts);
        }
        sensor.power_on();
        let (mut first, mut second) = ([0; BUFFER], [0; BUFFER]);
        let device = Device::new("device-7", [&mut first, &mut second], &mut flash, Duration::from_secs(600));
        let outcome = live(device.map_err(|_| "the flash cannot be read")?, &mut sensor, &mut arrived);
        match outcome {
            Ok(()) => break,
            Err(DeviceError::Encode(_)) => return Err("a reading cannot be encoded"),
            Err(DeviceError::Store(_)) => restarts += 1,
        }
        flash.power_on();
    }
    if flash.torn() < 5 {
        return Err("the power hardly ever failed during a write");
    }
    if arrived.readings.iter().all(|arrived| *arrived) {
        Ok((arrived, restarts))
    } else {
        Err("a reading is missing")
    }
}

fn live(
    mut device: Device<'_, &mut Flash<SECTORS>, SECTORS>,
    sensor: &mut Sensor,
    arrived: &mut Arrived,
) -> Result<(), DeviceError<PowerLoss>> {
    let mut sending_for = 0;
    loop {
        let now = Duration::from_secs(10) * sensor.next();
        let left = READINGS - sensor.next() as usize;
        if left > 0 {
            let collected = device.add(&sensor.read(), now)?;
            sensor.release(collected.stored);
            if collected.taken {
                sensor.taken();
            }
        } else {
            sensor.release(device.flush()?);
        }
        // The next buffer is being filled while this one is being sent.
        let Some(aggregate) = device.to_send()? else {
            if left == 0 && device.in_memory() == 0 {
                return Ok(());
            }
            continue;
        };
        sending_for += 1;
        if sending_for < SENDING && left > 0 {
            continue;
        }
        sending_for = 0;
        arrived.take(&aggregate, 1_795_000_000 + now.as_secs());
        device.sent()?;
    }
}

impl Arrived {
    fn take(&mut self, aggregate: &AggregateRef<'_>, now: u64) {
        self.aggregates += 1;
        let mut keys = [""; 1];
        if let Payload::Aggregated(users) = Payload::parse(aggregate.data, &mut keys) {
            for user in &users {
                let number = user.data.first_chunk().map_or(0, |number| u32::from_le_bytes(*number));
                if let Some(reading) = self.readings.get_mut(number as usize) {
                    *reading = true;
                }
            }
        }
        if let Some(topic) = topic(aggregate) {
            self.all.update(topic.as_bytes());
            self.all.update(aggregate.data);
        }
        // To a socket, in a device.
        let record = PutRecord::new("readings", aggregate);
        if let Some(time) = Timestamp::from_unix(now) {
            _ = write_request(&record, &ENDPOINT, &time, &mut Digesting(&mut self.all));
        }
    }
}

/// A socket that digests what it is given.
struct Digesting<'d>(&'d mut Md5);

impl embedded_io::ErrorType for Digesting<'_> {
    type Error = Infallible;
}

impl embedded_io::Write for Digesting<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Runs the device, prints a line, and returns the exit status.
fn status() -> i32 {
    match run() {
        Ok((Arrived { aggregates, all, .. }, restarts)) => {
            let all = u128::from_be_bytes(all.finalize());
            println!(
                "firmware: {READINGS} readings in {aggregates} aggregates, {restarts} restarts; results {all:032x}"
            );
            0
        }
        Err(what) => {
            println!("firmware: {what}");
            1
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    std::process::exit(status());
}

#[cfg(target_os = "none")]
use semihosting::println;

#[cfg(target_os = "none")]
#[cortex_m_rt::entry]
fn main() -> ! {
    semihosting::process::exit(status())
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    println!("firmware: {info}");
    semihosting::process::exit(101)
}
