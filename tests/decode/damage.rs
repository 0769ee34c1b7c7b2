//! A damaged golden payload is plain, with the right reason, and never decodes to other data: truncated anywhere, any bit
//! flipped, any byte removed or doubled, and a byte inserted anywhere.
//!
//! The same damage to the body alone, with a valid digest, decodes as the specification says.
//!
//! The one long payload, of 33 KB, is damaged everywhere in a release build and with `KINESIS_AGG_EXHAUSTIVE=1`, otherwise
//! in some places.

use std::thread;

use kinesis_aggregation::deaggregate;
use kinesis_aggregation::decode::{MAGIC, PlainReason};

use crate::agree::compare;
use crate::common::{aggregates, field, frame, hex, long_varint, unframe, varint};

/// Every vector that is an aggregate, with its name.
fn golden() -> Vec<(String, Vec<u8>)> {
    let golden = aggregates();
    assert!(golden.len() > 50, "only {}", golden.len());
    golden
}

/// A digest costs as much as the payload is long: what is longer than this is damaged in fewer ways.
const LONG: usize = 2048;

/// Bytes to insert: one that ends a varint, one that continues it, one of the magic, and tags of all messages.
const INSERTED: [u8; 8] = [0x00, 0x80, 0xc2, 0xff, 0x08, 0x0a, 0x1a, 0x4b];

/// A kind of damage to a payload.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// Only the first so many bytes are left.
    CutTo(usize),
    /// The first so many bytes are missing.
    Headless(usize),
    BitFlipped(usize),
    ByteLost(usize),
    ByteTwice(usize),
    Inserted(usize, u8),
}

use Damage::*;

impl Damage {
    /// Everything that can happen to so many bytes. Of the bytes to insert, long payloads get one at each place.
    fn all(len: usize) -> impl Iterator<Item = Self> {
        let inserted_at = move |at| if len <= LONG { &INSERTED[..] } else { &INSERTED[at % 8..][..1] };
        let inserted =
            (0..=len).flat_map(move |at| inserted_at(at).iter().map(move |&byte| Inserted(at, byte)));
        (0..len)
            .map(CutTo)
            .chain((1..len).map(Headless))
            .chain((0..8 * len).map(BitFlipped))
            .chain((0..len).map(ByteLost))
            .chain((0..len).map(ByteTwice))
            .chain(inserted)
    }

    /// Writes the damaged bytes to a buffer that is used again.
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

/// The distance between the damages that are tried. It is odd, so that the steps meet every bit of a byte.
fn step(len: usize) -> usize {
    let all = !cfg!(debug_assertions) || std::env::var_os("KINESIS_AGG_EXHAUSTIVE").is_some();
    if all || len <= LONG { 1 } else { 499 }
}

/// Tries every `step`th damage to some bytes on two threads. Returns how many it tried.
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

/// The rest of the frame decides (D1), otherwise the digest does (D2).
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

/// Records with a bad index of each kind, in each place among good ones and before worse ones.
#[test]
fn the_first_bad_index_is_reported() {
    const GOOD: &str = "1a 06 08 00 10 00 1a 00";
    let bad = ["1a 06 08 01 10 00 1a 00", "1a 06 08 00 10 01 1a 00", "1a 08 08 81 80 80 00 1a 01 78"];
    let worse = ["", "1a 04 08 7f 1a 00", "1a 0d 08 ff ff ff ff ff ff ff ff ff 01 1a 00"];
    for place in 0..4 {
        for bad in bad {
            for worse in worse {
                let [before, after] = [place, 3 - place].map(|count| hex(GOOD).repeat(count));
                let body = [hex("0a 01 61 12 01 30"), before, hex(bad), after, hex(worse)].concat();
                assert!(!compare(&frame(&body)), "{bad} in place {place}");
            }
        }
    }
}

/// Records of every short length near the end of the payload, where the fast path has too few bytes to load.
#[test]
fn truncated_records_of_every_length_decode_as_specified() {
    for len in 0..40 {
        for at_least in 1..=5 {
            for end in ["", "48 00", "22 02 0a 00"] {
                let data =
                    [&hex("1a")[..], &long_varint(len, at_least), &vec![b'd'; len.try_into().unwrap()]]
                        .concat();
                let record = field(3, &[hex("08 00"), data, hex(end)].concat());
                let body = [&hex("0a 01 61"), &record[..]].concat();
                for cut in 1..=body.len() {
                    compare(&frame(&body[..cut]));
                }
                // The record is cut, and its length says so.
                for cut in 0..record.len() - 2 {
                    let cut = [&[0x1a], &varint(cut.try_into().unwrap())[..], &record[2..2 + cut]].concat();
                    compare(&frame(&[&hex("0a 01 61"), &cut[..]].concat()));
                }
            }
        }
    }
}
