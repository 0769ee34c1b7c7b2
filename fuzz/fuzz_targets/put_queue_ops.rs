//! A `PutQueue` loses nothing and keeps its order, whatever is called and whatever the results.
#![no_main]

use kinesis_aggregation_fuzz::putting::{self, Script};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: Script| putting::run(script));
