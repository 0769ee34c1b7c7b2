//! Gathers payloads before they are visited, so that their digests are verified together.

use core::fmt::Display;
use core::ops::Range;

use kinesis_aggregation::decode::PlainReason;

use crate::args::InputArgs;
use crate::base64;
use crate::failure::Failure;
use crate::input::detect::magic_in_latin_1;
use crate::input::json::{Data, EventMembers, Members, Text};
use crate::input::payloads::{Damaged, Event, Payload};
use crate::input::quote::Values;
use crate::progress::Progress;

/// The most payloads that are gathered. The digests of 16 are computed almost as fast as those of more.
const MAX_PAYLOADS: usize = 16;

/// The number of bytes of data that are gathered before they are visited.
/// This is eight aggregates of 1 MiB, whose digests take as long as those of four.
const MAX_BYTES: usize = 7 * 1024 * 1024;

/// Numbers the payloads, and passes them to the visitor.
pub(crate) struct Gatherer<'p, V> {
    visit: V,
    progress: &'p Progress,
    pub(crate) values: Values,
    fail_fast: bool,
    /// The number of the next record.
    record: u64,
    damaged: u64,
    file: String,
    gathered: Vec<Gathered>,
    data: Vec<u8>,
    /// The number of bytes of `data` in use. It is not made shorter, so that it need not be filled with zeros again.
    used: usize,
    /// Everything else about the payloads.
    text: String,
    hinted: [bool; 3],
}

/// Ranges of `data` and `text`.
struct Gathered {
    record: u64,
    place: Range<usize>,
    data: Range<usize>,
    partition_key: Option<Range<usize>>,
    explicit_hash_key: Option<Range<usize>>,
    sequence_number: Option<Range<usize>>,
    approximate_arrival_timestamp: Option<Range<usize>>,
    shard_id: Option<Range<usize>>,
    has_schema_version: bool,
    record_metadata: Range<usize>,
    event_metadata: Range<usize>,
}

impl<'p, V: FnMut(Event<'_>) -> Result<(), Failure>> Gatherer<'p, V> {
    pub(crate) fn new(input: &InputArgs, progress: &'p Progress, visit: V) -> Self {
        Self {
            visit,
            progress,
            values: Values { shown: !input.read.no_values },
            fail_fast: input.fail_fast,
            record: 0,
            damaged: 0,
            file: String::new(),
            gathered: Vec::new(),
            data: Vec::new(),
            used: 0,
            text: String::new(),
            hinted: [false; 3],
        }
    }

    /// Begins another file.
    pub(crate) fn file(&mut self, name: &str) -> Result<(), Failure> {
        self.visit_gathered()?;
        name.clone_into(&mut self.file);
        Ok(())
    }

    /// Adds a payload without keys.
    pub(crate) fn payload(&mut self, place: impl Display, data: &[u8]) -> Result<(), Failure> {
        let end = self.append(data);
        self.add(place, end, Members::default(), &EventMembers::default())
    }

    /// Adds the payload of a record, or reports that its data cannot be decoded.
    pub(crate) fn record(
        &mut self,
        place: impl Display,
        mut members: Members<'_>,
        event: &EventMembers<'_>,
    ) -> Result<(), Failure> {
        let end = match members.data.take() {
            Some(Data::Base64(text)) => match base64::decode_at(&text, &mut self.data, self.used) {
                Ok(end) => end,
                Err(what) => {
                    let shown = self.values.show(&text);
                    return self.damaged(place, format_args!("data: {what}{shown}"));
                }
            },
            Some(Data::Text(text)) => self.append(text.0.as_bytes()),
            Some(Data::Bytes(bytes)) => self.append(&bytes),
            None => self.used,
        };
        self.add(place, end, members, event)
    }

    /// Appends data, and returns where it ends. It is not in use yet.
    fn append(&mut self, data: &[u8]) -> usize {
        self.data.truncate(self.used);
        self.data.extend_from_slice(data);
        self.data.len()
    }

    /// Adds the payload between the data in use and `end`.
    fn add(
        &mut self,
        place: impl Display,
        end: usize,
        members: Members<'_>,
        event: &EventMembers<'_>,
    ) -> Result<(), Failure> {
        let start = core::mem::replace(&mut self.used, end);
        let text = &mut self.text;
        let place = append(text, |text| {
            // A `String` accepts everything.
            _ = core::fmt::write(text, format_args!("{place}"));
        });
        let mut value = |value: &Option<Text<'_>>| {
            value.as_ref().map(|value| append(text, |text| text.push_str(&value.0)))
        };
        let partition_key = value(&members.partition_key);
        let explicit_hash_key = value(&members.explicit_hash_key);
        let sequence_number = value(&members.sequence_number);
        let shard_id = value(&members.shard_id).or_else(|| {
            // Lambda names the shard only there, before the colon.
            let (shard_id, _) = event.event_id.as_ref()?.0.split_once(':')?;
            Some(append(text, |text| text.push_str(shard_id)))
        });
        let time = members.approximate_arrival_timestamp.as_deref().map(serde_json::value::RawValue::get);
        let approximate_arrival_timestamp = time.map(|time| append(text, |text| text.push_str(time)));
        let record_metadata = append(text, |text| {
            let mut object = Object::new(text);
            object.string("sequenceNumber", &members.sequence_number);
            if let Some(time) = time {
                object.name("approximateArrivalTimestamp").push_str(time);
            }
            object.string("shardId", &members.shard_id);
            object.string("encryptionType", &members.encryption_type);
            object.string("kinesisSchemaVersion", &members.kinesis_schema_version);
            object.string("recordId", &members.record_id);
            object.end();
        });
        let event_metadata = append(text, |text| {
            let mut object = Object::new(text);
            object.string("eventID", &event.event_id);
            for (name, value) in &event.others {
                push_string(object.name(name), &value.0);
            }
            object.end();
        });
        self.gathered.push(Gathered {
            record: self.record,
            place,
            data: start..end,
            partition_key,
            explicit_hash_key,
            sequence_number,
            approximate_arrival_timestamp,
            shard_id,
            has_schema_version: members.kinesis_schema_version.is_some(),
            record_metadata,
            event_metadata,
        });
        self.record += 1;
        self.hint_at_encoding(start..end);
        if self.gathered.len() >= MAX_PAYLOADS || self.used >= MAX_BYTES {
            return self.visit_gathered();
        }
        Ok(())
    }

    /// Reports, once for each kind, that the data seems to have been encoded in a way that input forms do not tell.
    fn hint_at_encoding(&mut self, data: Range<usize>) {
        let data = self.data.get(data).unwrap_or_default();
        let (kind, what) = if data.starts_with(b"84maw") {
            (0, "base64 of an aggregate, which was encoded twice: decode it once with base64 -d")
        } else if data.starts_with("\u{fffd}\u{fffd}".as_bytes()) {
            (1, "an aggregate that was decoded as UTF-8, which replaced some of its bytes: they are lost")
        } else if data.starts_with(magic_in_latin_1().as_bytes()) {
            (
                2,
                "an aggregate that was decoded as Latin-1 and encoded as UTF-8: iconv -f UTF-8 -t LATIN1 reverses it",
            )
        } else {
            return;
        };
        let place =
            self.gathered.last().and_then(|last| self.text.get(last.place.clone())).unwrap_or_default();
        if let Some(hinted @ false) = self.hinted.get_mut(kind) {
            *hinted = true;
            self.progress.warn(format_args!("{place}: record {} looks like {what}", self.record - 1));
        }
    }

    /// Reports a line or a value that cannot be read, and counts it.
    pub(crate) fn damaged(&mut self, place: impl Display, what: impl Display) -> Result<(), Failure> {
        self.visit_gathered()?;
        let (place, what) = (place.to_string(), what.to_string());
        let damaged = Damaged { record: self.record, file: &self.file, place: &place, what: &what };
        if self.fail_fast {
            return Err(Failure::Input(damaged.to_string()));
        }
        (self.visit)(Event::Damaged(damaged))?;
        self.progress.error(damaged);
        self.record += 1;
        self.damaged += 1;
        Ok(())
    }

    /// Prints a note on how the input is read.
    pub(crate) fn say(&self, what: impl Display) {
        self.progress.warn(format_args!("{}: {what}", self.file));
    }

    /// Visits what has been gathered, and the pause.
    pub(crate) fn pause(&mut self) -> Result<(), Failure> {
        self.visit_gathered()?;
        (self.visit)(Event::Pause)
    }

    /// Visits the last payloads. Returns an error if something was damaged.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.visit_gathered()?;
        match self.damaged {
            0 => Ok(()),
            1 => Err(Failure::Reported),
            damaged => Err(Failure::Input(format!("{damaged} lines or values could not be read"))),
        }
    }

    fn visit_gathered(&mut self) -> Result<(), Failure> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let Self { visit, gathered, data, text, file, .. } = self;
        let data_of = |gathered: &Gathered| data.get(gathered.data.clone()).unwrap_or_default();
        let text_of = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        let mut frames = [Ok::<(), PlainReason>(()); MAX_PAYLOADS];
        let all: Vec<&[u8]> = gathered.iter().map(data_of).collect();
        kinesis_aggregation::Payload::verify_each(&all, &mut frames);
        let visited = gathered.iter().zip(frames).try_for_each(|(gathered, frame)| {
            let value = |range: &Option<Range<usize>>| range.as_ref().map(text_of);
            visit(Event::Payload(Payload {
                record: gathered.record,
                file,
                place: text_of(&gathered.place),
                data: data_of(gathered),
                partition_key: value(&gathered.partition_key),
                explicit_hash_key: value(&gathered.explicit_hash_key),
                sequence_number: value(&gathered.sequence_number),
                approximate_arrival_timestamp: value(&gathered.approximate_arrival_timestamp),
                shard_id: value(&gathered.shard_id),
                has_schema_version: gathered.has_schema_version,
                record_metadata: text_of(&gathered.record_metadata),
                event_metadata: text_of(&gathered.event_metadata),
                frame,
            }))
        });
        self.gathered.clear();
        self.used = 0;
        self.data.truncate(MAX_BYTES);
        self.text.clear();
        visited
    }
}

/// Appends to a text, and returns the range of what was appended.
fn append(text: &mut String, write: impl FnOnce(&mut String)) -> Range<usize> {
    let start = text.len();
    write(text);
    start..text.len()
}

/// A JSON object under construction.
struct Object<'t> {
    text: &'t mut String,
    is_empty: bool,
}

impl<'t> Object<'t> {
    fn new(text: &'t mut String) -> Self {
        text.push('{');
        Self { text, is_empty: true }
    }

    /// Appends a name. The value is to be appended to the text that is returned.
    fn name(&mut self, name: &str) -> &mut String {
        if !self.is_empty {
            self.text.push(',');
        }
        self.is_empty = false;
        push_string(self.text, name);
        self.text.push(':');
        self.text
    }

    fn string(&mut self, name: &str, value: &Option<Text<'_>>) {
        if let Some(value) = value {
            push_string(self.name(name), &value.0);
        }
    }

    fn end(self) {
        self.text.push('}');
    }
}

/// Appends a JSON string.
fn push_string(text: &mut String, value: &str) {
    if value.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&serde_json::to_string(value).unwrap_or_default());
    }
}
