//! The claims in brief: this library beside others, in turns, in a few seconds. `peers` has all rows and all others.

#[path = "../peers/src/clock.rs"]
#[allow(dead_code, reason = "the outcomes are shown, not kept")]
mod clock;
#[path = "../corpora/mod.rs"]
#[allow(dead_code, reason = "each benchmark uses some of it")]
mod corpora;
#[path = "../peers/src/others.rs"]
#[allow(dead_code, reason = "each benchmark uses some of it")]
mod others;
#[path = "../peers/src/ours.rs"]
#[allow(dead_code, reason = "each benchmark uses some of it")]
mod ours;

use kinesis_aggregation::{DigestCheck, Limits, Md5, RecordAggregator};
use md5_digest::Digest;

use clock::Group;
use corpora::{Corpus, Random};

fn main() {
    let message = Random::new(1).bytes(1 << 20);
    Group::new("MD5 of 1 MiB", message.len(), 0)
        .with("this library", || Md5::digest(&message))
        .with("md-5", || md5_digest::Md5::digest(&message))
        .with("md5", || md5::compute(&message))
        .run();

    let [a, ..] = &Corpus::usual()[..] else { panic!("A is the first") };
    let payload = a.payload.as_slice();
    let (body, _) = others::body(payload).expect("an aggregated record");
    let count = a.user_records().len();
    let mut keys = Vec::new();
    Group::new("deaggregate, verified: A", payload.len(), count)
        .with("this library", || ours::take_apart(payload, &mut keys, DigestCheck::Verify))
        .with("MD5 of this library", || Md5::digest(body))
        .with("prost, md5", || others::by_prost(others::verified(payload).expect("a right digest")))
        .run();

    let mut keys = Vec::new();
    Group::new("deaggregate, digest skipped: A", payload.len(), count)
        .with("this library", || ours::take_apart(payload, &mut keys, DigestCheck::Skip))
        .with("prost", || others::by_prost(body))
        .with("quick-protobuf", || others::by_quick_protobuf(body))
        .run();

    let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
    Group::new("aggregate: A", payload.len(), count)
        .with("this library", || ours::pack(&mut aggregator, a.user_records()))
        .with("MD5 of this library", || Md5::digest(body))
        .with("prost, HashMap, md5", || others::pack_by_prost(a.user_records()))
        .run();
}
