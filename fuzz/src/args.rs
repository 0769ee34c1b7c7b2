//! What stands in for the arguments of the command.

use std::path::PathBuf;

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputForm {
    Auto,
    Raw,
    Hex,
    Base64,
    Json,
}

/// Files to read, and what they are.
pub(crate) struct InputArgs {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) input: InputForm,
}
