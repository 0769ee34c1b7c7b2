//! Whatever is done with an `Encoder`, nothing is lost, sizes are exact and limits are kept.
#![no_main]

use kinesis_aggregation_fuzz::packing::{self, Script};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: Script| packing::encoder(&script));
