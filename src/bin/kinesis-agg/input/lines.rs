//! Lines of an input, one at a time, in one buffer.

use std::io::{BufRead, BufReader, Read};

use crate::failure::Failure;
use crate::input::json::json_fault;
use crate::input::{BYTE_ORDER_MARK, MAX_UNIT, Source, cannot_read};

/// Reads lines and counts them.
pub(crate) struct Lines {
    name: String,
    reader: BufReader<Box<dyn Read>>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    pub(crate) fn new(source: Source) -> Self {
        let reader = BufReader::with_capacity(256 * 1024, source.reader);
        Self { name: source.name, reader, line: Vec::new(), number: 0 }
    }

    /// Reads the next line that is not blank, without what ends it.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        loop {
            self.line.clear();
            let limit = u64::try_from(MAX_UNIT).unwrap_or(u64::MAX);
            let mut bounded = self.reader.by_ref().take(limit);
            let read = bounded.read_until(b'\n', &mut self.line);
            self.number = self.number.saturating_add(1);
            if self.number == 1 && self.line.starts_with(BYTE_ORDER_MARK) {
                self.line.drain(..BYTE_ORDER_MARK.len());
            }
            match read {
                Err(error) => return Err(cannot_read(&self.name, &error)),
                Ok(0) => return Ok(None),
                Ok(MAX_UNIT) => return Err(self.fault("line of more than 256 MiB")),
                Ok(_) if self.line.trim_ascii().is_empty() => {}
                Ok(_) => return Ok(Some(self.line.trim_ascii())),
            }
        }
    }

    /// The line read last.
    pub(crate) fn current(&self) -> &[u8] {
        self.line.trim_ascii()
    }

    /// Where the line read last is from.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.name, self.number)
    }

    /// A failure that names file and line.
    pub(crate) fn fault(&self, what: impl core::fmt::Display) -> Failure {
        Failure::Input(format!("{}:{}: {what}", self.name, self.number))
    }

    /// A failure in the JSON of the line.
    pub(crate) fn json_fault(&self, error: &serde_json::Error) -> Failure {
        let what = json_fault(error);
        let indent = self.line.len().saturating_sub(self.line.trim_ascii_start().len());
        self.fault(format_args!("column {}: {what}", error.column().saturating_add(indent)))
    }

    /// Gives the input back: the line read last, as it was, and all after it.
    pub(crate) fn into_rest(self) -> (String, u64, impl Read) {
        (self.name, self.number, std::io::Cursor::new(self.line).chain(self.reader))
    }
}
