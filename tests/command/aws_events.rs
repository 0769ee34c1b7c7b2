//! The events that functions on AWS get: of Lambda, Firehose and Kinesis Analytics.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests: a panic fails the test, as it should"
)]

use serde_json::{Map, Value, json};

use super::support::{Folder, base64, run, values};

const LAMBDA: &str = include_str!("../data/aws/lambda.json");
const FIREHOSE: &str = include_str!("../data/aws/firehose.json");
const ANALYTICS: &str = include_str!("../data/aws/analytics.json");
const USER_RECORDS: &[u8] = include_bytes!("../data/aws/user-records.jsonl");

/// The smallest aggregate, base64: partition key "a", data "x".
const SMALLEST: &str = "84mawgoBYRoFCAAaAXgnT6SiIWCSQZZrAsevv0KD";

/// The events, each with where the list of its records is.
const EVENTS: [(&str, &str, &str); 3] =
    [("lambda", LAMBDA, "Records"), ("firehose", FIREHOSE, "records"), ("analytics", ANALYTICS, "records")];

/// What an event says about a Kinesis record.
struct Described {
    data: Value,
    /// What Python's library has in "kinesis", and around it.
    inside: Map<String, Value>,
    around: Map<String, Value>,
}

/// The Kinesis records of an event.
fn described(event: &str, list: &str) -> Vec<Described> {
    let event: Value = serde_json::from_str(event).unwrap();
    let describe = |record: &Value| {
        let mut around = record.as_object().unwrap().clone();
        let mut inside = Map::new();
        let Some(Value::Object(mut kinesis)) = around.remove("kinesis") else {
            let metadata =
                ["kinesisRecordMetadata", "kinesisStreamRecordMetadata"].map(|name| record[name].clone());
            for name in ["sequenceNumber", "approximateArrivalTimestamp", "shardId"] {
                inside.insert(
                    name.to_owned(),
                    metadata.iter().find_map(|metadata| metadata.get(name)).unwrap().clone(),
                );
            }
            inside.insert("recordId".to_owned(), record["recordId"].clone());
            return Described { data: record["data"].clone(), inside, around: Map::new() };
        };
        let data = kinesis.remove("data").unwrap();
        kinesis.remove("partitionKey").unwrap();
        Described { data, inside: kinesis, around }
    };
    event[list].as_array().unwrap().iter().map(describe).collect()
}

#[test]
fn every_member_of_every_event() {
    for (name, event, list) in EVENTS {
        let records = described(event, list);
        let expected = values(USER_RECORDS).into_iter().map(|mut user| {
            let Described { inside, around, .. } =
                &records[usize::try_from(user["record"].as_u64().unwrap()).unwrap()];
            user.as_object_mut().unwrap().extend(inside.clone().into_iter().chain(around.clone()));
            user
        });
        let outcome = run("deaggregate", event.as_bytes()).clean(name);
        assert_eq!(outcome.values(), expected.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn in_the_shape_of_python() {
    for (name, event, list) in EVENTS {
        let records = described(event, list);
        let expected = values(USER_RECORDS).into_iter().map(|mut user| {
            let user = user.as_object_mut().unwrap();
            let Described { data, inside, around } =
                &records[usize::try_from(user.remove("record").unwrap().as_u64().unwrap()).unwrap()];
            if user.remove("reason").is_some() {
                // As it came, so without what only user records have.
                assert_eq!(user["data"], *data, "{name}");
                user.retain(|member, _| ["partitionKey", "data"].contains(&&**member));
            }
            let mut kinesis = inside.clone();
            kinesis.append(user);
            kinesis.entry("kinesisSchemaVersion").or_insert("1.0".into());
            let mut record = around.clone();
            record.insert("kinesis".to_owned(), kinesis.into());
            Value::Object(record)
        });
        let outcome = run("deaggregate --output lambda", event.as_bytes()).clean(name);
        assert_eq!(outcome.values(), expected.collect::<Vec<_>>(), "{name}");
    }
}

/// What comes out can go in again: all of it is plain then, but for the data that is an aggregate itself.
#[test]
fn the_shape_of_python_is_read_too() {
    for (name, event, _) in EVENTS {
        let once = run("deaggregate --output lambda", event.as_bytes()).clean(name);
        let twice = run("deaggregate", &once.stdout).clean(name).values();
        for (line, user) in
            twice.iter().zip(values(USER_RECORDS)).filter(|(_, user)| user["partitionKey"] != "outer")
        {
            for member in ["partitionKey", "explicitHashKey", "data"] {
                assert_eq!(line[member], user[member], "{name}: {user}");
            }
        }
    }
}

#[test]
fn to_the_letter() {
    let input = format!(
        r#"{{"Records": [{{"kinesis": {{"kinesisSchemaVersion": "1.0", "partitionKey": "a", "sequenceNumber": "7",
            "data": "{SMALLEST}", "approximateArrivalTimestamp": 1545084650.900, "x": [{{}}]}}, "eventSource": "aws:kinesis",
            "eventVersion": "1.0", "eventID": "shardId-000000000006:7", "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::1:role/r", "awsRegion": "eu-west-1", "eventSourceARN": "arn:s", "y": null}}]}}"#
    );
    let around = "\"eventID\":\"shardId-000000000006:7\",\"eventName\":\"aws:kinesis:record\",\"eventSource\":\"aws:kinesis\",\
                  \"eventSourceARN\":\"arn:s\",\"eventVersion\":\"1.0\",\"awsRegion\":\"eu-west-1\",\
                  \"invokeIdentityArn\":\"arn:aws:iam::1:role/r\"}\n";
    let lines = "{\"record\":0,\"partitionKey\":\"a\",\"explicitHashKey\":null,\"data\":\"eA==\",\"subSequenceNumber\":0,\
                 \"aggregated\":true,\"sequenceNumber\":\"7\",\"approximateArrivalTimestamp\":1545084650.900,\
                 \"kinesisSchemaVersion\":\"1.0\",";
    let lambda = "{\"kinesis\":{\"sequenceNumber\":\"7\",\"approximateArrivalTimestamp\":1545084650.900,\
                  \"kinesisSchemaVersion\":\"1.0\",\"explicitHashKey\":null,\"partitionKey\":\"a\",\"subSequenceNumber\":0,\
                  \"aggregated\":true,\"data\":\"eA==\"},";
    for (options, expected) in [("", lines), ("--output lines", lines), ("--output lambda", lambda)] {
        let outcome = run(&format!("deaggregate {options}"), input.as_bytes()).clean(options);
        assert_eq!(outcome.text(), format!("{expected}{around}"), "{options}");
    }
}

/// A record that says little about itself is not lost. What is null is absent.
#[test]
fn what_is_missing() {
    let aggregated = |rest: Value| {
        let mut line = json!({"record": 0, "partitionKey": "a", "explicitHashKey": null, "data": "eA==", "subSequenceNumber": 0, "aggregated": true});
        line.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        line
    };
    let cases = [
        ("nothing but data, Lambda", json!({"kinesis": {"data": SMALLEST}}), json!({})),
        ("nothing but data, Firehose", json!({"recordId": "1", "data": SMALLEST}), json!({"recordId": "1"})),
        (
            "no record id",
            json!({"data": SMALLEST, "kinesisRecordMetadata": {"sequenceNumber": "7"}}),
            json!({"sequenceNumber": "7"}),
        ),
        (
            "put into Firehose directly",
            json!({"recordId": "1", "approximateArrivalTimestamp": 1732350000123_u64, "data": SMALLEST, "kinesisRecordMetadata": null}),
            json!({"recordId": "1", "approximateArrivalTimestamp": 1732350000123_u64}),
        ),
        (
            "Analytics behind Firehose",
            json!({"recordId": "1", "data": SMALLEST, "kinesisFirehoseRecordMetadata": {"approximateArrivalTimestamp": 7}}),
            json!({"recordId": "1", "approximateArrivalTimestamp": 7}),
        ),
        (
            "the time of the stream counts",
            json!({"recordId": "1", "approximateArrivalTimestamp": 8, "data": SMALLEST, "kinesisRecordMetadata": {"approximateArrivalTimestamp": "2012-04-23T18:25:43.511Z"}}),
            json!({"recordId": "1", "approximateArrivalTimestamp": "2012-04-23T18:25:43.511Z"}),
        ),
        (
            "null",
            json!({"eventID": null, "eventSource": null, "kinesis": {"data": SMALLEST, "sequenceNumber": null, "approximateArrivalTimestamp": null, "partitionKey": null, "kinesisSchemaVersion": null}, "recordId": null}),
            json!({}),
        ),
        ("kinesis null", json!({"kinesis": null, "Data": SMALLEST}), json!({})),
    ];
    for (name, record, rest) in cases {
        for (list, event) in [
            ("alone", record.clone()),
            ("in a list", json!([record])),
            ("in an event", json!({"Records": [record]})),
            ("in a transformation", json!({"invocationId": "i", "records": [record], "region": "r"})),
        ] {
            for text in [event.to_string(), format!("{event:#}")] {
                let outcome = run("deaggregate", text.as_bytes()).clean(name);
                assert_eq!(outcome.values(), [aggregated(rest.clone())], "{name}, {list}");
            }
        }
    }
}

/// In the shape of Python, from what is not an event: it does the same with what boto3 returns.
#[test]
fn the_shape_of_python_from_anything() {
    let users = json!({"explicitHashKey": null, "partitionKey": "a", "subSequenceNumber": 0, "aggregated": true, "data": "eA==", "kinesisSchemaVersion": "1.0"});
    let entry = json!({"Data": SMALLEST, "PartitionKey": "b", "ExplicitHashKey": "7", "SequenceNumber": "9"})
        .to_string();
    let with_number = |mut value: Value| {
        value["sequenceNumber"] = "9".into();
        value
    };
    let plain = json!({"kinesisSchemaVersion": "1.0", "data": "eA=="});
    for (name, input, expected) in [
        ("base64", SMALLEST, users.clone()),
        ("an entry", &entry, with_number(users)),
        ("plain", "78", plain),
        (
            "plain, with keys",
            r#"{"Data": "eA==", "PartitionKey": "b", "ExplicitHashKey": "7"}"#,
            json!({"kinesisSchemaVersion": "1.0", "partitionKey": "b", "explicitHashKey": "7", "data": "eA=="}),
        ),
    ] {
        let outcome = run("deaggregate --output lambda", input.as_bytes()).clean(name);
        assert_eq!(outcome.values(), [json!({"kinesis": expected})], "{name}");
    }
}

#[test]
fn faults_name_their_place_and_what_is_missing() {
    let good = r#"{"kinesis": {"data": "eA=="}}"#;
    for (name, record, part) in [
        ("no data, Lambda", r#"{"kinesis": {"partitionKey": "k"}}"#, "record 1: no \"data\" in \"kinesis\""),
        ("data beside, Lambda", r#"{"kinesis": {}, "data": "eA=="}"#, "record 1: no \"data\" in \"kinesis\""),
        (
            "data of a transformation, Lambda",
            r#"{"kinesis": {}, "recordId": "1", "data": "eA=="}"#,
            "record 1: no \"data\" in \"kinesis\"",
        ),
        (
            "data of a transformation, Lambda, the other way round",
            r#"{"recordId": "1", "kinesisRecordMetadata": {}, "data": "eA==", "kinesis": {}}"#,
            "record 1: no \"data\" in \"kinesis\"",
        ),
        ("data null, Lambda", r#"{"kinesis": {"data": null}}"#, "record 1: no \"data\" in \"kinesis\""),
        ("not base64, Lambda", r#"{"kinesis": {"data": "?"}}"#, "record 1: \"data\" in \"kinesis\": base64"),
        ("no data, Firehose", r#"{"recordId": "1"}"#, "record 1: no \"data\""),
        ("not base64, Firehose", r#"{"recordId": "1", "data": "eA"}"#, "record 1: \"data\": base64"),
        (
            "data inside, Firehose",
            r#"{"recordId": "1", "kinesisRecordMetadata": {"data": "eA=="}}"#,
            "no \"data\"",
        ),
        ("a user record", r#"{"partitionKey": "k", "data": "eA=="}"#, "record 1: no \"Data\""),
        ("of another source", r#"{"eventSource": "aws:sqs", "body": "x"}"#, "record 1: no \"Data\""),
        ("kinesis is no object", r#"{"kinesis": "eA=="}"#, "column"),
        ("kinesis is a list", r#"{"kinesis": ["eA=="]}"#, "column"),
        (
            "a time of its own kind",
            r#"{"kinesis": {"data": "eA==", "approximateArrivalTimestamp": [1]}}"#,
            "neither a number nor a text",
        ),
        (
            "a time that is no time",
            r#"{"recordId": "1", "data": "eA==", "approximateArrivalTimestamp": true}"#,
            "neither a number nor a text",
        ),
        ("an id that is no text", r#"{"kinesis": {"data": "eA=="}, "eventID": 5}"#, "column"),
    ] {
        for input in
            [format!("{good}\n{record}\n"), format!("{{\"Records\": [\n{good},\n{record}\n]}}\n{good}\n")]
        {
            let folder = Folder::new(&[("in.json", input.as_bytes())]);
            for command in ["deaggregate", "deaggregate --output lambda", "inspect --json"] {
                let outcome = folder.run(&format!("{command} in.json"), b"").failed(name, &["in.json", part]);
                assert_eq!(outcome.values().len(), 1, "{name}: what comes before");
            }
        }
        let on_a_line = run("deaggregate", format!("{good}\n{record}\n").as_bytes());
        on_a_line.failed(name, &["standard input:2: "]);
    }
}

/// A cut event gives what was whole.
#[test]
fn cut_anywhere() {
    let all = run("deaggregate --output lambda", LAMBDA.as_bytes()).clean("all");
    for end in (1..LAMBDA.trim_end().len()).rev().step_by(997) {
        let name = format!("cut at {end}");
        // A character may be cut as well.
        let outcome =
            run("deaggregate --output lambda", &LAMBDA.as_bytes()[..end]).failed(&name, &["standard input:"]);
        assert!(all.text().starts_with(outcome.text()), "{name}");
        assert!(outcome.text().is_empty() || outcome.text().ends_with("}\n"), "{name}");
    }
}

#[test]
fn inspect_reads_events() {
    for (name, event, _) in EVENTS {
        let folder = Folder::new(&[("event.json", event.as_bytes())]);
        let kinds = folder.run("inspect --json event.json", b"").clean(name).values();
        let counts = |kind: &str| kinds.iter().filter(|line| line["kind"] == kind).count();
        assert_eq!((counts("aggregated"), counts("plain")), (8, 10), "{name}");
        let users: u64 = kinds.iter().map(|line| line["userRecords"].as_u64().unwrap()).sum();
        assert_eq!(users, 94, "{name}");
        let report = folder.run("inspect event.json", b"").clean(name);
        assert!(report.text().contains("18 records: 8 aggregated, 10 plain; 94 user records"), "{name}");
    }
}

/// Lambda names the shard in the event id, the others by itself.
#[test]
fn inspect_knows_the_shard() {
    let shards = json!({"Shards": [
        {"ShardId": "shardId-000000000005", "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "9"}, "SequenceNumberRange": {"StartingSequenceNumber": "1"}},
        {"ShardId": "shardId-000000000006", "HashKeyRange": {"StartingHashKey": "10", "EndingHashKey": (u128::MAX).to_string()}, "SequenceNumberRange": {"StartingSequenceNumber": "1"}},
    ]});
    let folder = Folder::new(&[("shards.json", shards.to_string().as_bytes())]);
    for record in [
        json!({"kinesis": {"data": SMALLEST}, "eventID": "shardId-000000000005:7"}),
        json!({"recordId": "1", "data": SMALLEST, "kinesisRecordMetadata": {"shardId": "shardId-000000000005"}}),
    ] {
        let outcome =
            folder.run("inspect --json --shards shards.json -", record.to_string().as_bytes()).clean("shard");
        let line = &outcome.values()[0];
        assert_eq!(line["shardId"], "shardId-000000000005", "{record}");
        assert_eq!((&line["shardAssumed"], &line["outsideShard"]), (&json!(false), &json!(1)), "{record}");
    }
}

#[test]
fn bench_measures_events() {
    for (name, event, _) in EVENTS {
        let folder = Folder::new(&[("event.json", event.as_bytes())]);
        let outcome = folder.run("bench --seconds 0 event.json", b"").clean(name);
        assert!(outcome.text().contains("84 user records"), "{name}: {}", outcome.text());
    }
}

#[test]
fn filters_go_with_either_output() {
    for output in ["lines", "lambda"] {
        let line = format!("deaggregate --output {output} --hash-range 0-0 -");
        let outcome = run(&line, LAMBDA.as_bytes());
        assert_eq!(outcome.status, Some(0), "{output}");
        // All plain records, and the one user record whose explicit hash key is 0.
        assert_eq!(outcome.values().len(), 11, "{output}");
        assert!(outcome.stderr.contains("83 user records left out"), "{output}: {}", outcome.stderr);
    }
}

/// A long event over lines comes out while it is read, and is not kept.
#[test]
fn an_event_without_end() {
    use std::io::{Read, Write};

    let mut child = super::support::command("deaggregate --output lambda").spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let record = format!(r#"{{"kinesis": {{"data": "{}"}}, "eventID": "s:1"}},"#, base64(&[0; 3000]));
    let writer = std::thread::spawn(move || {
        input.write_all(b"{\"Records\": [\n").unwrap();
        // It is never finished: the other end goes away.
        while writeln!(input, "{record}").is_ok() {}
    });
    let mut beginning = vec![0; 1 << 20];
    output.read_exact(&mut beginning).unwrap();
    drop(output);
    assert!(beginning.starts_with(b"{\"kinesis\":{\"kinesisSchemaVersion\":\"1.0\",\"data\":\"AAAA"));
    child.wait().unwrap();
    writer.join().unwrap();
}
