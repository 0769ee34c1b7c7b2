//! Many at once is the same as one by one: the same results, in the same order, whatever becomes of the others.

#![cfg(feature = "alloc")]

mod common;

use kinesis_aggregation::decode::{
    AggregatedRecord, KinesisRecord, Md5, PlainReason, SourcedRecord, deaggregate_all, verify_each,
};
use kinesis_aggregation::route::HashKey;
use kinesis_aggregation::route::HashKey;
use kinesis_aggregation::{Payload, deaggregate, deaggregate_records, iter_deaggregate_records};
use kinesis_aggregation::{deaggregate, iter_deaggregate_records};

use common::random::Random;
use common::{decode_vectors, frame, records};

/// Payloads of all sorts and very different sizes, plain and damaged ones among them.
fn payloads(random: &mut Random, count: usize) -> Vec<Vec<u8>> {
    let vectors = decode_vectors();
    let one = |_| {
        let chosen = vectors.get(random.below(vectors.len()));
        let mut payload = chosen.map(|vector| vector.payload.clone()).unwrap_or_default();
        match random.below(4) {
            // A damaged digest or body.
            0 => {
                let at = random.below(payload.len());
                if let Some(byte) = payload.get_mut(at) {
                    *byte ^= 1;
                }
            }
            // A long one.
            1 => payload = frame(&[0x1a, 3, 8, 0, 0x1a].repeat(random.below(500))),
            _ => {}
        }
        payload
    };
    (0..count).map(one).collect()
}

/// A record that knows its partition key.
struct Keyed(Vec<u8>, String);

impl KinesisRecord for Keyed {
    fn data(&self) -> &[u8] {
        &self.0
    }

    fn partition_key(&self) -> Option<&str> {
        Some(&self.1)
    }

    fn sequence_number(&self) -> Option<&str> {
        Some(self.1.trim_start_matches("key-"))
    }
}

#[test]
fn deaggregated_as_one_by_one() {
    let mut random = Random::new(1);
    // Verdicts are made for 64 at a time.
    for count in [0, 1, 2, 5, 16, 17, 63, 64, 65, 127, 128, 129, 300] {
        let batch: Vec<Keyed> = payloads(&mut random, count)
            .into_iter()
            .enumerate()
            .map(|(i, payload)| Keyed(payload, format!("key-{i}")))
            .collect();
        let mut all = deaggregate_all(&batch);
        for (i, record) in batch.iter().enumerate() {
            assert_eq!(all.len(), count - i, "{count} records");
            let (found, expected) = (all.next().unwrap(), deaggregate(record));
            assert_eq!(found.plain_reason(), expected.plain_reason(), "{i} of {count}");
            assert_eq!(records(found), records(expected), "{i} of {count}");
        }
        assert!(all.next().is_none() && all.next().is_none(), "{count} records");
    }
}

/// Each user record is beside the record that it came in, lazily, collected, and one record at a time.
#[test]
fn sourced_as_one_by_one() {
    let mut random = Random::new(4);
    for count in [0, 1, 2, 63, 64, 65, 200] {
        let keyed = payloads(&mut random, count).into_iter().enumerate();
        let batch: Vec<Keyed> = keyed.map(|(i, payload)| Keyed(payload, format!("key-{i}"))).collect();
        let mut expected = Vec::new();
        for record in &batch {
            let users = deaggregate(record);
            let plain_reason = users.plain_reason();
            expected.extend(users.map(|user| (&record.1, user, plain_reason)));
        }
        let same = |found: &[SourcedRecord<'_, Keyed>]| {
            let found = found.iter().map(|sourced| (&sourced.record.1, sourced.user, sourced.plain_reason));
            assert!(found.eq(expected.iter().copied()), "{count} records");
        };
        let collected: Vec<_> = iter_deaggregate_records(&batch).collect();
        same(&collected);
        same(&iter_deaggregate_records(batch.as_slice()).collect::<Vec<_>>());
        same(
            &batch
                .iter()
                .flat_map(|record| iter_deaggregate_records(core::array::from_ref(record)))
                .collect::<Vec<_>>(),
        );
        for sourced in collected {
            assert_eq!(sourced.aggregated(), sourced.plain_reason.is_none());
            let (at, sub) = (sourced.extended_sequence_number(), sourced.user.sub_sequence_number);
            let expected = format!("{}/{sub}", sourced.record.1.trim_start_matches("key-"));
            assert_eq!(at.map(|at| at.to_string()), Some(expected));
        }
    }
    let bare = [b"plain".to_vec()];
    assert!(iter_deaggregate_records(&bare).all(|sourced| sourced.extended_sequence_number().is_none()));
    // Copied or shown, without asking anything of the record.
    let mut all = iter_deaggregate_records(&bare);
    assert_eq!(format!("{all:?}"), "SourcedRecords { current: None, records_left: 1 }");
    let sourced = all.next().unwrap();
    assert_eq!(Clone::clone(&sourced).user, sourced.user);
    assert!(format!("{sourced:?}").ends_with("plain_reason: Some(NoMagic), .. }"));
    assert!(all.next().is_none() && all.next().is_none());
    // By reference is the same.
    assert_eq!(iter_deaggregate_records(&&bare).count(), 1);
    let by_reference = [&Keyed(b"plain".to_vec(), "key-7".into())];
    let at =
        iter_deaggregate_records(&by_reference).last().and_then(|sourced| sourced.extended_sequence_number());
    assert_eq!(at.map(|at| at.to_string()).as_deref(), Some("7/0"));
}

/// The verdict shows from outside: what is malformed inside passes.
#[test]
fn verified_as_one_by_one() {
    let mut random = Random::new(2);
    for count in [0, 1, 3, 8, 100] {
        let batch = payloads(&mut random, count);
        let mut verdicts = vec![Err(PlainReason::NoMagic); count];
        verify_each(&batch, &mut verdicts);
        for (i, (payload, verdict)) in batch.iter().zip(verdicts).enumerate() {
            let expected = match AggregatedRecord::parse(payload) {
                Err(PlainReason::Malformed(_)) | Ok(_) => Ok(()),
                Err(reason) => Err(reason),
            };
            assert_eq!(verdict, expected, "{i} of {count}");
        }
    }
}

/// Each of the three takes as many as there is room for, and leaves the rest of the room as it was.
#[test]
fn room_for_more_or_fewer() {
    let keys = ["a", "b", "c"];
    let hash_keys = keys.map(HashKey::of_partition_key);
    for room in 0..5 {
        let fewer = room.min(3);
        let mut found = vec![HashKey::MAX; room];
        HashKey::of_partition_keys(&keys, &mut found);
        assert_eq!(found[..fewer], hash_keys[..fewer]);
        assert!(found[fewer..].iter().all(|&key| key == HashKey::MAX));

        let mut found = vec![[0; 16]; room];
        Md5::digest_each(&keys, &mut found);
        assert_eq!(found[..fewer], keys.map(|key| Md5::digest(key.as_bytes()))[..fewer]);
        assert!(found[fewer..].iter().all(|&digest| digest == [0; 16]));

        let mut found = vec![Ok(()); room];
        verify_each(&keys, &mut found);
        assert!(found[..fewer].iter().all(|&verdict| verdict == Err(PlainReason::NoMagic)));
        assert!(found[fewer..].iter().all(|&verdict| verdict == Ok(())));
    }
}

#[test]
fn hash_keys_as_one_by_one() {
    let mut random = Random::new(3);
    for count in [1, 2, 4, 5, 8, 9, 16, 17, 100] {
        let keys: Vec<String> = (0..count).map(|i| format!("{i}").repeat(random.below(40))).collect();
        let mut found = vec![HashKey::MIN; count];
        HashKey::of_partition_keys(&keys, &mut found);
        let expected: Vec<_> = keys.iter().map(|key| HashKey::of_partition_key(key)).collect();
        assert_eq!(found, expected);
    }
}
