//! Any bytes at all: decoding them is total, and gives what the specification says.
#![no_main]

use kinesis_aggregation_fuzz::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| decode::any(payload));
