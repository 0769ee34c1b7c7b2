//! Calls what the library offers without `alloc`, on input that the compiler knows nothing of.
//!
//! The panic handler calls a function that nobody defines. The linker asks for it if any way to a panic is left in the
//! program after optimisation; so that the program links is the proof that there is none, in the library and in what it
//! is made of.

#![no_std]
#![no_main]

use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::time::Duration;

use kinesis_aggregation::{
    AddStatus, AggregatedRecord, DigestCheck, EncodeError, Encoder, ExtendedSequenceNumber, HashKey,
    HashKeyRange, KeyRoom, KeySlot, Limits, Md5, Payload, RangeMode, RecordTag, SequenceNumber, Shard,
    ShardMap, UserRecord, encode, encoded_len,
};

unsafe extern "C" {
    /// Is defined nowhere.
    safe fn a_panic_is_possible() -> !;

    /// From the C library: what it reads is not known at compile time.
    fn read(file: i32, buffer: *mut u8, len: usize) -> isize;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    a_panic_is_possible()
}

/// The C library calls this.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    let mut input = [0; 4096];
    // SAFETY: the buffer is as long as is said.
    let len = unsafe { read(0, input.as_mut_ptr(), input.len()) };
    let input = usize::try_from(len).ok().and_then(|len| input.get(..len)).unwrap_or_default();
    let text = core::str::from_utf8(input).unwrap_or("not text");

    let mut seen = Seen(0);
    decode(input, [""; 16], &mut seen);
    decode(input, &mut [""; 16], &mut seen);
    decode(input, [""; 16].as_mut_slice(), &mut seen);
    pack(text, &mut seen);
    pack_at_once(text, &mut seen);
    route(text, &mut seen);
    digest(input, &mut seen);
    if cfg!(feature = "broken") {
        seen.number(usize::from(input[seen.0 & 1]));
    }
    i32::from(seen.0 == 0)
}

/// Makes use of everything, so that nothing is optimised away.
struct Seen(usize);

impl Seen {
    fn number(&mut self, number: usize) {
        self.0 = self.0.rotate_left(5) ^ number;
    }

    fn shown(&mut self, value: impl fmt::Display) {
        _ = write!(self, "{value}");
    }

    fn record(&mut self, record: UserRecord<'_>) {
        self.number(record.partition_key.len() ^ record.data.len());
        self.number(record.explicit_hash_key.map_or(0, str::len));
        for RecordTag { key, value } in record.tags {
            self.number(key.len() ^ value.map_or(0, str::len));
        }
    }
}

impl Write for Seen {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.number(text.len());
        Ok(())
    }
}

fn decode<'a, K: KeyRoom<'a>>(payload: &'a [u8], room: K, seen: &mut Seen) {
    match Payload::parse(payload, room) {
        Payload::Aggregated(aggregate) => {
            aggregate.records().for_each(|record| seen.record(record));
            seen.number(aggregate.partition_keys().len() ^ aggregate.explicit_hash_keys().len());
            seen.number(aggregate.records_after(3).len());
            for record in HashKeyRange::ALL.filter(&aggregate, RangeMode::All) {
                match record {
                    Ok(record) => seen.record(record),
                    Err(fault) => seen.shown(fault),
                }
            }
            aggregate.into_iter().for_each(|record| seen.record(record));
        }
        Payload::Plain(reason) => seen.shown(reason),
        Payload::NeedsRoom { needed } => seen.number(needed),
    }
    match AggregatedRecord::parse_with(payload, [""; 64], DigestCheck::Skip) {
        Ok(aggregate) => seen.number(aggregate.len()),
        Err(error) => seen.shown(error),
    }
}

/// The user record to be packed: all kinds of texts come in.
fn record(text: &str) -> (UserRecord<'_>, UserRecord<'_>) {
    let (key, rest) = text.split_at_checked(text.len() / 2).unwrap_or((text, text));
    (UserRecord::new(key, rest).with_explicit_hash_key(rest), UserRecord::new(rest, key))
}

fn pack(text: &str, seen: &mut Seen) {
    let (one, other) = record(text);
    let tags = [RecordTag { key: text, value: Some(text) }, RecordTag { key: "", value: None }];
    let mut buffer = [0; 1024];
    let mut encoder = Encoder::<4>::new(&mut buffer, Limits::KPL.with_max_age(Duration::from_millis(5)));
    for (time, record) in [one, other, one.with_tags(&tags), other].into_iter().enumerate() {
        seen.number(encoder.would_add(record) ^ usize::from(encoder.fits(record)));
        let now = Duration::from_millis(u64::try_from(time).unwrap_or_default());
        let status = if time & 1 == 0 { encoder.add(record) } else { encoder.add_at(record, now) };
        match status {
            Ok(AddStatus::Added) => seen.number(encoder.size_bytes()),
            Ok(AddStatus::Full) => encoder.clear(),
            Err(error) => shown(error, seen),
        }
    }
    if let Some(aggregate) = encoder.finish() {
        seen.number(aggregate.data().len() ^ aggregate.partition_key().len());
        seen.number(aggregate.explicit_hash_key().map_or(0, str::len) ^ aggregate.size_bytes());
    }
}

fn pack_at_once(text: &str, seen: &mut Seen) {
    let (one, other) = record(text);
    let records = [one, other, one, other];
    let mut slots = [KeySlot::EMPTY; 8];
    let mut buffer = [0; 1024];
    match encoded_len(&records, &mut slots) {
        Ok(len) => seen.number(len),
        Err(error) => shown(error, seen),
    }
    match encode(&records, &mut slots, &mut buffer) {
        Ok(data) => seen.number(data.len()),
        Err(error) => shown(error, seen),
    }
}

fn shown(error: EncodeError, seen: &mut Seen) {
    seen.shown(error);
}

fn route(text: &str, seen: &mut Seen) {
    let (start, end) = text.split_once(' ').unwrap_or((text, text));
    match text.parse::<HashKeyRange>() {
        Ok(range) => seen.shown(range),
        Err(error) => seen.shown(error),
    }
    if let Ok(range) = HashKeyRange::parse(start, end) {
        let key = HashKey::of_partition_key(text);
        let mut shards = [
            Shard::new(start, range),
            Shard::new(end, HashKeyRange::ALL).with_parents(Some(start), None),
            Shard::new(text, range).closed(),
        ];
        match ShardMap::new(&mut shards) {
            Ok(map) => seen.number(map.shard_for(key).id().len()),
            Err(error) => seen.shown(error),
        }
    }
    if let (Ok(a), Ok(b)) = (SequenceNumber::parse(start), SequenceNumber::parse(end)) {
        let (a, b) = (ExtendedSequenceNumber::new(a, 1), ExtendedSequenceNumber::new(b, 2));
        seen.number(usize::from(a < b));
        seen.shown(a.max(b));
    }
}

fn digest(input: &[u8], seen: &mut Seen) {
    let mut md5 = Md5::new();
    md5.update(input);
    md5.update(b"and more");
    seen.number(usize::from(md5.finalize() == Md5::digest(input)));
}
