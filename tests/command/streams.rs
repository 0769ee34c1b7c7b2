//! Streaming, memory, readers that close the pipe, and disks that are full.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use super::support::{EVENTS_JSONL, base64, command, finish, run};

// Output that cannot be written.

/// Returns the writing end of a pipe whose reader, another process, has ended.
fn closed_pipe() -> Stdio {
    let mut reader = command("--version").stdout(Stdio::null()).spawn().unwrap();
    let pipe = reader.stdin.take().unwrap();
    reader.wait().unwrap();
    pipe.into()
}

#[test]
fn a_closed_pipe_is_success() {
    for line in [
        "aggregate tests/data/events.jsonl --group partition-key",
        "aggregate tests/data/events.jsonl --group partition-key --output put-records --stream-name s",
        "aggregate tests/data/events.jsonl --group partition-key --order streamed",
        "deaggregate -q tests/data/get-records.json",
        "inspect -q tests/data/get-records.json",
        "inspect --json tests/data/get-records.json",
        "verify tests/data/events.jsonl",
        "--help",
        "--version",
    ] {
        finish(command(line).stdout(closed_pipe()).spawn().unwrap(), b"").clean(line);
    }
}

#[test]
fn a_closed_pipe_is_success_for_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        finish(command(&format!("completions {shell}")).stdout(closed_pipe()).spawn().unwrap(), b"")
            .clean(shell);
    }
}

/// As with `| head`: there is far more output than fits into the pipe.
#[test]
fn a_reader_that_stops_early_is_success() {
    let aggregated = run("aggregate --group partition-key", EVENTS_JSONL).clean("aggregated").stdout;
    for (line, input) in [
        ("aggregate --max-records 1 --group partition-key", EVENTS_JSONL),
        ("deaggregate", &aggregated),
        ("inspect", &aggregated),
        ("inspect --json", &aggregated.repeat(10)),
    ] {
        let mut child = command(line).spawn().unwrap();
        let mut beginning = [0; 10];
        // A thread reads the output while this one writes the input.
        let mut output = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || output.read_exact(&mut beginning).map(|()| beginning));
        let outcome = finish(child, input);
        outcome.clean(line);
        assert_eq!(reader.join().unwrap().unwrap().len(), 10, "{line}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    for line in [
        "aggregate tests/data/events.jsonl --group partition-key",
        "aggregate tests/data/events.jsonl --group partition-key --order streamed",
        "deaggregate -q tests/data/get-records.json",
        "inspect -q tests/data/get-records.json",
        "inspect --json tests/data/get-records.json",
        "verify tests/data/events.jsonl",
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        finish(command(line).stdout(full).spawn().unwrap(), b"").failed(line, &["output"]);
    }
}

/// Asserts that output and exit status are the same when messages cannot be written to `stderr`.
fn assert_messages_do_not_matter(stderr: impl Fn() -> Stdio) {
    let run_unheard = |line: &str| finish(command(line).stderr(stderr()).spawn().unwrap(), EVENTS_JSONL);
    let expected = run("aggregate", EVENTS_JSONL).warned("heard");
    let outcome = run_unheard("aggregate");
    assert_eq!((outcome.status, outcome.stdout == expected.stdout), (Some(0), true));
    assert_eq!(run_unheard("aggregate missing").status, Some(1));
    assert_eq!(run_unheard("aggregate --output put-records").status, Some(2));
}

#[test]
fn a_closed_standard_error_changes_nothing() {
    assert_messages_do_not_matter(closed_pipe);
}

#[cfg(target_os = "linux")]
#[test]
fn messages_to_a_full_disk_change_nothing() {
    assert_messages_do_not_matter(|| std::fs::File::options().write(true).open("/dev/full").unwrap().into());
}

// Input that does not end, or is long.

#[test]
fn output_does_not_wait_for_the_end_of_input() {
    let mut child = command("aggregate --max-bytes 6000").spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        _ = input.write_all(EVENTS_JSONL);
        input
    });
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"PartitionKey\":"), "{line}");
    // The input ends only now.
    drop(output);
    drop(writer.join().unwrap());
    child.wait().unwrap();
}

#[test]
fn a_document_without_end_is_streamed() {
    let mut child = command("deaggregate --output lambda").spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let record = format!(r#"{{"kinesis": {{"data": "{}"}}, "eventID": "s:1"}},"#, base64(&[0; 3000]));
    let writer = std::thread::spawn(move || {
        input.write_all(b"{\"Records\": [\n").unwrap();
        // Until the reader is gone.
        while writeln!(input, "{record}").is_ok() {}
    });
    let mut beginning = vec![0; 1 << 20];
    output.read_exact(&mut beginning).unwrap();
    drop(output);
    assert!(beginning.starts_with(b"{\"kinesis\":{\"kinesisSchemaVersion\":\"1.0\",\"data\":\"AAAA"));
    child.wait().unwrap();
    writer.join().unwrap();
}

/// Many values on one line take about as long as one value per line.
#[test]
fn many_values_on_a_line_take_linear_time() {
    let took = |between: &str| {
        let input = ["{\"Data\": \"YQ==\"}"; 20_000].join(between);
        let start = std::time::Instant::now();
        let output = run("deaggregate", input.as_bytes()).clean(between).stdout;
        (start.elapsed(), output)
    };
    let (on_lines, expected) = took("\n");
    let (on_one, output) = took(" ");
    assert!(output == expected);
    assert!(on_one < 10 * on_lines, "{on_one:?}, {on_lines:?} with one value per line");
}

/// Returns the peak memory of the command in KiB, when it has read the input except for what fits into a pipe.
#[cfg(target_os = "linux")]
#[track_caller]
fn peak_memory(line: &str, chunk: &[u8], chunks: usize) -> u64 {
    let mut child = command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for _ in 0..chunks {
        input.write_all(chunk).unwrap();
    }
    // The process is still there, because it waits for more.
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success(), "{line}");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn aggregate_uses_bounded_memory() {
    // From 60 MB of input, it keeps one or two aggregates of 1 MiB and some buffers.
    let peak = peak_memory("aggregate", EVENTS_JSONL, 122);
    assert!(peak < 24 * 1024, "aggregate: {peak} KiB");
}

#[cfg(target_os = "linux")]
#[test]
fn deaggregate_and_inspect_use_bounded_memory() {
    let line = format!("{{\"partitionKey\": \"k\", \"text\": \"{}\"}}\n", "t".repeat(100_000));
    let aggregated = run("aggregate --max-records 1", line.repeat(4).as_bytes()).clean("aggregated").stdout;
    for line in ["deaggregate", "inspect --json"] {
        let peak = peak_memory(line, &aggregated, 28);
        assert!(peak < 14 * 1024, "{line}: {peak} KiB of {} KB", aggregated.len() * 28 / 1000);
    }
}
