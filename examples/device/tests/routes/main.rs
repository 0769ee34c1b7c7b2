//! 10,000 readings of 20 devices reach the consumers of a stream, over MQTT and over HTTPS, although the power fails and connections
//! break. With a rule that is keyed by the topic, as in many examples, most of them do not.
//!
//! The stream is simulated, unless `KINESIS` is the address of a local server, for example `127.0.0.1:4567`.

mod client;
mod service;
mod world;

use client::Client;
use device::sensor::Sensor;
use service::{Local, Service, Simulated};
use world::{Outcome, Route, run};

const DEVICES: u32 = 20;
/// Of each device.
const READINGS: u32 = 500;

/// Sends everything over a route and reads the stream. Returns what happened, and which readings were read.
fn publish_and_read(stream: &str, route: Route, seed: u64) -> (Outcome, Vec<Vec<bool>>) {
    let service: Box<dyn Service> = match std::env::var("KINESIS") {
        Ok(address) => Box::new(Local::new(address)),
        Err(_) => Box::new(Simulated::default()),
    };
    let mut client = Client::new(service, stream);
    client.create_stream(3);
    let outcome = run(&mut client, route, seed);
    let mut read = vec![vec![false; READINGS as usize]; DEVICES as usize];
    let user_records = client.consume(|user| {
        let device: usize = user.partition_key.strip_prefix("device-").unwrap().parse().unwrap();
        let number = u32::from_le_bytes(*user.data.first_chunk().unwrap());
        assert_eq!(user.data, Sensor::reading(device as u32, number), "as it was taken");
        read[device][number as usize] = true;
    });
    let count: usize = read.iter().flatten().filter(|read| **read).count();
    println!("{stream}: {count} of 10000 readings read, from {user_records} user records; {outcome:?}");
    (outcome, read)
}

fn check_complete(route: Route, name: &str, seed: u64) {
    let (outcome, read) = publish_and_read(name, route, seed);
    for (device, readings) in read.iter().enumerate() {
        for (number, read) in readings.iter().enumerate() {
            assert!(read, "{name}: reading {number} of device {device} is missing");
        }
    }
    // Otherwise this proves little.
    assert!(outcome.restarts > 40 && outcome.torn > 20, "{outcome:?}");
    assert!(outcome.broken > 40 && outcome.unacknowledged > 10, "{outcome:?}");
    assert!(outcome.collected_while_sending > 3000, "{outcome:?}");
}

#[test]
fn every_reading_is_read_over_mqtt() {
    check_complete(Route::Mqtt { rule: "${topic(2)}" }, "mqtt", 1);
}

#[test]
fn every_reading_is_read_over_https() {
    check_complete(Route::Https, "https", 2);
}

#[test]
fn a_rule_keyed_by_the_topic_loses_readings() {
    let (_, read) = publish_and_read("control", Route::Mqtt { rule: "${topic()}" }, 3);
    let lost = read.iter().flatten().filter(|read| !**read).count();
    assert!(lost > 1000, "{lost} lost");
    // A device's readings all go to one shard, the right one or not.
    assert!(read.iter().all(|readings| readings.iter().all(|read| *read == readings[0])));
}

#[test]
fn a_wrong_signature_is_refused() {
    let mut client = Client::new(Box::new(Simulated::default()), "refused");
    client.create_stream(1);
    let mut request = client.signed("ListShards", &serde_json::json!({ "StreamName": "refused" }));
    let accepted = |response: Vec<u8>| response.starts_with(b"HTTP/1.1 200");
    assert!(accepted(client.exchange(&request)));
    let last = request.len() - 1;
    request[last] = b' ';
    assert!(!accepted(client.exchange(&request)), "another body");
}
