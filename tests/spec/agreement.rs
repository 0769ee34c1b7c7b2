//! The decoder and its executable specification agree on every input: on the verdict, on the kind of fault and its offset,
//! and on everything that is decoded.
//!
//! The inputs are the same in every run. A long run:
//! `KINESIS_AGG_CASES=1000000 cargo test --release --features arbitrary --test spec agreement -- --nocapture`

use std::collections::BTreeMap;
use std::panic::catch_unwind;

use kinesis_aggregation::decode::{DigestCheck, MAGIC};

use crate::agree::agree;
use crate::bodies;
use crate::common::random::Random;
use crate::common::{aggregates, cases, decode_vectors, frame, to_hex, unframe};

/// The name of every kind of fault.
const KINDS: [&str; 14] = [
    "Truncated",
    "VarintOverflow",
    "FieldNumber",
    "WireType",
    "LengthOutOfBounds",
    "UnmatchedGroupEnd",
    "UnterminatedGroup",
    "GroupsTooDeep",
    "InvalidUtf8",
    "MissingPartitionKeyIndex",
    "MissingData",
    "MissingTagKey",
    "PartitionKeyIndexOutOfRange",
    "ExplicitHashKeyIndexOutOfRange",
];

/// The number of cases of all tests in this file, unless another one is asked for.
const CASES: usize = 20_000;

/// Compares on what `generate` makes, `share` cases in a hundred, and counts the verdicts.
fn run(name: &str, share: usize, mut generate: impl FnMut(&mut Random) -> Vec<u8>) -> BTreeMap<String, u64> {
    let cases = cases().unwrap_or(CASES) * share / 100;
    let mut random = Random::new(0);
    let mut verdicts = BTreeMap::new();
    for case in 0..cases {
        let payload = generate(&mut random);
        for check in [DigestCheck::Verify, DigestCheck::Skip] {
            let verdict = catch_unwind(|| agree(&payload, check))
                .unwrap_or_else(|_| panic!("{name}, case {case}, {check:?}: {}", to_hex(&payload)));
            if check == DigestCheck::Skip {
                let count: &mut u64 = verdicts.entry(verdict).or_default();
                *count += 1;
            }
        }
    }
    println!("{name}: {cases} cases: {verdicts:?}");
    verdicts
}

#[test]
fn arbitrary_bytes_decode_as_specified() {
    run("arbitrary bytes", 10, |random| {
        let len = random.pick(&[4, 22, 60, 200]);
        let len = random.below(len);
        let bytes = random.bytes(len);
        if random.one_in(4) { bytes } else { [&MAGIC[..], &bytes].concat() }
    });
}

#[test]
fn arbitrary_bodies_decode_as_specified() {
    run("arbitrary bodies", 10, |random| {
        let len = random.below(40);
        let body = random.bytes(len);
        frame(&body)
    });
}

#[test]
fn generated_bodies_decode_as_specified() {
    let verdicts = run("bodies of the format", 50, |random| frame(&bodies::body(random)));
    // The generator gets everywhere, or this shows less than it seems to.
    if cases().is_none() {
        for verdict in KINDS.iter().chain(&["aggregated"]) {
            assert!(verdicts.contains_key(*verdict), "{verdict} never came up: {verdicts:?}");
        }
    }
}

#[test]
fn mutated_bodies_decode_as_specified() {
    let mut all: Vec<Vec<u8>> = aggregates().iter().map(|(_, payload)| unframe(payload).to_vec()).collect();
    all.extend(decode_vectors().iter().map(|vector| unframe(&vector.payload).to_vec()));
    // Changes to a large one seldom meet anything but data.
    all.retain(|body| body.len() < 1000);
    let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
    run("mutated bodies", 30, |random| {
        let other = random.pick(&all);
        let mut body = if random.one_in(3) { bodies::valid_body(random) } else { random.pick(&all).to_vec() };
        bodies::mutate(random, &mut body, other);
        let mut payload = frame(&body);
        if random.one_in(10) {
            // A digest that is wrong: only one of the two checks gets to see the body.
            payload.extend(random.bytes(1));
        }
        payload
    });
}
