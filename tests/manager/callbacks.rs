//! A manager behind callbacks hands out everything, in the order of its hash keys.

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex};

use kinesis_aggregation::{AggregationManager, HandedOut, Limits, RoutedAggregate, UserRecord};

use crate::common::random::Random;
use crate::model::{Routing, Shards, map_of};

/// The numbers of user records, by partition key.
type Numbers = BTreeMap<String, Vec<u32>>;

/// What callbacks were given.
#[derive(Clone, Default)]
struct Arrived(Arc<Mutex<Numbers>>);

impl Arrived {
    fn take(&self, full: &RoutedAggregate) {
        let mut arrived = self.0.lock().unwrap();
        for record in full.records() {
            let number = u32::from_be_bytes(*record.data.first_chunk().unwrap());
            arrived.entry(record.partition_key.to_owned()).or_default().push(number);
        }
    }
}

const USER_RECORDS: u32 = 3_000;

/// What to add, and what should arrive of it.
fn input() -> (Vec<(String, Vec<u8>)>, Numbers) {
    let mut random = Random::new(4);
    let mut expected = Numbers::new();
    let records = (0..USER_RECORDS).map(|number| {
        let key = format!("key {}", random.below(40));
        expected.entry(key.clone()).or_default().push(number);
        // Some are so large that what is pending for others has to go as well.
        let padding = if random.one_in(5) { 3_000 } else { 0 };
        (key, [&number.to_be_bytes(), &*vec![0; padding]].concat())
    });
    let records = records.collect();
    (records, expected)
}

fn halves() -> Shards {
    vec![("a".to_owned(), 0, (1 << 127) - 1), ("b".to_owned(), 1 << 127, u128::MAX)]
}

fn quarters() -> Shards {
    let quarter =
        |number: u128| (format!("quarter {number}"), number << 126, (number << 126) + ((1 << 126) - 1));
    (0..4).map(quarter).collect()
}

fn managers() -> [AggregationManager; 4] {
    let manager =
        |routing: Routing| routing.manager(map_of(&halves()), Limits::default().with_max_user_records(16));
    [
        manager(Routing::ByShard),
        manager(Routing::ByKeys),
        manager(Routing::Together),
        manager(Routing::ByShard).with_max_memory(2_000),
    ]
}

/// The checks below are of use only if one call hands out several aggregates.
#[test]
fn some_calls_hand_out_more_than_one() {
    let (records, _) = input();
    let [.., mut manager] = managers();
    let most = records.iter().map(|(key, data)| manager.add(UserRecord::new(key, data)).unwrap().len()).max();
    assert!(most > Some(1), "{most:?}");
}

#[test]
fn on_complete_delivers_everything() {
    let (records, expected) = input();
    for manager in managers() {
        let arrived = Arrived::default();
        let mut aggregator = manager.on_complete(|full| arrived.take(&full));
        for (place, (key, data)) in records.iter().enumerate() {
            let record = UserRecord::new(key, data);
            // With a time, and without.
            match place % 3 {
                0 => aggregator.add_at(record, Duration::from_secs(1)).unwrap(),
                _ => aggregator.add(record).unwrap(),
            }
            match place {
                1_000 => aggregator.finish(),
                2_000 => {
                    let full = aggregator.aggregator_mut().refresh(map_of(&quarters()));
                    aggregator.hand_out(full);
                }
                _ => {}
            }
        }
        drop(aggregator);
        assert_eq!(*arrived.0.lock().unwrap(), expected);
    }
}

#[test]
fn on_complete_in_background_delivers_everything() {
    let (records, expected) = input();
    for (manager, by_drop) in
        managers().into_iter().flat_map(|manager| [(manager.clone(), false), (manager, true)])
    {
        let arrived = Arrived::default();
        let on_worker = arrived.clone();
        let mut aggregator = manager.on_complete_in_background(2, move |full| on_worker.take(&full)).unwrap();
        for (place, (key, data)) in records.iter().enumerate() {
            aggregator.add(UserRecord::new(key, data)).unwrap();
            match place {
                1_000 => aggregator.flush(),
                2_000 => {
                    let full = aggregator.aggregator_mut().refresh(map_of(&quarters()));
                    aggregator.hand_out(full);
                }
                _ => {}
            }
        }
        if by_drop {
            drop(aggregator);
        } else {
            aggregator.finish().unwrap();
        }
        assert_eq!(*arrived.0.lock().unwrap(), expected, "by drop: {by_drop}");
    }
}

/// After a panic, what the callback was not given is handed back.
#[test]
fn a_panic_in_background_loses_nothing() {
    let (records, expected) = input();
    let [manager, ..] = managers();
    let arrived = Arrived::default();
    let on_worker = arrived.clone();
    let mut calls = 0;
    let mut aggregator = manager
        .on_complete_in_background(2, move |full: RoutedAggregate| {
            on_worker.take(&full);
            calls += 1;
            assert!(calls < 5, "five");
        })
        .unwrap();
    let mut added = 0;
    for (key, data) in &records {
        match aggregator.add(UserRecord::new(key, data)) {
            Ok(()) => added += 1,
            Err(_) => break,
        }
    }
    let panic = aggregator.finish().unwrap_err();
    assert_eq!(panic.message(), Some("five"));
    panic.undelivered.iter().for_each(|full| arrived.take(full));
    let expected = expected
        .into_iter()
        .map(|(key, numbers)| (key, numbers.into_iter().filter(|&n| n < added).collect::<Vec<_>>()));
    let expected: Numbers = expected.filter(|(_, numbers)| !numbers.is_empty()).collect();
    assert_eq!(*arrived.0.lock().unwrap(), expected);
}

/// One call may hand out many aggregates: a panic in the callback for one of them is not to lose the others.
#[test]
fn a_panic_on_the_way_loses_nothing_else() {
    type Call = fn(&mut AggregationManager) -> HandedOut;
    let calls: [(&str, Call); 3] = [
        ("finish", |_| HandedOut::default()),
        ("handed out after a flush", AggregationManager::flush),
        ("handed out after a refresh", |manager| manager.refresh(map_of(&quarters()))),
    ];
    for (name, call) in calls {
        let arrived = Arrived::default();
        let mut panics = true;
        let manager = AggregationManager::by_keys(Limits::default());
        let mut manager = manager.on_complete(|full| {
            if core::mem::take(&mut panics) {
                panic!("the first one");
            }
            arrived.take(&full);
        });
        for number in 0..100u32 {
            let key = format!("key {}", number % 10);
            manager.add(UserRecord::new(&key, &number.to_be_bytes())).unwrap();
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let full = call(manager.aggregator_mut());
            manager.hand_out(full);
            manager.finish();
        }));
        assert!(outcome.is_err(), "{name}");
        manager.finish();
        drop(manager);
        let arrived = arrived.0.lock().unwrap();
        assert_eq!(arrived.len(), 9, "{name}: all but the one that the callback had");
        assert!(arrived.values().all(|numbers| numbers.len() == 10), "{name}");
    }
}
