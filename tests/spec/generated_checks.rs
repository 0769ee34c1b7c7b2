//! Checks of generated aggregates, which tests and fuzz targets share.

use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck};
use kinesis_aggregation::testing::{BrokenAggregate, ValidAggregate};

use crate::agree::agree;
use crate::common::records;

/// Asserts that the decoder and the specification return exactly the predicted user records.
pub(crate) fn check_valid(valid: &ValidAggregate) {
    let aggregate =
        AggregatedRecord::parse(&valid.payload).unwrap_or_else(|error| panic!("{error}: {valid:?}"));
    assert!(aggregate.records().eq(valid.user_records()), "{valid:?}");
    // The library reads the tags on both sides. The specification shares no code with it.
    assert_eq!(agree(&valid.payload, DigestCheck::Verify), "aggregated");
    assert_eq!(records(&aggregate), records(valid.user_records()));
}

/// Asserts that the decoder and the specification return exactly the predicted reason.
pub(crate) fn check_broken(broken: &BrokenAggregate) {
    let parsed = AggregatedRecord::parse(&broken.payload);
    match parsed {
        Err(reason) => assert_eq!(reason, broken.reason, "{broken:?}"),
        other => panic!("{other:?}: {broken:?}"),
    }
    agree(&broken.payload, DigestCheck::Verify);
    agree(&broken.payload, DigestCheck::Skip);
}
