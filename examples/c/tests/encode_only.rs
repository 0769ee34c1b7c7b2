//! Tests of the functions that every library has, with and without the feature `full`.

#![allow(
    clippy::as_conversions,
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "a test is the caller: it owns what it passes"
)]

use std::mem::MaybeUninit;
use std::slice;

use kagg::KaggStatus::{self, *};
use kagg::{
    KAGG_ENCODER_WORDS, KAGG_KEYS, KaggEncoder, kagg_encoder_add, kagg_encoder_finish, kagg_encoder_init,
};
use kinesis_aggregation::{Encoder, Limits, UserRecord};

fn add(encoder: *mut KaggEncoder, partition_key: &[u8], data: &[u8]) -> KaggStatus {
    let (key, key_len) = (partition_key.as_ptr().cast(), partition_key.len());
    unsafe { kagg_encoder_add(encoder, key, key_len, data.as_ptr().cast(), data.len()) }
}

#[test]
fn aggregates_are_those_of_the_library() {
    // A length of two bytes as well.
    for partition_key in ["k", "device-7", &"k".repeat(127), &"k".repeat(128), &"k".repeat(256)] {
        let mut expected = [0; 512];
        let mut library = Encoder::<KAGG_KEYS>::new(&mut expected, Limits::default());
        let mut buffer = [0xa5u8; 512];
        let mut state = KaggEncoder { opaque: [0; KAGG_ENCODER_WORDS] };
        let encoder = &raw mut state;
        assert_eq!(unsafe { kagg_encoder_init(encoder, buffer.as_mut_ptr().cast(), buffer.len()) }, KAGG_OK);
        // The encoder is used again.
        for _ in 0..2 {
            for data in ["21.5", "", "21.6"] {
                assert!(library.add(UserRecord::new(partition_key, data)).is_ok());
                assert_eq!(add(encoder, partition_key.as_bytes(), data.as_bytes()), KAGG_OK);
            }
            let mut aggregate = MaybeUninit::uninit();
            assert_eq!(unsafe { kagg_encoder_finish(encoder, aggregate.as_mut_ptr()) }, KAGG_OK);
            let aggregate = unsafe { aggregate.assume_init() };
            let data = unsafe { slice::from_raw_parts(aggregate.data, aggregate.data_len) };
            assert_eq!(data, library.finish().unwrap().data);
            let key: *const u8 = aggregate.partition_key.cast();
            assert_eq!(
                unsafe { slice::from_raw_parts(key, aggregate.partition_key_len) },
                partition_key.as_bytes()
            );
            assert_eq!((aggregate.user_records, aggregate.has_explicit_hash_key), (3, 0));
        }
        assert_eq!(unsafe { kagg_encoder_finish(encoder, MaybeUninit::uninit().as_mut_ptr()) }, KAGG_EMPTY);
        let beyond_ascii = if cfg!(feature = "full") { KAGG_OK } else { KAGG_KEY_NOT_UTF8 };
        assert_eq!(add(encoder, "hällé".as_bytes(), b"21.5"), beyond_ascii);
        assert_eq!(add(encoder, b"h\xc3", b"21.5"), KAGG_KEY_NOT_UTF8);
    }
}
