//! Keys that all fall on the same entries of a hash table, and many keys: encoding stays linear and correct.
//!
//! A search looks at sixteen entries and then gives up: an encoder in streamed order writes the key again, and the exact
//! tables continue in a search tree (E3).

use std::collections::HashSet;

use kinesis_aggregation::decode::AggregatedRecord;
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::{Encoder, Limits, UserRecord};

use crate::common::encode::{canonical, unpack};
use crate::common::random::Random;
use crate::common::{Record, with_records};
use crate::timing::takes_at_most;

/// The limit for encoding with hostile keys, as a multiple of the time with as many friendly ones.
const LIMIT: f64 = 20.0;

type Encode = fn(&[UserRecord<'_>]) -> Vec<u8>;

const WAYS: [(&str, Encode); 2] = [
    ("canonical", canonical),
    ("streamed", |users| {
        let mut buffer = vec![0; 1 << 20];
        let mut encoder = Encoder::<1024>::new(&mut buffer, Limits::KINESIS_MAX);
        assert!(users.iter().all(|&user| encoder.add(user) == Ok(AddStatus::Added)));
        encoder.finish().unwrap().data.to_vec()
    }),
];

/// Asserts that encoding takes about as long as with friendly keys, that time grows with the number of user records alone,
/// and that all of them are decoded. `users` makes a number of user records, hostile or friendly.
fn encodes_in_linear_time(name: &str, users: impl Fn(usize, bool) -> Vec<Record>) {
    // Short runs are less often interrupted.
    let count = if cfg!(debug_assertions) { 100 } else { 1_000 };
    let [few, many, friendly] = [users(count, true), users(16 * count, true), users(16 * count, false)];
    with_records(&few, |few| {
        with_records(&friendly, |friendly| {
            with_records(&many, |records| {
                for (way, encode) in WAYS {
                    assert!(unpack(&encode(records)) == many, "{name}: {way}: other user records");
                    let name = format!("{name}: {way}");
                    takes_at_most(LIMIT, &name, || _ = encode(records), || _ = encode(friendly));
                    // Time that grew with the square would be 256 times as long.
                    takes_at_most(64.0, &name, || _ = encode(records), || _ = encode(few));
                }
                // In canonical order no key is written twice (E3).
                let payload = canonical(records);
                let keys = AggregatedRecord::parse(&payload).unwrap().partition_keys().len();
                let distinct: HashSet<&str> = records.iter().map(|user| user.partition_key).collect();
                assert_eq!(keys, distinct.len(), "{name}");
            });
        });
    });
}

/// Every key is used twice, in random order.
#[test]
fn many_keys_take_linear_time() {
    encodes_in_linear_time("a key for each", |count, hostile| {
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

/// The factors of the hash function for the first and the second word of a key.
fn factors() -> [u64; 2] {
    let first = FACTOR.rotate_left(23) | 1;
    [first, first.rotate_left(23) | 1]
}

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number that makes 1 of an odd one, by Newton's method: each step doubles the bits that are right.
fn inverse(odd: u64) -> u64 {
    (0..6).fold(odd, |inverse, _| inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse))))
}

/// Partition keys of sixteen bytes that all have the same hash, in all of its bits.
///
/// The second word makes up for what the first added to the sum. Where it is not ASCII, another first word is tried.
fn colliding_partition_keys(count: usize) -> Vec<String> {
    const TARGET: u64 = 0x0123_4567_89ab_cdef;
    let [factor, next] = factors();
    let undo = inverse(next);
    let mut random = Random::new(0);
    let mut keys = HashSet::new();
    while keys.len() < count {
        let first = random.next() & 0x7f7f_7f7f_7f7f_7f7f;
        let second = TARGET.wrapping_sub(first.wrapping_mul(factor)).wrapping_mul(undo);
        let bytes = [first.to_le_bytes(), second.to_le_bytes()].concat();
        if bytes.is_ascii() {
            keys.extend(String::from_utf8(bytes));
        }
    }
    let mut keys: Vec<String> = keys.into_iter().collect();
    keys.sort_unstable();
    keys
}

/// Explicit hash keys whose hashes begin with the same ten bits. There are too few numbers for more to be computed: these
/// are found by trial.
fn colliding_explicit_hash_keys(count: usize) -> Vec<String> {
    let factors = factors();
    let hash = |number: u64| {
        let text = number.to_string();
        let words = [*text.as_bytes().first_chunk().unwrap(), *text.as_bytes().last_chunk().unwrap()];
        let products =
            words.iter().zip(factors).map(|(word, factor)| u64::from_le_bytes(*word).wrapping_mul(factor));
        let sum = products.fold(15, u64::wrapping_add);
        (sum ^ sum >> 32).wrapping_mul(FACTOR)
    };
    let numbers = 100_000_000_000_000..1_000_000_000_000_000;
    numbers.filter(|&number| hash(number) >> 54 == 0).take(count).map(|number| number.to_string()).collect()
}

/// User records with as many keys as half of them, each key twice. Friendly keys are as long as hostile ones.
fn users(count: usize, hostile: bool) -> Vec<Record> {
    let keys = count / 2;
    let (partition_keys, explicit_hash_keys) = if hostile {
        (colliding_partition_keys(keys), colliding_explicit_hash_keys(keys))
    } else {
        let number = |number: usize| format!("1{number:014}");
        ((0..keys).map(|key| format!("{key:016}")).collect(), (0..keys).map(number).collect())
    };
    let user = |(partition_key, explicit_hash_key): (&String, &String)| Record {
        partition_key: partition_key.clone(),
        explicit_hash_key: Some(explicit_hash_key.clone()),
        ..Record::default()
    };
    let all = partition_keys.iter().zip(&explicit_hash_keys).map(user);
    all.clone().chain(all).collect()
}

/// The class is that of CVE-2011-4885 and its kin, denial of service by hash collision (oCERT-2011-003): keys that all
/// collide made each insertion into a hash table a search through all that were there.
#[test]
fn colliding_keys_take_linear_time() {
    encodes_in_linear_time("colliding keys", users);
}

/// The bytes that user records with these keys take, each of them twice, in an encoder with room to remember them all.
fn streamed_len(keys: &[(String, Option<String>)]) -> usize {
    let mut buffer = vec![0; 100_000];
    let mut encoder = Encoder::<1024>::new(&mut buffer, Limits::KINESIS_MAX);
    for (partition_key, explicit_hash_key) in keys.iter().chain(keys) {
        let user = UserRecord::new(partition_key, b"");
        let user = match explicit_hash_key {
            Some(key) => user.with_explicit_hash_key(key),
            None => user,
        };
        assert_eq!(encoder.add(user), Ok(AddStatus::Added));
    }
    encoder.encoded_len()
}

/// The keys collide in the index, or the test above shows nothing: of keys of one hash, sixteen are remembered.
#[test]
fn colliding_keys_do_collide() {
    let keys = |hostile: bool| -> (Vec<_>, Vec<_>) {
        let users = users(400, hostile);
        let partition_keys = users[..200].iter().map(|user| (user.partition_key.clone(), None)).collect();
        let explicit = users[..200].iter().map(|user| ("k".to_owned(), user.explicit_hash_key.clone()));
        (partition_keys, explicit.collect())
    };
    let (colliding, friendly) = (keys(true), keys(false));
    // A key that is written again takes a tag, a length, itself, and perhaps a longer index.
    let again = streamed_len(&colliding.0) - streamed_len(&friendly.0);
    assert!((184 * 18..184 * 19).contains(&again), "{again} bytes more for partition keys");
    // Those of ten bits share many of their slots, but not all.
    let again = streamed_len(&colliding.1) - streamed_len(&friendly.1);
    assert!(again >= 100 * 17, "{again} bytes more for explicit hash keys");
}

/// Of so many keys, some have the same 32-bit hash. Each is used twice.
#[test]
fn keys_with_equal_hashes_are_distinguished() {
    let numbers = (0..150_000).chain(0..150_000);
    let owned: Vec<_> = numbers.map(|i: u32| Record::new(format!("key-{i}"), "")).collect();
    with_records(&owned, |records| {
        let data = canonical(records);
        assert!(unpack(&data) == owned);
    });
}
