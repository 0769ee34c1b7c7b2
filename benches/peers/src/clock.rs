//! Times contenders alternately, in one process, so that whatever else happens on the machine affects all of them.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// The number of turns of each contender, unless `KINESIS_AGG_ROUNDS` is set.
const ROUNDS: usize = 31;
/// The minimum time of a turn, long enough that the cost of reading the clock is negligible.
const TURN: Duration = Duration::from_millis(4);

/// Contenders that do the same work. The others are compared with the first.
pub struct Group<'w> {
    name: String,
    bytes: usize,
    user_records: usize,
    contenders: Vec<(String, Box<dyn FnMut() + 'w>)>,
}

/// The results of a group.
#[derive(Serialize)]
pub struct Outcome {
    pub group: String,
    /// The amount of work in each run.
    pub bytes: usize,
    pub user_records: usize,
    pub contenders: Vec<Timing>,
}

/// The time that a contender took for a run.
#[derive(Serialize)]
pub struct Timing {
    pub name: String,
    pub median_ns: f64,
    pub lower_quartile_ns: f64,
    pub upper_quartile_ns: f64,
    /// The time relative to the first contender: the median of the ratios of all rounds.
    pub ratio: f64,
    /// The time in processor cycles, calibrated with a chain of multiplications.
    pub cycles: f64,
}

impl<'w> Group<'w> {
    pub fn new(name: impl Into<String>, bytes: usize, user_records: usize) -> Self {
        Self { name: name.into(), bytes, user_records, contenders: Vec::new() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds a contender. Its result goes through `black_box`, so that the work cannot be optimised away.
    pub fn with<T>(mut self, name: &str, mut work: impl FnMut() -> T + 'w) -> Self {
        self.contenders.push((name.into(), Box::new(move || _ = black_box(work()))));
        self
    }

    /// Measures the group and prints the results.
    pub fn run(self) -> Outcome {
        let outcome = self.measure();
        outcome.show();
        outcome
    }

    pub fn measure(mut self) -> Outcome {
        let rounds = rounds();
        // Warm up, and determine how many runs fill a turn.
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
                // The previous contender has evicted this one's data from the caches.
                work();
                let start = Instant::now();
                for _ in 0..runs {
                    work();
                }
                turns.push(start.elapsed().as_nanos() as f64 / f64::from(runs));
            }
        }
        let first = turns[0].clone();
        let contenders = self
            .contenders
            .iter()
            .zip(turns)
            .map(|((name, _), turns)| Timing {
                name: name.clone(),
                ratio: quantile(turns.iter().zip(&first).map(|(own, first)| own / first).collect(), 0.5),
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
            print!("  {:40} {:12.0} ns {:7.3} x", timing.name, timing.median_ns, timing.ratio);
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

/// Returns the length of a cycle, from a chain of multiplications (three cycles each) and additions (one each) on x86-64 and 64-bit
/// ARM processors of the last ten years.
fn nanoseconds_of_a_cycle() -> f64 {
    const LENGTH: u32 = 100_000;
    let mut square = black_box(3u64);
    let start = Instant::now();
    for _ in 0..LENGTH {
        // The compiler cannot shorten this chain.
        square = square.wrapping_mul(square).wrapping_add(3);
    }
    black_box(square);
    start.elapsed().as_nanos() as f64 / f64::from(4 * LENGTH)
}

/// A point in the CPU time of this process. Other processes do not count, except for their effect on the caches.
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
