//! Whatever the command is given to read, it reads all of it or says what is wrong.
#![no_main]

use kinesis_aggregation_fuzz::command;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| command::any(input));
