//! Reading an input line by line.

use core::cell::Cell;
use core::fmt::{self, Display};
use std::io::{BufRead, BufReader, ErrorKind, Read, Result as IoResult};
use std::rc::Rc;
use std::time::Instant;

use memchr::memchr;

use crate::failure::Failure;
use crate::input::quote::Values;
use crate::input::source::{Pausing, Source, cannot_read};
use crate::input::{BYTE_ORDER_MARK, MAX_UNIT};

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

    /// Returns this place while values are read that span lines.
    pub(crate) fn moving(&self) -> MovingPlace {
        MovingPlace { name: Rc::clone(&self.name), line: Cell::new(self.line) }
    }
}

/// The line that is being read.
pub(crate) struct MovingPlace {
    name: Rc<str>,
    line: Cell<u64>,
}

impl Display for MovingPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.line.get())
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.line)
    }
}

/// An action for when the input pauses. Returns the time at which it is to be done again.
pub(crate) trait OnPause: FnMut() -> Result<Option<Instant>, Failure> {}
impl<F: FnMut() -> Result<Option<Instant>, Failure>> OnPause for F {}

/// Reads lines and counts them.
///
/// A line that lies entirely in the reader's buffer, as most do, is not copied.
pub(crate) struct Lines {
    place: Place,
    reader: BufReader<Box<dyn Pausing>>,
    /// The length of the current line if it is in the reader's buffer, otherwise 0.
    in_buffer: usize,
    /// The current line if it is not in the reader's buffer.
    line: Vec<u8>,
    /// True if the current line goes on after a pause of the input.
    is_open: bool,
    /// True if nothing came before the current line, or piece of it.
    is_first: bool,
}

/// The end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Newline,
    NewlineOrPause,
}

impl Lines {
    pub(crate) fn new(source: Source) -> Self {
        let reader = BufReader::with_capacity(256 * 1024, source.reader);
        let place = Place { name: source.name.into(), line: 0 };
        Self { place, reader, in_buffer: 0, line: Vec::new(), is_open: false, is_first: true }
    }

    /// Reads the next line that is not blank, and returns it without the white space around it.
    pub(crate) fn next(&mut self, mut on_pause: impl OnPause) -> Result<Option<&[u8]>, Failure> {
        loop {
            if !self.next_or_blank(End::Newline, &mut on_pause)? {
                return Ok(None);
            }
            if !self.current().is_empty() {
                return Ok(Some(self.current()));
            }
        }
    }

    /// Reads the next line, which may be blank, and returns whether there is one.
    pub(crate) fn next_line(&mut self, on_pause: impl OnPause) -> Result<bool, Failure> {
        self.next_or_blank(End::Newline, on_pause)
    }

    /// Reads the next line, or the piece of it that is there when the input pauses, and returns whether there is one.
    pub(crate) fn next_piece(&mut self, on_pause: impl OnPause) -> Result<bool, Failure> {
        self.next_or_blank(End::NewlineOrPause, on_pause)
    }

    /// Reads the rest of the current line if only a piece of it has been read.
    pub(crate) fn finish_line(&mut self, on_pause: impl OnPause) -> Result<(), Failure> {
        if self.is_open {
            self.next_or_blank(End::Newline, on_pause)?;
        }
        Ok(())
    }

    fn next_or_blank(&mut self, end: End, on_pause: impl OnPause) -> Result<bool, Failure> {
        if !self.is_open {
            self.place.line += 1;
        }
        let len = self.advance(end, on_pause)?;
        match len {
            0 => Ok(false),
            MAX_UNIT.. => Err(self.place.fault("line of more than 256 MiB")),
            _ => Ok(true),
        }
    }

    /// Moves to the next line, and returns its length, which is at least `MAX_UNIT` for a line that is too long.
    fn advance(&mut self, end: End, mut on_pause: impl OnPause) -> Result<usize, Failure> {
        self.is_first = self.place.line == 1 && !self.is_open;
        self.reader.consume(self.in_buffer);
        self.in_buffer = 0;
        self.line.clear();
        self.is_open = false;
        while self.line.len() < MAX_UNIT {
            let is_piece = !self.line.is_empty() && end == End::NewlineOrPause;
            if is_piece && pauses(&mut self.reader) {
                self.is_open = true;
                break;
            }
            fill(&mut self.reader, &self.place.name, &mut on_pause)?;
            let buffer = self.reader.buffer();
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
    pub(crate) fn text(&self) -> &[u8] {
        match self.whole().strip_prefix(BYTE_ORDER_MARK) {
            Some(text) if self.is_first => text,
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

    /// Returns whether a signal has ended the input inside the current line.
    pub(crate) fn is_cut(&self) -> bool {
        self.was_stopped() && !self.is_complete()
    }

    /// Returns how much white space the current line begins with.
    pub(crate) fn indentation(&self) -> usize {
        let text = self.text();
        text.len() - text.trim_ascii_start().len()
    }

    /// Returns whether the current line has been read to its end.
    pub(crate) fn is_complete(&self) -> bool {
        self.whole().ends_with(b"\n")
    }

    /// Returns whether a signal has ended the input.
    pub(crate) fn was_stopped(&self) -> bool {
        self.reader.get_ref().was_stopped()
    }

    /// Describes an error in the JSON that begins `before` bytes into the text of the current line.
    pub(crate) fn json_error(&self, error: &serde_json::Error, before: usize, values: Values) -> String {
        format!("column {}: {}", error.column() + before, values.json_message(error))
    }

    /// Returns a reader of everything from `position` in the text of the current line on, which moves from line to line.
    /// `place` follows it.
    pub(crate) const fn read_on<'l, P: OnPause>(
        &'l mut self,
        position: usize,
        place: &'l MovingPlace,
        on_pause: P,
    ) -> Rest<'l, P> {
        Rest { lines: self, position, place, on_pause, failure: None }
    }
}

/// Returns whether nothing can be read from an input at the moment.
pub(crate) fn pauses(reader: &mut BufReader<Box<dyn Pausing>>) -> bool {
    reader.fill_buf().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// Fills the buffer of a reader unless there is something in it, or the input has ended.
pub(crate) fn fill(
    reader: &mut BufReader<Box<dyn Pausing>>,
    name: &str,
    mut on_pause: impl OnPause,
) -> Result<(), Failure> {
    loop {
        match reader.fill_buf() {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let again_at = on_pause()?;
                reader.get_mut().wait(again_at);
            }
            Err(error) => return Err(cannot_read(name, &error)),
        }
    }
}

/// Reads from the middle of a line.
pub(crate) struct Rest<'l, P> {
    lines: &'l mut Lines,
    /// The unread part of the current line.
    pub(crate) position: usize,
    place: &'l MovingPlace,
    on_pause: P,
    /// The reason for which reading failed. The error that `read` returns does not have it.
    pub(crate) failure: Option<Failure>,
}

impl<P: OnPause> Read for Rest<'_, P> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        loop {
            let unread = self.lines.text().get(self.position..).unwrap_or_default();
            let len = unread.len().min(buffer.len());
            if let (Some(to), Some(from)) = (buffer.get_mut(..len), unread.get(..len)) {
                if len > 0 {
                    to.copy_from_slice(from);
                    self.position += len;
                    return Ok(len);
                }
            }
            self.position = 0;
            match self.lines.next_piece(&mut self.on_pause) {
                Ok(true) => self.place.line.set(self.lines.place.line),
                Ok(false) => return Ok(0),
                Err(failure) => {
                    self.failure = Some(failure);
                    return Err(ErrorKind::Other.into());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// Returns at most so many bytes per read.
    struct Dripping(Cursor<Vec<u8>>, usize);

    impl Read for Dripping {
        fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
            let len = buffer.len().min(self.1);
            self.0.read(&mut buffer[..len])
        }
    }

    impl Pausing for Dripping {
        fn wait(&mut self, _until: Option<Instant>) {}

        fn was_stopped(&self) -> bool {
            false
        }
    }

    fn no_pause() -> Result<Option<Instant>, Failure> {
        unreachable!()
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
                        assert_eq!(lines.next(no_pause).unwrap(), Some(first.as_bytes()), "{name:?}");
                        assert_eq!(lines.place().to_string(), "it:1");
                    }
                    assert_eq!(lines.next(no_pause).unwrap(), Some(second.as_bytes()), "{name:?}");
                    assert_eq!(lines.current(), second.as_bytes(), "{name:?}");
                    assert_eq!(lines.place().to_string(), "it:3");
                    if first.len() % 2 == 0 {
                        assert_eq!(lines.next(no_pause).unwrap(), Some(&b"last"[..]), "{name:?}");
                        assert_eq!(lines.next(no_pause).unwrap(), None, "{name:?}");
                        continue;
                    }
                    let mut rest = String::new();
                    let place = lines.place().moving();
                    lines.read_on(1, &place, no_pause).read_to_string(&mut rest).unwrap();
                    assert!(place.line.get() > 3, "{name:?}");
                    assert_eq!(rest, format!("{}\nlast{end}", &second[1..]), "{name:?}");
                }
            }
        }
    }
}
