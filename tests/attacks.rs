//! What was done to other protobuf parsers, done to this one: a test for each class of attack, with its references.
//!
//! Stacks, allocations and time are measured. Time and memory are compared with what a friendly payload of the same size
//! takes, and with a hostile one of a quarter of the size.

#![cfg(feature = "alloc")]
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "all numbers are small or bounded, and a panic fails the test, as it should"
)]

#[path = "attacks/collisions.rs"]
mod collisions;
mod common;
#[path = "attacks/lengths.rs"]
mod lengths;
#[path = "attacks/lookups.rs"]
mod lookups;
#[path = "attacks/nesting.rs"]
mod nesting;
#[path = "attacks/payloads.rs"]
mod payloads;
#[path = "attacks/superlinear.rs"]
mod superlinear;
#[path = "common/timing.rs"]
mod timing;
#[path = "attacks/unknown_fields.rs"]
mod unknown_fields;
#[path = "attacks/wraps.rs"]
mod wraps;

use allocation_counter::measure;
use kinesis_aggregation::decode::{DecodeErrorKind, DigestCheck, PlainReason};
use kinesis_aggregation::{Payload, deaggregate};

use common::frame;
use payloads::ordinary;
use timing::{read, takes_at_most};

/// About how many bytes the payloads have that are timed. Short runs are less often interrupted.
const SIZE: usize = if cfg!(debug_assertions) { 20_000 } else { 60_000 };

/// How many times as long as an ordinary payload of the same size a hostile one may take. It has up to fifty times as many
/// fields, and the most that was seen is 18 times as long, with empty groups; without optimisation 60 times, with user
/// records that have all there is. What is quadratic takes thousands of times as long.
const LIMIT: f64 = if cfg!(debug_assertions) { 200.0 } else { 40.0 };

/// How many times as long a payload of four times the size may take: sixteen times, if every part of it had to do with
/// every other.
const FOURFOLD: f64 = 8.0;

/// Asserts that what `body` makes of a size takes about as long as an ordinary payload, and grows with the size alone.
fn takes_linear_time(name: &str, body: impl Fn(usize) -> Vec<u8>) {
    let hostile = frame(&body(SIZE));
    assert!((SIZE * 9 / 10..SIZE * 11 / 10).contains(&hostile.len()), "{name}: {} bytes", hostile.len());
    let friendly = frame(&ordinary(hostile.len()));
    let all = DigestCheck::Verify;
    takes_at_most(LIMIT, name, || read(&hostile, all), || read(&friendly, all));

    // Without the digest, which would hide what it takes to read.
    let [small, large] = [2_000, 8_000].map(|size| frame(&body(size)));
    let body_alone = DigestCheck::Skip;
    takes_at_most(FOURFOLD, name, || read(&large, body_alone), || read(&small, body_alone));
}

/// Asserts that a body is malformed in this way, at this offset in it, and that finding out allocates nothing.
fn is_malformed(name: &str, body: &[u8], kind: DecodeErrorKind, offset: usize) {
    let payload = frame(body);
    let mut reason = None;
    let measured = measure(|| reason = deaggregate(&payload).plain_reason());
    assert_eq!(measured.bytes_total, 0, "{name}");
    let Some(PlainReason::Malformed(error)) = reason else { panic!("{name}: {reason:?}") };
    assert_eq!((error.kind(), error.offset()), (kind, 4 + offset), "{name}");
}

/// Asserts that taking a payload apart allocates the room for its keys and nothing else: at most 16 bytes for the two that
/// the shortest key takes, on a target of 64 bits.
fn allocates_room_for_keys_alone(name: &str, body: &[u8], keys: usize) {
    let payload = frame(body);
    let mut users = 0;
    let measured = measure(|| users = deaggregate(&payload).count());
    assert_eq!(measured.count_total, u64::from(keys != 0), "{name}");
    let room = u64::try_from(keys * size_of::<&str>()).unwrap();
    assert_eq!(measured.bytes_total, room, "{name}: of {users} user records");
    assert!(room <= 8 * u64::try_from(payload.len()).unwrap(), "{name}: {room} bytes");

    let measured =
        measure(|| assert_eq!(count_without_buffer(&payload), if keys == 0 { users } else { keys }));
    assert_eq!(measured.bytes_total, 0, "{name}: without a buffer");
}

/// How many user records there are, or how many keys where there are any.
fn count_without_buffer(payload: &[u8]) -> usize {
    match Payload::parse(payload, &mut []) {
        Payload::Aggregated(aggregate) => aggregate.records().count(),
        Payload::NeedsKeys { needed } => needed,
        Payload::Plain(reason) => panic!("{reason}"),
    }
}
