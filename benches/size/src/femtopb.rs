//! femtopb: messages that borrow, repeated fields read when they are asked for.

use crate::frame;
use femtopb::{Message as _, Repeated, UnknownFields, item_encoding};

#[derive(Clone, femtopb::Message)]
struct AggregatedRecord<'a> {
    #[femtopb(string, repeated, tag = 1)]
    partition_key_table: Repeated<'a, &'a str, item_encoding::String>,
    #[femtopb(string, repeated, tag = 2)]
    explicit_hash_key_table: Repeated<'a, &'a str, item_encoding::String>,
    #[femtopb(message, repeated, tag = 3)]
    records: Repeated<'a, Record<'a>, item_encoding::Message<'a, Record<'a>>>,
    #[femtopb(unknown_fields)]
    unknown_fields: UnknownFields<'a>,
}

/// femtopb leaves out what equals its default, even where it is required: these defaults are none that occur.
#[derive(Clone, femtopb::Message)]
struct Record<'a> {
    #[femtopb(uint64, optional, tag = 1, default = 0xffff_ffff)]
    partition_key_index: Option<u64>,
    #[femtopb(uint64, optional, tag = 2)]
    explicit_hash_key_index: Option<u64>,
    #[femtopb(bytes, optional, tag = 3, default = b"none")]
    data: Option<&'a [u8]>,
    #[femtopb(message, repeated, tag = 4)]
    tags: Repeated<'a, Tag<'a>, item_encoding::Message<'a, Tag<'a>>>,
    #[femtopb(unknown_fields)]
    unknown_fields: UnknownFields<'a>,
}

#[derive(Clone, femtopb::Message)]
struct Tag<'a> {
    #[femtopb(string, optional, tag = 1)]
    key: Option<&'a str>,
    #[femtopb(string, optional, tag = 2)]
    value: Option<&'a str>,
    #[femtopb(unknown_fields)]
    unknown_fields: UnknownFields<'a>,
}

#[cfg(feature = "encode")]
pub fn encode(records: &[crate::input::Record], buffer: &mut [u8]) -> Option<usize> {
    let mut table = heapless::Vec::<&str, { crate::input::CAPACITY }>::new();
    let mut indexed = heapless::Vec::<_, { crate::input::CAPACITY }>::new();
    for (key, data) in records {
        let partition_key_index = Some(frame::index_in(&mut table, key)?);
        indexed.push(Record { partition_key_index, data: Some(data), ..Default::default() }).ok()?;
    }
    let message = AggregatedRecord {
        partition_key_table: Repeated::from_slice(&table),
        records: Repeated::from_slice(&indexed),
        ..Default::default()
    };
    frame::seal(buffer, |mut body| {
        let room = body.len();
        message.encode(&mut body).ok()?;
        Some(room - body.len())
    })
}

#[cfg(feature = "decode")]
pub fn decode(payload: &[u8], seen: &mut crate::input::Seen) -> Option<()> {
    let message = AggregatedRecord::decode(frame::open(payload)?).ok()?;
    let mut table = heapless::Vec::<&str, { crate::input::CAPACITY }>::new();
    for key in &message.partition_key_table {
        table.push(key.ok()?).ok()?;
    }
    for record in &message.records {
        let record = record.ok()?;
        let index = usize::try_from(record.partition_key_index?).ok()?;
        seen.record(table.get(index)?, record.data?);
    }
    Some(())
}
