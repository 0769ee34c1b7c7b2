//! Decoding.

use kinesis_aggregation::decode::{
    AggregatedRecord, DecodeError, DecodeErrorKind, DigestCheck, PlainReason, RecordTag, Tags, UserRecords,
};
use kinesis_aggregation::route::{HashKeyRange, InRange, InvalidHashKey, RangeMode};
use kinesis_aggregation::{Payload, UserRecord};

use crate::seen::{Seen, compared, copied, debugged, defaulted, entered, error, shown, value, walked};

pub(crate) fn decode(payload: &[u8], seen: &mut Seen) {
    let check = defaulted::<DigestCheck>();
    value::<DigestCheck>(seen, &check);
    debugged::<DigestCheck>(seen, &check);

    parsed(&Payload::parse(payload, &mut [""; 16]), seen);
    parsed(&Payload::parse_with(payload, &mut [""; 1], DigestCheck::Skip), seen);

    let mut verdicts = [Ok(()); 2];
    Payload::verify_each(&[payload, b"not an aggregate", payload], &mut verdicts);
    for verdict in verdicts {
        compared(seen, &verdict, &Ok(()));
    }
}

fn parsed(payload: &Payload<'_, '_>, seen: &mut Seen) {
    match copied::<Payload<'_, '_>>(payload) {
        Payload::Aggregated(aggregate) => aggregated(&copied::<AggregatedRecord<'_, '_>>(&aggregate), seen),
        Payload::Plain(reason) => plain(reason, seen),
        Payload::NeedsKeys { needed } => seen.number(needed),
    }
}

fn aggregated(aggregate: &AggregatedRecord<'_, '_>, seen: &mut Seen) {
    seen.number(AggregatedRecord::len(aggregate));
    seen.number(u8::from(AggregatedRecord::is_empty(aggregate)));
    for key in AggregatedRecord::partition_keys(aggregate) {
        seen.text(key);
    }
    for key in AggregatedRecord::explicit_hash_keys(aggregate) {
        seen.text(key);
    }
    let users = copied::<UserRecords<'_, '_>>(&AggregatedRecord::records(aggregate));
    let left = walked::<UserRecords<'_, '_>>(users, |user| record(&copied::<UserRecord<'_>>(&user), seen));
    seen.number(left);
    for after in [0, 3, u64::MAX] {
        AggregatedRecord::records_after(aggregate, after).for_each(|user| record(&user, seen));
    }
    let mut users = entered::<&AggregatedRecord<'_, '_>>(aggregate);
    if let (Some(a), Some(b)) = (users.next(), users.next()) {
        compared::<UserRecord<'_>>(seen, &a, &b);
    }
    seen.number(users.len());
    in_range(aggregate, seen);
}

fn in_range(aggregate: &AggregatedRecord<'_, '_>, seen: &mut Seen) {
    for mode in [RangeMode::All, defaulted::<RangeMode>()] {
        value::<RangeMode>(seen, &mode);
        debugged::<RangeMode>(seen, &mode);
        let mut inside = HashKeyRange::filter(HashKeyRange::ALL, aggregate, mode);
        let left = walked::<InRange<_>>(copied::<InRange<_>>(&inside), |user| match user {
            Ok(user) => record(&user, seen),
            Err(fault) => {
                error::<InvalidHashKey<'_>>(seen, &fault);
                compared::<InvalidHashKey<'_>>(seen, &fault, &copied(&fault));
            }
        });
        seen.number(left ^ inside.by_ref().count());
        seen.number(InRange::left_out(&inside) ^ InRange::invalid(&inside));
    }
}

fn record(user: &UserRecord<'_>, seen: &mut Seen) {
    seen.text(user.partition_key);
    seen.text(user.explicit_hash_key.unwrap_or("none"));
    seen.number(user.data.len());
    seen.number(user.sub_sequence_number);
    compared::<Tags<'_>>(seen, &user.tags, &defaulted::<Tags<'_>>());
    seen.number(user.tags.len());
    let left = walked::<Tags<'_>>(user.tags, |tag| value::<RecordTag<'_>>(seen, &tag));
    seen.number(left);
}

fn plain(reason: PlainReason, seen: &mut Seen) {
    seen.text(PlainReason::as_str(&reason));
    error::<PlainReason>(seen, &reason);
    value::<PlainReason>(seen, &reason);
    debugged::<PlainReason>(seen, &reason);
    if let PlainReason::Malformed(fault) = reason {
        error::<DecodeError>(seen, &fault);
        value::<DecodeError>(seen, &fault);
        debugged::<DecodeError>(seen, &fault);
        let kind = DecodeError::kind(fault);
        shown::<DecodeErrorKind>(seen, &kind);
        value::<DecodeErrorKind>(seen, &kind);
        debugged::<DecodeErrorKind>(seen, &kind);
        seen.number(DecodeError::offset(fault));
    }
}
