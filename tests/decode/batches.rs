//! Deaggregating many records gives the same as one by one: the same results, in the same order, whatever the other
//! records are.

use kinesis_aggregation::decode::{
    AggregatedRecord, KinesisRecord, Md5, PlainReason, SourcedRecord, deaggregate_all,
};
use kinesis_aggregation::route::HashKey;
use kinesis_aggregation::{Payload, UserRecord, deaggregate, iter_deaggregate_records};

use crate::common::random::Random;
use crate::common::{decode_vectors, frame, records};

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
fn batches_are_deaggregated_as_one_by_one() {
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

#[test]
fn sourced_records_come_with_their_record() {
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
    let plain = [b"plain".to_vec()];
    assert!(iter_deaggregate_records(&plain).all(|sourced| sourced.extended_sequence_number().is_none()));
    // The record need not be `Clone` or `Debug`.
    let mut all = iter_deaggregate_records(&plain);
    assert_eq!(format!("{all:?}"), "SourcedRecords { current: None, records_left: 1 }");
    let sourced = all.next().unwrap();
    assert_eq!(Clone::clone(&sourced).user, sourced.user);
    assert!(format!("{sourced:?}").ends_with("plain_reason: Some(NoMagic), .. }"));
    assert!(all.next().is_none() && all.next().is_none());
    // By reference is the same.
    assert_eq!(iter_deaggregate_records(&&plain).count(), 1);
    let by_reference = [&Keyed(b"plain".to_vec(), "key-7".into())];
    let at =
        iter_deaggregate_records(&by_reference).last().and_then(|sourced| sourced.extended_sequence_number());
    assert_eq!(at.map(|at| at.to_string()).as_deref(), Some("7/0"));
}

/// Only the frame is checked: malformed bodies pass.
#[test]
fn digests_are_verified_as_one_by_one() {
    let mut random = Random::new(2);
    for count in [0, 1, 3, 8, 100] {
        let batch = payloads(&mut random, count);
        let mut verdicts = vec![Err(PlainReason::NoMagic); count];
        Payload::verify_each(&batch, &mut verdicts);
        for (i, (payload, verdict)) in batch.iter().zip(verdicts).enumerate() {
            let expected = match AggregatedRecord::parse(payload) {
                Err(PlainReason::Malformed(_)) | Ok(_) => Ok(()),
                Err(reason) => Err(reason),
            };
            assert_eq!(verdict, expected, "{i} of {count}");
        }
    }
}

/// Each function writes as many results as there are items and places, and leaves the other places as they are.
#[test]
fn results_are_written_for_as_many_items_as_there_are_places() {
    let keys = ["a", "b", "c"];
    let hash_keys = keys.map(HashKey::of_partition_key);
    for places in 0..5 {
        let fewer = places.min(3);
        let mut found = vec![HashKey::MAX; places];
        HashKey::of_partition_keys(&keys, &mut found);
        assert_eq!(found[..fewer], hash_keys[..fewer]);
        assert!(found[fewer..].iter().all(|&key| key == HashKey::MAX));

        let mut found = vec![[0; 16]; places];
        Md5::digest_each(&keys, &mut found);
        assert_eq!(found[..fewer], keys.map(|key| Md5::digest(key.as_bytes()))[..fewer]);
        assert!(found[fewer..].iter().all(|&digest| digest == [0; 16]));

        let mut found = vec![Ok(()); places];
        Payload::verify_each(&keys, &mut found);
        assert!(found[..fewer].iter().all(|&verdict| verdict == Err(PlainReason::NoMagic)));
        assert!(found[fewer..].iter().all(|&verdict| verdict == Ok(())));
    }
}

#[test]
fn hash_keys_are_computed_as_one_by_one() {
    let mut random = Random::new(3);
    for count in [1, 2, 4, 5, 8, 9, 16, 17, 100] {
        let keys: Vec<String> = (0..count).map(|i| format!("{i}").repeat(random.below(40))).collect();
        let mut found = vec![HashKey::MIN; count];
        HashKey::of_partition_keys(&keys, &mut found);
        let expected: Vec<_> = keys.iter().map(|key| HashKey::of_partition_key(key)).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn plain_records_keep_the_partition_key_of_their_record() {
    let put = Keyed(b"plain".to_vec(), "key".into());
    for (name, mut users, partition_key) in [
        ("with a key", deaggregate(&put), "key"),
        ("behind a reference", deaggregate(&&put), "key"),
        ("bytes", deaggregate(b"plain".as_slice()), ""),
        ("bytes behind a reference", deaggregate(&b"plain".as_slice()), ""),
    ] {
        assert_eq!(users.next(), Some(UserRecord::new(partition_key, "plain")), "{name}");
    }
    let bytes: [&dyn KinesisRecord; 2] = [&b"plain".to_vec(), &b"plain".as_slice()];
    for record in bytes {
        assert_eq!(
            (record.data(), record.partition_key(), record.sequence_number()),
            (&b"plain"[..], None, None)
        );
    }
}
