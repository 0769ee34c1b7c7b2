//! `kinesis-agg bench`: what it runs on, and what it prints. How fast anything is, is nobody's promise.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic fails the test, as it should")]

use serde_json::Value;

use super::support::{EVENTS_JSONL, Folder, KPL_BIN, hex, run};

const OPERATIONS: [&str; 7] = [
    "pack, canonical",
    "pack, streamed",
    "take apart, verified",
    "take apart, unverified",
    "take apart, in batches",
    "digest, one by one",
    "digest, side by side",
];

/// Holds that there is a line for each operation, and all about so many user records: packed, and taken apart.
#[track_caller]
fn holds(name: &str, lines: &[Value], packed: u64, taken_apart: u64) {
    let names: Vec<&str> = lines.iter().map(|line| line["operation"].as_str().unwrap()).collect();
    assert_eq!(names, OPERATIONS, "{name}");
    for line in lines {
        let packs = line["operation"].as_str().unwrap().starts_with("pack");
        assert_eq!(line["userRecords"], if packs { packed } else { taken_apart }, "{name}: {line}");
        for member in ["bytes", "rounds", "seconds", "recordsPerSecond", "bytesPerSecond"] {
            assert!(line[member].as_f64().unwrap() > 0.0, "{name}: {member}: {line}");
        }
        let has_digest = ["pack, ", "verified", "batches"].iter().any(|part| {
            let operation = line["operation"].as_str().unwrap();
            operation.contains(part) && !operation.contains("unverified")
        });
        assert_eq!(line["digestShare"].is_number(), has_digest, "{name}: {line}");
    }
}

#[test]
fn on_what_is_made_up() {
    let outcome = run("bench --seconds 0", b"not read").clean("made up");
    let text = outcome.text();
    assert!(
        text.starts_with("100,000 user records of 95 bytes on average, with 256 partition keys, in "),
        "{text}"
    );
    for operation in OPERATIONS {
        assert_eq!(text.lines().filter(|line| line.trim_start().starts_with(operation)).count(), 1, "{text}");
    }
    assert!(text.contains("Medians of 1 rounds."), "{text}");
}

#[test]
fn on_files_of_any_form() {
    let packed = run("aggregate", EVENTS_JSONL).warned("packed").stdout;
    let hex_lines = format!("{0}\n{0}\n", hex(KPL_BIN));
    let folder = Folder::new(&[
        ("events", EVENTS_JSONL),
        ("entries", &packed),
        ("raw", KPL_BIN),
        ("hex", hex_lines.as_bytes()),
        ("plain", b"00\nff\n"),
    ]);
    for (files, count) in
        [("events", 3000), ("entries", 3000), ("raw", 4), ("hex", 8), ("events entries raw plain hex", 6012)]
    {
        let outcome = folder.run(&format!("bench --json --seconds 0 {files}"), b"").clean(files);
        holds(files, &outcome.values(), count, count);
    }
    let outcome = folder.run("bench --seconds 0 plain raw", b"").clean("plain");
    assert!(outcome.text().contains("not aggregated, 2.\n"), "{}", outcome.text());
    holds("standard input", &run("bench --json --seconds 0 -", EVENTS_JSONL).clean("-").values(), 3000, 3000);
}

/// What another producer packed need not be what may be packed.
#[test]
fn user_records_that_cannot_be_packed() {
    let entries = run("aggregate", EVENTS_JSONL).warned("packed").stdout;
    let outcome = run("bench --json --seconds 0 --max-bytes 160 -", &entries).clean("too large");
    let packed = outcome.values()[0]["userRecords"].as_u64().unwrap();
    assert!((1..3000).contains(&packed), "{packed}");
    holds("too large", &outcome.values(), packed, 3000);
    let outcome = run("bench --seconds 0 --max-bytes 160 -", &entries).clean("too large");
    let said = format!("too large for --max-bytes, {}.\n", 3000 - packed);
    assert!(outcome.text().replace(',', "").contains(&said.replace(',', "")), "{}", outcome.text());
}

/// A file that never ends is measured like any other: by its beginning.
#[test]
fn no_more_is_read_than_is_measured() {
    let line = format!("{{\"partitionKey\": \"k\", \"text\": \"{}\"}}\n", "t".repeat(100_000));
    let mut input = line.repeat(200).into_bytes();
    input.extend_from_slice(b"not read\n");
    let outcome = run("bench --seconds 0 -", &input).clean("cut");
    assert!(outcome.text().contains("\nThe input goes on: this is its beginning.\n"), "{}", outcome.text());
}

#[test]
fn bad_input() {
    let folder = Folder::new(&[
        ("events", b"{\"partitionKey\": \"k\", \"text\": \"x\"}\n\n{\"partitionKey\": \"k\"}\n"),
        ("key", b"{\"partitionKey\": \"\", \"text\": \"x\"}\n"),
        ("entries", b"{\"Data\": \"YQ==\"}\n{\"Data\": \"?\"}\n"),
        ("plain", b"YQ==\n"),
        ("empty", b""),
    ]);
    for (files, parts) in [
        ("events", &["events:3: ", "neither data nor text"][..]),
        ("key", &["key:1: ", "partition key"]),
        ("entries", &["entries:2: ", "record 1", "base64"]),
        ("plain entries", &["entries:2: ", "record 2", "base64"]),
        ("missing", &["missing: "]),
        ("plain", &["no user records"]),
        ("empty", &["no user records"]),
    ] {
        let outcome = folder.run(&format!("bench --seconds 0 {files}"), b"").failed(files, parts);
        assert_eq!(outcome.text(), "", "{files}");
    }
}
