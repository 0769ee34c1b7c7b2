//! How long one thing takes beside another.
//!
//! Times are compared with times taken in between, in the same process, never with the clock. What a busy machine does to
//! one measurement it does not do to all: each question is asked again before the answer counts.
//!
//! A file that uses it names the module by its path.

#![expect(clippy::panic, reason = "a panic fails the test, as it should")]

use core::hint::black_box;
use core::time::Duration;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck};

/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// How often each of the two is done, in turns, for one ratio.
const RUNS: usize = 25;

/// When fewer runs have to do, so that a failure is not long in coming.
const LONG_ENOUGH: Duration = Duration::from_secs(2);

/// How often a ratio is taken before one that is too high counts.
const ATTEMPTS: usize = 5;

/// Asserts that `subject` takes at most `limit` times as long as `yardstick`.
pub(crate) fn takes_at_most(limit: f64, name: &str, mut subject: impl FnMut(), mut yardstick: impl FnMut()) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut ratios = Vec::new();
    for _ in 0..ATTEMPTS {
        let ratio = ratio(&mut subject, &mut yardstick);
        println!("{name}: {ratio:.2} times as long");
        if ratio <= limit {
            return;
        }
        ratios.push(ratio);
        // This far off, and once more, it is not the machine.
        if ratios.iter().filter(|&&ratio| ratio > 4.0 * limit).count() > 1 {
            break;
        }
    }
    panic!("{name}: {ratios:.1?} times as long: at most {limit} times is allowed");
}

fn ratio(subject: &mut impl FnMut(), yardstick: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut fastest = (Duration::MAX, Duration::MAX);
    for _ in 0..RUNS {
        // A busy machine makes a run slower, and nothing makes it faster than it is: a median would still move with the
        // machine.
        fastest.0 = fastest.0.min(time(subject));
        fastest.1 = fastest.1.min(time(yardstick));
        if start.elapsed() > LONG_ENOUGH {
            break;
        }
    }
    fastest.0.as_secs_f64() / fastest.1.as_secs_f64()
}

fn time(work: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Does everything that a reader does with a payload.
pub(crate) fn read(payload: &[u8], check: DigestCheck) {
    if let Ok(aggregate) = AggregatedRecord::parse_with(black_box(payload), check) {
        for user in &aggregate {
            black_box((user.partition_key, user.explicit_hash_key, user.data));
            user.tags.for_each(|tag| _ = black_box(tag));
        }
    }
}
