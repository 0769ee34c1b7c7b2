//! Runs the command and parses its output.

#![expect(clippy::unwrap_used, reason = "a panic in a helper fails the test")]

use core::str;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::thread;

use data_encoding::{BASE64, HEXLOWER};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const EVENTS_JSONL: &[u8] = include_bytes!("../data/events.jsonl");
pub(crate) const KPL_BIN: &[u8] = include_bytes!("../data/kpl.bin");

/// The user records of `EVENTS_JSONL`.
pub(crate) static RECORDS: LazyLock<Vec<OwnedRecord>> =
    LazyLock::new(|| values(EVENTS_JSONL).iter().map(OwnedRecord::read).collect());

pub(crate) const LAMBDA: &str = include_str!("../data/aws/lambda.json");
pub(crate) const FIREHOSE: &str = include_str!("../data/aws/firehose.json");
pub(crate) const ANALYTICS: &str = include_str!("../data/aws/analytics.json");
/// The output of `deaggregate` for each of these events, without their metadata.
pub(crate) const AWS_USER_RECORDS: &[u8] = include_bytes!("../data/aws/user-records.jsonl");

/// Names and events, each with the name of its list of records.
pub(crate) const AWS_EVENTS: [(&str, &str, &str); 3] =
    [("lambda", LAMBDA, "Records"), ("firehose", FIREHOSE, "records"), ("analytics", ANALYTICS, "records")];

/// The smallest aggregate in base64: partition key "a", data "x".
pub(crate) const SMALLEST: &str = "84mawgoBYRoFCAAaAXgnT6SiIWCSQZZrAsevv0KD";

/// The exit status and output of the command.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// A user record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnedRecord {
    pub(crate) partition_key: String,
    pub(crate) explicit_hash_key: Option<String>,
    pub(crate) data: Vec<u8>,
    pub(crate) tags: Vec<(String, Option<String>)>,
}

/// A Kinesis record as `aggregate` writes it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) partition_key: String,
    pub(crate) explicit_hash_key: Option<String>,
    pub(crate) data: Vec<u8>,
}

/// A temporary folder with input files. The command runs in it, so that messages have the names given here.
pub(crate) struct Folder(TempDir);

/// Prepares a command whose arguments are the words of `line`. Paths are relative to the package's root.
pub(crate) fn command(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinesis-agg"));
    command.args(line.split_whitespace()).current_dir(env!("CARGO_MANIFEST_DIR"));
    // The environment of the tests must not turn on colors.
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "COLORTERM", "CI"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the command with this standard input.
pub(crate) fn run(line: &str, input: &[u8]) -> Outcome {
    finish(command(line).spawn().unwrap(), input)
}

/// Runs two commands with a pipe from the first to the second.
pub(crate) fn pipe(first: &str, second: &str, input: &[u8]) -> [Outcome; 2] {
    let mut first = command(first).spawn().unwrap();
    let between = first.stdout.take().unwrap();
    let second = command(second).stdin(between).spawn().unwrap();
    thread::scope(|scope| {
        let second = scope.spawn(|| Outcome::from(second.wait_with_output().unwrap()));
        let first = finish(first, input);
        [first, second.join().unwrap()]
    })
}

/// Writes the standard input of a command, and waits for it to exit.
pub(crate) fn finish(mut child: Child, input: &[u8]) -> Outcome {
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        // The command may exit without reading everything.
        scope.spawn(move || _ = stdin.write_all(input));
        child.wait_with_output().unwrap().into()
    })
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).unwrap();
        Self { status: output.status.code(), stdout: output.stdout, stderr }
    }
}

impl Outcome {
    /// Asserts success without messages.
    #[track_caller]
    pub(crate) fn clean(self, name: &str) -> Self {
        assert_eq!((self.status, &*self.stderr), (Some(0), ""), "{name}");
        self
    }

    /// Asserts success with one warning.
    #[track_caller]
    pub(crate) fn warned(self, name: &str) -> Self {
        assert_eq!((self.status, self.stderr.lines().count()), (Some(0), 1), "{name}: {}", self.stderr);
        assert!(self.stderr.starts_with("warning: "), "{name}: {}", self.stderr);
        self
    }

    /// Asserts exit status 1, and that the last message is an error that contains all of `parts`.
    #[track_caller]
    pub(crate) fn failed(self, name: &str, parts: &[&str]) -> Self {
        assert_eq!(self.status, Some(1), "{name}: {}", self.stderr);
        let message = self.stderr.lines().last().unwrap_or_default();
        assert!(message.starts_with("error: "), "{name}: {}", self.stderr);
        for part in parts {
            assert!(message.contains(part), "{name}: {part:?} is not in {message:?}");
        }
        self
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.stdout).unwrap()
    }

    pub(crate) fn values(&self) -> Vec<Value> {
        values(&self.stdout)
    }

    /// Parses the output of `deaggregate`.
    pub(crate) fn user_records(&self) -> Vec<OwnedRecord> {
        self.values().iter().map(OwnedRecord::read).collect()
    }

    /// Parses the output of `aggregate`.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.values().iter().map(Entry::read).collect()
    }
}

impl OwnedRecord {
    /// Parses a line of `aggregate`'s input or `deaggregate`'s output, which have the same members.
    pub(crate) fn read(line: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let tag = |tag: &Value| (text(&tag[0]).unwrap(), text(&tag[1]));
        Self {
            partition_key: text(&line["partitionKey"]).unwrap(),
            explicit_hash_key: text(&line["explicitHashKey"]),
            data: match text(&line["text"]) {
                Some(text) => text.into_bytes(),
                None => decode_base64(line["data"].as_str().unwrap()),
            },
            tags: line["tags"].as_array().into_iter().flatten().map(tag).collect(),
        }
    }
}

impl Entry {
    /// Parses an entry, and asserts that it has no other members. A member that is there is text.
    pub(crate) fn read(entry: &Value) -> Self {
        for (name, value) in entry.as_object().unwrap() {
            assert!(["PartitionKey", "ExplicitHashKey", "Data"].contains(&&**name), "{entry}");
            assert!(value.is_string(), "{entry}");
        }
        let text = |name: &str| entry[name].as_str().map(str::to_owned);
        Self {
            partition_key: text("PartitionKey").unwrap(),
            explicit_hash_key: text("ExplicitHashKey"),
            data: decode_base64(&text("Data").unwrap()),
        }
    }

    /// Returns the size as Kinesis counts it: data and partition key.
    pub(crate) fn size(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

/// Lists closed shards too.
pub(crate) const SHARDS: &str = "--shards tests/data/list-shards.json";

/// The open shards of `tests/data/list-shards.json`: 0 and 1 were split, and their inner halves merged.
pub(crate) const OPEN: [(&str, u128, u128); 3] = [
    ("shardId-000000000002", 0, (1 << 126) - 1),
    ("shardId-000000000006", 1 << 126, (3 << 126) - 1),
    ("shardId-000000000005", 3 << 126, u128::MAX),
];

/// Returns the hash key of a user record, computed independently.
pub(crate) fn hash_key(event: &OwnedRecord) -> u128 {
    match &event.explicit_hash_key {
        Some(key) => key.parse().unwrap(),
        None => u128::from_be_bytes(md5::compute(&event.partition_key).0),
    }
}

/// Returns the ID of the open shard that owns a hash key.
pub(crate) fn owner(key: u128) -> &'static str {
    OPEN.iter().find(|(_, start, end)| (*start..=*end).contains(&key)).unwrap().0
}

impl Folder {
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(TempDir::new().unwrap());
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs the command in the folder.
    pub(crate) fn run(&self, line: &str, input: &[u8]) -> Outcome {
        finish(command(line).current_dir(self.path()).spawn().unwrap(), input)
    }
}

/// Returns a number as the command shows it to people.
pub(crate) fn in_thousands(number: usize) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", in_thousands(number / 1000), number % 1000),
    }
}

/// Parses JSON Lines.
pub(crate) fn values(lines: &[u8]) -> Vec<Value> {
    str::from_utf8(lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

pub(crate) fn decode_base64(text: &str) -> Vec<u8> {
    BASE64.decode(text.as_bytes()).unwrap()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

pub(crate) fn decode_hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}
