//! `kinesis-agg inspect`: a line per payload for programs, a report for people.

use std::collections::BTreeMap;

use super::support::{EVENTS, EVENTS_JSONL, Folder, command, decode_hex, finish, run, values};

const VECTORS: &[u8] = include_bytes!("../vectors/decode.jsonl");

/// User records whose keys and data would do something to a terminal, and one with an outer key of that kind.
const HOSTILE: &[u8] = br#"{"partitionKey": "\u001b[31mred\u001b[2J\u0007\r\n\u009b2J\u202e\u2066\u0000", "text": "\u001b[2J"}
{"partitionKey": "\u001b]0;title\u0007", "explicitHashKey": "0", "text": "", "tags": [["\u001b[2J", "\u001b[2J"]]}
{"partitionKey": "\u001b]0;title\u0007", "text": "\u001b[2J"}
"#;

#[test]
fn lines_for_programs_to_the_letter() {
    let none = "f3899ac20a0161120131e7171402d67a51492f71e440a541ce6c\nf3899ac2\n";
    let outcome = run("inspect --json tests/data/get-records.json - tests/data/kpl.bin", none.as_bytes());
    let expected = r#"{"record":0,"kind":"aggregated","bytes":495,"userRecords":4,"partitionKeys":4,"explicitHashKeys":4,"dataBytes":128,"overheadBytes":367}
{"record":1,"kind":"aggregated","bytes":94,"userRecords":5,"partitionKeys":4,"explicitHashKeys":0,"dataBytes":29,"overheadBytes":65}
{"record":2,"kind":"plain","reason":"no_magic","bytes":22,"userRecords":1,"partitionKeys":0,"explicitHashKeys":0,"dataBytes":22,"overheadBytes":0}
{"record":3,"kind":"plain","reason":"digest_mismatch","bytes":30,"userRecords":1,"partitionKeys":0,"explicitHashKeys":0,"dataBytes":30,"overheadBytes":0}
{"record":4,"kind":"plain","reason":"malformed","offset":17,"bytes":44,"userRecords":1,"partitionKeys":0,"explicitHashKeys":0,"dataBytes":44,"overheadBytes":0}
{"record":5,"kind":"plain","reason":"no_magic","bytes":45,"userRecords":1,"partitionKeys":0,"explicitHashKeys":0,"dataBytes":45,"overheadBytes":0}
{"record":6,"kind":"aggregated","bytes":26,"userRecords":0,"partitionKeys":1,"explicitHashKeys":1,"dataBytes":0,"overheadBytes":26}
{"record":7,"kind":"plain","reason":"too_short","bytes":4,"userRecords":1,"partitionKeys":0,"explicitHashKeys":0,"dataBytes":4,"overheadBytes":0}
{"record":8,"kind":"aggregated","bytes":495,"userRecords":4,"partitionKeys":4,"explicitHashKeys":4,"dataBytes":128,"overheadBytes":367}
"#;
    assert_eq!(outcome.clean("lines").text(), expected);
}

#[test]
fn numbers_add_up() {
    let packed = run("aggregate --max-bytes 51200", EVENTS_JSONL).warned("packed");
    let lines = run("inspect --json", &packed.stdout).clean("lines").values();
    let entries = packed.entries();
    assert_eq!(lines.len(), entries.len());
    let sum = |member: &str| lines.iter().filter_map(|line| line[member].as_u64()).sum::<u64>();
    assert_eq!(usize::try_from(sum("userRecords")), Ok(EVENTS.len()));
    assert_eq!(usize::try_from(sum("dataBytes")), Ok(EVENTS.iter().map(|event| event.data.len()).sum()));
    for (line, entry) in lines.iter().zip(&entries) {
        assert_eq!(line["bytes"], entry.data.len(), "{line}");
        assert_eq!(sum_of(&line["dataBytes"], &line["overheadBytes"]), line["bytes"].as_u64(), "{line}");
    }
}

fn sum_of(a: &serde_json::Value, b: &serde_json::Value) -> Option<u64> {
    a.as_u64()?.checked_add(b.as_u64()?)
}

#[test]
fn an_aggregate_for_people() {
    let packed = run("aggregate", EVENTS_JSONL).warned("packed");
    let report = run("inspect", &packed.stdout).clean("report");
    let bytes = packed.entries()[0].data.len();
    let data: usize = EVENTS.iter().map(|event| event.data.len()).sum();
    let mut uses = BTreeMap::new();
    for event in EVENTS.iter() {
        *uses.entry(&*event.partition_key).or_insert(0) += 1;
    }
    let most_used = uses.iter().max_by_key(|(_, uses)| **uses).unwrap();
    let largest = EVENTS.iter().max_by_key(|event| event.data.len()).unwrap();
    let in_thousands = |number: usize| format!("{},{:03}", number / 1000, number % 1000);
    for part in [
        "record 0",
        "aggregated",
        "3,000 user records",
        &in_thousands(bytes),
        &in_thousands(data),
        &in_thousands(bytes - data),
        &format!("{} partition keys", uses.len()),
        "21 explicit hash keys",
        most_used.0,
        &most_used.1.to_string(),
        &largest.partition_key,
        &in_thousands(largest.data.len()),
    ] {
        assert!(report.text().contains(part), "{part:?} is not in\n{}", report.text());
    }
    // Each histogram counts all there is.
    for (title, total) in
        [("sizes of user records", EVENTS.len()), ("user records of a partition key", uses.len())]
    {
        let rows = report.text().lines().skip_while(|line| !line.contains(title)).skip(1);
        let counts = rows
            .take_while(|line| !line.is_empty())
            .map(|line| line.split_whitespace().last().unwrap().replace(',', "").parse::<usize>().unwrap());
        assert_eq!(counts.sum::<usize>(), total, "{title}");
    }
}

#[test]
fn each_payload_for_people() {
    let report = run("inspect tests/data/get-records.json", b"").clean("report");
    let blocks: Vec<&str> =
        report.text().split("\n\n").filter(|block| block.starts_with("record ")).collect();
    let parts: [&[&str]; 6] = [
        &[
            "aggregated",
            "4 user records",
            "495 bytes",
            "128",
            "367",
            "4 partition keys",
            "4 explicit hash keys",
        ],
        &["aggregated", "5 user records", "94 bytes", "29", "65", "4 partition keys", "0 explicit hash keys"],
        &["plain", "22 bytes", "no_magic", "dépôt gate 7 opened"],
        &["plain", "30 bytes", "digest_mismatch"],
        &["plain", "44 bytes", "malformed", "partition key index out of range", "byte 17 "],
        &["plain", "45 bytes", "no_magic", "東京"],
    ];
    assert_eq!(blocks.len(), parts.len(), "{}", report.text());
    for (number, (block, parts)) in blocks.iter().zip(parts).enumerate() {
        assert!(block.starts_with(&format!("record {number} of tests/data/get-records.json")), "{block}");
        for part in parts {
            assert!(block.contains(part), "{part:?} is not in\n{block}");
        }
    }
    for part in ["6 records", "2 aggregated", "4 plain", "13 user records", "730 bytes"] {
        assert!(report.text().lines().last().unwrap().contains(part), "{part:?} is not in the summary");
    }
}

/// The faults of all malformed payloads there are: the byte marked is the one at the offset.
#[test]
fn the_byte_with_the_fault_is_marked() {
    let vectors = values(VECTORS);
    let malformed: Vec<_> =
        vectors.iter().filter(|vector| vector["expect"]["plain"] == "malformed").collect();
    assert!(malformed.len() > 20, "the vectors have many");
    for vector in malformed {
        let name = vector["name"].as_str().unwrap();
        let payload = vector["payload"].as_str().unwrap();
        let line = run("inspect --json --input hex", payload.as_bytes()).clean(name).values().remove(0);
        assert_eq!(line["reason"], "malformed", "{name}");
        let offset = usize::try_from(line["offset"].as_u64().unwrap()).unwrap();

        let report = run("inspect --input hex", payload.as_bytes()).clean(name);
        assert!(report.text().contains(&format!("at byte {offset} ")), "{name}:\n{}", report.text());
        let lines: Vec<&str> = report.text().lines().collect();
        let mark = lines.iter().position(|line| line.trim() == "^^").unwrap();
        let column = lines[mark].find("^^").unwrap();
        let row = lines[mark - 1];
        assert!(row.trim_start().starts_with(&format!("{:08x} ", offset / 16 * 16)), "{name}: {row}");
        let byte = decode_hex(payload)[offset];
        assert_eq!(row[column..column + 2], format!("{byte:02x}"), "{name}:\n{}", report.text());
    }
}

#[test]
fn how_many_are_shown_can_be_said() {
    let packed = run("aggregate", EVENTS_JSONL).warned("packed");
    for top in [1, 5, 20] {
        let name = format!("--top {top}");
        let report = run(&format!("inspect {name}"), &packed.stdout).clean(&name);
        let largest = report.text().lines().skip_while(|line| !line.contains("largest user records")).skip(1);
        assert_eq!(largest.take_while(|line| !line.is_empty()).count(), top, "{name}");
    }
}

/// Removes what the command itself colors with.
fn without_colors(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('m') {
            Some((numbers, rest)) if numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b';') => {
                plain.push_str(rest);
            }
            _ => plain.extend(["\x1b[", part]),
        }
    }
    plain
}

/// Keys and data come from producers that one does not control, and a report ends up in a terminal.
#[test]
fn nothing_reaches_the_terminal_that_it_would_obey() {
    // The last field, of number 0, is the fault.
    let body = b"\x0a\x0c\x1b[31m\x1b[2J\x07\x0d\x0a\x00".as_slice();
    let malformed = [b"\xf3\x89\x9a\xc2", body, &*md5::compute(body)].concat();
    let packed = run("aggregate", HOSTILE).warned("packed");
    let cases: [(&str, &[u8]); 4] = [
        ("keys", &packed.stdout),
        ("plain text", b"\x1b[31mhello\x1b]0;title\x07\xc2\x9b2J\xe2\x80\xae"),
        ("plain bytes", b"\x1b[31mhello\x1b]0;title\x07\xff"),
        ("malformed", &malformed),
    ];
    for (name, input) in cases {
        for forced in [false, true] {
            let mut inspect = command("inspect");
            if forced {
                // As on a terminal: nothing is filtered out on the way.
                inspect.env("CLICOLOR_FORCE", "1");
            }
            let report = finish(inspect.spawn().unwrap(), input).clean(name);
            let text = if forced { without_colors(report.text()) } else { report.text().to_owned() };
            assert!(text.contains("record 0"), "{name}: {text:?}");
            assert_eq!(text.contains("malformed"), name == "malformed", "{name}: {text:?}");
            let harmful = |c: &char| {
                c.is_control() && *c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert_eq!(text.chars().find(harmful), None, "{name}, colors {forced}: {text:?}");
        }
    }
    // The key is still to be recognized.
    let report = run("inspect", &packed.stdout).clean("keys");
    assert!(report.text().contains("[31mred"), "{}", report.text());
}

#[test]
fn no_colors_without_a_terminal() {
    let folder = Folder::new(&[("bad", b"{}")]);
    for line in [
        "inspect tests/data/get-records.json",
        "inspect --json tests/data/get-records.json",
        "verify tests/data/events.jsonl",
        "aggregate tests/data/events.jsonl",
        "deaggregate tests/data/get-records.json",
        "aggregate missing",
        "aggregate --flag",
        "--help",
        "help inspect",
    ] {
        let outcome = run(line, b"");
        assert!(!outcome.stdout.contains(&0x1b), "{line}");
        assert!(!outcome.stderr.contains('\x1b'), "{line}: {:?}", outcome.stderr);
    }
    assert!(!folder.run("inspect bad", b"").failed("bad", &["bad:1: "]).stderr.contains('\x1b'));
}
