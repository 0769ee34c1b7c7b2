//! The cost by size: what a user record or a byte costs must not depend on how many there are.

use benches::corpora::{self, Corpus, even_map, uneven_map};
use benches::group::Group;
use benches::ours::{self, DigestCheck, Md5, Producing, UserRecord};
use serde::Serialize;

/// A group of contenders that work on larger and larger input, in turns.
struct Series<'w> {
    group: Group<'w>,
    /// For each point, its position on the axis and what the time is divided by.
    points: Vec<(usize, usize)>,
    /// Whether each point has a second contender whose time is subtracted.
    less: bool,
}

/// The measurements of a series.
#[derive(Serialize)]
pub struct Curve {
    pub series: String,
    pub points: Vec<Point>,
}

#[derive(Serialize)]
pub struct Point {
    pub at: usize,
    pub ns: f64,
}

impl<'w> Series<'w> {
    fn new(name: &str) -> Self {
        Self { group: Group::new(name, 0, 0), points: Vec::new(), less: false }
    }

    fn with<T>(mut self, at: usize, units: usize, work: impl FnMut() -> T + 'w) -> Self {
        self.group = self.group.with("whole", work);
        self.points.push((at, units));
        self
    }

    /// Adds a point whose work changes `state`. The time of `reset` does not count.
    fn with_reset<S: 'w>(
        mut self,
        at: usize,
        units: usize,
        state: S,
        work: impl FnMut(&mut S) + 'w,
        reset: impl FnMut(&mut S) + 'w,
    ) -> Self {
        self.group = self.group.with_reset("whole", state, work, reset);
        self.points.push((at, units));
        self
    }

    /// Subtracts the time of `work` from the point just added.
    fn less<T>(mut self, work: impl FnMut() -> T + 'w) -> Self {
        self.group = self.group.with("part", work);
        self.less = true;
        self
    }

    fn run(self) -> Curve {
        let outcome = self.group.measure();
        let each = if self.less { 2 } else { 1 };
        let points =
            self.points.iter().zip(outcome.contenders.chunks(each)).map(|(&(at, units), timings)| {
                let less = timings.get(1).map_or(0.0, |part| part.median_ns);
                Point { at, ns: (timings[0].median_ns - less) / units as f64 }
            });
        let curve = Curve { series: outcome.group, points: points.collect() };
        println!("{}", curve.series);
        for point in &curve.points {
            println!("  {:12} {:10.3} ns", point.at, point.ns);
        }
        curve
    }
}

/// Measures the series that have `only` in their names.
pub fn measure(only: &str) -> Vec<Curve> {
    type Family = (&'static str, fn() -> Vec<Curve>);
    let families: [Family; 5] = [
        ("user records", by_user_records),
        ("partition keys", by_partition_keys),
        ("shards", by_shards),
        ("batch", by_batch),
        ("producer", by_lanes),
    ];
    families.iter().filter(|(name, _)| name.contains(only)).flat_map(|(_, measure)| measure()).collect()
}

/// Up to a million user records, in as many aggregates of 10 MiB as they need.
fn by_user_records() -> Vec<Curve> {
    let corpus = Corpus::new("many", 1_000_000, 80..112, 256);
    let counts = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
    let streams: Vec<_> =
        counts.iter().map(|&count| ours::aggregate_all(corpus.user_records().take(count))).collect();
    let mut reading = Series::new("user records: deaggregate");
    let mut writing = Series::new("user records: aggregate");
    for (&count, payloads) in counts.iter().zip(&streams) {
        reading = reading.with(count, count, move || {
            let mut keys = Vec::new();
            payloads
                .iter()
                .map(|payload| ours::decode(payload, &mut keys, DigestCheck::Verify))
                .fold(0, usize::wrapping_add)
        });
        let mut aggregator = ours::aggregator();
        let records = &corpus;
        writing = writing
            .with(count, count, move || ours::aggregate(&mut aggregator, records.user_records().take(count)));
    }
    vec![reading.run(), writing.run()]
}

/// 100,000 user records of more and more keys. Each key adds its bytes to the payload, so the digest is left out.
fn by_partition_keys() -> Vec<Curve> {
    let counts = [1, 10, 100, 1_000, 10_000, 100_000];
    let corpora: Vec<_> = counts.iter().map(|&keys| Corpus::new("keys", 100_000, 16..17, keys)).collect();
    let mut reading = Series::new("partition keys: deaggregate, digest skipped");
    let mut writing = Series::new("partition keys: aggregate, less the MD5");
    for (&count, corpus) in counts.iter().zip(&corpora) {
        let mut keys = Vec::new();
        reading =
            reading.with(count, 100_000, move || ours::decode(&corpus.payload, &mut keys, DigestCheck::Skip));
        let mut aggregator = ours::aggregator();
        writing = writing
            .with(count, 100_000, move || ours::aggregate(&mut aggregator, corpus.user_records()))
            .less(|| Md5::digest(corpus.body()));
    }
    vec![reading.run(), writing.run()]
}

/// Streams of more and more shards, even and uneven.
fn by_shards() -> Vec<Curve> {
    let counts = [1, 10, 100, 1_000, 10_000];
    let even: Vec<_> = counts.iter().map(|&shards| even_map(shards)).collect();
    let uneven: Vec<_> = counts.iter().map(|&shards| uneven_map(shards)).collect();
    let hash_keys = corpora::hash_keys(4096);
    let corpus = Corpus::new("shards", 10_000, 80..112, 256);

    let mut curves = Vec::new();
    for (name, maps) in [("even", &even), ("uneven", &uneven)] {
        let mut series = Series::new(&format!("shards: find one, {name} map"));
        for (&count, map) in counts.iter().zip(maps) {
            let hash_keys = &hash_keys;
            series = series.with(count, hash_keys.len(), move || ours::look_up(map, hash_keys));
        }
        curves.push(series.run());
    }
    let mut series = Series::new("shards: route and aggregate, 256 known keys");
    for (&count, map) in counts.iter().zip(&even) {
        let mut manager = ours::manager(map);
        let corpus = &corpus;
        series = series.with(count, 10_000, move || ours::route(&mut manager, corpus.user_records()));
    }
    curves.push(series.run());
    curves
}

/// More and more payloads like B, decoded together.
fn by_batch() -> Vec<Curve> {
    let corpus = Corpus::new("B", 500, 80..112, 32);
    let payloads = vec![corpus.payload.clone(); 256];
    let mut series = Series::new("batch: deaggregate");
    for count in [1, 2, 4, 8, 16, 32, 64, 256] {
        let batch = &payloads[..count];
        series = series.with(count, count * corpus.payload.len(), move || ours::decode_all(batch));
    }
    vec![series.run()]
}

/// `next_deadline`, `poll`, `call` and `on_put` of a producer for one busy shard, or key, while more and more others have a record
/// that is not due.
fn by_lanes() -> Vec<Curve> {
    const CALLS: usize = 100;
    const DATA: &[u8] = &[7; 300];
    let busy = || std::iter::repeat_n(UserRecord::new("busy", DATA).with_explicit_hash_key("0"), CALLS);
    let mut curves = Vec::new();
    for (name, by_shard, counts) in [
        ("shards of a producer: a call", true, [1, 10, 100, 1_000, 10_000]),
        ("partition keys of a producer: a call", false, [1, 100, 1_000, 10_000, 100_000]),
    ] {
        let mut series = Series::new(name);
        for count in counts {
            let map = by_shard.then(|| even_map(count));
            let starts: Vec<String> = match &map {
                Some(map) => ours::starts(map).iter().map(u128::to_string).collect(),
                None => corpora::hash_keys(count).iter().map(u128::to_string).collect(),
            };
            let mut producing = Producing::paced(map.as_ref());
            let idle = starts
                .iter()
                .skip(1)
                .map(|start| UserRecord::new("idle", "data").with_explicit_hash_key(start));
            producing.add(idle);
            // What fills a share is due at once, so the busy one always is, and has so much left.
            (0..10).for_each(|_| producing.add(busy()));
            series = series.with_reset(
                count,
                CALLS,
                producing,
                |producing| {
                    for _ in 0..CALLS {
                        std::hint::black_box(producing.wait_for_pace());
                        assert_eq!(producing.call().len(), 1);
                        producing.answer();
                    }
                },
                move |producing| {
                    assert_eq!(producing.results(), CALLS);
                    producing.add(busy());
                },
            );
        }
        curves.push(series.run());
    }
    curves
}
