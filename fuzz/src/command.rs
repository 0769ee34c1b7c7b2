//! What the command reads: events, payloads in any form, and listings of shards.

use core::str;
use std::io::Write;

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::args::{InputArgs, InputForm};
use crate::common_encode::OwnedRecord;
use crate::failure::Failure;
use crate::input::{Data, for_each_payload, for_each_user_record};
use crate::listing::Shards;
use crate::progress::Progress;

/// Reads an input as everything that it may be.
pub fn any(input: &[u8]) {
    events(input);
    payloads(input);
    json_payloads(input);
    listing(input);
}

/// How the reading ended: a failure names its place.
fn ended(result: Result<(), Failure>) -> Result<(), String> {
    result.map_err(|failure| {
        let Failure::Input(text) = failure else { panic!("not of the input: {failure:?}") };
        assert!(text.starts_with("standard input:"), "{text}");
        text
    })
}

fn read_events(input: &[u8], at_once: usize) -> (Vec<OwnedRecord>, Result<(), String>) {
    let mut records = Vec::new();
    let progress = Progress { bytes: input.to_vec(), at_once };
    let result = for_each_user_record(&[], Data::Optional, &progress, |input| {
        records.push(OwnedRecord::from(input.record));
        Ok(())
    });
    (records, ended(result))
}

/// Events are the same however they come in, are what serde_json's own values say, and can be written and read again.
fn events(input: &[u8]) {
    let (records, end) = read_events(input, usize::MAX);
    assert_eq!(read_events(input, 3), (records.clone(), end), "by threes");

    let lines = input.strip_prefix("\u{feff}".as_bytes()).unwrap_or(input);
    let lines = lines.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    for (record, line) in records.iter().zip(lines) {
        // What is not looked at may be more than a value can hold.
        if let Ok(line) = serde_json::from_slice(line.trim_ascii()) {
            assert_eq!(*record, event(&line), "{line}");
        }
    }

    let line = |record: &OwnedRecord| {
        let OwnedRecord { partition_key, explicit_hash_key, data, tags } = record;
        let data = BASE64.encode(data);
        json!({"partitionKey": partition_key, "explicitHashKey": explicit_hash_key, "data": data, "tags": tags})
            .to_string()
    };
    let written: Vec<String> = records.iter().map(line).collect();
    assert_eq!(read_events(written.join("\n").as_bytes(), usize::MAX), (records, Ok(())), "written again");
}

/// The user record of a line that was read.
fn event(line: &Value) -> OwnedRecord {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let data = line["data"].as_str().map(|data| BASE64.decode(data.as_bytes()).unwrap());
    OwnedRecord {
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

/// Payloads are the same however they come in, and what is told from the input might have been said.
fn payloads(input: &[u8]) {
    let told = read_payloads(input, InputForm::Auto, usize::MAX);
    assert_eq!(read_payloads(input, InputForm::Auto, 3), told, "by threes");
    let forms = [InputForm::Raw, InputForm::Hex, InputForm::Base64, InputForm::Json];
    let said = forms.map(|form| read_payloads(input, form, usize::MAX));
    let nothing = told == (Vec::new(), Ok(()));
    assert!(nothing || said.contains(&told), "{told:?}");
}

/// Values on a line each, over many lines, and behind each other hold the same payloads: those that a walk finds.
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
        ("on one line, but for the end", all_but_the_end),
        ("over lines", join(|value| format!("{value:#}"), "\n")),
        ("over lines, behind each other", join(|value| format!("{value:#}"), " ")),
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

/// A record under whatever names. What comes later in the alphabet is read later, and counts.
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

/// A listing makes a map or a failure.
fn listing(input: &[u8]) {
    // Without these there is nothing in it, and files are slow.
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
