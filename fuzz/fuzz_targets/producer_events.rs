//! A producer gives each receipt back once, and delivers nothing to a shard that does not own it, whatever happens in whatever
//! order.
#![no_main]

use kinesis_aggregation_fuzz::events::{self, Script};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: Script| events::run(&script));
