//! Nobody can make the decoder slow: a megabyte takes at most five times as long as its digest, whatever it is full of,
//! fifteen times if it is full of what no processor can foresee, and time grows with the size alone.
//!
//! The mistake that this is to find, a search through a table for every record, would miss the limits many times over. The
//! payloads of known attacks are in `tests/attacks.rs`.

#![cfg(feature = "alloc")]

mod common;
#[path = "attacks/payloads.rs"]
mod payloads;
#[path = "common/timing.rs"]
mod timing;

use kinesis_aggregation::decode::DigestCheck;

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
    ("keys that are not ASCII", |n| field(1, "é".as_bytes()).repeat(n)),
    ("keys of both tables in turns", |n| [field(1, b"k"), field(2, b"0")].concat().repeat(n)),
    ("records of one key", |n| [field(1, b"k"), pointer(0).repeat(n)].concat()),
    ("records, the last of no key", |n| [field(1, b"k"), pointer(0).repeat(n), pointer(1)].concat()),
    ("records, data first", |n| [field(1, b"k"), field(3, &[0x1a, 0, 8, 0]).repeat(n)].concat()),
    ("records with an unknown field", |n| {
        [field(1, b"k"), field(3, &[8, 0, 0x1a, 0, 0x48, 0]).repeat(n)].concat()
    }),
    ("unknown fields", |n| [0x48, 0].repeat(n)),
    ("unknown fields between records", |n| {
        [&field(1, b"k")[..], &[&[0x48, 0][..], &pointer(0)].concat().repeat(n)].concat()
    }),
    ("unknown fields in a record", |n| in_a_record(&[0x48, 0].repeat(n))),
    ("unknown fields of high numbers in a record", |n| in_a_record(&[0x82, 1, 0].repeat(n))),
    ("unknown fields of over-long numbers in a record", |n| {
        in_a_record(&[0x48, 0x80, 0x80, 0x80, 0].repeat(n))
    }),
    ("fixed-width fields in a record", |n| in_a_record(&[0x4d, 1, 2, 3, 4].repeat(n))),
    ("groups, one after the other", |n| [0x4b, 0x4c].repeat(n)),
    ("groups, a hundred one in the other", |n| [[0x4b; 100], [0x4c; 100]].concat().repeat(n / 100)),
    ("groups of high numbers in a record", |n| in_a_record(&[0x83, 1, 0x84, 1].repeat(n))),
    ("groups with a field in a record", |n| in_a_record(&[0x4b, 0x48, 0, 0x4c].repeat(n))),
    ("groups with a group in a record", |n| in_a_record(&[0x4b, 0x4b, 0x4c, 0x4c].repeat(n))),
    ("tags in a record", |n| in_a_record(&field(4, &field(1, b"k")).repeat(n))),
    ("empty tags in a record", |n| in_a_record(&field(4, &field(1, b"")).repeat(n))),
    ("tags after unknown fields in a record", |n| {
        in_a_record(&[[0x48, 0].repeat(n), field(4, &field(1, b"k")).repeat(n)].concat())
    }),
    ("tags and unknown fields in turns in a record", |n| {
        in_a_record(&[field(4, &field(1, b"")), vec![0x82, 1, 0]].concat().repeat(n))
    }),
    ("records with a tag", |n| records_with(&field(4, &field(1, b"k")), n)),
    ("records with an empty tag", |n| records_with(&field(4, &field(1, b"")), n)),
    ("data, the last of which counts", |n| in_a_record(&[0x1a, 0].repeat(n))),
];

/// User records that have something after their data.
fn records_with(more: &[u8], count: usize) -> Vec<u8> {
    let record = field(3, &[&[8, 0, 0x1a, 0], more].concat());
    [field(1, b"k"), record.repeat(count)].concat()
}

/// The digest is the library's own: without `fast-digest` it is slower, and without optimisation it says nothing.
#[cfg(all(feature = "fast-digest", not(debug_assertions)))]
mod beside_the_digest {
    use core::hint::black_box;

    use kinesis_aggregation::decode::{DigestCheck, Md5};

    use super::SHAPES;
    use super::common::frame;
    use super::common::random::Random;
    use super::payloads::in_a_record;
    use super::timing::{read, takes_at_most};

    /// Whatever a megabyte is full of, to take it apart takes less than five times as long as its digest alone.
    #[test]
    fn a_full_megabyte_takes_at_most_5_digests() {
        for (name, shape) in SHAPES {
            let of_thousand = shape(1000).len();
            let body = shape((1 << 20) * 1000 / of_thousand);
            assert!((1_000_000..1_400_000).contains(&body.len()), "{name}: {} bytes", body.len());
            takes_at_most_digests(5.0, name, &body);
        }
    }

    /// Fields of several kinds in an order that no processor can foresee: each wrong guess of one costs it more than the field,
    /// in each of the three readings of a record (when it is checked, when it is yielded, and when its tags are).
    #[test]
    fn unforeseeable_fields_take_at_most_15_digests() {
        let mixtures: &[(&str, &[&[u8]])] = &[
            ("numbers and data", &[&[0x48, 0], &[0x4a, 0]]),
            ("numbers, data and groups", &[&[0x48, 0], &[0x4a, 0], &[0x4b, 0x4c]]),
            ("high numbers", &[&[0x80, 1, 0], &[0x82, 1, 0]]),
            ("tags and numbers", &[&[0x22, 2, 0x0a, 0], &[0x48, 0]]),
            ("tags and all else", &[&[0x22, 2, 0x0a, 0], &[0xc8, 0, 0], &[0x83, 1, 0x84, 1], &[0x4a, 1, 0]]),
        ];
        for (name, fields) in mixtures {
            let mut random = Random::new(1);
            let mut content = Vec::new();
            while content.len() < 1 << 20 {
                content.extend_from_slice(random.pick(fields));
            }
            takes_at_most_digests(15.0, name, &in_a_record(&content));
        }
    }

    fn takes_at_most_digests(limit: f64, name: &str, body: &[u8]) {
        let payload = frame(body);
        takes_at_most(
            limit,
            name,
            || read(&payload, DigestCheck::Verify),
            || _ = black_box(Md5::digest(black_box(body))),
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
