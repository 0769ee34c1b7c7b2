//! The reasons for which the command stops.

use core::fmt;
use std::io;
use std::process::ExitCode;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The input is invalid or cannot be read. The text names the file and, where there is one, the line.
    Input(String),
    /// The options contradict each other.
    Usage(String),
    /// Nothing more is wanted from the input.
    Enough,
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
            Self::Enough => ExitCode::SUCCESS,
        }
    }

    /// Adds findings to the result of reading. They are reported last, unless another failure has to be.
    pub(crate) fn found(read: Result<(), Self>, findings: Vec<String>) -> Result<(), Self> {
        match read {
            Ok(()) | Err(Self::Reported) if !findings.is_empty() => Err(Self::Input(findings.join(", "))),
            read => read,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(text) | Self::Usage(text) => f.write_str(text),
            Self::Reported | Self::Enough => Ok(()),
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
