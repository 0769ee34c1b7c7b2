//! Every short message decodes as the specification says: verdict, kind and offset of the fault, and all values.
//!
//! These are all messages of up to three bytes, 16.8 million, as a body and as the end of a user record, and all of up to two
//! bytes in other places. A debug build tries only some of those of three bytes, and all with `KINESIS_AGG_EXHAUSTIVE=1`.

use std::thread;

use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, MAGIC, PlainReason};

use crate::agree::compare;
use crate::common::{field, hex};

/// The distance between the messages of three bytes that are tried. It is odd, so the steps meet every value of each byte.
fn step() -> u32 {
    if !cfg!(debug_assertions) || std::env::var_os("KINESIS_AGG_EXHAUSTIVE").is_some() { 1 } else { 97 }
}

/// Compares on every `step`th body that a message of `len` bytes gives. Returns how many of them are valid.
fn sweep(len: usize, step: u32, body: impl Fn(&[u8]) -> Vec<u8> + Sync) -> usize {
    let half = |first: u32| {
        let messages = (first..1 << (8 * len)).step_by(2 * step as usize);
        let valid = messages.filter(|message| {
            let body = body(&message.to_be_bytes()[4 - len..]);
            // The digest is not checked.
            compare(&[&MAGIC, &body[..], &[0; 16]].concat())
        });
        valid.count()
    };
    thread::scope(|scope| {
        let halves = [scope.spawn(|| half(0)), scope.spawn(|| half(step))];
        halves.map(|half| half.join().unwrap_or_else(|_| panic!("see above"))).iter().sum()
    })
}

#[test]
fn every_body_of_up_to_three_bytes_decodes_as_specified() {
    assert_eq!(sweep(1, 1, <[u8]>::to_vec), 0);
    // For each field number below 16 there is a number of one byte, a value of no bytes (though of field 3 that is a user
    // record without index and data), and a group with nothing in it.
    assert_eq!(sweep(2, 1, <[u8]>::to_vec), 15 * 128 + 14 + 15);
    let valid = sweep(3, step(), <[u8]>::to_vec);
    println!("of three bytes: {valid} are valid");
    assert!(valid > 0);
}

/// An aggregated record of one user record that ends with these fields.
fn record_ending(fields: &[u8]) -> Vec<u8> {
    let record = [&hex("08 00 1a 01 78"), fields].concat();
    [hex("0a 01 61 12 01 30"), field(3, &record)].concat()
}

#[test]
fn every_end_of_a_user_record_decodes_as_specified() {
    for (len, step) in [(1, 1), (2, 1), (3, step())] {
        let valid = sweep(len, step, record_ending);
        println!("of {len} bytes: {valid} are valid");
        assert_eq!(valid == 0, len == 1);
    }
}

#[test]
fn an_empty_body_is_too_short() {
    let payload = [&MAGIC[..], &[0; 16]].concat();
    let found = AggregatedRecord::parse_with(&payload, DigestCheck::Skip);
    assert_eq!(found.err(), Some(PlainReason::TooShort));
}

/// A position of a message, and the body that it is part of there.
type Place = (&'static str, fn(&[u8]) -> Vec<u8>);

const PLACES: &[Place] = &[
    ("before a record and its key", |m| [m, &hex("1a 05 08 00 1a 01 78 0a 01 61")].concat()),
    ("between a key and its record", |m| [&hex("0a 01 61"), m, &hex("1a 05 08 00 1a 01 78")].concat()),
    ("partition key", |m| [field(1, m), hex("1a 05 08 00 1a 01 78")].concat()),
    ("explicit hash key", |m| [&hex("0a 00")[..], &field(2, m), &hex("1a 06 08 00 10 00 1a 00")].concat()),
    ("length of a key", |m| [&[0x0a], m, &[0x48; 40]].concat()),
    ("length of a record", |m| [&hex("0a 00 1a"), m, &hex("08 00 1a 00 48 00 48 00 48 00")].concat()),
    ("lengths of a record and its data", |m| {
        [&hex("0a 00 1a")[..], &m[..1], &hex("08 00 1a"), &m[1..], &[0x48; 130]].concat()
    }),
    ("length and index of a record", |m| {
        [&hex("0a 00 1a")[..], &m[..1], &hex("08"), &m[1..], &hex("1a 02 48 00 48 00 48 00")].concat()
    }),
    ("length and explicit index of a record", |m| {
        [&hex("0a 00 12 00 1a")[..], &m[..1], &hex("08 00 10"), &m[1..], &hex("1a 02 48 00 48 00")].concat()
    }),
    ("group", |m| [&[0x4b], m, &[0x4c]].concat()),
    ("record after its index", |m| [hex("0a 01 61"), field(3, &[&hex("08 00"), m].concat())].concat()),
    ("begin of a record", |m| [hex("0a 00 12 00"), field(3, &[m, &hex("08 00 1a 01 78")].concat())].concat()),
    ("index and the rest", |m| {
        [hex("0a 00 12 00"), field(3, &[&hex("08"), m, &hex("1a 00")].concat())].concat()
    }),
    ("both indexes", |m| {
        [hex("0a 00 12 00"), field(3, &[&hex("08 00"), m, &hex("1a 00")].concat())].concat()
    }),
    ("length of data", |m| [hex("0a 00"), field(3, &[&hex("08 00 1a"), m, &[0x48; 140]].concat())].concat()),
    ("data, of any length", |m| [hex("0a 00"), field(3, &[&hex("08 00 1a"), m].concat())].concat()),
    ("group in a record", |m| record_ending(&[&[0x4b], m, &[0x4c]].concat())),
    ("a whole tag", |m| record_ending(&field(4, m))),
    ("end of a tag", |m| record_ending(&field(4, &[&hex("0a 01 6b"), m].concat()))),
    ("tag key", |m| record_ending(&field(4, &field(1, m)))),
    ("length of a tag", |m| record_ending(&[&[0x22], m, &hex("0a 00 48 00 48 00")].concat())),
    ("group in a tag", |m| record_ending(&field(4, &[&hex("0a 00 4b"), m, &[0x4c]].concat()))),
    ("last of 100 groups", |m| [&[0x4b; 99], m, &[0x4c; 99]].concat()),
];

#[test]
fn every_message_of_up_to_two_bytes_decodes_as_specified_everywhere() {
    for (name, body) in PLACES {
        for len in [1, 2] {
            let valid = sweep(len, 1, body);
            println!("{name}: of {len} bytes: {valid} are valid");
            assert!(len == 1 || (1..1 << 16).contains(&valid), "{name}: this shows nothing");
        }
    }
}
