//! The command, driven as a process.
