//! Keys, as many as fit, and user records that ask for them in an order that makes it hard to find them.

use std::collections::HashSet;

use kinesis_aggregation::decode::AggregatedRecord;
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::{Encoder, Limits, RecordAggregator, UserRecord};

use crate::common::random::Random;
use crate::common::{Record, field, records};
use crate::payloads::{record, scattered};
use crate::timing::takes_at_most;
use crate::{FOURFOLD, takes_linear_time};

/// As many user records as keys, the n-th with a key that is chosen so.
fn each_with_key(size: usize, key: impl Fn(usize, usize) -> usize) -> Vec<u8> {
    let count = size / 12;
    let mut body = field(1, b"k").repeat(count);
    body.extend((0..count).flat_map(|number| record(key(number, count), b"x")));
    body
}

/// A search through the table for each user record takes as many steps as there are keys times user records.
#[test]
fn quadratic_key_lookups() {
    takes_linear_time("keys anywhere", |size| scattered(size / 12));
    takes_linear_time("the last key, always", |size| each_with_key(size, |_, count| count - 1));
    takes_linear_time("keys from last to first", |size| {
        each_with_key(size, |number, count| count - 1 - number)
    });
    takes_linear_time("keys from both ends in turns", |size| {
        each_with_key(size, |number, count| if number % 2 == 0 { number } else { count - number })
    });
}

/// How many times as long as with friendly keys it may take to pack as many hostile ones.
const LIMIT: f64 = 20.0;

/// Packs user records, and answers with the payload.
pub(crate) type Pack = fn(&[UserRecord<'_>]) -> Vec<u8>;

/// Every way to pack, by name.
pub(crate) const WAYS: [(&str, Pack); 2] = [
    ("Encoder", |users| {
        let mut buffer = vec![0; 4 << 20];
        let mut encoder = Encoder::<1024>::new(&mut buffer, Limits::KINESIS_MAX);
        assert!(users.iter().all(|&user| encoder.add(user) == Ok(AddStatus::Added)));
        encoder.finish().unwrap().data.to_vec()
    }),
    ("RecordAggregator", |users| {
        let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
        assert!(users.iter().all(|&user| aggregator.add(user) == Ok(None)));
        aggregator.finish().unwrap().data
    }),
];

/// Asserts that user records are packed in every way about as fast as as many friendly ones, that time grows with their
/// number alone, and that all of them come out again. `users` makes a number of user records, hostile or friendly.
pub(crate) fn packs_in_linear_time(name: &str, users: impl Fn(usize, bool) -> Vec<Record>) {
    // Short runs are less often interrupted.
    let few = if cfg!(debug_assertions) { 250 } else { 1_000 };
    let [few, many, friendly] = [users(few, true), users(4 * few, true), users(4 * few, false)];
    let [few, many, friendly] =
        [&few, &many, &friendly].map(|users| users.iter().map(Record::untagged).collect::<Vec<_>>());
    for (way, pack) in WAYS {
        let payload = pack(&many);
        let aggregate = AggregatedRecord::parse(&payload).unwrap();
        assert_eq!(records(&aggregate), records_of(&many), "{name}: {way}");

        let name = format!("{name}: {way}");
        takes_at_most(LIMIT, &name, || _ = pack(&many), || _ = pack(&friendly));
        takes_at_most(FOURFOLD, &name, || _ = pack(&many), || _ = pack(&few));
    }
    // In canonical order no key is written twice (E3).
    let payload = WAYS[1].1(&many);
    let keys = AggregatedRecord::parse(&payload).unwrap().partition_keys().len();
    let distinct: HashSet<&str> = many.iter().map(|user| user.partition_key).collect();
    assert_eq!(keys, distinct.len(), "{name}");
}

fn records_of(users: &[UserRecord<'_>]) -> Vec<Record> {
    users.iter().map(|&user| Record::from(user)).collect()
}

/// Every user record has a key of its own, and they come twice, in no order.
#[test]
fn many_keys_are_packed_in_linear_time() {
    packs_in_linear_time("a key for each", |count, hostile| {
        let mut random = Random::new(0);
        let keys = if hostile { count / 2 } else { 100 };
        let mut numbers: Vec<usize> = (0..count).map(|number| number % keys).collect();
        random.shuffle(&mut numbers);
        let user = |number: usize| Record {
            partition_key: format!("device-{number:09}"),
            explicit_hash_key: Some(format!("1{number:015}")),
            ..Record::default()
        };
        numbers.into_iter().map(user).collect()
    });
}
