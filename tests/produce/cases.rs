//! Small cases, each of which went wrong in some producer: what is answered late, twice or not at all, reshards at a bad moment,
//! extreme options.

use core::time::Duration;
use std::collections::BTreeMap;

use kinesis_aggregation::Limits;
use kinesis_aggregation::ShardMap;
use kinesis_aggregation::decode::RecordTag;
use kinesis_aggregation::produce::{
    Action, CallFailure, CallId, Done, EntryAnswer, FailureKind, ListFailed, ListId, NotAdded, Outcome,
    ProducerConfig, PutAnswer, Routing,
};
use kinesis_aggregation::route::{HashKey, HashKeyRange, Shard};
use kinesis_aggregation::{Producer, UserRecord, deaggregate};

use crate::ms;

/// Equal shards with ids from `first`.
fn shards(count: u128, first: usize) -> Vec<(String, HashKeyRange)> {
    let width = u128::MAX / count;
    (0..count)
        .map(|shard| {
            let end = if shard + 1 == count { u128::MAX } else { (shard + 1) * width - 1 };
            let range = HashKeyRange::new(HashKey::new(shard * width), HashKey::new(end)).unwrap();
            (format!("shardId-{:012}", first + shard as usize), range)
        })
        .collect()
}

fn map(shards: &[(String, HashKeyRange)]) -> ShardMap {
    ShardMap::new(shards.iter().map(|(id, range)| Shard::new(id, *range))).unwrap()
}

/// A producer that knows its shards.
fn started(config: ProducerConfig, map: ShardMap) -> Producer<u32> {
    let mut producer = Producer::new(config).unwrap();
    let Action::ListShards(id) = producer.poll(ms(0)) else { panic!("no listing") };
    producer.on_shards(id, Ok(map), ms(0));
    producer
}

fn one_shard() -> Producer<u32> {
    started(ProducerConfig::default(), map(&shards(1, 0)))
}

fn put(producer: &mut Producer<u32>, now: Duration) -> CallId {
    match producer.poll(now) {
        Action::Put(id) => id,
        other => panic!("{other:?} instead of a call"),
    }
}

fn list(producer: &mut Producer<u32>, now: Duration) -> ListId {
    match producer.poll(now) {
        Action::ListShards(id) => id,
        other => panic!("{other:?} instead of a listing"),
    }
}

/// The data of all user records of a call, in order.
fn sent(producer: &Producer<u32>, id: CallId) -> Vec<String> {
    let call = producer.call(id).unwrap();
    let users = call.entries.iter().flat_map(|entry| deaggregate(entry.data));
    users.map(|user| String::from_utf8_lossy(user.data).into_owned()).collect()
}

/// Reports the success of a call: `shard` took everything.
fn stored(producer: &mut Producer<u32>, id: CallId, shard: &str, now: Duration) {
    let entries = producer.call(id).unwrap().entries.len();
    let answers = vec![EntryAnswer::Stored { shard, sequence_number: "1" }; entries];
    producer.on_put(id, PutAnswer::Entries(&answers), now);
}

/// Reports the result of a call as the shards of `map` would.
fn stored_by(producer: &mut Producer<u32>, id: CallId, map: &ShardMap, now: Duration) {
    let call = producer.call(id).unwrap();
    let owner = |key: Option<HashKey>| map.shard_for(key.unwrap()).id();
    let answers: Vec<_> = call
        .entries
        .iter()
        .map(|entry| EntryAnswer::Stored { shard: owner(entry.explicit_hash_key), sequence_number: "1" })
        .collect();
    producer.on_put(id, PutAnswer::Entries(&answers), now);
}

fn failed(producer: &mut Producer<u32>, id: CallId, kind: FailureKind, now: Duration) {
    producer.on_put(id, PutAnswer::Failed(CallFailure { kind, code: "Simulated", message: "" }), now);
}

fn add(producer: &mut Producer<u32>, key: &str, data: &str, now: Duration) {
    producer.add(UserRecord::new(key, data), 0, now).unwrap();
}

fn results(producer: &mut Producer<u32>) -> Vec<Done<u32>> {
    core::iter::from_fn(|| producer.next_done()).collect()
}

fn delivered(producer: &mut Producer<u32>) -> usize {
    results(producer).iter().filter(|done| done.outcome.is_delivered()).count()
}

#[test]
fn a_call_that_is_never_answered_is_sent_again() {
    let mut producer = one_shard();
    add(&mut producer, "a", "1", ms(0));
    let dropped = put(&mut producer, ms(100));
    add(&mut producer, "a", "2", ms(100));
    assert_eq!(producer.poll(ms(1000)), Action::Idle, "the shard waits for the answer");
    assert_eq!((producer.outstanding(), producer.oldest()), (2, Some(ms(0))));
    let deadline = producer.next_deadline().unwrap();
    assert_eq!(deadline, ms(100) + ProducerConfig::default().call_timeout);
    assert_eq!(producer.poll(deadline), Action::Idle, "it backs off");
    let deadline = producer.next_deadline().unwrap();
    let again = put(&mut producer, deadline);
    assert_eq!(sent(&producer, again), ["1", "2"]);
    stored(&mut producer, again, "shardId-000000000000", ms(60_000));
    stored_late(&mut producer, dropped);
    let results = results(&mut producer);
    let duplicates: Vec<bool> = results
        .iter()
        .map(|done| matches!(done.outcome, Outcome::Delivered { possible_duplicate: true, .. }))
        .collect();
    assert_eq!(duplicates, [true, false]);
    assert_eq!(results[0].attempts.count(), 2);
    assert_eq!(&*results[0].attempts.last_error().unwrap().code, "timeout");
}

fn stored_late(producer: &mut Producer<u32>, id: CallId) {
    assert_eq!(producer.call(id), None);
    let answer = [EntryAnswer::Stored { shard: "shardId-000000000000", sequence_number: "1" }];
    producer.on_put(id, PutAnswer::Entries(&answer), ms(60_000));
    assert_eq!(producer.stats().stale_answers, 1);
}

#[test]
fn a_time_to_live_keeps_back_off_and_order() {
    let mut config = ProducerConfig::default();
    config.ttl = Some(Duration::from_secs(30));
    let mut producer = started(config, map(&shards(1, 0)));
    add(&mut producer, "a", "1", ms(0));
    let (mut now, mut calls) = (ms(0), 0);
    while now < ms(1000) {
        match producer.poll(now) {
            Action::Put(id) => {
                calls += 1;
                now += ms(5);
                failed(&mut producer, id, FailureKind::Transient, now);
            }
            _ => now = producer.next_deadline().unwrap(),
        }
    }
    assert!((2..=7).contains(&calls), "{calls} calls in an outage of a second");
    add(&mut producer, "a", "2", ms(11_000));
    let id = put(&mut producer, ms(12_000));
    assert_eq!(sent(&producer, id), ["1", "2"], "what failed goes before what was added later");
    failed(&mut producer, id, FailureKind::Transient, ms(30_500));
    let expired = results(&mut producer);
    assert!(
        matches!(expired[..], [Done { outcome: Outcome::Expired { possibly_delivered: false }, .. }]),
        "{expired:?}"
    );
    let id = put(&mut producer, ms(40_000));
    assert_eq!(sent(&producer, id), ["2"]);
}

#[test]
fn a_time_to_live_keeps_the_back_off_of_a_throttled_shard() {
    let two = shards(2, 0);
    let keys = keys_of(&two);
    let mut config = ProducerConfig::default();
    config.ttl = Some(Duration::from_secs(30));
    config.limits = Limits::default().with_max_user_records(1);
    config.linger = ms(0);
    let mut producer = started(config, map(&two));
    for number in 0..10 {
        add(&mut producer, &keys[0], &number.to_string(), ms(0));
    }
    add(&mut producer, &keys[1], "other", ms(0));
    let throttled = EntryAnswer::Failed { code: "ProvisionedThroughputExceededException", message: "" };
    let mut now = ms(0);
    while now < ms(1000) {
        match producer.poll(now) {
            Action::Put(id) => {
                let answers = vec![throttled; producer.call(id).unwrap().entries.len()];
                producer.on_put(id, PutAnswer::Entries(&answers), now);
            }
            _ => now = producer.next_deadline().unwrap(),
        }
    }
    let sent = producer.stats().entries_sent;
    assert!((22..=77).contains(&sent), "{sent} entries sent in a second, 11 at a time");
    assert_eq!((producer.outstanding(), producer.stats().expired), (11, 0));
}

#[test]
fn a_reshard_keeps_the_order_of_a_key() {
    let mut producer = one_shard();
    add(&mut producer, "device-7", "r0", ms(0));
    let first = put(&mut producer, ms(100));
    add(&mut producer, "device-7", "r1", ms(150));
    // An unknown shard took r0: the stream was split.
    let two = map(&shards(2, 1));
    stored_by(&mut producer, first, &two, ms(200));
    let listing = list(&mut producer, ms(1200));
    add(&mut producer, "device-7", "r2", ms(1210));
    producer.on_shards(listing, Ok(two.clone()), ms(1220));
    add(&mut producer, "device-7", "r3", ms(1230));
    let mut order = Vec::new();
    let mut now = ms(1240);
    while producer.outstanding() > 0 {
        match producer.poll(now) {
            Action::Put(id) => {
                order.extend(sent(&producer, id));
                stored_by(&mut producer, id, &two, now);
            }
            _ => now = producer.next_deadline().unwrap().max(now),
        }
    }
    assert_eq!(order, ["r1", "r2", "r3"]);
    assert_eq!(delivered(&mut producer), 4);
}

#[test]
fn a_merge_keeps_the_order_of_a_key() {
    let two = shards(2, 0);
    let keys = keys_of(&two);
    let mut producer = started(ProducerConfig::default(), map(&two));
    // The upper shard's call fails, and its record waits when both shards are merged.
    add(&mut producer, &keys[1], "r1", ms(0));
    let id = put(&mut producer, ms(100));
    failed(&mut producer, id, FailureKind::Transient, ms(110));
    add(&mut producer, &keys[1], "r2", ms(120));
    let merged = map(&shards(1, 2));
    // The lower shard's record shows the merge.
    add(&mut producer, &keys[0], "low", ms(120));
    let mut order = Vec::new();
    let mut now = ms(120);
    while producer.outstanding() > 0 {
        match producer.poll(now) {
            Action::Put(id) => {
                order.extend(sent(&producer, id).into_iter().filter(|data| data.starts_with('r')));
                stored_by(&mut producer, id, &merged, now);
            }
            Action::ListShards(id) => {
                add(&mut producer, &keys[1], "r3", now);
                producer.on_shards(id, Ok(merged.clone()), now);
            }
            Action::Idle | Action::Finished => now = producer.next_deadline().unwrap().max(now),
        }
    }
    order.dedup();
    assert_eq!(order, ["r1", "r2", "r3"]);
    assert_eq!(delivered(&mut producer), 4);
}

/// Rule P11.
#[test]
fn a_step_of_routing_again_handles_at_most_4_mib() {
    const RECORDS: u64 = 12_000;
    let mut config = ProducerConfig::default();
    config.linger = Duration::from_secs(3600);
    let mut producer = started(config, map(&shards(1, 0)));
    add(&mut producer, "device-7", "first", ms(0));
    producer.flush(ms(0));
    let first = put(&mut producer, ms(0));
    let data = "d".repeat(1000);
    for number in 0..RECORDS {
        add(&mut producer, &format!("device-{}", number % 64), &data, ms(1));
    }
    let two = map(&shards(2, 1));
    stored_by(&mut producer, first, &two, ms(2));
    let listing = list(&mut producer, ms(1200));
    producer.on_shards(listing, Ok(two), ms(1200));
    add(&mut producer, "device-7", "last", ms(1200));
    let mut steps = 0;
    while producer.next_deadline() == Some(ms(1200)) && producer.stats().rerouted < RECORDS {
        let before = producer.stats().rerouted;
        assert_ne!(producer.poll(ms(1200)), Action::Finished);
        let records = producer.stats().rerouted - before;
        assert!((1..=4 * 1024 * 1024 / 1000).contains(&records), "{records} records in a step");
        steps += 1;
    }
    assert_eq!((producer.stats().rerouted, steps), (RECORDS, 3));
}

#[test]
fn children_wait_for_calls_in_flight_to_their_parent() {
    let mut producer = started(ProducerConfig::default(), map(&shards(2, 0)));
    let two = shards(2, 0);
    let owned_by = |shard: usize| {
        let owns = |key: &String| two[shard].1.contains(HashKey::of_partition_key(key));
        (0..).map(|number: u32| format!("key-{number}")).find(owns).unwrap()
    };
    let (a, b) = (owned_by(0), owned_by(1));
    add(&mut producer, &a, "r0", ms(0));
    let in_flight = put(&mut producer, ms(100));
    add(&mut producer, &a, "r1", ms(101));
    add(&mut producer, &b, "b0", ms(101));
    let other = put(&mut producer, ms(210));
    assert_eq!(sent(&producer, other), ["b0"]);
    // Shard 0 was split in two: 2 and 3. Shard 1 is closed by nobody, but another id took b0.
    let four = shards(4, 2);
    let upper = HashKeyRange::new(four[1].1.start(), two[0].1.end()).unwrap();
    let after = map(&[four[0].clone(), (four[1].0.clone(), upper), two[1].clone()]);
    stored(&mut producer, other, "shardId-000000000003", ms(220));
    let listing = list(&mut producer, ms(1300));
    producer.on_shards(listing, Ok(after.clone()), ms(1310));
    add(&mut producer, &a, "r2", ms(1320));
    let waiting = core::iter::from_fn(|| match producer.poll(ms(3000)) {
        Action::Put(id) => Some(sent(&producer, id)),
        _ => None,
    });
    let waiting: Vec<String> = waiting.take(3).flatten().collect();
    assert!(!waiting.iter().any(|data| data.starts_with('r')), "{waiting:?} overtakes r0");
    failed(&mut producer, in_flight, FailureKind::Unclear, ms(3010));
    let next = put(&mut producer, ms(10_000));
    assert_eq!(sent(&producer, next), ["r0", "r1", "r2"]);
}

#[test]
fn what_a_closed_shard_took_that_owned_it_is_delivered() {
    let (one, two, four) = (shards(1, 0), shards(2, 1), shards(4, 3));
    let parent = Some(one[0].0.as_str());
    // The children are listed, and the parent still takes records.
    let listing = [
        Shard::new(&one[0].0, one[0].1),
        Shard::new(&two[0].0, two[0].1).with_parents(parent, None),
        Shard::new(&two[1].0, two[1].1).with_parents(parent, None),
    ];
    let mut producer = started(ProducerConfig::default(), ShardMap::new(listing).unwrap());
    add(&mut producer, "device-7", "x", ms(0));
    let id = put(&mut producer, ms(100));
    stored(&mut producer, id, &one[0].0, ms(110));
    assert_eq!((delivered(&mut producer), producer.poll(ms(5000))), (1, Action::Idle), "and no listing");

    // Two reshards between routing and the answer: sent for 0, taken by 1, which is closed since.
    let mut producer = one_shard();
    let low = UserRecord::new("device-7", "x").with_explicit_hash_key("5");
    producer.add(low, 0, ms(0)).unwrap();
    let id = put(&mut producer, ms(100));
    stored(&mut producer, id, &two[0].0, ms(110));
    let first = Some(two[0].0.as_str());
    let now = [
        Shard::new(&one[0].0, one[0].1).closed(),
        Shard::new(&two[0].0, two[0].1).with_parents(parent, None).closed(),
        Shard::new(&two[1].0, two[1].1).with_parents(parent, None),
        Shard::new(&four[0].0, four[0].1).with_parents(first, None),
        Shard::new(&four[1].0, HashKeyRange::new(four[1].1.start(), two[0].1.end()).unwrap())
            .with_parents(first, None),
    ];
    let listing = list(&mut producer, ms(2000));
    producer.on_shards(listing, Ok(ShardMap::new(now).unwrap()), ms(2010));
    assert_eq!((delivered(&mut producer), producer.poll(ms(5000))), (1, Action::Idle));
}

#[test]
fn one_reshard_takes_one_listing() {
    let mut config = ProducerConfig::default();
    config.limits = Limits::default().with_max_user_records(1);
    config.max_calls = 1;
    config.shard_rate = 1_000_000;
    let mut producer = started(config, map(&shards(1, 0)));
    for number in 0..2000 {
        add(&mut producer, &format!("k{number}"), "x", ms(0));
    }
    let two = map(&shards(2, 1));
    let mut now = ms(100);
    while producer.outstanding() > 0 {
        match producer.poll(now) {
            Action::Put(id) => {
                now += ms(5);
                stored_by(&mut producer, id, &two, now);
            }
            Action::ListShards(id) => producer.on_shards(id, Ok(two.clone()), now),
            _ => now = producer.next_deadline().unwrap().max(now),
        }
    }
    assert_eq!(delivered(&mut producer), 2000);
    assert_eq!(producer.stats().listings, 2, "one at the start, one after the reshard");
}

#[test]
fn a_listing_that_fails_loses_nothing() {
    let mut producer = one_shard();
    for number in 0..1000 {
        add(&mut producer, &format!("device-{number}"), "x", ms(0));
    }
    let two = map(&shards(2, 1));
    let (mut now, mut listings) = (ms(100), 0);
    while producer.outstanding() > 0 {
        match producer.poll(now) {
            Action::Put(id) => stored_by(&mut producer, id, &two, now),
            Action::ListShards(id) => {
                listings += 1;
                let answer = match listings {
                    1 => Err(ListFailed),
                    // In the middle of a reshard: one of the children is not there yet.
                    2 => ShardMap::new([
                        Shard::new("shardId-000000000000", HashKeyRange::ALL).closed(),
                        Shard::new("shardId-000000000001", shards(2, 1)[0].1),
                    ])
                    .map_err(|_| ListFailed),
                    _ => Ok(two.clone()),
                };
                producer.on_shards(id, answer, now);
            }
            _ => now = producer.next_deadline().unwrap().max(now),
        }
    }
    let stats = producer.stats();
    assert_eq!((stats.delivered, stats.failed_listings, stats.misplaced), (1000, 2, 1000));
    assert_eq!(delivered(&mut producer), 1000);
}

#[test]
fn a_stream_that_was_replaced_is_noticed() {
    // Ids begin at 0 again, with other ranges.
    let (old, new) = (map(&shards(3, 0)), map(&shards(4, 0)));
    let third = u128::MAX / 3;
    let keys = [third + 10, 2 * third - 10].map(|key| key.to_string());
    let add_both = |producer: &mut Producer<u32>, now| {
        for key in &keys {
            producer.add(UserRecord::new("p", "x").with_explicit_hash_key(key), 0, now).unwrap();
        }
    };
    // While the stream was gone, a call failed.
    let mut producer = started(ProducerConfig::default(), old.clone());
    add_both(&mut producer, ms(0));
    let id = put(&mut producer, ms(100));
    let gone = CallFailure { kind: FailureKind::Denied, code: "ResourceNotFoundException", message: "" };
    producer.on_put(id, PutAnswer::Failed(gone), ms(110));
    let listing = list(&mut producer, ms(5000));
    assert_eq!(producer.poll(ms(9000)), Action::Idle, "nothing is sent before the shards are known");
    producer.on_shards(listing, Ok(new.clone()), ms(9010));
    assert_eq!(producer.stats().stream_replaced, 1);
    let id = put(&mut producer, ms(20_000));
    let call = producer.call(id).unwrap();
    for entry in &call.entries {
        let shard = new.shard_for(entry.explicit_hash_key.unwrap());
        assert!(deaggregate(entry.data).all(|user| shard.range().contains(user.hash_key().unwrap())));
    }
    stored_by(&mut producer, id, &new, ms(20_010));
    assert_eq!(delivered(&mut producer), 2);

    // What the new stream takes before its shards are known is not delivered yet.
    let mut config = ProducerConfig::default();
    config.max_call_entries = 1;
    let mut producer = started(config, old.clone());
    producer.add(UserRecord::new("p", "x").with_explicit_hash_key("5"), 0, ms(0)).unwrap();
    add_both(&mut producer, ms(0));
    let (first, second) = (put(&mut producer, ms(100)), put(&mut producer, ms(100)));
    producer.on_put(first, PutAnswer::Failed(gone), ms(110));
    stored(&mut producer, second, "shardId-000000000001", ms(120));
    assert_eq!(delivered(&mut producer), 0, "shard 1 of the new stream does not own both");
    let listing = list(&mut producer, ms(5000));
    producer.on_shards(listing, Ok(new.clone()), ms(5010));
    assert_eq!((delivered(&mut producer), producer.stats().misplaced), (0, 2));

    // An answer contradicts the map.
    let mut producer = started(ProducerConfig::default(), old);
    add_both(&mut producer, ms(0));
    producer.add(UserRecord::new("p", "x").with_explicit_hash_key("5"), 0, ms(0)).unwrap();
    let id = put(&mut producer, ms(100));
    stored(&mut producer, id, "shardId-000000000002", ms(110));
    assert_eq!(results(&mut producer).len(), 0, "nothing is known before the shards are");
    let listing = list(&mut producer, ms(5000));
    producer.on_shards(listing, Ok(new), ms(5010));
    assert_eq!(producer.stats().stream_replaced, 1);
}

#[test]
fn extreme_durations_are_no_deadline() {
    let mut config = ProducerConfig::default();
    config.linger = Duration::MAX;
    config.ttl = Some(Duration::MAX);
    config.call_timeout = Duration::MAX;
    let mut producer = started(config, map(&shards(1, 0)));
    add(&mut producer, "k", "x", ms(5));
    assert_eq!((producer.poll(ms(10)), producer.next_deadline()), (Action::Idle, None));
    producer.flush(ms(20));
    let id = put(&mut producer, ms(20));
    assert_eq!(producer.next_deadline(), None);
    stored(&mut producer, id, "shardId-000000000000", ms(30));
    assert_eq!(delivered(&mut producer), 1);
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    let mut producer = one_shard();
    add(&mut producer, "k", "x", ms(1000));
    add(&mut producer, "k", "y", ms(0));
    assert_eq!(producer.next_deadline(), Some(ms(1100)));
    assert_eq!(producer.poll(ms(1099)), Action::Idle);
    let id = put(&mut producer, ms(1100));
    assert_eq!(sent(&producer, id), ["x", "y"]);
}

#[test]
fn a_full_aggregate_is_finished() {
    let mut config = ProducerConfig::default();
    config.limits = Limits::default().with_max_user_records(3);
    let mut producer = started(config, map(&shards(1, 0)));
    for number in 0..3 {
        add(&mut producer, "k", &number.to_string(), ms(0));
    }
    let id = put(&mut producer, ms(100));
    add(&mut producer, "k", "3", ms(100));
    assert_eq!(sent(&producer, id), ["0", "1", "2"]);
}

#[test]
fn a_record_that_fits_no_aggregate_is_sent_plain_and_in_order() {
    for routing in [Routing::ByShard, Routing::ByKey] {
        let mut config = ProducerConfig::default();
        config.routing = routing;
        config.shard_rate = 100_000;
        let mut producer: Producer<u32> = Producer::new(config).unwrap();
        let big = "x".repeat(1_048_575);
        add(&mut producer, "k", "r1", ms(0));
        add(&mut producer, "k", &big, ms(0));
        add(&mut producer, "k", "r2", ms(0));
        let with_explicit = UserRecord::new("k", &big).with_explicit_hash_key("5");
        let refused = producer.add(with_explicit, 9, ms(0)).unwrap_err();
        assert!(matches!(refused.reason, NotAdded::Invalid(_)) && refused.receipt == 9, "{refused}");
        if let Action::ListShards(id) = producer.poll(ms(0)) {
            producer.on_shards(id, Ok(map(&shards(1, 0))), ms(0));
        }
        let mut order = Vec::new();
        let mut now = ms(100);
        while producer.outstanding() > 0 {
            match producer.poll(now) {
                Action::Put(id) => {
                    order.extend(sent(&producer, id).iter().map(String::len));
                    stored(&mut producer, id, "shardId-000000000000", now);
                }
                _ => now = producer.next_deadline().unwrap().max(now),
            }
        }
        assert_eq!(order, [2, 1_048_575, 2], "{routing:?}");
        let results = results(&mut producer);
        assert_eq!(results.len(), 3);
        assert!(matches!(results[1].outcome, Outcome::Delivered { sub_sequence_number: 0, .. }));
    }
}

#[test]
fn answers_that_are_too_long_too_short_or_repeated_settle_nothing_twice() {
    let mut producer = one_shard();
    add(&mut producer, "k", "x", ms(0));
    let id = put(&mut producer, ms(100));
    let stored = EntryAnswer::Stored { shard: "shardId-000000000000", sequence_number: "1" };
    producer.on_put(id, PutAnswer::Entries(&[stored; 3]), ms(110));
    producer.on_put(id, PutAnswer::Entries(&[stored]), ms(120));
    assert_eq!((delivered(&mut producer), producer.stats().stale_answers), (1, 3));

    add(&mut producer, "k", "y", ms(200));
    let id = put(&mut producer, ms(300));
    producer.on_put(id, PutAnswer::Entries(&[]), ms(310));
    assert_eq!(results(&mut producer).len(), 0);
    let again = put(&mut producer, ms(10_000));
    assert_eq!(sent(&producer, again), ["y"]);
    let listing = ListId::clone(&{
        producer.on_shards(stale_listing(), Err(ListFailed), ms(10_000));
        stale_listing()
    });
    assert_eq!((producer.stats().stale_answers, producer.stats().failed_listings), (4, 0), "{listing:?}");
}

/// The listing of another producer.
fn stale_listing() -> ListId {
    let mut other: Producer<u32> = Producer::new(ProducerConfig::default()).unwrap();
    list(&mut other, ms(0))
}

#[test]
fn misplaced_records_count_once() {
    let two = shards(2, 0);
    let mut producer = started(ProducerConfig::default(), map(&two));
    producer.add(UserRecord::new("k", "r").with_explicit_hash_key("5"), 0, ms(0)).unwrap();
    let id = put(&mut producer, ms(100));
    // The map says that shard 1 does not own it: the shards are listed, and then it is sent again.
    stored(&mut producer, id, &two[1].0, ms(110));
    let listing = list(&mut producer, ms(2000));
    producer.on_shards(listing, Ok(map(&two)), ms(2010));
    assert_eq!(producer.stats().misplaced, 1);
    let id = put(&mut producer, ms(3000));
    stored(&mut producer, id, &two[0].0, ms(3010));
    let results = results(&mut producer);
    assert!(matches!(
        results[..],
        [Done { outcome: Outcome::Delivered { possible_duplicate: true, .. }, .. }]
    ));
}

#[test]
fn a_poison_record_is_found_and_the_others_are_delivered() {
    let mut config = ProducerConfig::default();
    config.limits = Limits::default().with_max_user_records(5);
    let mut producer = started(config, map(&shards(1, 0)));
    for number in 0..40 {
        let data = if number == 23 { "poison".to_owned() } else { number.to_string() };
        producer.add(UserRecord::new("k", &data), number, ms(0)).unwrap();
    }
    let (mut now, mut order) = (ms(100), Vec::new());
    while producer.outstanding() > 0 {
        match producer.poll(now) {
            Action::Put(id) => {
                let data = sent(&producer, id);
                if data.iter().any(|data| data == "poison") {
                    failed(&mut producer, id, FailureKind::Rejected, now);
                } else {
                    order.extend(data);
                    stored(&mut producer, id, "shardId-000000000000", now);
                }
            }
            _ => now = producer.next_deadline().unwrap().max(now),
        }
    }
    let expected: Vec<String> =
        (0..40).filter(|&number| number != 23).map(|number| number.to_string()).collect();
    assert_eq!(order, expected);
    let refused: Vec<u32> = results(&mut producer)
        .into_iter()
        .filter(|done| matches!(done.outcome, Outcome::Refused { .. }))
        .map(|done| done.receipt)
        .collect();
    assert_eq!(refused, [23]);
}

#[test]
fn records_without_a_key_fill_one_aggregate_after_the_other() {
    let mut config = ProducerConfig::default();
    config.limits = Limits::default().with_max_user_records(10);
    let mut producer = started(config, map(&shards(8, 0)));
    for number in 0..400 {
        producer.add(UserRecord::without_key(b"data"), number, ms(0)).unwrap();
    }
    producer.flush(ms(1));
    let eight = map(&shards(8, 0));
    let (mut entries, mut by_shard) = (0, BTreeMap::<String, usize>::new());
    while let Action::Put(id) = producer.poll(ms(1)) {
        for entry in producer.call(id).unwrap().entries {
            entries += 1;
            let shard = eight.shard_for(entry.explicit_hash_key.unwrap());
            *by_shard.entry(shard.id().to_owned()).or_default() += 1;
            let users: Vec<_> = deaggregate(entry.data).map(|user| user.partition_key.to_owned()).collect();
            assert_eq!(users, vec!["a".to_owned(); 10]);
            assert_eq!(entry.explicit_hash_key, Some(shard.range().start()));
        }
        stored_by(&mut producer, id, &eight, ms(1));
    }
    assert_eq!((entries, delivered(&mut producer)), (40, 400));
    assert!(by_shard.len() >= 6, "{by_shard:?}");
}

#[test]
fn what_is_outstanding_comes_back_with_its_receipt() {
    let mut producer = one_shard();
    add(&mut producer, "k", "in flight", ms(0));
    put(&mut producer, ms(100));
    let record = UserRecord::new("k", "queued").with_explicit_hash_key("7");
    producer.add(record, 7, ms(100)).unwrap();
    producer.add(UserRecord::without_key(b"no key"), 8, ms(100)).unwrap();
    let outstanding = producer.abandon();
    let shown: Vec<_> = outstanding
        .iter()
        .map(|out| {
            let data = String::from_utf8_lossy(&out.data);
            format!(
                "{} {} {:?} {data} {}",
                out.receipt, out.partition_key, out.explicit_hash_key, out.possibly_delivered
            )
        })
        .collect();
    assert_eq!(shown, ["0 k None in flight true", "7 k Some(\"7\") queued false", "8  None no key false"]);
    assert_eq!((producer.outstanding(), producer.stats().abandoned), (0, 3));
    let refused = producer.add(UserRecord::new("k", "late"), 9, ms(200)).unwrap_err();
    assert_eq!((refused.receipt, refused.reason), (9, NotAdded::Closed));
    assert_eq!((producer.poll(ms(200)), producer.abandon().len()), (Action::Finished, 0));
}

#[test]
fn a_producer_that_is_stopped_still_returns_the_results_it_has() {
    let mut producer = one_shard();
    add(&mut producer, "k", "delivered", ms(0));
    let id = put(&mut producer, ms(100));
    stored(&mut producer, id, "shardId-000000000000", ms(110));
    add(&mut producer, "k", "in flight", ms(110));
    let id = put(&mut producer, ms(300));
    assert_eq!(producer.abandon().len(), 1);
    failed(&mut producer, id, FailureKind::Unclear, ms(310));
    assert_eq!((delivered(&mut producer), producer.stats().stale_answers), (1, 1));
    assert_eq!((producer.poll(ms(310)), producer.used()), (Action::Finished, 0));
}

#[test]
fn a_closed_producer_without_records_lists_no_shards() {
    let mut producer: Producer<u32> = Producer::new(ProducerConfig::default()).unwrap();
    producer.close(ms(0));
    assert_eq!((producer.poll(ms(0)), producer.next_deadline()), (Action::Finished, None));
}

#[test]
fn a_stream_that_denies_entries_shows_as_stalled_and_loses_nothing() {
    for code in ["AccessDeniedException", "KMSDisabledException", "KMSAccessDeniedException"] {
        let config = ProducerConfig::default();
        let stalled_after = config.stalled_after;
        let mut producer = started(config, map(&shards(1, 0)));
        for number in 0..100 {
            add(&mut producer, &format!("device-{number}"), "x", ms(0));
        }
        let (mut now, mut first) = (ms(100), None);
        while !producer.stats().stalled {
            assert!(now < ms(100) + stalled_after * 2, "{code}: nobody is told");
            match producer.poll(now) {
                Action::Put(id) => {
                    let denied = EntryAnswer::Failed { code, message: "denied" };
                    let answers = vec![denied; producer.call(id).unwrap().entries.len()];
                    producer.on_put(id, PutAnswer::Entries(&answers), now);
                    first.get_or_insert(now);
                }
                _ => now = producer.next_deadline().unwrap(),
            }
        }
        let waited = now - first.unwrap();
        assert!((stalled_after..stalled_after + ms(5_000)).contains(&waited), "{code}: {waited:?}");
        assert_eq!((producer.outstanding(), results(&mut producer).len()), (100, 0), "{code}");
        // Somebody has fixed it.
        now += ms(10_000);
        let id = put(&mut producer, now);
        stored(&mut producer, id, "shardId-000000000000", now);
        assert_eq!((delivered(&mut producer), producer.stats().stalled), (100, false), "{code}");
    }
}

#[test]
fn records_without_a_key_fill_aggregates_up_to_their_size() {
    let mut producer = started(ProducerConfig::default(), map(&shards(8, 0)));
    let data = [b'x'; 1000];
    for number in 0..2_000 {
        producer.add(UserRecord::without_key(&data), number, ms(0)).unwrap();
    }
    producer.flush(ms(0));
    let (entries, by_shard) = keyless(&mut producer, &map(&shards(8, 0)), ms(0));
    // 50 records of 1,000 bytes fit an aggregate of 50 KiB.
    assert!((40..=48).contains(&entries), "{entries} aggregates");
    assert!(by_shard.len() >= 6 && by_shard.values().all(|&records| records <= 800), "{by_shard:?}");
}

#[test]
fn records_without_a_key_that_are_routed_again_fill_aggregates() {
    let mut config = ProducerConfig::default();
    config.limits = Limits::default().with_max_user_records(50);
    let mut producer = started(config, map(&shards(1, 0)));
    // One record with a key in each aggregate makes sure that no shard owns all of it after the split.
    for number in 0..1_000 {
        let record = match number % 50 {
            0 => UserRecord::new("k", "x").with_explicit_hash_key("340282366920938463463374607431768211455"),
            _ => UserRecord::without_key("x"),
        };
        producer.add(record, number, ms(0)).unwrap();
    }
    producer.flush(ms(0));
    let id = put(&mut producer, ms(0));
    assert_eq!(producer.call(id).unwrap().entries.len(), 20);
    let many = map(&shards(100, 1));
    stored(&mut producer, id, "shardId-000000000001", ms(10));
    let listing = list(&mut producer, ms(1_000));
    producer.on_shards(listing, Ok(many.clone()), ms(1_000));
    let (entries, by_shard) = keyless(&mut producer, &many, ms(1_000));
    assert_eq!((producer.stats().misplaced, producer.stats().rerouted), (1_000, 1_000));
    assert!((20..=21).contains(&entries), "980 records without a key in {entries} aggregates of up to 50");
    assert!(by_shard.len() >= 15, "{by_shard:?}");
}

/// Reports the results of all calls as the shards of `map` would; counts the entries with records without a key, and those records by shard.
fn keyless(
    producer: &mut Producer<u32>,
    map: &ShardMap,
    mut now: Duration,
) -> (usize, BTreeMap<String, usize>) {
    let (mut entries, mut by_shard) = (0, BTreeMap::new());
    while producer.outstanding() > 0 {
        match producer.poll(now) {
            Action::Put(id) => {
                for entry in producer.call(id).unwrap().entries {
                    let records = deaggregate(entry.data).filter(|user| user.partition_key == "a").count();
                    let shard = map.shard_for(entry.explicit_hash_key.unwrap()).id().to_owned();
                    entries += usize::from(records > 0);
                    *by_shard.entry(shard).or_default() += records;
                }
                stored_by(producer, id, map, now);
            }
            _ => now = producer.next_deadline().unwrap().max(now),
        }
    }
    by_shard.retain(|_, records| *records > 0);
    (entries, by_shard)
}

#[test]
fn capacity_comes_back_when_a_fifth_of_the_budget_is_free() {
    let mut config = ProducerConfig::default();
    config.budget = 1 << 20;
    config.limits = Limits::KPL;
    config.max_call_entries = 1;
    let mut producer = started(config, map(&shards(1, 0)));
    let data = "x".repeat(10_000);
    let mut added = 0;
    while producer.add(UserRecord::new("k", &data), added, ms(0)).is_ok() {
        added += 1;
    }
    assert!(!producer.has_capacity());
    assert!((80..=110).contains(&added), "{added} records of 10 kB in a budget of 1 MiB");
    let refused = producer.add(UserRecord::new("k", &data), 1000, ms(0)).unwrap_err();
    assert_eq!((refused.receipt, refused.reason), (1000, NotAdded::NoCapacity));
    let huge = "x".repeat(2 << 20);
    let refused = producer.add(UserRecord::new("k", &huge), 1001, ms(0)).unwrap_err();
    assert_eq!(refused.reason, NotAdded::AboveBudget);
    let mut now = ms(100);
    while !producer.has_capacity() {
        let id = put(&mut producer, now);
        stored(&mut producer, id, "shardId-000000000000", now);
        assert!(producer.used() > 0, "results count until they are fetched");
        delivered(&mut producer);
        now += ms(1000);
    }
    assert!(producer.used() < (1 << 20) / 5 * 4);
    assert!(producer.used() > (1 << 20) / 2, "it came back as soon as it could");
}

/// Partition keys of the shards of a map, one each.
fn keys_of(shards: &[(String, HashKeyRange)]) -> Vec<String> {
    let key_of = |range: &HashKeyRange| {
        (0..)
            .map(|number: u32| format!("key-{number}"))
            .find(|key| range.contains(HashKey::of_partition_key(key)))
            .unwrap()
    };
    shards.iter().map(|(_, range)| key_of(range)).collect()
}

#[test]
fn the_second_half_of_a_rejected_call_waits_for_the_first() {
    let mut config = ProducerConfig::default();
    config.limits = Limits::default().with_max_user_records(1);
    let mut producer = started(config, map(&shards(1, 0)));
    for data in ["1", "2", "3", "4"] {
        add(&mut producer, "k", data, ms(0));
    }
    let id = put(&mut producer, ms(100));
    failed(&mut producer, id, FailureKind::Rejected, ms(110));
    let half = put(&mut producer, ms(110));
    assert_eq!(sent(&producer, half), ["1", "2"]);
    assert_eq!(producer.poll(ms(120)), Action::Idle);
    failed(&mut producer, half, FailureKind::Transient, ms(130));
    let id = put(&mut producer, ms(1000));
    assert_eq!(sent(&producer, id), ["1", "2", "3", "4"], "what was not sent does not overtake");
}

#[test]
fn a_call_takes_a_share_of_each_shard() {
    let two = shards(2, 0);
    let keys = keys_of(&two);
    let mut config = ProducerConfig::default();
    config.limits = Limits::default().with_max_bytes(50_000);
    config.max_call_bytes = 1 << 20;
    let mut producer = started(config, map(&two));
    for _ in 0..200 {
        add(&mut producer, &keys[0], &"x".repeat(10_000), ms(0));
    }
    add(&mut producer, &keys[1], "y", ms(1));
    let id = put(&mut producer, ms(101));
    let of_shard = |shard: usize| {
        let call = producer.call(id).unwrap();
        let entries =
            call.entries.iter().filter(|entry| two[shard].1.contains(entry.explicit_hash_key.unwrap()));
        entries.map(|entry| entry.data.len()).sum::<usize>()
    };
    assert!((200 * 1024..=256 * 1024).contains(&of_shard(0)), "{}", of_shard(0));
    assert!(of_shard(1) > 0, "the backlog of one shard does not hold up the other");
}

#[test]
fn a_lost_call_says_nothing_about_the_connection_if_a_later_one_was_answered() {
    let two = shards(2, 0);
    let keys = keys_of(&two);
    let mut producer = started(ProducerConfig::default(), map(&two));
    add(&mut producer, &keys[0], "lost", ms(0));
    put(&mut producer, ms(100));
    add(&mut producer, &keys[1], "answered", ms(100));
    let id = put(&mut producer, ms(200));
    stored_by(&mut producer, id, &map(&two), ms(300));
    let deadline = ms(100) + ProducerConfig::default().call_timeout;
    add(&mut producer, &keys[1], "next", deadline - ms(100));
    let id = put(&mut producer, deadline);
    assert_eq!(sent(&producer, id), ["lost", "next"], "without a back-off");
}

#[test]
fn ranges_of_shards_that_are_listed_no_more_are_remembered() {
    let (two, keys) = (shards(2, 0), keys_of(&shards(2, 0)));
    let mut producer = started(ProducerConfig::default(), map(&two));
    add(&mut producer, &keys[0], "in flight", ms(0));
    let in_flight = put(&mut producer, ms(100));
    add(&mut producer, &keys[1], "x", ms(100));
    let id = put(&mut producer, ms(200));
    stored(&mut producer, id, "shardId-000000000004", ms(210));
    let listing = list(&mut producer, ms(2000));
    producer.on_shards(listing, Ok(map(&shards(4, 2))), ms(2010));
    _ = delivered(&mut producer);
    stored(&mut producer, in_flight, &two[0].0, ms(2020));
    assert_eq!(delivered(&mut producer), 1, "shard 0 owned it, and is not in the map any more");
}

#[test]
fn listings_keep_a_distance() {
    let mut producer = one_shard();
    let mut now = ms(0);
    for shard in 1..4 {
        // Within a second of the last listing, a shard that is not known takes something.
        add(&mut producer, "k", "x", now);
        let id = put(&mut producer, now + ms(100));
        stored(&mut producer, id, &format!("shardId-{shard:012}"), now + ms(110));
        now += ProducerConfig::default().list_interval;
        assert_eq!((producer.poll(now - ms(1)), producer.next_deadline()), (Action::Idle, Some(now)));
        let listing = list(&mut producer, now);
        producer.on_shards(listing, Ok(map(&shards(1, shard))), now);
        assert_eq!(delivered(&mut producer), 1);
    }
}

#[test]
fn what_failed_before_a_reshard_goes_to_the_right_child() {
    let three = shards(3, 0);
    let keys = keys_of(&three);
    let mut config = ProducerConfig::default();
    config.max_call_entries = 1;
    let mut producer = started(config, map(&three));
    for (key, data) in keys.iter().zip(["failed", "in flight", "taken"]) {
        add(&mut producer, key, data, ms(0));
    }
    let calls = [(); 3].map(|()| put(&mut producer, ms(100)));
    assert_eq!(sent(&producer, calls[0]), ["failed"]);
    let throttled = EntryAnswer::Failed { code: "ProvisionedThroughputExceededException", message: "" };
    producer.on_put(calls[0], PutAnswer::Entries(&[throttled]), ms(110));
    stored(&mut producer, calls[2], "shardId-000000000008", ms(110));
    // All shards are split before it is sent again. Those of the second one wait for the call in flight.
    let listing = list(&mut producer, ms(1000));
    producer.on_shards(listing, Ok(map(&shards(6, 3))), ms(1010));
    let id = put(&mut producer, ms(2000));
    assert_eq!(sent(&producer, id), ["failed"]);
    assert_eq!(producer.stats().rerouted, 1);
}

#[test]
fn back_off_grows_while_the_stream_accepts_nothing() {
    let mut producer = one_shard();
    add(&mut producer, "k", "x", ms(0));
    let (mut now, mut calls) = (ms(100), 0);
    while now < ms(60_000) {
        match producer.poll(now) {
            Action::Put(id) => {
                calls += 1;
                // Without an answer, or because of the key that encrypts the stream.
                let key = EntryAnswer::Failed { code: "KMSDisabledException", message: "" };
                let answers = [key];
                producer.on_put(id, PutAnswer::Entries(if calls > 12 { &[] } else { &answers }), now);
            }
            _ => now = producer.next_deadline().unwrap(),
        }
    }
    assert!((14..=40).contains(&calls), "{calls} calls in a minute");
}

#[test]
fn records_without_a_key_keep_their_tags_and_their_size() {
    let mut config = ProducerConfig::default();
    config.limits = Limits::default().with_max_bytes(1_000);
    let mut producer = Producer::new(config).unwrap();
    let tags = [RecordTag { key: "tag", value: Some("value") }];
    producer.add(UserRecord::without_key("tagged").with_tags(&tags), 0, ms(0)).unwrap();
    // Fits an aggregate only with an explicit hash key as short as that of the first shard.
    let long = "x".repeat(1_000 - 45);
    producer.add(UserRecord::without_key(&long), 1, ms(0)).unwrap();
    let listing = list(&mut producer, ms(0));
    let two = shards(2, 0);
    producer.on_shards(listing, Ok(map(&two)), ms(0));
    let mut tagged = 0;
    for round in 1..20 {
        let id = put(&mut producer, ms(round * 10_000));
        let users = producer.call(id).unwrap().entries;
        tagged += users
            .iter()
            .flat_map(|entry| deaggregate(entry.data))
            .filter(|user| user.tags.len() == 1)
            .count();
        if round % 2 == 1 {
            producer.on_put(id, PutAnswer::Entries(&[]), ms(round * 10_000 + 1));
            continue;
        }
        // It is routed anew each time: shards that nobody knows take it.
        stored(&mut producer, id, "shardId-000000009999", ms(round * 10_000 + 1));
        let listing = list(&mut producer, ms(round * 10_000 + 2_000));
        producer.on_shards(listing, Ok(map(&two)), ms(round * 10_000 + 2_000));
    }
    assert!(tagged > 0);
    assert_eq!((producer.outstanding(), producer.stats().refused), (2, 0));
    let outstanding = producer.abandon();
    assert!(outstanding.iter().any(|record| record.tags.len() == 1 && record.data == b"tagged"));
}
