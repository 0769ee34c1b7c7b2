//! The command, run as a process: its input, output, messages and exit status.
//!
//! Scripts depend on the output, so it is compared exactly. A message only has to contain the file, line, name or number
//! that it is about.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic fails the test, as it should")]

mod aggregate;
mod cat;
mod deaggregate;
mod docs;
mod input;
mod inspect;
mod live;
mod renderings;
mod route;
mod streams;
mod support;
mod usage;
mod verify;
