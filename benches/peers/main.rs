//! Times this library beside other crates.
//!
//! ```text
//! peers measure OUT     all groups, as JSON, to OUT
//! peers measure - A B   only groups that have an A or a B in their names; prints the results and writes nothing
//! peers scale OUT       the cost by size, as JSON, to OUT
//! peers scale - batch   only series that have "batch" in their names
//! peers check           a few groups, in seconds; fails if this library has become much slower
//! peers corpora DIR     writes the corpora as files, for other languages
//! peers worker          does what languages.py asks for
//! ```

mod scale;
mod worker;

use std::fs;
use std::path::Path;

use benches::corpora::{self, Corpus};
use benches::group::{Group, Outcome};
use benches::groups;
use benches::ours::UserRecord;
use serde::Serialize;

/// The limits of `check`, as multiples of this library's own MD5 of the same bytes. The limits are generous: work beside the MD5
/// takes up to a third longer where other processes share the core. benches/instructions has the narrow limits.
const LIMITS: [(&str, f64); 8] = [
    ("deaggregate, verified: A", 1.6),
    ("deaggregate, verified: D", 2.0),
    ("aggregate, canonical: A", 2.0),
    ("aggregate, canonical: D", 2.5),
    ("encode, streamed: A", 2.0),
    ("encode, streamed: D", 2.5),
    ("aggregate, digests together: A", 1.6),
    ("producer, add to call, even map of 64: A", 2.5),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["measure", out, ref only @ ..] => {
            let wanted = |name: &str| only.is_empty() || only.iter().any(|part| name.contains(part));
            write_json(out, &measure(wanted));
        }
        ["scale", out, ref only @ ..] => {
            write_json(out, &scale::measure(only.first().copied().unwrap_or_default()));
        }
        ["check"] => check(),
        ["corpora", folder] => write_corpora(Path::new(folder)),
        ["worker"] => worker::serve(),
        _ => panic!("see the top of main.rs for usage"),
    }
}

fn measure(wanted: impl Fn(&str) -> bool) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    groups::each(wanted, |group: Group<'_>| outcomes.push(group.run()));
    outcomes
}

fn check() {
    let mut slow = Vec::new();
    for (name, limit) in LIMITS {
        for outcome in measure(|group| group == name) {
            let own = outcome.contenders.iter().find(|timing| timing.name == "this library");
            let ratio = own.expect("this library takes part").ratio;
            if ratio > limit {
                slow.push(format!("{name}: {ratio:.2} times its MD5, at most {limit}"));
            }
        }
    }
    assert!(slow.is_empty(), "too slow:\n{}", slow.join("\n"));
}

fn write_json(out: &str, outcomes: &impl Serialize) {
    if out != "-" {
        let json = serde_json::to_string_pretty(outcomes).expect("numbers and names");
        fs::write(out, json + "\n").expect("the file can be written");
    }
}

/// Writes the payload and the user records of each corpus that other languages measure.
fn write_corpora(folder: &Path) {
    fs::create_dir_all(folder).expect("the folder can be created");
    // The format of user records below has no explicit hash keys.
    for corpus in Corpus::all().iter().filter(|corpus| !corpus.has_explicit_hash_keys()) {
        let path = |extension| folder.join(corpus.name).with_extension(extension);
        fs::write(path("payload"), &corpus.payload).expect("the file can be written");
        fs::write(path("records"), serialized(corpus.user_records())).expect("the file can be written");
    }
    fs::write(folder.join("H.payload"), corpora::hostile()).expect("the file can be written");
}

/// User records for other languages: for each the lengths of key and data, four bytes each, least significant first, then
/// key and data.
fn serialized<'a>(records: impl Iterator<Item = UserRecord<'a>>) -> Vec<u8> {
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
