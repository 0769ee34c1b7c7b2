//! Writing what was packed, in the form asked for.

use std::borrow::Cow;
use std::io::Write;

use data_encoding::BASE64;
use serde::Serialize;

use crate::args::OutputPlan;
use crate::failure::Failure;
use crate::packer::Packed;

/// The most entries that a PutRecords request may have.
const MAX_REQUEST_ENTRIES: usize = 500;

/// Writes Kinesis records.
pub(crate) struct Output<'a, W: Write> {
    writer: W,
    plan: OutputPlan<'a>,
    base64: String,
    request: Vec<Entry<'static>>,
    /// Bytes of data and partition keys in `request`.
    request_bytes: u64,
    /// The one Kinesis record of raw output.
    raw: Option<Vec<u8>>,
    raw_seen: bool,
}

/// An entry of a PutRecords request.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    partition_key: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explicit_hash_key: Option<String>,
    data: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'a> {
    stream_name: &'a str,
    records: &'a [Entry<'a>],
}

impl<'a, W: Write> Output<'a, W> {
    pub(crate) fn new(writer: W, plan: OutputPlan<'a>) -> Self {
        Self {
            writer,
            plan,
            base64: String::new(),
            request: Vec::new(),
            request_bytes: 0,
            raw: None,
            raw_seen: false,
        }
    }

    /// Takes the next Kinesis record.
    pub(crate) fn put(&mut self, packed: &Packed<'_>) -> Result<(), Failure> {
        match self.plan {
            OutputPlan::Entries => {
                self.base64.clear();
                BASE64.encode_append(packed.data, &mut self.base64);
                let entry = Entry {
                    partition_key: packed.partition_key.into(),
                    explicit_hash_key: packed.explicit_hash_key.map(|key| key.to_string()),
                    data: (&*self.base64).into(),
                    shard_id: packed.shard_id,
                };
                write_json_line(&mut self.writer, &entry)
            }
            OutputPlan::PutRecords { max_request_bytes, .. } => {
                let bytes = packed.data.len().saturating_add(packed.partition_key.len());
                let bytes = wide(bytes);
                let total = self.request_bytes.saturating_add(bytes);
                if self.request.len() >= MAX_REQUEST_ENTRIES || total > max_request_bytes {
                    self.end_request()?;
                }
                self.request_bytes = self.request_bytes.saturating_add(bytes);
                self.request.push(Entry {
                    partition_key: packed.partition_key.to_owned().into(),
                    explicit_hash_key: packed.explicit_hash_key.map(|key| key.to_string()),
                    data: BASE64.encode(packed.data).into(),
                    // A request has no place for it.
                    shard_id: None,
                });
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
        self.end_request()?;
        if let Some(raw) = self.raw.take() {
            self.writer.write_all(&raw)?;
        }
        self.writer.flush()?;
        Ok(())
    }

    fn end_request(&mut self) -> Result<(), Failure> {
        let OutputPlan::PutRecords { stream_name, .. } = self.plan else { return Ok(()) };
        if !self.request.is_empty() {
            write_json_line(&mut self.writer, &Request { stream_name, records: &self.request })?;
            self.request.clear();
            self.request_bytes = 0;
        }
        Ok(())
    }
}

/// Writes one value in JSON, and a line feed.
pub(crate) fn write_json_line(writer: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    // Nothing that is written here can fail to be JSON, so what fails is the writing.
    serde_json::to_writer(&mut *writer, value).map_err(std::io::Error::from)?;
    writer.write_all(b"\n")?;
    Ok(())
}

/// Widens a count, for sums over all input.
pub(crate) fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
