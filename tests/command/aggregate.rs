//! `kinesis-agg aggregate`: its input lines, the aggregates it makes of them, and its output formats.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::support::{
    EVENTS_JSONL, Entry, Folder, KPL_BIN, Outcome, OwnedRecord, RECORDS, SHARDS, hash_key, hex, owner, pipe,
    run,
};

const GOOD: &str = "{\"partitionKey\": \"k\", \"text\": \"x\"}\n";

/// A user record with the data `x`.
fn x(partition_key: &str) -> OwnedRecord {
    OwnedRecord {
        partition_key: partition_key.to_owned(),
        explicit_hash_key: None,
        data: b"x".to_vec(),
        tags: Vec::new(),
    }
}

/// Compares user records one by one, so that a failure shows the one that differs.
#[track_caller]
fn assert_same(name: &str, records: &[OwnedRecord], expected: &[OwnedRecord]) {
    for (number, (record, expected)) in records.iter().zip(expected).enumerate() {
        assert_eq!(record, expected, "{name}: user record {number}");
    }
    assert_eq!(records.len(), expected.len(), "{name}");
}

/// Asserts that lines number the Kinesis records from 0, and the user records in each.
#[track_caller]
fn assert_counted(name: &str, lines: &[Value]) {
    assert_eq!(lines.first().map(|line| &line["record"]), Some(&json!(0)), "{name}");
    let (mut record, mut user_record) = (0u64, 0u64);
    for line in lines {
        if line["record"] != record {
            (record, user_record) = (record.wrapping_add(1), 0);
        }
        assert_eq!(line["record"], record, "{name}: {line}");
        assert_eq!(line["subSequenceNumber"], user_record, "{name}: {line}");
        assert_eq!(line["aggregated"], true, "{name}: {line}");
        assert_eq!(line.get("reason"), None, "{name}: {line}");
        user_record = user_record.wrapping_add(1);
    }
}

// Input.

#[test]
fn valid_lines_become_user_records() {
    let longest_key = "\u{1f680}".repeat(256);
    let with_longest_key = format!(r#"{{"partitionKey": "{longest_key}", "text": "x"}}"#);
    let long_text = "x".repeat(300_000);
    let with_long_text = format!(r#"{{"partitionKey": "k", "text": "{long_text}"}}"#);
    let hash = |key: &str| OwnedRecord { explicit_hash_key: Some(key.to_owned()), ..x("k") };
    let data = |data: &[u8]| OwnedRecord { data: data.to_vec(), ..x("k") };
    let tagged = |key: &str, value: Option<&str>| OwnedRecord {
        tags: vec![(key.to_owned(), value.map(str::to_owned))],
        ..x("k")
    };
    let highest = "340282366920938463463374607431768211455";
    let with_highest = format!(r#"{{"partitionKey": "k", "explicitHashKey": "{highest}", "text": "x"}}"#);

    let cases = [
        ("text", r#"{"partitionKey": "k", "text": "x"}"#, x("k")),
        ("data", r#"{"partitionKey": "k", "data": "eA=="}"#, x("k")),
        ("no white space", r#"{"partitionKey":"k","text":"x"}"#, x("k")),
        ("white space around", "\t {\"partitionKey\": \"k\", \"text\": \"x\"} \t", x("k")),
        ("another order", r#"{"text": "x", "partitionKey": "k"}"#, x("k")),
        ("binary data", r#"{"partitionKey": "k", "data": "AAH+/w=="}"#, data(&[0, 1, 0xfe, 0xff])),
        ("empty data", r#"{"partitionKey": "k", "data": ""}"#, data(b"")),
        ("empty text", r#"{"partitionKey": "k", "text": ""}"#, data(b"")),
        ("text that is not ASCII", r#"{"partitionKey": "k", "text": "é東🚀"}"#, data("é東🚀".as_bytes())),
        (
            "escapes",
            r#"{"partitionKey": "\u006b", "text": "\u00e9\n\"\\\u0000\ud83d\ude80"}"#,
            data("é\n\"\\\0🚀".as_bytes()),
        ),
        ("escaped base64", r#"{"partitionKey": "k", "data": "eA\u003d\u003d"}"#, x("k")),
        ("long text", &with_long_text, data(long_text.as_bytes())),
        ("partition key of 256 characters", &with_longest_key, x(&longest_key)),
        (
            "control characters in a partition key",
            r#"{"partitionKey": "\u0000\u001b[31m", "text": "x"}"#,
            x("\0\x1b[31m"),
        ),
        ("hash key 0", r#"{"partitionKey": "k", "explicitHashKey": "0", "text": "x"}"#, hash("0")),
        ("highest hash key", &with_highest, hash(highest)),
        ("a tag", r#"{"partitionKey": "k", "text": "x", "tags": [["a", "b"]]}"#, tagged("a", Some("b"))),
        (
            "a tag with a null value",
            r#"{"partitionKey": "k", "text": "x", "tags": [["a", null]]}"#,
            tagged("a", None),
        ),
        ("no tags", r#"{"partitionKey": "k", "text": "x", "tags": []}"#, x("k")),
        ("null tags", r#"{"partitionKey": "k", "text": "x", "tags": null}"#, x("k")),
        ("null hash key", r#"{"partitionKey": "k", "explicitHashKey": null, "text": "x"}"#, x("k")),
        ("null data", r#"{"partitionKey": "k", "data": null, "text": "x"}"#, x("k")),
        ("null text", r#"{"partitionKey": "k", "data": "eA==", "text": null}"#, x("k")),
        ("unknown members", r#"{"partitionKey": "k", "text": "x", "id": 7, "": [{"a": null}]}"#, x("k")),
        ("names are case-sensitive", r#"{"partitionKey": "k", "text": "x", "Data": "?", "TEXT": 1}"#, x("k")),
        ("output of deaggregate", r#"{"record": 0, "partitionKey": "k", "data": "eA=="}"#, x("k")),
    ];
    for (ending, last) in [("\n", "\n"), ("\r\n", "\r\n"), ("\n\n \n\t\r\n", ""), ("\n", "")] {
        let lines: Vec<&str> = cases.iter().map(|(_, line, _)| *line).collect();
        let input = format!("{}{last}", lines.join(ending));
        let [aggregated, deaggregated] = pipe("aggregate", "deaggregate", input.as_bytes());
        aggregated.warned(&format!("lines ended by {ending:?}"));
        let records = deaggregated.user_records();
        for ((name, _, expected), record) in cases.iter().zip(&records) {
            assert_eq!(record, expected, "{name}, ended by {ending:?}");
        }
        assert_eq!(records.len(), cases.len(), "lines ended by {ending:?}");
    }
}

#[test]
fn empty_input_gives_empty_output() {
    for input in ["", "\n", "\r\n \n\t\n"] {
        for output in ["entries", "raw", "put-records --stream-name s"] {
            let outcome = run(&format!("aggregate --output {output}"), input.as_bytes()).clean(output);
            assert_eq!(outcome.text(), "", "{output} of {input:?}");
        }
    }
}

#[test]
fn invalid_lines_stop_the_command() {
    let long_key = format!(r#"{{"partitionKey": "{}", "text": "x"}}"#, "é".repeat(257));
    let too_large = format!(r#"{{"partitionKey": "k", "text": "{}"}}"#, "t".repeat(1_200_000));
    let cases: &[(&str, &[u8], &[&str])] = &[
        ("not JSON", b"partitionKey=k", &[]),
        ("truncated", br#"{"partitionKey": "k", "text": "x"#, &[]),
        ("two values on a line", br#"{"partitionKey": "k", "text": "x"} {}"#, &[]),
        ("not an object", br#""k""#, &[]),
        ("null", b"null", &[]),
        ("an empty object", b"{}", &["partitionKey"]),
        ("invalid UTF-8", b"{\"partitionKey\": \"\xff\", \"text\": \"x\"}", &[]),
        ("a lone surrogate", br#"{"partitionKey": "k", "text": "\ud800"}"#, &[]),
        ("no partition key", br#"{"text": "x"}"#, &["partitionKey"]),
        ("partition key in another case", br#"{"PartitionKey": "k", "text": "x"}"#, &["partitionKey"]),
        ("null partition key", br#"{"partitionKey": null, "text": "x"}"#, &[]),
        ("numeric partition key", br#"{"partitionKey": 42, "text": "x"}"#, &[]),
        ("empty partition key", br#"{"partitionKey": "", "text": "x"}"#, &["partition key", "256"]),
        ("partition key too long", long_key.as_bytes(), &["partition key", "257", "256"]),
        ("neither data nor text", br#"{"partitionKey": "k"}"#, &["data", "text"]),
        ("null data and text", br#"{"partitionKey": "k", "data": null, "text": null}"#, &["data", "text"]),
        ("both data and text", br#"{"partitionKey": "k", "data": "eA==", "text": "x"}"#, &["data", "text"]),
        ("numeric data", br#"{"partitionKey": "k", "data": 5}"#, &[]),
        ("invalid base64", br#"{"partitionKey": "k", "data": "e!=="}"#, &["data", "base64"]),
        ("truncated base64", br#"{"partitionKey": "k", "data": "eHh4e"}"#, &["data", "base64"]),
        ("unpadded base64", br#"{"partitionKey": "k", "data": "eA"}"#, &["data", "base64"]),
        ("hash key 2^128", &with_hash_key("340282366920938463463374607431768211456"), &["hash key"]),
        ("hash key of 40 digits", &with_hash_key("1000000000000000000000000000000000000000"), &["hash key"]),
        ("hash key with a leading zero", &with_hash_key("007"), &["hash key"]),
        ("negative hash key", &with_hash_key("-1"), &["hash key"]),
        ("hash key with a plus sign", &with_hash_key("+1"), &["hash key"]),
        ("hash key with a space", &with_hash_key(" 1"), &["hash key"]),
        ("hash key that is not a number", &with_hash_key("abc"), &["hash key"]),
        ("empty hash key", &with_hash_key(""), &["hash key"]),
        ("hash key as a JSON number", br#"{"partitionKey": "k", "text": "x", "explicitHashKey": 7}"#, &[]),
        ("tags that are not a list", br#"{"partitionKey": "k", "text": "x", "tags": {"a": "b"}}"#, &[]),
        ("a tag without value", br#"{"partitionKey": "k", "text": "x", "tags": [["a"]]}"#, &[]),
        ("a tag of three strings", br#"{"partitionKey": "k", "text": "x", "tags": [["a", "b", "c"]]}"#, &[]),
        ("a null tag key", br#"{"partitionKey": "k", "text": "x", "tags": [[null, "b"]]}"#, &[]),
        ("a numeric tag value", br#"{"partitionKey": "k", "text": "x", "tags": [["a", 1]]}"#, &[]),
        ("too large", too_large.as_bytes(), &["1200034", "1048576"]),
    ];
    let before = run("aggregate", GOOD.as_bytes()).clean("good").stdout;
    for &(name, line, parts) in cases {
        // Blank lines count, and nothing after the invalid line is read.
        let input = [GOOD.as_bytes(), b"\r\n", line, b"\n", GOOD.as_bytes()].concat();
        let folder = Folder::new(&[("events.jsonl", &input)]);
        let parts: Vec<&str> = ["events.jsonl:3: "].iter().chain(parts).copied().collect();
        let outcome = folder.run("aggregate events.jsonl", b"").failed(name, &parts);
        assert_eq!(outcome.stderr.lines().count(), 1, "{name}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, before, "{name}: pending user records");
        run("aggregate -", &input).failed(name, &["standard input:3: "]);
    }
}

fn with_hash_key(key: &str) -> Vec<u8> {
    format!(r#"{{"partitionKey": "k", "explicitHashKey": "{key}", "text": "x"}}"#).into_bytes()
}

#[test]
fn everything_before_an_invalid_line_is_written() {
    let lines: Vec<&[u8]> = EVENTS_JSONL.split_inclusive(|&byte| byte == b'\n').take(250).collect();
    let (good, bad) = (lines.concat(), b"{\"partitionKey\": \n".as_slice());
    for options in [
        "",
        "--max-records 100",
        "--max-records 1",
        "--max-bytes 6000",
        "--order streamed",
        "--group partition-key",
        "--group partition-key --order streamed",
        "--output put-records --stream-name s --max-records 1 --max-request-bytes 1048576",
        "--output put-records --stream-name s --max-records 2",
        "--output raw",
    ] {
        let aggregate = format!("aggregate {options}");
        let expected = run(&aggregate, &good);
        assert_eq!(expected.status, Some(0), "{options}: {}", expected.stderr);
        let outcome = run(&aggregate, &[&good, bad, &good].concat()).failed(options, &[":251: "]);
        assert!(outcome.stdout == expected.stdout, "{options}");
        assert_eq!(
            outcome.stderr.lines().count(),
            expected.stderr.lines().count() + 1,
            "{options}: the same warnings, and one error"
        );
    }
}

#[test]
fn unreadable_files_stop_the_command() {
    let folder = Folder::new(&[("good", GOOD.as_bytes()), ("bad", b"{}")]);
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let cases = [
        ("missing", "good missing good", "missing: "),
        ("a folder", "good folder good", "folder: "),
        ("invalid second file", "good bad good", "bad:1: "),
        ("invalid standard input", "good - good", "standard input:1: "),
    ];
    let before = run("aggregate", GOOD.as_bytes()).clean("good").stdout;
    for (name, files, part) in cases {
        let outcome = folder.run(&format!("aggregate {files}"), b"[]").failed(name, &[part]);
        assert_eq!(outcome.stdout, before, "{name}: pending user records");
    }
    folder.run("aggregate missing", b"").failed("nothing pending", &["missing: "]);
}

#[test]
fn files_are_read_in_order() {
    let (first, rest) =
        EVENTS_JSONL.split_at(EVENTS_JSONL.iter().position(|&byte| byte == b'\n').unwrap() + 1);
    // The end of a file ends a line.
    let folder = Folder::new(&[("first", first.trim_ascii_end()), ("rest", rest), ("empty", b"")]);
    let cases = [
        ("two files", "aggregate first rest", &b""[..]),
        ("an empty file between", "aggregate first empty rest", b""),
        ("standard input first", "aggregate - rest", first),
        ("standard input last", "aggregate first -", rest),
        ("standard input is empty", "aggregate first - rest", b""),
    ];
    for (name, aggregate, input) in cases {
        let aggregated = folder.run(aggregate, input).warned(name);
        assert_same(name, &run("deaggregate", &aggregated.stdout).clean(name).user_records(), &RECORDS);
    }
}

// Aggregates.

#[test]
fn deaggregate_returns_every_user_record_in_order() {
    let cases = [
        ("default", "aggregate", "deaggregate"),
        ("standard input by name", "aggregate -", "deaggregate -"),
        ("explicit formats", "aggregate --output entries", "deaggregate --input json"),
        ("small", "aggregate --max-bytes 51200", "deaggregate"),
        ("a hundred each", "aggregate --max-records 100", "deaggregate"),
        ("one each", "aggregate --max-records 1", "deaggregate"),
        ("streamed", "aggregate --order streamed", "deaggregate"),
        ("streamed, small", "aggregate --order streamed --max-bytes 8000", "deaggregate"),
        ("requests", "aggregate --output put-records --stream-name s", "deaggregate"),
        (
            "many requests",
            "aggregate --output put-records --stream-name s --max-records 2 --max-request-bytes 1048576",
            "deaggregate",
        ),
        ("raw", "aggregate --output raw", "deaggregate --input raw"),
        ("raw, streamed", "aggregate --output raw --order streamed", "deaggregate"),
    ];
    for (name, aggregate, deaggregate) in cases {
        let [aggregated, deaggregated] = pipe(aggregate, deaggregate, EVENTS_JSONL);
        aggregated.warned(name);
        let deaggregated = deaggregated.clean(name);
        assert_counted(name, &deaggregated.values());
        assert_same(name, &deaggregated.user_records(), &RECORDS);
    }
}

#[test]
fn tags_come_back() {
    let lines = br#"{"partitionKey": "a", "text": "0", "tags": [["k", "v"], ["k", null], ["", ""]]}
        {"partitionKey": "a", "text": "1"}
        {"partitionKey": "a", "text": "2", "tags": [["\u00fc", "\u0000"]], "explicitHashKey": "0"}"#;
    for options in ["", "--order streamed", "--group partition-key", "--max-records 1"] {
        let [aggregated, deaggregated] = pipe(&format!("aggregate {options}"), "deaggregate", lines);
        aggregated.clean(options);
        let deaggregated = deaggregated.clean(options);
        let records = deaggregated.user_records();
        let tag = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        assert_eq!(records[0].tags, [tag("k", Some("v")), tag("k", None), tag("", Some(""))], "{options}");
        assert_eq!(deaggregated.values()[1].get("tags"), None, "{options}: no member without tags");
        assert_eq!(records[2].tags, [tag("ü", Some("\0"))], "{options}");
    }
}

/// The output of `deaggregate` is valid input for `aggregate`: `null` counts as absent, and unknown members are ignored.
#[test]
fn an_aggregate_of_the_kpl_is_reproduced_byte_for_byte() {
    let [deaggregated, aggregated] = pipe("deaggregate tests/data/kpl.bin", "aggregate --output raw", b"");
    deaggregated.clean("deaggregate");
    assert_eq!(aggregated.warned("aggregate").stdout, KPL_BIN);
}

#[test]
fn order_decides_where_keys_are() {
    let input = b"{\"partitionKey\": \"a\", \"text\": \"x\"}\n{\"partitionKey\": \"b\", \"text\": \"y\"}\n";
    let canonical = "f3899ac2 0a0161 0a0162 1a0508001a0178 1a0508011a0179".replace(' ', "");
    let streamed = "f3899ac2 0a0161 1a0508001a0178 0a0162 1a0508011a0179".replace(' ', "");
    for (options, body) in
        [("", &canonical), ("--order canonical", &canonical), ("--order streamed", &streamed)]
    {
        let bytes = run(&format!("aggregate --output raw {options}"), input).warned(options).stdout;
        assert_eq!(hex(&bytes[..bytes.len() - 16]), **body, "{options}");
    }
}

/// The limit is exact.
#[test]
fn max_bytes_counts_data_and_partition_key() {
    let exact = r#"{"partitionKey": "a", "text": "x"}"#;
    let longer_key = r#"{"partitionKey": "é", "text": "x"}"#;
    // 34 bytes around the data: magic, key, two headers of 4 bytes, index, digest, outer partition key.
    let line_of = |len: usize| format!(r#"{{"partitionKey": "k", "text": "{}"}}"#, "t".repeat(len));
    let (fits, too_long) = (line_of(1_048_576 - 34), line_of(1_048_576 - 33));
    let larger = line_of(2_500_000);
    let cases = [
        ("30 bytes and a key of 1 byte", "--max-bytes 31", exact, true),
        ("one byte too few", "--max-bytes 30 --limit-bytes 30", exact, false),
        ("31 bytes and a key of 2 bytes", "--max-bytes 33", longer_key, true),
        ("bytes count, not characters", "--max-bytes 32 --limit-bytes 32", longer_key, false),
        ("1 MiB by default", "", &fits, true),
        ("more than 1 MiB", "", &too_long, false),
        ("more than 1 MiB on request", "--max-bytes 10485760", &larger, true),
        ("more than 1 MiB, alone", "--limit-bytes 10485760", &larger, true),
    ];
    for (name, options, line, fits) in cases {
        let outcome = run(&format!("aggregate {options}"), line.as_bytes());
        if fits {
            assert_eq!(outcome.clean(name).entries().len(), 1, "{name}");
        } else {
            assert_eq!(outcome.failed(name, &[":1: "]).text(), "", "{name}");
        }
    }
}

/// A target is not a limit: a user record above it goes alone, in order, as the KPL sends it.
#[test]
fn a_user_record_above_the_target_goes_alone() {
    let line = |text: &str| format!("{{\"partitionKey\": \"k\", \"text\": \"{text}\"}}\n");
    let large = "x".repeat(60_000);
    let lines = [line("a"), line("b"), line(&large), line("c"), line("d")].concat();
    for order in ["canonical", "streamed"] {
        let [aggregated, deaggregated] = pipe(
            &format!("aggregate --max-bytes 51200 --order {order}"),
            "deaggregate --text",
            lines.as_bytes(),
        );
        aggregated.clean(order);
        let users = deaggregated.clean(order).values();
        let seen: Vec<_> =
            users.iter().map(|user| (user["record"].as_u64(), user["text"].as_str())).collect();
        let expected = [(0, "a"), (0, "b"), (1, &large), (2, "c"), (2, "d")]
            .map(|(record, text)| (Some(record), Some(text)));
        assert!(seen == expected, "{order}");
    }
}

#[test]
fn oversize_user_records_stop_the_command_or_are_skipped() {
    let line = |len: usize| format!("{{\"partitionKey\": \"k\", \"text\": \"{}\"}}\n", "x".repeat(len));
    let lines = [line(1), line(500), line(2), line(600), line(3)].concat();
    let aggregate = "aggregate --max-bytes 200 --limit-bytes 400 --oversize";
    let lens = |outcome: &Outcome| -> Vec<usize> {
        let users = run("deaggregate", &outcome.stdout).clean("deaggregate").user_records();
        users.iter().map(|user| user.data.len()).collect()
    };
    let failed =
        run(&format!("{aggregate} fail"), lines.as_bytes()).failed("fail", &["standard input:2: ", " 400"]);
    assert_eq!(lens(&failed), [1]);
    let skipped =
        run(&format!("{aggregate} skip"), lines.as_bytes()).failed("skip", &["skipped 2 user records"]);
    assert_eq!(lens(&skipped), [1, 2, 3]);
    for place in ["standard input:2: ", "standard input:4: "] {
        assert!(skipped.stderr.contains(place), "{}", skipped.stderr);
    }
    // Invalid lines are not a matter of size.
    run("aggregate --oversize skip", b"{\"partitionKey\": \"\", \"text\": \"x\"}").failed("key", &[":1: "]);
}

/// E9.
#[test]
fn a_refusal_says_whether_the_data_fits_as_a_plain_record() {
    let line = |len: usize| format!(r#"{{"partitionKey": "k", "text": "{}"}}"#, "t".repeat(len));
    let aggregate = |len: usize| run("aggregate --max-bytes 100 --limit-bytes 100", line(len).as_bytes());
    aggregate(70).clean("100 bytes as an aggregate");
    aggregate(71).failed("72 bytes as a plain record", &[":1: ", " 101 ", " 100", " 72 "]);
    aggregate(99).failed("100 bytes as a plain record", &[":1: ", " 129 ", " 100 "]);
    let neither = aggregate(100).failed("101 bytes as a plain record", &[":1: ", " 130 ", " 100"]);
    assert!(!neither.stderr.contains("101"), "{}", neither.stderr);
}

#[test]
fn aggregates_are_within_max_bytes_and_full() {
    let cases = [
        ("little more than the largest user record", 6_000, "canonical"),
        ("two PUT payload units", 51_200, "canonical"),
        ("almost one aggregate", 300_000, "canonical"),
        ("default", 1_048_576, "canonical"),
        ("streamed, small", 6_000, "streamed"),
        ("streamed", 51_200, "streamed"),
    ];
    for (name, max_bytes, order) in cases {
        let aggregated =
            run(&format!("aggregate --max-bytes {max_bytes} --order {order}"), EVENTS_JSONL).warned(name);
        let lines = run("deaggregate", &aggregated.stdout).clean(name).values();
        let first_of =
            |record: usize| lines.iter().find(|line| line["record"] == record).map(OwnedRecord::read);
        let entries = aggregated.entries();
        for (number, entry) in entries.iter().enumerate() {
            assert!(entry.size() <= max_bytes, "{name}: {} bytes", entry.size());
            // E8: the outer keys are those of the first user record.
            let first = first_of(number).unwrap();
            assert_eq!(entry.partition_key, first.partition_key, "{name}");
            assert_eq!(entry.explicit_hash_key, first.explicit_hash_key, "{name}");
            // A user record takes its data, its keys if they are new, and up to 20 bytes of lengths and indexes.
            let Some(next) = first_of(number + 1) else { continue };
            let hash_key = next.explicit_hash_key.map_or(0, |key| key.len());
            let most = next.data.len() + next.partition_key.len() + hash_key + 20;
            assert!(entry.size() + most > max_bytes, "{name}: {} bytes leave space for {most}", entry.size());
        }
        assert_eq!(first_of(entries.len()), None, "{name}");
    }
}

#[test]
fn max_records_limits_the_user_records_of_an_aggregate() {
    for (max_records, kinesis_records) in [(1, 3000), (7, 429), (100, 30), (2999, 2), (3000, 1), (3001, 1)] {
        let name = format!("--max-records {max_records}");
        let [aggregated, deaggregated] = pipe(&format!("aggregate {name}"), "deaggregate", EVENTS_JSONL);
        aggregated.warned(&name);
        let lines = deaggregated.clean(&name).values();
        for (number, line) in lines.iter().enumerate() {
            assert_eq!(line["record"], number / max_records, "{name}: user record {number}");
        }
        assert_eq!(lines.last().unwrap()["record"], kinesis_records - 1, "{name}");
    }
}

// Groups and shards.

#[test]
fn grouping_by_partition_key_keeps_the_order_within_a_key() {
    // User records with the same partition key and different explicit hash keys may belong to different shards.
    let keys = |record: &OwnedRecord| (record.partition_key.clone(), record.explicit_hash_key.clone());
    let distinct: BTreeSet<_> = RECORDS.iter().map(keys).collect();
    let by_key = |records: &[OwnedRecord]| {
        let mut sorted = records.to_vec();
        sorted.sort_by_key(keys);
        sorted
    };
    for options in ["", "--max-bytes 8000", "--order streamed", "--max-records 7"] {
        let aggregate = format!("aggregate --group partition-key {options}");
        let [aggregated, deaggregated] = pipe(&aggregate, "deaggregate", EVENTS_JSONL);
        aggregated.clean(options);
        let deaggregated = deaggregated.clean(options);
        let lines = deaggregated.values();
        assert_counted(options, &lines);
        for pair in lines.windows(2) {
            if pair[0]["record"] == pair[1]["record"] {
                assert_eq!(pair[0]["partitionKey"], pair[1]["partitionKey"], "{options}");
            }
        }
        if options.is_empty() {
            assert_eq!(lines.last().unwrap()["record"], distinct.len() - 1, "one Kinesis record per key");
        }
        assert_same(options, &by_key(&deaggregated.user_records()), &by_key(&RECORDS));
    }
}

#[test]
fn mixed_partition_keys_cause_one_warning() {
    let line = |key: &str| format!("{{\"partitionKey\": \"{key}\", \"text\": \"x\"}}\n");
    let (a, b) = (line("a"), line("b"));
    let folder = Folder::new(&[("a", a.as_bytes()), ("b", b.as_bytes())]);
    let cases = [
        ("one user record", "", a.clone(), false),
        ("equal", "", a.repeat(3), false),
        ("different", "", [&*a, &a, &b, &a, &b].concat(), true),
        ("different in files", "a b - b", a.clone(), true),
        ("equal in files", "a - a", a.clone(), false),
        ("different, --group all", "--group all", [&*a, &b].concat(), true),
        ("different, --group partition-key", "--group partition-key", [&*a, &b, &a].concat(), false),
        ("different, put-records", "--output put-records --stream-name s", [&*a, &b].concat(), true),
        ("different, raw", "--output raw", [&*a, &b].concat(), true),
        ("different, streamed", "--order streamed", [&*a, &b].concat(), true),
    ];
    for (name, options, input, warns) in cases {
        let outcome = folder.run(&format!("aggregate {options}"), input.as_bytes());
        let outcome = if warns { outcome.warned(name) } else { outcome.clean(name) };
        assert!(!outcome.stdout.windows(7).any(|bytes| bytes == b"warning"), "{name}");
    }
}

/// Every user record is on the shard that owns its hash key, none is lost, and each partition key keeps its order.
#[test]
fn user_records_are_aggregated_by_shard() {
    for options in
        ["", "--max-bytes 8000", "--order streamed --max-bytes 51200", "--group shard --max-records 9"]
    {
        let aggregate = format!("aggregate {SHARDS} {options}");
        let [aggregated, deaggregated] = pipe(&aggregate, "deaggregate", EVENTS_JSONL);
        // No warning, because no aggregate mixes shards.
        aggregated.clean(options);
        let lines = deaggregated.clean(options).values();
        let mut by_key = BTreeMap::<_, Vec<_>>::new();
        for line in &lines {
            let record = OwnedRecord::read(line);
            assert_eq!(line["shardId"], owner(hash_key(&record)), "{options}");
            by_key.entry((record.partition_key.clone(), hash_key(&record))).or_default().push(record.data);
        }
        let mut expected = BTreeMap::<_, Vec<_>>::new();
        for record in &*RECORDS {
            let key = (record.partition_key.clone(), hash_key(record));
            expected.entry(key).or_default().push(record.data.clone());
        }
        assert!(by_key == expected, "{options}");
    }
}

#[test]
fn entries_have_a_shard_and_an_explicit_hash_key() {
    for group in ["", "--group all", "--group partition-key"] {
        let outcome = run(&format!("aggregate {SHARDS} --max-bytes 51200 {group}"), EVENTS_JSONL);
        for entry in outcome.values() {
            let key = entry["ExplicitHashKey"].as_str().unwrap().parse().unwrap();
            assert_eq!(entry["ShardId"], owner(key), "{group}");
        }
    }
    let requests = format!("aggregate {SHARDS} --output put-records --stream-name s");
    for request in run(&requests, EVENTS_JSONL).clean("requests").values() {
        for entry in request["Records"].as_array().unwrap() {
            assert!(entry["ExplicitHashKey"].is_string() && entry["ShardId"].is_null(), "{entry}");
        }
    }
}

// Output formats.

/// The bytes are the example in docs/wire-format.md.
#[test]
fn entries_have_exactly_these_members() {
    let line = run("aggregate", br#"{"partitionKey": "a", "text": "x"}"#).clean("one");
    assert_eq!(
        line.text(),
        "{\"PartitionKey\":\"a\",\"Data\":\"84mawgoBYRoFCAAaAXgnT6SiIWCSQZZrAsevv0KD\"}\n"
    );

    let input = br#"{"partitionKey": "\u001b\"\u00e9", "explicitHashKey": "0", "text": "x"}"#;
    let line = run("aggregate", input).clean("hash key");
    let begins = "{\"PartitionKey\":\"\\u001b\\\"é\",\"ExplicitHashKey\":\"0\",\"Data\":\"84mawg";
    assert!(line.text().starts_with(begins), "{}", line.text());
}

/// Reads requests, and asserts that each has exactly the two members.
fn requests(outcome: &Outcome) -> Vec<Vec<Entry>> {
    let values = outcome.values();
    for request in &values {
        let members: Vec<&String> = request.as_object().into_iter().flatten().map(|(name, _)| name).collect();
        assert_eq!(members, ["Records", "StreamName"], "serde_json sorts them");
        assert_eq!(request["StreamName"], "a-stream");
    }
    values
        .iter()
        .map(|request| request["Records"].as_array().into_iter().flatten().map(Entry::read).collect())
        .collect()
}

fn put_records(name: &str, options: &str, input: &[u8]) -> Outcome {
    let outcome = run(&format!("aggregate --output put-records --stream-name a-stream {options}"), input);
    assert_eq!(outcome.status, Some(0), "{name}: {}", outcome.stderr);
    outcome
}

#[test]
fn requests_are_within_their_limits_and_full() {
    let cases: [(&str, &str, usize); 6] = [
        ("default", "", 5 * 1024 * 1024),
        ("500 entries", "--max-records 1", 5 * 1024 * 1024),
        ("one entry at a time", "--max-bytes 8000 --limit-bytes 8000 --max-request-bytes 8000", 8000),
        ("a few entries", "--max-bytes 8000 --limit-bytes 8000 --max-request-bytes 30000", 30_000),
        (
            "bytes before entries",
            "--max-records 1 --max-bytes 8000 --limit-bytes 8000 --max-request-bytes 20000",
            20_000,
        ),
        (
            "streamed",
            "--max-bytes 8000 --limit-bytes 8000 --max-request-bytes 30000 --order streamed",
            30_000,
        ),
    ];
    for (name, options, max_request_bytes) in cases {
        let requests = requests(&put_records(name, options, EVENTS_JSONL));
        let size = |request: &[Entry]| request.iter().map(Entry::size).sum::<usize>();
        for request in &requests {
            assert!((1..=500).contains(&request.len()), "{name}: {} entries", request.len());
            assert!(size(request) <= max_request_bytes, "{name}: {} bytes", size(request));
        }
        for pair in requests.windows(2) {
            let would_fit = size(&pair[0]) + pair[1][0].size() <= max_request_bytes;
            assert!(pair[0].len() == 500 || !would_fit, "{name}: the next entry would have fit");
        }
        // The entries are those of `--output entries`.
        let options = options.split(" --max-request-bytes").next().unwrap();
        let order = if name == "streamed" { "--order streamed" } else { "" };
        let entries = run(&format!("aggregate {options} {order}"), EVENTS_JSONL).entries();
        let same = |a: &Entry, b: &Entry| {
            (&a.partition_key, &a.explicit_hash_key, &a.data)
                == (&b.partition_key, &b.explicit_hash_key, &b.data)
        };
        let flat: Vec<&Entry> = requests.iter().flatten().collect();
        assert_eq!(flat.len(), entries.len(), "{name}");
        assert!(flat.iter().zip(&entries).all(|(a, b)| same(a, b)), "{name}");
    }
}

#[test]
fn requests_have_at_most_500_entries() {
    let line = b"{\"partitionKey\": \"a\", \"text\": \"x\"}\n";
    for (entries, counts) in
        [(1, &[1][..]), (499, &[499]), (500, &[500]), (501, &[500, 1]), (1001, &[500, 500, 1])]
    {
        let name = format!("{entries} entries");
        let requests = requests(&put_records(&name, "--max-records 1", &line.repeat(entries)));
        let lens: Vec<usize> = requests.iter().map(Vec::len).collect();
        assert_eq!(lens, counts, "{name}");
    }
}

/// Each aggregate has 31 bytes, and its partition key 2.
#[test]
fn max_request_bytes_counts_data_and_partition_keys() {
    let line = "{\"partitionKey\": \"é\", \"text\": \"x\"}\n".as_bytes();
    for (max_request_bytes, counts) in
        [(33, [1, 1, 1]), (65, [1, 1, 1]), (66, [2, 1, 0]), (98, [2, 1, 0]), (99, [3, 0, 0])]
    {
        let name = format!("{max_request_bytes} bytes");
        let options = format!(
            "--max-records 1 --max-bytes 33 --limit-bytes 33 --max-request-bytes {max_request_bytes}"
        );
        let requests = requests(&put_records(&name, &options, &line.repeat(3)));
        let lens: Vec<usize> = requests.iter().map(Vec::len).collect();
        let expected: Vec<usize> = counts.into_iter().filter(|&count| count > 0).collect();
        assert_eq!(lens, expected, "{name}");
    }
}

/// Of six Kinesis records of 1 MiB, five fit.
#[test]
fn requests_have_at_most_5_mib_by_default() {
    let line = format!("{{\"partitionKey\": \"k\", \"text\": \"{}\"}}\n", "t".repeat(1_048_576 - 34));
    let requests = requests(&put_records("6 MiB", "", line.repeat(6).as_bytes()));
    let lens: Vec<usize> = requests.iter().map(Vec::len).collect();
    assert_eq!(lens, [5, 1]);
}

#[test]
fn raw_output_allows_one_aggregate() {
    let two = GOOD.repeat(2);
    let one = run("aggregate --output raw --max-records 2", two.as_bytes()).clean("one");
    assert_eq!(one.stdout.first(), Some(&0xf3));
    let cases = [
        // The fifth user record finishes the second aggregate.
        ("--max-records 2 --group all", EVENTS_JSONL, "standard input:5: "),
        ("--group partition-key", EVENTS_JSONL, "more than one Kinesis record"),
        ("--max-records 1", two.as_bytes(), "more than one Kinesis record"),
    ];
    for (options, input, part) in cases {
        let outcome = run(&format!("aggregate --output raw {options}"), input);
        let outcome = outcome.failed(options, &[part, "--output raw"]);
        assert_eq!(outcome.stdout, b"", "{options}: no part of the output");
    }
}
