//! Input that is odd but legal, and input that only looks legal.

use super::support::{EVENTS_JSONL, Folder, run};

#[test]
fn what_is_odd_and_taken() {
    let bom = "\u{feff}";
    for (name, line, input, lines) in [
        (
            "a byte-order mark before events",
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

#[test]
fn what_only_looks_right() {
    for (name, line, input, part) in [
        ("an event as a list", "aggregate", "[\"k\",null,null,\"hi\",null]", "a JSON object is expected"),
        ("an entry as a list", "deaggregate", "[[\"YQ==\",\"k\"]]", "a Kinesis record"),
        (
            "a time over lines",
            "deaggregate",
            "{\"Data\":\"YQ==\",\"ApproximateArrivalTimestamp\":{\"a\":\n[1]}}",
            "neither a number nor a text",
        ),
        ("URL-safe base64", "deaggregate --input base64", "_-8=", "URL-safe"),
        ("base64 without padding", "deaggregate --input base64", "YQ", "padding"),
    ] {
        assert_eq!(run(line, input.as_bytes()).failed(name, &[part]).text(), "", "{name}");
    }
}

#[test]
fn raw_output_names_the_line_that_is_too_many() {
    let outcome = run("aggregate --output raw --max-records 2 --group all", EVENTS_JSONL);
    // Three records begin the second aggregate; five hand it out.
    assert_eq!(outcome.failed("raw", &["standard input:5:", "--output raw"]).stdout, b"");
}

/// What is pending is bounded, so user records may come out that were added just now.
#[test]
fn verify_is_not_confused_by_the_bound_on_memory() {
    let text = "x".repeat(1_000_000);
    let lines: Vec<String> =
        (0..280).map(|i| format!("{{\"partitionKey\":\"k{i}\",\"text\":\"{text}\"}}\n")).collect();
    let folder = Folder::new(&[("large", lines.concat().as_bytes())]);
    let outcome = folder.run("verify --group partition-key large", b"").clean("verify");
    assert!(outcome.text().starts_with("280 user records were packed into 280"), "{}", outcome.text());
}

#[test]
fn names_of_files_cannot_command_a_terminal() {
    let folder = Folder::new(&[("esc\u{1b}[31mape", b"00")]);
    let outcome = super::support::finish(
        super::support::command("inspect")
            .arg("esc\u{1b}[31mape")
            .current_dir(folder.path())
            .spawn()
            .unwrap(),
        b"",
    );
    assert!(outcome.text().contains("esc\\u{1b}[31mape"), "{}", outcome.text());
}
