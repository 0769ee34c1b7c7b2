//! This library among the workers of languages.py; workers/worker.py says what is asked and answered.

use std::hint::black_box;
use std::io;

use kinesis_aggregation::{Limits, RecordAggregator, deaggregate};
use kinesis_aggregation::decode::{DigestCheck, Md5};

use crate::clock::Instant;
use crate::corpora::Corpus;
use crate::{others, ours};

pub fn serve() {
    let corpora = Corpus::usual();
    let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
    for line in io::stdin().lines() {
        let line = line.expect("a question");
        let words: Vec<&str> = line.split(' ').collect();
        let [verb, operation, name, ref runs @ ..] = words[..] else { panic!("{line}: what is asked?") };
        let corpus = corpora.iter().find(|corpus| corpus.name == name).expect("a name of a corpus");
        match runs {
            [] if verb == "check" => println!("{}", check(operation, corpus, &mut aggregator)),
            [runs] => {
                let runs = runs.parse().expect("a number of runs");
                println!("{}", nanoseconds(operation, corpus, &mut aggregator, runs));
            }
            _ => panic!("{line}: what is asked?"),
        }
    }
}

fn nanoseconds(operation: &str, corpus: &Corpus, aggregator: &mut RecordAggregator, runs: u32) -> f64 {
    let mut keys = Vec::new();
    let mut run = || match operation {
        "deaggregate" => ours::take_apart(&corpus.payload, &mut keys, DigestCheck::Verify),
        "aggregate" => ours::pack(aggregator, corpus.user_records()).map_or(0, |payload| payload.len()),
        "md5" => Md5::digest(others::body(&corpus.payload).expect("an aggregated record").0).len(),
        other => panic!("what is {other}?"),
    };
    black_box(run());
    let start = Instant::now();
    for _ in 0..runs {
        black_box(run());
    }
    start.elapsed().as_nanos() as f64 / f64::from(runs)
}

/// The digest of the user records, as they are in the corpus's file, or of the payload.
fn check(operation: &str, corpus: &Corpus, aggregator: &mut RecordAggregator) -> String {
    let bytes = if operation == "aggregate" {
        ours::pack(aggregator, corpus.user_records()).expect("user records")
    } else {
        crate::written(deaggregate(corpus.payload.as_slice()))
    };
    Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
