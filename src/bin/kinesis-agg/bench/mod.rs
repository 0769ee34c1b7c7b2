//! `kinesis-agg bench`: how fast this machine packs and takes apart.

mod args;
mod operations;
mod report;
mod sample;

use core::time::Duration;
use std::time::Instant;

use kinesis_aggregation::Limits;

pub(crate) use crate::bench::args::BenchArgs;
use crate::bench::operations::{Bench, Operation};
use crate::bench::report::report;
use crate::bench::sample::Sample;
use crate::failure::Failure;

/// An operation is repeated until it takes so long: a clock shows less badly.
const LONG_ENOUGH: Duration = Duration::from_millis(2);

/// What was found out about an operation.
pub(crate) struct Measure {
    operation: Operation,
    /// How many user records, and bytes of Kinesis records, it is about.
    user_records: usize,
    bytes: usize,
    /// How often it is done before the clock is looked at again.
    repeats: u32,
    /// How long it took each time.
    times: Vec<Duration>,
}

pub(crate) fn run(args: &BenchArgs) -> Result<(), Failure> {
    let limits = Limits::KINESIS_MAX.with_max_bytes(args.max_bytes);
    let sample =
        if args.files.is_empty() { Sample::generate(limits)? } else { Sample::read(&args.files, limits)? };
    let mut bench = Bench::new(&sample);
    let measures = measure(&mut bench, Duration::from_secs_f64(args.seconds));
    report(args, &sample, &measures)
}

/// Does everything in turns, so that whatever else the machine does meanwhile hits all of it alike, for as long as it
/// may take and at least once.
fn measure(bench: &mut Bench<'_>, at_most: Duration) -> Vec<Measure> {
    let start = Instant::now();
    // The first turn warms up, and tells how long the others will take.
    let mut measures = Operation::ALL.map(|operation| {
        let (bytes, took) = time(bench, operation, 1);
        let repeats = LONG_ENOUGH.as_nanos().div_ceil(took.as_nanos().max(100));
        let user_records = bench.user_records(operation);
        let repeats = u32::try_from(repeats).unwrap_or(1);
        Measure { operation, user_records, bytes, repeats, times: Vec::new() }
    });
    let mut turn = start.elapsed();
    loop {
        let before = start.elapsed();
        for measure in &mut measures {
            let (_, took) = time(bench, measure.operation, measure.repeats);
            measure.times.push(took);
        }
        let now = start.elapsed();
        turn = turn.max(now.saturating_sub(before));
        if now.saturating_add(turn) > at_most {
            return measures.into();
        }
    }
}

fn time(bench: &mut Bench<'_>, operation: Operation, repeats: u32) -> (usize, Duration) {
    let start = Instant::now();
    let mut bytes = 0;
    for _ in 0..repeats {
        bytes = bench.run(operation);
    }
    (bytes, start.elapsed().checked_div(repeats).unwrap_or_default())
}

impl Measure {
    /// The median of the times, in seconds.
    fn seconds(&self) -> f64 {
        let mut times = self.times.clone();
        times.sort_unstable();
        times.get(times.len() / 2).map_or(f64::NAN, Duration::as_secs_f64)
    }
}
