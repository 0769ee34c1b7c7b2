//! Aggregates from the `testing` module decode to the user records, or to the error, that the module predicts.
#![no_main]

use kinesis_aggregation::testing::{BrokenAggregate, ValidAggregate};
use kinesis_aggregation_fuzz::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|generated: Result<ValidAggregate, BrokenAggregate>| decode::generated(&generated));
