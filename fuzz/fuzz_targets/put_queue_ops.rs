//! Whatever is done with a `PutQueue` and whatever is answered, nothing is lost, and nothing overtakes.
#![no_main]

use kinesis_aggregation_fuzz::putting::{self, Script};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: Script| putting::run(script));
