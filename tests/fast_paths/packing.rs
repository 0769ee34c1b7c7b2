//! Keys that come again, soon or late, and keys that are long.

use core::time::Duration;

use kinesis_aggregation::decode::{AggregatedRecord, RecordTag};
use kinesis_aggregation::encode::{AddStatus, EncodeError};
use kinesis_aggregation::{Encoder, Limits, RecordAggregator, UserRecord};

use crate::common::random::Random;
use crate::common::{Record, frame, records};
use crate::spelling::{Spelling, Tables};

/// What a user record of a sequence has: one of three partition keys, and one of two explicit hash keys or none.
fn user(choice: usize) -> Record {
    Record {
        partition_key: ["a", "b", "ab"][choice % 3].to_owned(),
        explicit_hash_key: ["0", "1"].get(choice / 3).map(|&key| key.to_owned()),
        data: vec![b'0'; choice],
        ..Record::default()
    }
}

/// Every sequence of up to four user records, or five in a release build: runs, keys in turns, keys with none in between.
#[test]
fn every_short_sequence_of_keys() {
    for len in 1..=if cfg!(debug_assertions) { 4 } else { 5u32 } {
        for sequence in 0..9usize.pow(len) {
            let users: Vec<Record> = (0..len).map(|place| user(sequence / 9usize.pow(place) % 9)).collect();
            check(&users);
        }
    }
}

/// Compares with a search through all keys: in canonical order byte for byte, in streamed order by what comes out.
fn check(users: &[Record]) {
    let borrowed: Vec<UserRecord<'_>> = users.iter().map(Record::untagged).collect();
    let spelled = frame(&Spelling::default().body(users));
    let canonical = frame(&by_table(&spelled));

    let mut aggregator = RecordAggregator::new(Limits::default());
    assert!(borrowed.iter().all(|&user| aggregator.add(user) == Ok(None)));
    assert_eq!(aggregator.finish().unwrap().data, canonical, "{users:?}");

    let with_all = streamed::<8>(&borrowed);
    assert_eq!(with_all.len(), canonical.len(), "{users:?}: no key twice");
    for data in [with_all, streamed::<0>(&borrowed), streamed::<1>(&borrowed), streamed::<2>(&borrowed)] {
        let aggregate = AggregatedRecord::parse(&data).unwrap();
        assert_eq!(records(&aggregate), users, "{users:?}");
    }
}

/// The fields of a body in the order of their numbers. The sort is stable.
fn by_table(payload: &[u8]) -> Vec<u8> {
    let mut rest = crate::common::unframe(payload);
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let mut head = 1;
        let mut length = 0;
        while head == 1 || rest[head - 1] >= 0x80 {
            length |= usize::from(rest[head] & 0x7f) << (7 * (head - 1));
            head += 1;
        }
        let (field, after) = rest.split_at(head + length);
        fields.push(field);
        rest = after;
    }
    fields.sort_by_key(|field| field[0]);
    fields.concat()
}

fn streamed<const KEYS: usize>(users: &[UserRecord<'_>]) -> Vec<u8> {
    let mut buffer = [0xa5; 400];
    let mut encoder = Encoder::<KEYS>::new(&mut buffer, Limits::default());
    assert!(users.iter().all(|&user| encoder.add(user) == Ok(AddStatus::Added)));
    encoder.finish().unwrap().data.to_vec()
}

/// `add` has a way of its own for what is usual, and `add_at` has not: whatever is added, and however tight the limits, both
/// do the same at each step.
#[test]
fn with_a_time_and_without() {
    let mut random = Random::new(5);
    let tag = [RecordTag { key: "k", value: Some("v") }];
    let cases = if cfg!(debug_assertions) { 300 } else { 5000 };
    for case in 0..cases {
        let limits = Limits::default()
            .with_max_bytes(u32::try_from(60 + random.below(3000)).unwrap())
            .with_max_user_records(1 + random.below(60));
        let mut buffers = [[0xa5; 2000]; 2];
        let len = 40 + random.below(1960);
        let [usual, any] = &mut buffers;
        let mut usual = (Encoder::<6>::new(&mut usual[..len], limits), RecordAggregator::new(limits));
        let mut any = (Encoder::<6>::new(&mut any[..len], limits), RecordAggregator::new(limits));
        // Data of lengths at which varints grow, and a few keys that are too long or not numbers.
        let keys: Vec<String> = (0..1 + random.below(20))
            .map(|number| match random.below(12) {
                0 => String::new(),
                1 => "é".repeat(120 + random.below(20)),
                2 => "k".repeat(250 + random.below(9)),
                _ => format!("{number}").repeat(1 + random.below(40)),
            })
            .collect();
        let data = vec![7; 300];
        for _ in 0..80 {
            let key = &keys[random.below(keys.len())];
            let mut user = UserRecord::new(
                key,
                &data[..random.pick(&[0, 1, 20, 60, 110, 121, 122, 123, 124, 130, 300])],
            );
            if random.one_in(3) {
                user =
                    user.with_explicit_hash_key(random.pick(&["0", "7", "12345678901234567890", "007", "x"]));
            }
            if random.one_in(20) {
                user = user.with_tags(&tag);
            }
            let size = usual.0.would_add(user);
            assert_eq!(size, any.0.would_add(user), "{case}");
            let status = usual.0.add(user);
            assert_eq!(status, any.0.add_at(user, Duration::ZERO), "{case}: {user:?}");
            assert_eq!(usual.0.size_bytes(), any.0.size_bytes(), "{case}");
            if status == Ok(AddStatus::Full) {
                assert_eq!(usual.0.finish(), any.0.finish(), "{case}");
            }
            assert_eq!(usual.1.add(user), any.1.add_at(user, Duration::ZERO), "{case}: {user:?}");
            assert_eq!(usual.1.size_bytes(), any.1.size_bytes(), "{case}");
        }
        assert_eq!(usual.0.finish(), any.0.finish(), "{case}");
        assert_eq!(usual.1.finish(), any.1.finish(), "{case}");
    }
}

/// Data as long as varints are wide, with all else that a user record may have.
#[test]
fn data_around_the_edges() {
    for edge in [0, 1usize << 7, 1 << 14, 1 << 21] {
        for len in edge.saturating_sub(16)..edge + 2 {
            for (explicit, tags) in [(false, false), (true, false), (false, true), (true, true)] {
                // A long one takes its time.
                if edge < 1 << 20 || (tags, len % 4) == (false, 0) {
                    let user = Record {
                        partition_key: "key".to_owned(),
                        explicit_hash_key: explicit.then(|| "7".to_owned()),
                        data: vec![b'd'; len],
                        tags: vec![("k".to_owned(), Some("v".to_owned())); usize::from(tags)],
                    };
                    compare_with_spelling(&[user.clone(), user]);
                }
            }
        }
    }
}

/// Indexes of one, two and three bytes, into either table.
#[test]
fn indexes_around_the_edges() {
    let keys = if cfg!(debug_assertions) { 140 } else { 16_400 };
    let user = |number: usize| Record {
        partition_key: format!("key-{number}"),
        explicit_hash_key: (number % 2 == 0).then(|| number.to_string()),
        ..Record::default()
    };
    let users: Vec<Record> = (0..keys).chain((0..keys).rev()).map(user).collect();
    compare_with_spelling(&users);
}

/// Compares each way to pack, byte for byte, with what is written field by field, in the order of each.
fn compare_with_spelling(users: &[Record]) {
    let tags: Vec<Vec<RecordTag<'_>>> = users
        .iter()
        .map(|user| user.tags.iter().map(|(key, value)| RecordTag { key, value: value.as_deref() }).collect())
        .collect();
    let borrowed: Vec<UserRecord<'_>> =
        users.iter().zip(&tags).map(|(user, tags)| user.untagged().with_tags(tags)).collect();
    let canonical = frame(&by_table(&frame(&Spelling::default().body(users))));

    let mut buffer = vec![0xa5; canonical.len()];
    let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
    assert!(borrowed.iter().all(|&user| aggregator.add(user) == Ok(None)));
    assert!(aggregator.finish().unwrap().data == canonical, "aggregator, {} bytes", canonical.len());

    // All keys are remembered, or there is one alone.
    let mut tables = Tables::default();
    let streamed: Vec<u8> = users
        .iter()
        .flat_map(|user| Spelling::default().body_after(&mut tables, core::slice::from_ref(user)))
        .collect();
    let mut encoder = Encoder::<300>::new(&mut buffer, Limits::KINESIS_MAX);
    if users.len() < 300 {
        assert!(borrowed.iter().all(|&user| encoder.add(user) == Ok(AddStatus::Added)));
        assert!(encoder.finish().unwrap().data == frame(&streamed), "encoder, {} bytes", canonical.len());
    }
}

/// Characters are counted only where there are more bytes than characters allowed.
#[test]
fn partition_keys_around_256_characters() {
    for wide in ["k", "é", "漢", "🚀"] {
        for count in (0..3).chain(60..70).chain(80..90).chain(120..132).chain(250..262) {
            for narrow in [0, 1, 2, 100] {
                let key = wide.repeat(count) + &"k".repeat(narrow);
                let characters = key.chars().count();
                let expected = if (1..=256).contains(&characters) {
                    Ok(())
                } else {
                    Err(EncodeError::PartitionKeyLength { characters })
                };
                assert_eq!(
                    UserRecord::new(&key, b"").validate(),
                    expected,
                    "{count} times {wide} and {narrow}"
                );
            }
        }
    }
}
