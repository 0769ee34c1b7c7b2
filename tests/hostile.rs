//! Nobody can make the decoder slow: a payload made for it takes a few times as long as an ordinary one of the same
//! size, and time grows with the size alone, whatever is in it.
//!
//! What this is to find, a search through a table for every record, misses the limits many times over. The payloads of
//! known attacks are in `tests/attacks.rs`.

#![cfg(feature = "alloc")]

mod common;
#[path = "attacks/payloads.rs"]
mod payloads;
#[path = "common/timing.rs"]
mod timing;

#[cfg(all(feature = "fast-digest", not(debug_assertions)))]
use core::hint::black_box;

use kinesis_aggregation::DigestCheck;
#[cfg(all(feature = "fast-digest", not(debug_assertions)))]
use kinesis_aggregation::Md5;

use common::{field, frame};
use payloads::{in_a_record, ordinary, record, scattered};
use timing::{read, takes_at_most};

/// A user record with one byte of data.
fn pointer(index: usize) -> Vec<u8> {
    record(index, b"x")
}

/// How many times as long as an ordinary payload a hostile one may take. Without optimisation there is more to every
/// field, and the hostile one has ten times as many.
const LIMIT: f64 = if cfg!(debug_assertions) { 12.0 } else { 5.0 };

#[test]
fn a_hostile_payload_takes_a_few_times_as_long_as_an_ordinary_one() {
    let (hostile, ordinary) = (frame(&scattered(80_000)), frame(&ordinary(1_000_000)));
    for payload in [&hostile, &ordinary] {
        assert!((900_000..1_100_000).contains(&payload.len()), "{} bytes", payload.len());
    }
    let all = DigestCheck::Verify;
    takes_at_most(LIMIT, "hostile payload", || read(&hostile, all), || read(&ordinary, all));
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

/// Whatever is in a megabyte, to take it apart takes less than five times as long as its digest alone: eight times, if it is
/// tags. The digest is the library's own: without `fast-digest` it is slower, and without optimisation it says nothing.
#[test]
#[cfg(all(feature = "fast-digest", not(debug_assertions)))]
fn nothing_takes_many_times_as_long_as_its_digest() {
    for (name, shape) in SHAPES {
        let of_thousand = shape(1000).len();
        let body = shape((1 << 20) * 1000 / of_thousand);
        assert!((1_000_000..1_400_000).contains(&body.len()), "{name}: {} bytes", body.len());
        let payload = frame(&body);
        let limit = if name.contains("tag") { 8.0 } else { 5.0 };
        takes_at_most(
            limit,
            name,
            || read(&payload, DigestCheck::Verify),
            || _ = black_box(Md5::digest(&body)),
        );
    }
}

#[test]
fn time_grows_with_the_size() {
    // Four times the size would take sixteen times as long if every part had to do with every other. Short runs are less
    // often interrupted.
    for (name, shape) in SHAPES {
        let (small, large) = (frame(&shape(500)), frame(&shape(2_000)));
        let body = DigestCheck::Skip;
        takes_at_most(8.0, name, || read(&large, body), || read(&small, body));
    }
}
