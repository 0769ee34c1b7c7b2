//! Devices with sensors, their connections, and what goes wrong.

use core::time::Duration;

use device::device::{Device, DeviceError};
use device::https::{HttpError, PutRecord, read_response, write_request};
use device::mqtt::topic;
use device::sensor::Sensor;
use device::simulated::Flash;
use kinesis_aggregation::encode::AggregateRef;

use crate::client::{Client, ENDPOINT, now as clock};
use crate::service::Socket;
use crate::{DEVICES, READINGS};

const SLOTS: usize = 4;
const BUFFER: usize = 1024;
/// The number of bytes that a connection takes while a reading is taken.
const BYTES_PER_TICK: usize = 40;

/// The route of aggregates to the stream.
#[derive(Clone, Copy)]
pub enum Route {
    /// Through a broker with a rule, which puts each message with this partition key.
    Mqtt {
        rule: &'static str,
    },
    Https,
}

/// The outcome of a simulation.
#[derive(Debug, Default)]
pub struct Outcome {
    pub restarts: usize,
    /// Power losses in the middle of writing or erasing flash.
    pub torn: usize,
    /// Connections that broke before everything was sent.
    pub broken: usize,
    /// Connections that broke when everything had been sent, but not acknowledged.
    pub unacknowledged: usize,
    /// Puts that the service refused at first.
    pub throttled: usize,
    pub collected_while_sending: usize,
    pub aggregates: usize,
}

type Running = Device<'static, Flash<SLOTS>, SLOTS>;

struct Unit {
    key: &'static str,
    sensor: Sensor,
    device: Option<Running>,
    message: Option<Message>,
}

/// A message in flight.
struct Message {
    topic: String,
    bytes: Vec<u8>,
    sent: usize,
}

/// Lets all devices send all their readings.
pub fn run(client: &mut Client, route: Route, seed: u64) -> Outcome {
    let mut random = Random(seed);
    let mut outcome = Outcome::default();
    let mut units: Vec<_> = (0..DEVICES)
        .map(|number| {
            let key: &'static str = format!("device-{number}").leak();
            let device = Some(start(key, Flash::new(), &mut random));
            Unit { key, sensor: Sensor::new(number), device, message: None }
        })
        .collect();
    for tick in 0.. {
        assert!(tick < 20_000, "it does not come to an end: {outcome:?}");
        let now = Duration::from_secs(10 * tick);
        let mut busy = false;
        for unit in &mut units {
            busy |= unit.tick(client, route, now, &mut random, &mut outcome);
        }
        if !busy {
            break;
        }
    }
    for unit in units {
        outcome.torn += unit.device.unwrap().into_flash().torn();
    }
    outcome
}

/// Switches a device on. The power fails when it has written so much, possibly in the middle of an aggregate.
fn start(key: &'static str, mut flash: Flash<SLOTS>, random: &mut Random) -> Running {
    flash.power_on();
    flash.fail_after(2_000 + random.below(30_000));
    let buffers = [vec![0; BUFFER].leak(), vec![0; BUFFER].leak()];
    Device::new(key, buffers, flash, Duration::from_secs(900)).unwrap()
}

impl Unit {
    /// Takes a reading and sends a little. Returns whether there is more to do.
    fn tick(
        &mut self,
        client: &mut Client,
        route: Route,
        now: Duration,
        random: &mut Random,
        outcome: &mut Outcome,
    ) -> bool {
        // The power also fails while nothing is written.
        let failed = random.one_in(300) || self.live(client, route, now, random, outcome).is_err();
        if failed {
            outcome.restarts += 1;
            self.message = None;
            self.sensor.power_on();
            let flash = self.device.take().unwrap().into_flash();
            self.device = Some(start(self.key, flash, random));
        }
        let device = self.device.as_ref().unwrap();
        self.sensor.next() < READINGS || device.in_memory() > 0 || device.in_flash() > 0
    }

    fn live(
        &mut self,
        client: &mut Client,
        route: Route,
        now: Duration,
        random: &mut Random,
        outcome: &mut Outcome,
    ) -> Result<(), DeviceError<device::simulated::PowerLoss>> {
        let device = self.device.as_mut().unwrap();
        if self.sensor.next() < READINGS {
            let collected = device.add(&self.sensor.read(), now)?;
            self.sensor.release(collected.stored);
            if collected.taken {
                self.sensor.taken();
                outcome.collected_while_sending += usize::from(self.message.is_some());
            }
        } else {
            self.sensor.release(device.flush()?);
        }

        let Some(aggregate) = device.to_send()? else { return Ok(()) };
        let message = self.message.get_or_insert_with(|| Message::new(&aggregate, route, client));
        message.sent += BYTES_PER_TICK;
        if random.one_in(60) {
            outcome.broken += 1;
        } else if message.sent < message.bytes.len() {
            return Ok(());
        } else if message.deliver(client, route, random, outcome) {
            outcome.aggregates += 1;
            if !random.one_in(10) {
                self.message = None;
                device.sent()?;
                return Ok(());
            }
            outcome.unacknowledged += 1;
        }
        self.message = None;
        device.failed();
        Ok(())
    }
}

impl Message {
    fn new(aggregate: &AggregateRef<'_>, route: Route, client: &Client) -> Self {
        let mut bytes = Vec::new();
        match route {
            Route::Mqtt { .. } => bytes.extend(aggregate.data),
            Route::Https => {
                let record = PutRecord::new(&client.stream, aggregate);
                write_request(&record, &ENDPOINT, &clock(), &mut Socket(&mut bytes)).unwrap();
            }
        }
        let topic = topic(aggregate).unwrap().as_str().to_owned();
        Self { topic, bytes, sent: 0 }
    }

    /// Delivers what was sent. Returns whether the device will get an acknowledgement.
    fn deliver(&self, client: &mut Client, route: Route, random: &mut Random, outcome: &mut Outcome) -> bool {
        match route {
            // The broker acknowledges, and its rule puts the message.
            Route::Mqtt { rule } => {
                let levels: Vec<_> = self.topic.split('/').collect();
                let partition_key = match rule {
                    "${topic()}" => self.topic.clone(),
                    "${topic(2)}" => levels[1].to_owned(),
                    _ => panic!("another rule: {rule}"),
                };
                client.put(&self.bytes, &partition_key);
                true
            }
            Route::Https => {
                let response = if random.one_in(15) {
                    let body = r#"{"__type":"ProvisionedThroughputExceededException","message":"slower"}"#;
                    format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n{body}", body.len())
                        .into_bytes()
                } else {
                    client.exchange(&self.bytes)
                };
                match read_response(&mut &response[..]) {
                    Ok(()) => true,
                    Err(HttpError::Status(400)) => {
                        outcome.throttled += 1;
                        false
                    }
                    Err(error) => panic!("{error:?}: {}", String::from_utf8_lossy(&response)),
                }
            }
        }
    }
}

/// Pseudo-random numbers: the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        // The constants of Knuth's MMIX generator, whose upper bits are the random ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}
