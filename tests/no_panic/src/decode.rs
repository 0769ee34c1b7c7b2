//! Decoding, with every kind of key buffer.

use kinesis_aggregation::{IntoUserRecords, KeyRoom, ParseError, Payload, UserRecord};
use kinesis_aggregation::decode::{
    AggregatedRecord, DecodeError, DecodeErrorKind, DigestCheck, PlainReason, RecordTag, Tags, UserRecords,
    verify_each,
};
use kinesis_aggregation::route::{HashKeyRange, InRange, InvalidHashKey, RangeMode};

use crate::seen::{Seen, compared, copied, debugged, defaulted, entered, error, shown, value, walked};

#[expect(clippy::needless_borrows_for_generic_args, reason = "a borrowed buffer has separate code")]
pub(crate) fn decode(payload: &[u8], seen: &mut Seen) {
    with_room(payload, [""; 16], seen);
    with_room(payload, &mut [""; 16], seen);
    with_room(payload, [""; 16].as_mut_slice(), seen);
    with_room(payload, heapless::Vec::<_, 16>::new(), seen);
    with_room(payload, &mut heapless::Vec::<_, 16>::new(), seen);
    values(payload, seen);
}

fn with_room<'a, K: KeyRoom<'a>>(payload: &'a [u8], room: K, seen: &mut Seen) {
    match Payload::parse(payload, room) {
        Payload::Aggregated(aggregate) => aggregated(aggregate, seen),
        Payload::Plain(reason) => plain(reason, seen),
        Payload::NeedsRoom { needed } => seen.number(needed),
    }
    match Payload::parse_with(payload, [""; 1], DigestCheck::Skip) {
        Payload::Aggregated(aggregate) => seen.number(AggregatedRecord::into_room(aggregate).len()),
        Payload::Plain(reason) => plain(reason, seen),
        Payload::NeedsRoom { needed } => seen.number(needed),
    }
}

fn aggregated<'a, K: KeyRoom<'a>>(aggregate: AggregatedRecord<'a, K>, seen: &mut Seen) {
    seen.number(AggregatedRecord::len(&aggregate));
    seen.number(u8::from(AggregatedRecord::is_empty(&aggregate)));
    for key in AggregatedRecord::partition_keys(&aggregate) {
        seen.text(key);
    }
    for key in AggregatedRecord::explicit_hash_keys(&aggregate) {
        seen.text(key);
    }
    let left =
        walked::<UserRecords<'_, '_>>(AggregatedRecord::records(&aggregate), |user| record(&user, seen));
    seen.number(left);
    for after in [0, 3, u64::MAX] {
        AggregatedRecord::records_after(&aggregate, after).for_each(|user| record(&user, seen));
    }
    let mut users = entered::<&AggregatedRecord<'_, _>>(&aggregate);
    if let (Some(a), Some(b)) = (users.next(), users.next()) {
        compared::<UserRecord<'_>>(seen, &a, &b);
    }
    seen.number(users.len());
    in_range(&aggregate, seen);
    entered::<AggregatedRecord<'_, _>>(aggregate).for_each(|user| record(&user, seen));
}

fn in_range<'a, K: KeyRoom<'a>>(aggregate: &AggregatedRecord<'a, K>, seen: &mut Seen) {
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

/// Uses clones of borrowing types, and the errors.
fn values(payload: &[u8], seen: &mut Seen) {
    let check = defaulted::<DigestCheck>();
    value::<DigestCheck>(seen, &check);
    debugged::<DigestCheck>(seen, &check);
    match AggregatedRecord::parse_with(payload, [""; 64], check) {
        Ok(aggregate) => {
            debugged::<AggregatedRecord<'_, _>>(seen, &aggregate);
            let users = copied::<UserRecords<'_, '_>>(&aggregate.records());
            users.for_each(|user| record(&copied::<UserRecord<'_>>(&user), seen));
            let users = copied::<AggregatedRecord<'_, _>>(&aggregate).into_iter();
            seen.number(users.len());
            let left = walked::<IntoUserRecords<'_, _>>(users, |user| record(&user, seen));
            seen.number(left);
        }
        Err(fault) => {
            error::<ParseError>(seen, &fault);
            value::<ParseError>(seen, &fault);
            debugged::<ParseError>(seen, &fault);
        }
    }
    if let Ok(aggregate) = AggregatedRecord::parse(payload, [""; 2]) {
        seen.number(aggregate.len());
    }
    let mut verdicts = [Ok(()); 2];
    verify_each(&[payload, b"not an aggregate", payload], &mut verdicts);
    for verdict in verdicts {
        compared(seen, &verdict, &Ok(()));
    }
    let payload = Payload::parse(payload, [""; 3]);
    if let Payload::Aggregated(aggregate) = copied::<Payload<'_, _>>(&payload) {
        seen.number(aggregate.len());
    }
}
