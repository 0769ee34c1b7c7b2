//! Generated aggregates vary in size, in order, and in everything that the format leaves open.

use std::collections::BTreeMap;

use arbitrary::Arbitrary as _;
use kinesis_aggregation::decode::AggregatedRecord;
use kinesis_aggregation::testing::{ValidAggregate, valid_aggregates};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use crate::checks::random_bytes;

/// A name, the minimum number in a thousand, and the property.
type Property = (&'static str, usize, fn(&ValidAggregate) -> bool);

const PROPERTIES: &[Property] = &[
    ("no user records", 5, |valid| valid.records.is_empty()),
    ("one", 20, |valid| valid.records.len() == 1),
    ("more than five", 20, |valid| valid.records.len() > 5),
    ("more than a hundred", 2, |valid| valid.records.len() > 100),
    ("below 50 bytes", 20, |valid| valid.payload.len() < 50),
    ("50 to 500 bytes", 100, |valid| (50..500).contains(&valid.payload.len())),
    ("above 1,000 bytes", 10, |valid| valid.payload.len() > 1000),
    ("above 16,384 bytes", 1, |valid| valid.payload.len() > 16_384),
    ("canonical", 100, |valid| is_canonical(valid)),
    ("not canonical", 300, |valid| !is_canonical(valid)),
    ("records before keys", 30, |valid| valid.payload.get(4) == Some(&0x1a)),
    ("a tag of more bytes than it needs", 10, |valid| {
        contains(valid, &[0x9a, 0x80]) || contains(valid, &[0x8a, 0x80])
    }),
    ("a hundred groups", 1, |valid| contains(valid, &[0x4b; 99])),
    ("overridden data", 5, |valid| contains(valid, b"overridden")),
    ("an unused key", 20, |valid| contains(valid, b"unused")),
    ("a key twice in its table", 20, |valid| repeats_a_key(valid)),
    ("two user records of one key", 20, |valid| shares_a_key(valid)),
    ("explicit hash keys", 100, |valid| valid.records.iter().any(|r| r.explicit_hash_key.is_some())),
    ("a key that no producer may send", 20, |valid| {
        valid.user_records().any(|record| record.validate().is_err())
    }),
    ("tags", 30, |valid| valid.user_records().any(|record| record.tags.len() > 0)),
];

fn is_canonical(valid: &ValidAggregate) -> bool {
    ValidAggregate::new(valid.records.clone(), &[]).payload == valid.payload
}

fn contains(valid: &ValidAggregate, bytes: &[u8]) -> bool {
    valid.payload.windows(bytes.len()).any(|window| window == bytes)
}

fn repeats_a_key(valid: &ValidAggregate) -> bool {
    let aggregate = AggregatedRecord::parse(&valid.payload);
    aggregate.is_ok_and(|aggregate| repeats(aggregate.partition_keys().iter().copied()))
}

fn shares_a_key(valid: &ValidAggregate) -> bool {
    repeats(valid.records.iter().map(|record| record.partition_key.as_str()))
}

fn repeats<'k>(keys: impl Iterator<Item = &'k str>) -> bool {
    let mut keys: Vec<&str> = keys.collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair.first() == pair.last())
}

fn assert_varied(from: &str, generated: &[ValidAggregate]) {
    let count = |holds: fn(&ValidAggregate) -> bool| generated.iter().filter(|valid| holds(valid)).count();
    let counts: BTreeMap<&str, usize> =
        PROPERTIES.iter().map(|&(name, _, holds)| (name, count(holds))).collect();
    println!("{from}: of {}: {counts:?}", generated.len());
    for &(name, least, _) in PROPERTIES {
        let found = counts.get(name).copied().unwrap_or_default() * 1000 / generated.len();
        assert!(found >= least, "{from}: {name}: {found} in a thousand, not {least}");
    }
}

#[test]
fn of_random_bytes() {
    let mut generated = Vec::new();
    random_bytes(7, |bytes| generated.extend(ValidAggregate::arbitrary(bytes)));
    assert_varied("arbitrary", &generated);
}

#[test]
fn of_the_strategy() {
    let mut runner = TestRunner::deterministic();
    let mut generate = || valid_aggregates().new_tree(&mut runner).unwrap().current();
    let generated: Vec<ValidAggregate> = (0..1500).map(|_| generate()).collect();
    assert_varied("proptest", &generated);
}

/// A test that fails for nearly all aggregates shrinks to nearly nothing.
#[test]
fn shrinks_to_the_plainest() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..20 {
        let mut tree = valid_aggregates().new_tree(&mut runner).unwrap();
        while tree.current().records.is_empty() {
            tree = valid_aggregates().new_tree(&mut runner).unwrap();
        }
        // The test "no aggregate has user records" fails as long as there is one.
        let mut smaller = tree.simplify();
        while smaller {
            smaller = if tree.current().records.is_empty() { tree.complicate() } else { tree.simplify() };
        }
        let plainest = tree.current();
        assert_eq!(plainest.records.len(), 1, "{plainest:?}");
        assert!(is_canonical(&plainest), "{plainest:?}");
        assert_eq!(plainest.records.first().map(|record| record.data.len()), Some(0), "{plainest:?}");
    }
}
