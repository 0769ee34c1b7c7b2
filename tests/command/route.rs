//! `kinesis-agg route`, and the shard listings that `--shards` reads.

use std::collections::BTreeSet;

use super::support::{EVENTS_JSONL, Folder, OPEN, RECORDS, SHARDS, hash_key, owner, run};

#[test]
fn lines_have_the_hash_key_and_the_shard() {
    let lines = run(&format!("route {SHARDS}"), EVENTS_JSONL).clean("route").values();
    assert_eq!(lines.len(), RECORDS.len());
    for (line, record) in lines.iter().zip(&*RECORDS) {
        let key = hash_key(record);
        assert_eq!(line["partitionKey"], record.partition_key);
        assert_eq!(line["hashKey"], key.to_string());
        assert_eq!(line["shardId"], owner(key));
        assert_eq!(line.as_object().unwrap().len(), 3);
    }
    assert_eq!(lines.iter().map(|line| line["shardId"].as_str()).collect::<BTreeSet<_>>().len(), OPEN.len());
}

#[test]
fn data_and_shards_are_optional() {
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
    let outcome = run("route", bad).failed("bad", &["standard input:2: "]);
    assert_eq!(outcome.values().len(), 1);
}

#[test]
fn shard_listings_are_validated() {
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
        ("not JSON", "x".to_owned(), "line 1"),
        ("truncated", "{\"Shards\": [".to_owned(), "EOF"),
        ("no shards", list(&[]), "open shard"),
        ("only closed shards", list(&[shard("a", "0", max, ended)]), "open shard"),
        ("a gap", list(&[shard("a", "0", "5", ""), shard("b", "7", max, "")]), " 6"),
        ("an overlap", list(&[shard("a", "0", "5", ""), shard("b", "5", max, "")]), " 5"),
        (
            "two shards with the same ID",
            list(&[shard("a", "0", max, ""), shard("a", "0", max, ended)]),
            "a is listed twice",
        ),
        ("empty range", list(&[shard("a", "5", "4", "")]), "a: "),
        ("start that is not a number", list(&[shard("a", "0x", "4", "")]), "a: "),
        ("no ID", "{\"Shards\": [{}]}".to_owned(), "ShardId"),
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
