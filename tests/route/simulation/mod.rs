//! A simulated stream: while shards split and merge, producers with stale maps put aggregates that fail, reach the wrong shard
//! or lose their responses. A consumer for each shard filters them as the KCL does. Every user record has to arrive (rules R1 to
//! R3).
//!
//! `KINESIS_AGG_CASES=1000000 cargo test --release --test route simulation -- --nocapture` is a long run of a million user
//! records for each way to route, and shows the counts.

mod ledger;
mod producer;
mod stream;

use core::time::Duration;

use kinesis_aggregation::Limits;

use self::ledger::{Counts, Ledger};
use self::producer::Producer;
use self::stream::{Consumers, Stream};
use crate::common::random::Random;
use crate::model::Routing;

const SEEDS: usize = 8;
const PRODUCERS: usize = 3;

/// Runs the simulation with several seeds, and returns the sum of their counts.
fn simulate_all(routing: Routing) -> Counts {
    let each = crate::common::cases().unwrap_or(50_000).div_ceil(SEEDS);
    let mut counts = Counts::default();
    for seed in (1..).take(SEEDS) {
        let run = simulate(routing, seed, each);
        assert_eq!(run.records, each, "{routing:?}, seed {seed}");
        counts += run;
    }
    println!("{routing:?}: {counts:#?}");
    counts
}

/// Runs until `records` user records are added and the producers have delivered all of them.
fn simulate(routing: Routing, seed: u64, records: usize) -> Counts {
    let mut random = Random::new(seed);
    let mut stream = Stream::new(4, &mut random);
    let mut ledger = Ledger::new(records);
    let mut consumers = Consumers::default();
    let mut producers: Vec<_> = (0..PRODUCERS)
        .map(|_| {
            let limits = Limits::default()
                .with_max_bytes(random.pick(&[600, 2_000, 25_000]))
                .with_max_user_records(random.pick(&[5, 40, usize::MAX]))
                .with_max_age(Duration::from_millis(random.pick(&[200, 2_000])));
            let manager = routing.manager(stream.map(stream.version(), &mut random), limits);
            Producer::new(manager.with_max_memory(random.pick(&[6_000, 40_000, 1 << 26])), stream.version())
        })
        .collect();

    let mut time = 0;
    while ledger.counts.records < records || producers.iter().any(|producer| !producer.is_idle()) {
        time += 1;
        let now = Duration::from_millis(time);
        if random.one_in(120) {
            stream.reshard(&mut random, &mut ledger.counts);
        }
        let producer = &mut producers[random.below(PRODUCERS)];
        if ledger.counts.records < records {
            producer.add(now, &stream, &mut random, &mut ledger);
        } else if random.one_in(10) {
            producer.flush(&mut ledger.counts);
        }
        producer.work(now, &mut stream, &mut random, &mut ledger);
        if random.one_in(50) {
            consumers.read(&stream, &mut random, &mut ledger);
        }
    }
    // Closed shards are read to their end as well.
    consumers.read_all(&stream, &mut ledger);
    ledger.settle()
}

/// Asserts that everything happened often enough for the run to be meaningful.
fn assert_eventful(routing: Routing, counts: &Counts) {
    let mut eventful = vec![
        ("splits", counts.splits),
        ("merges", counts.merges),
        ("puts with a stale map", counts.stale_puts),
        ("failed puts", counts.failed),
        ("throttled puts", counts.throttled),
        ("lost answers", counts.lost_answers),
        ("flushed", counts.flushed),
        ("requeued", counts.requeued),
        ("duplicates", counts.duplicates),
    ];
    // Without routing, aggregates are full long before they are old.
    if !matches!(routing, Routing::Unrouted) {
        eventful.push(("expired", counts.expired));
    }
    if matches!(routing, Routing::ByShard) {
        eventful.extend([
            ("misplaced", counts.misplaced),
            ("delivered elsewhere", counts.elsewhere),
            ("on an unknown shard", counts.unknown),
            ("still unknown to a refreshed map", counts.still_unknown),
            ("dropped by consumers", counts.dropped_aggregates),
        ]);
    }
    for (name, count) in eventful {
        assert!(count >= 10, "{name}: only {count}");
    }
}

#[test]
fn by_shard_loses_nothing() {
    let counts = simulate_all(Routing::ByShard);
    assert_eventful(Routing::ByShard, &counts);
    // If the shard is known, no aggregate is called misplaced that a consumer would have delivered.
    assert!(counts.dropped_aggregates >= counts.misplaced - counts.still_unknown);
    assert_eq!(counts.lost, 0);
}

#[test]
fn by_key_loses_nothing() {
    let counts = simulate_all(Routing::ByKey);
    assert_eventful(Routing::ByKey, &counts);
    assert_eq!(counts.dropped_aggregates, 0);
    assert_eq!(counts.lost, 0);
}

/// The control: without routing, consumers drop most of what is sent.
#[test]
fn without_routing_consumers_lose_most() {
    let counts = simulate_all(Routing::Unrouted);
    assert_eventful(Routing::Unrouted, &counts);
    assert!(counts.lost > counts.records / 2, "lost {} of {}", counts.lost, counts.records);
}
