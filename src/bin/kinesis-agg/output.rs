//! Writing what was packed, in the form asked for.

use std::io::Write;

use crate::args::OutputPlan;
use crate::failure::Failure;
use crate::json_lines::{JsonLines, Object};
use crate::packer::Packed;

/// The most entries that a PutRecords request may have.
const MAX_REQUEST_ENTRIES: usize = 500;

/// Writes Kinesis records.
pub(crate) struct Output<'a, W: Write> {
    lines: JsonLines<W>,
    plan: OutputPlan<'a>,
    request: Request,
    /// The one Kinesis record of raw output.
    raw: Option<Vec<u8>>,
    raw_seen: bool,
}

/// The entries of a PutRecords request that is not written yet.
#[derive(Default)]
struct Request {
    /// In JSON, with commas between them.
    entries: Vec<u8>,
    count: usize,
    /// Bytes of data and partition keys.
    bytes: u64,
}

impl<'a, W: Write> Output<'a, W> {
    pub(crate) fn new(writer: W, plan: OutputPlan<'a>) -> Self {
        Self { lines: JsonLines::new(writer), plan, request: Request::default(), raw: None, raw_seen: false }
    }

    /// Takes the next Kinesis record.
    pub(crate) fn put(&mut self, packed: &Packed<'_>) -> Result<(), Failure> {
        match self.plan {
            OutputPlan::Entries => {
                let mut entry = self.lines.object();
                write_entry(&mut entry, packed);
                entry.some("ShardId", packed.shard_id);
                entry.end();
                self.lines.end_line()
            }
            OutputPlan::PutRecords { stream_name, max_request_bytes } => {
                let bytes = wide(packed.data.len().saturating_add(packed.partition_key.len()));
                let total = self.request.bytes.saturating_add(bytes);
                if self.request.count >= MAX_REQUEST_ENTRIES || total > max_request_bytes {
                    self.end_request(stream_name)?;
                }
                self.request.add(packed, bytes);
                Ok(())
            }
            OutputPlan::Raw if self.raw_seen => {
                // Half of what was asked for, in a file that looks whole, would be worse than nothing.
                self.raw = None;
                Err(Failure::NotOne)
            }
            OutputPlan::Raw => {
                self.raw_seen = true;
                self.raw = Some(packed.data.to_vec());
                Ok(())
            }
        }
    }

    /// Writes what is still held back.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        if let OutputPlan::PutRecords { stream_name, .. } = self.plan {
            self.end_request(stream_name)?;
        }
        if let Some(raw) = self.raw.take() {
            self.lines.write_raw(&raw)?;
        }
        self.lines.flush()
    }

    fn end_request(&mut self, stream_name: &str) -> Result<(), Failure> {
        if self.request.count == 0 {
            return Ok(());
        }
        let mut request = self.lines.object();
        request.value("StreamName", stream_name);
        request.list("Records", &self.request.entries);
        request.end();
        self.request.clear();
        self.lines.end_line()
    }
}

impl Request {
    /// Adds an entry, without the shard, for which a request has no place.
    fn add(&mut self, packed: &Packed<'_>, bytes: u64) {
        if self.count > 0 {
            self.entries.push(b',');
        }
        let mut entry = Object::new(&mut self.entries);
        write_entry(&mut entry, packed);
        entry.end();
        self.count = self.count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.count = 0;
        self.bytes = 0;
    }
}

fn write_entry(entry: &mut Object<'_>, packed: &Packed<'_>) {
    entry.value("PartitionKey", packed.partition_key);
    entry.some("ExplicitHashKey", packed.explicit_hash_key.map(|key| key.to_string()));
    entry.base64("Data", packed.data);
}

/// Widens a count, for sums over all input.
pub(crate) fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
