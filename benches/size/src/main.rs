//! A program that encodes, decodes, does both, or does nothing, depending on its features.
//!
//! It runs on bare metal: `run` reads the sizes of its sections, and runs it in an emulator to check that it works.

#![no_std]
#![no_main]

mod board;
mod input;

#[cfg(feature = "femtopb")]
#[path = "femtopb.rs"]
mod subject;
#[cfg(feature = "md-5")]
#[path = "md5.rs"]
mod subject;
#[cfg(feature = "micropb")]
#[path = "micropb.rs"]
mod subject;
#[cfg(feature = "noproto")]
#[path = "noproto.rs"]
mod subject;
#[cfg(feature = "ours")]
#[path = "ours.rs"]
mod subject;
#[cfg(feature = "prost")]
#[path = "prost.rs"]
mod subject;

#[cfg(all(any(feature = "encode", feature = "decode"), not(feature = "ours")))]
mod frame;

use core::hint::black_box;

use crate::input::{Input, Seen};

/// Does the work. Returns whether the result was right.
#[inline(never)]
fn work() -> bool {
    // The compiler must not know the input. The empty program contains all of this too.
    let input = black_box(Input::get());
    let mut expected = Seen::default();
    for (key, data) in input.records {
        expected.record(key, data);
    }
    let mut buffer = [0xa5; 256];
    run(input, &expected, black_box(&mut buffer))
}

#[cfg(all(feature = "encode", feature = "decode"))]
#[inline(never)]
fn run(input: Input, expected: &Seen, buffer: &mut [u8]) -> bool {
    let Some(len) = subject::encode(input.records, buffer) else { return false };
    let Some(payload) = buffer.get(..black_box(len)) else { return false };
    let mut seen = Seen::default();
    subject::decode(black_box(payload), &mut seen).is_some() && seen == *expected
}

#[cfg(all(feature = "encode", not(feature = "decode")))]
#[inline(never)]
fn run(input: Input, expected: &Seen, buffer: &mut [u8]) -> bool {
    black_box(expected);
    let len = subject::encode(input.records, buffer);
    black_box(&*buffer);
    // Streamed or canonical, all orders are equally long.
    len == Some(input.payload.len())
}

#[cfg(all(feature = "decode", not(any(feature = "encode", feature = "firmware"))))]
#[inline(never)]
fn run(input: Input, expected: &Seen, buffer: &mut [u8]) -> bool {
    black_box(buffer);
    let mut seen = Seen::default();
    subject::decode(input.payload, &mut seen).is_some() && seen == *expected
}

#[cfg(feature = "firmware")]
#[inline(never)]
fn run(input: Input, expected: &Seen, buffer: &mut [u8]) -> bool {
    let mut seen = Seen::default();
    // So small that it takes several aggregates.
    let Some(buffer) = buffer.get_mut(..160) else { return false };
    subject::firmware(input.records, buffer, &mut seen).is_some() && seen == *expected
}

#[cfg(all(feature = "digest", not(any(feature = "encode", feature = "decode"))))]
#[inline(never)]
fn run(input: Input, expected: &Seen, buffer: &mut [u8]) -> bool {
    black_box((expected, buffer));
    match input.payload.split_at_checked(4).and_then(|(_, rest)| rest.split_last_chunk()) {
        Some((body, digest)) => subject::digest(body) == *digest,
        None => false,
    }
}

#[cfg(not(any(feature = "encode", feature = "decode", feature = "digest")))]
#[inline(never)]
fn run(input: Input, expected: &Seen, buffer: &mut [u8]) -> bool {
    black_box((input.payload, expected, buffer));
    true
}
