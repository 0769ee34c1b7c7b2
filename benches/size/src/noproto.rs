//! noproto: messages in containers of fixed room.

use crate::frame;
use crate::input::CAPACITY;
use heapless_0_8 as heapless;
use noproto::Message;

#[derive(Default, Message)]
struct AggregatedRecord {
    #[noproto(tag = "1", repeated)]
    partition_key_table: heapless::Vec<heapless::String<16>, CAPACITY>,
    #[noproto(tag = "2", repeated)]
    explicit_hash_key_table: heapless::Vec<heapless::String<39>, CAPACITY>,
    #[noproto(tag = "3", repeated)]
    records: heapless::Vec<Record, CAPACITY>,
}

#[derive(Default, Message)]
struct Record {
    #[noproto(tag = "1")]
    partition_key_index: u64,
    #[noproto(tag = "2", optional)]
    explicit_hash_key_index: Option<u64>,
    #[noproto(tag = "3")]
    data: heapless::Vec<u8, 32>,
    #[noproto(tag = "4", repeated)]
    tags: heapless::Vec<Tag, 1>,
}

#[derive(Default, Message)]
struct Tag {
    #[noproto(tag = "1")]
    key: heapless::String<16>,
    #[noproto(tag = "2", optional)]
    value: Option<heapless::String<16>>,
}

#[cfg(feature = "encode")]
pub fn encode(records: &[crate::input::Record], buffer: &mut [u8]) -> Option<usize> {
    let mut message = AggregatedRecord::default();
    for (key, data) in records {
        let table = &mut message.partition_key_table;
        let partition_key_index = match table.iter().position(|known| known == key) {
            Some(index) => index,
            None => {
                table.push(heapless::String::try_from(*key).ok()?).ok()?;
                table.len() - 1
            }
        };
        let data = heapless::Vec::from_slice(data).ok()?;
        let partition_key_index = partition_key_index as u64;
        message.records.push(Record { partition_key_index, data, ..Default::default() }).ok()?;
    }
    frame::seal(buffer, |body| noproto::write(&message, body).ok())
}

#[cfg(feature = "decode")]
pub fn decode(payload: &[u8], seen: &mut crate::input::Seen) -> Option<()> {
    let message: AggregatedRecord = noproto::read(frame::open(payload)?).ok()?;
    for record in &message.records {
        let index = usize::try_from(record.partition_key_index).ok()?;
        seen.record(message.partition_key_table.get(index)?, &record.data);
    }
    Some(())
}
