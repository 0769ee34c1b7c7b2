//! What errors, reasons and states say: each its own, in full, and where it comes from.

#![cfg(feature = "std")]
#![expect(clippy::unwrap_used, reason = "a panic fails the test, as it should")]

mod common;

use core::error::Error;
use std::collections::HashSet;

use common::{aggregate, frame, hex};
use kinesis_aggregation::decode::{
    AggregatedRecord, ExtendedSequenceNumber, Md5, PlainReason, RecordTag, SequenceNumber,
    SequenceNumberError, deaggregate_all,
};
use kinesis_aggregation::encode::{AddError, AddStatus, EncodeError};
use kinesis_aggregation::route::{
    HashKey, HashKeyError, HashKeyRange, InvalidHashKey, RequeueError, RoutedAggregate, ShardMapError,
};
use kinesis_aggregation::{
    AggregationManager, Encoder, Limits, Payload, RecordAggregator, UserRecord, deaggregate,
    iter_deaggregate_records,
};

/// A body for each kind of fault, and what is said of it.
const FAULTS: &[(&str, &str)] = &[
    ("88", "value cut short at byte 4"),
    ("08 ff ff ff ff ff ff ff ff ff 02", "varint of more than 64 bits at byte 5"),
    ("02 00", "field number out of range at byte 4"),
    ("0e 00", "unknown wire type at byte 4"),
    ("0a 02 61", "length past the end of its message at byte 5"),
    ("4c", "group end without its start at byte 4"),
    ("4b", "group without end at byte 4"),
    ("0a 01 ff", "invalid UTF-8 at byte 6"),
    ("0a 00 1a 02 1a 00", "user record without partition key index at byte 6"),
    ("0a 00 1a 02 08 00", "user record without data at byte 6"),
    ("0a 00 1a 06 08 00 1a 00 22 00", "tag without key at byte 12"),
    ("1a 04 08 00 1a 00", "partition key index out of range at byte 7"),
    ("0a 00 1a 06 08 00 10 00 1a 00", "explicit hash key index out of range at byte 11"),
];

#[test]
fn each_fault_says_what_and_where() {
    let deep = (hex(&"4b ".repeat(101)), "more than 100 groups open at byte 104");
    let faults = FAULTS.iter().map(|&(body, text)| (hex(body), text)).chain([deep]);
    let mut kinds = HashSet::new();
    for (body, text) in faults {
        let reason = deaggregate(&frame(&body)).plain_reason();
        let Some(PlainReason::Malformed(error)) = reason else { panic!("{text}: {reason:?}") };
        assert_eq!(error.to_string(), text);
        assert_eq!(error.to_string(), format!("{} at byte {}", error.kind(), error.offset()));
        assert!(kinds.insert(error.kind()), "{text}");
        let (reason, whole) = (PlainReason::Malformed(error), format!("malformed: {text}"));
        assert_eq!(reason.to_string(), whole);
        assert_eq!(reason.source().map(ToString::to_string), Some(text.to_owned()));
    }
    assert_eq!(kinds.len(), FAULTS.len() + 1);
}

/// A manager's aggregate of one user record.
fn routed() -> RoutedAggregate {
    let mut manager = AggregationManager::unrouted(Limits::default());
    let _ = manager.add(UserRecord::new("k", "data")).unwrap();
    manager.flush().into_vec().remove(0)
}

#[test]
fn errors_say_everything_they_know() {
    let record = UserRecord::new("k", "data");
    let [one, two] = [1, 2].map(HashKey::new);
    let too_large = EncodeError::TooLarge { required: 4, limit: 3 };
    let rows: [(&str, Box<dyn Error>); 21] = [
        ("does not begin with the magic", Box::new(PlainReason::NoMagic)),
        ("begins with the magic but has no more than 20 bytes", Box::new(PlainReason::TooShort)),
        ("digest does not match the body", Box::new(PlainReason::DigestMismatch)),
        (
            "partition key of 257 characters: 1 to 256 are allowed",
            Box::new(EncodeError::PartitionKeyLength { characters: 257 }),
        ),
        ("explicit hash key: no digits", Box::new(EncodeError::ExplicitHashKey(HashKeyError::Empty))),
        ("not a digit at byte 7", Box::new(HashKeyError::NotADigit { offset: 7 })),
        ("leading zero", Box::new(HashKeyError::LeadingZero)),
        ("2^128 or more", Box::new(HashKeyError::TooLarge)),
        ("user record needs an aggregate of 4 bytes: the limit is 3", Box::new(too_large)),
        (
            "user record needs an aggregate of 40 bytes: the limit is 30; it fits only as a plain record, in 20 bytes",
            Box::new(EncodeError::FitsOnlyPlain { required: 40, limit: 30, plain: 20 }),
        ),
        (
            "aggregate needs 4 bytes: the buffer has 3",
            Box::new(EncodeError::BufferTooSmall { required: 4, available: 3 }),
        ),
        ("user record needs an aggregate of 4 bytes: the limit is 3", Box::new(AddError::Encode(too_large))),
        ("the callback has panicked and takes no more aggregates", Box::new(AddError::WorkerStopped)),
        (
            "user record 0: explicit hash key: 2^128 or more",
            Box::new(InvalidHashKey { record, error: HashKeyError::TooLarge }),
        ),
        (
            "neither a sequence number nor TRIM_HORIZON, LATEST, AT_TIMESTAMP or SHARD_END",
            Box::new(SequenceNumberError),
        ),
        ("empty range: 2 is above 1", Box::new(HashKeyRange::parse("2", "1").unwrap_err())),
        ("no open shard", Box::new(ShardMapError::NoOpenShard)),
        ("no open shard owns the hash keys 1 to 2", Box::new(ShardMapError::Gap { start: one, end: two })),
        ("two open shards own the hash key 2", Box::new(ShardMapError::Overlap { at: two })),
        (
            "two different shards have the same id; one of them starts at hash key 1",
            Box::new(ShardMapError::ListedTwice { start: one }),
        ),
        (
            "aggregate not requeued: user record needs an aggregate of 4 bytes: the limit is 3",
            Box::new(RequeueError { aggregate: Box::new(routed()), error: too_large }),
        ),
    ];
    for (text, error) in rows {
        assert_eq!(error.to_string(), text);
        assert!(error.source().is_none(), "{text}: it is said already");
    }
}

#[test]
fn sequence_numbers_are_shown_as_they_were_written() {
    for text in ["007", "0", "TRIM_HORIZON", "LATEST", "AT_TIMESTAMP", "SHARD_END"] {
        let number = SequenceNumber::parse(text).unwrap();
        assert_eq!((number.as_str(), number.to_string()), (text, text.to_owned()));
        assert_eq!(ExtendedSequenceNumber::new(number, 7).to_string(), format!("{text}/7"));
    }
}

/// What is too large to be shown is summed up, and names what it is.
#[test]
fn debug_output_sums_up() {
    let record = UserRecord::new("k", "data");
    let limits = Limits::KPL;

    let mut aggregator = RecordAggregator::new(limits);
    assert_eq!(aggregator.add(record), Ok(None));
    let counts = format!("user_records: 1, size_bytes: {}", aggregator.size_bytes());
    let packed = format!("RecordAggregator {{ {counts}, limits: {limits:?}, .. }}");
    assert_eq!(format!("{aggregator:?}"), packed);
    assert_eq!(
        format!("{:?}", aggregator.clone().on_complete(drop)),
        format!("CallbackAggregator {{ aggregator: {packed}, .. }}")
    );
    assert_eq!(
        format!("{:?}", aggregator.clone().on_complete_in_background(1, drop).unwrap()),
        format!("BackgroundAggregator {{ aggregator: {packed}, stopped: false, .. }}")
    );

    let mut buffer = [0; 64];
    let mut encoder = Encoder::<1>::new(&mut buffer, limits);
    assert_eq!(encoder.add(record), Ok(AddStatus::Added));
    assert_eq!(format!("{encoder:?}"), format!("Encoder {{ {counts}, buffer: 64, limits: {limits:?}, .. }}"));

    let mut manager = AggregationManager::unrouted(limits);
    assert!(manager.add(record).unwrap().is_empty());
    assert_eq!(
        format!("{manager:?}"),
        format!(
            "AggregationManager {{ aggregates: 1, {counts}, memory: {}, limits: {limits:?}, .. }}",
            manager.memory()
        )
    );

    assert_eq!(format!("{:?}", Md5::new()), "Md5 { .. }");
}

#[test]
fn debug_output_of_user_records_is_readable() {
    let tags = [RecordTag { key: "k", value: Some("v") }, RecordTag { key: "l", value: None }];
    let record = UserRecord::new("clé", b"21.5\n\x00\xff\"").with_explicit_hash_key("7").with_tags(&tags);
    assert_eq!(format!("{:?}", record.tags), format!("{tags:?}"));
    let shown = format!(
        "UserRecord {{ partition_key: \"clé\", explicit_hash_key: Some(\"7\"), data: b\"21.5\\n\\x00\\xff\\\"\", \
         tags: {tags:?}, sub_sequence_number: 0 }}"
    );
    assert_eq!(format!("{record:?}"), shown);

    let payload = aggregate(&[record, UserRecord::new("b", "")]);
    let second = "UserRecord { partition_key: \"b\", explicit_hash_key: None, data: b\"\", tags: [], \
                  sub_sequence_number: 1 }";
    let aggregate = AggregatedRecord::parse(&payload).unwrap();
    let whole = format!(
        "AggregatedRecord {{ partition_keys: [\"clé\", \"b\"], explicit_hash_keys: [\"7\"], \
         user_records: [{shown}, {second}] }}"
    );
    assert_eq!(format!("{aggregate:?}"), whole);
    assert_eq!(format!("{:?}", aggregate.records()), format!("[{shown}, {second}]"));
    assert_eq!(format!("{:?}", aggregate.records_after(0)), format!("[{second}]"));
    let mut keys = [""; 3];
    assert_eq!(format!("{:?}", Payload::parse(&payload, &mut keys)), format!("Aggregated({whole})"));
    assert_eq!(format!("{:?}", Payload::parse(b"plain", &mut [])), "Plain(NoMagic)");
    assert_eq!(format!("{:?}", Payload::parse(&payload, &mut [])), "NeedsKeys { needed: 3 }");

    let mut users = deaggregate(&payload);
    assert!(users.next().is_some());
    assert_eq!(
        format!("{users:?}"),
        format!("Deaggregated {{ plain_reason: None, user_records: [{second}] }}")
    );
    let plain = [b"plain".to_vec()];
    let itself = "UserRecord { partition_key: \"\", explicit_hash_key: None, data: b\"plain\", tags: [], \
                  sub_sequence_number: 0 }";
    assert_eq!(
        format!("{:?}", deaggregate(&plain[0])),
        format!("Deaggregated {{ plain_reason: Some(NoMagic), user_records: [{itself}] }}")
    );
    assert_eq!(format!("{:?}", deaggregate_all(&plain)), "DeaggregatedBatch { records_left: 1 }");
    let sourced = iter_deaggregate_records(&plain).next().unwrap();
    assert_eq!(
        format!("{sourced:?}"),
        format!("SourcedRecord {{ user: {itself}, plain_reason: Some(NoMagic), .. }}")
    );
}

#[test]
fn a_panic_is_told_with_what_was_not_handed_out() {
    let mut aggregator =
        RecordAggregator::new(Limits::default()).on_complete_in_background(1, |_| panic!("no more")).unwrap();
    aggregator.add(UserRecord::new("k", "data")).unwrap();
    let panic = aggregator.finish().unwrap_err();
    assert_eq!(panic.to_string(), "the callback has panicked (no more); 0 aggregates were not delivered");
    assert_eq!(format!("{panic:?}"), "WorkerPanic { message: Some(\"no more\"), undelivered: 0 }");
}
