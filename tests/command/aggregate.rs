//! `kinesis-agg aggregate`: what it takes, and the Kinesis records that come of it.

use super::support::{EVENTS_JSONL, Event, Folder, hex, pipe, run};

/// A user record with the data `x`.
fn x(partition_key: &str) -> Event {
    Event {
        partition_key: partition_key.to_owned(),
        explicit_hash_key: None,
        data: b"x".to_vec(),
        tags: Vec::new(),
    }
}

#[test]
fn lines_that_are_taken() {
    let longest_key = "\u{1f680}".repeat(256);
    let with_longest_key = format!(r#"{{"partitionKey": "{longest_key}", "text": "x"}}"#);
    let long_text = "x".repeat(300_000);
    let with_long_text = format!(r#"{{"partitionKey": "k", "text": "{long_text}"}}"#);
    let hash = |key: &str| Event { explicit_hash_key: Some(key.to_owned()), ..x("k") };
    let data = |data: &[u8]| Event { data: data.to_vec(), ..x("k") };
    let tagged = |key: &str, value: Option<&str>| Event {
        tags: vec![(key.to_owned(), value.map(str::to_owned))],
        ..x("k")
    };
    let highest = "340282366920938463463374607431768211455";
    let with_highest = format!(r#"{{"partitionKey": "k", "explicitHashKey": "{highest}", "text": "x"}}"#);

    let cases = [
        ("text", r#"{"partitionKey": "k", "text": "x"}"#, x("k")),
        ("data", r#"{"partitionKey": "k", "data": "eA=="}"#, x("k")),
        ("no blanks", r#"{"partitionKey":"k","text":"x"}"#, x("k")),
        ("blanks around", "\t {\"partitionKey\": \"k\", \"text\": \"x\"} \t", x("k")),
        ("another order", r#"{"text": "x", "partitionKey": "k"}"#, x("k")),
        ("data of bytes", r#"{"partitionKey": "k", "data": "AAH+/w=="}"#, data(&[0, 1, 0xfe, 0xff])),
        ("data of nothing", r#"{"partitionKey": "k", "data": ""}"#, data(b"")),
        ("text of nothing", r#"{"partitionKey": "k", "text": ""}"#, data(b"")),
        ("text that is not ASCII", r#"{"partitionKey": "k", "text": "é東🚀"}"#, data("é東🚀".as_bytes())),
        (
            "escapes",
            r#"{"partitionKey": "\u006b", "text": "\u00e9\n\"\\\u0000\ud83d\ude80"}"#,
            data("é\n\"\\\0🚀".as_bytes()),
        ),
        ("escaped base64", r#"{"partitionKey": "k", "data": "eA\u003d\u003d"}"#, x("k")),
        ("long text", &with_long_text, data(long_text.as_bytes())),
        ("a key of 256 characters", &with_longest_key, x(&longest_key)),
        ("a key of controls", r#"{"partitionKey": "\u0000\u001b[31m", "text": "x"}"#, x("\0\x1b[31m")),
        ("hash key 0", r#"{"partitionKey": "k", "explicitHashKey": "0", "text": "x"}"#, hash("0")),
        ("highest hash key", &with_highest, hash(highest)),
        ("a tag", r#"{"partitionKey": "k", "text": "x", "tags": [["a", "b"]]}"#, tagged("a", Some("b"))),
        ("a tag of null", r#"{"partitionKey": "k", "text": "x", "tags": [["a", null]]}"#, tagged("a", None)),
        ("no tags", r#"{"partitionKey": "k", "text": "x", "tags": []}"#, x("k")),
        ("tags null", r#"{"partitionKey": "k", "text": "x", "tags": null}"#, x("k")),
        ("hash key null", r#"{"partitionKey": "k", "explicitHashKey": null, "text": "x"}"#, x("k")),
        ("data null", r#"{"partitionKey": "k", "data": null, "text": "x"}"#, x("k")),
        ("text null", r#"{"partitionKey": "k", "data": "eA==", "text": null}"#, x("k")),
        ("unknown members", r#"{"partitionKey": "k", "text": "x", "id": 7, "": [{"a": null}]}"#, x("k")),
        ("other cases are unknown", r#"{"partitionKey": "k", "text": "x", "Data": "?", "TEXT": 1}"#, x("k")),
        ("output of deaggregate", r#"{"record": 0, "partitionKey": "k", "data": "eA=="}"#, x("k")),
    ];
    for (ending, last) in [("\n", "\n"), ("\r\n", "\r\n"), ("\n\n \n\t\r\n", ""), ("\n", "")] {
        let lines: Vec<&str> = cases.iter().map(|(_, line, _)| *line).collect();
        let input = format!("{}{last}", lines.join(ending));
        let [packed, unpacked] = pipe("aggregate", "deaggregate", input.as_bytes());
        packed.warned(&format!("lines ended by {ending:?}"));
        let events = unpacked.events();
        for ((name, _, expected), event) in cases.iter().zip(&events) {
            assert_eq!(event, expected, "{name}, ended by {ending:?}");
        }
        assert_eq!(events.len(), cases.len(), "lines ended by {ending:?}");
    }
}

#[test]
fn input_of_nothing_gives_nothing() {
    for input in ["", "\n", "\r\n \n\t\n"] {
        for output in ["entries", "raw", "put-records --stream-name s"] {
            let outcome = run(&format!("aggregate --output {output}"), input.as_bytes()).clean(output);
            assert_eq!(outcome.text(), "", "{output} of {input:?}");
        }
    }
}

/// The bytes are those of docs/wire-format.md.
#[test]
fn output_lines_to_the_letter() {
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

#[test]
fn orders() {
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

/// The bounds are exact, and count as Kinesis does: data and partition key.
#[test]
fn bounds_to_the_byte() {
    let exact = r#"{"partitionKey": "a", "text": "x"}"#;
    let longer_key = r#"{"partitionKey": "é", "text": "x"}"#;
    // Around data of this size: magic, key, two fields of 4 bytes in front, index, digest, outer key.
    let line_of = |len: usize| format!(r#"{{"partitionKey": "k", "text": "{}"}}"#, "t".repeat(len));
    let (fits, too_long) = (line_of(1_048_576 - 34), line_of(1_048_576 - 33));
    let larger = line_of(2_500_000);
    let cases = [
        ("30 bytes and a key of 1", "--max-bytes 31", exact, true),
        ("one byte too few", "--max-bytes 30", exact, false),
        ("31 bytes and a key of 2", "--max-bytes 33", longer_key, true),
        ("counted in bytes, not characters", "--max-bytes 32", longer_key, false),
        ("1 MiB by default", "", &fits, true),
        ("more than 1 MiB", "", &too_long, false),
        ("up to 10 MiB if asked for", "--max-bytes 10485760", &larger, true),
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

#[test]
fn no_kinesis_record_is_too_large_and_none_ends_early() {
    let cases = [
        ("as small as the longest log lets it be", 6_000, "canonical"),
        ("a provisioned unit or two", 51_200, "canonical"),
        ("all but fits one", 300_000, "canonical"),
        ("default", 1_048_576, "canonical"),
        ("streamed and small", 6_000, "streamed"),
        ("streamed", 51_200, "streamed"),
    ];
    for (name, max_bytes, order) in cases {
        let packed =
            run(&format!("aggregate --max-bytes {max_bytes} --order {order}"), EVENTS_JSONL).warned(name);
        let lines = run("deaggregate", &packed.stdout).clean(name).values();
        let first_of = |record: usize| lines.iter().find(|line| line["record"] == record).map(Event::read);
        let entries = packed.entries();
        for (number, entry) in entries.iter().enumerate() {
            assert!(entry.size() <= max_bytes, "{name}: {} bytes", entry.size());
            // E8: the outer keys are the first user record's own.
            let first = first_of(number).unwrap();
            assert_eq!(entry.partition_key, first.partition_key, "{name}");
            assert_eq!(entry.explicit_hash_key, first.explicit_hash_key, "{name}");
            // A user record takes its data, its keys if they are new, and up to 20 bytes of tags, lengths, indexes.
            let Some(next) = first_of(number + 1) else { continue };
            let hash_key = next.explicit_hash_key.map_or(0, |key| key.len());
            let most = next.data.len() + next.partition_key.len() + hash_key + 20;
            assert!(entry.size() + most > max_bytes, "{name}: {} bytes, and {most} fit too", entry.size());
        }
        assert_eq!(first_of(entries.len()), None, "{name}");
    }
}

#[test]
fn the_number_of_user_records_is_kept() {
    for (max_records, kinesis_records) in [(1, 3000), (7, 429), (100, 30), (2999, 2), (3000, 1), (3001, 1)] {
        let name = format!("--max-records {max_records}");
        let [packed, unpacked] = pipe(&format!("aggregate {name}"), "deaggregate", EVENTS_JSONL);
        packed.warned(&name);
        let lines = unpacked.clean(&name).values();
        for (number, line) in lines.iter().enumerate() {
            assert_eq!(line["record"], number / max_records, "{name}: user record {number}");
        }
        assert_eq!(lines.last().unwrap()["record"], kinesis_records - 1, "{name}");
    }
}

#[test]
fn different_partition_keys_are_warned_about_once() {
    let line = |key: &str| format!("{{\"partitionKey\": \"{key}\", \"text\": \"x\"}}\n");
    let (a, b) = (line("a"), line("b"));
    let folder = Folder::new(&[("a", a.as_bytes()), ("b", b.as_bytes())]);
    let cases = [
        ("one", "", a.clone(), false),
        ("equal", "", a.repeat(3), false),
        ("different", "", [&*a, &a, &b, &a, &b].concat(), true),
        ("different in files", "a b - b", a.clone(), true),
        ("equal in files", "a - a", a.clone(), false),
        ("different, said to share", "--group all", [&*a, &b].concat(), true),
        ("different, grouped", "--group partition-key", [&*a, &b, &a].concat(), false),
        ("different, in requests", "--output put-records --stream-name s", [&*a, &b].concat(), true),
        ("different, raw", "--output raw", [&*a, &b].concat(), true),
        ("different, streamed", "--order streamed", [&*a, &b].concat(), true),
    ];
    for (name, options, input, warns) in cases {
        let outcome = folder.run(&format!("aggregate {options}"), input.as_bytes());
        let outcome = if warns { outcome.warned(name) } else { outcome.clean(name) };
        assert!(!outcome.stdout.windows(7).any(|bytes| bytes == b"warning"), "{name}");
    }
}

#[test]
fn groups_hold_one_partition_key_each() {
    let input = ["a", "b", "a", "c", "b", "a"]
        .map(|key| format!("{{\"partitionKey\": \"{key}\", \"text\": \"x\"}}\n"))
        .concat();
    let outcome = run("aggregate --group partition-key", input.as_bytes()).clean("groups");
    let keys: Vec<String> = outcome.entries().into_iter().map(|entry| entry.partition_key).collect();
    assert_eq!(keys, ["a", "b", "c"]);
}
