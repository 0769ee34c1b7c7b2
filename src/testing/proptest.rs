//! Strategies for the crate `proptest`. They shrink to fewer user records, shorter keys and plainer encodings.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use proptest::arbitrary::{Arbitrary, any};
use proptest::collection::vec as list;
use proptest::option;
use proptest::prop_oneof;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Just, Strategy};

use super::{BrokenAggregate, Flaw, OwnedUserRecord, ValidAggregate};
use super::{HASH_KEYS, INVALID_HASH_KEYS, LENGTHS, PARTITION_KEYS, partition_key};
use crate::message::{RecordTag, UserRecord};

/// Generates user records that a producer may send.
pub fn user_records() -> impl Strategy<Value = OwnedUserRecord> {
    record(partition_keys().boxed(), hash_keys().boxed())
}

/// Generates valid aggregates in every form, some with keys that no producer may send.
pub fn valid_aggregates() -> impl Strategy<Value = ValidAggregate> {
    (records(), choices()).prop_map(|(records, choices)| ValidAggregate::new(records, &choices))
}

/// Generates aggregates with one flaw each. Shrinking keeps the flaw.
pub fn broken_aggregates() -> impl Strategy<Value = BrokenAggregate> {
    let parts = (any::<Flaw>(), records(), choices());
    parts.prop_map(|(flaw, records, choices)| BrokenAggregate::new(flaw, &records, &choices))
}

macro_rules! impl_arbitrary {
    ($($type:ty => $strategy:expr,)+) => {$(
        impl Arbitrary for $type {
            type Parameters = ();
            type Strategy = BoxedStrategy<Self>;

            fn arbitrary_with((): ()) -> BoxedStrategy<Self> {
                $strategy.boxed()
            }
        }
    )+};
}

impl_arbitrary! {
    OwnedUserRecord => user_records(),
    ValidAggregate => valid_aggregates(),
    BrokenAggregate => broken_aggregates(),
    Flaw => select(Self::ALL).no_shrink(),
}

fn records() -> impl Strategy<Value = Vec<OwnedUserRecord>> {
    let any_partition_keys = prop_oneof![20 => partition_keys(), 1 => Just(String::new())].boxed();
    let any_hash_keys =
        prop_oneof![8 => hash_keys(), 1 => select(INVALID_HASH_KEYS).prop_map(str::to_owned)].boxed();
    let record = record(any_partition_keys, any_hash_keys).boxed();
    prop_oneof![20 => list(record.clone(), 0..8), 1 => list(record, 0..200)]
}

fn record(
    partition_keys: BoxedStrategy<String>,
    hash_keys: BoxedStrategy<String>,
) -> impl Strategy<Value = OwnedUserRecord> {
    let tags = prop_oneof![4 => Just(vec![]), 1 => list((text(), option::of(text())), 1..4)];
    (partition_keys, option::of(hash_keys), data(), tags).prop_map(|(key, explicit_hash_key, data, tags)| {
        let mut record = OwnedUserRecord::from(UserRecord::new(&key, &data));
        record.explicit_hash_key = explicit_hash_key;
        let tags = tags.iter().map(|(key, value)| RecordTag { key, value: value.as_deref() });
        record.set_tags(&tags.collect::<Vec<_>>());
        record
    })
}

fn partition_keys() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => select(PARTITION_KEYS).prop_map(str::to_owned),
        12 => list(any::<char>(), 1..10).prop_map(partition_key),
        1 => list(any::<char>(), 1..=256).prop_map(partition_key),
    ]
}

fn hash_keys() -> impl Strategy<Value = String> {
    prop_oneof![select(HASH_KEYS).prop_map(str::to_owned), any::<u128>().prop_map(|key| key.to_string())]
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    let repeated = |len| any::<u8>().prop_map(move |byte| vec![byte; len]);
    prop_oneof![24 => list(any::<u8>(), 0..40), 1 => select(LENGTHS).prop_flat_map(repeated)]
}

fn text() -> impl Strategy<Value = String> {
    list(any::<char>(), 0..6).prop_map(String::from_iter)
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    list(any::<u8>(), 0..256)
}
