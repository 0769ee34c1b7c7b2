//! Messages of errors, and the output of `{:?}`.

use core::error::Error;

use kinesis_aggregation::encode::{AddError, AddStatus, EncodeError};
use kinesis_aggregation::route::HashKeyError;
use kinesis_aggregation::{Encoder, Limits, RecordAggregator, UserRecord};

#[test]
fn errors_name_sizes_and_limits() {
    let too_large = EncodeError::TooLarge { required: 4, limit: 3 };
    let rows: [(&str, &dyn Error); 7] = [
        (
            "partition key of 257 characters: 1 to 256 are allowed",
            &EncodeError::PartitionKeyLength { characters: 257 },
        ),
        ("explicit hash key: no digits", &EncodeError::ExplicitHashKey(HashKeyError::Empty)),
        ("user record needs an aggregate of 4 bytes: the limit is 3", &too_large),
        (
            "user record needs an aggregate of 40 bytes: the limit is 30; it fits only as a plain record, in 20 bytes",
            &EncodeError::FitsOnlyPlain { required: 40, limit: 30, plain: 20 },
        ),
        (
            "aggregate needs 4 bytes: the buffer has 3",
            &EncodeError::BufferTooSmall { required: 4, available: 3 },
        ),
        ("user record needs an aggregate of 4 bytes: the limit is 3", &AddError::Encode(too_large)),
        ("the callback has panicked and takes no more aggregates", &AddError::WorkerStopped),
    ];
    for (text, error) in rows {
        assert_eq!(error.to_string(), text);
        assert!(error.source().is_none(), "{text}: the message says it already");
    }
}

#[test]
fn debug_output_shows_counts_and_limits() {
    let record = UserRecord::new("k", "data");
    let limits = Limits::KPL;

    let mut aggregator = RecordAggregator::new(limits);
    assert_eq!(aggregator.add(record), Ok(None));
    let counts = format!("user_records: 1, size_bytes: {}", aggregator.size_bytes());
    let packed = format!("RecordAggregator {{ {counts}, limits: {limits:?}, .. }}");
    assert_eq!(format!("{aggregator:?}"), packed);
    assert_eq!(
        format!("{:?}", aggregator.clone().on_complete(drop)),
        format!("CallbackAggregator {{ aggregator: {packed}, .. }}")
    );
    assert_eq!(
        format!("{:?}", aggregator.clone().on_complete_in_background(1, drop).unwrap()),
        format!("BackgroundAggregator {{ aggregator: {packed}, stopped: false, .. }}")
    );

    let mut buffer = [0; 64];
    let mut encoder = Encoder::<1>::new(&mut buffer, limits);
    assert_eq!(encoder.add(record), Ok(AddStatus::Added));
    assert_eq!(format!("{encoder:?}"), format!("Encoder {{ {counts}, buffer: 64, limits: {limits:?}, .. }}"));
}

#[test]
fn a_panic_of_a_callback_is_shown_with_its_message() {
    let mut aggregator =
        RecordAggregator::new(Limits::default()).on_complete_in_background(1, |_| panic!("no more")).unwrap();
    aggregator.add(UserRecord::new("k", "data")).unwrap();
    let panic = aggregator.finish().unwrap_err();
    assert_eq!(panic.to_string(), "the callback has panicked (no more); 0 aggregates were not delivered");
    assert_eq!(format!("{panic:?}"), "WorkerPanic { message: Some(\"no more\"), undelivered: 0 }");
}
