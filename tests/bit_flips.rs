//! A golden payload that was damaged ends as plain, with the right reason, and never as other data: cut short at any place,
//! any bit flipped, any byte lost, and a byte put in anywhere.
//!
//! The same damage below the digest, where nothing guards against it, decodes as the specification says.
//!
//! The one long payload, of 33 KB, is damaged everywhere in a release build and with `KINESIS_AGG_EXHAUSTIVE=1`, otherwise
//! in some places.

#![cfg(feature = "alloc")]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "all numbers are small, and a panic fails the test, as it should"
)]

mod common;
mod reference;

#[path = "common/compare.rs"]
mod compare;

use std::thread;

use kinesis_aggregation::deaggregate;
use kinesis_aggregation::decode::{MAGIC, PlainReason};

use common::{aggregates, frame, unframe};
use compare::compare;

/// Every vector that is an aggregate, with its name.
fn golden() -> Vec<(String, Vec<u8>)> {
    let golden = aggregates();
    assert!(golden.len() > 50, "only {}", golden.len());
    golden
}

/// A digest costs as much as the payload is long: what is longer than this is damaged in fewer ways.
const LONG: usize = 2048;

/// Bytes that may come in between: one that ends varints, one that goes on, one of the magic, and tags of all messages.
const INSERTED: [u8; 8] = [0x00, 0x80, 0xc2, 0xff, 0x08, 0x0a, 0x1a, 0x4b];

/// What happens to a payload.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// Only so many bytes are left.
    CutTo(usize),
    /// So many bytes are missing in front.
    Headless(usize),
    BitFlipped(usize),
    ByteLost(usize),
    ByteTwice(usize),
    Inserted(usize, u8),
}

use Damage::*;

impl Damage {
    /// All that can happen to as many bytes; to many, at each place only one of the bytes that may come in between.
    fn all(len: usize) -> impl Iterator<Item = Self> {
        let in_between = move |at| if len <= LONG { &INSERTED[..] } else { &INSERTED[at % 8..][..1] };
        let inserted =
            (0..=len).flat_map(move |at| in_between(at).iter().map(move |&byte| Inserted(at, byte)));
        (0..len)
            .map(CutTo)
            .chain((1..len).map(Headless))
            .chain((0..8 * len).map(BitFlipped))
            .chain((0..len).map(ByteLost))
            .chain((0..len).map(ByteTwice))
            .chain(inserted)
    }

    /// Puts the damaged bytes into `to`, which is there to be used again.
    fn apply(self, bytes: &[u8], to: &mut Vec<u8>) {
        to.clear();
        let (kept, inserted, on_from) = match self {
            CutTo(len) => (len, None, bytes.len()),
            Headless(len) => (0, None, len),
            BitFlipped(bit) => (bit / 8, Some(bytes[bit / 8] ^ 1 << (bit % 8)), bit / 8 + 1),
            ByteLost(at) => (at, None, at + 1),
            ByteTwice(at) => (at, Some(bytes[at]), at),
            Inserted(at, byte) => (at, Some(byte), at),
        };
        to.extend_from_slice(&bytes[..kept]);
        to.extend(inserted);
        to.extend_from_slice(&bytes[on_from..]);
    }
}

/// How far apart the damages are that are tried. It is odd, so that the steps meet every bit of a byte.
fn step(len: usize) -> usize {
    let all = !cfg!(debug_assertions) || std::env::var_os("KINESIS_AGG_EXHAUSTIVE").is_some();
    if all || len <= LONG { 1 } else { 499 }
}

/// Tries every `step`th damage to some bytes on two threads, and answers with how many they were.
fn try_all(bytes: &[u8], step: usize, check: impl Fn(Damage, &[u8]) + Sync) -> usize {
    let half = |from: usize| {
        let mut damaged = Vec::new();
        let all = Damage::all(bytes.len()).step_by(step).skip(from).step_by(2);
        all.map(|damage| {
            damage.apply(bytes, &mut damaged);
            if damaged != bytes {
                check(damage, &damaged);
            }
        })
        .count()
    };
    thread::scope(|scope| {
        let halves = [scope.spawn(|| half(0)), scope.spawn(|| half(1))];
        halves.map(|half| half.join().unwrap_or_else(|_| panic!("see above"))).iter().sum()
    })
}

/// What is left of the frame decides (D1); if nothing shows in it, the digest does (D2).
fn reason(damaged: &[u8]) -> PlainReason {
    match damaged {
        [a, b, c, d, ..] if [*a, *b, *c, *d] != MAGIC => PlainReason::NoMagic,
        [] | [_] | [_, _] | [_, _, _] => PlainReason::NoMagic,
        _ if damaged.len() <= 20 => PlainReason::TooShort,
        _ => PlainReason::DigestMismatch,
    }
}

#[test]
fn damaged_payloads_are_plain() {
    let mut tried = 0;
    for (name, payload) in golden() {
        assert_eq!(deaggregate(&payload).plain_reason(), None, "{name}");
        tried += try_all(&payload, step(payload.len()), |damage, damaged| {
            let mut users = deaggregate(damaged);
            assert_eq!(users.plain_reason(), Some(reason(damaged)), "{name}: {damage:?}");
            let itself = users.next().map(|user| (user.partition_key, user.explicit_hash_key, user.data));
            assert_eq!(itself, Some(("", None, damaged)), "{name}: {damage:?}");
            assert!(users.next().is_none(), "{name}: {damage:?}");
        });
    }
    println!("{tried} damaged payloads are plain");
    assert!(tried > 100_000, "only {tried}");
}

#[test]
fn damage_below_the_digest_decodes_as_specified() {
    let (mut tried, mut bodies) = (0, golden());
    // Of a long one, most is data.
    bodies.retain(|(_, payload)| payload.len() <= LONG);
    for (_, payload) in bodies {
        tried += try_all(unframe(&payload), 1, |_, damaged| {
            if !damaged.is_empty() {
                compare(&frame(damaged));
            }
        });
    }
    println!("{tried} damaged bodies decode as specified");
    assert!(tried > 50_000, "only {tried}");
}
