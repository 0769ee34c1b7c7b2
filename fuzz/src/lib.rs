//! The checks that the fuzz targets run. Those that the tests share are the same files.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all numbers are small, and a panic is what a fuzzer looks for"
)]

pub mod command;
pub mod decode;
pub mod managing;
pub mod packing;
pub mod records;
pub mod shards;

// Shared with the tests.

#[path = "../../tests/common/agree.rs"]
mod agree;
#[path = "../../tests/spec/by_prost.rs"]
mod by_prost;
#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/produce/events.rs"]
pub mod events;
#[path = "../../tests/spec/generated_checks.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod generated_checks;
#[path = "../../tests/route/model.rs"]
mod model;
#[path = "../../tests/reference/mod.rs"]
mod reference;

// The command's input. `args`, `output`, `progress`, `stop` and `text` replace other parts of it.

mod args;
#[path = "../../src/bin/kinesis-agg/base64.rs"]
#[allow(dead_code, reason = "the rest of the command uses it")]
mod base64;
#[path = "../../src/bin/kinesis-agg/failure.rs"]
#[allow(dead_code, reason = "the rest of the command uses it")]
mod failure;
#[path = "../../src/bin/kinesis-agg/input/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the rest of the command uses it")]
mod input;
#[path = "../../src/bin/kinesis-agg/shards.rs"]
#[allow(dead_code, reason = "the rest of the command uses it")]
mod listing;
mod output;
mod progress;
mod stop;
mod text;
