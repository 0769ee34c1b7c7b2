//! Throughput and latency, in simulated time.

use core::time::Duration;

use kinesis_aggregation::Limits;
use kinesis_aggregation::produce::{Order, Outcome, ProducerConfig, Routing};

use crate::ms;
use crate::random::Random;
use crate::run::{Offer, Run};
use crate::world::{Network, World};

/// The records offered: a stream of records with 100 to 1,000 bytes for each shard.
struct Load {
    shards: u32,
    keys_per_shard: usize,
    /// Bytes a second for each shard.
    rate: f64,
    duration: Duration,
}

/// Keys by the shard that owns them.
fn keys(world: &World, per_shard: usize) -> Vec<Vec<String>> {
    let map = world.map().unwrap();
    let mut keys = vec![Vec::new(); world.shards.len()];
    for number in 0u64.. {
        let key = format!("device-{number}");
        let hash_key = kinesis_aggregation::route::HashKey::of_partition_key(&key);
        let shard = map.shards().position(|shard| shard.range().contains(hash_key)).unwrap();
        if keys[shard].len() < per_shard {
            keys[shard].push(key);
        }
        if keys.iter().all(|keys| keys.len() == per_shard) {
            break;
        }
    }
    keys
}

impl Load {
    fn offers(&self, world: &World, seed: u64) -> impl Iterator<Item = Offer> + use<> {
        let keys = keys(world, self.keys_per_shard);
        let mut random = Random::new(seed);
        let (begin, end) = (world.now, world.now + self.duration);
        let shards = self.shards as usize;
        let total = self.rate * f64::from(self.shards);
        let mut sent = 0.0;
        core::iter::from_fn(move || {
            let at = begin + Duration::from_secs_f64(sent / total);
            if at >= end {
                return None;
            }
            let len = 100 + random.below(901);
            sent += len as f64;
            let keys = &keys[random.below(shards)];
            let key = keys[random.below(keys.len())].clone();
            Some(Offer { at, partition_key: Some(key), explicit_hash_key: None, len })
        })
    }
}

fn config() -> ProducerConfig {
    let mut config = ProducerConfig::default();
    config.max_calls = 8;
    config.budget = 256 << 20;
    config
}

/// Drives a run through its load, and returns it with the time at which the load began.
fn drive(
    network: Network,
    config: ProducerConfig,
    load: &Load,
    prepare: impl FnOnce(&mut World),
) -> (Run, Duration) {
    let mut world = World::new(load.shards, network, 1);
    prepare(&mut world);
    let begin = world.now;
    let offers = load.offers(&world, 2);
    let mut run = Run::new(world, config);
    let mut offers = offers.peekable();
    run.drive(&mut offers, begin + load.duration);
    (run, begin)
}

/// Latencies, sorted, of records that were added in the last part of the load, by the shard that took them.
fn latencies(run: &Run, from: Duration, shard: impl Fn(&str) -> bool) -> Vec<Duration> {
    let mut all: Vec<Duration> = run
        .fates
        .iter()
        .filter_map(|fate| {
            let (outcome, done) = fate.done.as_ref()?;
            let Outcome::Delivered { shard: id, .. } = outcome else { return None };
            let added = fate.added?;
            (added >= from && shard(id)).then(|| *done - added)
        })
        .collect();
    all.sort();
    all
}

fn percentile(sorted: &[Duration], hundredths: usize) -> Duration {
    sorted[(sorted.len() - 1) * hundredths / 100]
}

/// Bytes a second that each shard took from `from` to `until`.
fn delivered_rate(run: &Run, from: Duration, until: Duration) -> f64 {
    let bytes: u64 = run
        .fates
        .iter()
        .zip(0u32..)
        .filter_map(|(fate, number)| {
            let (outcome, done) = fate.done.as_ref()?;
            (outcome.is_delivered() && (from..until).contains(done)).then_some(run.len_of(number) as u64)
        })
        .sum();
    bytes as f64 / (until - from).as_secs_f64() / run.world.shards.len() as f64
}

const MB: f64 = 1e6;

/// Returns whether to simulate as long as the targets say, which takes minutes.
fn long() -> bool {
    std::env::var_os("KINESIS_AGG_CASES").is_some()
}

#[test]
fn a_hundred_shards_get_what_they_can_take() {
    // The whole minute takes minutes to simulate.
    let (warm_up, measured) = if long() { (5, 60) } else { (1, 2) };
    let load = Load {
        shards: 100,
        keys_per_shard: 1000,
        rate: 0.8 * MB,
        duration: Duration::from_secs(warm_up + measured),
    };
    let (run, begin) = drive(Network::default(), config(), &load, |_| ());
    let from = begin + Duration::from_secs(warm_up);
    let rate = delivered_rate(&run, from, begin + load.duration) / MB;
    let p99 = percentile(&latencies(&run, from, |_| true)[..], 99);
    println!("100 shards, round trip 100 ms: {rate:.3} MB/s a shard of 0.8 offered, p99 {p99:?}");
    assert!(rate >= 0.79, "{rate}");
    assert!(p99 <= ms(600), "{p99:?}");
}

#[test]
fn a_backlog_is_not_sent_over_and_over() {
    let world = World::new(1, Network::default(), 1);
    let begin = world.now;
    let offers = (0..25_000).map(|number: u32| Offer {
        at: begin,
        partition_key: Some(format!("device-{}", number % 1000)),
        explicit_hash_key: None,
        len: 1000,
    });
    let mut run = Run::new(world, config());
    run.finish(offers);
    let (sent, backlog) = (run.producer.stats().bytes_sent as f64, 25_000.0 * 1000.0);
    println!("a backlog of 25 MB: {:.2} times as many bytes sent", sent / backlog);
    assert!(sent <= 1.1 * backlog, "{sent}");
    run.check();
}

#[test]
fn one_throttled_shard_does_not_slow_the_others() {
    for (routing, keys_per_shard) in [(Routing::ByShard, 1000), (Routing::ByKey, 3)] {
        let load = Load {
            shards: 100,
            keys_per_shard,
            rate: 0.5 * MB,
            duration: Duration::from_secs(if long() { 20 } else { 4 }),
        };
        let mut config = config();
        config.routing = routing;
        let (run, begin) = drive(Network::default(), config, &load, |world| world.slow_down(50, 20));
        let slow = run.world.shards[50].range;
        let offered = run.fates.iter().zip(0u32..).filter(|(fate, _)| {
            let added = fate.added.unwrap() - begin;
            !slow.contains(fate.hash_key.unwrap()) && (ms(1000)..load.duration - ms(1000)).contains(&added)
        });
        let (mut all, mut delivered, mut waited) = (0, 0, Vec::new());
        for (fate, number) in offered {
            all += run.len_of(number);
            if let Some((_, done)) = &fate.done {
                delivered += run.len_of(number);
                waited.push(*done - fate.added.unwrap());
            }
        }
        waited.sort();
        let p99 = percentile(&waited, 99);
        // Delivered within a second, at the rate at which it was offered.
        let share = delivered as f64 / all as f64;
        assert_eq!(run.refused, 0);
        println!(
            "one of 100 shards throttled, {routing:?}: the others get {:.1} %, p99 {p99:?}",
            share * 100.0
        );
        assert!(share >= 0.98, "{routing:?}: {share}");
        assert!(p99 <= ms(350), "{routing:?}: {p99:?}");
    }
}

#[test]
fn a_slow_call_delays_only_its_shards() {
    let load = Load { shards: 100, keys_per_shard: 100, rate: 0.2 * MB, duration: Duration::from_secs(9) };
    for order in [Order::None, Order::PerShard] {
        let run = |slow: bool| {
            let mut config = config();
            config.order = order;
            let slow_from =
                |world: &mut World| world.slow_from = slow.then(|| world.now + Duration::from_secs(3));
            drive(Network::default(), config, &load, slow_from)
        };
        let p99 = |run: &Run, begin: Duration| {
            let (slow_records, slow_shards) = (&run.world.slow_records, &run.world.slow_shards);
            let mut all: Vec<Duration> = run
                .fates
                .iter()
                .zip(0u32..)
                .filter_map(|(fate, number)| {
                    let added = fate.added?;
                    let concerned = match fate.done.as_ref()? {
                        (Outcome::Delivered { shard, .. }, _) if order == Order::PerShard => {
                            slow_shards.iter().any(|slow| **slow == **shard)
                        }
                        _ => slow_records.contains(&number),
                    };
                    let during = (Duration::from_secs(2)..Duration::from_secs(8)).contains(&(added - begin));
                    (during && !concerned).then(|| fate.done.as_ref().unwrap().1 - added)
                })
                .collect();
            all.sort();
            percentile(&all, 99)
        };
        let ((with, begin), (without, _)) = (run(true), run(false));
        assert!(!with.world.slow_records.is_empty());
        let (with, without) = (p99(&with, begin), p99(&without, begin));
        println!("one call takes 5 s, {order:?}: p99 of the others {with:?} instead of {without:?}");
        assert!(with <= without * 5 / 4, "{order:?}: {with:?}, without {without:?}");
    }
}

#[test]
fn unanswered_calls_cost_no_throughput() {
    let network = Network { vanish_one_in: 100, unanswered_one_in: 100, ..Network::default() };
    let load = Load {
        shards: 20,
        keys_per_shard: 100,
        rate: 0.5 * MB,
        duration: Duration::from_secs(if long() { 30 } else { 8 }),
    };
    let mut config = config();
    config.call_timeout = Duration::from_secs(1);
    let (mut run, begin) = drive(network, config, &load, |_| ());
    let rate = delivered_rate(&run, begin + Duration::from_secs(4), begin + load.duration) / MB;
    println!("2 % of calls never answered: {rate:.3} MB/s a shard of 0.5 offered");
    assert!(rate >= 0.49, "{rate}");
    run.finish(core::iter::empty());
    run.check();
}

#[test]
fn a_burst_does_not_cut_the_other_aggregates_short() {
    let mean = |burst: bool| {
        let mut world = World::new(944, Network { limits: false, ..Network::default() }, 1);
        world.network.round_trip = ms(50);
        let keys = keys(&world, 4);
        let begin = world.now;
        let mut random = Random::new(5);
        let mut config = ProducerConfig::default();
        config.linger = Duration::from_secs(1);
        // With the buffers of the burst, there is no room for those of the other shards.
        config.budget = 24 << 20;
        config.limits = Limits::KPL;
        let mut offers: Vec<Offer> = Vec::new();
        let seconds = if long() { 6 } else { 3 };
        for shard in 44..944 {
            for number in 0..seconds * 10u64 {
                offers.push(Offer {
                    at: begin + ms(number * 100 + random.below(100) as u64),
                    partition_key: Some(keys[shard][random.below(4)].clone()),
                    explicit_hash_key: None,
                    len: 800,
                });
            }
        }
        if burst {
            for number in 0..44 * 1000usize {
                offers.push(Offer {
                    at: begin + ms(500),
                    partition_key: Some(keys[number % 44][random.below(4)].clone()),
                    explicit_hash_key: None,
                    len: 1000,
                });
            }
        }
        offers.sort_by_key(|offer| offer.at);
        let lightly: Vec<String> = world.shards[44..].iter().map(|shard| shard.id.clone()).collect();
        let mut run = Run::new(world, config);
        let mut offers = offers.into_iter().peekable();
        run.drive(&mut offers, begin + Duration::from_secs(seconds));
        let stats = run.producer.stats();
        let (records, entries) = lightly
            .iter()
            .filter_map(|id| stats.shards.get(&**id))
            .fold((0, 0), |sum, shard| (sum.0 + shard.records, sum.1 + shard.entries));
        records as f64 / entries as f64
    };
    let (with, without) = (mean(true), mean(false));
    println!("after a burst on 44 of 944 shards: aggregates of {with:.1} records instead of {without:.1}");
    assert!(with >= 0.9 * without, "{with} instead of {without}");
}
