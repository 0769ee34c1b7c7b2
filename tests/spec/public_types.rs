//! Properties of the public types, mostly checked by the compiler: the traits that other code relies on, their sizes, covariant
//! lifetimes, and what can be used in constants.

use core::error::Error;
use core::fmt::{Debug, Display};
use core::hash::Hash;
use core::iter::FusedIterator;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::time::Duration;

use kinesis_aggregation::decode::*;
use kinesis_aggregation::encode::*;
use kinesis_aggregation::route::*;
use kinesis_aggregation::*;

type Callback = fn(Aggregate);

/// Holds for every type: it may go to another thread, be moved, and be printed.
fn any<T: Send + Unpin + Debug>() {}

/// Holds for nearly every type: other threads may look at it, and so may whoever catches a panic.
fn shared<T: Sync + RefUnwindSafe>() {}

/// Holds for all types but those that lend a buffer: they may be handed on out of a panic.
fn unwinding<T: UnwindSafe>() {}

fn cloned<T: Clone>() {}

/// Values that are copied and compared.
fn copied<T: Copy + Eq>() {}

/// Values that can be keys in a map.
fn hashed<T: Hash>() {}

fn error<T: Error + Display + Copy + Eq + Send + Sync + 'static>() {}

/// Iterators that know how many items are left, and that have ended for good when they have ended.
fn exact<T: ExactSizeIterator + FusedIterator + Clone>() {}

/// `trait_1, trait_2: type_1, type_2;` asserts that each of the types has all of the traits.
macro_rules! matrix {
    ($($($check:ident),+: $types:tt;)+) => { $(matrix!(@types [$($check),+] $types);)+ };
    (@types $checks:tt [$($type:ty),+ $(,)?]) => { $(matrix!(@type $type, $checks);)+ };
    (@type $type:ty, [$($check:ident),+]) => { $($check::<$type>();)+ };
}

#[test]
fn traits() {
    matrix! {
        any, shared, unwinding: [
            AddError, AddStatus, Aggregate, AggregateRef<'_>, AggregatedRecord<'_, '_>,
            CallbackAggregator<Callback>, Deaggregated<'_>, DecodeError, DecodeErrorKind, DigestCheck, EncodeError,
            Limits, Md5, Payload<'_, '_>, PlainReason,
            RecordAggregator, RecordTag<'_>, RoutedAggregate, RoutedAggregate<Undigested>,
            SourcedRecord<'_, Vec<u8>>, SourcedRecords<'_, Vec<u8>>, Tags<'_>, UserRecord<'_>, UserRecords<'_, '_>,
        ];
        // It holds a buffer of the caller's.
        any, shared: [Encoder<'_, 16>, FinishedBuffer<'_>];
        // They hold a thread, or what was thrown in it, which may be anything.
        any: [BackgroundAggregator, WorkerPanic];

        cloned: [
            Aggregate, AggregateRef<'_>, AggregatedRecord<'_, '_>, Md5, Payload<'_, '_>,
            RecordAggregator, RoutedAggregate, SourcedRecord<'_, String>, SourcedRecords<'_, String>,
        ];
        copied: [
            AddStatus, DecodeErrorKind, DigestCheck, Limits, RecordTag<'_>, Tags<'_>, UserRecord<'_>,
        ];
        hashed: [
            AddStatus, DecodeError, DecodeErrorKind, EncodeError, Limits, PlainReason, RecordTag<'_>,
        ];
        error: [AddError, DecodeError, EncodeError, PlainReason];
        exact: [Deaggregated<'_>, Tags<'_>, UserRecords<'_, '_>];
    }
    fn boxed(panic: WorkerPanic) -> Box<dyn Error + Send> {
        Box::new(panic)
    }
    _ = boxed;
}

/// Sizes in bytes that must not grow unnoticed.
#[test]
#[cfg(target_pointer_width = "64")]
fn sizes() {
    macro_rules! sizes {
        ($($type:ty: $most:literal,)+) => {
            [$((stringify!($type), size_of::<$type>(), $most)),+]
        };
    }
    let rows: [(&str, usize, usize); 20] = sizes! {
        AddError: 32,
        AddStatus: 1,
        Aggregate: 96,
        AggregateRef<'_>: 80,
        AggregatedRecord<'_, '_>: 72,
        CallbackAggregator<Callback>: 376,
        Deaggregated<'_>: 120,
        DecodeError: 16,
        DecodeErrorKind: 1,
        EncodeError: 32,
        FinishedBuffer<'_>: 96,
        Limits: 40,
        Md5: 88,
        PlainReason: 16,
        RecordAggregator: 360,
        Encoder<'_, 0>: 296,
        // 24 bytes for each key of either kind.
        Encoder<'_, 16>: 1064,
        RecordTag<'_>: 32,
        UserRecord<'_>: 96,
        UserRecords<'_, '_>: 64,
    };
    for (name, size, most) in rows {
        assert!(size <= most, "{name} has {size} bytes instead of at most {most}");
    }
}

/// It compiles: what borrows for good can be used where less is asked for.
#[test]
fn lives_can_be_shortened() {
    fn user_record<'s>(long: UserRecord<'static>) -> UserRecord<'s> {
        long
    }
    fn tags<'s>(long: (RecordTag<'static>, Tags<'static>)) -> (RecordTag<'s>, Tags<'s>) {
        long
    }
    fn deaggregated<'s>(long: Deaggregated<'static>) -> Deaggregated<'s> {
        long
    }
    fn user_records<'s>(long: UserRecords<'static, 'static>) -> UserRecords<'s, 's> {
        long
    }
    fn aggregated<'s>(long: AggregatedRecord<'static, 'static>) -> AggregatedRecord<'s, 's> {
        long
    }
    fn payload<'s>(long: Payload<'static, 'static>) -> Payload<'s, 's> {
        long
    }
    fn encoder<'s>(long: Encoder<'static, 1>) -> Encoder<'s, 1> {
        long
    }
    _ = (user_record, tags, deaggregated, user_records, aggregated, payload, encoder);
}

/// It compiles: these are known before the program runs.
#[test]
fn constants() {
    const FRAME: usize = MAGIC.len() + 16;
    const LIMITS: Limits =
        Limits::KPL.with_max_bytes(7).with_max_user_records(3).with_max_age(Duration::from_secs(1));
    const MOST: (u32, usize, Option<Duration>) =
        (LIMITS.max_bytes(), LIMITS.max_user_records(), LIMITS.max_age());
    const REASON: &str = PlainReason::NoMagic.as_str();

    assert_eq!(FRAME, 20);
    assert_eq!(MOST, (7, 3, Some(Duration::from_secs(1))));
    assert_eq!(REASON, "no_magic");
    assert_eq!(
        [Limits::BILLING_UNIT, Limits::KPL, Limits::KINESIS_DEFAULT, Limits::KINESIS_MAX]
            .map(|limits| limits.target_bytes()),
        [25_000, 51_200, 1_048_576, 10_485_760]
    );
    assert_eq!(DigestCheck::default(), DigestCheck::Verify);
}
