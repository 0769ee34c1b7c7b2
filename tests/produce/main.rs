//! The producer in a simulated world: streams that are resharded, throttled and deleted, and a network that loses, delays and
//! repeats. Whatever happens, each receipt comes back once, and nothing is lost (rules P1 to P13).
//!
//! `KINESIS_AGG_CASES=10000 cargo test --release --features arbitrary,proptest --test produce -- --nocapture` runs ten thousand random
//! worlds. They begin with world `KINESIS_AGG_SEED`.

#![cfg(feature = "alloc")]
#![expect(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all numbers are small or bounded, and a panic fails the test, as it should"
)]

mod cases;
#[cfg(feature = "arbitrary")]
mod events;
/// Simulates millions of records, which takes too long without optimisation.
#[cfg(not(debug_assertions))]
mod figures;
#[path = "../common/random.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod random;
#[cfg_attr(debug_assertions, allow(dead_code, reason = "`figures` uses the remaining items"))]
mod run;
#[cfg_attr(debug_assertions, allow(dead_code, reason = "`figures` uses the rest"))]
mod world;

use core::time::Duration;

use kinesis_aggregation::Limits;
use kinesis_aggregation::produce::{Order, ProducerConfig, Routing};
use random::Random;
use run::{Offer, Run};
use world::{Network, World};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A world, a producer and records, all at random.
fn random_run(seed: u64) -> (Run, Vec<Offer>, Vec<(Duration, Change)>) {
    let mut random = Random::new(seed);
    let calm = random.one_in(4);
    let odds = |random: &mut Random, choices: &[u32]| if calm { 0 } else { random.pick(choices) };
    let network = Network {
        round_trip: ms(random.pick(&[1, 20, 100, 800])),
        jitter: random.pick(&[0, 30, 90]),
        slow_one_in: odds(&mut random, &[0, 0, 20, 200]),
        slow_for: ms(random.pick(&[500, 5_000, 40_000])),
        vanish_one_in: odds(&mut random, &[0, 0, 30, 5]),
        unanswered_one_in: odds(&mut random, &[0, 0, 30, 5]),
        fail_one_in: odds(&mut random, &[0, 0, 20, 3]),
        entry_fail_one_in: odds(&mut random, &[0, 0, 20, 3]),
        list_fail_one_in: odds(&mut random, &[0, 0, 2]),
        limits: random.one_in(2),
        in_order: !random.one_in(4),
        poison: (!calm && random.one_in(8)).then(|| run::data_of(random.below(20) as u32, 12)),
    };
    let shards = random.pick(&[1, 2, 3, 8, 40]);
    let mut config = ProducerConfig::default();
    config.limits = Limits::default()
        .with_max_bytes(20_000)
        .with_target_bytes(random.pick(&[100, 600, 5_000, 20_000]))
        .with_max_user_records(random.pick(&[1, 5, 40, usize::MAX]));
    config.aggregate = !random.one_in(8);
    config.routing = if random.one_in(4) { Routing::ByKey } else { Routing::ByShard };
    config.order = if random.one_in(3) { Order::None } else { Order::PerShard };
    config.linger = ms(random.pick(&[0, 10, 100, 2_000]));
    config.ttl = (random.one_in(5)).then(|| ms(random.pick(&[50, 1_000, 20_000])));
    config.fail_if_throttled = random.one_in(10);
    config.shard_rate = random.pick(&[10, 100, 150, 100_000]);
    config.max_call_entries = random.pick(&[1, 3, 500]);
    config.max_call_bytes = random.pick(&[20_000, 60_000, 5 << 20]);
    config.max_calls = random.pick(&[1, 2, 24]);
    config.call_timeout = ms(random.pick(&[1_000, 6_000, 30_000]));
    config.budget = random.pick(&[60_000, 400_000, 64 << 20]);
    config.list_interval = ms(random.pick(&[0, 1_000]));
    config.seed = seed;
    // Worlds in which nothing holds a record up.
    let network = if calm && random.one_in(2) {
        config.shard_rate = 1_000_000;
        config.max_call_entries = 500;
        config.max_call_bytes = 10 << 20;
        config.max_calls = 24;
        config.budget = 64 << 20;
        Network { limits: false, ..network }
    } else {
        network
    };
    let world = World::new(shards, network, random.next());
    let begin = world.now;
    let count = random.pick(&[1, 20, 200, 600]);
    let span = random.pick(&[0, 100, 5_000, 60_000]);
    let keys = random.pick(&[1, 10, 200]);
    let mut offers: Vec<Offer> = (0..count)
        .map(|_| Offer {
            at: begin + ms(random.below(span + 1) as u64),
            partition_key: (!random.one_in(12)).then(|| format!("device-{}", random.below(keys))),
            explicit_hash_key: None,
            len: random.pick(&[4, 20, 100, 300, 700]) + if random.one_in(50) { 15_000 } else { 0 },
        })
        .collect();
    for offer in &mut offers {
        if offer.partition_key.is_some() && random.one_in(10) {
            let key = u128::from(random.next()) << 64 | u128::from(random.next());
            offer.explicit_hash_key = Some((key >> random.below(128)).to_string());
        }
    }
    offers.sort_by_key(|offer| offer.at);
    let changes = if random.one_in(3) { 0 } else { random.below(6) };
    let mut changes: Vec<(Duration, Change)> =
        (0..changes).map(|_| (begin + ms(random.below(span + 2_000) as u64), Change::Reshard)).collect();
    changes.sort_by_key(|&(at, _)| at);
    if !calm && random.one_in(8) {
        let at = changes.last().map_or(begin, |&(at, _)| at) + ms(random.below(span + 2_000) as u64);
        changes.push((
            at,
            Change::Recreate {
                shards: random.pick(&[1, 2, 5, 40]),
                after: ms(random.pick(&[0, 700, 20_000])),
            },
        ));
    }
    (Run::new(world, config), offers, changes)
}

/// Any events in any order.
#[cfg(feature = "arbitrary")]
#[test]
fn any_events_in_any_order_lose_nothing() {
    use arbitrary::Arbitrary;

    let (first, count) = (number("KINESIS_AGG_SEED", 0), number("KINESIS_AGG_CASES", 300));
    let mut failed = Vec::new();
    for seed in first..first + count * 10 {
        let mut random = Random::new(seed);
        let len = random.below(4_000);
        let bytes = random.bytes(len);
        let script = events::Script::arbitrary_take_rest(arbitrary::Unstructured::new(&bytes)).unwrap();
        if std::panic::catch_unwind(|| events::run(&script)).is_err() {
            println!("script {seed} failed");
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "scripts that failed: {failed:?}");
}

/// Each receipt comes back once, also when the producer is stopped, and what is delivered is delivered to consumers.
#[test]
fn a_million_receipts_come_back_once() {
    let records = number("KINESIS_AGG_CASES", 50) * 100;
    let (mut seed, mut left) = (0, records as usize);
    let mut sums = [0u64; 7];
    while left > 0 {
        let count = left.min(4_000);
        let mut random = Random::new(seed);
        let network = Network {
            round_trip: ms(random.pick(&[20, 100, 400])),
            slow_one_in: 50,
            slow_for: ms(3_000),
            vanish_one_in: 40,
            unanswered_one_in: 40,
            fail_one_in: 20,
            entry_fail_one_in: 20,
            list_fail_one_in: 3,
            poison: Some(run::data_of(random.below(count) as u32, 12)),
            ..Network::default()
        };
        let mut config = ProducerConfig::default();
        config.limits =
            Limits::default().with_max_bytes(20_000).with_max_user_records(random.pick(&[2, 20, 200]));
        config.order = random.pick(&[Order::PerShard, Order::None]);
        config.ttl = (seed % 3 == 0).then(|| ms(8_000));
        config.fail_if_throttled = seed % 5 == 1;
        config.call_timeout = ms(4_000);
        config.max_call_entries = random.pick(&[5, 500]);
        config.seed = seed;
        let world = World::new(random.pick(&[1, 4, 20]), network, random.next());
        let begin = world.now;
        let span = 20_000;
        let mut offers: Vec<Offer> = (0..count)
            .map(|_| Offer {
                at: begin + ms(random.below(span) as u64),
                partition_key: (!random.one_in(20)).then(|| format!("device-{}", random.below(300))),
                explicit_hash_key: None,
                len: 20 + random.below(200),
            })
            .collect();
        offers.sort_by_key(|offer| offer.at);
        let mut run = Run::new(world, config);
        let mut offers = offers.into_iter().peekable();
        let reshards = 6;
        for reshard in 1..=reshards {
            run.drive(&mut offers, begin + ms(reshard * span as u64 / (reshards + 1)));
            run.world.reshard();
        }
        // Every second producer is stopped while it is busy.
        if seed % 2 == 0 {
            run.drive(&mut offers, begin + ms(span as u64) - ms(random.below(2_000) as u64));
            for offer in offers {
                run.add(&offer);
            }
        } else {
            run.finish(offers);
        }
        let stats = run.producer.stats();
        let row = [
            stats.delivered,
            stats.misplaced,
            stats.timed_out_calls,
            stats.expired,
            stats.refused,
            stats.throttled,
        ];
        let outstanding = run.stop();
        for (sum, events) in sums.iter_mut().zip(row.into_iter().chain([outstanding])) {
            *sum += events;
        }
        left -= count;
        seed += 1;
    }
    let [delivered, misplaced, timed_out, expired, refused, throttled, outstanding] = sums;
    println!(
        "{records} receipts: {delivered} delivered, {misplaced} misplaced, {timed_out} calls timed out, {expired} expired, \
         {refused} refused, {throttled} throttled, {outstanding} outstanding when stopped"
    );
    assert!(records < 20_000 || sums.iter().all(|&events| events > 0), "{sums:?}");
}

/// A change of the stream.
#[derive(Clone, Copy, Debug)]
enum Change {
    Reshard,
    Recreate { shards: u32, after: Duration },
}

/// Runs one random world from beginning to end.
fn simulate(seed: u64) -> Run {
    let (mut run, offers, changes) = random_run(seed);
    let mut offers = offers.into_iter().peekable();
    for (at, change) in changes {
        run.drive(&mut offers, at);
        match change {
            Change::Reshard => run.world.reshard(),
            Change::Recreate { shards, after } => run.world.recreate(shards, after),
        }
    }
    run.finish(offers);
    run.check();
    run
}

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
}

/// `KINESIS_AGG_WORLD=457` runs this one alone and shows what it is like.
#[test]
fn one_world() {
    let Some(seed) = std::env::var("KINESIS_AGG_WORLD").ok().and_then(|seed| seed.parse().ok()) else {
        return;
    };
    let (run, offers, changes) = random_run(seed);
    println!("{:#?}\n{:#?}\n{} records, changes at {changes:?}", run.world.network, run.config, offers.len());
    simulate(seed);
}

#[test]
fn nothing_is_lost_in_random_worlds() {
    let (first, count) = (number("KINESIS_AGG_SEED", 0), number("KINESIS_AGG_CASES", 300));
    let (
        mut records,
        mut rerouted,
        mut misplaced,
        mut timed_out,
        mut failed,
        mut duplicates,
        mut expired,
        mut stale,
    ) = (0, 0, 0, 0, 0, 0, 0, 0);
    let mut failed_worlds = Vec::new();
    for seed in first..first + count {
        let Ok(run) = std::panic::catch_unwind(|| simulate(seed)) else {
            println!("world {seed} failed");
            failed_worlds.push(seed);
            continue;
        };
        let stats = run.producer.stats();
        records += stats.added;
        rerouted += stats.rerouted;
        misplaced += stats.misplaced;
        timed_out += stats.timed_out_calls;
        failed += stats.failed_calls;
        duplicates += stats.possible_duplicates;
        expired += stats.expired;
        stale += stats.stale_answers;
    }
    println!(
        "{count} worlds, {records} records: {rerouted} routed again, {misplaced} misplaced, {failed} calls failed, \
         {timed_out} timed out, {stale} answers late, {duplicates} possible duplicates, {expired} expired"
    );
    assert!(failed_worlds.is_empty(), "worlds that failed: {failed_worlds:?}");
    if count < 100 {
        return;
    }
    for (name, events) in [
        ("rerouted", rerouted),
        ("misplaced", misplaced),
        ("timed out", timed_out),
        ("late", stale),
        ("expired", expired),
    ] {
        assert!(events > 0, "nothing was {name}: these worlds have shown nothing");
    }
}
