//! `kinesis-agg verify`: what it reports, and what makes it fail.

use super::support::{EVENTS_JSONL, Entry, Folder, RECORDS, SHARDS, in_thousands, run};

/// Returns the first two columns of the row with this title.
fn row<'a>(text: &'a str, title: &str) -> Vec<&'a str> {
    let row = text.lines().find_map(|line| line.trim_start().strip_prefix(title));
    row.unwrap_or_default().split_whitespace().take(2).collect()
}

#[test]
fn numbers_match_the_output_of_aggregate() {
    let data: usize = RECORDS.iter().map(|record| record.data.len()).sum();
    let keys: usize = RECORDS.iter().map(|record| record.partition_key.len()).sum();
    let separate_units: usize = RECORDS.iter().map(|record| record.data.len().div_ceil(25_000).max(1)).sum();
    for options in [
        "",
        "--max-bytes 51200",
        "--max-records 100",
        "--order streamed",
        "--order streamed --max-bytes 8000",
        "--group partition-key",
        "--group partition-key --order streamed",
    ] {
        let entries = run(&format!("aggregate {options}"), EVENTS_JSONL).entries();
        let verified = run(&format!("verify {options} tests/data/events.jsonl"), b"").clean(options);
        let text = verified.text();
        let aggregated: usize = entries.iter().map(Entry::size).sum();
        let bytes: usize = entries.iter().map(|entry| entry.data.len()).sum();
        let units: usize = entries.iter().map(|entry| entry.data.len().div_ceil(25_000)).sum();

        let said = format!("3,000 user records aggregated into {} Kinesis record", entries.len());
        assert!(text.starts_with(&said), "{options}: {text}");
        assert!(text.split("\n\n").next().unwrap().ends_with("equal"), "{options}: {text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{options}: {text}");
        assert_eq!(row(text, "Kinesis records"), ["3,000", &in_thousands(entries.len())], "{options}");
        assert_eq!(
            row(text, "bytes with partition keys"),
            [in_thousands(data + keys), in_thousands(aggregated)],
            "{options}"
        );
        assert_eq!(
            row(text, "PUT payload units of 25 KB"),
            [in_thousands(separate_units), in_thousands(units)],
            "{options}"
        );
        for part in [
            format!("{} bytes of data", in_thousands(data)),
            format!("{} bytes of overhead", in_thousands(bytes - data)),
        ] {
            assert!(text.contains(&part), "{options}: {part:?} is not in {text}");
        }
    }
}

#[test]
fn shards_are_respected() {
    let outcome = run(&format!("verify {SHARDS} --max-bytes 51200"), EVENTS_JSONL).clean("verify");
    assert!(
        outcome.text().starts_with("3,000 user records aggregated into 7 Kinesis records"),
        "{}",
        outcome.text()
    );
}

/// More is pending than the command keeps in memory.
#[test]
fn aggregates_finished_early_to_limit_memory_are_compared() {
    let text = "x".repeat(1_000_000);
    let lines: Vec<String> =
        (0..280).map(|i| format!("{{\"partitionKey\":\"k{i}\",\"text\":\"{text}\"}}\n")).collect();
    let folder = Folder::new(&[("large", lines.concat().as_bytes())]);
    let outcome = folder.run("verify --group partition-key large", b"").clean("verify");
    assert!(outcome.text().starts_with("280 user records aggregated into 280 "), "{}", outcome.text());
}

#[test]
fn the_report_has_the_time_of_each_step() {
    let outcome = run("verify --max-bytes 51200 tests/data/events.jsonl", b"").clean("verify");
    for step in ["read", "aggregate", "deaggregate", "compare"] {
        let [milliseconds, rate]: [f64; 2] = [0, 1]
            .map(|column| row(outcome.text(), &format!("{step} "))[column].replace(',', "").parse().unwrap());
        // Milliseconds are rounded to a tenth.
        let least = 3000.0 / ((milliseconds + 0.06) / 1000.0);
        assert!(rate >= least, "{step}: {milliseconds} ms, {rate} user records per second");
    }
}

#[test]
fn input_is_read_as_aggregate_does() {
    let line =
        r#"{"partitionKey": "a", "explicitHashKey": null, "data": "eA==", "tags": [["k", null]], "id": 7}"#;
    let folder = Folder::new(&[("one", line.as_bytes()), ("empty", b"\n")]);
    for (files, count) in
        [("one", "1 user record"), ("one - one", "3 user records"), ("empty", "0 user records")]
    {
        let outcome = folder.run(&format!("verify {files}"), line.as_bytes()).clean(files);
        assert!(outcome.text().starts_with(count), "{files}: {}", outcome.text());
    }
}

#[test]
fn invalid_input_is_reported() {
    let good = "{\"partitionKey\": \"k\", \"text\": \"x\"}\n";
    let too_large = format!("{good}{{\"partitionKey\": \"k\", \"text\": \"{}\"}}\n", "t".repeat(1000));
    let folder = Folder::new(&[
        ("json", format!("{good}{{\n{good}").as_bytes()),
        ("base64", format!("{good}\n{{\"partitionKey\": \"k\", \"data\": \"?\"}}\n").as_bytes()),
        ("large", too_large.as_bytes()),
    ]);
    let cases: [(&str, &[&str]); 5] = [
        ("verify json", &["json:2: "]),
        ("verify base64", &["base64:3: ", "data", "base64"]),
        ("verify --max-bytes 1000 --limit-bytes 1000 large", &["large:2: ", "1032", "1000"]),
        ("verify json base64", &["json:2: "]),
        ("verify missing", &["missing: "]),
    ];
    for (line, parts) in cases {
        let outcome = folder.run(line, b"").failed(line, parts);
        assert_eq!(outcome.text(), "", "{line}: no report");
    }
}
