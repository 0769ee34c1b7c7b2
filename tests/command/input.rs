//! The input of `deaggregate` and `inspect`: formats and how they are detected, JSON shapes, and errors in the input.

use core::ops::Add;

use serde_json::{Value, json};

use super::support::{Folder, KPL_BIN, LAMBDA, SMALLEST, base64, decode_base64, hex, run};

// Formats.

/// A name, an input, and its payloads.
type Case<'a> = (&'a str, &'a [u8], &'a [&'a [u8]]);

/// Returns the payloads that the command finds in an input.
fn payloads(name: &str, options: &str, input: &[u8]) -> Vec<Vec<u8>> {
    let outcome = run(&format!("deaggregate -q {options}"), input).clean(name);
    outcome.values().iter().map(|line| decode_base64(line["data"].as_str().unwrap_or_default())).collect()
}

#[test]
fn every_format_gives_the_same_payload() {
    let expected = run("deaggregate tests/data/kpl.bin", b"").clean("raw").stdout;
    let (in_hex, in_base64) = (hex(KPL_BIN), base64(KPL_BIN));
    let in_json = format!(r#"{{"Data": "{in_base64}"}}"#);
    let folder = Folder::new(&[
        ("kpl", KPL_BIN),
        ("hex", in_hex.as_bytes()),
        ("upper", in_hex.to_uppercase().as_bytes()),
        ("base64", in_base64.as_bytes()),
        ("json", in_json.as_bytes()),
    ]);
    for (file, form) in
        [("kpl", "raw"), ("hex", "hex"), ("upper", "hex"), ("base64", "base64"), ("json", "json")]
    {
        for options in ["".to_owned(), "--input auto".to_owned(), format!("--input {form}")] {
            let name = format!("{file} {options}");
            let outcome = folder.run(&format!("deaggregate {options} {file}"), b"").clean(&name);
            assert!(outcome.stdout == expected, "{name}");
            let summary =
                folder.run(&format!("inspect --json {options} {file}"), b"").clean(&name).values().remove(0);
            assert_eq!((&summary["kind"], &summary["bytes"]), (&"aggregated".into(), &495.into()), "{name}");
            let input = std::fs::read(folder.path().join(file)).unwrap();
            let outcome = folder.run(&format!("deaggregate {options}"), &input).clean(&name);
            assert!(outcome.stdout == expected, "{name}, piped");
        }
    }
}

#[test]
fn the_format_is_detected() {
    let long_hex = "ab".repeat(40_000);
    let long_base64 = "YWJj".repeat(20_000);
    let many_hex = "abcd\r\n".repeat(20_000);
    let many_base64 = "YWJjZA==\n".repeat(10_000);
    let cases: &[Case<'_>] = &[
        ("hex", b"deadbeef", &[b"\xde\xad\xbe\xef"]),
        ("hex in either case", b"DEADbeef\n", &[b"\xde\xad\xbe\xef"]),
        ("lines of hex", b"00\nff\n", &[b"\0", b"\xff"]),
        ("CRLF and white space", b" 00\r\n\r\n\tff \r\n", &[b"\0", b"\xff"]),
        ("hex that is valid base64 too", b"cafe\nbabe\n", &[b"\xca\xfe", b"\xba\xbe"]),
        ("only digits", b"1234", &[b"\x12\x34"]),
        ("a long line of hex", long_hex.as_bytes(), &[&[0xab; 40_000]]),
        ("base64", b"aGVsbG8=", &[b"hello"]),
        ("lines of base64", b"aGVsbG8=\nYQ==\n", &[b"hello", b"a"]),
        ("base64, CRLF and white space", b"aGVsbG8= \r\n\n YQ==\r\n", &[b"hello", b"a"]),
        ("base64, some lines of which are hex", b"zzzz\ncafe\n", &[b"\xcf\x3c\xf3", b"q\xa7\xde"]),
        ("base64 without padding", b"aGVsbG8", &[b"hello"]),
        ("URL-safe base64", b"_-8=\n-_8\n", &[b"\xff\xef", b"\xfb\xff"]),
        ("a line with nothing but zeros", b"00000000\n", &[&[0; 4]]),
        ("a long line of base64", long_base64.as_bytes(), &[&b"abc".repeat(20_000)]),
        ("an object", b"{\"Data\": \"YQ==\"}", &[b"a"]),
        ("a list", b"[{\"Data\": \"YQ==\"}, {\"Data\": \"Yg==\"}]", &[b"a", b"b"]),
        ("an object after white space", b"\r\n \t{\"Data\": \"YQ==\"}", &[b"a"]),
        ("text", b"hello world", &[b"hello world"]),
        ("text of several lines", b"hello\nworld\n", &[b"hello\nworld\n"]),
        ("invalid base64", b"aGVsbG8hh", &[b"aGVsbG8hh"]),
        ("bytes", b"\0\xff", &[b"\0\xff"]),
        ("only white space", b"  \n", &[b"  \n"]),
        ("the magic", b"\xf3\x89\x9a\xc2", &[b"\xf3\x89\x9a\xc2"]),
        ("the magic, then JSON", b"\xf3\x89\x9a\xc2{}\n\n", &[b"\xf3\x89\x9a\xc2{}\n\n"]),
        ("part of the magic", b"\xf3\x89\x9a", &[b"\xf3\x89\x9a"]),
        ("the magic after a space", b" \xf3\x89\x9a\xc2", &[b" \xf3\x89\x9a\xc2"]),
    ];
    for &(name, input, expected) in cases {
        assert_eq!(payloads(name, "", input), expected, "{name}");
    }
    assert_eq!(payloads("many lines of hex", "", many_hex.as_bytes()).len(), 20_000);
    assert_eq!(payloads("many lines of base64", "", many_base64.as_bytes()).len(), 10_000);
}

/// The first 64 KiB end inside a line, at its end, or a byte before or after.
#[test]
fn the_look_ahead_may_end_anywhere() {
    for len in (65_532..=65_544).step_by(4) {
        let name = format!("a line of {len} characters");
        let one = "YWJj".repeat(len / 4);
        assert_eq!(payloads(&name, "", one.as_bytes()), [b"abc".repeat(len / 4)], "{name}");
        let two = format!("{one}\nYQ==\n");
        assert_eq!(
            payloads(&name, "", two.as_bytes()),
            [b"abc".repeat(len / 4), b"a".to_vec()],
            "{name}, and another"
        );
        let hex = "0f".repeat(len / 2);
        assert_eq!(payloads(&name, "", hex.as_bytes()), [vec![0x0f; len / 2]], "{name}, hex");
        let json = format!("[\n{{\"Data\": \"{one}\"}}]");
        assert_eq!(payloads(&name, "", json.as_bytes()), [b"abc".repeat(len / 4)], "{name}, JSON");
    }
}

/// The first line decides. What is not of its format is an error, and the rest is read.
#[test]
fn lines_must_have_the_format_of_the_first() {
    let cases = [
        ("hex, then base64", "0000\n".repeat(2_000), "YQ==\n00\n", ":2001: "),
        ("hex that is valid base64 too, then base64", "cafe\n".repeat(2), "zzzz\n00\n", ":3: "),
        ("base64, then text", "YQ==\n".repeat(2_000), "hello world\nYQ==\n", ":2001: "),
        ("JSON, then hex", "{\"Data\": \"YQ==\"}\n".repeat(500), "00\n{\"Data\": \"YQ==\"}\n", ":501: "),
    ];
    for (name, beginning, end, place) in cases {
        let outcome = run("deaggregate -q", format!("{beginning}{end}").as_bytes()).failed(name, &[place]);
        assert_eq!(outcome.text().lines().count(), beginning.lines().count() + 1, "{name}");
    }
}

#[test]
fn a_choice_between_two_readings_is_said_once() {
    for (name, input, part) in [
        ("hex or base64", "deadbeef\ndeadbeef\n", "read as hex, but it is valid base64 as well"),
        ("base64 or text", "test\ntest\n", "read as base64, but it may be text"),
        ("wrapped or not", &"YWJj".repeat(19).add("\n").repeat(3), "each line is read as a payload"),
        ("a log", "INFO {\"Data\": \"YQ==\"}\nINFO {\"Data\": \"YQ==\"}\n", "read as a log"),
    ] {
        let outcome = run("deaggregate", input.as_bytes()).warned(name);
        assert!(outcome.stderr.contains(part), "{name}: {}", outcome.stderr);
        run("deaggregate -q", input.as_bytes()).clean(name);
    }
    for (name, options, input) in [
        ("hex", "--input hex", "deadbeef"),
        ("base64", "--input base64", "deadbeef"),
        ("hex that is nothing else", "", "beef00"),
        ("base64 that is nothing else", "", "aGVsbG8="),
        ("an aggregate in hex", "", &hex(KPL_BIN)),
    ] {
        run(&format!("deaggregate {options}"), input.as_bytes()).clean(name);
    }
}

#[test]
fn an_explicit_format_overrides_detection() {
    for (options, input, expected) in [
        ("--input base64", "cafe", b"q\xa7\xde".as_slice()),
        ("--input raw", "cafe", b"cafe"),
        ("--input raw", "{}\n", b"{}\n"),
        ("--input raw", "YQ==\n", b"YQ==\n"),
    ] {
        let name = format!("{input:?} {options}");
        assert_eq!(payloads(&name, options, input.as_bytes()), [expected], "{name}");
    }
}

#[test]
fn each_file_has_its_own_format() {
    let folder = Folder::new(&[
        ("hex", b"61"),
        ("base64", b"Yg=="),
        ("json", b"{\"Data\": \"Yw==\"}"),
        ("raw", KPL_BIN),
        ("text", b"e!"),
    ]);
    let outcome = folder.run("deaggregate hex base64 json raw text -", b"66").clean("files");
    let data: Vec<Vec<u8>> =
        outcome.values().iter().map(|line| decode_base64(line["data"].as_str().unwrap())).collect();
    assert_eq!(data[..3], [b"a", b"b", b"c"]);
    assert_eq!(data[7..], [b"e!".to_vec(), b"f".to_vec()]);
}

#[test]
fn empty_input_gives_empty_output() {
    let folder = Folder::new(&[("empty", b"")]);
    for form in ["auto", "hex", "base64", "json"] {
        for files in ["", "-", "empty", "empty - empty"] {
            let line = format!("deaggregate --input {form} {files}");
            assert_eq!(folder.run(&line, b"").clean(&line).text(), "", "{line}");
        }
    }
    for input in ["[]", "{\"Records\": []}", "{\"Records\": [], \"NextShardIterator\": \"AAA\"}\n[]\n"] {
        assert_eq!(run("deaggregate", input.as_bytes()).clean(input).text(), "", "{input}");
    }
}

// JSON.

#[test]
fn json_values_may_be_lines_lists_or_documents() {
    let (a, b, c) = (r#"{"Data": "YQ=="}"#, r#"{"Data":"Yg==","PartitionKey":"k"}"#, r#"{"Data": "Yw=="}"#);
    let cases = [
        ("lines", format!("{a}\n{b}\n{c}\n")),
        ("lines, CRLF and blank lines", format!("\r\n{a}\r\n\r\n{b}\r\n{c}")),
        ("a list on a line", format!("[{a}, {b}, {c}]\n")),
        ("a list that spans lines", format!("[\n  {a},\n  {b},\n\n  {c}\n]\n")),
        ("lists on lines", format!("[{a}, {b}]\n[]\n[{c}]\n")),
        ("a document on a line", format!("{{\"Records\": [{a}, {b}, {c}], \"MillisBehindLatest\": 0}}")),
        (
            "a document that spans lines",
            format!("{{\n\"MillisBehindLatest\": 0,\n\"Records\": [\n{a},\n{b},\n{c}\n]\n}}\n"),
        ),
        (
            "documents on lines",
            format!("{{\"Records\": [{a}]}}\n{{\"Records\": []}}\n{{\"Records\": [{b}, {c}]}}\n"),
        ),
        (
            "documents that span lines",
            format!("{{\"Records\": [\n{a}]\n}}\n{{\n\"Records\": [{b},\n{c}]}}\n"),
        ),
        ("a PutRecords request", format!("{{\"StreamName\": \"s\", \"Records\": [{a}, {b}, {c}]}}\n")),
        ("a line, then a document that spans lines", format!("{a}\n{{\"Records\": [\n{b}, {c}]}}\n")),
        ("a document that spans lines, then lines", format!("{{\"Records\": [\n{a}]}}\n{b}\n{c}\n")),
        ("records that span lines", format!("{}\n{b}\n{c}", a.replace(' ', "\n"))),
    ];
    for (name, input) in &cases {
        for options in ["", "--input json"] {
            assert_eq!(payloads(name, options, input.as_bytes()), [b"a", b"b", b"c"], "{name} {options}");
        }
    }
}

#[test]
fn missing_and_null_members_are_absent() {
    let aggregated = |rest: Value| {
        let mut line = json!({"record": 0, "partitionKey": "a", "explicitHashKey": null, "data": "eA==", "subSequenceNumber": 0, "aggregated": true});
        line.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        line
    };
    let cases = [
        ("only data, Lambda", json!({"kinesis": {"data": SMALLEST}}), json!({})),
        ("only data, Firehose", json!({"recordId": "1", "data": SMALLEST}), json!({"recordId": "1"})),
        (
            "no record ID",
            json!({"data": SMALLEST, "kinesisRecordMetadata": {"sequenceNumber": "7"}}),
            json!({"sequenceNumber": "7"}),
        ),
        (
            "sent to Firehose directly",
            json!({"recordId": "1", "approximateArrivalTimestamp": 1732350000123_u64, "data": SMALLEST, "kinesisRecordMetadata": null}),
            json!({"recordId": "1", "approximateArrivalTimestamp": 1732350000123_u64}),
        ),
        (
            "Kinesis Analytics after Firehose",
            json!({"recordId": "1", "data": SMALLEST, "kinesisFirehoseRecordMetadata": {"approximateArrivalTimestamp": 7}}),
            json!({"recordId": "1", "approximateArrivalTimestamp": 7}),
        ),
        (
            "arrival times of Firehose and of the stream",
            json!({"recordId": "1", "approximateArrivalTimestamp": 8, "data": SMALLEST, "kinesisRecordMetadata": {"approximateArrivalTimestamp": "2012-04-23T18:25:43.511Z"}}),
            json!({"recordId": "1", "approximateArrivalTimestamp": "2012-04-23T18:25:43.511Z"}),
        ),
        (
            "null members",
            json!({"eventID": null, "eventSource": null, "kinesis": {"data": SMALLEST, "sequenceNumber": null, "approximateArrivalTimestamp": null, "partitionKey": null, "kinesisSchemaVersion": null}, "recordId": null}),
            json!({}),
        ),
        ("null kinesis", json!({"kinesis": null, "Data": SMALLEST}), json!({})),
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

#[test]
fn unusual_input_is_accepted() {
    let bom = "\u{feff}";
    for (name, line, input, lines) in [
        (
            "a byte-order mark before user records",
            "aggregate",
            format!("{bom}{{\"partitionKey\":\"a\",\"text\":\"b\"}}"),
            1,
        ),
        ("a byte-order mark before entries", "deaggregate", format!("{bom}{{\"Data\":\"YQ==\"}}"), 1),
        ("a byte-order mark before a document", "deaggregate", format!("{bom}{{\n\"Data\":\"YQ==\"}}"), 1),
        ("a byte-order mark before hex", "deaggregate", format!("{bom}00\n01\n"), 2),
        ("two values on a line", "deaggregate", "{\"Data\":\"YQ==\"} {\"Data\":\"Yg==\"}\n".to_owned(), 2),
        ("a list in a list", "deaggregate", "[[{\"Data\":\"YQ==\"}],{\"Data\":\"Yg==\"}]".to_owned(), 2),
    ] {
        assert_eq!(run(line, input.as_bytes()).clean(name).values().len(), lines, "{name}");
    }
}

// Errors.

/// A name, the format, the input, how many payloads can be read, and parts of the message.
type InvalidCase<'a> = (&'a str, &'a str, &'a [u8], usize, &'a [&'a str]);

#[test]
fn invalid_input_is_reported() {
    let cases: &[InvalidCase<'_>] = &[
        ("odd number of hex digits", "auto", b"00\n\n00f\n00\n", 2, &[":3: "]),
        ("odd number of hex digits on the last line", "auto", b"00\n00\n0", 2, &[":3: "]),
        ("not a hex digit", "hex", b"00\r\n00\r\n0g\r\n", 2, &[":3: "]),
        ("digits apart", "hex", b"00\n0 0 0\n", 1, &[":2: "]),
        ("bytes as hex", "hex", KPL_BIN, 0, &[":1: "]),
        ("not base64", "base64", b"YQ==\n\nY!==\nYQ==\n", 2, &[":3: "]),
        ("truncated base64", "base64", b"YQ==\nYQ==\nYWJjZ\n", 2, &[":3: "]),
        ("bytes as base64", "base64", KPL_BIN, 0, &[":1: "]),
        ("bytes as JSON", "json", KPL_BIN, 0, &[":1: "]),
        ("a line that is not JSON", "auto", b"{\"Data\": \"YQ==\"}\nData\n", 1, &[":2: "]),
        ("a truncated line", "auto", b"{\"Data\": \"YQ==\"}\n\n{\"Data\": \"YQ", 1, &[":3: "]),
        ("a line truncated in an escape", "auto", b"{\"Data\": \"YQ==\"}\n{\"Data\": \"\\u00", 1, &[":2: "]),
        ("a brace too many", "auto", b"{\"Data\": \"YQ==\"}\n{\"Data\": \"YQ==\"}}\n", 2, &[":2: "]),
        ("a truncated list", "auto", b"[{\"Data\": \"YQ==\"}]\n[{\"Data\": \"YQ==\"}", 2, &[":2: "]),
        (
            "a truncated document",
            "auto",
            b"{\"Records\": [\n{\"Data\": \"YQ==\"},\n{\"Data\": \"YQ==\"}\n]}\n{\"Records\": [\n{\"Data\": \"YQ=",
            2,
            &[":6: "],
        ),
        (
            "an error inside a document",
            "auto",
            b"{\"Records\": [\n{\"Data\": \"YQ==\"}]}\n{\n\"Records\": [\n{\"Data\" \"YQ==\"}\n]}\n",
            1,
            &[":5: "],
        ),
        ("no Data", "auto", b"{\"Data\": \"YQ==\"}\n{\"PartitionKey\": \"k\"}\n", 1, &[":2: ", "record 1: ", "Data"]),
        ("null Data", "auto", b"{\"Data\": \"YQ==\"}\n{\"Data\": null}\n", 1, &[":2: ", "record 1: ", "Data"]),
        ("numeric Data", "auto", b"{\"Data\": \"YQ==\"}\n{\"Data\": 5}\n", 1, &[":2: "]),
        ("invalid base64 in Data", "auto", b"{\"Data\": \"YQ==\"}\n{\"Data\": \"Y\"}\n", 1, &[":2: ", "record 1: ", "data"]),
        (
            "no Data in a document",
            "auto",
            b"{\n\"Records\": [\n{\"Data\": \"YQ==\"},\n{\"Data\": \"YQ==\"},\n{}\n]}",
            2,
            &["record 2: ", "Data"],
        ),
        (
            "invalid base64 in Data, in a document",
            "auto",
            b"{\"Records\": [{\"Data\": \"YQ==\"}, {\"Data\": \"?\"}, {\"Data\": \"YQ==\"}]}",
            2,
            &["record 1: ", "data"],
        ),
        ("a control character in a string", "auto", b"{\"Data\": \"YQ==\", \"PartitionKey\": \"\xc3\xaf\\n\r\"}\n{\"Data\": \"YQ==\"}\n", 1, &[":1: ", "control character"]),
        ("an object that is not a record", "auto", b"{\"a\": 1}", 0, &[":1: ", "Data"]),
        ("a list without records", "auto", b"[true]", 0, &[":1: "]),
        ("a number that is not a byte", "auto", b"[1, 256]", 0, &[":1: "]),
        ("a list of a byte and a record", "auto", b"[1, {\"Data\": \"YQ==\"}]", 1, &[":1: "]),
        ("a truncated line among others", "auto", b"{\"Data\": \"YQ==\"}\n{\"Data\": \"YQ\n{\"Data\": \"YQ==\"}\n", 2, &[":2: "]),
        ("a line without its last brace", "auto", b"{\"Data\": \"YQ==\"\n{\"Data\": \"YQ==\"}\n", 1, &[":2: "]),
        ("a document without its end", "auto", b"{\"Records\": [\n {\"Data\": \"YQ==\"},\n{\"Records\": [\n {\"Data\": \"YQ==\"}]}", 2, &[":4: "]),
        ("a duplicate member", "auto", b"{\"Data\": \"YQ==\", \"Data\": \"YQ==\"}\n{\"Data\": \"YQ==\"}", 1, &[":1: ", "duplicate member Data"]),
        ("a duplicate member that is null", "auto", b"{\"Data\": null, \"Data\": \"YQ==\"}\n", 0, &["duplicate"]),
        ("a duplicate member in another case", "auto", b"{\"Data\": \"YQ==\", \"data\": \"YQ==\"}\n", 0, &["duplicate"]),
        ("duplicate lists", "auto", b"{\"Records\": [], \"Records\": []}\n", 0, &["duplicate"]),
        ("text that is not a user record", "auto", b"{\"text\": \"a\", \"level\": \"info\"}\n", 0, &["not a known shape"]),
        ("a log that looks like a list", "auto", b"[2024-11-23] hello\n", 0, &[":1: "]),
        ("Records is not a list", "auto", b"{\"Records\": 5}", 0, &[":1: "]),
        ("the second value on a line", "auto", b"  {\"Data\": \"YQ==\"} {\"Data\": 5}", 1, &[":1: ", "column 29: "]),
        ("numeric partition key", "auto", b"{\"Data\": \"YQ==\", \"PartitionKey\": 5}", 0, &[":1: "]),
    ];
    for &(name, form, input, rows, parts) in cases {
        let folder = Folder::new(&[("in.put", input)]);
        for command in ["deaggregate", "inspect --json"] {
            let line = format!("{command} --input {form} in.put");
            let outcome = folder.run(&line, b"");
            assert_eq!(outcome.status, Some(1), "{name}");
            let has_all =
                |line: &str| line.contains("in.put") && parts.iter().all(|part| line.contains(part));
            assert!(outcome.stderr.lines().any(has_all), "{name}: {}", outcome.stderr);
            assert_eq!(outcome.values().len(), rows, "{name}");
            assert!(outcome.text().is_empty() || outcome.text().ends_with("}\n"), "{name}: incomplete line");
        }
        // Up to the first error.
        let first = run(&format!("deaggregate --fail-fast --input {form}"), input);
        first.failed(name, &["standard input"]);
    }
}

#[test]
fn errors_in_events_name_the_place_and_the_member() {
    let good = r#"{"kinesis": {"data": "eA=="}}"#;
    for (name, record, part) in [
        ("no data, Lambda", r#"{"kinesis": {"partitionKey": "k"}}"#, "record 1: no \"data\" in \"kinesis\""),
        (
            "data outside kinesis, Lambda",
            r#"{"kinesis": {}, "data": "eA=="}"#,
            "record 1: no \"data\" in \"kinesis\"",
        ),
        (
            "data of a transformation, Lambda",
            r#"{"kinesis": {}, "recordId": "1", "data": "eA=="}"#,
            "record 1: no \"data\" in \"kinesis\"",
        ),
        (
            "data of a transformation before kinesis, Lambda",
            r#"{"recordId": "1", "kinesisRecordMetadata": {}, "data": "eA==", "kinesis": {}}"#,
            "record 1: no \"data\" in \"kinesis\"",
        ),
        ("null data, Lambda", r#"{"kinesis": {"data": null}}"#, "record 1: no \"data\" in \"kinesis\""),
        ("invalid base64, Lambda", r#"{"kinesis": {"data": "?"}}"#, "record 1: data: base64"),
        ("no data, Firehose", r#"{"recordId": "1"}"#, "record 1: no \"data\""),
        ("invalid base64, Firehose", r#"{"recordId": "1", "data": "eA"}"#, "record 1: data: base64"),
        (
            "data in the metadata, Firehose",
            r#"{"recordId": "1", "kinesisRecordMetadata": {"data": "eA=="}}"#,
            "no \"data\"",
        ),
        ("data inside and outside kinesis", r#"{"kinesis": {"data": "eA=="}, "data": "eA=="}"#, "beside it"),
        ("duplicate members", r#"{"kinesis": {"data": "eA==", "data": "eA=="}}"#, "duplicate member data"),
        ("duplicate objects", r#"{"kinesis": {"data": "eA=="}, "kinesis": {}}"#, "duplicate member kinesis"),
        (
            "a duplicate name of a shard",
            r#"{"kinesis": {"data": "eA=="}, "eventID": "a:1", "eventID": "b:1"}"#,
            "duplicate member eventID",
        ),
        ("an SQS record", r#"{"eventSource": "aws:sqs", "body": "x"}"#, "record 1: no \"Data\""),
        ("kinesis is a string", r#"{"kinesis": "eA=="}"#, "an object that describes"),
        ("kinesis is a list", r#"{"kinesis": ["eA=="]}"#, "an object that describes"),
        (
            "a list as time",
            r#"{"kinesis": {"data": "eA==", "approximateArrivalTimestamp": [1]}}"#,
            "neither a number nor a string",
        ),
        (
            "a boolean as time",
            r#"{"recordId": "1", "data": "eA==", "approximateArrivalTimestamp": true}"#,
            "neither a number nor a string",
        ),
        ("a numeric event ID", r#"{"kinesis": {"data": "eA=="}, "eventID": 5}"#, "expected a string"),
        ("data that is a number", r#"{"kinesis": {"data": 5}}"#, "expected base64 in a string"),
    ] {
        for input in
            [format!("{good}\n{record}\n"), format!("{{\"Records\": [\n{good},\n{record}\n]}}\n{good}\n")]
        {
            let folder = Folder::new(&[("in.json", input.as_bytes())]);
            for command in ["deaggregate", "deaggregate --output lambda", "inspect --json"] {
                let outcome = folder.run(&format!("{command} in.json"), b"").failed(name, &["in.json", part]);
                // The one after a document that is broken is read as well.
                let expected = if input.starts_with(good) { 1 } else { 2 };
                assert_eq!(outcome.values().len(), expected, "{name}: {command}");
            }
        }
        let on_a_line = run("deaggregate", format!("{good}\n{record}\n").as_bytes());
        on_a_line.failed(name, &["standard input:2: "]);
    }
}

#[test]
fn near_misses_are_reported() {
    for (name, line, input, part) in [
        ("a user record as a list", "aggregate", "[\"k\",null,null,\"hi\",null]", "expected a JSON object"),
        (
            "a time that spans lines",
            "deaggregate",
            "{\"Data\":\"YQ==\",\"ApproximateArrivalTimestamp\":{\"a\":\n[1]}}",
            "neither a number nor a string",
        ),
        ("base64 that is cut", "deaggregate --input base64", "YWJjZ", "cut short"),
        ("decimal numbers", "deaggregate", "10 20 30 40 50 60 70 255", "decimal numbers"),
        (
            "a user record on several lines",
            "aggregate",
            "{\n \"partitionKey\": \"a\",\n \"text\": \"x\"\n}",
            "on one line",
        ),
        (
            "text as data",
            "aggregate",
            "{\"partitionKey\": \"a\", \"data\": \"hello\"}",
            "belongs in \"text\"",
        ),
        (
            "a list of user records",
            "aggregate",
            "[{\"partitionKey\": \"a\", \"text\": \"x\"}]",
            "jq -c '.[]'",
        ),
        (
            "an entry",
            "aggregate",
            "{\"PartitionKey\": \"a\", \"Data\": \"eA==\"}",
            "expected {\"partitionKey\"",
        ),
        (
            "a duplicate member",
            "aggregate",
            "{\"partitionKey\": \"a\", \"text\": \"x\", \"text\": \"x\"}",
            "duplicate field `text`",
        ),
        ("shards", "deaggregate", "{\"Shards\": []}", "known are"),
    ] {
        assert_eq!(run(line, input.as_bytes()).failed(name, &[part]).text(), "", "{name}");
    }
}

#[test]
fn a_truncated_event_gives_its_complete_records() {
    let all = run("deaggregate -q --output lambda", LAMBDA.as_bytes()).clean("all");
    for end in (1..LAMBDA.trim_end().len()).rev().step_by(997) {
        let name = format!("truncated at {end}");
        // Possibly inside a character.
        let outcome = run("deaggregate -q --output lambda", &LAMBDA.as_bytes()[..end])
            .failed(&name, &["standard input:"]);
        assert!(all.text().starts_with(outcome.text()), "{name}");
        assert!(outcome.text().is_empty() || outcome.text().ends_with("}\n"), "{name}");
    }
}

#[test]
fn errors_number_records_as_the_output_does() {
    let folder = Folder::new(&[("good", b"00\n00\n"), ("bad", b"{\"Data\": \"YQ==\"}\n{}")]);
    let outcome = folder.run("deaggregate good bad", b"").failed("record 3", &["bad:2: ", "record 3: "]);
    assert_eq!(outcome.values().len(), 3);
}

#[test]
fn unreadable_files_stop_the_command() {
    let folder = Folder::new(&[("good", KPL_BIN)]);
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let one = folder.run("deaggregate good", b"").clean("good").stdout;
    for (name, files, part, before) in [
        ("missing", "good missing good", "missing: ", &*one),
        ("missing, alone", "missing", "missing: ", b""),
        ("a folder", "good folder good", "folder: ", &one),
    ] {
        for form in ["auto", "raw"] {
            let outcome =
                folder.run(&format!("deaggregate --input {form} {files}"), b"").failed(name, &[part]);
            assert_eq!(outcome.stdout, before, "{name}");
        }
    }
}

// Values in messages.

#[test]
fn messages_show_the_beginning_of_values() {
    let long = "SECRET".repeat(200_000);
    for (name, command, input) in [
        ("a string as a list", "deaggregate", format!("{{\"Records\": \"{long}?\"}}")),
        ("data", "deaggregate", format!("{{\"Data\": \"{long}?\"}}")),
        ("a line", "deaggregate --input hex", format!("{long}?")),
        ("a value in a list", "deaggregate", format!("[\"{long}?\"]")),
        ("a name", "deaggregate", format!("{{\"{long}\": 1}}")),
        ("a partition key", "deaggregate", format!("{{\"Data\": \"YQ==\", \"PartitionKey\": [\"{long}\"]}}")),
        ("a user record", "aggregate", long.clone()),
        ("data of a user record", "route", format!("{{\"partitionKey\": \"a\", \"data\": \"{long}?\"}}")),
        ("tags", "aggregate", format!("{{\"partitionKey\": \"a\", \"text\": \"\", \"tags\": \"{long}\"}}")),
    ] {
        let outcome = run(command, input.as_bytes()).failed(name, &["standard input:1"]);
        assert!(outcome.stderr.len() < 900, "{name}: {}", outcome.stderr);
        let hidden = run(&format!("{command} --no-values"), input.as_bytes()).failed(name, &[]);
        let is_name = name == "a name";
        assert!(is_name || !hidden.stderr.contains("SECRET"), "{name}: {}", hidden.stderr);
    }
}

#[test]
fn messages_have_no_control_characters() {
    let folder = Folder::new(&[]);
    for (name, command, input) in [
        ("a line", "deaggregate --input hex", "\u{1b}[31mred\u{7}\u{202e}"),
        ("data", "deaggregate", "{\"Data\": \"\\u001b[31m\\u0007\\u202e\"}"),
        ("a name", "deaggregate", "{\"\\u001b[31m\\u0007\\u202e\": 1}"),
        ("a type", "deaggregate", "{\"Records\": \"\\u001b[31m\\u0007\\u202e\"}"),
        ("a user record", "aggregate", "\u{1b}[31m\u{7}\u{202e}"),
    ] {
        let outcome = folder.run(command, input.as_bytes()).failed(name, &["31m"]);
        let is_safe = |char: char| char == '\n' || !char.is_control() && char != '\u{202e}';
        assert!(outcome.stderr.chars().all(is_safe), "{name}: {:?}", outcome.stderr);
    }
}

#[test]
fn many_errors_are_counted() {
    let outcome =
        run("deaggregate", b"00\n0g\n00\n0h\n").failed("two", &["2 lines or values could not be read"]);
    assert_eq!((outcome.values().len(), outcome.stderr.lines().count()), (2, 3), "{}", outcome.stderr);
    let records: Vec<u64> = outcome.values().iter().map(|line| line["record"].as_u64().unwrap()).collect();
    assert_eq!(records, [0, 2]);
    let outcome =
        run("deaggregate --fail-fast", b"00\n0g\n00\n0h\n").failed("fail fast", &[":2: record 1: "]);
    assert_eq!((outcome.values().len(), outcome.stderr.lines().count()), (1, 1), "{}", outcome.stderr);
}

// Lists of shards.

#[test]
fn shards_are_read_in_every_listing() {
    let listed: Value = serde_json::from_slice(include_bytes!("../data/list-shards.json")).unwrap();
    let shards = listed["Shards"].as_array().unwrap();
    let (first, second) = shards.split_at(3);
    let page = |shards: &[Value]| json!({"Shards": shards, "NextToken": "AAA"}).to_string();
    let description =
        |shards: &[Value]| json!({"StreamDescription": {"StreamName": "s", "Shards": shards}}).to_string();
    let user_records = &super::support::EVENTS_JSONL[..4_000];
    let user_records = &user_records[..=user_records.iter().rposition(|&byte| byte == b'\n').unwrap()];
    let folder = Folder::new(&[("records", user_records)]);
    let expected = run("route --shards tests/data/list-shards.json", user_records).clean("expected").stdout;
    for (name, text) in [
        ("pages", format!("{}\n{}", page(first), page(second))),
        ("an array of pages", format!("[{}, {}]", page(first), page(second))),
        ("an array of shards", Value::from(shards.clone()).to_string()),
        ("describe-stream", description(shards)),
        ("pages of describe-stream", format!("{}{}", description(first), description(second))),
        ("a byte-order mark", format!("\u{feff}{}", page(shards))),
    ] {
        std::fs::write(folder.path().join("shards"), &text).unwrap();
        let outcome = folder.run("route --shards shards records", b"").clean(name);
        assert!(outcome.stdout == expected, "{name}");
        let outcome = folder.run("route --shards - records", text.as_bytes()).clean(name);
        assert!(outcome.stdout == expected, "{name}, standard input");
    }
    for (name, text, part) in [
        (
            "a summary",
            "{\"StreamDescriptionSummary\": {\"StreamName\": \"s\"}}",
            "describe-stream-summary has no shards",
        ),
        (
            "records",
            "{\"Records\": []}",
            "list-shards` or `aws kinesis describe-stream`, but this object has \"Records\"",
        ),
        ("text", "shardId-000000000000", "expected"),
        ("a shard without a range", "{\"Shards\": [{\"ShardId\": \"s\"}]}", "HashKeyRange"),
    ] {
        std::fs::write(folder.path().join("shards"), text).unwrap();
        folder.run("route --shards shards records", b"").failed(name, &["shards: ", part]);
    }
}
