//! The command reads any input completely, or says what is wrong with it.
#![no_main]

use kinesis_aggregation_fuzz::command;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| command::any(input));
