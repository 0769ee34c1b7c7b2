//! Decoding any payload agrees with the executable specification.
#![no_main]

use kinesis_aggregation_fuzz::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| decode::any(payload));
