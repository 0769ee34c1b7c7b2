//! prost sees the same in a body, but for the known differences.
#![no_main]

use kinesis_aggregation_fuzz::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| decode::as_prost(body));
