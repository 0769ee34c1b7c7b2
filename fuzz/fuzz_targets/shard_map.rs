//! Any list of shards makes a map or the right error, and lookups agree with a linear search.
#![no_main]

use kinesis_aggregation_fuzz::shards::{self, Listing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|listing: Listing| shards::check(&listing));
