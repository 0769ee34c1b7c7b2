//! A `RecordAggregator` loses nothing, keeps its limits and knows its size, whatever is called.
#![no_main]

use kinesis_aggregation_fuzz::packing::{self, Script};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: Script| packing::aggregator(&script));
