//! Checks what the command reads: user records, payloads in any form, and lists of shards.

use core::str;
use std::io::Write;

use data_encoding::BASE64;
use kinesis_aggregation::decode::AggregatedRecord;
use serde_json::{Value, json};

use crate::args::{InputArgs, InputForm, ReadArgs};
use crate::common::Record;
use crate::failure::Failure;
use crate::input::{Data, Event, UserEvent, for_each_event, for_each_user_record};
use crate::listing::Shards;
use crate::progress::Progress;

/// Reads an input in every way.
pub fn any(input: &[u8]) {
    events(input);
    payloads(input);
    json_payloads(input);
    listing(input);
}

/// Returns how reading ended. A failure names its position.
fn ended(result: Result<(), Failure>) -> Result<(), String> {
    result.map_err(|failure| match failure {
        Failure::Input(text) => {
            assert!(text.starts_with("standard input:") || text.ends_with("could not be read"), "{text}");
            text
        }
        Failure::Reported => String::new(),
        failure => panic!("not of the input: {failure:?}"),
    })
}

fn read_events(input: &[u8], at_once: usize) -> (Vec<Record>, Result<(), String>) {
    let mut records = Vec::new();
    let progress = Progress { bytes: input.to_vec(), at_once, pauses: at_once < 10 };
    let result = for_each_user_record(&ReadArgs::default(), Data::Optional, &progress, |event| {
        if let UserEvent::Record(input) = event {
            records.push(Record::from(input.record));
        }
        Ok(())
    });
    (records, ended(result))
}

/// User records do not depend on how the input is split, agree with serde_json's own values, and survive writing and reading.
fn events(input: &[u8]) {
    let (records, end) = read_events(input, usize::MAX);
    assert_eq!(read_events(input, 3), (records.clone(), end), "three bytes at a time");

    let lines = input.strip_prefix("\u{feff}".as_bytes()).unwrap_or(input);
    let lines = lines.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    for (record, line) in records.iter().zip(lines) {
        // Members that the command ignores may be more than a `Value` can hold.
        if let Ok(line) = serde_json::from_slice(line.trim_ascii()) {
            assert_eq!(*record, event(&line), "{line}");
        }
    }

    let line = |record: &Record| {
        let Record { partition_key, explicit_hash_key, data, tags } = record;
        let data = BASE64.encode(data);
        json!({"partitionKey": partition_key, "explicitHashKey": explicit_hash_key, "data": data, "tags": tags})
            .to_string()
    };
    let written: Vec<String> = records.iter().map(line).collect();
    assert_eq!(read_events(written.join("\n").as_bytes(), usize::MAX), (records, Ok(())), "written again");
}

/// Returns the user record on a line.
fn event(line: &Value) -> Record {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let data = line["data"].as_str().map(|data| BASE64.decode(data.as_bytes()).unwrap());
    Record {
        partition_key: text(&line["partitionKey"]).unwrap(),
        explicit_hash_key: text(&line["explicitHashKey"]),
        data: data.or(text(&line["text"]).map(String::into_bytes)).unwrap_or_default(),
        tags: line["tags"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|tag| (text(&tag[0]).unwrap(), text(&tag[1])))
            .collect(),
    }
}

/// Data, partition key and explicit hash key.
type Payload = (Vec<u8>, Option<String>, Option<String>);

fn read_payloads(input: &[u8], form: InputForm, at_once: usize) -> (Vec<Payload>, Result<(), String>) {
    let mut payloads = Vec::new();
    let mut damaged = 0;
    // With pauses, a form is detected from what is there.
    let pauses = at_once < 10 && form != InputForm::Auto;
    let progress = Progress { bytes: input.to_vec(), at_once, pauses };
    let args = InputArgs { read: ReadArgs::default(), fail_fast: false, input: form };
    let result = for_each_event(&args, &progress, |event| {
        match event {
            Event::Payload(payload) => {
                assert_eq!(usize::try_from(payload.record), Ok(payloads.len() + damaged));
                assert!(payload.place.starts_with("standard input"));
                assert_eq!(payload.parse().err(), AggregatedRecord::parse(payload.data).err());
                let text = |text: Option<&str>| text.map(str::to_owned);
                let keys = (text(payload.partition_key), text(payload.explicit_hash_key));
                payloads.push((payload.data.to_vec(), keys.0, keys.1));
            }
            Event::Damaged(unreadable) => {
                assert_eq!(usize::try_from(unreadable.record), Ok(payloads.len() + damaged));
                damaged += 1;
            }
            Event::Pause => {}
        }
        Ok(())
    });
    assert_eq!(result.is_ok(), damaged == 0, "{result:?}");
    (payloads, ended(result))
}

/// Payloads do not depend on how the input is split.
fn payloads(input: &[u8]) {
    for form in [InputForm::Auto, InputForm::Raw, InputForm::Hex, InputForm::Base64, InputForm::Json] {
        let at_once = read_payloads(input, form, usize::MAX);
        let dripping = read_payloads(input, form, 3);
        // Where a value is broken, the pauses decide how much of its line is part of it.
        if form == InputForm::Json && at_once.1.is_err() {
            assert!(dripping.1.is_err(), "three bytes at a time: {:?}", dripping.1);
        } else {
            assert_eq!(dripping, at_once, "{form:?}, three bytes at a time");
        }
    }
}

/// The layout of JSON does not matter, and a walk over its values finds the same payloads.
fn json_payloads(input: &[u8]) {
    let values: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(input).into_iter().collect();
    let Ok(values) = values else { return };
    let join = |show: fn(&Value) -> String, by| values.iter().map(show).collect::<Vec<_>>().join(by);
    let read = |text: &str| read_payloads(text.as_bytes(), InputForm::Json, usize::MAX);
    let (payloads, end) = read(&join(Value::to_string, "\n"));
    let one_line = join(Value::to_string, " ");
    let mut all_but_the_end = one_line.clone();
    if one_line.ends_with([']', '}']) {
        all_but_the_end.insert(one_line.len() - 1, '\n');
    }
    for (name, text) in [
        ("on one line", one_line),
        ("on one line, except the end", all_but_the_end),
        ("over several lines", join(|value| format!("{value:#}"), "\n")),
        ("over several lines, joined", join(|value| format!("{value:#}"), " ")),
    ] {
        let other = read(&text);
        assert_eq!(other.1.is_ok(), end.is_ok(), "{name}: {:?}", other.1);
        // A value of another type ends the reading of a document, which layouts divide in different ways.
        if end.is_ok() {
            assert_eq!(other.0, payloads, "{name}");
        }
    }
    if end.is_ok() {
        let mut found = Vec::new();
        if values.iter().all(|value| walk(value, &mut found)) {
            assert_eq!(payloads, found);
        }
    }
}

/// Finds the payloads in a value, unless it has what only the command reads: text, bytes and logs.
fn walk(value: &Value, found: &mut Vec<Payload>) -> bool {
    let lists = ["Records", "records"].map(|name| value.get(name));
    if let Some(list) = value.as_array() {
        list.iter().all(|value| walk(value, found))
    } else if value.get("events").is_some() || !value.is_object() {
        false
    } else if lists != [None, None] {
        lists.into_iter().flatten().all(|list| walk(list, found))
    } else {
        let record = record(value);
        let is_known = record.is_some();
        found.extend(record);
        is_known
    }
}

/// Returns the payload of a record, whatever its members are called.
fn record(value: &Value) -> Option<Payload> {
    let either = |object: &Value, lower: &str| {
        let upper = format!("{}{}", lower[..1].to_uppercase(), &lower[1..]);
        [lower, &upper].iter().find_map(|name| object[*name].as_str().map(str::to_owned))
    };
    let objects =
        ["kinesis", "kinesisFirehoseRecordMetadata", "kinesisRecordMetadata", "kinesisStreamRecordMetadata"];
    let mut inside = objects.iter().filter(|name| value[**name].is_object()).map(|name| &value[*name]);
    let (inner, others) = (inside.next().unwrap_or(&Value::Null), inside.count());
    if others > 0 || value["text"].is_string() || value["kinesis"]["text"].is_string() {
        return None;
    }
    let by_lambda = value["kinesis"].is_object();
    let data = either(if by_lambda { inner } else { value }, "data")?;
    let key = |name: &str| either(inner, name).or_else(|| either(value, name));
    Some((BASE64.decode(data.as_bytes()).ok()?, key("partitionKey"), key("explicitHashKey")))
}

/// A list of shards makes a map or a failure.
fn listing(input: &[u8]) {
    // Without this word there is no list, and files are slow.
    if !input.windows(6).any(|window| window == b"Shards") {
        return;
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(input).unwrap();
    if let Ok(shards) = Shards::read(file.path()) {
        for shard in shards.map.shards() {
            assert_eq!(shards.range_of(shard.id()), Some(shard.range()));
        }
    }
}
