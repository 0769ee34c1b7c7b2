//! Reading an input line by line.

use core::fmt::{self, Display};
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read, Result as IoResult};
use std::rc::Rc;

use memchr::memchr;

use crate::failure::Failure;
use crate::input::json::message;
use crate::input::{BYTE_ORDER_MARK, MAX_UNIT, Source, cannot_read};

/// A line of an input, for messages.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    name: Rc<str>,
    line: u64,
}

impl Place {
    /// Builds a failure that names this place.
    pub(crate) fn fault(&self, what: impl Display) -> Failure {
        Failure::Input(format!("{self}: {what}"))
    }

    /// Returns the place of another line of the same input, where 1 is this line.
    pub(crate) fn line(&self, number: usize) -> Self {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        Self { name: Rc::clone(&self.name), line: (self.line + number).saturating_sub(1) }
    }

    /// Returns the input's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.line)
    }
}

/// Reads lines and counts them.
///
/// A line that lies entirely in the reader's buffer, as most do, is not copied.
pub(crate) struct Lines {
    place: Place,
    reader: BufReader<Box<dyn Read>>,
    /// The length of the current line if it is in the reader's buffer, otherwise 0.
    in_buffer: usize,
    /// The current line if it is not in the reader's buffer.
    line: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(source: Source) -> Self {
        let reader = BufReader::with_capacity(256 * 1024, source.reader);
        let place = Place { name: source.name.into(), line: 0 };
        Self { place, reader, in_buffer: 0, line: Vec::new() }
    }

    /// Reads the next line that is not blank, and returns it without the white space around it.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        loop {
            let len = self.advance().map_err(|error| cannot_read(&self.place.name, &error))?;
            self.place.line += 1;
            match len {
                0 => return Ok(None),
                MAX_UNIT.. => return Err(self.place.fault("line of more than 256 MiB")),
                _ if self.current().is_empty() => {}
                _ => return Ok(Some(self.current())),
            }
        }
    }

    /// Moves to the next line, and returns its length, which is at least `MAX_UNIT` for a line that is too long.
    fn advance(&mut self) -> IoResult<usize> {
        self.reader.consume(self.in_buffer);
        self.in_buffer = 0;
        self.line.clear();
        while self.line.len() < MAX_UNIT {
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            let end = memchr(b'\n', buffer).map(|at| at + 1);
            if let (Some(end), true) = (end, self.line.is_empty()) {
                self.in_buffer = end;
                return Ok(end);
            }
            let part = end.and_then(|end| buffer.get(..end)).unwrap_or(buffer);
            self.line.extend_from_slice(part);
            let (len, is_last) = (part.len(), end.is_some() || part.is_empty());
            self.reader.consume(len);
            if is_last {
                break;
            }
        }
        Ok(self.line.len())
    }

    /// Returns the current line without the white space around it.
    pub(crate) fn current(&self) -> &[u8] {
        self.text().trim_ascii()
    }

    /// Returns the current line without a byte-order mark.
    fn text(&self) -> &[u8] {
        match self.whole().strip_prefix(BYTE_ORDER_MARK) {
            Some(text) if self.place.line == 1 => text,
            _ => self.whole(),
        }
    }

    fn whole(&self) -> &[u8] {
        self.reader.buffer().get(..self.in_buffer).filter(|line| !line.is_empty()).unwrap_or(&self.line)
    }

    /// Returns the place of the current line.
    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// Builds the failure for an error in the JSON that begins `before` bytes into the current line.
    pub(crate) fn json_fault(&self, error: &serde_json::Error, before: usize) -> Failure {
        let text = self.text();
        let indent = text.len() - text.trim_ascii_start().len();
        let column = error.column() + indent + before;
        self.place.fault(format_args!("column {column}: {}", message(error)))
    }

    /// Returns the place of the current line, and a reader of that line and everything after it.
    pub(crate) fn into_rest(mut self) -> (Place, impl Read) {
        let mark = self.whole().len() - self.text().len();
        let mut line = core::mem::take(&mut self.line);
        if self.in_buffer > 0 {
            line.extend_from_slice(self.whole());
            self.reader.consume(self.in_buffer);
        }
        line.drain(..mark);
        (self.place, Cursor::new(line).chain(self.reader))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns at most so many bytes per read.
    struct Dripping(Cursor<Vec<u8>>, usize);

    impl Read for Dripping {
        fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
            let len = buffer.len().min(self.1);
            self.0.read(&mut buffer[..len])
        }
    }

    #[test]
    fn lines_may_end_before_at_or_after_the_end_of_the_buffer() {
        const BUFFER: usize = 256 * 1024;
        for first in [0, 1, BUFFER - 2, BUFFER - 1, BUFFER, BUFFER + 1, 2 * BUFFER] {
            for second in [1, 7, BUFFER - 1, BUFFER] {
                for (end, per_read) in [("", usize::MAX), ("\n", 1000), (" \r\n\n", usize::MAX)] {
                    let (first, second) = ("a".repeat(first), "b".repeat(second));
                    let text = format!("\u{feff}{first}\n\n{second}\nlast{end}").into_bytes();
                    let reader = Box::new(Dripping(Cursor::new(text), per_read));
                    let mut lines = Lines::new(Source { name: "it".to_owned(), reader });
                    let name = (first.len(), second.len(), end, per_read);
                    if !first.is_empty() {
                        assert_eq!(lines.next().unwrap(), Some(first.as_bytes()), "{name:?}");
                        assert_eq!(lines.place().to_string(), "it:1");
                    }
                    assert_eq!(lines.next().unwrap(), Some(second.as_bytes()), "{name:?}");
                    assert_eq!(lines.current(), second.as_bytes(), "{name:?}");
                    assert_eq!(lines.place().to_string(), "it:3");
                    if first.len() % 2 == 0 {
                        assert_eq!(lines.next().unwrap(), Some(&b"last"[..]), "{name:?}");
                        assert_eq!(lines.next().unwrap(), None, "{name:?}");
                        continue;
                    }
                    let mut rest = String::new();
                    let (place, mut reader) = lines.into_rest();
                    reader.read_to_string(&mut rest).unwrap();
                    assert_eq!((place.line, rest), (3, format!("{second}\nlast{end}")), "{name:?}");
                }
            }
        }
    }
}
