//! The producer in a simulated world: streams that are resharded, throttled and deleted, and a network that loses, delays and
//! repeats. Whatever happens, each receipt comes back once, and nothing is lost (rules P1 to P13).
//!
//! `KINESIS_AGG_CASES=10000 cargo test --release --features arbitrary,proptest --test produce -- --nocapture` runs ten thousand random
//! worlds.

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
mod figures;
#[path = "../common/random.rs"]
mod random;
mod run;
mod world;

use std::time::Duration;

use kinesis_aggregation::Limits;
use kinesis_aggregation::produce::{Order, ProducerConfig, Routing};
use random::Random;
use run::{Offer, Run};
use world::{Network, World};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A world, a producer and records, all at random.
fn random_run(seed: u64) -> (Run, Vec<Offer>, Vec<Duration>) {
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
        poison: None,
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
    let mut changes: Vec<Duration> = (0..changes).map(|_| begin + ms(random.below(span + 2_000) as u64)).collect();
    changes.sort();
    (Run::new(world, config), offers, changes)
}

/// Runs one random world from beginning to end.
fn simulate(seed: u64) -> Run {
    let (mut run, offers, changes) = random_run(seed);
    let mut offers = offers.into_iter().peekable();
    for at in changes {
        run.drive(&mut offers, at);
        run.world.reshard();
    }
    run.finish(offers);
    run.check();
    run
}

fn worlds(default: u64) -> u64 {
    std::env::var("KINESIS_AGG_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default)
}

/// `KINESIS_AGG_WORLD=457` runs this one alone and shows what it is like.
#[test]
fn one_world() {
    let Some(seed) = std::env::var("KINESIS_AGG_WORLD").ok().and_then(|seed| seed.parse().ok()) else { return };
    let (run, offers, changes) = random_run(seed);
    println!("{:#?}\n{:#?}\n{} records, changes at {changes:?}", run.world.network, run.config, offers.len());
    simulate(seed);
}

#[test]
fn nothing_is_lost_in_random_worlds() {
    let count = worlds(300);
    let (mut records, mut rerouted, mut misplaced, mut timed_out, mut failed, mut duplicates, mut expired, mut stale) =
        (0, 0, 0, 0, 0, 0, 0, 0);
    for seed in 0..count {
        let outcome = std::panic::catch_unwind(|| simulate(seed));
        let run = outcome.unwrap_or_else(|_| panic!("world {seed}"));
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
    for (name, events) in
        [("rerouted", rerouted), ("misplaced", misplaced), ("timed out", timed_out), ("late", stale), ("expired", expired)]
    {
        assert!(events > 0, "nothing was {name}: these worlds have shown nothing");
    }
}
