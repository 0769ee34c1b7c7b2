//! Messages of errors and reasons, and the output of `{:?}`.

use core::error::Error;

use kinesis_aggregation::decode::{
    AggregatedRecord, ExtendedSequenceNumber, Md5, PlainReason, RecordTag, SequenceNumber, deaggregate_all,
};
use kinesis_aggregation::{Payload, UserRecord, deaggregate, iter_deaggregate_records};

use crate::common::encode::canonical;
use crate::common::{frame, hex};

#[test]
fn reasons_and_errors_are_described() {
    let malformed = deaggregate(&frame(&hex("0a 01 ff"))).plain_reason().unwrap();
    assert_eq!(malformed.source().map(ToString::to_string).as_deref(), Some("invalid UTF-8 at byte 6"));
    let rows: [(&str, &dyn Error); 4] = [
        ("does not begin with the magic", &PlainReason::NoMagic),
        ("begins with the magic but has no more than 20 bytes", &PlainReason::TooShort),
        ("digest does not match the body", &PlainReason::DigestMismatch),
        ("malformed: invalid UTF-8 at byte 6", &malformed),
    ];
    for (text, error) in rows {
        assert_eq!(error.to_string(), text);
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

    let payload = canonical(&[record, UserRecord::new("b", "")]);
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
    let mut batch = deaggregate_all(&plain);
    assert_eq!(format!("{batch:?}"), "DeaggregatedBatch { records_left: 1 }");
    _ = batch.next();
    assert_eq!(format!("{batch:?}"), "DeaggregatedBatch { records_left: 0 }");
    let sourced = iter_deaggregate_records(&plain).next().unwrap();
    assert_eq!(
        format!("{sourced:?}"),
        format!("SourcedRecord {{ user: {itself}, plain_reason: Some(NoMagic), .. }}")
    );
    assert_eq!(format!("{:?}", Md5::new()), "Md5 { .. }");
}
