//! Any list of user records comes back as it was, from either order, and every size is exact.
#![no_main]

use kinesis_aggregation_fuzz::records::{self, Records};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|records: Records| records::round_trip(&records));
