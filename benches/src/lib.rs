//! Shared by all benchmarks: the data, the work that is measured, and the groups of contenders that do it.

pub mod corpora;
pub mod group;
pub mod groups;
pub mod others;
pub mod ours;
