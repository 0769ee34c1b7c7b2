//! The source of user records: a thread that reads or generates them, and blocks while the channel is full.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kinesis_aggregation_aws_examples::Failure;
use serde::Deserialize;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::Args;

/// A user record to publish.
pub struct Record {
    pub partition_key: String,
    pub explicit_hash_key: Option<String>,
    pub data: Vec<u8>,
}

/// A batch of records: sending them one by one would cost more than aggregating them.
pub type Chunk = Result<Vec<Record>, Failure>;

const CHUNK: usize = 256;

/// Starts to read or generate records. The channel closes after the last one.
pub fn start(args: &Args) -> Receiver<Chunk> {
    let (sender, receiver) = mpsc::channel(4);
    let mut output = Output { sender, chunk: Vec::new(), rate: args.rate, sent: 0, began: Instant::now() };
    let (file, generate, size) = (args.file.clone(), args.generate, args.size);
    thread::spawn(move || {
        let outcome = match generate {
            Some(count) => (0..count).try_for_each(|number| output.push(generated(number, size))),
            None => read(&file, &mut output),
        };
        output.close(outcome);
    });
    receiver
}

/// A line of input.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    partition_key: String,
    explicit_hash_key: Option<String>,
    data: Option<String>,
    text: Option<String>,
}

fn read(file: &Path, output: &mut Output) -> Result<(), Failure> {
    let input: Box<dyn BufRead> = match file.to_str() {
        Some("-") => Box::new(io::stdin().lock()),
        _ => Box::new(BufReader::new(File::open(file).map_err(|e| format!("{}: {e}", file.display()))?)),
    };
    for (number, line) in input.lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let record = parse(&line).map_err(|e| format!("{}, line {}: {e}", file.display(), number + 1))?;
        output.push(record)?;
    }
    Ok(())
}

fn parse(line: &str) -> Result<Record, Failure> {
    let line: Line = serde_json::from_str(line)?;
    let data = match (line.data, line.text) {
        (Some(data), None) => STANDARD.decode(data)?,
        (None, Some(text)) => text.into_bytes(),
        _ => return Err("either \"data\" or \"text\" is needed".into()),
    };
    Ok(Record { partition_key: line.partition_key, explicit_hash_key: line.explicit_hash_key, data })
}

/// Generates a record of one of about a thousand devices, numbered so that each is unique.
fn generated(number: u64, size: usize) -> Record {
    let mut data = format!("{{\"number\":{number},\"reading\":\"").into_bytes();
    data.resize(size.max(data.len() + 2) - 2, b'x');
    data.extend(b"\"}");
    Record { partition_key: format!("device-{}", number % 1009), explicit_hash_key: None, data }
}

/// Sends records in chunks, no faster than the requested rate.
struct Output {
    sender: Sender<Chunk>,
    chunk: Vec<Record>,
    rate: Option<u32>,
    sent: u32,
    began: Instant,
}

impl Output {
    fn push(&mut self, record: Record) -> Result<(), Failure> {
        self.chunk.push(record);
        if self.chunk.len() < CHUNK { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if let Some(rate) = self.rate {
            let due = Duration::from_secs(self.sent.into()) / rate.max(1);
            thread::sleep(due.saturating_sub(self.began.elapsed()));
        }
        let chunk = std::mem::take(&mut self.chunk);
        self.sent += chunk.len() as u32;
        self.sender.blocking_send(Ok(chunk)).map_err(|_| "the publisher has stopped".into())
    }

    fn close(mut self, outcome: Result<(), Failure>) {
        _ = self.flush();
        if let Err(failure) = outcome {
            _ = self.sender.blocking_send(Err(failure));
        }
    }
}
