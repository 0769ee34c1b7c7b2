//! Files and standard input, and what is in them.

mod any;
mod detect;
mod entry;
mod events;
mod json;
mod lines;
mod payloads;

pub(crate) use any::{Item, for_each_item};
pub(crate) use events::{Data, Event, for_each_event};
pub(crate) use payloads::{Payload, for_each_payload};

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::progress::Progress;

/// The longest line or raw payload that is read. Ten times the largest Kinesis record in base64 is far below: what is
/// longer is not what it is taken for, and must not fill the memory.
const MAX_UNIT: usize = 256 * 1024 * 1024;

/// What some editors put before text in UTF-8. It means nothing.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// An input that is open, with its name for messages.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) reader: Box<dyn Read>,
}

/// Opens the inputs one after the other: each when the one before is read to its end.
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
        let name = harmless(&file.display().to_string());
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

/// A name with what a terminal would obey made visible.
fn harmless(name: &str) -> String {
    let escaped =
        |char: char| if char.is_control() { char.escape_default().collect() } else { String::from(char) };
    name.chars().map(escaped).collect()
}

fn cannot_read(name: &str, error: &io::Error) -> Failure {
    Failure::Input(format!("{name}: {error}"))
}
