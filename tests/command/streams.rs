//! Readers that go away, disks that are full, and input that does not end.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic fails the test, as it should")]

use std::io::Read;
use std::process::Stdio;

use super::support::{EVENTS_JSONL, command, finish, run};

/// The writing end of a pipe that nobody reads any more: its reader was another process, and that has ended.
fn closed_pipe() -> Stdio {
    let mut reader = command("--version").stdout(Stdio::null()).spawn().unwrap();
    let pipe = reader.stdin.take().unwrap();
    reader.wait().unwrap();
    pipe.into()
}

#[test]
fn a_reader_that_was_never_there() {
    for line in [
        "aggregate tests/data/events.jsonl --group partition-key",
        "aggregate tests/data/events.jsonl --group partition-key --output put-records --stream-name s",
        "aggregate tests/data/events.jsonl --group partition-key --order streamed",
        "deaggregate tests/data/get-records.json",
        "inspect tests/data/get-records.json",
        "inspect --json tests/data/get-records.json",
        "verify tests/data/events.jsonl",
        "bench --seconds 0 tests/data/kpl.bin",
        "bench --json --seconds 0 tests/data/kpl.bin",
        "--help",
        "--version",
    ] {
        finish(command(line).stdout(closed_pipe()).spawn().unwrap(), b"").clean(line);
    }
}

#[test]
fn a_reader_of_completions_that_was_never_there() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        finish(command(&format!("completions {shell}")).stdout(closed_pipe()).spawn().unwrap(), b"")
            .clean(shell);
    }
}

/// Like `| head`: the reader takes a little, and there is far more than a pipe holds.
#[test]
fn a_reader_that_goes_away() {
    let packed = run("aggregate --group partition-key", EVENTS_JSONL).clean("packed").stdout;
    for (line, input) in [
        ("aggregate --max-records 1 --group partition-key", EVENTS_JSONL),
        ("deaggregate", &packed),
        ("inspect", &packed),
        ("inspect --json", &packed.repeat(10)),
    ] {
        let mut child = command(line).spawn().unwrap();
        let mut beginning = [0; 10];
        // Standard input has to be written meanwhile, so the output is handed over to a thread of its own.
        let mut output = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || output.read_exact(&mut beginning).map(|()| beginning));
        let outcome = finish(child, input);
        outcome.clean(line);
        assert_eq!(reader.join().unwrap().unwrap().len(), 10, "{line}");
    }
}

/// Runs a call whose messages go to `stderr`, and holds that nothing but they are lost.
fn holds_without_messages(stderr: impl Fn() -> Stdio) {
    let run_unheard = |line: &str| finish(command(line).stderr(stderr()).spawn().unwrap(), EVENTS_JSONL);
    let expected = run("aggregate", EVENTS_JSONL).warned("heard");
    let outcome = run_unheard("aggregate");
    assert_eq!((outcome.status, outcome.stdout == expected.stdout), (Some(0), true));
    assert_eq!(run_unheard("aggregate missing").status, Some(1));
    assert_eq!(run_unheard("aggregate --output put-records").status, Some(2));
}

#[test]
fn nobody_listens_to_messages() {
    holds_without_messages(closed_pipe);
}

#[cfg(target_os = "linux")]
#[test]
fn messages_go_to_a_disk_that_is_full() {
    holds_without_messages(|| std::fs::File::options().write(true).open("/dev/full").unwrap().into());
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full() {
    for line in [
        "aggregate tests/data/events.jsonl --group partition-key",
        "aggregate tests/data/events.jsonl --group partition-key --order streamed",
        "deaggregate tests/data/get-records.json",
        "inspect tests/data/get-records.json",
        "inspect --json tests/data/get-records.json",
        "verify tests/data/events.jsonl",
        "bench --seconds 0 tests/data/kpl.bin",
        "bench --json --seconds 0 tests/data/kpl.bin",
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        finish(command(line).stdout(full).spawn().unwrap(), b"").failed(line, &["output"]);
    }
}

#[test]
fn a_document_that_is_cut_gives_what_comes_before() {
    let input = b"{\"Records\": [\n{\"Data\": \"YQ==\"},\n{\"Data\": \"Yg==\"},\n{\"Data\": \"Y";
    let outcome = run("deaggregate", input).failed("cut", &[":4: "]);
    assert_eq!(outcome.values().len(), 2);
}

/// Output comes while input goes on: nobody waits for the end of a stream that has none.
#[test]
fn output_does_not_wait_for_the_end_of_input() {
    use std::io::{BufRead, BufReader, Write};
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
    // Only now does the input end.
    drop(output);
    drop(writer.join().unwrap());
    child.wait().unwrap();
}

/// Values behind each other on a line take as long as those on lines of their own, or little longer: not the square of it.
#[test]
fn many_values_on_a_line() {
    let took = |between: &str| {
        let input = ["{\"Data\": \"YQ==\"}"; 20_000].join(between);
        let start = std::time::Instant::now();
        let output = run("deaggregate", input.as_bytes()).clean(between).stdout;
        (start.elapsed(), output)
    };
    let (on_lines, expected) = took("\n");
    let (on_one, output) = took(" ");
    assert!(output == expected);
    assert!(on_one < 10 * on_lines, "{on_one:?}, and {on_lines:?} on lines of their own");
}

/// The peak of a process's memory in KiB, once it has read all of an input except for what fits a pipe.
#[cfg(target_os = "linux")]
#[track_caller]
fn peak_memory(line: &str, chunk: &[u8], chunks: usize) -> u64 {
    use std::io::Write;
    let mut child = command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for _ in 0..chunks {
        input.write_all(chunk).unwrap();
    }
    // It waits for more, so it is there to be asked.
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success(), "{line}");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded_however_long_the_input() {
    // 60 MB in, and what is kept is an aggregate or two of 1 MiB and some buffers.
    let peak = peak_memory("aggregate", EVENTS_JSONL, 122);
    eprintln!("{peak}");
    assert!(peak < 24 * 1024, "aggregate: {peak} KiB");
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded_however_many_payloads() {
    let line = format!("{{\"partitionKey\": \"k\", \"text\": \"{}\"}}\n", "t".repeat(100_000));
    let packed = run("aggregate --max-records 1", line.repeat(4).as_bytes()).clean("packed").stdout;
    for line in ["deaggregate", "inspect --json"] {
        let peak = peak_memory(line, &packed, 28);
        eprintln!("{line} {peak}");
        assert!(peak < 14 * 1024, "{line}: {peak} KiB of {} KB", packed.len().saturating_mul(28) / 1000);
    }
}
