//! Properties of every list of user records, in every way to encode it.

use core::ops::RangeInclusive;
use std::collections::HashSet;

use kinesis_aggregation::decode::AggregatedRecord;
use kinesis_aggregation::encode::{AddStatus, EncodeError};
use kinesis_aggregation::route::HashKey;
use kinesis_aggregation::{Aggregate, Encoder, Limits, RecordAggregator, UserRecord};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::common::encode::checks::{self, check_frame, for_encoders};
use crate::common::encode::{WAYS, canonical, streamed, unpack};
use crate::common::{Record, with_record, with_records};

/// More than any list of user records here takes.
const CAPACITY: usize = 100_000;

fn text(characters: RangeInclusive<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(any::<char>(), characters).prop_map(String::from_iter)
}

fn partition_key() -> impl Strategy<Value = String> {
    prop_oneof![8 => text(1..=4), 3 => text(5..=50), 1 => text(120..=256)]
}

fn explicit_hash_key() -> impl Strategy<Value = String> {
    const EDGES: &[u128] = &[0, 9, 10, 99, 100, 1 << 64, u128::MAX - 1, u128::MAX];
    prop_oneof![0..20u128, select(EDGES), any::<u128>()].prop_map(|key| key.to_string())
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![12 => 0..30usize, 3 => 110..140usize, 1 => 900..1200usize];
    (any::<u8>(), len).prop_map(|(first, len)| (first..=255).chain(0..=255).cycle().take(len).collect())
}

fn tags() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
    let tag = (text(0..=12), prop::option::of(text(0..=12)));
    prop_oneof![5 => Just(Vec::new()), 1 => prop::collection::vec(tag, 1..4)]
}

/// User records that share a few keys, as those of devices do.
fn user_records(max: usize) -> impl Strategy<Value = Vec<Record>> {
    let keys = prop::collection::vec(partition_key(), 1..12);
    let hash_keys = prop::collection::vec(explicit_hash_key(), 1..12);
    let record = (any::<Index>(), prop::option::weighted(0.4, any::<Index>()), data(), tags());
    (keys, hash_keys, prop::collection::vec(record, 0..=max)).prop_map(|(keys, hash_keys, records)| {
        let record = |(key, hash_key, data, tags): (Index, Option<Index>, _, _)| Record {
            partition_key: key.get(&keys).clone(),
            explicit_hash_key: hash_key.map(|index| index.get(&hash_keys).clone()),
            data,
            tags,
        };
        records.into_iter().map(record).collect()
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    let bytes = prop_oneof![40..400u32, 400..4000u32];
    let count = prop_oneof![Just(usize::MAX), 1..12usize];
    let target = prop_oneof![Just(u32::MAX), 40..4000u32];
    (bytes, target, count).prop_map(|(bytes, target, count)| {
        Limits::default().with_max_bytes(bytes).with_target_bytes(target).with_max_user_records(count)
    })
}

fn cases(cases: u32) -> ProptestConfig {
    // The failing input is printed; a file of seeds would be one more thing to keep.
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn user_records_survive_encoding_and_decoding(owned in user_records(40)) {
        checks::round_trip(&owned);
    }

    #[test]
    fn parsed_user_records_encode_to_the_same_bytes(owned in user_records(40)) {
        with_records(&owned, checks::parsed_records_encode_alike);
    }

    /// A key stands once in its table, at the place of its first use (E3).
    #[test]
    fn canonical_tables_hold_each_key_once(owned in user_records(40)) {
        prop_assume!(!owned.is_empty());
        let data = with_records(&owned, canonical);
        let aggregate = AggregatedRecord::parse(&data).unwrap();
        assert_eq!(aggregate.partition_keys(), first_uses(owned.iter().map(|record| &*record.partition_key)));
        let hash_keys = owned.iter().filter_map(|record| record.explicit_hash_key.as_deref());
        assert_eq!(aggregate.explicit_hash_keys(), first_uses(hash_keys));
    }

    #[test]
    fn streamed_with_all_keys_remembered_is_as_long_as_canonical(owned in user_records(40)) {
        with_records(&owned, |records| {
            assert_eq!(streamed::<64>(records).len(), canonical(records).len());
        });
    }

    #[test]
    fn a_buffer_of_the_exact_size_is_enough(owned in user_records(20), spare in 0..50usize) {
        with_records(&owned, |records| checks::exact_buffers(records, spare));
    }

    #[test]
    fn sizes_are_known_before_and_after_each_add(owned in user_records(20)) {
        with_records(&owned, checks::sizes);
    }

    #[test]
    fn fits_foretells_add(owned in user_records(40), limits in limits(), buffer in 40..2000usize) {
        with_records(&owned, |records| {
            aggregator_fits(records, limits);
            for_encoders!(encoder_fits(records, limits, buffer));
        });
    }

    #[test]
    fn refused_adds_change_nothing(owned in user_records(30), limits in limits()) {
        with_records(&owned, |records| {
            assert_eq!(aggregate_all(records, limits, false), aggregate_all(records, limits, true));
            for_encoders!(refused_by_encoder(records, limits));
        });
    }

    #[test]
    fn outer_keys_are_those_of_the_first_user_record(owned in user_records(10)) {
        with_records(&owned, |records| {
            let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
            for record in records {
                assert_eq!(aggregator.add(*record), Ok(None));
            }
            check_outer(aggregator.finish(), records);
            for_encoders!(encoder_outer(records));
        });
    }

    #[test]
    fn after_finish_and_clear_it_is_as_new(before in user_records(40), after in user_records(20)) {
        with_records(&before, |before| with_records(&after, |after| {
            aggregate_again(before, after);
            for_encoders!(stream_again(before, after));
        }));
    }
}

fn first_uses<'r>(keys: impl Iterator<Item = &'r str>) -> Vec<&'r str> {
    let mut seen = HashSet::new();
    keys.filter(|key| seen.insert(*key)).collect()
}

fn aggregator_fits(records: &[UserRecord<'_>], limits: Limits) {
    let mut aggregator = RecordAggregator::new(limits);
    for record in records {
        let before = aggregator.clone().finish();
        let within = aggregator.size_bytes() + aggregator.would_add(*record)
            <= size(limits, aggregator.is_empty())
            && aggregator.user_records() < limits.max_user_records();
        assert_eq!(aggregator.fits(*record), within);
        match aggregator.add(*record) {
            Ok(None) => assert!(within),
            Ok(full) => {
                assert!(!within);
                assert_eq!(full, before, "what is handed out is what was pending");
                assert_eq!(aggregator.user_records(), 1);
            }
            Err(_) => {
                assert!(!within);
                assert_eq!(aggregator.clone().finish(), before, "a refused record changes nothing");
            }
        }
    }
}

fn encoder_fits<const KEYS: usize>(records: &[UserRecord<'_>], limits: Limits, capacity: usize) {
    let mut buffer = vec![0xa5; capacity];
    let mut encoder = Encoder::<KEYS>::new(&mut buffer, limits);
    for record in records {
        let outer = if encoder.is_empty() { record.partition_key.len() } else { 0 };
        let within = encoder.size_bytes() + encoder.would_add(*record) <= size(limits, encoder.is_empty())
            && encoder.encoded_len() + encoder.would_add(*record) - outer <= capacity
            && encoder.user_records() < limits.max_user_records();
        assert_eq!(encoder.fits(*record), within);
        match encoder.add(*record) {
            Ok(AddStatus::Added) => assert!(within),
            Ok(AddStatus::Full) => {
                assert!(!within);
                let len = encoder.encoded_len();
                assert_eq!(encoder.finish().map(|aggregate| aggregate.data.len()), Some(len));
                assert_eq!(encoder.add(*record), Ok(AddStatus::Added), "full, so it fits after finish");
            }
            Err(_) => assert!(!within),
        }
    }
}

/// The largest size of an aggregate, whose next user record is the first or not.
fn size(limits: Limits, first: bool) -> usize {
    let bytes = if first { limits.max_bytes() } else { limits.target_bytes() };
    bytes.try_into().unwrap()
}

/// User records that break E4 or E5, and one that is too large for any of the limits here.
fn refused() -> [Record; 4] {
    [
        Record::new("", "data"),
        Record::new("k".repeat(257), "data"),
        Record::new("key", "data").with_explicit_hash_key("007"),
        Record::new("key", vec![0; 5000]),
    ]
}

/// The data of all aggregates, with or without adds that are refused in between.
fn aggregate_all(records: &[UserRecord<'_>], limits: Limits, disturb: bool) -> Vec<Vec<u8>> {
    let mut aggregator = RecordAggregator::new(limits);
    let mut all = Vec::new();
    for record in records {
        if disturb {
            for refused in refused() {
                with_record(&refused, |refused| assert!(aggregator.add(refused).is_err()));
            }
        }
        // Also of these, some are too large for the limits.
        if disturb || aggregator.fits(*record) || RecordAggregator::new(limits).fits(*record) {
            all.extend(aggregator.add(*record).ok().flatten());
        }
    }
    all.extend(aggregator.finish());
    all.into_iter().map(|aggregate| aggregate.data).collect()
}

fn refused_by_encoder<const KEYS: usize>(records: &[UserRecord<'_>], limits: Limits) {
    // The whole buffer, of the user records that fit one after the other.
    let fill = |disturb: bool| {
        let mut buffer = vec![0xa5; 2000];
        let mut encoder = Encoder::<KEYS>::new(&mut buffer, limits);
        for record in records {
            if disturb {
                for refused in refused() {
                    with_record(&refused, |refused| assert!(encoder.add(refused).is_err()));
                }
            }
            if encoder.fits(*record) {
                assert_eq!(encoder.add(*record), Ok(AddStatus::Added));
            } else if disturb {
                assert_ne!(encoder.add(*record), Ok(AddStatus::Added));
            }
        }
        let outer = encoder
            .finish()
            .map(|aggregate| (aggregate.partition_key().to_owned(), aggregate.explicit_hash_key));
        (outer, buffer)
    };
    assert!(fill(true) == fill(false), "Encoder<{KEYS}>");
}

fn check_outer(aggregate: Option<Aggregate>, records: &[UserRecord<'_>]) {
    let (Some(aggregate), Some(first)) = (&aggregate, records.first()) else {
        assert!(aggregate.is_none() && records.is_empty(), "nothing pending is no aggregate");
        return;
    };
    assert_eq!(aggregate.partition_key, first.partition_key);
    let explicit_hash_key = aggregate.explicit_hash_key.map(|key| key.to_string());
    assert_eq!(explicit_hash_key.as_deref(), first.explicit_hash_key);
    assert_eq!(aggregate.size_bytes(), aggregate.data.len() + first.partition_key.len());
    assert_eq!(aggregate.user_records, records.len());
}

fn encoder_outer<const KEYS: usize>(records: &[UserRecord<'_>]) {
    let mut buffer = vec![0xa5; CAPACITY];
    let mut encoder = Encoder::<KEYS>::new(&mut buffer, Limits::KINESIS_MAX);
    for record in records {
        assert_eq!(encoder.add(*record), Ok(AddStatus::Added));
    }
    check_outer(encoder.finish().map(|aggregate| aggregate.to_owned()), records);
    assert!(encoder.finish().is_none());
}

fn aggregate_again(before: &[UserRecord<'_>], after: &[UserRecord<'_>]) {
    let mut aggregator = RecordAggregator::new(Limits::KINESIS_MAX);
    for clear in [false, true, false] {
        for record in before {
            assert_eq!(aggregator.add(*record), Ok(None));
        }
        if clear {
            aggregator.clear();
        } else {
            assert_eq!(aggregator.finish().is_none(), before.is_empty());
        }
        assert_eq!((aggregator.user_records(), aggregator.size_bytes()), (0, 0));
        assert_eq!(aggregator.finish(), None);
        for record in after {
            assert_eq!(aggregator.add(*record), Ok(None));
        }
        let data = aggregator.finish().map_or_else(Vec::new, |aggregate| aggregate.data);
        assert_eq!(data, canonical(after));
    }
}

fn stream_again<const KEYS: usize>(before: &[UserRecord<'_>], after: &[UserRecord<'_>]) {
    let mut buffer = vec![0xa5; CAPACITY];
    let mut encoder = Encoder::<KEYS>::new(&mut buffer, Limits::KINESIS_MAX);
    for clear in [false, true, false] {
        for record in before {
            assert_eq!(encoder.add(*record), Ok(AddStatus::Added));
        }
        if clear {
            encoder.clear();
        } else {
            assert_eq!(encoder.finish().is_none(), before.is_empty());
        }
        assert_eq!((encoder.user_records(), encoder.size_bytes()), (0, 0));
        assert!(encoder.finish().is_none());
        for record in after {
            assert_eq!(encoder.add(*record), Ok(AddStatus::Added));
        }
        let data = encoder.finish().map_or_else(Vec::new, |aggregate| aggregate.data.to_vec());
        assert_eq!(data, streamed::<KEYS>(after));
    }
}

#[test]
fn no_user_records_are_no_aggregate() {
    assert_eq!(RecordAggregator::default().finish(), None);
    assert!(Encoder::<0>::new(&mut [], Limits::default()).finish().is_none());
}

/// The digest of an encoder takes in runs of about a kilobyte: here they end at every byte around it, in user
/// records large and small.
#[test]
fn digests_are_right_around_every_run() {
    for len in 960..1060 {
        let owned: Vec<_> =
            [len, 0, 1, 1023 - 8, 0, 1024 - 8].map(|len| Record::new("key", vec![0x5a; len])).into();
        with_records(&owned, |records| {
            for count in 1..=records.len() {
                check_frame(&streamed::<1>(&records[..count]), &format!("{len}, {count} records"));
            }
            check_frame(&canonical(records), &format!("{len}, canonical"));
        });
    }
    let owned: Vec<_> = (0..1100u32).map(|i| Record::new("key", i.to_string())).collect();
    with_records(&owned, |records| check_frame(&streamed::<1>(records), "many of a few bytes"));
}

/// Rules E4 and E5, in every way to encode, as the first user record and after others.
#[test]
fn invalid_keys_are_refused() {
    let too_long = |characters| EncodeError::PartitionKeyLength { characters };
    let mut rows = vec![
        (Record::new("", "data"), too_long(0)),
        (Record::new("k".repeat(257), "data"), too_long(257)),
        (Record::new("𝄞".repeat(257), "data"), too_long(257)),
        (Record::new("é".repeat(300) + "k", "data"), too_long(301)),
    ];
    for key in [
        "",
        "00",
        "007",
        "+5",
        "-5",
        "-0",
        " 5",
        "5 ",
        "5\n",
        "abc",
        "1e3",
        "0x1",
        "1_000",
        "1.0",
        "٣",
        "５",
        "340282366920938463463374607431768211456",
        "999999999999999999999999999999999999999",
        "1000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000001",
    ] {
        let record = Record::new("key", "data").with_explicit_hash_key(key);
        rows.push((record, EncodeError::ExplicitHashKey(key.parse::<HashKey>().unwrap_err())));
    }
    for (owned, error) in &rows {
        with_record(owned, |bad| refuse(bad, *error));
    }
}

fn refuse(bad: UserRecord<'_>, error: EncodeError) {
    let good = UserRecord::new("key", "data").with_explicit_hash_key("5");
    assert_eq!(bad.validate(), Err(error), "{bad:?}");

    let mut aggregator = RecordAggregator::default();
    let mut buffer = [0xa5; 2000];
    let mut encoder = Encoder::<4>::new(&mut buffer, Limits::default());
    for pending in 0..3 {
        assert!(!aggregator.fits(bad), "{bad:?}");
        assert_eq!(aggregator.add(bad), Err(error), "{bad:?} after {pending}");
        assert!(!encoder.fits(bad), "{bad:?}");
        assert_eq!(encoder.add(bad), Err(error), "{bad:?} after {pending}");
        assert_eq!((aggregator.user_records(), encoder.user_records()), (pending, pending));
        assert_eq!(aggregator.add(good), Ok(None));
        assert_eq!(encoder.add(good), Ok(AddStatus::Added));
    }
}

#[test]
fn keys_at_the_bounds_are_accepted() {
    for owned in [
        Record::new("k", ""),
        Record::new("k".repeat(256), "data"),
        Record::new("𝄞".repeat(256), "data"),
        Record::new("\0", "data"),
        Record::new("key", "data").with_explicit_hash_key("0"),
        Record::new("key", "data").with_explicit_hash_key(u128::MAX.to_string()),
        Record::new("key", "data").with_explicit_hash_key("99999999999999999999999999999999999999"),
    ] {
        with_record(&owned, |record| {
            assert_eq!(record.validate(), Ok(()), "{record:?}");
            for way in &WAYS {
                assert_eq!(unpack(&(way.encode)(&[record])).first(), Some(&owned), "{}", way.name);
            }
        });
    }
}

#[test]
fn a_copied_aggregate_outlives_the_buffer() {
    let mut buffer = [0xa5; 200];
    let mut encoder = Encoder::<2>::new(&mut buffer, Limits::default());
    _ = encoder.add(UserRecord::new("device-7", "21.5").with_explicit_hash_key("340")).unwrap();
    _ = encoder.add(UserRecord::new("device-8", "21.6")).unwrap();
    let aggregate = encoder.finish().unwrap();
    let (data, size_bytes) = (aggregate.data.to_vec(), aggregate.size_bytes());
    let owned = aggregate.to_owned();
    // The next one overwrites it.
    _ = encoder.add(UserRecord::new("k", "0123456789")).unwrap();
    _ = encoder.finish();
    assert_ne!(buffer.get(..data.len()), Some(&data[..]));
    assert_eq!((&owned.data, owned.size_bytes(), owned.user_records), (&data, size_bytes, 2));
    assert_eq!((&*owned.partition_key, owned.explicit_hash_key), ("device-7", Some(HashKey::new(340))));
}
