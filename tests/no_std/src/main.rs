//! Encodes and decodes user records in a program without the standard library and without an allocator.
//!
//! The C library is linked only to start, write and abort. Code that needs a heap would not build: nothing here defines a
//! `#[global_allocator]`, and `extern crate alloc` without one is a compile error.

#![no_std]
#![no_main]

mod host;
mod take_once;

use core::fmt::Write;

use kinesis_aggregation::decode::{DecodeErrorKind, Md5, PlainReason, RecordTag};
use kinesis_aggregation::encode::{AddStatus, EncodeError};
use kinesis_aggregation::{Encoder, Limits, Payload, UserRecord};

use crate::host::Output;
use crate::take_once::TakeOnce;

/// The buffer, in static memory as in firmware, not on the stack.
static BUFFER: TakeOnce<[u8; 1024]> = TakeOnce::new([0; 1024]);

const TAGS: &[RecordTag<'_>] =
    &[RecordTag { key: "unit", value: Some("°C") }, RecordTag { key: "raw", value: None }];

/// The entry point, called by the C library.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    let (answer, status) = match round_trips() {
        Ok(count) => (writeln!(Output, "no_std: {count} user records round trip"), 0),
        Err(failure) => (writeln!(Output, "no_std: {failure}"), 1),
    };
    if answer.is_ok() { status } else { 1 }
}

fn round_trips() -> Result<usize, &'static str> {
    let buffer = BUFFER.take().ok_or("the buffer is already in use")?;
    let records = [
        UserRecord::new("device-7", "21.5"),
        UserRecord::new("device-8", "19.0").with_explicit_hash_key("340282366920938463463374607431768211455"),
        UserRecord::new("device-7", "21.6").with_tags(TAGS),
        UserRecord::new("gerät-9", ""),
        UserRecord::new("device-8", &[0xff; 200]).with_explicit_hash_key("0"),
    ];
    streamed(&records, buffer)?;
    several(&records, buffer)?;
    exact(&records, buffer)?;
    malformed(buffer)?;
    Ok(records.len())
}

/// Encodes all user records into one aggregate, in streamed order.
fn streamed(records: &[UserRecord<'_>], buffer: &mut [u8]) -> Result<(), &'static str> {
    let mut encoder = Encoder::<4>::new(buffer, Limits::default());
    for record in records {
        if encoder.add(*record) != Ok(AddStatus::Added) {
            return Err("a user record was not added");
        }
    }
    let size = encoder.size_bytes();
    let aggregate = encoder.finish().ok_or("nothing was pending")?;
    if aggregate.size_bytes() != size || aggregate.partition_key() != "device-7" {
        return Err("the aggregate differs from the announced size or key");
    }
    compare(aggregate.data, records)
}

/// Encodes the user records into several aggregates, with a limit of two each.
fn several(records: &[UserRecord<'_>], buffer: &mut [u8]) -> Result<(), &'static str> {
    let mut encoder = Encoder::<0>::new(buffer, Limits::default().with_max_user_records(2));
    let mut finished = 0;
    for (i, record) in records.iter().enumerate() {
        if encoder.add(*record) == Ok(AddStatus::Full) {
            let aggregate = encoder.finish().ok_or("there is no full aggregate")?;
            compare(aggregate.data, records.get(finished..i).ok_or("more user records than were added")?)?;
            finished = i;
            if encoder.add(*record) != Ok(AddStatus::Added) {
                return Err("a user record was not added after the aggregate was finished");
            }
        }
    }
    let aggregate = encoder.finish().ok_or("the last aggregate is missing")?;
    compare(aggregate.data, records.get(finished..).ok_or("more user records than were added")?)
}

/// In a buffer of exactly the size that is needed, and in one that is a byte too small.
fn exact(records: &[UserRecord<'_>], buffer: &mut [u8]) -> Result<(), &'static str> {
    let first = records.first().ok_or("no user records")?;
    let mut encoder = Encoder::<4>::new(buffer, Limits::default());
    let len = encoder.add(*first).map(|_| encoder.encoded_len()).map_err(|_| "not added")?;
    let available = len.saturating_sub(1);
    let short = buffer.get_mut(..available).ok_or("more than the buffer")?;
    let error = EncodeError::BufferTooSmall { required: len, available };
    if Encoder::<4>::new(short, Limits::default()).add(*first) != Err(error) {
        return Err("a buffer that is too small was not noticed");
    }
    let exact = buffer.get_mut(..len).ok_or("more than the buffer")?;
    let mut encoder = Encoder::<4>::new(exact, Limits::default());
    if encoder.add(*first) != Ok(AddStatus::Added) {
        return Err("a buffer that is just large enough was refused");
    }
    compare(encoder.finish().ok_or("nothing was pending")?.data, core::slice::from_ref(first))
}

/// Decodes a payload with a valid frame, whose only user record has no data.
fn malformed(buffer: &mut [u8]) -> Result<(), &'static str> {
    let body = [0x0a, 1, b'a', 0x1a, 2, 0x08, 0];
    let payload = buffer.get_mut(..4 + body.len() + 16).ok_or("larger than the buffer")?;
    let parts = [&kinesis_aggregation::decode::MAGIC[..], &body, &Md5::digest(&body)];
    for (to, from) in payload.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    match Payload::parse(payload, &mut [""; 1]) {
        Payload::Plain(PlainReason::Malformed(error))
            if error.kind() == DecodeErrorKind::MissingData && error.offset() == 7 =>
        {
            Ok(())
        }
        _ => Err("a malformed payload was accepted"),
    }
}

/// Parses a payload, with a buffer for its keys on the stack, and compares every user record.
fn compare(payload: &[u8], records: &[UserRecord<'_>]) -> Result<(), &'static str> {
    let mut keys = [""; 10];
    let Payload::Aggregated(aggregate) = Payload::parse(payload, &mut keys) else {
        return Err("not an aggregate, or too many keys");
    };
    if aggregate.len() != records.len() {
        return Err("the number of user records differs");
    }
    for (i, (record, expected)) in (0..).zip(aggregate.records().zip(records)) {
        let mut expected = *expected;
        expected.sub_sequence_number = i;
        if record != expected {
            return Err("a user record differs");
        }
    }
    Ok(())
}
