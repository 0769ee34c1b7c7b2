//! `route`, and what `--shards` and `--hash-range` do to the others.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic fails the test, as it should")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::support::{EVENTS, EVENTS_JSONL, Event, Folder, pipe, run};

const SHARDS: &str = "--shards tests/data/list-shards.json";

/// The open shards of `tests/data/list-shards.json`: 0 and 1 were split, and the inner halves merged.
const OPEN: [(&str, u128, u128); 3] = [
    ("shardId-000000000002", 0, (1 << 126) - 1),
    ("shardId-000000000006", 1 << 126, (3 << 126) - 1),
    ("shardId-000000000005", 3 << 126, u128::MAX),
];

fn hash_key(event: &Event) -> u128 {
    match &event.explicit_hash_key {
        Some(key) => key.parse().unwrap(),
        None => u128::from_be_bytes(md5::compute(&event.partition_key).0),
    }
}

fn owner(key: u128) -> &'static str {
    OPEN.iter().find(|(_, start, end)| (*start..=*end).contains(&key)).unwrap().0
}

#[test]
fn route_tells_hash_keys_and_shards() {
    let lines = run(&format!("route {SHARDS}"), EVENTS_JSONL).clean("route").values();
    assert_eq!(lines.len(), EVENTS.len());
    for (line, event) in lines.iter().zip(&*EVENTS) {
        let key = hash_key(event);
        assert_eq!(line["partitionKey"], event.partition_key);
        assert_eq!(line["hashKey"], key.to_string());
        assert_eq!(line["shardId"], owner(key));
        assert_eq!(line.as_object().unwrap().len(), 3);
    }
    assert_eq!(lines.iter().map(|line| line["shardId"].as_str()).collect::<BTreeSet<_>>().len(), OPEN.len());
}

#[test]
fn route_takes_little() {
    let input =
        b"{\"partitionKey\": \"a\", \"explicitHashKey\": \"340282366920938463463374607431768211455\"}\n";
    let with = run(&format!("route {SHARDS}"), input).clean("with shards");
    assert_eq!(
        with.text(),
        "{\"partitionKey\":\"a\",\"hashKey\":\"340282366920938463463374607431768211455\",\
         \"shardId\":\"shardId-000000000005\"}\n"
    );
    let without = run("route", input).clean("without");
    assert!(without.text().ends_with("\"shardId\":null}\n"), "{}", without.text());
    let bad = b"{\"partitionKey\": \"a\"}\n{\"partitionKey\": \"a\", \"explicitHashKey\": \"007\"}\n";
    let outcome = run("route", bad).failed("bad", &["standard input:2:", "leading zero"]);
    assert_eq!(outcome.values().len(), 1);
}

/// Every user record is where its hash key belongs, none is lost, and each partition key keeps its order.
#[test]
fn aggregate_packs_for_each_shard() {
    for options in
        ["", "--max-bytes 8000", "--order streamed --max-bytes 51200", "--group shard --max-records 9"]
    {
        let aggregate = format!("aggregate {SHARDS} {options}");
        let [packed, unpacked] = pipe(&aggregate, "deaggregate", EVENTS_JSONL);
        // No warning: nothing is mixed.
        packed.clean(options);
        let lines = unpacked.clean(options).values();
        let mut by_key = BTreeMap::<_, Vec<_>>::new();
        for line in &lines {
            let event = Event::read(line);
            assert_eq!(line["shardId"], owner(hash_key(&event)), "{options}");
            by_key.entry((event.partition_key.clone(), hash_key(&event))).or_default().push(event.data);
        }
        let mut expected = BTreeMap::<_, Vec<_>>::new();
        for event in &*EVENTS {
            let key = (event.partition_key.clone(), hash_key(event));
            expected.entry(key).or_default().push(event.data.clone());
        }
        assert!(by_key == expected, "{options}");
    }
}

#[test]
fn entries_name_their_shard_and_always_a_hash_key() {
    for group in ["", "--group all", "--group partition-key"] {
        let outcome = run(&format!("aggregate {SHARDS} --max-bytes 51200 {group}"), EVENTS_JSONL);
        for entry in outcome.values() {
            let key = entry["ExplicitHashKey"].as_str().unwrap().parse().unwrap();
            assert_eq!(entry["ShardId"], owner(key), "{group}");
        }
    }
    let requests = format!("aggregate {SHARDS} --output put-records --stream-name s");
    for request in run(&requests, EVENTS_JSONL).clean("requests").values() {
        for entry in request["Records"].as_array().unwrap() {
            assert!(entry["ExplicitHashKey"].is_string() && entry["ShardId"].is_null(), "{entry}");
        }
    }
}

#[test]
fn verify_routes_too() {
    let outcome = run(&format!("verify {SHARDS} --max-bytes 51200"), EVENTS_JSONL).clean("verify");
    assert!(
        outcome.text().starts_with("3,000 user records were packed into 7 Kinesis records"),
        "{}",
        outcome.text()
    );
}

/// Cuts the events to those inside a range, by an own computation.
fn inside(start: u128, end: u128) -> Vec<Event> {
    EVENTS.iter().filter(|event| (start..=end).contains(&hash_key(event))).cloned().collect()
}

#[test]
fn deaggregate_keeps_what_is_inside() {
    let packed = run("aggregate --max-bytes 51200", EVENTS_JSONL).warned("packed").stdout;
    for (id, start, end) in OPEN {
        let outcome = run(&format!("deaggregate --hash-range {start}-{end}"), &packed);
        assert_eq!(outcome.status, Some(0), "{id}");
        assert!(outcome.events() == inside(start, end), "{id}");
        let left_out = EVENTS.len() - inside(start, end).len();
        assert!(
            outcome.stderr.starts_with(&format!("{left_out} user records left out")),
            "{id}: {}",
            outcome.stderr
        );
        let none = run(&format!("deaggregate --hash-range {start}-{end} --range all"), &packed);
        assert_eq!((none.status, none.text()), (Some(0), ""), "{id}: every aggregate is mixed");
        assert!(none.stderr.starts_with("3000 user records left out"), "{id}: {}", none.stderr);
    }
    let all = run(&format!("deaggregate --hash-range 0-{} --range all", u128::MAX), &packed);
    assert!(all.events() == *EVENTS);
    assert!(all.stderr.starts_with("0 user records left out"), "{}", all.stderr);
}

#[test]
fn sub_sequence_numbers_count_what_is_left_out() {
    let packed = run("aggregate", EVENTS_JSONL).warned("packed").stdout;
    let (_, start, end) = OPEN[0];
    let lines = run(&format!("deaggregate --hash-range {start}-{end}"), &packed).values();
    for line in lines {
        let number = usize::try_from(line["subSequenceNumber"].as_u64().unwrap()).unwrap();
        assert_eq!(Event::read(&line), EVENTS[number]);
    }
}

#[test]
fn plain_records_pass_and_bad_hash_keys_are_reported() {
    let plain = run("deaggregate --hash-range 0-0 --input raw", b"plain");
    assert_eq!((plain.status, plain.values().len()), (Some(0), 1));
    // `ehk "undefined"` of the vectors, and one more user record without a hash key of its own.
    let body = b"\x0a\x01a\x12\x03abc\x1a\x07\x08\x00\x10\x00\x1a\x01x\x1a\x05\x08\x00\x1a\x01y".as_slice();
    let payload = [b"\xf3\x89\x9a\xc2", body, &*md5::compute(body)].concat();
    for mode in ["each", "all"] {
        let range = format!("deaggregate --hash-range 0-{} --range {mode}", u128::MAX);
        let outcome = run(&range, &payload).failed(mode, &["1 user record left out"]);
        assert!(
            outcome.stderr.contains("record 0") && outcome.stderr.contains("\"abc\""),
            "{}",
            outcome.stderr
        );
        let lines = outcome.values();
        assert_eq!((lines.len(), &lines[0]["data"]), (1, &Value::from("eQ==")), "{mode}: the rest goes on");
    }
}

#[test]
fn inspect_finds_what_is_on_the_wrong_shard() {
    let mixed = run("aggregate", EVENTS_JSONL).warned("packed").stdout;
    let first = owner(hash_key(&EVENTS[0]));
    let outside = EVENTS.iter().filter(|event| owner(hash_key(event)) != first).count();
    let lines = run(&format!("inspect --json {SHARDS}"), &mixed).clean("json").values();
    assert_eq!(
        (&lines[0]["shardId"], &lines[0]["outsideShard"]),
        (&Value::from(first), &Value::from(outside))
    );
    let report = run(&format!("inspect {SHARDS}"), &mixed).clean("report");
    assert!(report.text().contains(&format!("lie outside shard {first}")), "{}", report.text());
    assert!(report.text().contains("belongs to shardId-000000000002"), "{}", report.text());

    let routed = run(&format!("aggregate {SHARDS}"), EVENTS_JSONL).clean("routed").stdout;
    for line in run(&format!("inspect --json {SHARDS}"), &routed).clean("json").values() {
        assert_eq!(line["outsideShard"], 0);
    }
    // A closed shard, which the input names, is as good as an open one.
    let text = String::from_utf8(routed).unwrap().replace("shardId-000000000006", "shardId-000000000003");
    let lines = run(&format!("inspect --json {SHARDS}"), text.as_bytes()).clean("closed").values();
    assert!(lines.iter().any(|line| line["shardId"] == "shardId-000000000003" && line["outsideShard"] != 0));
}

/// Best is what the input says of the shard, then what the caller says, then the explicit hash key it was put with.
#[test]
fn inspect_takes_the_shard_from_where_it_is_known() {
    let user = b"{\"partitionKey\": \"a\", \"explicitHashKey\": \"5\", \"text\": \"x\"}";
    let data = run("aggregate", user).clean("packed").entries().remove(0).data;
    let data = super::support::base64(&data);
    let (home, other) = ("shardId-000000000002", "shardId-000000000005");
    let max = u128::MAX;
    for (name, options, members, shard, outside, assumed) in [
        ("nothing", "", String::new(), home, 0, true),
        ("the caller", "--shard-id shardId-000000000005", String::new(), other, 1, false),
        ("the hash key", "", format!(", \"ExplicitHashKey\": \"{max}\""), other, 1, false),
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

#[test]
fn shard_files_that_are_bad() {
    let shard = |id: &str, start: &str, end: &str, more: &str| {
        format!(
            "{{\"ShardId\": \"{id}\", \"HashKeyRange\": {{\"StartingHashKey\": \"{start}\", \
             \"EndingHashKey\": \"{end}\"}}{more}}}"
        )
    };
    let list = |shards: &[String]| format!("{{\"Shards\": [{}]}}", shards.join(", "));
    let max = &u128::MAX.to_string();
    let ended = ", \"SequenceNumberRange\": {\"EndingSequenceNumber\": \"9\"}";
    let cases = [
        ("no JSON", "x".to_owned(), "line 1"),
        ("cut", "{\"Shards\": [".to_owned(), "EOF"),
        ("no shards", list(&[]), "no open shard"),
        ("only closed ones", list(&[shard("a", "0", max, ended)]), "no open shard"),
        ("a gap", list(&[shard("a", "0", "5", ""), shard("b", "7", max, "")]), "hash keys 6 to 6"),
        ("an overlap", list(&[shard("a", "0", "5", ""), shard("b", "5", max, "")]), "hash key 5"),
        ("twice", list(&[shard("a", "0", max, ""), shard("a", "0", max, ended)]), "a is listed twice"),
        ("empty range", list(&[shard("a", "5", "4", "")]), "a: empty range"),
        ("no number", list(&[shard("a", "0x", "4", "")]), "not a digit at byte 1"),
        ("no id", "{\"Shards\": [{}]}".to_owned(), "ShardId"),
    ];
    for (name, text, part) in &cases {
        let folder = Folder::new(&[("shards", text.as_bytes()), ("in", EVENTS_JSONL)]);
        for call in ["route", "aggregate", "inspect", "verify"] {
            folder.run(&format!("{call} --shards shards in"), b"").failed(name, &["shards: ", part]);
        }
    }
    let pages = [list(&[shard("a", "0", "5", "")]), list(&[shard("b", "6", max, "")])].join("\n");
    Folder::new(&[("shards", pages.as_bytes())])
        .run("route --shards shards", EVENTS_JSONL)
        .clean("two pages");
    run("route --shards missing", b"").failed("missing", &["missing: "]);
}

#[test]
fn wrong_calls() {
    for (line, part) in [
        ("inspect --shard-id x", "--shards"),
        ("inspect --shards tests/data/list-shards.json --shard-id x", "--shard-id"),
        ("aggregate --group shard", "--shards"),
        ("verify --group shard", "--shards"),
        ("deaggregate --range each", "--hash-range"),
        ("deaggregate --hash-range 5", "START-END"),
        ("deaggregate --hash-range 9-5", "empty range"),
        ("deaggregate --hash-range 05-9", "leading zero"),
        ("deaggregate --hash-range 0-9 --range some", "--range"),
        ("route --data x", "--data"),
    ] {
        let outcome = run(line, b"");
        assert_eq!(outcome.status, Some(2), "{line}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(part), "{line}: {part:?} is not in {}", outcome.stderr);
    }
}
