//! Running the command, and reading what it writes.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic fails the test, as it should")]

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

/// What `EVENTS_JSONL` holds.
pub(crate) static EVENTS: LazyLock<Vec<Event>> =
    LazyLock::new(|| values(EVENTS_JSONL).iter().map(Event::read).collect());

/// How the command ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// A user record that owns what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
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

/// A folder of input files that the command runs in, so that messages name them as they are called here.
pub(crate) struct Folder(TempDir);

/// Prepares a call: what is between the blanks of `line` are the arguments. Paths are seen from the package's root.
pub(crate) fn command(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinesis-agg"));
    command.args(line.split_whitespace()).current_dir(env!("CARGO_MANIFEST_DIR"));
    // What the tests run in must not color what they see.
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "COLORTERM", "CI"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the command on some standard input.
pub(crate) fn run(line: &str, input: &[u8]) -> Outcome {
    finish(command(line).spawn().unwrap(), input)
}

/// Runs two calls with a pipe from the first to the second.
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

/// Gives a process that was started its input, and waits for its end.
pub(crate) fn finish(mut child: Child, input: &[u8]) -> Outcome {
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        // It need not read all of it.
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
    /// Holds that nothing went wrong, and nothing was said.
    #[track_caller]
    pub(crate) fn clean(self, name: &str) -> Self {
        assert_eq!((self.status, &*self.stderr), (Some(0), ""), "{name}");
        self
    }

    /// Holds that nothing went wrong but what different partition keys are warned about.
    #[track_caller]
    pub(crate) fn warned(self, name: &str) -> Self {
        assert_eq!((self.status, self.stderr.lines().count()), (Some(0), 1), "{name}: {}", self.stderr);
        assert!(self.stderr.starts_with("warning: "), "{name}: {}", self.stderr);
        self
    }

    /// Holds that input was bad, and that the last line said names all of `parts`.
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

    /// Reads what `deaggregate` wrote.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.values().iter().map(Event::read).collect()
    }

    /// Reads what `aggregate` wrote.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.values().iter().map(Entry::read).collect()
    }
}

impl Event {
    /// Reads a line that `aggregate` takes or `deaggregate` writes. What both have is called the same.
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
    /// Reads an entry, and holds that it has no other members. A member that is there is text.
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

    /// Measures as Kinesis does: data and partition key.
    pub(crate) fn size(&self) -> usize {
        self.data.len().saturating_add(self.partition_key.len())
    }
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

/// Reads JSON Lines.
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
