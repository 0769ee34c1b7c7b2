//! What goes in comes out again: `aggregate` and `deaggregate`, joined by a pipe.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::support::{EVENTS, EVENTS_JSONL, Event, Folder, KPL_BIN, pipe, run};

/// Compares one by one: what differs is shown, not three thousand user records.
#[track_caller]
fn assert_same(name: &str, events: &[Event], expected: &[Event]) {
    for (number, (event, expected)) in events.iter().zip(expected).enumerate() {
        assert_eq!(event, expected, "{name}: user record {number}");
    }
    assert_eq!(events.len(), expected.len(), "{name}");
}

/// Holds that lines count the Kinesis records from 0, and the user records in each.
#[track_caller]
fn assert_counted(name: &str, lines: &[Value]) {
    assert_eq!(lines.first().map(|line| &line["record"]), Some(&json!(0)), "{name}");
    let (mut record, mut user_record) = (0u64, 0u64);
    for line in lines {
        if line["record"] != record {
            (record, user_record) = (record.wrapping_add(1), 0);
        }
        assert_eq!(line["record"], record, "{name}: {line}");
        assert_eq!(line["subSequenceNumber"], user_record, "{name}: {line}");
        assert_eq!(line["aggregated"], true, "{name}: {line}");
        assert_eq!(line.get("reason"), None, "{name}: {line}");
        user_record = user_record.wrapping_add(1);
    }
}

#[test]
fn every_user_record_comes_back_in_order() {
    let cases = [
        ("default", "aggregate", "deaggregate"),
        ("standard input by name", "aggregate -", "deaggregate -"),
        ("the form said", "aggregate --output entries", "deaggregate --input json"),
        ("small", "aggregate --max-bytes 51200", "deaggregate"),
        ("a hundred each", "aggregate --max-records 100", "deaggregate"),
        ("one each", "aggregate --max-records 1", "deaggregate"),
        ("streamed", "aggregate --order streamed", "deaggregate"),
        ("streamed, small", "aggregate --order streamed --max-bytes 8000", "deaggregate"),
        ("requests", "aggregate --output put-records --stream-name s", "deaggregate"),
        (
            "many requests",
            "aggregate --output put-records --stream-name s --max-records 2 --max-request-bytes 1048576",
            "deaggregate",
        ),
        ("raw", "aggregate --output raw", "deaggregate --input raw"),
        ("raw, streamed", "aggregate --output raw --order streamed", "deaggregate"),
    ];
    for (name, aggregate, deaggregate) in cases {
        let [packed, unpacked] = pipe(aggregate, deaggregate, EVENTS_JSONL);
        packed.warned(name);
        let unpacked = unpacked.clean(name);
        assert_counted(name, &unpacked.values());
        assert_same(name, &unpacked.events(), &EVENTS);
    }
}

#[test]
fn the_first_hundred_come_back_from_one_raw_aggregate() {
    let input: Vec<&[u8]> = EVENTS_JSONL.split_inclusive(|&byte| byte == b'\n').take(100).collect();
    for form in ["raw", "auto"] {
        let deaggregate = format!("deaggregate --input {form}");
        let [packed, unpacked] = pipe("aggregate --output raw", &deaggregate, &input.concat());
        packed.warned(form);
        assert_same(form, &unpacked.clean(form).events(), &EVENTS[..100]);
    }
}

#[test]
fn grouped_by_partition_key_the_order_holds_within_a_key() {
    // User records with a partition key in common and different explicit hash keys belong to different shards.
    let keys = |event: &Event| (event.partition_key.clone(), event.explicit_hash_key.clone());
    let distinct: BTreeSet<_> = EVENTS.iter().map(keys).collect();
    let by_key = |events: &[Event]| {
        let mut sorted = events.to_vec();
        sorted.sort_by_key(keys);
        sorted
    };
    for options in ["", "--max-bytes 8000", "--order streamed", "--max-records 7"] {
        let aggregate = format!("aggregate --group partition-key {options}");
        let [packed, unpacked] = pipe(&aggregate, "deaggregate", EVENTS_JSONL);
        packed.clean(options);
        let unpacked = unpacked.clean(options);
        let lines = unpacked.values();
        assert_counted(options, &lines);
        for pair in lines.windows(2) {
            if pair[0]["record"] == pair[1]["record"] {
                assert_eq!(pair[0]["partitionKey"], pair[1]["partitionKey"], "{options}: two keys in one");
            }
        }
        if options.is_empty() {
            assert_eq!(lines.last().unwrap()["record"], distinct.len() - 1, "a Kinesis record for each");
        }
        assert_same(options, &by_key(&unpacked.events()), &by_key(&EVENTS));
    }
}

#[test]
fn files_are_read_one_after_the_other() {
    let (first, rest) =
        EVENTS_JSONL.split_at(EVENTS_JSONL.iter().position(|&byte| byte == b'\n').unwrap() + 1);
    // A line that a file ends in the middle of ends there.
    let folder = Folder::new(&[("first", first.trim_ascii_end()), ("rest", rest), ("empty", b"")]);
    let cases = [
        ("two files", "aggregate first rest", &b""[..]),
        ("an empty one between", "aggregate first empty rest", b""),
        ("standard input in front", "aggregate - rest", first),
        ("standard input last", "aggregate first -", rest),
        ("standard input is empty", "aggregate first - rest", b""),
    ];
    for (name, aggregate, input) in cases {
        let packed = folder.run(aggregate, input).warned(name);
        assert_same(name, &run("deaggregate", &packed.stdout).clean(name).events(), &EVENTS);
    }
}

/// What `deaggregate` writes is what `aggregate` reads: `null` is as good as nothing, and what it does not know it
/// leaves alone.
#[test]
fn what_the_kpl_packed_is_packed_again_byte_for_byte() {
    let [unpacked, packed] = pipe("deaggregate tests/data/kpl.bin", "aggregate --output raw", b"");
    unpacked.clean("unpacking");
    assert_eq!(packed.warned("packing").stdout, KPL_BIN);
}

#[test]
fn tags_survive() {
    let lines = br#"{"partitionKey": "a", "text": "0", "tags": [["k", "v"], ["k", null], ["", ""]]}
        {"partitionKey": "a", "text": "1"}
        {"partitionKey": "a", "text": "2", "tags": [["\u00fc", "\u0000"]], "explicitHashKey": "0"}"#;
    for options in ["", "--order streamed", "--group partition-key", "--max-records 1"] {
        let [packed, unpacked] = pipe(&format!("aggregate {options}"), "deaggregate", lines);
        packed.clean(options);
        let unpacked = unpacked.clean(options);
        let events = unpacked.events();
        let tag = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        assert_eq!(events[0].tags, [tag("k", Some("v")), tag("k", None), tag("", Some(""))], "{options}");
        assert_eq!(unpacked.values()[1].get("tags"), None, "{options}: none are none");
        assert_eq!(events[2].tags, [tag("ü", Some("\0"))], "{options}");
    }
}
