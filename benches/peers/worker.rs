//! This library as one of the workers of languages.py; workers/worker.py describes questions and answers.

use std::hint::black_box;
use std::io;

use benches::corpora::Corpus;
use benches::group::Instant;
use benches::ours::{self, DigestCheck, Md5, RecordAggregator};

pub fn serve() {
    let corpora = Corpus::all();
    let mut aggregator = ours::aggregator();
    for line in io::stdin().lines() {
        let line = line.expect("a question");
        let words: Vec<&str> = line.split(' ').collect();
        let [verb, operation, name, ref runs @ ..] = words[..] else { panic!("unknown question: {line}") };
        let corpus = corpora.iter().find(|corpus| corpus.name == name).expect("the name of a corpus");
        match runs {
            [] if verb == "check" => println!("{}", check(operation, corpus, &mut aggregator)),
            [runs] => {
                let runs = runs.parse().expect("a number of runs");
                println!("{}", nanoseconds(operation, corpus, &mut aggregator, runs));
            }
            _ => panic!("unknown question: {line}"),
        }
    }
}

fn nanoseconds(operation: &str, corpus: &Corpus, aggregator: &mut RecordAggregator, runs: u32) -> f64 {
    let mut keys = Vec::new();
    let mut run = || match operation {
        "deaggregate" => ours::decode(&corpus.payload, &mut keys, DigestCheck::Verify),
        "aggregate" => ours::aggregate(aggregator, corpus.user_records()).map_or(0, |payload| payload.len()),
        "md5" => Md5::digest(corpus.body()).len(),
        other => panic!("unknown operation: {other}"),
    };
    black_box(run());
    let start = Instant::now();
    for _ in 0..runs {
        black_box(run());
    }
    start.elapsed().as_nanos() as f64 / f64::from(runs)
}

/// The digest of the user records as they are in the corpus's file, or of the payload.
fn check(operation: &str, corpus: &Corpus, aggregator: &mut RecordAggregator) -> String {
    let bytes = if operation == "aggregate" {
        ours::aggregate(aggregator, corpus.user_records()).expect("user records")
    } else {
        crate::serialized(ours::deaggregate(corpus.payload.as_slice()))
    };
    Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
