//! A progress bar over the input, where there is a terminal to see it.

use std::io::{IsTerminal, Read, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar, or none.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Shows a bar if standard error is a terminal and standard output, whose lines it would cross, is not.
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::no_length();
        if std::io::stdout().is_terminal() || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let unknown = "{spinner} {bytes} read, {bytes_per_sec}, {elapsed}";
        bar.set_style(ProgressStyle::with_template(unknown).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar }
    }

    /// Makes room for `bytes` more.
    pub(crate) fn expect(&self, bytes: u64) {
        if self.bar.length().is_none() {
            self.bar.set_length(0);
            let known = "{bar:32} {percent:>3}% of {total_bytes}, {bytes_per_sec}, {eta} to go";
            self.bar.set_style(
                ProgressStyle::with_template(known).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
        }
        self.bar.inc_length(bytes);
    }

    /// Writes a message to standard error, clear of the bar.
    pub(crate) fn say(&self, message: impl core::fmt::Display) {
        // A message that cannot be written is not worth ending for.
        self.bar.suspend(|| _ = writeln!(anstream::stderr(), "{message}"));
    }

    /// Counts what is read.
    pub(crate) fn watch(&self, reader: impl Read + 'static) -> Box<dyn Read> {
        if self.bar.is_hidden() { Box::new(reader) } else { Box::new(self.bar.wrap_read(reader)) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
