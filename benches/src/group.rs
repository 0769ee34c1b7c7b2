//! Measures several ways to do the same work. They take turns of milliseconds in one process, so that whatever else the
//! machine does affects all of them alike.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// The number of turns of each contender, unless `KINESIS_AGG_ROUNDS` says otherwise.
const ROUNDS: usize = 31;
/// A turn is at least this long, so that reading the clock costs next to nothing.
const TURN: Duration = Duration::from_millis(4);

/// Several contenders that do the same work. The others are compared with the first.
pub struct Group<'w> {
    pub name: String,
    /// The amount of data that each run works on.
    pub bytes: usize,
    pub user_records: usize,
    pub contenders: Vec<(String, Work<'w>)>,
}

/// Does the work once. Returns the time that it spent on getting ready for the next run, which does not count.
type Work<'w> = Box<dyn FnMut() -> Duration + 'w>;

/// The measurements of a group.
#[derive(Serialize)]
pub struct Outcome {
    pub group: String,
    pub bytes: usize,
    pub user_records: usize,
    pub contenders: Vec<Timing>,
}

/// The time that a run of a contender takes.
#[derive(Serialize)]
pub struct Timing {
    pub name: String,
    pub median_ns: f64,
    pub lower_quartile_ns: f64,
    pub upper_quartile_ns: f64,
    /// The median, over all rounds, of its time divided by that of the first contender.
    pub ratio: f64,
    /// The shortest time, divided by that of the first contender: less noise on a busy machine.
    pub fastest_ratio: f64,
    /// The median in processor cycles, as far as a chain of dependent operations tells how long a cycle is.
    pub cycles: f64,
}

impl<'w> Group<'w> {
    pub fn new(name: impl Into<String>, bytes: usize, user_records: usize) -> Self {
        Self { name: name.into(), bytes, user_records, contenders: Vec::new() }
    }

    /// Adds a contender. The optimiser cannot remove its work, since the result is used.
    pub fn with<T>(mut self, name: &str, mut work: impl FnMut() -> T + 'w) -> Self {
        let work = move || {
            black_box(work());
            Duration::ZERO
        };
        self.contenders.push((name.into(), Box::new(work)));
        self
    }

    /// Adds a contender that changes `state`. The time of `reset`, which makes it ready for the next run, does not count.
    pub fn with_reset<S: 'w>(
        mut self,
        name: &str,
        mut state: S,
        mut work: impl FnMut(&mut S) + 'w,
        mut reset: impl FnMut(&mut S) + 'w,
    ) -> Self {
        let work = move || {
            work(&mut state);
            let start = Instant::now();
            reset(&mut state);
            start.elapsed()
        };
        self.contenders.push((name.into(), Box::new(work)));
        self
    }

    /// Measures, and prints the result.
    pub fn run(self) -> Outcome {
        let outcome = self.measure();
        outcome.show();
        outcome
    }

    pub fn measure(mut self) -> Outcome {
        let rounds = rounds();
        // Warm up, and find out how many runs make a turn.
        let repetitions: Vec<u32> = self
            .contenders
            .iter_mut()
            .map(|(_, work)| {
                work();
                let start = Instant::now();
                let mut runs = 0;
                while start.elapsed() < TURN {
                    work();
                    runs += 1;
                }
                runs
            })
            .collect();
        let mut turns = vec![Vec::with_capacity(rounds); self.contenders.len()];
        let mut cycles = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            cycles.push(nanoseconds_of_a_cycle());
            for ((turns, &runs), (_, work)) in turns.iter_mut().zip(&repetitions).zip(&mut self.contenders) {
                // The contender before has filled the caches with its own data.
                work();
                let start = Instant::now();
                let untimed: Duration = (0..runs).map(|_| work()).sum();
                turns.push((start.elapsed() - untimed).as_nanos() as f64 / f64::from(runs));
            }
        }
        let first = turns[0].clone();
        let fastest = quantile(first.clone(), 0.0);
        let contenders = self
            .contenders
            .iter()
            .zip(turns)
            .map(|((name, _), turns)| Timing {
                name: name.clone(),
                ratio: quantile(turns.iter().zip(&first).map(|(own, first)| own / first).collect(), 0.5),
                fastest_ratio: quantile(turns.clone(), 0.0) / fastest,
                cycles: quantile(turns.iter().zip(&cycles).map(|(own, cycle)| own / cycle).collect(), 0.5),
                lower_quartile_ns: quantile(turns.clone(), 0.25),
                upper_quartile_ns: quantile(turns.clone(), 0.75),
                median_ns: quantile(turns, 0.5),
            })
            .collect();
        Outcome { group: self.name, bytes: self.bytes, user_records: self.user_records, contenders }
    }
}

impl Outcome {
    fn show(&self) {
        println!("{} ({} bytes, {} user records)", self.group, self.bytes, self.user_records);
        for timing in &self.contenders {
            print!(
                "  {:40} {:12.0} ns {:7.3} x ({:.3})",
                timing.name, timing.median_ns, timing.ratio, timing.fastest_ratio
            );
            if self.user_records > 0 {
                print!(" {:10.2} ns/record", timing.median_ns / self.user_records as f64);
            }
            if self.bytes > 0 {
                print!(" {:7.3} cycles/byte", timing.cycles / self.bytes as f64);
            }
            println!();
        }
    }
}

/// Measures how long a cycle is with a chain of dependent rotations and exclusive ors. Each takes a cycle on the x86-64 and
/// 64-bit ARM processors of the last ten years. (Additions of constants do not: some cores eliminate them at rename.)
fn nanoseconds_of_a_cycle() -> f64 {
    const LENGTH: u32 = 100_000;
    let (mut value, other) = (black_box(3u64), black_box(0x9e37_79b9_7f4a_7c15));
    let start = Instant::now();
    for _ in 0..LENGTH {
        value = value.rotate_left(7) ^ other;
    }
    black_box(value);
    start.elapsed().as_nanos() as f64 / f64::from(2 * LENGTH)
}

/// A point in this process's processor time, which leaves out the time that the machine gives to other processes.
#[derive(Clone, Copy)]
pub struct Instant(Duration);

impl Instant {
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Self(Duration::try_from(time).expect("time since the process began"))
    }

    pub fn elapsed(self) -> Duration {
        Self::now().0 - self.0
    }
}

fn rounds() -> usize {
    std::env::var("KINESIS_AGG_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number of rounds"))
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}
