//! Times this library and other crates.
//!
//! ```text
//! peers measure OUT     measures the target table, and writes JSON to OUT
//! peers measure - A     measures only groups whose name contains A
//! peers scale OUT       measures how the time scales, and writes JSON to OUT
//! peers scale - batch   measures only series whose name contains batch
//! peers corpora DIR     writes the corpora to files, for other languages
//! peers worker          serves requests from languages.py
//! ```

mod clock;
#[path = "../../corpora/mod.rs"]
mod corpora;
mod others;
mod ours;
mod scale;
mod targets;
mod worker;

use std::fs;
use std::path::Path;

use corpora::Corpus;
use kinesis_aggregation::UserRecord;
use serde::Serialize;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["measure", out, ref only @ ..] => {
            write_json(out, &targets::measure(only.first().copied().unwrap_or_default()));
        }
        ["scale", out, ref only @ ..] => {
            write_json(out, &scale::measure(only.first().copied().unwrap_or_default()));
        }
        ["corpora", folder] => write_corpora(Path::new(folder)),
        ["worker"] => worker::serve(),
        _ => panic!("see the top of main.rs"),
    }
}

fn write_json(out: &str, outcomes: &impl Serialize) {
    if out != "-" {
        let json = serde_json::to_string_pretty(outcomes).expect("numbers and names");
        fs::write(out, json + "\n").expect("the file can be written");
    }
}

/// Writes the payload and the user records of each corpus.
fn write_corpora(folder: &Path) {
    fs::create_dir_all(folder).expect("the folder can be made");
    for corpus in Corpus::usual() {
        let path = |extension| folder.join(corpus.name).with_extension(extension);
        fs::write(path("payload"), &corpus.payload).expect("the file can be written");
        fs::write(path("records"), written(corpus.user_records())).expect("the file can be written");
    }
    fs::write(folder.join("H.payload"), corpora::hostile()).expect("the file can be written");
}

/// Serializes user records: the lengths of key and data (four bytes each, little-endian), then key and data.
fn written<'a>(records: impl Iterator<Item = UserRecord<'a>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        for len in [record.partition_key.len(), record.data.len()] {
            bytes.extend(u32::try_from(len).expect("less than 4 GiB").to_le_bytes());
        }
        bytes.extend(record.partition_key.as_bytes());
        bytes.extend(record.data);
    }
    bytes
}
