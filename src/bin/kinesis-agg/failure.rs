//! Why the command stops.

use core::fmt;
use std::io;
use std::process::ExitCode;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The input is invalid or cannot be read. The text names the file and, where there is one, the line.
    Input(String),
    /// The options contradict each other.
    Usage(String),
    /// Something went wrong that has been reported already.
    Reported,
    /// The output cannot be written.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_) | Self::Reported | Self::Output(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(text) | Self::Usage(text) => f.write_str(text),
            Self::Reported => Ok(()),
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
        }
    }
}

impl From<io::Error> for Failure {
    /// Makes `?` mean an output error. Input errors are built where the file's name is known.
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
