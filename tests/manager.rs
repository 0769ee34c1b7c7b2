//! What holds for a manager in any sequence of calls: nothing is lost or duplicated, every aggregate belongs to one shard, and
//! user records with the same hash key stay in order. Compared with a model that knows only the rules.

#![cfg(feature = "std")]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all numbers are small or bounded, and a panic fails the test, as it should"
)]

#[path = "manager/bounds.rs"]
mod bounds;
mod common;
mod common_encode;
#[path = "manager/driver.rs"]
mod driver;
#[path = "manager/model.rs"]
mod model;
#[path = "manager/steps.rs"]
mod steps;

use core::time::Duration;

use common_encode::OwnedRecord;
use kinesis_aggregation::Limits;
use model::Routing;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use steps::{Answer, Index, Reshard, Step, check};

/// Few keys, so that many are the same, and long ones, so that limits are reached.
fn partition_key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(vec!["a", "b", "device-1", "device-2", "5329", "漢字"]).prop_map(str::to_owned),
        1 => (30..140usize).prop_map(|len| "k".repeat(len)),
        1 => select(vec![String::new(), "k".repeat(257)]),
    ]
}

fn explicit_hash_key() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        4 => Just(None),
        4 => select(vec![0, 1, 4, 5, 1 << 64, (1 << 127) - 1, 1 << 127, u128::MAX]).prop_map(|key| Some(key.to_string())),
        2 => any::<u128>().prop_map(|key| Some(key.to_string())),
        1 => select(vec!["", "007", "x", "340282366920938463463374607431768211456"])
            .prop_map(|key| Some(key.to_owned())),
    ]
}

fn record() -> impl Strategy<Value = OwnedRecord> {
    let data = prop_oneof![8 => vec(any::<u8>(), 0..30), 1 => vec(any::<u8>(), 100..400)];
    let tags = vec(("[a-c]{0,2}", proptest::option::of("[a-c]{0,2}")), 0..2);
    (partition_key(), explicit_hash_key(), data, tags).prop_map(
        |(partition_key, explicit_hash_key, data, tags)| OwnedRecord {
            partition_key,
            explicit_hash_key,
            data,
            tags,
        },
    )
}

fn index() -> impl Strategy<Value = Index> {
    any::<usize>().prop_map(Index)
}

fn reshard() -> impl Strategy<Value = Reshard> {
    // Some at the explicit hash keys above.
    let places = prop_oneof![any::<u128>(), select(vec![0, 1, 4, 1 << 64, (1 << 127) - 1])];
    prop_oneof![
        (index(), places).prop_map(|(shard, place)| Reshard::Split(shard, place)),
        index().prop_map(Reshard::Merge),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let answer =
        prop_oneof![Just(Answer::Predicted), index().prop_map(Answer::OfTheMap), Just(Answer::Unknown),];
    prop_oneof![
        20 => record().prop_map(Step::Add),
        20 => (record(), 0..30u64).prop_map(|(record, later)| Step::AddAt(record, later)),
        1 => Just(Step::Flush),
        2 => proptest::option::weighted(0.9, index()).prop_map(Step::FlushShard),
        2 => (0..60u64).prop_map(Step::Expired),
        4 => vec(reshard(), 0..4).prop_map(Step::Refresh),
        4 => (index(), answer).prop_map(|(sent, answer)| Step::Confirm(sent, answer)),
        4 => index().prop_map(Step::Requeue),
        1 => index().prop_map(Step::RequeueCopy),
        1 => Just(Step::Clear),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let bytes = select(vec![150, 300, 500, 1_000, 51_200]);
    let age = proptest::option::of(select(vec![0, 20, 100]).prop_map(Duration::from_millis));
    (bytes, select(vec![1, 2, 5, usize::MAX]), age).prop_map(|(bytes, count, age)| {
        let limits = Limits::default().with_max_bytes(bytes).with_max_user_records(count);
        age.map_or(limits, |age| limits.with_max_age(age))
    })
}

fn max_memory() -> impl Strategy<Value = usize> {
    select(vec![0, 500, 2_000, 5_000, 64 * 1024 * 1024])
}

proptest! {
    // The failing input is printed, so no file of seeds is needed.
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn routing_by_shard_agrees_with_the_model(limits in limits(), max_memory in max_memory(), steps in vec(step(), 0..80)) {
        check(Routing::ByShard, limits, max_memory, steps);
    }

    #[test]
    fn routing_by_key_agrees_with_the_model(limits in limits(), max_memory in max_memory(), steps in vec(step(), 0..60)) {
        check(Routing::ByKey, limits, max_memory, steps);
    }

    #[test]
    fn no_routing_agrees_with_the_model(limits in limits(), max_memory in max_memory(), steps in vec(step(), 0..60)) {
        check(Routing::Unrouted, limits, max_memory, steps);
    }
}
