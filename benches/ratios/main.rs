//! The claims in brief: this library beside others, in a few seconds. `peers` has all rows and all others.
//!
//! It is made for machines that are busy with other things. Contenders take turns, so that what befalls one befalls all, and
//! of each its fastest turn counts: the one that nothing came between.

#[path = "../corpora/mod.rs"]
#[allow(dead_code, reason = "not all is timed")]
mod corpora;
#[path = "../peers/src/others.rs"]
#[allow(dead_code, reason = "not all is timed")]
mod others;
#[path = "../peers/src/ours.rs"]
#[allow(dead_code, reason = "not all is timed")]
mod ours;

use std::hint::black_box;
use std::time::{Duration, Instant};

use kinesis_aggregation::{Limits, RecordAggregator};
use kinesis_aggregation::decode::{DigestCheck, Md5};
use md5_digest::Digest;

use corpora::{Corpus, Random};

/// Turns of a millisecond or two, mostly, or of less.
const TURNS: usize = 200;

fn main() {
    let message = Random::new(1).bytes(1 << 20);
    compare(
        "MD5 of 1 MiB",
        &mut [
            ("this library", &mut || usize::from(Md5::digest(&message)[0])),
            ("md-5", &mut || usize::from(md5_digest::Md5::digest(&message)[0])),
            ("md5", &mut || usize::from(md5::compute(&message)[0])),
        ],
    );

    let [a, ..] = &Corpus::usual()[..] else { panic!("A is the first") };
    let payload = a.payload.as_slice();
    let (body, _) = others::body(payload).expect("an aggregated record");
    let mut keys = Vec::new();
    compare(
        "deaggregate, verified: A",
        &mut [
            ("this library", &mut || ours::take_apart(payload, &mut keys, DigestCheck::Verify)),
            ("MD5 of this library", &mut || usize::from(Md5::digest(body)[0])),
            ("prost, md5", &mut || others::by_prost(others::verified(payload).expect("a right digest"))),
        ],
    );

    let mut keys = Vec::new();
    compare(
        "deaggregate, digest skipped: A",
        &mut [
            ("this library", &mut || ours::take_apart(payload, &mut keys, DigestCheck::Skip)),
            ("prost", &mut || others::by_prost(body)),
            ("quick-protobuf", &mut || others::by_quick_protobuf(body)),
        ],
    );

    let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
    compare(
        "aggregate: A",
        &mut [
            ("this library", &mut || {
                ours::pack(&mut aggregator, a.user_records()).map_or(0, |data| data.len())
            }),
            ("MD5 of this library", &mut || usize::from(Md5::digest(body)[0])),
            ("prost, HashMap, md5", &mut || others::pack_by_prost(a.user_records()).len()),
        ],
    );
}

/// Prints how long each contender takes, and how many times as long as the first.
fn compare(name: &str, contenders: &mut [(&str, &mut dyn FnMut() -> usize)]) {
    let mut fastest = vec![Duration::MAX; contenders.len()];
    for _ in 0..TURNS {
        for ((_, work), fastest) in contenders.iter_mut().zip(&mut fastest) {
            let start = Instant::now();
            black_box(work());
            *fastest = start.elapsed().min(*fastest);
        }
    }
    println!("{name}");
    for ((contender, _), time) in contenders.iter().zip(&fastest) {
        let ratio = time.as_secs_f64() / fastest[0].as_secs_f64();
        println!("  {contender:20} {:9.1} µs {ratio:6.2} x", time.as_secs_f64() * 1e6);
    }
}
