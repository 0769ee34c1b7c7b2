//! Times this library beside other crates.
//!
//! ```text
//! peers measure OUT     all of the target table, as JSON, to OUT
//! peers measure - A     only groups whose name has an A in it
//! peers scale OUT       from little to much, as JSON, to OUT
//! peers scale - batch   only series whose name has a batch in it
//! peers corpora DIR     the corpora as files, for other languages
//! peers worker          does what languages.py asks for
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
        _ => panic!("see the head of main.rs"),
    }
}

fn write_json(out: &str, outcomes: &impl Serialize) {
    if out != "-" {
        let json = serde_json::to_string_pretty(outcomes).expect("numbers and names");
        fs::write(out, json + "\n").expect("the file can be written");
    }
}

/// For each corpus, its payload, and its user records.
fn write_corpora(folder: &Path) {
    fs::create_dir_all(folder).expect("the folder can be made");
    for corpus in Corpus::usual() {
        let path = |extension| folder.join(corpus.name).with_extension(extension);
        fs::write(path("payload"), &corpus.payload).expect("the file can be written");
        fs::write(path("records"), written(corpus.user_records())).expect("the file can be written");
    }
    fs::write(folder.join("H.payload"), corpora::hostile()).expect("the file can be written");
}

/// Of each user record the length of the key and of the data, of four bytes each, least significant first, then key and
/// data.
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
