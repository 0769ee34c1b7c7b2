//! Lines of an input, one at a time.

use std::io::{BufRead, BufReader, ErrorKind, Read, Result as IoResult};

use memchr::memchr;

use crate::failure::Failure;
use crate::input::json::json_fault;
use crate::input::{BYTE_ORDER_MARK, MAX_UNIT, Source, cannot_read};

/// Reads lines and counts them.
///
/// Most lines lie in the reader's buffer from end to end, and are read where they lie. The others are put together.
pub(crate) struct Lines {
    name: String,
    reader: BufReader<Box<dyn Read>>,
    /// The length of the line read last, if it lies in the reader's buffer.
    in_buffer: usize,
    /// The line read last, if it does not.
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    pub(crate) fn new(source: Source) -> Self {
        let reader = BufReader::with_capacity(256 * 1024, source.reader);
        Self { name: source.name, reader, in_buffer: 0, line: Vec::new(), number: 0 }
    }

    /// Reads the next line that is not blank, without what ends it.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        loop {
            let len = self.advance().map_err(|error| cannot_read(&self.name, &error))?;
            self.number = self.number.saturating_add(1);
            match len {
                0 => return Ok(None),
                MAX_UNIT.. => return Err(self.fault("line of more than 256 MiB")),
                _ if self.current().is_empty() => {}
                _ => return Ok(Some(self.current())),
            }
        }
    }

    /// Goes on to the next line, or as much of it as there may be, and tells its length.
    fn advance(&mut self) -> IoResult<usize> {
        self.reader.consume(self.in_buffer);
        self.in_buffer = 0;
        self.line.clear();
        while self.line.len() < MAX_UNIT {
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            let end = memchr(b'\n', buffer).map(|at| at.saturating_add(1));
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

    /// The line read last, as it is.
    fn whole(&self) -> &[u8] {
        self.reader.buffer().get(..self.in_buffer).filter(|line| !line.is_empty()).unwrap_or(&self.line)
    }

    /// The line read last, without blanks around it.
    pub(crate) fn current(&self) -> &[u8] {
        self.text().trim_ascii()
    }

    /// The line read last, without a byte-order mark before it.
    fn text(&self) -> &[u8] {
        match self.whole().strip_prefix(BYTE_ORDER_MARK) {
            Some(text) if self.number == 1 => text,
            _ => self.whole(),
        }
    }

    /// Where the line read last is from.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.name, self.number)
    }

    /// A failure that names file and line.
    pub(crate) fn fault(&self, what: impl core::fmt::Display) -> Failure {
        Failure::Input(format!("{}:{}: {what}", self.name, self.number))
    }

    /// A failure in the JSON of the line, of which so many bytes came before.
    pub(crate) fn json_fault(&self, error: &serde_json::Error, before: usize) -> Failure {
        let what = json_fault(error);
        let text = self.text();
        let indent = text.len().saturating_sub(text.trim_ascii_start().len());
        let column = error.column().saturating_add(indent).saturating_add(before);
        self.fault(format_args!("column {column}: {what}"))
    }

    /// Gives the input back: the line read last and all after it, and the number of that line.
    pub(crate) fn into_rest(mut self) -> (String, u64, impl Read) {
        let mark = self.whole().len().saturating_sub(self.text().len());
        let mut line = core::mem::take(&mut self.line);
        if self.in_buffer > 0 {
            line.extend_from_slice(self.whole());
            self.reader.consume(self.in_buffer);
        }
        line.drain(..mark);
        (self.name, self.number, std::io::Cursor::new(line).chain(self.reader))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Yields no more than so many bytes at once.
    struct Dripping(std::io::Cursor<Vec<u8>>, usize);

    impl Read for Dripping {
        fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
            let len = buffer.len().min(self.1);
            self.0.read(&mut buffer[..len])
        }
    }

    /// Lines that end before, at and after the end of the reader's buffer are what they are, as is what comes after them.
    #[test]
    fn around_the_buffer() {
        const BUFFER: usize = 256 * 1024;
        for first in [0, 1, BUFFER - 2, BUFFER - 1, BUFFER, BUFFER + 1, 2 * BUFFER] {
            for second in [1, 7, BUFFER - 1, BUFFER] {
                for (end, at_once) in [("", usize::MAX), ("\n", 1000), (" \r\n\n", usize::MAX)] {
                    let (first, second) = ("a".repeat(first), "b".repeat(second));
                    let text = format!("\u{feff}{first}\n\n{second}\nlast{end}").into_bytes();
                    let reader = Box::new(Dripping(std::io::Cursor::new(text), at_once));
                    let mut lines = Lines::new(Source { name: "it".to_owned(), reader });
                    let name = (first.len(), second.len(), end, at_once);
                    if !first.is_empty() {
                        assert_eq!(lines.next().unwrap(), Some(first.as_bytes()), "{name:?}");
                        assert_eq!(lines.place(), "it:1");
                    }
                    assert_eq!(lines.next().unwrap(), Some(second.as_bytes()), "{name:?}");
                    assert_eq!(lines.current(), second.as_bytes(), "{name:?}");
                    assert_eq!(lines.place(), "it:3");
                    if first.len() % 2 == 0 {
                        assert_eq!(lines.next().unwrap(), Some(&b"last"[..]), "{name:?}");
                        assert_eq!(lines.next().unwrap(), None, "{name:?}");
                        continue;
                    }
                    let mut rest = String::new();
                    let (_, number, mut reader) = lines.into_rest();
                    reader.read_to_string(&mut rest).unwrap();
                    assert_eq!((number, rest), (3, format!("{second}\nlast{end}")), "{name:?}");
                }
            }
        }
    }
}
