//! Where user records go: a folder, here, in the place of a database.
//!
//! What makes the handlers safe is what the store promises, and a database can promise the same:
//!
//! | here | DynamoDB | SQL |
//! |---|---|---|
//! | [`Store::put_all`]: one file, which appears when it is complete | `TransactWriteItems`, up to 100 items | a transaction |
//! | [`Store::put_once`]: a file that must not exist | `PutItem` with `attribute_not_exists` | `INSERT … ON CONFLICT DO NOTHING` |

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Whether a user record was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was not.
    Stored,
    /// An earlier try has stored it.
    Known,
}

/// A folder of files, each named after a position in the stream.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// For trials: a file with this name cannot be written the first time.
    fails_once: Option<String>,
}

impl Store {
    /// Stores in a folder, which is made if need be.
    ///
    /// # Errors
    ///
    /// The folder cannot be made.
    pub fn new(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder.join("part"))?;
        Ok(Self { folder: folder.to_owned(), fails_once: None })
    }

    /// For trials: fails once where a file with this name is to be written.
    #[must_use]
    pub fn failing_once(self, name: Option<String>) -> Self {
        Self { fails_once: name, ..self }
    }

    /// Stores all of it or, if it fails, nothing. Once more is as good as once.
    ///
    /// # Errors
    ///
    /// It cannot be stored now, and may be later.
    pub fn put_all(&mut self, name: &str, lines: &[u8]) -> io::Result<()> {
        let part = self.part(name, lines)?;
        fs::rename(part, self.folder.join(name))
    }

    /// Stores a line unless one of this name is there.
    ///
    /// # Errors
    ///
    /// It cannot be stored now, and may be later.
    pub fn put_once(&mut self, name: &str, line: &[u8]) -> io::Result<Put> {
        let place = self.folder.join(name);
        if place.exists() {
            return Ok(Put::Known);
        }
        let part = self.part(name, line)?;
        // A link is made at once or not at all, and never over another file.
        let linked = fs::hard_link(&part, place);
        fs::remove_file(part)?;
        match linked {
            Ok(()) => Ok(Put::Stored),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Put::Known),
            Err(error) => Err(error),
        }
    }

    /// Writes where nobody looks.
    fn part(&mut self, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        if self.fails_once.as_deref() == Some(name) {
            self.fails_once = None;
            return Err(io::Error::other("a failure for trial"));
        }
        let part = self.folder.join("part").join(name);
        let mut file = fs::File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(part)
    }
}
