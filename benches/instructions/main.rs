//! The program whose instructions `run` counts: every corpus with many user records, decoded and encoded.
//!
//! Each piece of work runs twice, the second time within `measured`: the first run allocates whatever is allocated. Prints a
//! line for each: name, user records, bytes.

use std::hint::black_box;

use benches::corpora::Corpus;
use benches::ours::{self, DigestCheck};

fn main() {
    for corpus in Corpus::all().iter().filter(|corpus| corpus.name != "C") {
        let mut keys = Vec::new();
        twice("decode", corpus, || ours::decode(&corpus.payload, &mut keys, DigestCheck::Skip));

        let mut aggregator = ours::aggregator();
        twice("canonical", corpus, || {
            ours::aggregate(&mut aggregator, corpus.user_records()).map_or(0, |data| data.len())
        });

        let mut buffer = vec![0; 2 * corpus.payload.len()];
        let mut encoder = ours::encoder(&mut buffer);
        twice("streamed", corpus, || ours::stream(&mut encoder, corpus.user_records()));
    }
}

fn twice(work: &str, corpus: &Corpus, mut run: impl FnMut() -> usize) {
    run();
    black_box(measured(&mut run));
    println!("{work} {}\t{}\t{}", corpus.name, corpus.user_records().len(), corpus.payload.len());
}

/// Callgrind starts and stops counting with this function, which it finds by name.
#[inline(never)]
fn measured(run: &mut impl FnMut() -> usize) -> usize {
    run()
}
