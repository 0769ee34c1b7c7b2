//! Calls the functions as C does. Miri runs these tests as well.

#![cfg(feature = "full")]
#![allow(
    clippy::as_conversions,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "a test is the caller: it owns what it passes"
)]

use std::ffi::{CStr, c_char, c_void};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::{slice, str};

use kagg::KaggStatus::{self, *};
use kagg::*;
use kinesis_aggregation::{Encoder, Limits, Payload, UserRecord};

/// An encoder and its buffer, as C declares them: zeroed, and used through pointers only.
struct Device {
    encoder: *mut KaggEncoder,
    buffer: *mut u8,
    len: usize,
}

impl Device {
    fn new(len: usize) -> Self {
        let encoder = Box::into_raw(Box::new(KaggEncoder { opaque: [0; KAGG_ENCODER_WORDS] }));
        Self { encoder, buffer: memory(len), len }
    }

    fn init(len: usize) -> Self {
        let device = Self::new(len);
        assert_eq!(unsafe { kagg_encoder_init(device.encoder, device.buffer.cast(), len) }, KAGG_OK);
        device
    }

    fn with_limits(len: usize, limits: KaggLimits) -> Self {
        let device = Self::new(len);
        let status =
            unsafe { kagg_encoder_init_limits(device.encoder, device.buffer.cast(), len, &raw const limits) };
        assert_eq!(status, KAGG_OK);
        device
    }

    fn add(&self, partition_key: &[u8], data: &[u8]) -> KaggStatus {
        unsafe {
            kagg_encoder_add(
                self.encoder,
                partition_key.as_ptr().cast(),
                partition_key.len(),
                data.as_ptr().cast(),
                data.len(),
            )
        }
    }

    fn finish(&self) -> Result<KaggAggregate, KaggStatus> {
        out(|aggregate| unsafe { kagg_encoder_finish(self.encoder, aggregate) })
    }

    fn sizes(&self) -> (usize, usize, usize) {
        let sizes = out(|sizes| unsafe { kagg_encoder_sizes(self.encoder, sizes) }).unwrap();
        let KaggSizes { user_records, data_len, size_bytes } = sizes;
        (user_records, data_len, size_bytes)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        release(self.buffer, self.len);
        drop(unsafe { Box::from_raw(self.encoder) });
    }
}

fn memory(len: usize) -> *mut u8 {
    Box::into_raw(vec![0xa5u8; len].into_boxed_slice()).cast()
}

fn release(memory: *mut u8, len: usize) {
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(memory, len)) });
}

/// Calls a function that writes to an uninitialized variable of the caller. Returns what it wrote.
fn out<T>(call: impl FnOnce(*mut T) -> KaggStatus) -> Result<T, KaggStatus> {
    let mut value = MaybeUninit::uninit();
    match call(value.as_mut_ptr()) {
        KAGG_OK => Ok(unsafe { value.assume_init() }),
        status => Err(status),
    }
}

fn data(aggregate: &KaggAggregate) -> &[u8] {
    unsafe { slice::from_raw_parts(aggregate.data, aggregate.data_len) }
}

fn partition_key(aggregate: &KaggAggregate) -> &str {
    let bytes = unsafe { slice::from_raw_parts(aggregate.partition_key.cast(), aggregate.partition_key_len) };
    str::from_utf8(bytes).unwrap()
}

fn record(partition_key: &str, explicit_hash_key: Option<&str>, data: &[u8]) -> KaggUserRecord {
    KaggUserRecord {
        partition_key: partition_key.as_ptr().cast(),
        partition_key_len: partition_key.len(),
        explicit_hash_key: explicit_hash_key.map_or(null(), |key| key.as_ptr().cast()),
        explicit_hash_key_len: explicit_hash_key.map_or(0, str::len),
        data: data.as_ptr().cast(),
        data_len: data.len(),
        sub_sequence_number: 7,
    }
}

type Seen = Vec<(String, Option<String>, Vec<u8>, u64)>;

unsafe extern "C" fn collect(context: *mut c_void, record: *const KaggUserRecord) -> i32 {
    let (seen, record) = unsafe { (&mut *context.cast::<Seen>(), &*record) };
    let text = |pointer: *const c_char, len| {
        let bytes = unsafe { slice::from_raw_parts(pointer.cast::<u8>(), len) };
        str::from_utf8(bytes).unwrap().to_owned()
    };
    let explicit_hash_key = (!record.explicit_hash_key.is_null())
        .then(|| text(record.explicit_hash_key, record.explicit_hash_key_len));
    let data = unsafe { slice::from_raw_parts(record.data.cast::<u8>(), record.data_len) };
    let partition_key = text(record.partition_key, record.partition_key_len);
    seen.push((partition_key, explicit_hash_key, data.to_vec(), record.sub_sequence_number));
    // Stops after a user record that says so.
    i32::from(data == b"stop")
}

/// Decodes with so many key slots. Returns the status, the keys needed, and the user records.
fn decode(payload: &[u8], slots: usize) -> (KaggStatus, usize, Seen) {
    let mut keys = Vec::<KaggKeySlot>::with_capacity(slots);
    let (mut needed, mut seen) = (usize::MAX, Seen::new());
    let status = unsafe {
        kagg_decode(
            payload.as_ptr().cast(),
            payload.len(),
            keys.as_mut_ptr(),
            slots,
            &raw mut needed,
            Some(collect),
            (&raw mut seen).cast(),
        )
    };
    (status, needed, seen)
}

/// The aggregate of the library for the same user records.
fn expected(records: &[UserRecord<'_>]) -> Vec<u8> {
    let mut buffer = [0; 512];
    let mut encoder = Encoder::<KAGG_KEYS>::new(&mut buffer, Limits::default());
    for record in records {
        assert!(encoder.add(*record).is_ok());
    }
    encoder.finish().unwrap().data.to_vec()
}

#[test]
fn aggregates_are_those_of_the_library_and_decode_to_the_same_user_records() {
    let device = Device::init(256);
    for (key, data) in [("hall-1", "21.5"), ("hällé-2", ""), ("hall-1", "21.6")] {
        assert_eq!(device.add(key.as_bytes(), data.as_bytes()), KAGG_OK);
    }
    let (user_records, data_len, size_bytes) = device.sizes();
    let aggregate = device.finish().unwrap();
    let records = [
        UserRecord::new("hall-1", "21.5"),
        UserRecord::new("hällé-2", ""),
        UserRecord::new("hall-1", "21.6"),
    ];
    assert_eq!(data(&aggregate), expected(&records));
    assert_eq!(partition_key(&aggregate), "hall-1");
    assert_eq!((aggregate.user_records, aggregate.has_explicit_hash_key), (3, 0));
    assert_eq!((user_records, data_len, size_bytes), (3, aggregate.data_len, aggregate.data_len + 6));

    let (status, needed, seen) = decode(data(&aggregate), 2);
    assert_eq!((status, needed), (KAGG_OK, 2));
    let expected: Seen = (0..)
        .zip(records)
        .map(|(number, user)| (user.partition_key.to_owned(), None, user.data.to_vec(), number))
        .collect();
    assert_eq!(seen, expected);
    assert_eq!(device.finish().unwrap_err(), KAGG_EMPTY);
}

#[test]
fn encoders_are_used_again_after_full_and_clear() {
    let device = Device::init(48);
    let mut readings = 0;
    while device.add(b"hall-1", b"21.5") == KAGG_OK {
        readings += 1;
    }
    assert_eq!(device.add(b"hall-1", b"21.5"), KAGG_FULL);
    assert_eq!(device.finish().unwrap().user_records, readings);
    assert_eq!(device.add(b"hall-2", b"21.5"), KAGG_OK);
    assert_eq!(unsafe { kagg_encoder_clear(device.encoder) }, KAGG_OK);
    assert_eq!(device.sizes(), (0, 0, 0));
    assert_eq!(device.finish().unwrap_err(), KAGG_EMPTY);
}

#[test]
fn user_records_have_explicit_hash_keys_and_ages() {
    let limits = KaggLimits { max_age_ms: 1_000, ..KaggLimits::default() };
    let device = Device::with_limits(256, limits);
    let add = |record: &KaggUserRecord, now_ms: Option<u64>| {
        let now_ms = now_ms.as_ref().map_or(null(), |now_ms| &raw const *now_ms);
        unsafe { kagg_encoder_add_record(device.encoder, record, now_ms) }
    };
    let highest = u128::MAX.to_string();
    assert_eq!(add(&record("a", Some(&highest), b"1"), None), KAGG_OK);
    assert_eq!(unsafe { kagg_encoder_expired(device.encoder, u64::MAX) }, KAGG_OK);
    assert_eq!(add(&record("a", Some("0"), b"2"), Some(5_000)), KAGG_OK);
    assert_eq!(unsafe { kagg_encoder_expired(device.encoder, 5_999) }, KAGG_OK);
    assert_eq!(unsafe { kagg_encoder_expired(device.encoder, 6_000) }, KAGG_FULL);
    assert_eq!(add(&record("a", None, b"3"), Some(6_000)), KAGG_FULL);
    assert_eq!(add(&record("a", Some("01"), b"3"), None), KAGG_EXPLICIT_HASH_KEY);
    assert_eq!(add(&record("a", Some(""), b"3"), None), KAGG_EXPLICIT_HASH_KEY);

    let aggregate = device.finish().unwrap();
    assert_eq!(aggregate.has_explicit_hash_key, 1);
    let mut text = [0x7f; 40];
    let status = unsafe { kagg_hash_key_text(aggregate.explicit_hash_key.as_ptr(), text.as_mut_ptr()) };
    assert_eq!(status, KAGG_OK);
    assert_eq!(unsafe { CStr::from_ptr(text.as_ptr()) }.to_str(), Ok(&*highest));
    let (status, needed, seen) = decode(data(&aggregate), 3);
    assert_eq!((status, needed), (KAGG_OK, 3));
    assert_eq!(seen[0].1.as_deref(), Some(&*highest));
    assert_eq!(seen[1].1.as_deref(), Some("0"));
}

#[test]
fn hash_keys_are_decimal() {
    for number in [0, 7, 10, u128::MAX / 2 + 1, u128::MAX] {
        let mut text = [0x7f; 40];
        let bytes = number.to_be_bytes();
        assert_eq!(unsafe { kagg_hash_key_text(bytes.as_ptr(), text.as_mut_ptr()) }, KAGG_OK);
        assert_eq!(unsafe { CStr::from_ptr(text.as_ptr()) }.to_str(), Ok(&*number.to_string()));
    }
}

#[test]
fn buffers_are_exchanged_while_the_other_is_read() {
    let device = Device::with_limits(64, KAGG_LIMITS_IOT_CORE);
    let other = memory(64);
    let swap = |next: *mut u8| {
        out(|aggregate| unsafe { kagg_encoder_swap_buffer(device.encoder, next.cast(), 64, aggregate) })
    };
    // Nothing is pending, but the buffer is another one.
    assert_eq!(swap(other).unwrap_err(), KAGG_EMPTY);
    assert_eq!(device.add(b"hall-1", b"21.5"), KAGG_OK);
    // An AWS IoT rule puts an aggregate with one key.
    assert_eq!(device.add(b"hall-2", b"19.0"), KAGG_FULL);
    let first = swap(device.buffer).unwrap();
    assert_eq!(first.data, other.cast_const());
    assert_eq!(device.add(b"hall-2", b"19.0"), KAGG_OK);
    let second = swap(null_mut()).unwrap_err();
    assert_eq!(second, KAGG_INVALID_ARGUMENT);
    let second = device.finish().unwrap();
    assert_eq!(data(&first), expected(&[UserRecord::new("hall-1", "21.5")]));
    assert_eq!(data(&second), expected(&[UserRecord::new("hall-2", "19.0")]));
    release(other, 64);
}

#[test]
fn stored_aggregates_are_recovered_unless_they_are_damaged() {
    let stored = expected(&[UserRecord::new("hall-1", "21.5").with_explicit_hash_key("42")]);
    let recover = |data: &[u8]| {
        out(|aggregate| unsafe { kagg_aggregate_from_data(data.as_ptr().cast(), data.len(), aggregate) })
    };
    let aggregate = recover(&stored).unwrap();
    assert_eq!((data(&aggregate), partition_key(&aggregate)), (&*stored, "hall-1"));
    assert_eq!((aggregate.user_records, aggregate.has_explicit_hash_key), (1, 1));
    assert_eq!(u128::from_be_bytes(aggregate.explicit_hash_key), 42);
    for len in 0..stored.len() {
        assert_eq!(recover(&stored[..len]).unwrap_err(), KAGG_NOT_AGGREGATED, "{len} bytes");
    }
}

#[test]
fn sizes_are_known_in_advance() {
    let device = Device::init(48);
    let would_add = |record: &KaggUserRecord| {
        let mut added = usize::MAX;
        let status = unsafe { kagg_encoder_would_add(device.encoder, record, &raw mut added) };
        (status, added)
    };
    let user = record("hall-1", None, b"21.5");
    let mut size = 0;
    while would_add(&user).0 == KAGG_OK {
        let (_, added) = would_add(&user);
        assert_eq!(device.add(b"hall-1", b"21.5"), KAGG_OK);
        size += added;
        assert_eq!(device.sizes().2, size);
    }
    assert_eq!(would_add(&user), (KAGG_FULL, 10));
    assert_eq!(device.add(b"hall-1", b"21.5"), KAGG_FULL);
    assert_eq!(would_add(&record("", None, b"")).0, KAGG_PARTITION_KEY_LENGTH);
    let status = unsafe { kagg_encoder_would_add(device.encoder, &raw const user, null_mut()) };
    assert_eq!(status, KAGG_FULL);
}

#[test]
fn user_records_that_cannot_be_added_are_refused_and_change_nothing() {
    let device = Device::with_limits(128, KaggLimits { max_bytes: 100, ..KaggLimits::default() });
    assert_eq!(device.add(b"hall-1", b"21.5"), KAGG_OK);
    let before = device.sizes();
    let long = [b'k'; 257];
    for (name, key, len, status) in [
        ("no key", &b""[..], 0, KAGG_PARTITION_KEY_LENGTH),
        ("long key", &long, 0, KAGG_PARTITION_KEY_LENGTH),
        ("cut key", &b"h\xc3"[..], 0, KAGG_KEY_NOT_UTF8),
        // Whether it will ever fit is found out when nothing is pending.
        ("too large", &b"k"[..], 100, KAGG_FULL),
    ] {
        assert_eq!(device.add(key, &vec![7; len]), status, "{name}");
    }
    assert_eq!(device.sizes(), before);
    assert!(device.finish().is_ok());
    assert_eq!(device.add(b"k", &[7; 100]), KAGG_TOO_LARGE);
    let small = Device::init(32);
    assert_eq!(small.add(b"hall-1", b"21.5"), KAGG_TOO_LARGE);
    assert_eq!(small.add(b"h", b"21.5"), KAGG_TOO_LARGE);
    assert_eq!(small.add(b"h", b""), KAGG_OK);
}

#[test]
fn payloads_that_are_not_aggregates_are_told_apart() {
    let payload =
        expected(&[UserRecord::new("a", "1"), UserRecord::new("b", "stop"), UserRecord::new("c", "3")]);
    assert_eq!(decode(&payload, 2), (KAGG_NEEDS_KEYS, 3, Seen::new()));
    let (status, needed, seen) = decode(&payload, 3);
    assert_eq!((status, needed, seen.len()), (KAGG_STOPPED, 3, 2));

    let mut damaged = payload.clone();
    damaged[5] ^= 1;
    let mut body = b"\xf3\x89\x9a\xc2\x08".to_vec();
    body.extend(kinesis_aggregation::decode::Md5::digest(b"\x08"));
    for (name, payload, status) in [
        ("nothing", &b""[..], KAGG_NOT_AGGREGATED),
        ("plain", b"21.5", KAGG_NOT_AGGREGATED),
        ("damaged", &damaged, KAGG_DIGEST_MISMATCH),
        ("malformed", &body, KAGG_MALFORMED),
    ] {
        assert_eq!(decode(payload, 3), (status, usize::MAX, Seen::new()), "{name}");
    }
    assert!(matches!(Payload::parse(&payload, &mut [""; 3]), Payload::Aggregated(_)));
}

#[test]
fn misuse_is_an_error() {
    let device = Device::new(64);
    let (encoder, buffer) = (device.encoder, device.buffer.cast::<c_void>());
    let mut place = MaybeUninit::<KaggAggregate>::uninit();
    let aggregate = place.as_mut_ptr();
    let odd = |pointer: *mut KaggEncoder| pointer.wrapping_byte_add(1);
    let key = c"hall-1".as_ptr();
    let user = record("hall-1", None, b"21.5");
    let user = &raw const user;
    unsafe {
        // Before it is initialized.
        for (name, status) in [
            ("add", kagg_encoder_add(encoder, key, 6, null(), 0)),
            ("finish", kagg_encoder_finish(encoder, aggregate)),
            ("swap", kagg_encoder_swap_buffer(encoder, buffer, 64, aggregate)),
            ("clear", kagg_encoder_clear(encoder)),
            ("sizes", kagg_encoder_sizes(encoder, &mut KaggSizes::default())),
            ("would_add", kagg_encoder_would_add(encoder, user, null_mut())),
            ("add_record", kagg_encoder_add_record(encoder, user, null())),
            ("expired", kagg_encoder_expired(encoder, 0)),
        ] {
            assert_eq!(status, KAGG_INVALID_ENCODER, "{name}");
        }

        for (name, status, expected) in [
            ("init", kagg_encoder_init(null_mut(), buffer, 64), KAGG_INVALID_ENCODER),
            ("init, misaligned", kagg_encoder_init(odd(encoder), buffer, 64), KAGG_INVALID_ENCODER),
            ("init, no buffer", kagg_encoder_init(encoder, null_mut(), 1), KAGG_INVALID_ARGUMENT),
            ("init, length", kagg_encoder_init(encoder, buffer, usize::MAX), KAGG_INVALID_ARGUMENT),
            ("limits", kagg_encoder_init_limits(encoder, buffer, 64, null()), KAGG_INVALID_ARGUMENT),
            ("from data", kagg_aggregate_from_data(null(), 1, aggregate), KAGG_INVALID_ARGUMENT),
            ("from data, no result", kagg_aggregate_from_data(buffer, 64, null_mut()), KAGG_INVALID_ARGUMENT),
            ("text", kagg_hash_key_text(null(), null_mut()), KAGG_INVALID_ARGUMENT),
            ("text, no result", kagg_hash_key_text([0; 16].as_ptr(), null_mut()), KAGG_INVALID_ARGUMENT),
        ] {
            assert_eq!(status, expected, "{name}");
        }

        // No failed call has initialized it.
        assert_eq!(kagg_encoder_clear(encoder), KAGG_INVALID_ENCODER);
        assert_eq!(kagg_encoder_init(encoder, buffer, 64), KAGG_OK);
        for (name, status, expected) in [
            ("add", kagg_encoder_add(null_mut(), key, 6, null(), 0), KAGG_INVALID_ENCODER),
            ("add, misaligned", kagg_encoder_add(odd(encoder), key, 6, null(), 0), KAGG_INVALID_ENCODER),
            ("add, no key", kagg_encoder_add(encoder, null(), 6, null(), 0), KAGG_INVALID_ARGUMENT),
            ("add, no data", kagg_encoder_add(encoder, key, 6, null(), 1), KAGG_INVALID_ARGUMENT),
            ("add, key length", kagg_encoder_add(encoder, key, usize::MAX, null(), 0), KAGG_INVALID_ARGUMENT),
            ("finish", kagg_encoder_finish(encoder, null_mut()), KAGG_INVALID_ARGUMENT),
            (
                "finish, misaligned",
                kagg_encoder_finish(encoder, aggregate.wrapping_byte_add(1)),
                KAGG_INVALID_ARGUMENT,
            ),
            ("swap", kagg_encoder_swap_buffer(encoder, null_mut(), 1, aggregate), KAGG_INVALID_ARGUMENT),
            ("sizes", kagg_encoder_sizes(encoder, null_mut()), KAGG_INVALID_ARGUMENT),
            ("would_add", kagg_encoder_would_add(encoder, null(), null_mut()), KAGG_INVALID_ARGUMENT),
            ("add_record", kagg_encoder_add_record(encoder, null(), null()), KAGG_INVALID_ARGUMENT),
        ] {
            assert_eq!(status, expected, "{name}");
        }
        assert_eq!(device.sizes(), (0, 0, 0));
    }

    let mut slots = [const { MaybeUninit::<KaggKeySlot>::uninit() }; 2];
    let slots = slots.as_mut_ptr().cast::<KaggKeySlot>();
    let decode = |slots, len, visit| unsafe {
        kagg_decode(b"x".as_ptr().cast(), 1, slots, len, null_mut(), visit, null_mut())
    };
    for (name, status, expected) in [
        ("no function", decode(slots, 2, None), KAGG_INVALID_ARGUMENT),
        ("no slots", decode(null_mut(), 2, Some(collect)), KAGG_INVALID_ARGUMENT),
        ("misaligned", decode(slots.wrapping_byte_add(1), 1, Some(collect)), KAGG_INVALID_ARGUMENT),
        ("length", decode(slots, usize::MAX / 16, Some(collect)), KAGG_INVALID_ARGUMENT),
        ("length, overflow", decode(slots, usize::MAX, Some(collect)), KAGG_INVALID_ARGUMENT),
        ("none needed", decode(null_mut(), 0, Some(collect)), KAGG_NOT_AGGREGATED),
    ] {
        assert_eq!(status, expected, "{name}");
    }
}

#[test]
fn statuses_have_texts() {
    let text = |status| unsafe { CStr::from_ptr(kagg_status_text(status)) }.to_str().unwrap();
    let mut texts: Vec<_> = (-10..=3).map(text).collect();
    assert_eq!((texts[10], text(-11), text(4)), ("success", "unknown status", "unknown status"));
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 14);
    assert!(!texts.contains(&"unknown status"));
}
