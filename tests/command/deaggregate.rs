//! `kinesis-agg deaggregate`: the lines it writes for a payload, in both output formats, `--hash-range` and `--strict`.

use serde_json::{Map, Value, json};

use super::support::{
    AWS_EVENTS, AWS_USER_RECORDS, EVENTS_JSONL, Folder, LAMBDA, OPEN, OwnedRecord, RECORDS, SMALLEST, base64,
    decode_hex, hash_key, in_thousands, run, values,
};

// Lines.

/// The user records of `kpl.bin`: partition key, explicit hash key, data.
const KPL: [[&str; 3]; 4] = [
    [
        "fc03dd88-3e79-448a-b01a-7cf1bd47b784",
        "\"38486495867508399078159723846051807020\"",
        "UkVDT1JEIDIyIHBlZW9iaGN6YnpkbXNrYm91cGd5cQo=",
    ],
    [
        "cae41b1c-ea61-43f2-90be-b8755ebf88e2",
        "\"193787600037681706952143357071916352604\"",
        "UkVDT1JEIDIzIHVzd2t4ZnR4cm9ldXNzY3hzamhubwo=",
    ],
    [
        "d490690c-e74d-4db2-a3c8-d8f2f184fd23",
        "\"266880436964932424265466916734068684439\"",
        "UkVDT1JEIDI0IGNhc2VoZGdpdmZheGV1c3RseXN6eQo=",
    ],
    [
        "c924bc09-b85e-47f1-b32e-336522ee53c8",
        "\"339606600942967391854603552402021847292\"",
        "UkVDT1JEIDI1IG52ZmZ2cG11b2dkb3BqaGFtZXZyawo=",
    ],
];

/// The user records of the second record in `get-records.json`.
const PYTHON: [[&str; 3]; 5] = [
    ["42", "null", "Zm9yNDI="],
    ["7", "null", "Zm9yNw=="],
    ["0", "null", "Zm9yMA=="],
    ["007", "null", "Zm9yMDA3"],
    ["7", "null", "Zm9yNyBhZ2Fpbg=="],
];

/// Returns the lines of an aggregate. `metadata` is the end of each.
fn aggregated(record: usize, user_records: &[[&str; 3]], metadata: &str) -> String {
    let line = |(number, [key, hash_key, data]): (usize, &[&str; 3])| {
        format!(
            "{{\"record\":{record},\"partitionKey\":\"{key}\",\"explicitHashKey\":{hash_key},\"data\":\"{data}\",\
             \"subSequenceNumber\":{number},\"aggregated\":true{metadata}}}\n"
        )
    };
    user_records.iter().enumerate().map(line).collect()
}

/// Returns the line of a plain record. `key` is JSON.
fn plain(record: usize, key: &str, data: &str, reason: &str, metadata: &str) -> String {
    format!(
        "{{\"record\":{record},\"partitionKey\":{key},\"explicitHashKey\":null,\"data\":\"{data}\",\
         \"subSequenceNumber\":0,\"aggregated\":false,\"reason\":\"{reason}\"{metadata}}}\n"
    )
}

fn metadata(sequence_number: &str, time: &str, encryption: &str) -> String {
    format!(
        ",\"sequenceNumber\":\"{sequence_number}\",\"approximateArrivalTimestamp\":{time},\
         \"encryptionType\":\"{encryption}\""
    )
}

/// Returns the lines of `get-records.json`.
fn get_records() -> String {
    let zero = metadata("49657890134251672935812407361829374650182936471029384706", "1732350000.123", "NONE");
    let one = metadata("49657890134251672935812407361829375859108756085658559413", "1732350001.0", "NONE");
    let two = metadata(
        "49657890134251672935812407361829377068034575700287734120",
        "\"2024-11-23T08:20:01.456000+00:00\"",
        "NONE",
    );
    let three = metadata(
        "49657890134251672935812407361829378276960395314916908827",
        "\"2024-11-23T09:20:02.789000+01:00\"",
        "NONE",
    );
    let four = metadata("49657890134251672935812407361829379485886214929546083534", "1732350003.5", "KMS");
    let five = metadata(
        "49657890134251672935812407361829380694812034544175258241",
        "\"2024-11-23T08:20:04+00:00\"",
        "KMS",
    );
    [
        aggregated(0, &KPL, &zero),
        aggregated(1, &PYTHON, &one),
        plain(2, "\"truck-007\"", "ZMOpcMO0dCBnYXRlIDcgb3BlbmVkCg==", "no_magic", &two),
        plain(3, "\"a\"", "84mawgoBYRoFCAAaAXgnT6SiIWCSQZZrAsevv0KC", "digest_mismatch", &three),
        plain(4, "\"a\"", "84mawgoBYRoFCAAaAXgaBQgBGgF5GgUIABoBepy1QA5IXYv92SVq7cGrxs0=", "malformed", &four),
        plain(
            5,
            "\"冷蔵庫-3\"",
            "eyJ0eXBlIjoicmVhZGluZyIsInRlbXAiOjQuNSwidG93biI6IuadseS6rCJ9",
            "no_magic",
            &five,
        ),
    ]
    .concat()
}

#[test]
fn get_records_output_keeps_its_metadata() {
    let outcome = run("deaggregate -q tests/data/get-records.json", b"").clean("get-records");
    assert_eq!(outcome.text(), get_records());
}

#[test]
fn records_are_numbered_across_files() {
    let files = "tests/data/get-records.json tests/data/kpl.bin - tests/data/kpl.bin";
    // An aggregate without user records has a number, but no lines.
    let input = "f3899ac20a0161120131e7171402d67a51492f71e440a541ce6c\n00\n";
    let outcome = run(&format!("deaggregate -q {files}"), input.as_bytes()).clean("files");
    let expected = [
        get_records(),
        aggregated(6, &KPL, ""),
        plain(8, "null", "AA==", "no_magic", ""),
        aggregated(9, &KPL, ""),
    ];
    assert_eq!(outcome.text(), expected.concat());
}

/// D1 to D3, and D15. The payloads are from `tests/vectors/decode.jsonl`.
#[test]
fn plain_payloads_are_unchanged_and_have_a_reason() {
    let cases = [
        ("nothing but magic", "f3899ac2", Some("too_short")),
        ("magic and digest without a body", "f3899ac2d41d8cd98f00b204e9800998ecf8427e", Some("too_short")),
        ("three bytes of the magic", "f3899a", Some("no_magic")),
        ("one byte", "00", Some("no_magic")),
        ("text", "68656c6c6f", Some("no_magic")),
        (
            "a changed digest",
            "f3899ac20a01611a0508001a0178274fa4a221609241966b02c7afbf4282",
            Some("digest_mismatch"),
        ),
        (
            "a byte appended",
            "f3899ac20a01611a0508001a0178274fa4a221609241966b02c7afbf428321",
            Some("digest_mismatch"),
        ),
        (
            "hash key index",
            "f3899ac20a01611a07080010001a0178ccd24a905ea259b5aad14fb638643ddf",
            Some("malformed"),
        ),
        ("no user records", "f3899ac20a0161120131e7171402d67a51492f71e440a541ce6c", None),
    ];
    for (name, payload, reason) in cases {
        let data = base64(&decode_hex(payload));
        let line = |key: &str| reason.map_or(String::new(), |reason| plain(0, key, &data, reason, ""));
        let outcome = run("deaggregate -q --input hex", payload.as_bytes()).clean(name);
        assert_eq!(outcome.text(), line("null"), "{name}: hex");
        let outcome = run("deaggregate -q --input raw", &decode_hex(payload)).clean(name);
        assert_eq!(outcome.text(), line("null"), "{name}: raw");
        let entry = format!(r#"{{"PartitionKey": "outer", "Data": "{data}"}}"#);
        let outcome = run("deaggregate -q", entry.as_bytes()).clean(name);
        assert_eq!(outcome.text(), line("\"outer\""), "{name}: with a key");
    }
}

#[test]
fn metadata_is_copied_verbatim() {
    let cases = [
        (
            "an integer",
            r#""ApproximateArrivalTimestamp": 1732350001"#,
            r#","approximateArrivalTimestamp":1732350001"#,
        ),
        (
            "trailing zeros",
            r#""ApproximateArrivalTimestamp": 1732350001.000"#,
            r#","approximateArrivalTimestamp":1732350001.000"#,
        ),
        (
            "more digits than a double has",
            r#""ApproximateArrivalTimestamp": 1732350000.12345678901234567890"#,
            r#","approximateArrivalTimestamp":1732350000.12345678901234567890"#,
        ),
        (
            "an exponent",
            r#""ApproximateArrivalTimestamp": 1.73235E+9"#,
            r#","approximateArrivalTimestamp":1.73235E+9"#,
        ),
        (
            "a string",
            r#""ApproximateArrivalTimestamp": "2024-11-23T09:20:02+01:00""#,
            r#","approximateArrivalTimestamp":"2024-11-23T09:20:02+01:00""#,
        ),
        (
            "null is absent",
            r#""ApproximateArrivalTimestamp": null, "SequenceNumber": null, "ShardId": null"#,
            "",
        ),
        ("sequence number", r#""SequenceNumber": "007""#, r#","sequenceNumber":"007""#),
        ("shard", r#""ShardId": "shardId-000000000007""#, r#","shardId":"shardId-000000000007""#),
        ("unknown member", r#""Other": {"Data": [1, null]}"#, ""),
    ];
    for (name, member, expected) in cases {
        for lines in [1, 2] {
            // As a line, and in a document that spans lines.
            let (begin, end) = if lines == 1 { ("", "") } else { ("[\n", "\n]") };
            let input = format!(r#"{begin}{{"Data": "eA==", {member}}}{end}"#);
            let outcome = run("deaggregate", input.as_bytes()).clean(name);
            assert_eq!(outcome.text(), plain(0, "null", "eA==", "no_magic", expected), "{name}, {lines}");
        }
    }
}

#[test]
fn a_plain_record_keeps_its_keys() {
    let input = br#"{"PartitionKey": "\u00e9\u0000", "ExplicitHashKey": "7", "Data": ""}"#;
    let line = run("deaggregate", input).clean("keys").values().remove(0);
    assert_eq!(line["partitionKey"], "é\0");
    assert_eq!(line["explicitHashKey"], "7");
    assert_eq!(line["data"], "");
}

#[test]
fn tags_are_a_list_of_pairs() {
    let input = br#"{"partitionKey": "a", "text": "x", "tags": [["k", "v"], ["", null]]}"#;
    let aggregated = run("aggregate", input).clean("aggregated");
    let outcome = run("deaggregate", &aggregated.stdout).clean("tags");
    let expected = "{\"record\":0,\"partitionKey\":\"a\",\"explicitHashKey\":null,\"data\":\"eA==\",\
                    \"subSequenceNumber\":0,\"aggregated\":true,\"tags\":[[\"k\",\"v\"],[\"\",null]]}\n";
    assert_eq!(outcome.text(), expected);
}

// AWS events, and the output of Python's library.

/// The members of a Kinesis record in an event.
struct EventRecord {
    data: Value,
    /// The members that Python's library puts into "kinesis", and around it.
    inside: Map<String, Value>,
    around: Map<String, Value>,
}

/// Returns the Kinesis records of an event.
fn records_of(event: &str, list: &str) -> Vec<EventRecord> {
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
            return EventRecord { data: record["data"].clone(), inside, around: Map::new() };
        };
        let data = kinesis.remove("data").unwrap();
        kinesis.remove("partitionKey").unwrap();
        EventRecord { data, inside: kinesis, around }
    };
    event[list].as_array().unwrap().iter().map(describe).collect()
}

#[test]
fn lines_have_every_member_of_an_event() {
    for (name, event, list) in AWS_EVENTS {
        let records = records_of(event, list);
        let expected = values(AWS_USER_RECORDS).into_iter().map(|mut user| {
            let EventRecord { inside, around, .. } =
                &records[usize::try_from(user["record"].as_u64().unwrap()).unwrap()];
            user.as_object_mut().unwrap().extend(inside.clone().into_iter().chain(around.clone()));
            user
        });
        let outcome = run("deaggregate -q", event.as_bytes()).clean(name);
        assert_eq!(outcome.values(), expected.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn lambda_output_is_what_python_returns() {
    for (name, event, list) in AWS_EVENTS {
        let records = records_of(event, list);
        let expected = values(AWS_USER_RECORDS).into_iter().map(|mut user| {
            let user = user.as_object_mut().unwrap();
            let EventRecord { data, inside, around } =
                &records[usize::try_from(user.remove("record").unwrap().as_u64().unwrap()).unwrap()];
            if user.remove("reason").is_some() {
                // A plain record stays as it is, without the members of user records.
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
        let outcome = run("deaggregate -q --output lambda", event.as_bytes()).clean(name);
        assert_eq!(outcome.values(), expected.collect::<Vec<_>>(), "{name}");
    }
}

/// Python's library does the same with the records that boto3 returns.
#[test]
fn lambda_output_works_for_every_input() {
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

/// The lines are records of Lambda events themselves: plain ones, except where the data is an aggregate again.
#[test]
fn lambda_output_can_be_read_again() {
    for (name, event, _) in AWS_EVENTS {
        let once = run("deaggregate -q --output lambda", event.as_bytes()).clean(name);
        let twice = run("deaggregate -q", &once.stdout).clean(name).values();
        for (line, user) in
            twice.iter().zip(values(AWS_USER_RECORDS)).filter(|(_, user)| user["partitionKey"] != "outer")
        {
            for member in ["partitionKey", "explicitHashKey", "data"] {
                assert_eq!(line[member], user[member], "{name}: {user}");
            }
        }
    }
}

#[test]
fn members_are_in_this_order() {
    let input = format!(
        r#"{{"Records": [{{"kinesis": {{"kinesisSchemaVersion": "1.0", "partitionKey": "a", "sequenceNumber": "7",
            "data": "{SMALLEST}", "approximateArrivalTimestamp": 1545084650.900, "x": [{{}}]}}, "eventSource": "aws:kinesis",
            "eventVersion": "1.0", "eventID": "shardId-000000000006:7", "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::1:role/r", "awsRegion": "eu-west-1", "eventSourceARN": "arn:s", "y": null}}]}}"#
    );
    // In the order of the event.
    let around = "\"eventID\":\"shardId-000000000006:7\",\"eventSource\":\"aws:kinesis\",\"eventVersion\":\"1.0\",\
                  \"eventName\":\"aws:kinesis:record\",\"invokeIdentityArn\":\"arn:aws:iam::1:role/r\",\
                  \"awsRegion\":\"eu-west-1\",\"eventSourceARN\":\"arn:s\"}\n";
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

// `--hash-range`.

/// Returns the user records inside a range, computed independently.
fn inside(start: u128, end: u128) -> Vec<OwnedRecord> {
    RECORDS.iter().filter(|event| (start..=end).contains(&hash_key(event))).cloned().collect()
}

#[test]
fn hash_range_keeps_what_is_inside() {
    let aggregated = run("aggregate --max-bytes 51200", EVENTS_JSONL).warned("aggregated").stdout;
    for (id, start, end) in OPEN {
        let outcome = run(&format!("deaggregate --hash-range {start}-{end}"), &aggregated);
        assert_eq!(outcome.status, Some(0), "{id}");
        assert!(outcome.user_records() == inside(start, end), "{id}");
        let outside = RECORDS.len() - inside(start, end).len();
        assert!(
            outcome.stderr.starts_with(&format!(
                "skipped {} user records with hash keys outside {start}-{end}",
                in_thousands(outside)
            )),
            "{id}: {}",
            outcome.stderr
        );
        let none = run(&format!("deaggregate --hash-range {start}-{end} --range all"), &aggregated);
        assert_eq!((none.status, none.text()), (Some(0), ""), "{id}: every aggregate is partly outside");
        assert!(none.stderr.starts_with("skipped 3,000 user records "), "{id}: {}", none.stderr);
    }
    let all = run(&format!("deaggregate --hash-range 0-{} --range all", u128::MAX), &aggregated);
    assert!(all.user_records() == *RECORDS);
    assert!(all.stderr.starts_with("skipped 0 user records "), "{}", all.stderr);
}

#[test]
fn sub_sequence_numbers_count_skipped_user_records() {
    let aggregated = run("aggregate", EVENTS_JSONL).warned("aggregated").stdout;
    let (_, start, end) = OPEN[0];
    let lines = run(&format!("deaggregate --hash-range {start}-{end}"), &aggregated).values();
    for line in lines {
        let number = usize::try_from(line["subSequenceNumber"].as_u64().unwrap()).unwrap();
        assert_eq!(OwnedRecord::read(&line), RECORDS[number]);
    }
}

#[test]
fn plain_records_pass_and_invalid_hash_keys_are_reported() {
    let plain = run("deaggregate --hash-range 0-0 --input raw", b"plain");
    assert_eq!((plain.status, plain.values().len()), (Some(0), 1));
    // The first user record has an explicit hash key that is not a number.
    let body = b"\x0a\x01a\x12\x03abc\x1a\x07\x08\x00\x10\x00\x1a\x01x\x1a\x05\x08\x00\x1a\x01y".as_slice();
    let payload = [b"\xf3\x89\x9a\xc2", body, &*md5::compute(body)].concat();
    for mode in ["each", "all"] {
        let range = format!("deaggregate --hash-range 0-{} --range {mode}", u128::MAX);
        let outcome = run(&range, &payload).failed(mode, &["1 user record "]);
        assert!(
            outcome.stderr.contains("record 0") && outcome.stderr.contains("\"abc\""),
            "{}",
            outcome.stderr
        );
        let lines = outcome.values();
        assert_eq!(
            (lines.len(), &lines[0]["data"]),
            (1, &Value::from("eQ==")),
            "{mode}: the other user record"
        );
    }
}

#[test]
fn hash_range_works_with_both_outputs() {
    for output in ["lines", "lambda"] {
        let line = format!("deaggregate --output {output} --hash-range 0-0 -");
        let outcome = run(&line, LAMBDA.as_bytes());
        assert_eq!(outcome.status, Some(0), "{output}");
        // The plain records, and the user record with the explicit hash key 0.
        assert_eq!(outcome.values().len(), 11, "{output}");
        assert!(outcome.stderr.contains("skipped 83 user records "), "{output}: {}", outcome.stderr);
    }
}

// Damaged aggregates.

#[test]
fn damaged_aggregates_cause_a_warning_each() {
    // The last byte of the digest is another one.
    let event = format!(
        r#"{{"Records": [{{"kinesis": {{"partitionKey": "a", "sequenceNumber": "1", "data": "{}C"}}}}]}}"#,
        &SMALLEST[..SMALLEST.len() - 1]
    );
    let folder = Folder::new(&[("event.json", event.as_bytes())]);
    for (name, options) in [("lines", ""), ("lambda", "--output lambda"), ("range", "--hash-range 0-1")] {
        let line = format!("deaggregate {options} event.json");
        let outcome = folder.run(&line, b"");
        assert_eq!(outcome.status, Some(0), "{name}");
        let warning = outcome.stderr.lines().next().unwrap();
        for part in ["warning: event.json", "record 0 (sequence number 1)", "digest_mismatch"] {
            assert!(warning.contains(part), "{name}: {part:?} is not in {warning}");
        }
        assert_eq!(outcome.values().len(), 1, "{name}: the record is written unchanged");

        let strict = folder.run(&format!("{line} --strict"), b"").failed(name, &["1 damaged aggregate"]);
        assert_eq!(strict.values(), outcome.values(), "{name}: the output is the same");
    }
    // What never was an aggregate is not damaged.
    run("deaggregate --strict", b"{\"Data\": \"eA==\"}").clean("plain");
    run("deaggregate --strict tests/data/kpl.bin", b"").clean("aggregate");
    let quiet = folder.run("deaggregate --quiet --strict event.json", b"");
    assert_eq!((quiet.status, &*quiet.stderr), (Some(1), "error: 1 damaged aggregate\n"));
}

#[test]
fn text_takes_the_place_of_data_where_it_is_utf8() {
    let lines = br#"{"partitionKey": "a", "text": "21.5 \u00b0C\n"}
{"partitionKey": "a", "data": "//4="}
{"partitionKey": "a", "text": ""}"#;
    let aggregated = run("aggregate", lines).clean("aggregate").stdout;
    let users = run("deaggregate --text", &aggregated).clean("text");
    let values = users.values();
    assert_eq!((&values[0]["text"], &values[0]["data"]), (&Value::from("21.5 °C\n"), &Value::Null));
    assert_eq!((&values[1]["text"], &values[1]["data"]), (&Value::Null, &Value::from("//4=")));
    assert_eq!(values[2]["text"], "");
    // `aggregate` reads it again.
    assert_eq!(run("aggregate", &users.stdout).clean("again").stdout, aggregated);
}
