//! Checks what the command reads: user records, payloads in any form, and lists of shards.

use core::str;
use std::io::Write;

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::args::{InputArgs, InputForm};
use crate::common::Record;
use crate::failure::Failure;
use crate::input::{Data, for_each_payload, for_each_user_record};
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
    result.map_err(|failure| {
        let Failure::Input(text) = failure else { panic!("not of the input: {failure:?}") };
        assert!(text.starts_with("standard input:"), "{text}");
        text
    })
}

fn read_events(input: &[u8], at_once: usize) -> (Vec<Record>, Result<(), String>) {
    let mut records = Vec::new();
    let progress = Progress { bytes: input.to_vec(), at_once };
    let result = for_each_user_record(&[], Data::Optional, &progress, |input| {
        records.push(Record::from(input.record));
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
    let progress = Progress { bytes: input.to_vec(), at_once };
    let args = InputArgs { files: Vec::new(), input: form };
    let result = for_each_payload(&args, &progress, |payload| {
        assert_eq!(usize::try_from(payload.record), Ok(payloads.len()));
        assert!(payload.source.starts_with("standard input"));
        let text = |text: Option<&str>| text.map(str::to_owned);
        payloads.push((payload.data.to_vec(), text(payload.partition_key), text(payload.explicit_hash_key)));
        Ok(())
    });
    (payloads, ended(result))
}

/// Payloads do not depend on how the input is split, and the detected form is one that could have been given.
fn payloads(input: &[u8]) {
    let detected = read_payloads(input, InputForm::Auto, usize::MAX);
    assert_eq!(read_payloads(input, InputForm::Auto, 3), detected, "three bytes at a time");
    let forms = [InputForm::Raw, InputForm::Hex, InputForm::Base64, InputForm::Json];
    let given = forms.map(|form| read_payloads(input, form, usize::MAX));
    let nothing = detected == (Vec::new(), Ok(()));
    assert!(nothing || given.contains(&detected), "{detected:?}");
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
        assert_eq!((&other.0, other.1.is_ok()), (&payloads, end.is_ok()), "{name}: {:?}", other.1);
    }
    if end.is_ok() {
        let mut found = Vec::new();
        values.iter().for_each(|value| walk(value, &mut found));
        assert_eq!(payloads, found);
    }
}

fn walk(value: &Value, found: &mut Vec<Payload>) {
    let text = |object: &Value, name: &str| object[name].as_str().map(str::to_owned);
    let lists = ["Records", "records"].map(|name| value.get(name));
    if let Some(list) = value.as_array() {
        list.iter().for_each(|value| walk(value, found));
    } else if lists != [None, None] {
        // In the order in which they are written.
        lists.into_iter().flatten().for_each(|list| walk(list, found));
    } else {
        found.push(record(value, text));
    }
}

/// Returns the payload of a record, whatever its members are called. The one that is later in the alphabet is read later, and
/// overrides the others.
fn record(value: &Value, text: impl Fn(&Value, &str) -> Option<String>) -> Payload {
    let mut of_transformation = !value["recordId"].is_null();
    let mut by_lambda = false;
    let mut data = text(value, "Data");
    let mut keys = (text(value, "PartitionKey"), text(value, "ExplicitHashKey"));
    let metadata = ["kinesisFirehoseRecordMetadata", "kinesisRecordMetadata", "kinesisStreamRecordMetadata"];
    for name in ["kinesis"].into_iter().chain(metadata) {
        let Some(inside) = value[name].as_object() else { continue };
        by_lambda |= name == "kinesis";
        of_transformation |= name != "kinesis";
        let member = |name: &str, before: Option<String>| match inside.get(name) {
            Some(value) => value.as_str().map(str::to_owned),
            None => before,
        };
        if name == "kinesis" {
            data = member("data", data);
        }
        keys = (member("partitionKey", keys.0), member("explicitHashKey", keys.1));
    }
    if of_transformation && !by_lambda {
        data = data.or(text(value, "data"));
    }
    (BASE64.decode(data.unwrap().as_bytes()).unwrap(), keys.0, keys.1)
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
