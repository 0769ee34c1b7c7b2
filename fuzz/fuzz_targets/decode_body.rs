//! Any body, below the digest, gives what the specification says: verdict, values and offset.
#![no_main]

use kinesis_aggregation_fuzz::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| decode::body(body));
