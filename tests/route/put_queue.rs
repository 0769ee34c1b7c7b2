//! `PutQueue`: whatever the outcomes are, nothing is lost, nothing that was delivered is sent again, calls stay within
//! their limits, shards keep their order and are served round-robin.

use core::time::Duration;

use kinesis_aggregation::route::{
    HashKey, HashKeyRange, Placement, PutEntry, PutOutcome, PutQueue, PutRequest, Shard,
};
use kinesis_aggregation::{AggregationManager, Limits, RecordAggregator, ShardMap, UserRecord};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::put_queue_steps::{DELIVERED, Entry, Step, check, entry, millis};

fn numbers(request: &PutRequest<Entry>) -> Vec<usize> {
    request.entries().map(|entry| entry.number).collect()
}

#[test]
fn a_call_has_500_entries_and_5_mebibytes() {
    const MIB: usize = 1024 * 1024;
    let rows: [(&str, PutQueue<Entry>, usize, usize, usize); 8] = [
        ("small ones", PutQueue::new(), 501, 10, 500),
        ("5 of 1 MiB", PutQueue::new(), 6, MIB, 5),
        ("a byte more", PutQueue::new(), 6, MIB + 1, 4),
        ("10 MiB", PutQueue::new().with_max_request_bytes(10 * MIB), 11, MIB, 10),
        ("never more", PutQueue::new().with_max_request_bytes(usize::MAX), 11, MIB, 10),
        ("never more entries", PutQueue::new().with_max_entries(501), 501, 10, 500),
        ("fewer entries", PutQueue::new().with_max_entries(0), 2, 10, 1),
        ("too large for any", PutQueue::new().with_max_request_bytes(9), 2, 10, 1),
    ];
    for (name, mut queue, count, size, expected) in rows {
        for number in 0..count {
            queue.push(entry(number, 1 + number % 4, size));
        }
        assert_eq!((queue.len(), queue.size_bytes()), (count, count * size), "{name}");
        let request = queue.next_request(Duration::ZERO).unwrap();
        assert_eq!((request.entries().len(), request.size_bytes()), (expected, expected * size), "{name}");
        assert_eq!((queue.len(), queue.in_flight()), (count - expected, expected), "{name}");
    }
}

#[test]
fn shards_are_served_round_robin() {
    let mut queue = PutQueue::new().with_max_entries(4);
    for number in 0..100 {
        queue.push(entry(number, 1, 10));
    }
    queue.extend([entry(200, 2, 10), entry(201, 2, 10), entry(300, 3, 10)]);
    let request = queue.next_request(Duration::ZERO).unwrap();
    assert_eq!(numbers(&request), [0, 200, 300, 1]);
    // All of them are in flight or empty.
    assert!(queue.next_request(Duration::ZERO).is_none());
    assert_eq!(queue.next_ready(), None);
    _ = queue.settle(request, [DELIVERED; 4], Duration::ZERO);
    // The second shard is next, as its second entry did not fit.
    assert_eq!(numbers(&queue.next_request(Duration::ZERO).unwrap()), [201, 2, 3, 4]);
}

#[test]
fn an_entry_too_large_for_the_rest_of_a_call_begins_the_next_one() {
    let mut queue = PutQueue::new().with_max_request_bytes(100);
    queue.extend([entry(0, 1, 30), entry(1, 2, 90), entry(2, 3, 30), entry(3, 2, 1), entry(4, 3, 30)]);
    let request = queue.next_request(Duration::ZERO).unwrap();
    // Not entry 3: it must not overtake.
    assert_eq!(numbers(&request), [0, 2, 4]);
    let other = queue.next_request(Duration::ZERO).unwrap();
    assert_eq!(numbers(&other), [1, 3]);

    // Of two, the first.
    let mut queue = PutQueue::new().with_max_request_bytes(100);
    queue.extend([entry(0, 1, 30), entry(1, 2, 80), entry(2, 3, 90)]);
    assert_eq!(numbers(&queue.next_request(Duration::ZERO).unwrap()), [0]);
    assert_eq!(numbers(&queue.next_request(Duration::ZERO).unwrap()), [1]);
    assert_eq!(numbers(&queue.next_request(Duration::ZERO).unwrap()), [2]);
}

#[test]
fn drained_entries_are_in_the_order_in_which_they_were_added() {
    let mut queue = PutQueue::new();
    let entries = [entry(0, 3, 10), entry(1, 1, 10), entry(2, 3, 10), entry(3, 0, 10)];
    queue.extend(entries.clone());
    assert_eq!(queue.drain(), entries);
}

#[test]
fn entries_that_were_not_delivered_are_sent_first() {
    let mut queue = PutQueue::new();
    queue.extend((0..6).map(|number| entry(number, 1, 10)));
    let request = queue.next_request(Duration::ZERO).unwrap();
    queue.push(entry(6, 1, 10));
    let answer = [DELIVERED, PutOutcome::Throttled, DELIVERED, PutOutcome::Failed, DELIVERED];
    let settled = queue.settle(request, answer, millis(1000));
    let delivered: Vec<usize> = settled.delivered.iter().map(|(entry, _)| entry.number).collect();
    assert_eq!((delivered, settled.throttled, settled.failed), (vec![0, 2, 4], 1, 2));
    assert_eq!(&*settled.delivered[0].1, "there");

    assert_eq!(queue.next_ready(), Some(millis(1100)));
    assert!(queue.next_request(millis(1099)).is_none());
    assert_eq!(numbers(&queue.next_request(millis(1100)).unwrap()), [1, 3, 5, 6]);
}

#[test]
fn backoff_doubles_until_something_is_delivered() {
    let mut queue = PutQueue::new().with_backoff(millis(10), millis(50));
    queue.extend([entry(0, 1, 10), entry(1, 1, 10)]);
    let mut now = Duration::ZERO;
    for (answer, rest) in [
        ([PutOutcome::Throttled; 2], 10),
        ([PutOutcome::Failed; 2], 20),
        ([PutOutcome::Throttled; 2], 40),
        ([PutOutcome::Throttled; 2], 50),
        ([DELIVERED, PutOutcome::Throttled], 10),
    ] {
        let request = queue.next_request(now).unwrap();
        _ = queue.settle(request, answer, now);
        now += millis(rest);
        assert_eq!(queue.next_ready(), Some(now));
        // Another shard is not held up.
        queue.push(entry(9, 2, 10));
        let other = queue.next_request(now - millis(1)).unwrap();
        assert_eq!(numbers(&other), [9]);
        _ = queue.settle(other, [DELIVERED], now);
    }
    let request = queue.next_request(now).unwrap();
    queue.retry(request, now);
    assert_eq!(queue.next_ready(), Some(now + millis(20)));
}

#[test]
fn calls_for_entries_without_a_shard_may_overlap() {
    let mut queue = PutQueue::new().with_max_entries(2);
    queue.extend((0..6).map(|number| entry(number, 0, 10)));
    let first = queue.next_request(Duration::ZERO).unwrap();
    let second = queue.next_request(Duration::ZERO).unwrap();
    queue.retry(second, Duration::ZERO);
    queue.retry(first, Duration::ZERO);
    assert_eq!(queue.next_ready(), Some(millis(200)));
    assert_eq!(queue.drain().iter().map(|entry| entry.number).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);

    // When an entry of a later call is delivered, the backoff is over.
    queue.extend((0..6).map(|number| entry(number, 0, 10)));
    let first = queue.next_request(Duration::ZERO).unwrap();
    let second = queue.next_request(Duration::ZERO).unwrap();
    queue.retry(first, Duration::ZERO);
    assert!(queue.next_request(Duration::ZERO).is_none());
    _ = queue.settle(second, [DELIVERED; 2], Duration::ZERO);
    assert_eq!(numbers(&queue.next_request(Duration::ZERO).unwrap()), [0, 1]);
}

#[test]
fn entries_of_an_abandoned_call_are_returned() {
    let mut queue = PutQueue::new();
    queue.extend([entry(0, 1, 10), entry(1, 1, 10)]);
    let request = queue.next_request(Duration::ZERO).unwrap();
    queue.push(entry(2, 1, 10));
    assert_eq!(queue.give_up(request), [entry(0, 1, 10), entry(1, 1, 10)]);
    assert_eq!(numbers(&queue.next_request(Duration::ZERO).unwrap()), [2]);
}

#[test]
fn debug_output_shows_counts() {
    let mut queue = PutQueue::new();
    queue.extend([entry(0, 1, 10), entry(1, 2, 5)]);
    let request = queue.next_request(Duration::ZERO).unwrap();
    queue.push(entry(2, 1, 7));
    assert_eq!(format!("{request:?}"), "PutRequest { entries: 2, size_bytes: 15, .. }");
    assert_eq!(format!("{queue:?}"), "PutQueue { queued: 1, queued_bytes: 7, in_flight: 2, .. }");
}

#[test]
fn aggregates_are_entries() {
    let mut aggregator = RecordAggregator::new(Limits::default());
    assert!(aggregator.add(UserRecord::new("device-7", "21.5")).unwrap().is_none());
    let aggregate = aggregator.finish().unwrap();
    let size = aggregate.size_bytes();
    assert_eq!(PutEntry::shard_id(&aggregate), None);
    let mut queue = PutQueue::new();
    assert!(queue.is_empty());
    queue.push(aggregate);
    assert_eq!(queue.size_bytes(), size);
    assert!(!queue.is_empty());
}

/// From the manager to a shard and back, with a call that was throttled and a shard that was another.
#[test]
fn routed_aggregates_are_entries() {
    let below = HashKeyRange::new(HashKey::MIN, HashKey::new((1 << 127) - 1)).unwrap();
    let above = HashKeyRange::new(HashKey::new(1 << 127), HashKey::MAX).unwrap();
    let map = ShardMap::new([Shard::new("below", below), Shard::new("above", above)]).unwrap();
    let mut manager = AggregationManager::by_shard(map, Limits::default());
    for hash_key in ["1", "170141183460469231731687303715884105728", "2"] {
        let record = UserRecord::new("device-7", "21.5").with_explicit_hash_key(hash_key);
        assert!(manager.add(record).unwrap().is_empty());
    }
    let mut queue = PutQueue::new();
    let mut finished = manager.flush();
    assert_eq!((&finished).into_iter().count(), 2);
    let size: usize = finished.iter().map(|routed| routed.aggregate.size_bytes()).sum();
    // Aggregates of several calls can be collected.
    finished.extend(manager.flush());
    let mut all = kinesis_aggregation::route::Aggregates::default();
    all.extend(finished);
    assert_eq!(all.len(), 2);
    queue.extend(all);
    assert_eq!(queue.size_bytes(), size);
    let request = queue.next_request(Duration::ZERO).unwrap();
    let shards: Vec<_> =
        request.entries().map(|aggregate| aggregate.shard_id.as_deref().unwrap().to_owned()).collect();
    assert_eq!((shards, request.size_bytes()), (vec!["above".to_owned(), "below".to_owned()], size));

    let answer = [PutOutcome::Throttled, PutOutcome::Delivered { shard_id: "above" }];
    let settled = queue.settle(request, answer, Duration::ZERO);
    let [(sent, shard_id)] = <[_; 1]>::try_from(settled.delivered).unwrap();
    let Placement::Misplaced(sent) = manager.confirm(sent, &shard_id) else { panic!("it is misplaced") };
    queue.extend(manager.requeue(sent).unwrap());
    queue.extend(manager.flush());
    // The shard that was throttled is backing off, the other one is not.
    let request = queue.next_request(Duration::ZERO).unwrap();
    assert_eq!(request.entries().map(|aggregate| aggregate.aggregate.user_records).collect::<Vec<_>>(), [2]);
    let settled = queue.settle(request, [PutOutcome::Delivered { shard_id: "below" }], Duration::ZERO);
    for (sent, shard_id) in settled.delivered {
        assert_eq!(manager.confirm(sent, &shard_id), Placement::Delivered);
    }
    assert_eq!((queue.len(), queue.in_flight()), (1, 0));
}

#[test]
fn outcomes_are_made_from_error_code_and_shard() {
    let rows = [
        (None, Some("shardId-1"), PutOutcome::Delivered { shard_id: "shardId-1" }),
        (Some(""), Some("shardId-1"), PutOutcome::Delivered { shard_id: "shardId-1" }),
        (None, None, PutOutcome::Delivered { shard_id: "" }),
        (Some("ProvisionedThroughputExceededException"), None, PutOutcome::Throttled),
        (Some("InternalFailure"), None, PutOutcome::Failed),
        (Some("anything else"), Some("shardId-1"), PutOutcome::Failed),
    ];
    for (error_code, shard_id, expected) in rows {
        assert_eq!(PutOutcome::new(error_code, shard_id), expected, "{error_code:?} {shard_id:?}");
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..5usize, 1..60usize).prop_map(|(shard, size)| Step::Push { shard, size }),
        3 => (0..300u64).prop_map(|after| Step::Send { after }),
        3 => (0..8usize, vec(0..3u8, 0..12)).prop_map(|(call, outcomes)| Step::Answer { call, outcomes }),
        1 => (0..8usize).prop_map(|call| Step::GiveUp { call }),
        1 => Just(Step::Drain),
    ];
    vec(step, 0..120)
}

proptest! {
    #[test]
    fn nothing_is_lost_and_order_is_kept(steps in steps(), max_entries in 1..8usize, max_bytes in 20..150usize) {
        check(max_entries, max_bytes, steps);
    }
}
