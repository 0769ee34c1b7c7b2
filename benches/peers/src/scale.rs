//! From little to much: what a user record, or a byte, costs must not depend on how many there are.

use kinesis_aggregation::{Limits, RecordAggregator, ShardMap, UserRecord};
use kinesis_aggregation::decode::{DigestCheck, Md5};
use kinesis_aggregation::route::HashKey;
use serde::Serialize;

use crate::clock::Group;
use crate::corpora::{Corpus, Random};
use crate::{others, ours, targets};

/// The same work on more and more, in turns.
struct Series<'w> {
    group: Group<'w>,
    /// How much of what, for each point: what is counted on the axis, and what the time is divided by.
    points: Vec<(usize, usize)>,
    /// Each point has a second contender, whose time does not count.
    less: bool,
}

/// What came of a series.
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

    /// What must be done anyway, for the point just added.
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
        ("payload size", by_payload_size),
        ("batch", by_batch),
    ];
    families.iter().filter(|(name, _)| name.contains(only)).flat_map(|(_, measure)| measure()).collect()
}

/// Up to a million user records, in as many aggregates of 10 MiB as they need.
fn by_user_records() -> Vec<Curve> {
    let corpus = Corpus::new("many", 1_000_000, 80..112, 256);
    let counts = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
    let streams: Vec<_> = counts.iter().map(|&count| payloads(corpus.user_records().take(count))).collect();
    let mut reading = Series::new("user records: deaggregate");
    let mut packing = Series::new("user records: aggregate");
    for (&count, payloads) in counts.iter().zip(&streams) {
        reading = reading.with(count, count, move || {
            let mut keys = Vec::new();
            payloads
                .iter()
                .map(|payload| ours::take_apart(payload, &mut keys, DigestCheck::Verify))
                .fold(0, usize::wrapping_add)
        });
        let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
        let records = &corpus;
        packing = packing
            .with(count, count, move || ours::pack(&mut aggregator, records.user_records().take(count)));
    }
    vec![reading.run(), packing.run()]
}

/// 100,000 user records, of more and more keys. Each key adds its bytes to the payload, so the digest does not count.
fn by_partition_keys() -> Vec<Curve> {
    let counts = [1, 10, 100, 1_000, 10_000, 100_000];
    let corpora: Vec<_> = counts.iter().map(|&keys| Corpus::new("keys", 100_000, 16..17, keys)).collect();
    let mut reading = Series::new("partition keys: deaggregate, digest skipped");
    let mut packing = Series::new("partition keys: aggregate, less the MD5");
    for (&count, corpus) in counts.iter().zip(&corpora) {
        let mut keys = Vec::new();
        reading = reading
            .with(count, 100_000, move || ours::take_apart(&corpus.payload, &mut keys, DigestCheck::Skip));
        let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
        packing = packing
            .with(count, 100_000, move || ours::pack(&mut aggregator, corpus.user_records()))
            .less(|| Md5::digest(body(&corpus.payload)));
    }
    vec![reading.run(), packing.run()]
}

/// Streams of more and more shards, all as large as each other, or at random.
fn by_shards() -> Vec<Curve> {
    let counts = [1, 10, 100, 1_000, 10_000];
    let even: Vec<_> = counts.iter().map(|&shards| even_map(shards)).collect();
    let uneven: Vec<_> = counts.iter().map(|&shards| uneven_map(shards)).collect();
    let mut random = Random::new(5);
    let hashes: Vec<_> = (0..4096)
        .map(|_| HashKey::new(u128::from(random.next()) << 64 | u128::from(random.next())))
        .collect();
    let corpus = Corpus::new("shards", 10_000, 80..112, 256);

    let mut curves = Vec::new();
    for (name, maps) in [("even", &even), ("uneven", &uneven)] {
        let mut series = Series::new(&format!("shards: find one, {name} map"));
        for (&count, map) in counts.iter().zip(maps) {
            let find = |&hash| map.shard_for(hash).range().start().get();
            let hashes = &hashes;
            series =
                series.with(count, hashes.len(), move || hashes.iter().map(find).fold(0, u128::wrapping_add));
        }
        curves.push(series.run());
    }
    let mut series = Series::new("shards: route and pack, 256 known keys");
    for (&count, map) in counts.iter().zip(&even) {
        let mut manager = ours::manager(map);
        let corpus = &corpus;
        series = series.with(count, 10_000, move || ours::route(&mut manager, corpus.user_records()));
    }
    curves.push(series.run());
    curves
}

/// Payloads of a kilobyte to 10 MB, of user records of some 96 bytes and 10 keys.
fn by_payload_size() -> Vec<Curve> {
    let counts = [7, 90, 950, 9_500, 95_000];
    let corpora: Vec<_> =
        counts.iter().map(|&count| Corpus::new("sizes", count, 80..112, 10.min(count))).collect();
    let mut reading = Series::new("payload size: deaggregate");
    let mut packing = Series::new("payload size: aggregate");
    let mut digest = Series::new("payload size: MD5 alone");
    for corpus in &corpora {
        let (payload, len) = (&corpus.payload, corpus.payload.len());
        let mut keys = Vec::new();
        reading = reading.with(len, len, move || ours::take_apart(payload, &mut keys, DigestCheck::Verify));
        let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
        packing = packing.with(len, len, move || ours::pack(&mut aggregator, corpus.user_records()));
        digest = digest.with(len, len, || Md5::digest(body(payload)));
    }
    vec![reading.run(), packing.run(), digest.run()]
}

/// Payloads like B, more and more together.
fn by_batch() -> Vec<Curve> {
    let corpus = Corpus::new("B", 500, 80..112, 32);
    let payloads = vec![corpus.payload.clone(); 256];
    let mut series = Series::new("batch: deaggregate");
    for count in [1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256] {
        let batch = &payloads[..count];
        series = series.with(count, count * corpus.payload.len(), move || ours::take_all_apart(batch));
    }
    vec![series.run()]
}

/// The aggregates that these user records fill.
fn payloads<'r>(records: impl Iterator<Item = UserRecord<'r>>) -> Vec<Vec<u8>> {
    let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
    let mut payloads = Vec::new();
    for record in records {
        payloads.extend(aggregator.add(record).expect("a valid user record").map(|full| full.into_data()));
    }
    payloads.extend(aggregator.finish().map(|rest| rest.into_data()));
    payloads
}

fn body(payload: &[u8]) -> &[u8] {
    others::body(payload).expect("an aggregated record").0
}

fn even_map(shards: usize) -> ShardMap {
    let shards = shards as u128;
    targets::map((1..shards).map(|number| number * (u128::MAX / shards)).collect())
}

fn uneven_map(shards: usize) -> ShardMap {
    let mut random = Random::new(11);
    let mut starts: Vec<u128> =
        (1..shards).map(|_| u128::from(random.next()) << 64 | u128::from(random.next())).collect();
    starts.sort_unstable();
    targets::map(starts)
}
