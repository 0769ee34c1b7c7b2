//! What ends the command early.

use core::fmt;
use std::io;
use std::process::ExitCode;

/// Why the command cannot go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The input is bad. The text names file and line, or file and record.
    Input(String),
    /// There is more than one Kinesis record where one is asked for.
    NotOne,
    /// The options do not go together.
    Usage(String),
    /// The output cannot be written.
    Output(io::Error),
    /// Nothing failed: so much was read that no more is needed. It ends the reading, and is never shown.
    Enough,
}

impl Failure {
    /// 1 for what went wrong with the data, 2 for what was wrong with the call.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_) | Self::NotOne | Self::Output(_) | Self::Enough => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(text) | Self::Usage(text) => f.write_str(text),
            Self::NotOne => f.write_str(
                "more than one Kinesis record: --output raw writes the bytes of just one (give fewer user records, or a \
                 larger --max-bytes)",
            ),
            Self::Enough => f.write_str("enough"),
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
        }
    }
}

impl From<io::Error> for Failure {
    /// Reading maps its errors itself, since they have to name the file.
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
