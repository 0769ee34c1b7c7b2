//! `kinesis-agg inspect`: the report for people, the JSON lines for programs, and misplaced user records.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::support::{
    AWS_EVENTS, EVENTS_JSONL, Folder, Outcome, RECORDS, SHARDS, SMALLEST, base64, command, decode_hex,
    finish, hash_key, hex, in_thousands, owner, run, values,
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
    let report = wide("inspect tests/data/get-records.json", b"").clean("report");
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

/// The start of the data, and where each record is from.
#[test]
fn the_report_shows_data_and_sources() {
    let report = wide("inspect tests/data/get-records.json", b"").clean("report");
    for part in [
        "sequence   49657890134251672935812407361829374650182936471029384706\n",
        "arrived    1732350000.123\n",
        "arrived    2024-11-23T08:20:01.456000+00:00\n",
        "outer key  \"冷蔵庫-3\"\n",
        "#0  \"fc03dd88-3e79-448a-b01a-7cf1bd47b784\"  RECORD 22 peeobhczbzdmskboupgyq\\n\n",
        "explicit hash key 38486495867508399078159723846051807020\n",
        "{\"type\":\"reading\",\"temp\":4.5,\"town\":\"東京\"}\n",
    ] {
        assert!(report.text().contains(part), "{part:?} is not in\n{}", report.text());
    }
    let event = r#"{"kinesis": {"partitionKey": "k", "data": "/wD/"}, "eventID": "shardId-000000000003:9"}"#;
    let report = run("inspect", event.as_bytes()).clean("event");
    for part in ["shard      shardId-000000000003\n", "  hex ff00ff\n"] {
        assert!(report.text().contains(part), "{part:?} is not in\n{}", report.text());
    }
}

#[test]
fn numbers_of_one_are_singular() {
    let one = run("inspect", SMALLEST.as_bytes()).clean("one");
    for part in ["1 user record in 30 bytes", "data       1 byte\n", "1 partition key, 0 explicit hash keys"]
    {
        assert!(one.text().contains(part), "{part:?} is not in\n{}", one.text());
    }
    let summary = run("inspect --summary", SMALLEST.as_bytes()).clean("summary");
    assert!(summary.text().starts_with("1 record: 1 aggregated, 0 plain; 1 user record; 30 bytes"));
}

// Damage.

/// An aggregate with two user records, one of which has newlines.
fn whole() -> Vec<u8> {
    let lines = b"{\"partitionKey\": \"key-0\", \"text\": \"line\\nline\\n\"}\n{\"partitionKey\": \"key-1\", \"text\": \"x\"}\n";
    run("aggregate -q --output raw", lines).clean("aggregate").stdout
}

/// Each finding of `inspect` is in the report, and in the JSON line, and makes `--check` fail if it is damage.
#[test]
fn the_likely_cause_is_named() {
    let whole = whole();
    let end = whole.len();
    let flipped = |at: usize| {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        flipped
    };
    let converted =
        whole.iter().flat_map(|&byte| if byte == b'\n' { vec![b'\r', b'\n'] } else { vec![byte] });
    let utf8 = String::from_utf8_lossy(&whole).into_owned().into_bytes();
    let latin1: String = whole.iter().map(|&byte| char::from(byte)).collect();
    let ends = format!("ends before byte {end}");
    let cases: [(&str, Vec<u8>, &str, &str, &str); 15] = [
        ("cut", whole[..end - 20].to_vec(), "digest_mismatch", "cut_short", "cut short"),
        ("last byte missing", whole[..end - 1].to_vec(), "digest_mismatch", "cut_short", "at least 1 byte"),
        ("only the magic", whole[..4].to_vec(), "too_short", "cut_short", "cut short"),
        ("newline", [&*whole, b"\n"].concat(), "digest_mismatch", "newline_appended", &ends),
        ("bytes", [&*whole, b"more"].concat(), "digest_mismatch", "appended", "4 bytes follow"),
        ("two", [&*whole, &*whole].concat(), "digest_mismatch", "concatenated", "concatenated"),
        ("line endings", converted.collect(), "digest_mismatch", "line_endings", "0d 0a"),
        ("one bit", flipped(end - 20), "digest_mismatch", "changed", "some bytes were changed"),
        ("UTF-8", utf8, "no_magic", "decoded_as_utf8", "decoded as UTF-8"),
        ("Latin-1", latin1.into_bytes(), "no_magic", "decoded_as_latin1", "Latin-1"),
        ("base64", base64(&whole).into_bytes(), "no_magic", "base64_twice", "base64 twice"),
        ("hex", hex(&whole).into_bytes(), "no_magic", "hex", "in hex"),
        ("magic", flipped(1), "no_magic", "other_magic", "another magic"),
        ("no magic", whole[4..].to_vec(), "no_magic", "beginning_missing", "the first 4 bytes"),
        ("gzip", b"\x1f\x8b\x08\0\xff".to_vec(), "no_magic", "gzip", "compressed with gzip"),
    ];
    for (name, payload, reason, cause, part) in cases {
        // As an entry, so that nothing has to be detected.
        let entry = format!("{{\"Data\": \"{}\", \"SequenceNumber\": \"5\"}}", base64(&payload));
        let line = run("inspect -q --json", entry.as_bytes()).clean(name).values().remove(0);
        assert_eq!((&line["reason"], &line["cause"]), (&json!(reason), &json!(cause)), "{name}");
        let report = run("inspect -q", entry.as_bytes()).clean(name);
        assert!(unwrapped(report.text()).contains(part), "{name}: {part:?} is not in\n{}", report.text());
        let only = run("inspect -q --only damaged", entry.as_bytes()).clean(name);
        let check = run("inspect --check", entry.as_bytes());
        if cause == "gzip" {
            assert_eq!((only.text(), check.status), ("", Some(0)), "{name}");
            continue;
        }
        assert_eq!(only.text(), report.text(), "{name}");
        check.failed(name, &["1 damaged payload"]);
        // `deaggregate` names it too, where it recognizes an aggregate.
        let outcome = run("deaggregate", entry.as_bytes());
        assert_eq!(outcome.stderr.contains("probably"), reason != "no_magic", "{name}: {}", outcome.stderr);
    }
}

#[test]
fn a_digest_mismatch_shows_both_digests_and_both_ends() {
    let lines = format!("{{\"partitionKey\": \"key\", \"text\": \"{}\"}}", "x".repeat(100));
    let whole = run("aggregate --output raw", lines.as_bytes()).clean("aggregate").stdout;
    let end = whole.len();
    let mut changed = whole.clone();
    changed[end - 17] = b'y';
    let report = run("inspect --input raw", &changed).clean("changed");
    let expected = hex(&*md5::compute(&changed[4..end - 16]));
    for part in [
        &*format!("expected   {expected}\n"),
        &format!("found      {}\n", hex(&whole[end - 16..])),
        "the first 32 bytes\n  00000000  f3 89 9a c2 ",
        &format!("the last 32 bytes\n  {:08x}  ", end - 32),
    ] {
        assert!(report.text().contains(part), "{part:?} is not in\n{}", report.text());
    }
    // With something appended, the byte at which it begins is marked.
    let report = run("inspect --input raw", &[&*whole, b"\n"].concat()).clean("appended");
    let lines: Vec<&str> = report.text().lines().collect();
    let mark = lines.iter().position(|line| line.trim() == "^^").unwrap();
    let column = lines[mark].find("^^").unwrap();
    assert_eq!(&lines[mark - 1][column..column + 2], "0a", "{}", report.text());
}

#[test]
fn compressed_and_nested_user_records_are_recognized() {
    let gzip = base64(b"\x1f\x8b\x08\0\0");
    let lines = format!(
        "{{\"partitionKey\": \"a\", \"data\": \"{gzip}\"}}
{{\"partitionKey\": \"a\", \"data\": \"{gzip}\"}}
{{\"partitionKey\": \"a\", \"data\": \"{SMALLEST}\"}}"
    );
    let aggregated = run("aggregate", lines.as_bytes()).clean("aggregate").stdout;
    let report = run("inspect", &aggregated).clean("report");
    for part in ["2 user records are compressed with gzip", "1 user record is an aggregate itself"] {
        assert!(report.text().contains(part), "{part:?} is not in\n{}", report.text());
    }
    let line = run("inspect --json --check", &aggregated).clean("json").values().remove(0);
    assert_eq!((&line["kind"], &line["cause"]), (&json!("aggregated"), &json!("gzip")));
}

// `--summary` and `--only`.

#[test]
fn a_summary_covers_all_payloads() {
    let files = "tests/data/kpl.bin tests/data/get-records.json tests/data/malformed.bin";
    let report = wide(&format!("inspect --summary {files}"), b"").clean("report");
    for part in [
        "8 records: 3 aggregated, 5 plain (3 damaged); 18 user records; ",
        // Those of `kpl.bin` are in the other file as well.
        "keys       11 partition keys, 4 explicit hash keys\n",
        "fill       8 PUT payload units of 25,000 bytes, ",
        "size of Kinesis records\n",
        "user records per partition key\n",
        "record 4 of tests/data/get-records.json:30, sequence number 49657890134251672935812407361829378276960395314916908827: \
         digest_mismatch, probably with some bytes changed\n",
        "record 7 of tests/data/malformed.bin: malformed\n",
    ] {
        assert!(report.text().contains(part), "{part:?} is not in\n{}", report.text());
    }
    let object = run(&format!("inspect --summary --json --top 1 {files}"), b"").clean("json").values();
    assert_eq!(object.len(), 1);
    for (member, value) in [
        ("records", json!(8)),
        ("aggregated", json!(3)),
        ("plain", json!(5)),
        ("damaged", json!(3)),
        ("unreadable", json!(0)),
        ("userRecords", json!(18)),
        ("partitionKeys", json!(11)),
        ("explicitHashKeys", json!(4)),
        ("putPayloadUnits", json!(8)),
        ("unusableHashKeys", json!(0)),
    ] {
        assert_eq!(object[0][member], value, "{member}");
    }
    assert_eq!(object[0]["outsideShard"], Value::Null, "without --shards");
    assert_eq!(object[0]["mostUsedPartitionKeys"].as_array().map(Vec::len), Some(1));
    let damaged: Vec<_> =
        object[0]["damagedRecords"].as_array().unwrap().iter().map(|one| &one["record"]).collect();
    assert_eq!(damaged, [4, 5, 7]);
    // Sums agree with the lines.
    let lines = run(&format!("inspect --json {files}"), b"").clean("lines").values();
    for member in ["bytes", "userRecords", "dataBytes", "overheadBytes"] {
        let sum: u64 = lines.iter().filter_map(|line| line[member].as_u64()).sum();
        assert_eq!(object[0][member], sum, "{member}");
    }
    let with_shards =
        run(&format!("inspect --summary --json {SHARDS} {files}"), b"").clean("shards").values();
    assert!(with_shards[0]["outsideShard"].is_u64());
}

#[test]
fn a_summary_lists_what_cannot_be_read() {
    let folder =
        Folder::new(&[("lines", format!("{{\"Data\": \"{SMALLEST}\"}}\n{{\"Data\": 7}}\n").as_bytes())]);
    let report = folder.run("inspect --summary lines", b"");
    assert_eq!(report.status, Some(1));
    for part in
        ["1 record: 1 aggregated", "1 line or value could not be read", "record 1 of lines:2: unreadable"]
    {
        assert!(report.text().contains(part), "{part:?} is not in\n{}", report.text());
    }
    assert!(report.stderr.contains("lines:2"), "{}", report.stderr);
    let object = folder.run("inspect --summary --json lines", b"").values().remove(0);
    assert_eq!(object["unreadable"], 1);
    assert_eq!(object["damagedRecords"], json!([{"record": 1, "file": "lines", "reason": "unreadable"}]));
}

#[test]
fn only_some_payloads_are_shown() {
    let file = "tests/data/get-records.json";
    let lines = run(&format!("inspect --json --only damaged {file}"), b"").clean("json").values();
    assert_eq!(lines.iter().map(|line| &line["record"]).collect::<Vec<_>>(), [3, 4]);
    let report = run(&format!("inspect --only damaged {file}"), b"").clean("report");
    assert_eq!(report.text().matches("\nrecord ").count(), 1, "and one at the beginning");
    assert!(report.text().contains("6 records: "), "the totals are of all\n{}", report.text());
    run(&format!("inspect --only damaged --check {file}"), b"").failed("check", &["2 damaged payloads"]);
    run("inspect --check tests/data/kpl.bin", b"").clean("nothing to find");
}

// The width of the output.

/// Runs the command with an output of 200 columns.
fn wide(line: &str, input: &[u8]) -> Outcome {
    finish(command(line).env("COLUMNS", "200").spawn().unwrap(), input)
}

/// Returns text without the line breaks that the width causes.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns how many columns a character takes: two for those of Chinese and Japanese, none for those that combine.
fn columns(text: &str) -> usize {
    let width = |c: char| match c {
        '\u{300}'..='\u{36f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{ff00}'..='\u{ff60}' => 2,
        _ => 1,
    };
    text.chars().map(width).sum()
}

#[test]
fn nothing_is_wider_than_the_output() {
    let long = format!(
        "{{\"partitionKey\": \"{}\", \"explicitHashKey\": \"{}\", \"text\": \"{}\"}}\n{{\"partitionKey\": \"{}\", \"text\": \"{}\"}}\n",
        "k".repeat(256),
        u128::MAX,
        "x".repeat(100_000),
        "東".repeat(200),
        "京\u{308}".repeat(500),
    );
    let long = run("aggregate -q", long.as_bytes()).clean("long").stdout;
    let events = run("aggregate -q", EVENTS_JSONL).clean("events").stdout;
    let hostile = run("aggregate -q", HOSTILE).clean("hostile").stdout;
    let folder =
        Folder::new(&[("a-file-with-a-rather-long-name-that-does-not-fit-into-a-line-of-48-columns", &long)]);
    let shards = format!("{}/tests/data/list-shards.json", env!("CARGO_MANIFEST_DIR"));
    let get_records =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/get-records.json")).unwrap();
    let metadata = format!(
        "{{\"Data\": \"{SMALLEST}\", \"PartitionKey\": \"{0}\", \"ExplicitHashKey\": \"{0}\", \"SequenceNumber\": \"{0}\", \
         \"ShardId\": \"{0}\", \"ApproximateArrivalTimestamp\": \"{0}\"}}",
        "m\u{e9}".repeat(300)
    );
    let inputs: [(&str, &[u8]); 6] = [
        ("long", &long),
        ("events", &events),
        ("hostile", &hostile),
        ("get-records", &get_records),
        ("events of AWS", AWS_EVENTS[0].1.as_bytes()),
        ("metadata", metadata.as_bytes()),
    ];
    for width in [48, 80, 200] {
        for options in
            [String::new(), format!("--shards {shards}"), "--summary".to_owned(), "--top 50".to_owned()]
        {
            for (name, input) in inputs {
                for color in ["", "--color always"] {
                    let line = format!("inspect {options} {color}");
                    let outcome =
                        finish(command(&line).env("COLUMNS", width.to_string()).spawn().unwrap(), input);
                    let text = without_colors(outcome.clean(name).text());
                    for line in text.lines() {
                        assert!(
                            columns(line) <= width,
                            "{name} {options} in {width}: {}: {line}",
                            columns(line)
                        );
                    }
                    // There is no need to break lines of 80 columns into those of 48.
                    assert!(
                        width == 48 || text.lines().any(|line| columns(line) > 48),
                        "{name}, {width}:\n{text}"
                    );
                }
            }
        }
    }
    let name = "a-file-with-a-rather-long-name-that-does-not-fit-into-a-line-of-48-columns";
    let outcome = finish(
        command(&format!("inspect {name}")).current_dir(folder.path()).env("COLUMNS", "48").spawn().unwrap(),
        b"",
    );
    assert!(outcome.text().lines().all(|line| columns(line) <= 48), "{}", outcome.text());
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

// Explicit hash keys that are not numbers.

/// An aggregate with two user records that have this explicit hash key, and one that may have none.
fn with_hash_key(hash_key: &[u8], third: bool) -> String {
    let length = u8::try_from(hash_key.len()).unwrap();
    let mut body = [b"\x0a\x04pk-1\x0a\x04pk-2\x12", &[length][..], hash_key].concat();
    body.extend_from_slice(b"\x1a\x09\x08\x00\x10\x00\x1a\x03one\x1a\x09\x08\x01\x10\x00\x1a\x03two");
    if third {
        body.extend_from_slice(b"\x1a\x09\x08\x00\x1a\x05three");
    }
    base64(&[b"\xf3\x89\x9a\xc2", &*body, &*md5::compute(&body)].concat())
}

/// JavaScript writes "undefined" if a producer forgets the key. Consumers built on the KCL lose such an aggregate.
#[test]
fn unusable_hash_keys_are_always_listed_and_counted() {
    let undefined = with_hash_key(b"undefined", false);
    let with_third = with_hash_key(b"undefined", true);
    for options in ["", SHARDS] {
        let report = wide(&format!("inspect {options}"), undefined.as_bytes()).clean(options);
        for part in [
            "2 user records have an explicit hash key that is not a number: consumers built on the KCL lose",
            "#0  \"pk-1\", explicit hash key \"undefined\"",
            "#1  \"pk-2\", explicit hash key \"undefined\"",
        ] {
            assert!(report.text().contains(part), "{options}: {part:?} is not in\n{}", report.text());
        }
        assert_eq!(report.text().contains("the shard is not known"), options == SHARDS, "{}", report.text());
        let check = run(&format!("inspect --check {options}"), undefined.as_bytes());
        check.failed(options, &["2 user records with an unusable hash key"]);
        let summary = run(&format!("inspect --summary {options}"), undefined.as_bytes()).clean(options);
        assert!(summary.text().contains("2 user records have an explicit hash key"), "{}", summary.text());
    }
    let json = |options: &str, payload: &str| {
        run(&format!("inspect --json {options}"), payload.as_bytes()).clean(options).values().remove(0)
    };
    let line = json("", &undefined);
    assert_eq!((&line["unusableHashKeys"], line.get("outsideShard")), (&json!(2), None));
    assert_eq!(json("", SMALLEST).get("unusableHashKeys"), None, "only where there are any");
    let line = json(SHARDS, &undefined);
    assert_eq!(
        (&line["shardId"], &line["shardAssumed"], &line["outsideShard"]),
        (&Value::Null, &json!(false), &json!(2))
    );
    assert!(line.as_object().unwrap().contains_key("shardId"));
    // The first usable hash key tells, although it is not the first.
    let line = json(SHARDS, &with_third);
    let shard = owner(u128::from_be_bytes(md5::compute("pk-1").0));
    assert_eq!(
        (&line["shardId"], &line["shardAssumed"], &line["outsideShard"]),
        (&json!(shard), &json!(true), &json!(2))
    );
    let misplaced = run(
        &format!("inspect --json --only misplaced {SHARDS} -"),
        format!("{SMALLEST}\n{undefined}\n{with_third}").as_bytes(),
    );
    assert_eq!(misplaced.clean("misplaced").values().len(), 2);
    run(&format!("inspect --check {SHARDS}"), with_third.as_bytes())
        .failed("check", &["2 misplaced user records", "2 user records with an unusable hash key"]);
}

/// Keys and names of shards come from producers and files that the user may not control.
#[test]
fn control_characters_in_hash_keys_and_shards_do_not_reach_the_terminal() {
    let event = format!(
        r#"{{"kinesis": {{"partitionKey": "\u001b[2J", "explicitHashKey": "\u009b2J", "sequenceNumber": "\u001b[31m",
            "approximateArrivalTimestamp": "\u001b[0m\u202e", "data": "{}"}}, "eventID": "\u001b]0;x\u0007:1"}}"#,
        with_hash_key(b"\x1b[2J\xc2\x9b2J", true)
    );
    let shards = include_str!("../data/list-shards.json").replace("shardId-", "\\u001b[31mshard\\u009b");
    let folder = Folder::new(&[("shards", shards.as_bytes())]);
    let harmful = |c: &char| c.is_control() && *c != '\n' || matches!(c, '\u{202a}'..='\u{202e}');
    for line in
        ["inspect -", "inspect --shards shards -", "inspect --summary -", "inspect --check --shards shards -"]
    {
        for color in ["never", "always"] {
            let outcome = folder.run(&format!("{line} --color {color}"), event.as_bytes());
            for text in [outcome.text(), &outcome.stderr] {
                let text = without_colors(text);
                assert_eq!(text.chars().find(harmful), None, "{line}, {color}: {text:?}");
            }
        }
    }
    // The same with characters as they are, where JSON allows it.
    let raw = event.replace("\\u009b", "\u{9b}").replace("\\u202e", "\u{202e}\u{7f}");
    let report = folder.run("inspect -", raw.as_bytes()).clean("raw");
    assert!(report.text().contains("aggregated"), "{}", report.text());
    assert_eq!(report.text().chars().find(harmful), None, "{:?}", report.text());
    for line in ["deaggregate", "deaggregate --hash-range 0-1", "cat -f %r", "inspect --json"] {
        let outcome = folder.run(&format!("{line} -"), event.as_bytes());
        let text = without_colors(&outcome.stderr);
        assert_eq!(text.chars().find(harmful), None, "{line}: {text:?}");
    }
}
