//! Replaces the arguments of the command.

use std::path::PathBuf;

/// The form of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputForm {
    Auto,
    Raw,
    Hex,
    Base64,
    Json,
}

/// The files to read.
#[derive(Default)]
pub(crate) struct ReadArgs {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) no_values: bool,
}

/// The files to read, and their form.
pub(crate) struct InputArgs {
    pub(crate) read: ReadArgs,
    pub(crate) fail_fast: bool,
    pub(crate) input: InputForm,
}
