//! What routing says of itself: orders, maps, and what is in force.

#![cfg(feature = "alloc")]

use core::cmp::Ordering;
use core::fmt::Debug;
use core::time::Duration;

use kinesis_aggregation::{
    AggregationManager, Encoder, ExtendedSequenceNumber, HashKey, HashKeyRange, Limits, Placement,
    RecordAggregator, RoutedAggregate, SequenceNumber, Shard, ShardMap, UserRecord,
};

/// Holds that all ways to compare agree on items in ascending order.
fn ordered<T: Ord + Debug>(ascending: &[T]) {
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            let expected = i.cmp(&j);
            assert_eq!((a.cmp(b), a.partial_cmp(b)), (expected, Some(expected)), "{a:?} and {b:?}");
            assert_eq!((a == b, a < b), (i == j, i < j), "{a:?} and {b:?}");
        }
    }
}

#[test]
fn all_ways_to_compare_agree() {
    let marks = ["AT_TIMESTAMP", "TRIM_HORIZON", "LATEST", "0", "7", "0012", "112", "SHARD_END"];
    let numbers = marks.map(|text| SequenceNumber::parse(text).unwrap());
    ordered(&numbers);
    let [.., twelve, larger, _] = numbers;
    ordered(&[
        ExtendedSequenceNumber::new(twelve, 0),
        ExtendedSequenceNumber::new(twelve, 1),
        ExtendedSequenceNumber::new(larger, 0),
    ]);
    let same = SequenceNumber::parse("12").unwrap();
    assert_eq!(
        (twelve, twelve.cmp(&same), twelve.partial_cmp(&same)),
        (same, Ordering::Equal, Some(Ordering::Equal))
    );
    ordered(&[HashKey::MIN, HashKey::new(1), HashKey::MAX]);
}

#[test]
fn limits_in_force_are_those_that_were_set() {
    let limits = Limits::KPL.with_max_bytes(77).with_max_user_records(3).with_max_age(Duration::from_secs(5));
    assert_eq!((limits.max_bytes(), limits.max_user_records()), (77, 3));
    assert_eq!(limits.max_age(), Some(Duration::from_secs(5)));
    assert_eq!(RecordAggregator::new(limits).limits(), limits);
    assert_eq!(Encoder::<1>::new(&mut [0; 100], limits).limits(), limits);
    let manager = AggregationManager::by_keys(limits);
    assert_eq!((manager.limits(), manager.shard_map()), (limits, None));
}

#[test]
fn a_manager_shows_its_map() {
    let map = ShardMap::new([Shard::new("only", HashKeyRange::ALL)]).unwrap();
    let manager = AggregationManager::by_shard(map.clone(), Limits::default());
    assert_eq!(manager.shard_map(), Some(&map));
    assert!(map.shards().eq([map.shard_for(HashKey::MAX)]));
    assert_eq!((map.find("only"), map.find("other")), (Some(map.shard_for(HashKey::MIN)), None));
}

#[test]
fn what_is_dropped_is_not_called_back() {
    let mut handed_out = 0;
    let mut manager = AggregationManager::by_keys(Limits::default()).on_complete(|_| handed_out += 1);
    manager.add(UserRecord::new("dropped", "21.5")).unwrap();
    manager.clear();
    assert!(manager.aggregator().is_empty());
    manager.add(UserRecord::new("kept", "21.5")).unwrap();
    drop(manager);
    assert_eq!(handed_out, 1);
}

#[test]
fn what_is_handed_out_adds_up() {
    let mut manager = AggregationManager::by_keys(Limits::default());
    let mut all = manager.flush();
    for key in ["a", "b", "c"] {
        all.extend(manager.add(UserRecord::new(key, "21.5")).unwrap());
        all.extend(manager.flush());
    }
    assert!(all.iter().map(RoutedAggregate::partition_key).eq(["a", "b", "c"]));
    assert!((&all).into_iter().eq(all.clone().into_vec().iter()));
    assert!(all.clone().into_iter().eq(all.into_vec()));
}

/// As long as no newer map was seen, a shard that is not in the map may be one that is to come.
#[test]
fn a_shard_stays_unknown_until_a_refresh() {
    let map = ShardMap::new([Shard::new("old", HashKeyRange::ALL)]).unwrap();
    let mut manager = AggregationManager::by_shard(map.clone(), Limits::default());
    assert!(manager.refresh(map.clone()).is_empty());
    assert!(manager.add(UserRecord::new("device-7", "21.5")).unwrap().is_empty());
    let mut sent = manager.flush().into_vec().remove(0);
    for _ in 0..3 {
        sent = match manager.confirm(sent, "new") {
            Placement::Unknown(sent) => sent,
            other => panic!("{other:?}"),
        };
    }
    assert!(manager.refresh(map).is_empty());
    assert!(matches!(manager.confirm(sent, "new"), Placement::Misplaced(_)));
}

/// Of those pending, the fullest 64th and one more is handed out at once, until the bound holds again.
#[test]
fn of_equally_full_ones_as_many_are_handed_out_as_of_others() {
    let max_memory = 500_000;
    let mut manager = AggregationManager::by_keys(Limits::default()).with_max_memory(max_memory);
    let mut times = 0;
    // Large enough that the data is what fills the memory, not the list of aggregates.
    let data = [7; 1010];
    for key in 0..1000 {
        let data = if key % 20 == 0 { &data[..] } else { &data[..1000] };
        let handed_out = manager.add(UserRecord::new(&format!("device-{key:04}"), data)).unwrap().len();
        let mut pending = manager.pending().len() + handed_out;
        let mut rest = handed_out;
        while rest > 0 {
            let at_once = pending / 64 + 1;
            assert!(at_once <= rest, "{handed_out} handed out, and {rest} of {pending} at last");
            pending -= at_once;
            rest -= at_once;
            times += 1;
        }
        assert!(handed_out == 0 || manager.memory() > max_memory / 2, "{handed_out} handed out, {manager:?}");
    }
    assert!(times > 50 && manager.pending().len() > 128, "{times}, {manager:?}");
}
