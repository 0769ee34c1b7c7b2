//! What `run` counts the instructions of: each corpus that has many user records, taken apart and packed.
//!
//! Each piece of work is done twice, the second time in `measured`: the first one has made all room there is to make.
//! What was measured is printed, a line each: name, user records, bytes.

#[path = "../corpora/mod.rs"]
#[allow(dead_code, reason = "not all is counted")]
mod corpora;

use std::hint::black_box;

use corpora::Corpus;
use kinesis_aggregation::{Encoder, Limits, Payload, RecordAggregator};
use kinesis_aggregation::decode::DigestCheck;
use kinesis_aggregation::encode::AddStatus;

fn main() {
    for corpus in Corpus::usual().iter().filter(|corpus| corpus.name != "C") {
        let mut keys = Vec::new();
        twice("decode", corpus, || decode(&corpus.payload, &mut keys));

        let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
        twice("canonical", corpus, || canonical(&mut aggregator, corpus));

        let mut buffer = vec![0; 2 * corpus.payload.len()];
        let mut encoder = Encoder::<256>::new(&mut buffer, Limits::KINESIS_MAX);
        twice("streamed", corpus, || streamed(&mut encoder, corpus));
    }
}

fn twice<T>(work: &str, corpus: &Corpus, mut run: impl FnMut() -> T) {
    run();
    black_box(measured(&mut run));
    println!("{work} {}\t{}\t{}", corpus.name, corpus.user_records().len(), corpus.payload.len());
}

/// Counting begins and ends with this function, by its name.
#[inline(never)]
fn measured<T>(run: &mut impl FnMut() -> T) -> T {
    run()
}

/// The parser alone: the first pass, the keys, and every user record looked at.
fn decode<'a>(payload: &'a [u8], keys: &mut Vec<&'a str>) -> usize {
    match Payload::parse_with(payload, keys, DigestCheck::Skip) {
        Payload::Aggregated(aggregate) => aggregate.records().fold(0, |sum, user| {
            sum ^ user.partition_key.len()
                ^ user.data.len()
                ^ user.data.first().map_or(0, |&byte| usize::from(byte))
        }),
        other => panic!("{other:?}"),
    }
}

fn canonical(aggregator: &mut RecordAggregator, corpus: &Corpus) -> usize {
    for record in corpus.user_records() {
        let full = aggregator.add(record).expect("a valid user record");
        assert!(full.is_none(), "one aggregate has room for all");
    }
    aggregator.finish().map_or(0, |aggregate| aggregate.data().len())
}

fn streamed<const KEYS: usize>(encoder: &mut Encoder<'_, KEYS>, corpus: &Corpus) -> usize {
    for record in corpus.user_records() {
        let status = encoder.add(record).expect("a valid user record");
        assert_eq!(status, AddStatus::Added, "the buffer has room for all");
    }
    encoder.finish().map_or(0, |aggregate| aggregate.data().len())
}
