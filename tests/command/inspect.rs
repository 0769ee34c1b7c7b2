//! `kinesis-agg inspect`: the report for people, the JSON lines for programs, and misplaced user records.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::support::{
    AWS_EVENTS, EVENTS_JSONL, Folder, RECORDS, SHARDS, SMALLEST, base64, command, decode_hex, finish,
    hash_key, in_thousands, owner, run, values,
};

const VECTORS: &[u8] = include_bytes!("../vectors/decode.jsonl");

/// User records with control sequences in their keys, tags and data.
const HOSTILE: &[u8] = br#"{"partitionKey": "\u001b[31mred\u001b[2J\u0007\r\n\u009b2J\u202e\u2066\u0000", "text": "\u001b[2J"}
{"partitionKey": "\u001b]0;title\u0007", "explicitHashKey": "0", "text": "", "tags": [["\u001b[2J", "\u001b[2J"]]}
{"partitionKey": "\u001b]0;title\u0007", "text": "\u001b[2J"}
"#;

// JSON lines.

#[test]
fn json_lines_are_exact() {
    let none = "f3899ac20a0161120131e7171402d67a51492f71e440a541ce6c\nf3899ac2\n";
    let outcome = run("inspect --json tests/data/get-records.json - tests/data/kpl.bin", none.as_bytes());
    let expected = r#"{"record":0,"file":"tests/data/get-records.json","kind":"aggregated","sequenceNumber":"49657890134251672935812407361829374650182936471029384706","approximateArrivalTimestamp":1732350000.123,"partitionKey":"a","bytes":495,"userRecords":4,"partitionKeys":4,"explicitHashKeys":4,"dataBytes":128,"overheadBytes":367}
{"record":1,"file":"tests/data/get-records.json","kind":"aggregated","sequenceNumber":"49657890134251672935812407361829375859108756085658559413","approximateArrivalTimestamp":1732350001.0,"partitionKey":"42","bytes":94,"userRecords":5,"partitionKeys":4,"explicitHashKeys":0,"dataBytes":29,"overheadBytes":65}
{"record":2,"file":"tests/data/get-records.json","kind":"plain","reason":"no_magic","sequenceNumber":"49657890134251672935812407361829377068034575700287734120","approximateArrivalTimestamp":"2024-11-23T08:20:01.456000+00:00","partitionKey":"truck-007","bytes":22,"userRecords":1,"partitionKeys":0,"explicitHashKeys":0,"dataBytes":22,"overheadBytes":0}
{"record":3,"file":"tests/data/get-records.json","kind":"plain","reason":"digest_mismatch","cause":"changed","sequenceNumber":"49657890134251672935812407361829378276960395314916908827","approximateArrivalTimestamp":"2024-11-23T09:20:02.789000+01:00","partitionKey":"a","bytes":30,"userRecords":1,"partitionKeys":0,"explicitHashKeys":0,"dataBytes":30,"overheadBytes":0}
{"record":4,"file":"tests/data/get-records.json","kind":"plain","reason":"malformed","offset":17,"sequenceNumber":"49657890134251672935812407361829379485886214929546083534","approximateArrivalTimestamp":1732350003.5,"partitionKey":"a","bytes":44,"userRecords":1,"partitionKeys":0,"explicitHashKeys":0,"dataBytes":44,"overheadBytes":0}
{"record":5,"file":"tests/data/get-records.json","kind":"plain","reason":"no_magic","sequenceNumber":"49657890134251672935812407361829380694812034544175258241","approximateArrivalTimestamp":"2024-11-23T08:20:04+00:00","partitionKey":"冷蔵庫-3","bytes":45,"userRecords":1,"partitionKeys":0,"explicitHashKeys":0,"dataBytes":45,"overheadBytes":0}
{"record":6,"file":"standard input","kind":"aggregated","bytes":26,"userRecords":0,"partitionKeys":1,"explicitHashKeys":1,"dataBytes":0,"overheadBytes":26}
{"record":7,"file":"standard input","kind":"plain","reason":"too_short","cause":"cut_short","bytes":4,"userRecords":1,"partitionKeys":0,"explicitHashKeys":0,"dataBytes":4,"overheadBytes":0}
{"record":8,"file":"tests/data/kpl.bin","kind":"aggregated","bytes":495,"userRecords":4,"partitionKeys":4,"explicitHashKeys":4,"dataBytes":128,"overheadBytes":367}
"#;
    assert_eq!(outcome.clean("lines").text(), expected);
}

#[test]
fn counts_add_up() {
    let aggregated = run("aggregate --max-bytes 51200", EVENTS_JSONL).warned("aggregated");
    let lines = run("inspect --json", &aggregated.stdout).clean("lines").values();
    let entries = aggregated.entries();
    assert_eq!(lines.len(), entries.len());
    let sum = |member: &str| lines.iter().filter_map(|line| line[member].as_u64()).sum::<u64>();
    assert_eq!(usize::try_from(sum("userRecords")), Ok(RECORDS.len()));
    assert_eq!(usize::try_from(sum("dataBytes")), Ok(RECORDS.iter().map(|record| record.data.len()).sum()));
    for (line, entry) in lines.iter().zip(&entries) {
        assert_eq!(line["bytes"], entry.data.len(), "{line}");
        let [data, overhead, bytes] =
            ["dataBytes", "overheadBytes", "bytes"].map(|name| line[name].as_u64().unwrap());
        assert_eq!(data + overhead, bytes, "{line}");
    }
}

// The report.

#[test]
fn the_report_on_an_aggregate() {
    let aggregated = run("aggregate", EVENTS_JSONL).warned("aggregated");
    let report = run("inspect", &aggregated.stdout).clean("report");
    let bytes = aggregated.entries()[0].data.len();
    let data: usize = RECORDS.iter().map(|record| record.data.len()).sum();
    let mut uses = BTreeMap::new();
    for record in RECORDS.iter() {
        *uses.entry(&*record.partition_key).or_insert(0) += 1;
    }
    let most_used = uses.iter().max_by_key(|(_, uses)| **uses).unwrap();
    let largest = RECORDS.iter().max_by_key(|record| record.data.len()).unwrap();
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
    // Each histogram counts everything.
    for (title, total) in
        [("size of user records", RECORDS.len()), ("user records per partition key", uses.len())]
    {
        let rows = report.text().lines().skip_while(|line| !line.contains(title)).skip(1);
        let counts = rows
            .take_while(|line| !line.is_empty())
            .map(|line| line.split_whitespace().last().unwrap().replace(',', "").parse::<usize>().unwrap());
        assert_eq!(counts.sum::<usize>(), total, "{title}");
    }
}

#[test]
fn the_report_on_each_payload() {
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
    let totals = report.text().split("\n\n").last().unwrap();
    for part in ["6 records", "2 aggregated", "4 plain (2 damaged)", "13 user records", "730 bytes"] {
        assert!(totals.contains(part), "{part:?} is not in {totals}");
    }
}

#[test]
fn events_are_inspected() {
    for (name, event, _) in AWS_EVENTS {
        let folder = Folder::new(&[("event.json", event.as_bytes())]);
        let kinds = folder.run("inspect --json event.json", b"").clean(name).values();
        let counts = |kind: &str| kinds.iter().filter(|line| line["kind"] == kind).count();
        assert_eq!((counts("aggregated"), counts("plain")), (8, 10), "{name}");
        let users: u64 = kinds.iter().map(|line| line["userRecords"].as_u64().unwrap()).sum();
        assert_eq!(users, 94, "{name}");
        let report = folder.run("inspect event.json", b"").clean(name);
        let totals = "18 records: 8 aggregated, 10 plain (7 damaged); 94 user records";
        assert!(report.text().contains(totals), "{name}: {}", report.text());
    }
}

/// Checks all malformed payloads of the vectors.
#[test]
fn the_byte_at_the_offset_is_marked() {
    let vectors = values(VECTORS);
    let malformed: Vec<_> =
        vectors.iter().filter(|vector| vector["expect"]["plain"] == "malformed").collect();
    assert!(malformed.len() > 20, "malformed payloads in the vectors");
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
fn top_sets_how_many_are_shown() {
    let aggregated = run("aggregate", EVENTS_JSONL).warned("aggregated");
    for top in [0, 1, 5, 20] {
        let name = format!("--top {top}");
        let report = run(&format!("inspect {name}"), &aggregated.stdout).clean(&name);
        let largest = report.text().lines().skip_while(|line| !line.contains("largest user records")).skip(1);
        let rows = largest.take_while(|line| !line.is_empty());
        assert_eq!(rows.filter(|row| !row.contains("explicit hash key")).count(), top, "{name}");
    }
}

// Terminals.

/// Removes the color sequences that the command itself writes.
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

/// Keys and data come from producers that the user may not control.
#[test]
fn control_characters_do_not_reach_the_terminal() {
    // Malformed because of the last field, which has the number 0.
    let body = b"\x0a\x0c\x1b[31m\x1b[2J\x07\x0d\x0a\x00".as_slice();
    let malformed = [b"\xf3\x89\x9a\xc2", body, &*md5::compute(body)].concat();
    let aggregated = run("aggregate", HOSTILE).warned("aggregated");
    let cases: [(&str, &[u8]); 4] = [
        ("keys", &aggregated.stdout),
        ("plain text", b"\x1b[31mhello\x1b]0;title\x07\xc2\x9b2J\xe2\x80\xae"),
        ("plain bytes", b"\x1b[31mhello\x1b]0;title\x07\xff"),
        ("malformed", &malformed),
    ];
    for (name, input) in cases {
        for forced in [false, true] {
            let mut inspect = command("inspect");
            if forced {
                // As on a terminal, where color sequences are not filtered out.
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
    // The key is still recognizable.
    let report = run("inspect", &aggregated.stdout).clean("keys");
    assert!(report.text().contains("[31mred"), "{}", report.text());
}

#[test]
fn control_characters_in_file_names_are_escaped() {
    let folder = Folder::new(&[("esc\u{1b}[31mape", b"00")]);
    let outcome =
        finish(command("inspect").arg("esc\u{1b}[31mape").current_dir(folder.path()).spawn().unwrap(), b"");
    assert!(outcome.text().contains("esc\\u{1b}[31mape"), "{}", outcome.text());
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

// Shards.

#[test]
fn user_records_outside_the_shard_are_found() {
    let mixed = run("aggregate", EVENTS_JSONL).warned("aggregated").stdout;
    let first = owner(hash_key(&RECORDS[0]));
    let outside = RECORDS.iter().filter(|record| owner(hash_key(record)) != first).count();
    let lines = run(&format!("inspect --json {SHARDS}"), &mixed).clean("json").values();
    assert_eq!(
        (&lines[0]["shardId"], &lines[0]["outsideShard"]),
        (&Value::from(first), &Value::from(outside))
    );
    let report = run(&format!("inspect {SHARDS}"), &mixed).clean("report");
    assert!(report.text().contains(&format!("are outside shard {first}")), "{}", report.text());
    assert!(report.text().contains("belongs to shardId-000000000002"), "{}", report.text());

    let routed = run(&format!("aggregate {SHARDS}"), EVENTS_JSONL).clean("routed").stdout;
    for line in run(&format!("inspect --json {SHARDS}"), &routed).clean("json").values() {
        assert_eq!(line["outsideShard"], 0);
    }
    // The input may name a closed shard.
    let text = String::from_utf8(routed).unwrap().replace("shardId-000000000006", "shardId-000000000003");
    let lines = run(&format!("inspect --json {SHARDS}"), text.as_bytes()).clean("closed").values();
    assert!(lines.iter().any(|line| line["shardId"] == "shardId-000000000003" && line["outsideShard"] != 0));
}

/// The input comes first, then the command line, then the explicit hash key of the Kinesis record.
#[test]
fn the_shard_comes_from_the_best_source() {
    let user = b"{\"partitionKey\": \"a\", \"explicitHashKey\": \"5\", \"text\": \"x\"}";
    let data = run("aggregate", user).clean("aggregated").entries().remove(0).data;
    let data = base64(&data);
    let (home, other) = ("shardId-000000000002", "shardId-000000000005");
    let max = u128::MAX;
    for (name, options, members, shard, outside, assumed) in [
        ("the first user record", "", String::new(), home, 0, true),
        ("the command line", "--shard-id shardId-000000000005", String::new(), other, 1, false),
        ("the explicit hash key", "", format!(", \"ExplicitHashKey\": \"{max}\""), other, 1, false),
        (
            "the input",
            "--shard-id shardId-000000000005",
            format!(", \"ShardId\": \"{home}\""),
            home,
            0,
            false,
        ),
    ] {
        let input = format!("{{\"Data\": \"{data}\", \"PartitionKey\": \"a\"{members}}}");
        let line =
            &run(&format!("inspect --json {SHARDS} {options}"), input.as_bytes()).clean(name).values()[0];
        assert_eq!(line["shardId"], shard, "{name}");
        assert_eq!(line["outsideShard"], outside, "{name}");
        assert_eq!(line["shardAssumed"], assumed, "{name}");
        let report = run(&format!("inspect {SHARDS} {options}"), input.as_bytes()).clean(name);
        assert_eq!(report.text().contains("assumed"), assumed, "{name}");
    }
}

/// Lambda names the shard in the event ID, the others in a member.
#[test]
fn events_name_the_shard() {
    let shards = json!({"Shards": [
        {"ShardId": "shardId-000000000005", "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "9"}, "SequenceNumberRange": {"StartingSequenceNumber": "1"}},
        {"ShardId": "shardId-000000000006", "HashKeyRange": {"StartingHashKey": "10", "EndingHashKey": (u128::MAX).to_string()}, "SequenceNumberRange": {"StartingSequenceNumber": "1"}},
    ]});
    let folder = Folder::new(&[("shards.json", shards.to_string().as_bytes())]);
    for record in [
        json!({"kinesis": {"data": SMALLEST}, "eventID": "shardId-000000000005:7"}),
        json!({"recordId": "1", "data": SMALLEST, "kinesisRecordMetadata": {"shardId": "shardId-000000000005"}}),
    ] {
        let outcome =
            folder.run("inspect --json --shards shards.json -", record.to_string().as_bytes()).clean("shard");
        let line = &outcome.values()[0];
        assert_eq!(line["shardId"], "shardId-000000000005", "{record}");
        assert_eq!((&line["shardAssumed"], &line["outsideShard"]), (&json!(false), &json!(1)), "{record}");
    }
}
