//! The input of `deaggregate`, `cat` and `inspect`: payloads as raw bytes, hex, base64, hex dumps or JSON.

use core::cell::RefCell;
use core::fmt::{self, Display};
use std::borrow::Cow;
use std::io::{BufRead, BufReader, Cursor};
use std::time::Instant;

use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, MAGIC, PlainReason};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny};
use serde_json::value::RawValue;

use crate::args::{InputArgs, InputForm};
use crate::failure::Failure;
use crate::input::blocks::{Block, Dump, Widths, ends};
use crate::input::detect::{Format, detect, is_table_head, magic_in_latin_1};
use crate::input::gather::Gatherer;
use crate::input::json::{Data, EachItem, EventMembers, Item, Members, Text};
use crate::input::lines::{Lines, Place, fill, pauses};
use crate::input::log::find_record;
use crate::input::renderings::{DumpLine, Form, decode_value, find_aggregate};
use crate::input::source::{InMemory, Resumed, Source, open_each};
use crate::input::{BYTE_ORDER_MARK, MAX_UNIT};
use crate::progress::Progress;

/// The most bytes of a first line that `auto` looks at.
const LOOK_AHEAD: usize = 64 * 1024;

/// The next part of the input.
pub(crate) enum Event<'a> {
    /// The data of a Kinesis record.
    Payload(Payload<'a>),
    /// A line or a value that could not be read. It takes a record number. The message is written after the visit.
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
    pub(in crate::input) frame: Result<(), PlainReason>,
}

impl<'a> Payload<'a> {
    /// Parses the payload. Its digest has been verified, together with those of other payloads.
    pub(crate) fn parse(&self) -> Result<AggregatedRecord<'a, 'a>, PlainReason> {
        self.frame.and_then(|()| AggregatedRecord::parse_with(self.data, DigestCheck::Skip))
    }

    /// Returns the partition key and the explicit hash key of a user record, as far as they are known. Those of a plain
    /// record are outside its data.
    pub(crate) const fn keys_of(
        &self,
        user: &UserRecord<'a>,
        is_plain: bool,
    ) -> (Option<&'a str>, Option<&'a str>) {
        if is_plain {
            (self.partition_key, self.explicit_hash_key)
        } else {
            (Some(user.partition_key), user.explicit_hash_key)
        }
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
    /// The fault. Control characters are escaped, and values from the input cut or left out.
    pub(crate) what: &'a str,
}

impl Display for Damaged<'_> {
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
    let mut payloads = Payloads(RefCell::new(Gatherer::new(input, progress, visit)));
    let read = open_each(&input.read, progress, |source| payloads.read(source, input.input));
    // What was read before a failure is visited, unless a visit has stopped the reading.
    match read {
        Err(failure @ (Failure::Output(_) | Failure::Enough)) => Err(failure),
        read => {
            let finished = payloads.0.get_mut().finish();
            read.and(finished)
        }
    }
}

/// Reads files. The cell is shared with the reader that JSON is parsed from, which meets pauses.
struct Payloads<'p, V>(RefCell<Gatherer<'p, V>>);

impl<V: FnMut(Event<'_>) -> Result<(), Failure>> Payloads<'_, V> {
    fn read(&mut self, source: Source, form: InputForm) -> Result<(), Failure> {
        self.0.get_mut().file(&source.name)?;
        let (source, format) = match form {
            InputForm::Auto => self.detect(source)?,
            InputForm::Raw => (source, Format::Raw),
            InputForm::Hex => (source, Format::Values(Form::Hex, None)),
            InputForm::Base64 => (source, Format::Values(Form::Base64, None)),
            InputForm::Json => (source, Format::Json),
        };
        match format {
            Format::Empty => Ok(()),
            Format::Raw => self.raw(source),
            Format::Json => self.json(source),
            Format::Values(form, remark) => {
                if let Some(remark) = remark {
                    self.0.get_mut().say(remark);
                }
                self.values(source, form)
            }
            Format::Dump => self.dump(source),
            Format::Table => self.table(source),
            Format::Log => self.log(source),
            Format::Text => self.text(source),
            Format::Refused(what) => {
                self.0.get_mut().damaged(&source.name, format_args!("this looks like {what}"))
            }
        }
    }

    fn pause(&self) -> Result<Option<Instant>, Failure> {
        self.0.borrow_mut().pause().map(|()| None)
    }

    /// Reads the first line that is not blank, or a piece of it if it is long, and returns the format and the whole input.
    fn detect(&self, source: Source) -> Result<(Source, Format), Failure> {
        let Source { name, reader } = source;
        let mut reader = BufReader::with_capacity(LOOK_AHEAD, reader);
        let mut beginning = Vec::new();
        loop {
            fill(&mut reader, &name, || self.pause())?;
            let buffer = reader.buffer();
            let (before, len) = (beginning.len(), buffer.len());
            beginning.extend_from_slice(buffer);
            reader.consume(len);
            let blank = beginning.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let end = memchr::memchr(b'\n', beginning.get(blank.max(before)..).unwrap_or_default());
            let format = if let Some(end) = end {
                let line = beginning.get(..blank.max(before) + end);
                detect(line.unwrap_or_default(), false)
            } else if len == 0 {
                detect(&beginning, false)
            } else if beginning.len() - blank >= LOOK_AHEAD {
                detect(&beginning, true)
            } else {
                // The values of JSON end before the line does.
                let first = beginning.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&beginning).trim_ascii_start();
                let may_be_json = matches!(first.first(), Some(b'{' | b'['));
                if !may_be_json || !pauses(&mut reader) || detect(first, false) != Format::Json {
                    continue;
                }
                Format::Json
            };
            let reader = Box::new(Resumed { beginning: Cursor::new(beginning), rest: reader.into_inner() });
            return Ok((Source { name, reader }, format));
        }
    }

    /// Reads an input to its end.
    fn read_all(&self, source: Source) -> Result<Vec<u8>, Failure> {
        let Source { name, reader } = source;
        let mut reader = BufReader::with_capacity(LOOK_AHEAD, reader);
        let mut data = Vec::new();
        loop {
            fill(&mut reader, &name, || self.pause())?;
            let len = reader.buffer().len();
            data.extend_from_slice(reader.buffer());
            reader.consume(len);
            if len == 0 {
                return Ok(data);
            }
            if data.len() >= MAX_UNIT {
                return Err(Failure::Input(format!(
                    "{name}: payload of more than 256 MiB, but Kinesis allows at most 10 MiB (if the input is not a \
                     single payload, name its format with --input)"
                )));
            }
        }
    }

    /// Reads a payload, or aggregates one after the other.
    fn raw(&mut self, source: Source) -> Result<(), Failure> {
        let name = source.name.clone();
        let mut data = self.read_all(source)?;
        let gatherer = self.0.get_mut();
        if data.strip_prefix(BYTE_ORDER_MARK).is_some_and(|rest| rest.starts_with(&MAGIC)) {
            data.drain(..BYTE_ORDER_MARK.len());
        }
        if let Some(original) = undo_latin_1(&data) {
            gatherer
                .say("read as UTF-8 that was made from Latin-1, as JavaScript's toString('binary') makes it");
            data = original;
        }
        let mut start = 0;
        for end in ends(&data) {
            let payload = data.get(start..end).unwrap_or_default();
            if start == 0 && end == data.len() {
                gatherer.payload(&name, payload)?;
            } else {
                gatherer.payload(format_args!("{name}: byte {start}"), payload)?;
            }
            start = end;
        }
        Ok(())
    }

    /// Reads values in hex or base64, a line each, except for wrapped aggregates and values with tabs between them.
    fn values(&mut self, source: Source, form: Form) -> Result<(), Failure> {
        let mut lines = Lines::new(source);
        let mut block: Option<Block> = None;
        let mut widths = Widths::default();
        while lines.next_line(|| self.pause())? {
            let line = lines.current();
            let gatherer = &mut *self.0.borrow_mut();
            let values = gatherer.values;
            if let Some(mut open) = block.take() {
                if open.takes(line) {
                    let is_last = open.push(line);
                    if is_last {
                        open.end(gatherer)?
                    } else {
                        block = Some(open)
                    }
                    continue;
                }
                open.end(gatherer)?;
            }
            if line.is_empty() {
                continue;
            }
            let place = lines.place();
            if line.contains(&b'\t') {
                columns(line, form, place, gatherer)?;
                continue;
            }
            if let Some(mut open) = Block::begin(line, form, place) {
                if open.push(line) {
                    open.end(gatherer)?
                } else {
                    block = Some(open)
                }
                continue;
            }
            match decode_value(line, form, values) {
                Ok(data) => {
                    if widths.seem_wrapped(line.len(), &data) {
                        gatherer.say(format_args!(
                            "each line is read as a payload; if they are the lines of a single one, decode it first and \
                             use --input raw"
                        ));
                    }
                    gatherer.payload(place, &data)?;
                }
                Err(_) if lines.is_cut() => {}
                Err(what) => gatherer.damaged(place, what)?,
            }
        }
        match block {
            // The rest of it was not read.
            Some(_) if lines.was_stopped() => Ok(()),
            Some(open) => open.end(self.0.get_mut()),
            None => Ok(()),
        }
    }

    /// Reads hex dumps. Each begins with offset 0.
    fn dump(&mut self, source: Source) -> Result<(), Failure> {
        let mut lines = Lines::new(source);
        let mut dump: Option<Dump> = None;
        // Whether the lines up to the next dump are of one that could not be read.
        let mut is_skipping = false;
        while lines.next_line(|| self.pause())? {
            let gatherer = &mut *self.0.borrow_mut();
            let line = lines.current();
            let parsed = DumpLine::parse(line);
            let begins = matches!(&parsed, Some(Ok(line)) if line.offset == 0 && !line.bytes.is_empty());
            if begins || line.is_empty() {
                is_skipping = false;
                if let Some(dump) = dump.take() {
                    gatherer.payload(dump.place, &dump.bytes)?;
                }
            }
            if is_skipping || line.is_empty() {
                continue;
            }
            let what = match parsed {
                None if line == b"*" => {
                    if let Some(dump) = &mut dump {
                        dump.repeats = true;
                    }
                    continue;
                }
                None => format!("not a line of a hex dump{}", gatherer.values.show(line)),
                Some(Err(what)) => what,
                // The end of a dump that has been visited.
                Some(Ok(line)) if line.bytes.is_empty() && dump.is_none() => continue,
                Some(Ok(line)) => {
                    let open = dump.get_or_insert_with(|| Dump::new(lines.place(), line.offset));
                    match open.push(line) {
                        Ok(false) => continue,
                        Ok(true) => {
                            if let Some(dump) = dump.take() {
                                gatherer.payload(dump.place, &dump.bytes)?;
                            }
                            continue;
                        }
                        Err(what) => what.to_owned(),
                    }
                }
            };
            dump = None;
            is_skipping = true;
            if !lines.is_cut() {
                gatherer.damaged(lines.place(), what)?;
            }
        }
        match dump {
            Some(dump) => self.0.get_mut().payload(dump.place, &dump.bytes),
            None => Ok(()),
        }
    }

    /// Reads what `aws kinesis get-records --output text` writes.
    fn table(&mut self, source: Source) -> Result<(), Failure> {
        let mut lines = Lines::new(source);
        while lines.next(|| self.pause())?.is_some() {
            let line = lines.text().trim_ascii_end();
            let gatherer = &mut *self.0.borrow_mut();
            if is_table_head(line) {
                continue;
            }
            match row(line) {
                Some(members) => gatherer.record(lines.place(), members, &EventMembers::default())?,
                None if lines.is_cut() => {}
                None => {
                    let shown = gatherer.values.show(line);
                    gatherer
                        .damaged(lines.place(), format_args!("not a line of `aws … --output text`{shown}"))?;
                }
            }
        }
        Ok(())
    }

    /// Reads the records in the lines of a log.
    fn log(&mut self, source: Source) -> Result<(), Failure> {
        self.0
            .get_mut()
            .say("read as a log: records in JSON are taken from its lines, and other text is ignored");
        let mut lines = Lines::new(source);
        while lines.next(|| self.pause())?.is_some() {
            let place = lines.place().to_string();
            if let Some(value) = find_record(lines.current()) {
                let mut value = serde_json::Deserializer::from_slice(value);
                // It has been parsed before.
                _ = self.value(&mut value, &place, 0, true)?;
            }
        }
        Ok(())
    }

    /// Reads text that is a log if a line has a record in it, and a payload otherwise.
    fn text(&mut self, source: Source) -> Result<(), Failure> {
        let name = source.name.clone();
        let data = self.read_all(source)?;
        let mut lines = data.split(|&byte| byte == b'\n');
        if lines.any(|line| find_record(line).is_some()) {
            return self.log(Source { name, reader: Box::new(InMemory(Cursor::new(data))) });
        }
        let gatherer = self.0.get_mut();
        match find_aggregate(&data) {
            Some(form) => gatherer.damaged(
                &name,
                format_args!(
                    "text with an aggregate in it as {form}, in a form that is not known: write each payload in base64 \
                     or hex on a line of its own (or use --input raw if the text is the payload)"
                ),
            ),
            None => gatherer.payload(&name, &data),
        }
    }

    /// Reads JSON values, which may share a line and may span lines.
    fn json(&mut self, source: Source) -> Result<(), Failure> {
        let mut lines = Lines::new(source);
        // Whether the current line is to be read again, because a broken value has ended before it.
        let mut again = false;
        while again || lines.next_piece(|| self.pause())? {
            again = false;
            let mut at = 0;
            while let Some(rest) = lines.text().get(at..) {
                let blank = rest.len() - rest.trim_ascii_start().len();
                let rest = rest.get(blank..).unwrap_or_default().trim_ascii_end();
                if rest.is_empty() {
                    break;
                }
                at += blank;
                let place = lines.place().clone();
                // A deserializer counts columns from its own beginning, so each value gets one.
                let mut deserializer = serde_json::Deserializer::from_slice(rest);
                let (visited, mut result) = self.value(&mut deserializer, &place, 0, true)?;
                if result.as_ref().is_err_and(serde_json::Error::is_data) {
                    // Another reading continues after a record that is invalid.
                    deserializer = serde_json::Deserializer::from_slice(rest);
                    (_, result) = self.value(&mut deserializer, &place, visited, false)?;
                }
                match result {
                    Ok(()) if deserializer.end().is_ok() => break,
                    Ok(()) => match value_len(rest) {
                        Some(len) => at += len,
                        None => break,
                    },
                    Err(error) if error.is_eof() && !(in_string(&error) && lines.is_complete()) => {
                        match self.json_on(&mut lines, at, visited)? {
                            Next::Position(position) => at = position,
                            Next::Line => break,
                            Next::CurrentLine => {
                                again = true;
                                break;
                            }
                        }
                    }
                    Err(error) => {
                        let what = lines.json_error(&error, at, self.0.get_mut().values);
                        self.0.get_mut().damaged(place, what)?;
                        // Only what is not JSON hides where the next value begins.
                        match value_len(lines.text().get(at..).unwrap_or_default()) {
                            Some(len) if error.is_data() => at += len,
                            _ => {
                                lines.finish_line(|| self.pause())?;
                                break;
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads a value that begins at `at` in the current line and ends later. The first `visited` records have been visited.
    fn json_on(&self, lines: &mut Lines, at: usize, visited: u64) -> Result<Next, Failure> {
        let first_line = lines.place().to_string();
        let indentation = lines.indentation();
        let place = lines.place().moving();
        let mut rest = lines.read_on(at, &place, || self.pause());
        let mut deserializer = serde_json::Deserializer::from_reader(&mut rest);
        let (_, result) = self.value(&mut deserializer, &place, visited, false)?;
        let Err(error) = result else { return Ok(Next::Position(rest.position)) };
        let position = rest.position;
        if let Some(failure) = rest.failure {
            return Err(failure);
        }
        if !(lines.text().is_empty() && lines.was_stopped()) {
            let mut gatherer = self.0.borrow_mut();
            let column = error.column() + if error.line() == 1 { at } else { 0 };
            let what = gatherer.values.json_message(&error);
            gatherer.damaged(&place, format_args!("column {column}: {what}"))?;
        }
        if place.to_string() == first_line {
            lines.finish_line(|| self.pause())?;
            return Ok(Next::Line);
        }
        // A value begins with a bracket that is not indented more than that of the broken one.
        let begins_value = |lines: &Lines| {
            lines.indentation() <= indentation && matches!(lines.current().first(), Some(b'{' | b'['))
        };
        if position <= indentation + 1 && begins_value(lines) {
            return Ok(Next::CurrentLine);
        }
        lines.finish_line(|| self.pause())?;
        while lines.next_line(|| self.pause())? {
            if begins_value(lines) {
                return Ok(Next::CurrentLine);
            }
        }
        Ok(Next::Line)
    }

    /// Reads one value. Returns how many records it has, and the error in the JSON if there is one. Does not visit the first
    /// `visited` records.
    fn value<'de, D: Deserializer<'de>>(
        &self,
        deserializer: D,
        place: &dyn Display,
        visited: u64,
        is_on_one_line: bool,
    ) -> Result<(u64, Result<(), D::Error>), Failure> {
        let mut failure = None;
        let mut records = 0;
        let mut visit = |item: Item<'_>| {
            records += 1;
            if records <= visited { Ok(()) } else { self.item(item, place) }
        };
        let read =
            EachItem { visit: &mut visit, failure: &mut failure, is_on_one_line, is_list_of_records: false }
                .deserialize(deserializer);
        if let Some(failure) = failure {
            return Err(failure);
        }
        let read = match read {
            Ok(Some(_)) => Err(serde::de::Error::custom("a number, expected a Kinesis record")),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        Ok((records, read))
    }

    fn item(&self, item: Item<'_>, place: &dyn Display) -> Result<(), Failure> {
        if let Item::LogMessage(message) = item {
            if let Some(value) = find_record(message.as_bytes()) {
                // It has been parsed before.
                _ = self.value(&mut serde_json::Deserializer::from_slice(value), place, 0, true)?;
            }
            return Ok(());
        }
        let gatherer = &mut *self.0.borrow_mut();
        match item {
            Item::Entry(entry) => match entry.complete() {
                Ok((members, event)) => gatherer.record(place, members, &event),
                Err(what) => gatherer.damaged(place, what),
            },
            Item::Text(text) => match decode_value(text.as_bytes(), Form::Base64, gatherer.values) {
                Ok(data) => gatherer.payload(place, &data),
                Err(what) => gatherer.damaged(place, what),
            },
            Item::Bytes(bytes) => gatherer.payload(place, &bytes),
            Item::Invalid(error) => {
                let what = gatherer.values.json_message(&error);
                gatherer.damaged(place, what)
            }
            Item::LogMessage(_) => Ok(()),
        }
    }
}

/// Returns the bytes of an aggregate of which each byte was taken for a character.
fn undo_latin_1(data: &[u8]) -> Option<Vec<u8>> {
    let text = data.starts_with(magic_in_latin_1().as_bytes()).then(|| core::str::from_utf8(data).ok())??;
    text.chars().map(|char| u8::try_from(char).ok()).collect()
}

/// The position of the next value after one that was not complete on its first line.
enum Next {
    /// At this position in the current line.
    Position(usize),
    /// On the next line.
    Line,
    /// On the current line.
    CurrentLine,
}

/// Returns whether the JSON ends inside a string. A string cannot go on on the next line.
fn in_string(error: &serde_json::Error) -> bool {
    error.is_eof() && error.to_string().starts_with("EOF while parsing a string")
}

/// Returns the length of the JSON value at the beginning of the bytes.
fn value_len(bytes: &[u8]) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(values.byte_offset())
}

/// Reads values with tabs between them.
fn columns<V: FnMut(Event<'_>) -> Result<(), Failure>>(
    line: &[u8],
    form: Form,
    place: &Place,
    gatherer: &mut Gatherer<'_, V>,
) -> Result<(), Failure> {
    let values = gatherer.values;
    let columns = line.split(|&byte| byte == b'\t').filter(|column| !column.is_empty());
    let decoded: Vec<_> = columns.map(|column| decode_value(column, form, values)).collect();
    let is_aggregate =
        |data: &Result<Vec<u8>, String>| data.as_ref().is_ok_and(|data| data.starts_with(&MAGIC));
    let aggregates = decoded.iter().filter(|data| is_aggregate(data)).count();
    if aggregates > 0 && aggregates < decoded.len() {
        return gatherer.damaged(
            place,
            "columns that are not all payloads: print only the data, for example with --query 'Records[].Data'",
        );
    }
    for data in decoded {
        match data {
            Ok(data) => gatherer.payload(place, &data)?,
            Err(what) => gatherer.damaged(place, what)?,
        }
    }
    Ok(())
}

/// Reads a line of `aws kinesis get-records --output text`: the members of a record in alphabetical order.
fn row(line: &[u8]) -> Option<Members<'_>> {
    let line = core::str::from_utf8(line).ok()?.strip_prefix("RECORDS\t")?;
    let (time, line) = line.split_once('\t')?;
    let (data, line) = line.split_once('\t')?;
    let (line, sequence_number) = line.rsplit_once('\t')?;
    // Absent from records that are not encrypted.
    let encrypted =
        line.split_once('\t').filter(|(encryption_type, _)| matches!(*encryption_type, "KMS" | "NONE"));
    let (encryption_type, partition_key) = encrypted.map_or((None, line), |(kind, key)| (Some(kind), key));
    let text = |text| Text(Cow::Borrowed(text));
    let time = if time.starts_with(|first: char| first.is_ascii_digit()) && time.parse::<f64>().is_ok() {
        time.to_owned()
    } else {
        serde_json::to_string(time).ok()?
    };
    Some(Members {
        data: Some(Data::Base64(Cow::Borrowed(data.as_bytes()))),
        partition_key: Some(text(partition_key)),
        sequence_number: Some(text(sequence_number)),
        approximate_arrival_timestamp: RawValue::from_string(time).ok(),
        encryption_type: encryption_type.map(text),
        ..Members::default()
    })
}
