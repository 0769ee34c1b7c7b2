//! A store for user records: a folder that stands in for a database.
//!
//! The handlers are safe to retry because of two guarantees of the store, which a database can give as well:
//!
//! | here | DynamoDB | SQL |
//! |---|---|---|
//! | [`Store::put_all`]: one file, renamed into place when it is complete | `TransactWriteItems`, up to 100 items | a transaction |
//! | [`Store::put_once`]: a file that must not exist yet | `PutItem` with `attribute_not_exists` | `INSERT … ON CONFLICT DO NOTHING` |

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The outcome of storing: new, or stored before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is new, and stored now.
    Stored,
    /// An earlier attempt had stored it.
    Known,
}

/// A folder of files, each named after a position in the stream.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// For tests: the first attempt to write a file with this name fails.
    fails_once: Option<String>,
}

impl Store {
    /// Opens a store in a folder, and creates the folder if necessary.
    ///
    /// # Errors
    ///
    /// Returns an error if the folder cannot be created.
    pub fn new(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder.join("part"))?;
        Ok(Self { folder: folder.to_owned(), fails_once: None })
    }

    /// For tests: makes the first attempt to write a file with this name fail.
    #[must_use]
    pub fn failing_once(self, name: Option<String>) -> Self {
        Self { fails_once: name, ..self }
    }

    /// Stores all lines, or none if it fails. Storing them again has no effect.
    ///
    /// # Errors
    ///
    /// Returns an error if they cannot be stored now; a retry may succeed.
    pub fn put_all(&mut self, name: &str, lines: &[u8]) -> io::Result<()> {
        let part = self.part(name, lines)?;
        fs::rename(part, self.folder.join(name))
    }

    /// Stores a line unless one with this name exists.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be stored now; a retry may succeed.
    pub fn put_once(&mut self, name: &str, line: &[u8]) -> io::Result<Put> {
        let path = self.folder.join(name);
        if path.exists() {
            return Ok(Put::Known);
        }
        let part = self.part(name, line)?;
        // Creating a link is atomic and never replaces another file.
        let linked = fs::hard_link(&part, path);
        fs::remove_file(part)?;
        match linked {
            Ok(()) => Ok(Put::Stored),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Put::Known),
            Err(error) => Err(error),
        }
    }

    /// Writes a temporary file, to be moved into place.
    fn part(&mut self, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        if self.fails_once.as_deref() == Some(name) {
            self.fails_once = None;
            return Err(io::Error::other("an injected failure"));
        }
        let part = self.folder.join("part").join(name);
        let mut file = fs::File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(part)
    }
}
