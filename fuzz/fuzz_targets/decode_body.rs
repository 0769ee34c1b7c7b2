//! Decoding any body agrees with the specification: user records, or the kind of error and its offset.
#![no_main]

use kinesis_aggregation_fuzz::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| decode::body(body));
