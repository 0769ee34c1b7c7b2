//! What `deaggregate` and `inspect` read: payloads as raw bytes, hex, base64 or JSON.

use core::fmt;
use std::io::{BufReader, Cursor, Read};

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, MAGIC, PlainReason};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny};
use serde_json::value::RawValue;

use crate::args::{InputArgs, InputForm};
use crate::base64;
use crate::failure::Failure;
use crate::input::json::{EachEntry, Entry, message};
use crate::input::lines::Lines;
use crate::input::{BYTE_ORDER_MARK, MAX_UNIT, Source, cannot_read, open_each};
use crate::progress::Progress;

/// How much of an input `auto` looks at.
const LOOK_AHEAD: usize = 64 * 1024;

/// What the input has next.
pub(crate) enum Event<'a> {
    /// The data of a Kinesis record.
    Payload(Payload<'a>),
    /// A line or a value that could not be read. It takes a record number. The message has been written.
    Damaged(Damaged<'a>),
    /// The input has paused: what is finished must be written now.
    Pause,
}

/// The data of a Kinesis record, and what the input says about it.
#[derive(Clone, Copy)]
pub(crate) struct Payload<'a> {
    /// Position in the whole input, from 0.
    pub(crate) record: u64,
    /// The name of the file, for messages.
    pub(crate) file: &'a str,
    /// The file, with the line or the byte where there is one, for messages.
    pub(crate) place: &'a str,
    pub(crate) data: &'a [u8],
    pub(crate) partition_key: Option<&'a str>,
    pub(crate) explicit_hash_key: Option<&'a str>,
    pub(crate) sequence_number: Option<&'a str>,
    /// A JSON number or a JSON string, as the input has it.
    pub(crate) approximate_arrival_timestamp: Option<&'a str>,
    /// The shard that the record was read from. In Lambda events only `eventID` names it.
    pub(crate) shard_id: Option<&'a str>,
    pub(crate) has_schema_version: bool,
    /// The members that describe the Kinesis record and are copied to the output, as a JSON object.
    pub(crate) record_metadata: &'a str,
    /// The members that Lambda adds around the Kinesis record, as a JSON object.
    pub(crate) event_metadata: &'a str,
    /// The verdict on the frame and its digest.
    frame: Result<(), PlainReason>,
}

impl<'a> Payload<'a> {
    /// Parses the payload. Its digest has been verified, together with those of other payloads.
    pub(crate) fn parse(&self) -> Result<AggregatedRecord<'a, 'a>, PlainReason> {
        self.frame.and_then(|()| AggregatedRecord::parse_with(self.data, DigestCheck::Skip))
    }
}

/// A line or a value that could not be read.
#[derive(Clone, Copy)]
pub(crate) struct Damaged<'a> {
    /// Position in the whole input, from 0.
    pub(crate) record: u64,
    /// The name of the file, for messages.
    pub(crate) file: &'a str,
    /// The file, with the line or the byte, for messages.
    pub(crate) place: &'a str,
    /// What is wrong. Control characters are escaped, and values from the input cut or left out.
    pub(crate) what: &'a str,
}

impl fmt::Display for Damaged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: record {}: {}", self.place, self.record, self.what)
    }
}

/// Visits what is in all files, in order.
///
/// Lines and values that cannot be read are reported on standard error, and lead to a failure after everything else has
/// been visited. With `--fail-fast`, the first of them is the failure.
pub(crate) fn for_each_event(
    input: &InputArgs,
    progress: &Progress,
    visit: impl FnMut(Event<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut payloads = Payloads { visit, records: 0, decoded: Vec::new() };
    open_each(&input.read.files, progress, |source| payloads.read(source, input.input))
}

/// The format of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// An empty input, which has no payload.
    Empty,
    Raw,
    Hex,
    Base64,
    Json,
}

/// Reads the beginning of an input, and returns its format and the whole input.
fn detect(source: Source) -> Result<(Source, Format), Failure> {
    let Source { name, mut reader } = source;
    let mut beginning = Vec::new();
    let read =
        reader.by_ref().take(u64::try_from(LOOK_AHEAD).unwrap_or(u64::MAX)).read_to_end(&mut beginning);
    read.map_err(|error| cannot_read(&name, &error))?;
    let format = format_of(&beginning);
    Ok((Source { name, reader: Box::new(Cursor::new(beginning).chain(reader)) }, format))
}

fn format_of(beginning: &[u8]) -> Format {
    let beginning = beginning.strip_prefix(BYTE_ORDER_MARK).unwrap_or(beginning);
    if beginning.starts_with(&MAGIC) {
        return Format::Raw;
    }
    match beginning.trim_ascii_start().first() {
        Some(b'{' | b'[') => return Format::Json,
        None if beginning.is_empty() => return Format::Empty,
        None => return Format::Raw,
        Some(_) => {}
    }
    // If the last line is cut, only its characters can be checked.
    let is_cut = beginning.len() == LOOK_AHEAD;
    let lines = || {
        let mut lines = beginning.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).peekable();
        core::iter::from_fn(move || {
            let line = lines.next()?;
            Some((line, is_cut && lines.peek().is_none()))
        })
        .filter(|(line, _)| !line.is_empty())
    };
    let is_hex = |line: &[u8]| line.iter().all(u8::is_ascii_hexdigit);
    let is_base64 = |line: &[u8]| {
        line.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
    };
    if lines().all(|(line, _)| is_hex(line)) {
        return Format::Hex;
    }
    if lines().all(|(line, is_cut)| if is_cut { is_base64(line) } else { BASE64.decode(line).is_ok() }) {
        return Format::Base64;
    }
    Format::Raw
}

/// Decodes one line of hex.
fn decode_hex(line: &[u8]) -> Result<Vec<u8>, String> {
    HEXLOWER_PERMISSIVE.decode(line).map_err(|error| match error.kind {
        data_encoding::DecodeKind::Length => "odd number of hex digits".to_owned(),
        _ => format!("invalid hex digit at character {}", error.position + 1),
    })
}

/// Reads payloads and numbers them.
struct Payloads<V> {
    visit: V,
    records: u64,
    /// The buffer for decoded payloads.
    decoded: Vec<u8>,
}

impl<V: FnMut(Event<'_>) -> Result<(), Failure>> Payloads<V> {
    fn read(&mut self, source: Source, form: InputForm) -> Result<(), Failure> {
        let (source, format) = match form {
            InputForm::Auto => detect(source)?,
            InputForm::Raw => (source, Format::Raw),
            InputForm::Hex => (source, Format::Hex),
            InputForm::Base64 => (source, Format::Base64),
            InputForm::Json => (source, Format::Json),
        };
        match format {
            Format::Empty => Ok(()),
            Format::Raw => self.raw(source),
            Format::Hex => self.lines(source, |line, decoded| {
                *decoded = decode_hex(line)?;
                Ok(())
            }),
            Format::Base64 => self.lines(source, base64::decode),
            Format::Json => self.json(source),
        }
    }

    fn raw(&mut self, source: Source) -> Result<(), Failure> {
        let Source { name, reader } = source;
        let mut data = Vec::new();
        let read = reader.take(u64::try_from(MAX_UNIT).unwrap_or(u64::MAX)).read_to_end(&mut data);
        read.map_err(|error| cannot_read(&name, &error))?;
        if data.len() == MAX_UNIT {
            return Err(Failure::Input(format!(
                "{name}: payload of more than 256 MiB, but Kinesis allows at most 10 MiB (if the input is not a single \
                 payload, name its format with --input)"
            )));
        }
        self.visit(Payload::new(&name, &name, &data))
    }

    fn lines(
        &mut self,
        source: Source,
        decode: impl Fn(&[u8], &mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), Failure> {
        let mut lines = Lines::new(source);
        while lines.next()?.is_some() {
            let mut data = core::mem::take(&mut self.decoded);
            decode(lines.current(), &mut data).map_err(|what| lines.place().fault(what))?;
            self.visit(Payload::new(lines.place().name(), lines.place().name(), &data))?;
            self.decoded = data;
        }
        Ok(())
    }

    /// Reads JSON Lines while each line consists of complete values, and the rest as values that may span lines.
    fn json(&mut self, source: Source) -> Result<(), Failure> {
        let mut lines = Lines::new(source);
        while lines.next()?.is_some() {
            let place = lines.place().to_string();
            let mut value = Value { place: &place, records: 0, visited: 0 };
            let line = lines.current();
            // A deserializer counts columns from its own beginning, so each value gets one. Only a stream deserializer
            // knows where a value ends, so a second one skips the values.
            let mut skipping = serde_json::Deserializer::from_slice(line).into_iter::<IgnoredAny>();
            while let Some(rest) = line.get(skipping.byte_offset()..) {
                let mut deserializer = serde_json::Deserializer::from_slice(rest);
                match self.value(&mut deserializer, &mut value)? {
                    Ok(()) => {}
                    // The value continues on the next line. Its records on this line have been visited.
                    Err(error) if error.is_eof() => return self.values(lines, value.records),
                    Err(error) => return Err(lines.json_fault(&error, skipping.byte_offset())),
                }
                if deserializer.end().is_ok() {
                    break;
                }
                if let Some(Err(error)) = skipping.next() {
                    return Err(lines.json_fault(&error, 0));
                }
            }
        }
        Ok(())
    }

    /// Reads values from the beginning of the current line. The first `visited` records have been visited.
    fn values(&mut self, lines: Lines, visited: u64) -> Result<(), Failure> {
        let (first_line, rest) = lines.into_rest();
        let rest = BufReader::with_capacity(64 * 1024, rest);
        let mut deserializer = serde_json::Deserializer::from_reader(rest);
        let mut value = Value { place: first_line.name(), records: 0, visited };
        // `end` fails as long as anything but white space is left.
        while deserializer.end().is_err() {
            self.value(&mut deserializer, &mut value)?.map_err(|error| {
                let place = first_line.line(error.line());
                place.fault(format_args!("column {}: {}", error.column(), message(&error)))
            })?;
        }
        Ok(())
    }

    /// Reads one value. The outer error comes from a visit, the inner one from the JSON.
    fn value<'de, D: Deserializer<'de>>(
        &mut self,
        deserializer: D,
        value: &mut Value<'_>,
    ) -> Result<Result<(), D::Error>, Failure> {
        let mut failure = None;
        let mut visit = |entry: Entry<'de>| {
            value.records += 1;
            if value.records <= value.visited { Ok(()) } else { self.entry(&entry, value.place) }
        };
        let read = EachEntry { visit: &mut visit, failure: &mut failure }.deserialize(deserializer);
        failure.map_or(Ok(read), Err)
    }

    fn entry(&mut self, entry: &Entry<'_>, place: &str) -> Result<(), Failure> {
        let fault = |what: String| Failure::Input(format!("{place}: record {}: {what}", self.records));
        let text = entry.data.as_ref().ok_or_else(|| fault(format!("no {}", entry.name_of_data())))?;
        let mut data = core::mem::take(&mut self.decoded);
        base64::decode(text.0.as_bytes(), &mut data)
            .map_err(|what| fault(format!("{}: {what}", entry.name_of_data())))?;
        let record = &entry.metadata.record;
        self.visit(Payload {
            partition_key: entry.partition_key.as_ref().map(|key| &*key.0),
            explicit_hash_key: entry.explicit_hash_key.as_ref().map(|key| &*key.0),
            sequence_number: record.sequence_number.as_ref().map(|number| &*number.0),
            approximate_arrival_timestamp: record.approximate_arrival_timestamp.as_deref().map(RawValue::get),
            shard_id: entry.metadata.shard_id(),
            has_schema_version: record.kinesis_schema_version.is_some(),
            record_metadata: &serde_json::to_string(record).unwrap_or_default(),
            event_metadata: &serde_json::to_string(&entry.metadata.event).unwrap_or_default(),
            ..Payload::new(place, place, &data)
        })?;
        self.decoded = data;
        Ok(())
    }

    fn visit(&mut self, payload: Payload<'_>) -> Result<(), Failure> {
        (self.visit)(Event::Payload(Payload { record: self.records, ..payload }))?;
        self.records += 1;
        Ok(())
    }
}

/// A JSON value that is being read.
struct Value<'a> {
    place: &'a str,
    /// The number of records read.
    records: u64,
    /// How many of them, counted from the first, have been visited in an earlier attempt.
    visited: u64,
}

impl<'a> Payload<'a> {
    fn new(file: &'a str, place: &'a str, data: &'a [u8]) -> Self {
        let mut frame = [Ok(())];
        kinesis_aggregation::Payload::verify_each(&[data], &mut frame);
        let [frame] = frame;
        Self {
            record: 0,
            file,
            place,
            data,
            partition_key: None,
            explicit_hash_key: None,
            sequence_number: None,
            approximate_arrival_timestamp: None,
            shard_id: None,
            has_schema_version: false,
            record_metadata: "{}",
            event_metadata: "{}",
            frame,
        }
    }
}
