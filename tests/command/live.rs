//! Inputs that pause, and signals: what has been sent is written before more is sent.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a panic in a helper fails the test")]

use core::time::Duration;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::support::{EVENTS_JSONL, SHARDS, SMALLEST, command, decode_base64, finish, hex, run};

/// A command that would never write anything must not block the tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running command, and the lines that it writes.
struct Running {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Running {
    fn new(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if line.is_err() || sender.send(line.unwrap_or_default()).is_err() {
                    break;
                }
            }
        });
        Self { child, input, lines }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.input.write_all(bytes).unwrap();
        self.input.flush().unwrap();
    }

    /// Waits for the next line that contains this text.
    #[track_caller]
    fn wait_for(&self, text: &str, name: &str) {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return,
                Ok(_) => {}
                Err(error) => panic!("{name}: no {text:?}: {error}"),
            }
        }
    }

    /// Closes the input, and returns the lines that are left.
    fn end(mut self) -> Vec<String> {
        drop(self.input);
        let lines = self.lines.iter().collect();
        self.child.wait().unwrap();
        lines
    }
}

/// Sends one value, waits until it is written, and only then sends the next.
#[track_caller]
fn follows(name: &str, line: &str, values: &[(&[u8], &str)]) {
    let mut running = Running::new(&mut command(line));
    for &(value, written) in values {
        running.send(value);
        running.wait_for(written, name);
    }
    let rest = running.end();
    assert!(!rest.iter().any(|line| line.contains("\"record\"")), "{name}: {rest:?}");
}

#[test]
fn each_subcommand_follows_its_input() {
    let line = format!("{SMALLEST}\n");
    for (subcommand, written) in [
        ("deaggregate", "\"data\":\"eA==\""),
        ("deaggregate --text", "\"text\":\"x\""),
        ("deaggregate --output lambda", "\"data\":\"eA==\""),
        ("cat", "x"),
        ("inspect", "user record"),
        ("inspect --json", "\"kind\":\"aggregated\""),
    ] {
        follows(subcommand, subcommand, &[(line.as_bytes(), written); 3]);
    }
    let user_record: &[u8] = b"{\"partitionKey\": \"a\", \"text\": \"x\"}\n";
    for subcommand in ["route".to_owned(), format!("route {SHARDS}")] {
        follows(&subcommand, &subcommand, &[(user_record, "\"hashKey\""); 3]);
    }
    // Aggregates that are complete, which the next user record tells, and those that are old enough.
    let (two, three) = (user_record.repeat(2), user_record.repeat(3));
    let complete: [(&[u8], &str); 3] = [&three, &two, &two].map(|records| (&**records, "\"Data\""));
    follows("complete", "aggregate -q --max-records 2", &complete);
    follows("by age", "aggregate -q --max-age 0.01", &[(user_record, "\"Data\""); 3]);
    let requests = "aggregate -q --max-age 0.01 --output put-records --stream-name s";
    follows("requests by age", requests, &[(user_record, "\"Records\""); 3]);
}

#[test]
fn each_input_form_is_followed() {
    let written = ["\"record\":0,", "\"record\":1,", "\"record\":2,"];
    let entry = format!("{{\"Data\": \"{SMALLEST}\"}}");
    let in_hex = hex(&decode_base64(SMALLEST));
    let wrapped = format!("{}\n{}\n", &SMALLEST[..24], &SMALLEST[24..]);
    let dump: String = in_hex
        .as_bytes()
        .chunks(32)
        .enumerate()
        .map(|(line, hex)| format!("{:08x}: {}\n", 16 * line, str::from_utf8(hex).unwrap()))
        .collect();
    let row = format!("RECORDS\t1732350000\t{SMALLEST}\ta\t7\n");
    let cases: [(&str, [String; 3]); 14] = [
        ("base64", [(); 3].map(|()| format!("{SMALLEST}\n"))),
        ("hex", [(); 3].map(|()| format!("{in_hex}\n"))),
        ("wrapped base64", [(); 3].map(|()| wrapped.clone())),
        ("quoted base64", [(); 3].map(|()| format!("\"{SMALLEST}\"\n"))),
        ("base64 with tabs between", [(); 3].map(|()| format!("{SMALLEST}\t\n"))),
        ("hex dumps", [(); 3].map(|()| dump.clone())),
        ("a table", [(); 3].map(|()| row.clone())),
        ("JSON Lines", [(); 3].map(|()| format!("{entry}\n"))),
        ("JSON without newlines", [(); 3].map(|()| entry.clone())),
        ("JSON that spans lines", [(); 3].map(|()| entry.replace(' ', "\n"))),
        (
            "a document",
            [format!("{{\"Records\": [\n{entry}"), format!(",\n{entry}"), format!(",\n{entry}\n]}}\n")],
        ),
        (
            "a document on one line",
            [format!("{{\"Records\": [{entry}"), format!(", {entry}"), format!(", {entry}]}}")],
        ),
        (
            "a list of strings",
            [format!("[\"{SMALLEST}\""), format!(", \"{SMALLEST}\""), format!(", \"{SMALLEST}\"]")],
        ),
        ("a log", [(); 3].map(|()| format!("INFO {entry}\n"))),
    ];
    for (name, pieces) in &cases {
        let values: Vec<(&[u8], &str)> = pieces.iter().map(String::as_bytes).zip(written).collect();
        follows(name, "deaggregate -q", &values);
    }
}

/// A line that cannot be read is reported at once too.
#[test]
fn errors_come_when_they_are_found() {
    let mut child = command("deaggregate --input base64").spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    for number in 1..4 {
        input.write_all(b"?\n").unwrap();
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        assert!(line.starts_with(&format!("error: standard input:{number}: ")), "{line}");
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

/// When the input pauses has no influence on which user records are aggregated together.
#[test]
fn aggregates_do_not_depend_on_pauses() {
    let input = &EVENTS_JSONL[..200_000];
    let input = &input[..=input.iter().rposition(|&byte| byte == b'\n').unwrap()];
    for options in ["--max-bytes 20000", "--group partition-key", SHARDS] {
        let line = format!("aggregate -q {options}");
        let at_once = run(&line, input).clean(options).stdout;
        let mut running = Running::new(&mut command(&line));
        for part in input.chunks(30_001) {
            running.send(part);
            thread::sleep(Duration::from_millis(10));
        }
        let lines = running.end();
        assert!(lines.join("\n").as_bytes() == at_once.trim_ascii_end(), "{options}");
    }
}

/// The output is a terminal, and the input a named pipe, which is opened before anything writes to it.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_followed() {
    let folder = tempfile::TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    for (subcommand, value, written) in [
        ("deaggregate", format!("{SMALLEST}\n"), "eA=="),
        ("cat", format!("{SMALLEST}\n"), "x"),
        ("inspect", format!("{SMALLEST}\n"), "user record"),
        ("route", "{\"partitionKey\": \"a\"}\n".to_owned(), "hashKey"),
    ] {
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let line = format!("{} {subcommand} {}", env!("CARGO_BIN_EXE_kinesis-agg"), pipe.display());
        // `script` runs a command on its own terminal.
        let mut on_terminal = Command::new("script");
        on_terminal.args(["-qec", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let running = Running::new(&mut on_terminal);
        let mut input = std::fs::File::options().write(true).open(&pipe).unwrap();
        for _ in 0..3 {
            input.write_all(value.as_bytes()).unwrap();
            running.wait_for(written, subcommand);
        }
        drop(input);
        running.end();
        std::fs::remove_file(&pipe).unwrap();
    }
}

/// Sends `first`, waits for output, sends the rest, and then a signal without closing the input.
#[cfg(unix)]
fn interrupted(line: &str, first: &[u8], rest: &[u8], signal: &str) -> Vec<String> {
    let mut running = Running::new(&mut command(line));
    let mut lines = Vec::new();
    if !first.is_empty() {
        running.send(first);
        lines.push(running.lines.recv_timeout(PATIENCE).unwrap());
    }
    running.send(rest);
    let kill = format!("kill -{signal} {}", running.child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    lines.extend(running.lines.iter());
    let mut stderr = String::new();
    running.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let status = running.child.wait().unwrap().code();
    assert_eq!((status, &*stderr), (Some(0), ""), "{line}");
    lines
}

#[cfg(unix)]
#[test]
fn a_signal_loses_nothing_that_was_sent() {
    let user_records: String =
        (0..2000).map(|number| format!("{{\"partitionKey\": \"k\", \"text\": \"{number}\"}}\n")).collect();
    let aggregates = run("aggregate --max-records 1", user_records.as_bytes()).clean("aggregated").stdout;
    let (user_records, aggregates) = (user_records.as_bytes(), &*aggregates);
    for signal in ["TERM", "INT"] {
        for options in ["", "--max-records 7", "--group partition-key", "--max-age 100", SHARDS] {
            let line = format!("aggregate -q {options}");
            let entries = interrupted(&line, b"", user_records, signal).join("\n");
            let deaggregated = run("deaggregate --text", entries.as_bytes()).clean(&line).values();
            let texts: Vec<&str> = deaggregated.iter().map(|line| line["text"].as_str().unwrap()).collect();
            let expected: Vec<String> = (0..2000).map(|number| number.to_string()).collect();
            assert_eq!(texts, expected, "{line}");
        }
        for line in ["deaggregate", "inspect --json", "cat"] {
            assert_eq!(interrupted(line, b"", aggregates, signal).len(), 2000, "{line}");
        }
        assert_eq!(interrupted("route", b"", user_records, signal).len(), 2000);
    }
}

/// Text after the last complete line is not an error, because the input did not end there.
#[cfg(unix)]
#[test]
fn a_signal_inside_a_line_drops_the_line() {
    let entry = format!("{{\"Data\": \"{SMALLEST}\"}}");
    for (line, first, rest) in [
        ("deaggregate", format!("{SMALLEST}\n"), &SMALLEST[..20]),
        ("deaggregate", format!("{entry}\n"), "{\"Data\": \"84ma"),
        ("deaggregate", format!("{entry}\n"), "{\"Data\""),
        ("deaggregate", format!("{{\"Records\": [\n{entry},\n"), "{\"Dat"),
        ("route", "{\"partitionKey\": \"a\"}\n".to_owned(), "{\"part"),
    ] {
        let lines = interrupted(line, first.as_bytes(), rest.as_bytes(), "TERM");
        assert_eq!(lines.len(), 1, "{line}: {first}{rest}");
    }
    // A value that is complete is not dropped.
    let first = format!("{SMALLEST}\n");
    assert_eq!(interrupted("deaggregate", first.as_bytes(), SMALLEST.as_bytes(), "TERM").len(), 2);
}

/// A reader that has seen enough ends the command, even if the input goes on.
#[test]
fn a_limit_ends_the_command() {
    let mut child = command("cat --limit 2").spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(format!("{SMALLEST}\n").repeat(3).as_bytes()).unwrap();
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert_eq!((output.as_str(), child.wait().unwrap().code()), ("x\nx\n", Some(0)));
    drop(input);
    // Whether the input ends or not.
    let outcome = finish(command("cat --limit 2").spawn().unwrap(), format!("{SMALLEST}\n").as_bytes());
    assert_eq!(outcome.clean("ends").text(), "x\n");
}
