//! prost, with a minimal allocator.

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::{Cell, UnsafeCell};
use core::ptr;

use crate::frame;
use prost::Message as _;

/// A bump allocator that never frees.
#[repr(align(8))]
struct Bump {
    arena: UnsafeCell<[u8; 4096]>,
    used: Cell<usize>,
}

// SAFETY: there is one thread and no interrupts.
unsafe impl Sync for Bump {}

// SAFETY: allocations are aligned, lie within the arena, and never overlap.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = (self.used.get() + layout.align() - 1) & !(layout.align() - 1);
        if layout.size() > 4096 - start {
            return ptr::null_mut();
        }
        self.used.set(start + layout.size());
        self.arena.get().cast::<u8>().wrapping_add(start)
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP: Bump = Bump { arena: UnsafeCell::new([0; 4096]), used: Cell::new(0) };

#[derive(Clone, PartialEq, prost::Message)]
struct AggregatedRecord {
    #[prost(string, repeated, tag = "1")]
    partition_key_table: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    explicit_hash_key_table: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    records: Vec<Record>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Record {
    #[prost(uint64, required, tag = "1")]
    partition_key_index: u64,
    #[prost(uint64, optional, tag = "2")]
    explicit_hash_key_index: Option<u64>,
    #[prost(bytes = "vec", required, tag = "3")]
    data: Vec<u8>,
    #[prost(message, repeated, tag = "4")]
    tags: Vec<Tag>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Tag {
    #[prost(string, required, tag = "1")]
    key: String,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

#[cfg(feature = "encode")]
pub fn encode(records: &[crate::input::Record], buffer: &mut [u8]) -> Option<usize> {
    let mut message = AggregatedRecord::default();
    for (key, data) in records {
        let table = &mut message.partition_key_table;
        let partition_key_index = table.iter().position(|known| known == key).unwrap_or_else(|| {
            table.push(String::from(*key));
            table.len() - 1
        }) as u64;
        message.records.push(Record { partition_key_index, data: data.to_vec(), ..Default::default() });
    }
    frame::seal(buffer, |mut body| {
        message.encode(&mut body).ok()?;
        Some(message.encoded_len())
    })
}

#[cfg(feature = "decode")]
pub fn decode(payload: &[u8], seen: &mut crate::input::Seen) -> Option<()> {
    let message = AggregatedRecord::decode(frame::open(payload)?).ok()?;
    for record in &message.records {
        let index = usize::try_from(record.partition_key_index).ok()?;
        seen.record(message.partition_key_table.get(index)?, &record.data);
    }
    Some(())
}
