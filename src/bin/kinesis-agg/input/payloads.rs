//! What `deaggregate` and `inspect` read: payloads, in whatever form.

use std::io::{BufReader, Read};
use std::sync::LazyLock;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny};

use crate::args::InputArgs;
use crate::base64;
use crate::failure::Failure;
use crate::input::detect::{Form, decode_hex, detect};
use crate::input::entry::{Entry, Metadata};
use crate::input::json::{EachEntry, json_fault};
use crate::input::lines::Lines;
use crate::input::{MAX_UNIT, Source, cannot_read, open_each};
use crate::progress::Progress;

/// The data of one Kinesis record and what came with it.
pub(crate) struct Payload<'a> {
    /// Its position in all input, from 0.
    pub(crate) record: u64,
    /// Where it is from, for people.
    pub(crate) source: &'a str,
    pub(crate) data: &'a [u8],
    pub(crate) partition_key: Option<&'a str>,
    pub(crate) explicit_hash_key: Option<&'a str>,
    pub(crate) metadata: &'a Metadata<'a>,
}

/// Of payloads about which nothing is said.
static NO_METADATA: LazyLock<Metadata<'static>> = LazyLock::new(Metadata::default);

/// Reads all payloads of all files, up to the first that is bad.
pub(crate) fn for_each_payload(
    input: &InputArgs,
    progress: &Progress,
    visit: impl FnMut(Payload<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut payloads = Counting::from(0, visit);
    open_each(&input.files, progress, |source| {
        let (source, form) = detect(source, input.input)?;
        payloads.read(source, form)
    })
}

/// Numbers the payloads on their way to whoever wants them.
pub(crate) struct Counting<V> {
    visit: V,
    records: u64,
    /// Room for decoded payloads, used again and again.
    decoded: Vec<u8>,
}

impl<V: FnMut(Payload<'_>) -> Result<(), Failure>> Counting<V> {
    /// Begins to count after so many.
    pub(crate) const fn from(records: u64, visit: V) -> Self {
        Self { visit, records, decoded: Vec::new() }
    }

    /// How many there were.
    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    /// Reads all payloads of an input, up to the first that is bad.
    pub(crate) fn read(&mut self, source: Source, form: Form) -> Result<(), Failure> {
        match form {
            Form::Empty => Ok(()),
            Form::Raw => self.raw(source),
            Form::Hex => self.lines(source, |line, decoded| {
                *decoded = decode_hex(line)?;
                Ok(())
            }),
            Form::Base64 => self.lines(source, |line, decoded| {
                let text = core::str::from_utf8(line).map_err(|_| "not base64".to_owned())?;
                base64::decode(text.as_bytes(), decoded)
            }),
            Form::Json => self.json(source),
        }
    }

    fn raw(&mut self, source: Source) -> Result<(), Failure> {
        let Source { name, reader } = source;
        let mut data = Vec::new();
        let limit = u64::try_from(MAX_UNIT).unwrap_or(u64::MAX);
        reader.take(limit).read_to_end(&mut data).map_err(|error| cannot_read(&name, &error))?;
        if data.len() == MAX_UNIT {
            return Err(Failure::Input(format!(
                "{name}: a payload of more than 256 MiB, where Kinesis takes 10 MiB: if these are lines, say with \
                 --input of what"
            )));
        }
        self.bare(&name, &data)
    }

    fn lines(
        &mut self,
        source: Source,
        decode: impl Fn(&[u8], &mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), Failure> {
        let name = source.name.clone();
        let mut lines = Lines::new(source);
        while lines.next()?.is_some() {
            let mut data = core::mem::take(&mut self.decoded);
            decode(lines.current(), &mut data).map_err(|what| lines.fault(what))?;
            self.bare(&name, &data)?;
            self.decoded = data;
        }
        Ok(())
    }

    /// Reads JSON Lines as long as each line is a value of its own, or several, and the rest as values that may span lines.
    fn json(&mut self, source: Source) -> Result<(), Failure> {
        let mut lines = Lines::new(source);
        while lines.next()?.is_some() {
            let place = lines.place();
            let mut value = Value { place: &place, records: 0, visited: 0 };
            let line = lines.current();
            // A deserializer says where it is by counting from its beginning, so each value gets one of its own. Where a
            // value ends is known only to one that skips values.
            let mut skipping = serde_json::Deserializer::from_slice(line).into_iter::<IgnoredAny>();
            while let Some(rest) = line.get(skipping.byte_offset()..) {
                let mut deserializer = serde_json::Deserializer::from_slice(rest);
                match self.value(&mut deserializer, &mut value)? {
                    Ok(()) => {}
                    // A value that goes on in the next line. What it had in this one was visited.
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

    /// Reads values from the beginning of the line read last. The first `visited` records were visited before.
    fn values(&mut self, lines: Lines, visited: u64) -> Result<(), Failure> {
        let (name, first_line, rest) = lines.into_rest();
        let rest = BufReader::with_capacity(64 * 1024, rest);
        let mut deserializer = serde_json::Deserializer::from_reader(rest);
        let mut value = Value { place: &name, records: 0, visited };
        // Only the end of the input is an end: anything else is another value.
        while deserializer.end().is_err() {
            self.value(&mut deserializer, &mut value)?.map_err(|error| {
                let line = u64::try_from(error.line()).unwrap_or(u64::MAX);
                let line = first_line.saturating_add(line).saturating_sub(1);
                let what = json_fault(&error);
                Failure::Input(format!("{name}:{line}: column {}: {what}", error.column()))
            })?;
        }
        Ok(())
    }

    /// Reads one value. The outer error is that of a visit, the inner one that of the reading.
    fn value<'de, D: Deserializer<'de>>(
        &mut self,
        deserializer: D,
        value: &mut Value<'_>,
    ) -> Result<Result<(), D::Error>, Failure> {
        let mut failure = None;
        let mut visit = |entry: Entry<'de>| {
            value.records = value.records.saturating_add(1);
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
        let payload = Payload {
            partition_key: entry.partition_key.as_ref().map(|key| &*key.0),
            explicit_hash_key: entry.explicit_hash_key.as_ref().map(|key| &*key.0),
            metadata: &entry.metadata,
            ..Payload::bare(place, &data)
        };
        self.visit(payload)?;
        self.decoded = data;
        Ok(())
    }

    fn bare(&mut self, place: &str, data: &[u8]) -> Result<(), Failure> {
        self.visit(Payload::bare(place, data))
    }

    fn visit(&mut self, payload: Payload<'_>) -> Result<(), Failure> {
        (self.visit)(Payload { record: self.records, ..payload })?;
        self.records = self.records.saturating_add(1);
        Ok(())
    }
}

/// Where a value is read, and how far.
struct Value<'a> {
    place: &'a str,
    /// How many records were read.
    records: u64,
    /// How many of them, from the first, are not to be visited again.
    visited: u64,
}

impl<'a> Payload<'a> {
    fn bare(source: &'a str, data: &'a [u8]) -> Self {
        Self { record: 0, source, data, partition_key: None, explicit_hash_key: None, metadata: &NO_METADATA }
    }
}
