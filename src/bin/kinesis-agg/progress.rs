//! A progress bar for the input, and messages that do not collide with it.

use core::fmt::Display;
use core::sync::atomic::{AtomicBool, Ordering};
use std::io::{self, IsTerminal, Read, Write};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::{ERROR, WARNING};
use crate::input::Pausing;
use crate::output::to_u64;

/// True if `--quiet` is given. As with colors, everything that writes messages follows it.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Turns off warnings and the progress bar.
pub(crate) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Shows a bar if standard error is a terminal and standard output is not: on a shared terminal the bar would
    /// overwrite the output.
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::no_length();
        if is_quiet() || std::io::stdout().is_terminal() || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar.set_style(style("{spinner} {bytes} read, {bytes_per_sec}, {elapsed}"));
        Self { bar }
    }

    /// Adds the length of a file to the expected total.
    pub(crate) fn expect(&self, bytes: u64) {
        if self.bar.length().is_none() {
            self.bar.set_length(0);
            self.bar.set_style(style("{bar:32} {percent:>3}% of {total_bytes}, {bytes_per_sec}, {eta} left"));
        }
        self.bar.inc_length(bytes);
    }

    /// Writes a line to standard error.
    pub(crate) fn say(&self, message: impl Display) {
        // A message that cannot be written is no reason to stop.
        self.bar.suspend(|| _ = writeln!(anstream::stderr(), "{message}"));
    }

    /// Writes a warning to standard error, unless `--quiet` is given.
    pub(crate) fn warn(&self, message: impl Display) {
        self.note(format_args!("{WARNING}warning:{WARNING:#} {message}"));
    }

    /// Writes a line to standard error, unless `--quiet` is given.
    pub(crate) fn note(&self, message: impl Display) {
        if !is_quiet() {
            self.say(message);
        }
    }

    /// Writes an error to standard error.
    pub(crate) fn error(&self, message: impl Display) {
        self.say(format_args!("{ERROR}error:{ERROR:#} {message}"));
    }

    /// Wraps a reader so that the bar counts its bytes.
    pub(crate) fn watch(&self, reader: Box<dyn Pausing>) -> Box<dyn Pausing> {
        if self.bar.is_hidden() { reader } else { Box::new(Watched { reader, bar: self.bar.clone() }) }
    }
}

struct Watched {
    reader: Box<dyn Pausing>,
    bar: ProgressBar,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.reader.read(buffer)?;
        self.bar.inc(to_u64(len));
        Ok(len)
    }
}

impl Pausing for Watched {
    fn wait(&mut self, until: Option<Instant>) {
        self.reader.wait(until);
    }

    fn was_stopped(&self) -> bool {
        self.reader.was_stopped()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
