//! prost reads the same user records in any body, apart from known differences.
#![no_main]

use kinesis_aggregation_fuzz::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| decode::as_prost(body));
