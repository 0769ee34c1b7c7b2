//! A body made of fields, most of them as they should be, in a right frame, gives what the specification says.
#![no_main]

use kinesis_aggregation_fuzz::bodies::Body;
use kinesis_aggregation_fuzz::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: Body<'_>| decode::framed(&body));
