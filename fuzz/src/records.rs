//! User records: those that a producer may send, and some that it may not.

use arbitrary::{Arbitrary, Result, Unstructured};
use kinesis_aggregation::testing::OwnedUserRecord;

use crate::common::encode::checks;
use crate::common::{Record, with_records};

/// Generates a user record, now and then one that is refused.
pub(crate) fn any_record(u: &mut Unstructured<'_>) -> Result<Record> {
    let mut record = Record::from(OwnedUserRecord::arbitrary(u)?.as_user_record());
    match u.arbitrary::<u8>()? {
        248..=249 => record.partition_key.clear(),
        250..=251 => record.partition_key = "é".repeat(u.int_in_range(255..=257)?),
        252..=253 => record.explicit_hash_key = Some(u.arbitrary()?),
        // Several blocks of the digest.
        254..=255 => record.data = vec![0x5a; u.int_in_range(0..=2_100)?],
        _ => {}
    }
    Ok(record)
}

/// Checks that user records survive encoding in every way, that records that were parsed encode to the same bytes, that
/// buffers of the exact size are enough, and that sizes are known in advance.
pub fn round_trip(records: &[OwnedUserRecord]) {
    let owned: Vec<Record> = records.iter().map(|record| record.as_user_record().into()).collect();
    checks::round_trip(&owned);
    with_records(&owned, |records| {
        checks::parsed_records_encode_alike(records);
        checks::exact_buffers(records, owned.len());
        // This checks every prefix of the list, so its time is quadratic.
        checks::sizes(&records[..records.len().min(8)]);
    });
}
