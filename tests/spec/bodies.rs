//! Random bodies: those of the `testing` module, and the same with bytes changed at random.

use arbitrary::{Arbitrary, Unstructured};
use kinesis_aggregation::decode::PlainReason;
use kinesis_aggregation::testing::{BrokenAggregate, ValidAggregate};

use crate::common::random::Random;
use crate::common::unframe;

/// Generates a body, with one flaw in about half of the cases.
pub(crate) fn body(random: &mut Random) -> Vec<u8> {
    if random.one_in(2) {
        return valid_body(random);
    }
    let broken: BrokenAggregate = generate(random);
    match broken.reason {
        PlainReason::Malformed(_) => unframe(&broken.payload).to_vec(),
        // The flaw is in the frame.
        _ => body(random),
    }
}

/// Generates a valid body.
pub(crate) fn valid_body(random: &mut Random) -> Vec<u8> {
    let valid: ValidAggregate = generate(random);
    unframe(&valid.payload).to_vec()
}

fn generate<T: for<'a> Arbitrary<'a>>(random: &mut Random) -> T {
    let len = random.pick(&[50, 150, 400]);
    let bytes = random.bytes(len);
    T::arbitrary(&mut Unstructured::new(&bytes)).expect("any bytes are enough")
}

/// Changes a body in one or a few places. Foreign bytes come from `other`.
pub(crate) fn mutate(random: &mut Random, body: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..random.pick(&[1, 1, 1, 2, 4]) {
        let at = random.below(body.len());
        let to = at + random.below(body.len() - at + 1).min(random.pick(&[1, 2, 8, 4000]));
        match random.below(12) {
            0..=2 if at < body.len() => body[at] ^= 1 << random.below(8),
            3..=6 if at < body.len() => body[at] = interesting_byte(random),
            7 => body.insert(at, interesting_byte(random)),
            8 => drop(body.drain(at..to)),
            9 => body.truncate(at),
            10 => {
                let copy = body[at..to].to_vec();
                body.splice(at..at, copy);
            }
            _ => {
                let from = random.below(other.len());
                body.splice(at..to, other[from..].iter().take(random.pick(&[2, 10, 4000])).copied());
            }
        }
    }
}

/// Returns a bound of varints or text, a tag of one of the messages, or any byte.
fn interesting_byte(random: &mut Random) -> u8 {
    match random.below(3) {
        0 => random.pick(&[0, 1, 2, 3, 5, 0x7f, 0x80, 0x81, 0xc0, 0xed, 0xf0, 0xff]),
        1 => random.pick(&[0x08, 0x0a, 0x0b, 0x0c, 0x0f, 0x10, 0x12, 0x1a, 0x1b, 0x1c, 0x22, 0x4b, 0x4c]),
        _ => random.byte(),
    }
}
