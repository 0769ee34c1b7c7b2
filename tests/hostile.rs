//! Nobody can make the decoder slow: a payload made for it takes a few times as long as an ordinary one of the same
//! size, and time grows with the size alone, whatever is in it.
//!
//! Times are compared with times taken in between, in the same process, never with the clock. What a busy machine does to
//! one measurement it does not do to all: each question is asked again before the answer counts. What this is to find, a
//! search through a table for every record, misses the limits many times over.

#![cfg(feature = "alloc")]
#![expect(clippy::panic, reason = "a panic fails the test, as it should")]

mod common;

use core::hint::black_box;
use core::time::Duration;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use kinesis_aggregation::{DigestCheck, Payload};

use common::random::Random;
use common::{field, frame, varint};

/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// How often each of the two is decoded, in turns, for one ratio.
const RUNS: usize = 25;

/// When fewer runs have to do, so that a failure is not long in coming.
const LONG_ENOUGH: Duration = Duration::from_secs(2);

/// How often a ratio is taken before one that is too high counts.
const ATTEMPTS: usize = 5;

/// Asserts that `subject` takes at most `limit` times as long to decode as `yardstick`.
fn takes_at_most(limit: f64, name: &str, subject: &[u8], yardstick: &[u8], check: DigestCheck) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut ratios = Vec::new();
    for _ in 0..ATTEMPTS {
        let ratio = ratio(subject, yardstick, check);
        println!("{name}: {ratio:.2} times as long");
        if ratio <= limit {
            return;
        }
        ratios.push(ratio);
        // This far off it is not the machine.
        if ratio > 4.0 * limit {
            break;
        }
    }
    panic!("{name}: {ratios:.1?} times as long: at most {limit} times is allowed");
}

fn ratio(subject: &[u8], yardstick: &[u8], check: DigestCheck) -> f64 {
    let start = Instant::now();
    let mut fastest = (Duration::MAX, Duration::MAX);
    for _ in 0..RUNS {
        // A busy machine makes a run slower, and nothing makes it faster than it is.
        fastest.0 = fastest.0.min(time(subject, check));
        fastest.1 = fastest.1.min(time(yardstick, check));
        if start.elapsed() > LONG_ENOUGH {
            break;
        }
    }
    fastest.0.as_secs_f64() / fastest.1.as_secs_f64()
}

/// Times everything that a reader does with a payload.
fn time(payload: &[u8], check: DigestCheck) -> Duration {
    let start = Instant::now();
    if let Payload::Aggregated(aggregate) = Payload::parse_with(black_box(payload), Vec::new(), check) {
        for user in &aggregate {
            black_box((user.partition_key, user.explicit_hash_key, user.data));
            user.tags.for_each(|tag| _ = black_box(tag));
        }
    }
    start.elapsed()
}

/// A user record with one byte of data.
fn pointer(index: usize) -> Vec<u8> {
    field(3, &[&[8], &number(index)[..], &[0x1a, 1, b'x']].concat())
}

fn number(index: usize) -> Vec<u8> {
    varint(index.try_into().unwrap_or(0))
}

/// As many user records as keys of one byte, each with a key anywhere in the table.
fn scattered(count: usize) -> Vec<u8> {
    let mut random = Random::new(0);
    let mut body = field(1, b"k").repeat(count);
    body.extend((0..count).flat_map(|_| pointer(random.below(count))));
    body
}

/// 10,000 user records of about 100 bytes, with 256 keys.
fn ordinary() -> Vec<u8> {
    let mut random = Random::new(0);
    let mut body: Vec<u8> = (0..256).flat_map(|key| field(1, format!("device-{key}").as_bytes())).collect();
    for _ in 0..10_000 {
        let index = random.below(256);
        body.extend(field(3, &[vec![8], number(index), field(3, &random.bytes(98))].concat()));
    }
    body
}

/// How many times as long as an ordinary payload a hostile one may take. Without optimisation there is more to every
/// field, and the hostile one has ten times as many.
const LIMIT: f64 = if cfg!(debug_assertions) { 12.0 } else { 5.0 };

#[test]
fn a_hostile_payload_takes_a_few_times_as_long_as_an_ordinary_one() {
    let (hostile, ordinary) = (frame(&scattered(80_000)), frame(&ordinary()));
    for payload in [&hostile, &ordinary] {
        assert!((900_000..1_100_000).contains(&payload.len()), "{} bytes", payload.len());
    }
    takes_at_most(LIMIT, "hostile payload", &hostile, &ordinary, DigestCheck::Verify);
}

/// How to make a body of a size.
type Shape = fn(usize) -> Vec<u8>;

const SHAPES: &[(&str, Shape)] = &[
    ("keys, and records anywhere among them", scattered),
    ("records before their keys", |n| [pointer(n - 1).repeat(n), field(1, b"k").repeat(n)].concat()),
    ("empty keys", |n| field(1, b"").repeat(n)),
    ("keys of both tables in turns", |n| [field(1, b"k"), field(2, b"0")].concat().repeat(n)),
    ("records of one key", |n| [field(1, b"k"), pointer(0).repeat(n)].concat()),
    ("records, the last of no key", |n| [field(1, b"k"), pointer(0).repeat(n), pointer(1)].concat()),
    ("unknown fields", |n| [0x48, 0].repeat(n)),
    ("unknown fields between records", |n| {
        [&field(1, b"k")[..], &[&[0x48, 0][..], &pointer(0)].concat().repeat(n)].concat()
    }),
    ("unknown fields in a record", |n| in_a_record(&[0x48, 0].repeat(n))),
    ("groups, one after the other", |n| [0x4b, 0x4c].repeat(n)),
    ("groups, a hundred one in the other", |n| [[0x4b; 100], [0x4c; 100]].concat().repeat(n / 100)),
    ("tags in a record", |n| in_a_record(&field(4, &field(1, b"k")).repeat(n))),
    ("tags after unknown fields in a record", |n| {
        in_a_record(&[[0x48, 0].repeat(n), field(4, &field(1, b"k")).repeat(n)].concat())
    }),
    ("records with a tag", |n| {
        let record = [&[8, 0, 0x1a, 0][..], &field(4, &field(1, b"k"))].concat();
        [field(1, b"k"), field(3, &record).repeat(n)].concat()
    }),
    ("data, the last of which counts", |n| in_a_record(&[0x1a, 0].repeat(n))),
];

/// One record with an index, data, and more fields, however long.
fn in_a_record(fields: &[u8]) -> Vec<u8> {
    [field(1, b"k"), field(3, &[&[8, 0, 0x1a, 1, b'x'], fields].concat())].concat()
}

#[test]
fn time_grows_with_the_size() {
    // Four times the size would take sixteen times as long if every part had to do with every other. Short runs are less
    // often interrupted.
    for (name, shape) in SHAPES {
        let (small, large) = (frame(&shape(500)), frame(&shape(2_000)));
        takes_at_most(8.0, name, &large, &small, DigestCheck::Skip);
    }
}
