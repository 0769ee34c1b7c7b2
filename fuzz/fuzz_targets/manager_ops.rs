//! An `AggregationManager` agrees with a model that knows only the rules, whatever is called.
#![no_main]

use kinesis_aggregation_fuzz::managing::{self, Script};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: Script| managing::run(script));
