//! Any list of user records survives encoding and decoding, in either order, and every size is exact.
#![no_main]

use kinesis_aggregation::testing::OwnedUserRecord;
use kinesis_aggregation_fuzz::records;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|records: Vec<OwnedUserRecord>| records::round_trip(&records));
