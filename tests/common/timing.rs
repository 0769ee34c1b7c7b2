//! Comparing the times that two things take.
//!
//! Both are measured in turns in the same process. A ratio that is too high is measured again before it counts, because a busy
//! machine does not disturb every measurement.

#![expect(clippy::panic, reason = "a panic fails the test, as it should")]

use core::time::Duration;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// The number of runs of each of the two for one ratio.
const RUNS: usize = 25;

/// After this time fewer runs are enough, so that a failure does not take long.
const LONG_ENOUGH: Duration = Duration::from_secs(2);

/// The number of times that a ratio is measured before one that is too high counts.
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
        // If it is this far off twice, it is not the machine.
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
        // A busy machine makes a run slower, and nothing makes it faster than it is. A median would depend on the machine.
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
