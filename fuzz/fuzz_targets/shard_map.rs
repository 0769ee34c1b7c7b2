//! Any listing of shards makes a map or the right error, and a map finds the owner that a walk finds.
#![no_main]

use kinesis_aggregation_fuzz::shards::{self, Listing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|listing: Listing| shards::check(&listing));
