//! Encoding into a buffer.

use core::time::Duration;

use kinesis_aggregation::decode::RecordTag;
use kinesis_aggregation::encode::{AddStatus, AggregateRef, EncodeError, FinishedBuffer};
use kinesis_aggregation::route::{HashKey, HashKeyError};
use kinesis_aggregation::{Encoder, Limits, UserRecord};

use crate::seen::{Seen, compared, copied, debugged, defaulted, error, shown, value};

pub(crate) fn pack(text: &str, seen: &mut Seen) {
    let (key, rest) = text.split_at_checked(text.len() / 2).unwrap_or((text, text));
    let tags = [RecordTag { key: text, value: Some(text) }, RecordTag { key: "", value: None }];
    let one = UserRecord::with_explicit_hash_key(UserRecord::new(key, rest), rest);
    let other = UserRecord::new(rest, key);
    let records = [one, other, UserRecord::with_tags(one, &tags), other];
    for record in &records {
        if let Err(fault) = UserRecord::validate(record) {
            refused(fault, seen);
        }
    }
    one_by_one::<0>(&records, seen);
    one_by_one::<4>(&records, seen);
}

fn limits(max_bytes: u32, seen: &mut Seen) -> Limits {
    let limits = [defaulted::<Limits>(), Limits::KPL, Limits::IOT_CORE];
    for limits in &limits {
        value::<Limits>(seen, limits);
        seen.number(Limits::target_bytes(limits) ^ Limits::max_bytes(limits));
        seen.number(Limits::max_user_records(limits));
        seen.number(Limits::max_partition_keys(limits));
        seen.number(Limits::max_age(limits).map_or(0, |age| age.as_secs()));
    }
    let limits = Limits::with_max_bytes(Limits::KINESIS_MAX, max_bytes);
    let limits = Limits::with_target_bytes(limits, max_bytes / 2);
    let limits = Limits::with_max_user_records(limits, seen_count(max_bytes));
    let limits = Limits::with_max_partition_keys(limits, max_bytes & 3);
    Limits::with_max_age(limits, Duration::from_millis(5))
}

fn seen_count(max_bytes: u32) -> usize {
    usize::try_from(max_bytes & 7).unwrap_or_default()
}

fn one_by_one<const KEYS: usize>(records: &[UserRecord<'_>], seen: &mut Seen) {
    let max_bytes = records.first().map_or(0, |record| u32::try_from(record.data.len() * 8).unwrap_or(0));
    let mut buffer = [0; 1024];
    let mut encoder = Encoder::<KEYS>::new(&mut buffer, limits(max_bytes, seen));
    for (time, record) in (0..).zip(records.iter().copied()) {
        let now = Duration::from_millis(time);
        seen.number(Encoder::would_add(&encoder, record));
        seen.number(u8::from(Encoder::fits(&encoder, record)));
        let status = if time & 1 == 0 {
            Encoder::add(&mut encoder, record)
        } else {
            Encoder::add_at(&mut encoder, record, now)
        };
        match status {
            Ok(status) => {
                value::<AddStatus>(seen, &status);
                debugged::<AddStatus>(seen, &status);
                if status == AddStatus::Full && time == 2 {
                    Encoder::clear(&mut encoder);
                }
            }
            Err(fault) => refused(fault, seen),
        }
        seen.number(Encoder::size_bytes(&encoder) ^ Encoder::encoded_len(&encoder));
        seen.number(Encoder::user_records(&encoder) ^ usize::from(Encoder::is_empty(&encoder)));
        seen.number(u8::from(Encoder::expired(&encoder, now)));
    }
    value::<Limits>(seen, &Encoder::limits(&encoder));
    if let Some(aggregate) = Encoder::finish(&mut encoder) {
        aggregated(&aggregate, seen);
    }
    let mut next = [0; 64];
    if let Some(record) = records.first() {
        seen.number(u8::from(Encoder::add(&mut encoder, *record).is_ok()));
    }
    let finished = Encoder::swap_buffer(&mut encoder, &mut next);
    if let Some(aggregate) = FinishedBuffer::aggregate(&finished) {
        aggregated(&aggregate, seen);
    }
    seen.number(FinishedBuffer::into_buffer(finished).len());
}

pub(crate) fn recovered(data: &[u8], seen: &mut Seen) {
    if let Some(aggregate) = AggregateRef::from_data(data) {
        aggregated(&aggregate, seen);
    }
}

fn aggregated(aggregate: &AggregateRef<'_>, seen: &mut Seen) {
    compared::<AggregateRef<'_>>(seen, aggregate, &copied::<AggregateRef<'_>>(aggregate));
    seen.number(aggregate.data.len());
    seen.text(AggregateRef::partition_key(aggregate));
    seen.number(aggregate.explicit_hash_key.map_or(0, HashKey::get));
    seen.number(AggregateRef::size_bytes(aggregate) ^ aggregate.user_records);
}

fn refused(fault: EncodeError, seen: &mut Seen) {
    error::<EncodeError>(seen, &fault);
    value::<EncodeError>(seen, &fault);
    debugged::<EncodeError>(seen, &fault);
    if let EncodeError::ExplicitHashKey(fault) = fault {
        error::<HashKeyError>(seen, &fault);
        value::<HashKeyError>(seen, &fault);
        debugged::<HashKeyError>(seen, &fault);
        shown::<HashKeyError>(seen, &fault);
    }
}
