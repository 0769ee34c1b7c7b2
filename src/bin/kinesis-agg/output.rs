//! Output: JSON, one value per line, and finished aggregates in the formats of `aggregate --output`.

use std::io::{IsTerminal, StdoutLock, Write, stdout};

use kinesis_aggregation::Aggregate;
use serde::Serialize;

use crate::aggregate::Finished;
use crate::args::OutputPlan;
use crate::base64;
use crate::failure::Failure;
use crate::text::is_unsafe;

/// The lines are written when the buffer has this many bytes.
const WRITE_AT: usize = 256 * 1024;

/// The most entries that Kinesis allows in a PutRecords request.
const MAX_REQUEST_ENTRIES: usize = 500;

/// Writes finished aggregates.
pub(crate) struct AggregateWriter<'a, W: Write> {
    lines: JsonLines<W>,
    plan: OutputPlan<'a>,
    request: Request,
    raw: Raw,
}

/// The pending PutRecords request.
#[derive(Default)]
struct Request {
    /// JSON, separated by commas.
    entries: Vec<u8>,
    count: usize,
    /// Data and partition keys, as Kinesis counts.
    bytes: u64,
}

/// The one aggregate that `--output raw` allows. It is held until the end: half of the input in a file that looks
/// complete would be worse than no file.
#[derive(Default)]
enum Raw {
    #[default]
    None,
    One(Vec<u8>),
    TooMany,
}

impl<'a, W: Write> AggregateWriter<'a, W> {
    pub(crate) fn new(lines: JsonLines<W>, plan: OutputPlan<'a>) -> Self {
        Self { lines, plan, request: Request::default(), raw: Raw::None }
    }

    /// Writes an aggregate, or keeps it for a request or until the end.
    pub(crate) fn write(&mut self, finished: &Finished) -> Result<(), Failure> {
        let Finished { aggregate, shard_id } = finished;
        match self.plan {
            OutputPlan::Entries => {
                let mut entry = self.lines.object();
                write_entry(&mut entry, aggregate);
                entry.some("ShardId", shard_id.as_deref());
                entry.end();
                self.lines.end_line()
            }
            OutputPlan::PutRecords { stream_name, max_request_bytes } => {
                let bytes = to_u64(aggregate.size_bytes());
                if self.request.count == MAX_REQUEST_ENTRIES || self.request.bytes + bytes > max_request_bytes
                {
                    self.end_request(stream_name)?;
                }
                self.request.add(aggregate, bytes);
                Ok(())
            }
            OutputPlan::Raw if matches!(self.raw, Raw::None) => {
                self.raw = Raw::One(aggregate.data.clone());
                Ok(())
            }
            OutputPlan::Raw => {
                self.raw = Raw::TooMany;
                Err(Failure::Input(
                    "more than one Kinesis record: --output raw writes only one (use fewer user records or a larger \
                     --max-bytes)"
                        .to_owned(),
                ))
            }
        }
    }

    /// Writes what is finished, with the request that is still open if `ends_request`.
    pub(crate) fn pause(&mut self, ends_request: bool) -> Result<(), Failure> {
        match self.plan {
            OutputPlan::PutRecords { stream_name, .. } if ends_request => self.end_request(stream_name)?,
            _ => {}
        }
        self.lines.flush()
    }

    /// Writes everything that is still held.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        if let OutputPlan::PutRecords { stream_name, .. } = self.plan {
            self.end_request(stream_name)?;
        }
        if let Raw::One(data) = &self.raw {
            self.lines.write_raw(data)?;
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
    /// Adds an entry. It has no `ShardId`: the API does not know this member.
    fn add(&mut self, aggregate: &Aggregate, bytes: u64) {
        if self.count > 0 {
            self.entries.push(b',');
        }
        let mut entry = Object::new(&mut self.entries);
        write_entry(&mut entry, aggregate);
        entry.end();
        self.count += 1;
        self.bytes += bytes;
    }

    /// Empties the request and keeps its allocation.
    fn clear(&mut self) {
        self.entries.clear();
        self.count = 0;
        self.bytes = 0;
    }
}

fn write_entry(entry: &mut Object<'_>, aggregate: &Aggregate) {
    entry.value("PartitionKey", &aggregate.partition_key);
    entry.some("ExplicitHashKey", aggregate.explicit_hash_key.map(|key| key.to_string()));
    entry.base64("Data", &aggregate.data);
}

/// Writes through a buffer, which is written when it is large, or when the input pauses.
pub(crate) struct Buffered<W> {
    writer: W,
    pub(crate) buffer: Vec<u8>,
}

impl<W: Write> Buffered<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self { writer, buffer: Vec::with_capacity(WRITE_AT) }
    }

    /// Writes the buffer if it has enough for a write.
    pub(crate) fn write_if_full(&mut self) -> Result<(), Failure> {
        if self.buffer.len() >= WRITE_AT { self.write() } else { Ok(()) }
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.write()?;
        Ok(self.writer.flush()?)
    }

    fn write(&mut self) -> Result<(), Failure> {
        // A failed write is not retried.
        let written = self.writer.write_all(&self.buffer);
        self.buffer.clear();
        Ok(written?)
    }
}

/// Writes JSON Lines through a buffer.
pub(crate) struct JsonLines<W> {
    out: Buffered<W>,
    /// True if a terminal may interpret what is written.
    is_terminal: bool,
    /// The start of the current line, if `is_terminal`.
    line_start: usize,
}

impl JsonLines<StdoutLock<'static>> {
    /// Writes to standard output. On a terminal, characters are escaped that JSON need not escape and a terminal would
    /// interpret.
    pub(crate) fn stdout() -> Self {
        Self { is_terminal: stdout().is_terminal(), ..Self::new(stdout().lock()) }
    }
}

impl<W: Write> JsonLines<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self { out: Buffered::new(writer), is_terminal: false, line_start: 0 }
    }

    /// Writes a value as a line.
    pub(crate) fn line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        append(value, &mut self.out.buffer);
        self.end_line()
    }

    /// Begins a line that is an object. [`end_line`](Self::end_line) ends it.
    pub(crate) fn object(&mut self) -> Object<'_> {
        Object::new(&mut self.out.buffer)
    }

    pub(crate) fn end_line(&mut self) -> Result<(), Failure> {
        if self.is_terminal {
            let line = self.out.buffer.split_off(self.line_start.min(self.out.buffer.len()));
            escape_unsafe(&line, &mut self.out.buffer);
        }
        self.out.buffer.push(b'\n');
        self.out.write_if_full()?;
        self.line_start = self.out.buffer.len();
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.line_start = 0;
        self.out.flush()
    }

    /// Writes bytes that are not JSON.
    fn write_raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.flush()?;
        Ok(self.out.writer.write_all(bytes)?)
    }
}

/// Appends JSON with escapes for everything in its strings that a terminal would interpret. Outside strings there are no such
/// characters.
fn escape_unsafe(json: &[u8], escaped: &mut Vec<u8>) {
    let mut units = [0; 2];
    for char in String::from_utf8_lossy(json).chars() {
        if is_unsafe(char) {
            for unit in char.encode_utf16(&mut units) {
                escaped.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        } else {
            escaped.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

/// A JSON object under construction.
///
/// serde_json writes the values, because it knows what to escape. Base64 needs no escaping and is most of the output, so
/// it is encoded in place.
pub(crate) struct Object<'a> {
    buffer: &'a mut Vec<u8>,
}

impl<'a> Object<'a> {
    fn new(buffer: &'a mut Vec<u8>) -> Self {
        buffer.push(b'{');
        Self { buffer }
    }

    #[inline]
    pub(crate) fn base64(&mut self, name: &str, data: &[u8]) {
        self.name(name);
        self.buffer.push(b'"');
        base64::append(data, self.buffer);
        self.buffer.push(b'"');
    }

    #[inline]
    pub(crate) fn value(&mut self, name: &str, value: impl Serialize) {
        self.name(name);
        append(&value, self.buffer);
    }

    /// Writes a member unless the value is `None`.
    pub(crate) fn some(&mut self, name: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    /// Writes the members of another object, which is already JSON.
    pub(crate) fn members(&mut self, object: &str) {
        let members = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        if !members.is_empty() {
            self.comma();
            self.buffer.extend_from_slice(members.as_bytes());
        }
    }

    /// Begins a member that is an object.
    pub(crate) fn begin(&mut self, name: &str) -> Object<'_> {
        self.name(name);
        Object::new(self.buffer)
    }

    /// Writes a list of values that are already JSON, separated by commas.
    fn list(&mut self, name: &str, values: &[u8]) {
        self.name(name);
        self.buffer.push(b'[');
        self.buffer.extend_from_slice(values);
        self.buffer.push(b']');
    }

    pub(crate) fn end(self) {
        self.buffer.push(b'}');
    }

    /// Writes a name. All names are literals in this program that need no escaping. Inlined, so that their lengths are known.
    #[inline(always)]
    fn name(&mut self, name: &str) {
        self.comma();
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.extend_from_slice(b"\":");
    }

    fn comma(&mut self) {
        if !self.buffer.ends_with(b"{") {
            self.buffer.push(b',');
        }
    }
}

fn append(value: &impl Serialize, buffer: &mut Vec<u8>) {
    // Cannot fail: a `Vec` accepts any write, and every value here has a JSON form.
    _ = serde_json::to_writer(buffer, value);
}

/// Widens a count so that counts of a whole input can be added up.
pub(crate) fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_written_member_by_member() {
        let mut written = Vec::new();
        let mut lines = JsonLines::new(&mut written);
        for others in ["{}", "{\"x\":1}"] {
            let mut line = lines.object();
            line.members(others);
            line.value("text", "a \"b\" \\ \u{1} \u{e9}");
            line.value("nothing", None::<u8>);
            line.some("absent", None::<u8>);
            line.base64("data", b"\xff\xff");
            line.list("list", b"1,2");
            let mut inner = line.begin("inner");
            inner.members(others);
            inner.value("last", true);
            inner.end();
            line.begin("empty").end();
            line.members(others);
            line.end();
            assert!(lines.end_line().is_ok());
        }
        assert!(lines.line(&[1, 2]).is_ok());
        assert!(lines.flush().is_ok());
        let before = r#""text":"a \"b\" \\ \u0001 é","nothing":null,"data":"//8=","list":[1,2],"inner":{"#;
        let after = r#""last":true},"empty":{}"#;
        let expected = format!("{{{before}{after}}}\n{{\"x\":1,{before}\"x\":1,{after},\"x\":1}}\n[1,2]\n");
        assert_eq!(String::from_utf8(written).as_deref(), Ok(&*expected));
    }

    #[test]
    fn the_buffer_is_written_before_it_grows() {
        let mut lines = JsonLines::new(Vec::new());
        for _ in 0..3 * WRITE_AT {
            assert!(lines.line(&1).is_ok());
        }
        let Buffered { writer, buffer } = lines.out;
        assert_eq!(writer.len() + buffer.len(), 6 * WRITE_AT);
        assert!(buffer.capacity() <= 2 * WRITE_AT, "{}", buffer.capacity());
    }

    #[test]
    fn a_terminal_gets_nothing_to_interpret() {
        let mut written = Vec::new();
        let mut lines = JsonLines { is_terminal: true, ..JsonLines::new(&mut written) };
        let text = "é\u{1b}\u{7f}\u{9b}\u{202e}\u{e0001}";
        for _ in 0..2 {
            assert!(lines.line(&text).is_ok());
        }
        assert!(lines.flush().is_ok());
        let written = String::from_utf8(written).unwrap();
        assert_eq!(written, "\"é\\u001b\\u007f\\u009b\\u202e\\udb40\\udc01\"\n".repeat(2));
        assert!(
            written.lines().all(|line| serde_json::from_str::<String>(line).is_ok_and(|read| read == text))
        );
    }
}
