//! Types of the AWS crates: their records are deaggregated with their metadata, and aggregates become requests.

#![cfg(any(feature = "aws-sdk-kinesis", feature = "lambda-events"))]
#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use kinesis_aggregation::{Aggregate, Limits, RecordAggregator, UserRecord, iter_deaggregate_records};

/// Returns an aggregate of two user records, the second of which has an explicit hash key.
fn aggregate() -> Aggregate {
    let mut aggregator = RecordAggregator::new(Limits::default());
    assert!(aggregator.add(UserRecord::new("device-7", "21.5")).unwrap().is_none());
    assert!(aggregator.add(UserRecord::new("device-8", "19").with_explicit_hash_key("5")).unwrap().is_none());
    aggregator.finish().unwrap()
}

/// Returns the payload of the aggregate with a wrong digest.
fn damaged() -> Vec<u8> {
    let mut data = aggregate().data;
    *data.last_mut().unwrap() ^= 1;
    data
}

#[cfg(feature = "aws-sdk-kinesis")]
mod sdk {
    use aws_sdk_kinesis::operation::get_records::GetRecordsOutput;
    use aws_sdk_kinesis::operation::put_record::builders::PutRecordInputBuilder;
    use aws_sdk_kinesis::primitives::Blob;
    use aws_sdk_kinesis::types::{self, HashKeyRange, PutRecordsRequestEntry, SequenceNumberRange};
    use kinesis_aggregation::decode::PlainReason;
    use kinesis_aggregation::route::{HashKey, HashKeyRangeError, RoutedAggregate, Shard};
    use kinesis_aggregation::{AggregationManager, ShardMap};

    use super::*;

    fn record(sequence_number: &str, data: Vec<u8>) -> types::Record {
        let record = types::Record::builder().sequence_number(sequence_number).partition_key("outer");
        record.data(Blob::new(data)).build().unwrap()
    }

    #[test]
    fn records_of_get_records_are_deaggregated() {
        let answer = GetRecordsOutput::builder()
            .records(record("100", aggregate().data))
            .records(record("101", b"plain".to_vec()))
            .records(record("102", damaged()))
            .build()
            .unwrap();
        let users = iter_deaggregate_records(&answer).collect::<Vec<_>>();
        let seen: Vec<_> = users
            .iter()
            .map(|sourced| {
                let at = sourced.extended_sequence_number().unwrap().to_string();
                (at, sourced.user.partition_key, sourced.user.data.len(), sourced.plain_reason)
            })
            .collect();
        let expected = [
            ("100/0".to_owned(), "device-7", 4, None),
            ("100/1".to_owned(), "device-8", 2, None),
            ("101/0".to_owned(), "outer", 5, Some(PlainReason::NoMagic)),
            ("102/0".to_owned(), "outer", damaged().len(), Some(PlainReason::DigestMismatch)),
        ];
        assert_eq!(seen, expected);
        // The record and the data of a plain record are borrowed, not copied.
        assert!(core::ptr::eq(users[2].record, &raw const answer.records[1]));
        assert_eq!(users[2].user.data.as_ptr(), answer.records[1].data.as_ref().as_ptr());
    }

    #[test]
    fn the_records_of_a_subscribe_to_shard_event_are_deaggregated() {
        let event = types::SubscribeToShardEvent::builder()
            .records(record("100", aggregate().data))
            .records(record("101", b"plain".to_vec()))
            .continuation_sequence_number("101")
            .millis_behind_latest(0)
            .build()
            .unwrap();
        let positions = iter_deaggregate_records(&event)
            .map(|sourced| sourced.extended_sequence_number().unwrap().to_string());
        assert!(positions.eq(["100/0", "100/1", "101/0"]));
    }

    #[test]
    fn a_single_record_is_deaggregated() {
        let record = record("100", aggregate().data);
        assert_eq!(iter_deaggregate_records(&record).count(), 2);
    }

    fn routed() -> RoutedAggregate {
        let map = ShardMap::new([Shard::new("shardId-1", kinesis_aggregation::route::HashKeyRange::ALL)]);
        let mut manager = AggregationManager::by_shard(map.unwrap(), Limits::default());
        assert!(manager.add(UserRecord::new("device-7", "21.5")).unwrap().is_empty());
        manager.flush().pop().unwrap()
    }

    #[test]
    fn entries_take_the_data_without_a_copy() {
        let aggregate = aggregate();
        let address = aggregate.data.as_ptr();
        let entry = PutRecordsRequestEntry::try_from(aggregate).unwrap();
        assert_eq!(entry.data.as_ref().as_ptr(), address);
        assert_eq!((&*entry.partition_key, entry.explicit_hash_key()), ("device-7", None));

        let routed = routed();
        let address = routed.aggregate.data.as_ptr();
        let entry = PutRecordsRequestEntry::try_from(routed).unwrap();
        assert_eq!(entry.data.as_ref().as_ptr(), address);
        let hash_key = HashKey::of_partition_key("device-7").to_string();
        assert_eq!((&*entry.partition_key, entry.explicit_hash_key()), ("device-7", Some(&*hash_key)));
    }

    #[test]
    fn inputs_take_the_data_without_a_copy() {
        let aggregate = aggregate();
        let address = aggregate.data.as_ptr();
        let input = PutRecordInputBuilder::from(aggregate).stream_name("stream").build().unwrap();
        assert_eq!(input.data().unwrap().as_ref().as_ptr(), address);
        assert_eq!((input.partition_key(), input.explicit_hash_key()), (Some("device-7"), None));

        let routed = routed();
        let address = routed.aggregate.data.as_ptr();
        let input = PutRecordInputBuilder::from(routed).build().unwrap();
        assert_eq!(input.data().unwrap().as_ref().as_ptr(), address);
        let hash_key = HashKey::of_partition_key("device-7").to_string();
        assert_eq!(input.explicit_hash_key(), Some(&*hash_key));
    }

    #[test]
    fn shards_are_converted() {
        let shard = |start: &str, end: &str, ending: Option<&str>| {
            let numbers = SequenceNumberRange::builder().starting_sequence_number("1");
            types::Shard::builder()
                .shard_id("shardId-2")
                .parent_shard_id("shardId-1")
                .hash_key_range(
                    HashKeyRange::builder().starting_hash_key(start).ending_hash_key(end).build().unwrap(),
                )
                .sequence_number_range(
                    numbers.set_ending_sequence_number(ending.map(str::to_owned)).build().unwrap(),
                )
                .build()
                .unwrap()
        };
        let range = kinesis_aggregation::route::HashKeyRange::parse("5", "9").unwrap();
        let expected = Shard::new("shardId-2", range).with_parents(Some("shardId-1"), None);
        assert_eq!(Shard::try_from(&shard("5", "9", None)), Ok(expected));
        assert_eq!(Shard::try_from(&shard("5", "9", Some("2"))), Ok(expected.closed()));
        assert!(matches!(Shard::try_from(&shard("x", "9", None)), Err(HashKeyRangeError::Start(_))));
        let rangeless = types::Shard::builder().shard_id("shardId-2");
        let rangeless =
            rangeless.sequence_number_range(shard("5", "9", None).sequence_number_range.unwrap()).build();
        // The SDK's builder may refuse a shard without a range.
        let mut rangeless = rangeless.unwrap_or_else(|_| shard("5", "9", None));
        rangeless.hash_key_range = None;
        assert!(matches!(Shard::try_from(&rangeless), Err(HashKeyRangeError::Start(_))));
    }
}

#[cfg(feature = "lambda-events")]
mod lambda {
    use aws_lambda_events::firehose::KinesisFirehoseEvent;
    use aws_lambda_events::kinesis::{KinesisEvent, KinesisTimeWindowEvent};
    use aws_lambda_events::kinesis_analytics::KinesisAnalyticsOutputDeliveryEvent;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use kinesis_aggregation::decode::{ArrivalTime, LambdaRecord};
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    fn parse<E: DeserializeOwned>(event: Value) -> E {
        serde_json::from_value(event).unwrap()
    }

    fn encoded(data: impl AsRef<[u8]>) -> String {
        STANDARD.encode(data)
    }

    fn kinesis_event() -> Value {
        let record = |number: u64, data: String| {
            json!({
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "outer",
                    "sequenceNumber": number.to_string(),
                    "data": data,
                    "approximateArrivalTimestamp": 1_545_084_650.987
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": format!("shardId-000000000006:{number}"),
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
                "awsRegion": "us-east-2",
                "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"
            })
        };
        json!({ "Records": [
            record(100, encoded(aggregate().data)),
            record(101, encoded("plain")),
            record(102, encoded(damaged())),
        ] })
    }

    /// Python's `deaggregate_records` returns the same, except that it gives the first user record the explicit hash key of
    /// the second.
    #[test]
    fn kinesis_records_have_the_form_of_python() {
        let event: KinesisEvent = parse(kinesis_event());
        let users: Vec<LambdaRecord> = iter_deaggregate_records(&event).map(LambdaRecord::from).collect();
        let expected =
            |number: u64, sub: u64, key: &str, hash_key: Option<&str>, data: String, aggregated| {
                json!({
                    "kinesis": {
                        "kinesisSchemaVersion": "1.0",
                        "sequenceNumber": number.to_string(),
                        "approximateArrivalTimestamp": 1_545_084_650.987,
                        "explicitHashKey": hash_key,
                        "partitionKey": key,
                        "subSequenceNumber": sub,
                        "aggregated": aggregated,
                        "data": data
                    },
                    "eventSource": "aws:kinesis",
                    "eventVersion": "1.0",
                    "eventID": format!("shardId-000000000006:{number}"),
                    "eventName": "aws:kinesis:record",
                    "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
                    "awsRegion": "us-east-2",
                    "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"
                })
            };
        assert_eq!(
            serde_json::to_value(&users).unwrap(),
            json!([
                expected(100, 0, "device-7", None, encoded("21.5"), true),
                expected(100, 1, "device-8", Some("5"), encoded("19"), true),
                expected(101, 0, "outer", None, encoded("plain"), false),
                expected(102, 0, "outer", None, encoded(damaged()), false),
            ])
        );
    }

    #[test]
    fn single_records_events_and_time_windows_give_the_same() {
        let mut event = kinesis_event();
        let plain: KinesisEvent = parse(event.clone());
        event["window"] = json!({ "start": "2020-12-09T07:04:00Z", "end": "2020-12-09T07:06:00Z" });
        event["state"] = json!({});
        event["isFinalInvokeForWindow"] = json!(false);
        event["isWindowTerminatedEarly"] = json!(false);
        event["shardId"] = json!("shardId-000000000006");
        event["eventSourceARN"] = json!("arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream");
        let window: KinesisTimeWindowEvent = parse(event);
        let users = |records: Vec<LambdaRecord>| serde_json::to_value(records).unwrap();
        let expected = users(iter_deaggregate_records(&plain).map(LambdaRecord::from).collect());
        assert_eq!(expected.as_array().unwrap().len(), 4);
        let singly = plain.records.iter().flat_map(iter_deaggregate_records);
        assert_eq!(users(singly.map(LambdaRecord::from).collect()), expected);
        assert_eq!(users(iter_deaggregate_records(&window).map(LambdaRecord::from).collect()), expected);
    }

    /// Omits every field that the crate does not require.
    #[test]
    fn records_without_metadata_are_deaggregated() {
        let kinesis: KinesisEvent = parse(json!({ "Records": [
            { "kinesis": { "data": encoded(aggregate().data), "approximateArrivalTimestamp": 1 } },
            { "kinesis": { "data": encoded("plain"), "approximateArrivalTimestamp": 1 } },
        ] }));
        let users: Vec<LambdaRecord> = iter_deaggregate_records(&kinesis).map(LambdaRecord::from).collect();
        let keys: Vec<_> = users.iter().map(|user| user.kinesis.partition_key.as_deref()).collect();
        assert_eq!(keys, [Some("device-7"), Some("device-8"), None]);
        assert!(iter_deaggregate_records(&kinesis).all(|user| user.extended_sequence_number().is_none()));

        let firehose: KinesisFirehoseEvent = parse(json!({ "records": [
            { "data": encoded(aggregate().data), "approximateArrivalTimestamp": 1 },
            { "data": encoded("plain"), "approximateArrivalTimestamp": 1 },
        ] }));
        assert_eq!(iter_deaggregate_records(&firehose).map(LambdaRecord::from).count(), 3);

        let analytics: KinesisAnalyticsOutputDeliveryEvent = parse(json!({ "records": [
            { "data": encoded(aggregate().data) },
            { "data": encoded("plain") },
        ] }));
        assert_eq!(iter_deaggregate_records(&analytics).map(LambdaRecord::from).count(), 3);
    }

    #[test]
    fn user_records_of_firehose_have_the_record_id() {
        let event: KinesisFirehoseEvent = parse(json!({
            "invocationId": "invoked123",
            "deliveryStreamArn": "aws:lambda:events",
            "region": "us-west-2",
            "records": [{
                "data": encoded(aggregate().data),
                "recordId": "record1",
                "approximateArrivalTimestamp": 1_507_217_624_302_i64,
                "kinesisRecordMetadata": {
                    "shardId": "shardId-000000000000",
                    "partitionKey": "outer",
                    "approximateArrivalTimestamp": 1_507_217_624_302_i64,
                    "sequenceNumber": "17",
                    "subsequenceNumber": 0
                }
            }]
        }));
        let users: Vec<LambdaRecord> = iter_deaggregate_records(&event).map(LambdaRecord::from).collect();
        assert_eq!(users.len(), 2);
        assert_eq!(
            serde_json::to_value(&users[1]).unwrap(),
            json!({ "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "sequenceNumber": "17",
                "approximateArrivalTimestamp": 1_507_217_624_302_i64,
                "partitionKey": "device-8",
                "explicitHashKey": "5",
                "subSequenceNumber": 1,
                "aggregated": true,
                "data": encoded("19"),
                "recordId": "record1",
                "shardId": "shardId-000000000000"
            } })
        );
        let at = iter_deaggregate_records(&event).last().unwrap().extended_sequence_number().unwrap();
        assert_eq!(at.to_string(), "17/1");
    }

    /// Firehose deaggregates records before it calls a function, so they are plain.
    #[test]
    fn firehose_states_the_sub_sequence_number() {
        let event: KinesisFirehoseEvent = parse(json!({ "records": [{
            "data": encoded("plain"),
            "recordId": "record1",
            "approximateArrivalTimestamp": 1,
            "kinesisRecordMetadata": {
                "partitionKey": "device-7",
                "approximateArrivalTimestamp": 1,
                "sequenceNumber": "17",
                "subsequenceNumber": 5
            }
        }] }));
        let users: Vec<LambdaRecord> = iter_deaggregate_records(&event).map(LambdaRecord::from).collect();
        let kinesis = &users[0].kinesis;
        assert_eq!((kinesis.sub_sequence_number, kinesis.aggregated), (5, false));
        assert_eq!(kinesis.partition_key.as_deref(), Some("device-7"));
    }

    #[test]
    fn user_records_of_kinesis_analytics_have_the_record_id() {
        let event: KinesisAnalyticsOutputDeliveryEvent = parse(json!({
            "invocationId": "invoked123",
            "applicationArn": "arn:aws:kinesisanalytics:us-east-1:123456789012:application/app",
            "records": [{ "recordId": "record1", "data": encoded("plain") }]
        }));
        let users: Vec<LambdaRecord> = iter_deaggregate_records(&event).map(LambdaRecord::from).collect();
        let kinesis = &users[0].kinesis;
        assert_eq!((kinesis.record_id.as_deref(), kinesis.aggregated), (Some("record1"), false));
        assert_eq!((kinesis.approximate_arrival_timestamp, &*kinesis.data.0), (None, &b"plain"[..]));
    }

    /// The command and Python's library (`tests/peers/run`) return the same for these events.
    #[test]
    fn recorded_events_give_the_expected_user_records() {
        let expected: Vec<Value> = include_str!("data/aws/user-records.jsonl")
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let fields = ["partitionKey", "explicitHashKey", "data", "subSequenceNumber", "aggregated"];
        let check = |service: &str, records: Vec<LambdaRecord>, fields: &[&str]| {
            assert_eq!(records.len(), expected.len(), "{service}");
            for (number, (record, expected)) in records.iter().zip(&expected).enumerate() {
                let record = serde_json::to_value(&record.kinesis).unwrap();
                for &field in fields {
                    assert_eq!(record[field], expected[field], "{service}: {field} of {number}");
                }
            }
        };
        let lambda: KinesisEvent = serde_json::from_str(include_str!("data/aws/lambda.json")).unwrap();
        check("lambda", iter_deaggregate_records(&lambda).map(LambdaRecord::from).collect(), &fields);
        let firehose: KinesisFirehoseEvent =
            serde_json::from_str(include_str!("data/aws/firehose.json")).unwrap();
        check("firehose", iter_deaggregate_records(&firehose).map(LambdaRecord::from).collect(), &fields);
        // The crate does not parse the partition keys of this event.
        let analytics: KinesisAnalyticsOutputDeliveryEvent =
            serde_json::from_str(include_str!("data/aws/analytics.json")).unwrap();
        let users = iter_deaggregate_records(&analytics).map(LambdaRecord::from).collect();
        check("analytics", users, &fields[1..]);
    }

    #[test]
    fn times_are_serialized_as_numbers() {
        assert_eq!(serde_json::to_value(ArrivalTime::Seconds(1.5)).unwrap(), json!(1.5));
        assert_eq!(serde_json::to_value(ArrivalTime::Milliseconds(1500)).unwrap(), json!(1500));
    }
}
