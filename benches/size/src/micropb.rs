//! micropb: messages with containers of fixed capacity.

use crate::frame;

mod messages {
    #![allow(warnings, clippy::all, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/aggregated.rs"));
}
use messages::AggregatedRecord;

#[cfg(feature = "encode")]
pub fn encode(records: &[crate::input::Record], buffer: &mut [u8]) -> Option<usize> {
    use micropb::{MessageEncode, PbEncoder};

    let mut message = AggregatedRecord::default();
    for (key, data) in records {
        let partition_key_index = frame::index_in(&mut message.partition_key_table, key)?;
        let data = heapless::Vec::try_from(*data).ok()?;
        // Fields that are not marked as present are not written.
        let _has = messages::Record_::_Hazzer::default().init_partition_key_index().init_data();
        message
            .records
            .push(messages::Record { partition_key_index, data, _has, ..Default::default() })
            .ok()?;
    }
    frame::seal(buffer, |body| {
        let capacity = body.len();
        let mut encoder = PbEncoder::new(body);
        message.encode(&mut encoder).ok()?;
        Some(capacity - encoder.into_writer().len())
    })
}

#[cfg(feature = "decode")]
pub fn decode(payload: &[u8], seen: &mut crate::input::Seen) -> Option<()> {
    use micropb::MessageDecode;

    let mut message = AggregatedRecord::default();
    message.decode_from_bytes(frame::open(payload)?).ok()?;
    for record in &message.records {
        let index = usize::try_from(record.partition_key_index).ok()?;
        seen.record(message.partition_key_table.get(index)?, &record.data);
    }
    Some(())
}
