//! Lists of user records, and what holds for each.

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::common_encode::{OwnedRecord, checks, with_records};

/// User records that a producer may send. Many share their keys.
#[derive(Debug)]
pub struct Records(Vec<OwnedRecord>);

impl<'a> Arbitrary<'a> for Records {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        u.arbitrary_iter::<Valid>()?.map(|valid| Ok(valid?.0)).collect::<Result<_>>().map(Self)
    }
}

/// A user record that a producer may send.
struct Valid(OwnedRecord);

impl<'a> Arbitrary<'a> for Valid {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut record = any_record(u)?;
        record.partition_key = record.partition_key.chars().take(256).collect();
        if record.partition_key.is_empty() {
            record.partition_key.push('k');
        }
        record.explicit_hash_key = record.explicit_hash_key.and_then(|key| valid_hash_key(&key));
        Ok(Self(record))
    }
}

/// The hash key that a text is, or the one that its digits are.
fn valid_hash_key(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse::<u128>().ok().map(|key| key.to_string())
}

/// A user record, now and then one that a producer may not send.
pub(crate) fn any_record(u: &mut Unstructured<'_>) -> Result<OwnedRecord> {
    let partition_key = match u.arbitrary::<u8>()? {
        kind @ 0..=239 => ["a", "b", "device-7", "漢字"][usize::from(kind % 4)].to_owned(),
        240..=249 => u.arbitrary()?,
        _ => ["k", "é", "🚀"][usize::from(u.arbitrary::<u8>()? % 3)].repeat(u.int_in_range(0..=257)?),
    };
    let explicit_hash_key = match u.arbitrary::<u8>()? {
        0..=127 => None,
        kind @ 128..=239 => Some((kind % 4).to_string()),
        240..=247 => Some(u.arbitrary::<u128>()?.to_string()),
        248..=251 => Some(u128::MAX.to_string()),
        _ => Some(u.arbitrary()?),
    };
    let data = match u.arbitrary::<u8>()? {
        0..=239 => u.arbitrary()?,
        // Lengths of two bytes, and runs of the digest.
        _ => vec![0x5a; u.int_in_range(0..=2_100)?],
    };
    let tags = if u.ratio(1, 8)? { u.arbitrary()? } else { Vec::new() };
    Ok(OwnedRecord { partition_key, explicit_hash_key, data, tags })
}

/// The user records come back, the canonical encoders write the same, buffers need no byte more than was counted, and
/// sizes are known beforehand.
pub fn round_trip(Records(owned): &Records) {
    checks::round_trip(owned);
    with_records(owned, |records| {
        checks::canonical_encoders_agree(records);
        checks::exact_buffers(records, owned.len());
        // The sizes are those of every beginning of the list, so this takes its square.
        checks::sizes(&records[..records.len().min(8)]);
    });
}
