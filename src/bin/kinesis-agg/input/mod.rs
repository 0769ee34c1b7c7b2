//! Input: files and standard input, and the user records or payloads in them.

mod json;
mod lines;
mod payloads;
mod user_records;

pub(crate) use lines::Place;
pub(crate) use payloads::{Damaged, Event, Payload, for_each_event};
pub(crate) use user_records::{Data, InputRecord, UserEvent, for_each_user_record};

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::progress::Progress;

/// The longest line or raw payload that is read into memory. The largest Kinesis record in base64 is far shorter, so
/// longer input is not what the command takes it for.
const MAX_UNIT: usize = 256 * 1024 * 1024;

/// Some editors put this in front of UTF-8. It carries no meaning.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// An open input, and its name for messages.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) reader: Box<dyn Read>,
}

/// Opens the inputs one after the other, each only when the one before has been read.
fn open_each(
    files: &[PathBuf],
    progress: &Progress,
    mut read: impl FnMut(Source) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if files.is_empty() {
        return read(standard_input(progress));
    }
    for file in files {
        if file == Path::new("-") {
            read(standard_input(progress))?;
            continue;
        }
        let name = escape_controls(&file.display().to_string());
        let open = || -> io::Result<(File, u64)> {
            let file = File::open(file)?;
            let metadata = file.metadata()?;
            if metadata.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            Ok((file, metadata.len()))
        };
        let (file, len) = open().map_err(|error| cannot_read(&name, &error))?;
        progress.expect(len);
        read(Source { reader: progress.watch(file), name })?;
    }
    Ok(())
}

fn standard_input(progress: &Progress) -> Source {
    Source { name: "standard input".to_owned(), reader: progress.watch(io::stdin()) }
}

/// Escapes the characters of a name that a terminal would interpret.
fn escape_controls(name: &str) -> String {
    let escape = |char: char| {
        if char.is_control() { char.escape_default().collect() } else { String::from(char) }
    };
    name.chars().map(escape).collect()
}

fn cannot_read(name: &str, error: &io::Error) -> Failure {
    Failure::Input(format!("{name}: {error}"))
}
