//! Times things beside each other: in turns, in one process, so that what the machine does to one it does to all.

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// How often each contender has its turn, unless `KINESIS_AGG_ROUNDS` says otherwise.
const ROUNDS: usize = 31;
/// How long a turn takes at least: what the clock costs does not count then.
const TURN: Duration = Duration::from_millis(4);

/// Work that several contenders do, each in its way. The first one is what the others are compared with.
pub struct Group<'w> {
    name: String,
    bytes: usize,
    user_records: usize,
    contenders: Vec<(String, Box<dyn FnMut() + 'w>)>,
}

/// What came of a group.
#[derive(Serialize)]
pub struct Outcome {
    pub group: String,
    /// How much is worked on in each run.
    pub bytes: usize,
    pub user_records: usize,
    pub contenders: Vec<Timing>,
}

/// How long a contender took for a run.
#[derive(Serialize)]
pub struct Timing {
    pub name: String,
    pub median_ns: f64,
    pub lower_quartile_ns: f64,
    pub upper_quartile_ns: f64,
    /// How many times as long as the first of the group: the median of the ratios of all rounds.
    pub ratio: f64,
    /// The same in cycles of the processor, as far as a chain of multiplications tells them.
    pub cycles: f64,
}

impl<'w> Group<'w> {
    pub fn new(name: impl Into<String>, bytes: usize, user_records: usize) -> Self {
        Self { name: name.into(), bytes, user_records, contenders: Vec::new() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds a contender. What its work answers with is looked at, so that it cannot be left out.
    pub fn with<T>(mut self, name: &str, mut work: impl FnMut() -> T + 'w) -> Self {
        self.contenders.push((name.into(), Box::new(move || _ = black_box(work()))));
        self
    }

    /// Measures, and shows what came of it to whoever waits.
    pub fn run(self) -> Outcome {
        let outcome = self.measure();
        outcome.show();
        outcome
    }

    pub fn measure(mut self) -> Outcome {
        let rounds = rounds();
        // Warm, and see how many runs make a turn.
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
                // Whoever had the turn before has filled the caches with its own.
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

/// How long a cycle is, by a chain of multiplications, three cycles each, and additions, one each, on x86-64 and 64-bit
/// ARM processors of the last ten years.
fn nanoseconds_of_a_cycle() -> f64 {
    const LENGTH: u32 = 100_000;
    let mut square = black_box(3u64);
    let start = Instant::now();
    for _ in 0..LENGTH {
        // The compiler knows no shorter way to do this many times.
        square = square.wrapping_mul(square).wrapping_add(3);
    }
    black_box(square);
    start.elapsed().as_nanos() as f64 / f64::from(4 * LENGTH)
}

/// A moment in the time that this process had a processor for. Whatever else runs on the machine does not count, as long
/// as it leaves the caches alone.
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
