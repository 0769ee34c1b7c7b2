//! What `kinesis-agg aggregate` does not take. What comes before it is packed and written all the same.

use super::support::{EVENTS_JSONL, Folder, run};

const GOOD: &str = "{\"partitionKey\": \"k\", \"text\": \"x\"}\n";

#[test]
fn bad_lines() {
    let long_key = format!(r#"{{"partitionKey": "{}", "text": "x"}}"#, "é".repeat(257));
    let too_large = format!(r#"{{"partitionKey": "k", "text": "{}"}}"#, "t".repeat(1_200_000));
    let cases: &[(&str, &[u8], &[&str])] = &[
        ("no JSON", b"partitionKey=k", &[]),
        ("cut", br#"{"partitionKey": "k", "text": "x"#, &[]),
        ("two values", br#"{"partitionKey": "k", "text": "x"} {}"#, &[]),
        ("no object", br#""k""#, &[]),
        ("null", b"null", &[]),
        ("an empty object", b"{}", &["partitionKey"]),
        ("no UTF-8", b"{\"partitionKey\": \"\xff\", \"text\": \"x\"}", &[]),
        ("a lone surrogate", br#"{"partitionKey": "k", "text": "\ud800"}"#, &[]),
        ("no partition key", br#"{"text": "x"}"#, &["partitionKey"]),
        ("partition key in another case", br#"{"PartitionKey": "k", "text": "x"}"#, &["partitionKey"]),
        ("partition key null", br#"{"partitionKey": null, "text": "x"}"#, &[]),
        ("partition key a number", br#"{"partitionKey": 42, "text": "x"}"#, &[]),
        ("partition key of nothing", br#"{"partitionKey": "", "text": "x"}"#, &["partition key", "256"]),
        ("partition key too long", long_key.as_bytes(), &["partition key", "257", "256"]),
        ("neither data nor text", br#"{"partitionKey": "k"}"#, &["data", "text"]),
        ("data and text null", br#"{"partitionKey": "k", "data": null, "text": null}"#, &["data", "text"]),
        ("both data and text", br#"{"partitionKey": "k", "data": "eA==", "text": "x"}"#, &["data", "text"]),
        ("data a number", br#"{"partitionKey": "k", "data": 5}"#, &[]),
        ("data no base64", br#"{"partitionKey": "k", "data": "e!=="}"#, &["data", "base64"]),
        ("data cut", br#"{"partitionKey": "k", "data": "eHh4e"}"#, &["data", "base64"]),
        ("data not padded", br#"{"partitionKey": "k", "data": "eA"}"#, &["data", "base64"]),
        ("hash key too high", &hash_key("340282366920938463463374607431768211456"), &["hash key", "2^128"]),
        ("hash key of 40 digits", &hash_key("1000000000000000000000000000000000000000"), &["hash key"]),
        ("hash key with a zero in front", &hash_key("007"), &["hash key"]),
        ("hash key with a sign", &hash_key("-1"), &["hash key"]),
        ("hash key with a plus", &hash_key("+1"), &["hash key"]),
        ("hash key with a blank", &hash_key(" 1"), &["hash key"]),
        ("hash key no number", &hash_key("abc"), &["hash key"]),
        ("hash key of nothing", &hash_key(""), &["hash key"]),
        ("hash key a JSON number", br#"{"partitionKey": "k", "text": "x", "explicitHashKey": 7}"#, &[]),
        ("tags no list", br#"{"partitionKey": "k", "text": "x", "tags": {"a": "b"}}"#, &[]),
        ("a tag without value", br#"{"partitionKey": "k", "text": "x", "tags": [["a"]]}"#, &[]),
        ("a tag of three", br#"{"partitionKey": "k", "text": "x", "tags": [["a", "b", "c"]]}"#, &[]),
        ("a tag without key", br#"{"partitionKey": "k", "text": "x", "tags": [[null, "b"]]}"#, &[]),
        ("a tag of a number", br#"{"partitionKey": "k", "text": "x", "tags": [["a", 1]]}"#, &[]),
        ("too large", too_large.as_bytes(), &["1200034", "1048576"]),
    ];
    let before = run("aggregate", GOOD.as_bytes()).clean("good").stdout;
    for &(name, line, parts) in cases {
        // A blank line counts, and what comes after the bad line does not come out.
        let input = [GOOD.as_bytes(), b"\r\n", line, b"\n", GOOD.as_bytes()].concat();
        let folder = Folder::new(&[("events.jsonl", &input)]);
        let parts: Vec<&str> = ["events.jsonl:3: "].iter().chain(parts).copied().collect();
        let outcome = folder.run("aggregate events.jsonl", b"").failed(name, &parts);
        assert_eq!(outcome.stderr.lines().count(), 1, "{name}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, before, "{name}: what was pending");
        run("aggregate -", &input).failed(name, &["standard input:3: "]);
    }
}

fn hash_key(key: &str) -> Vec<u8> {
    format!(r#"{{"partitionKey": "k", "explicitHashKey": "{key}", "text": "x"}}"#).into_bytes()
}

#[test]
fn all_output_up_to_a_bad_line_is_complete() {
    let lines: Vec<&[u8]> = EVENTS_JSONL.split_inclusive(|&byte| byte == b'\n').take(250).collect();
    let (good, bad) = (lines.concat(), b"{\"partitionKey\": \n".as_slice());
    for options in [
        "",
        "--max-records 100",
        "--max-records 1",
        "--max-bytes 6000",
        "--order streamed",
        "--group partition-key",
        "--group partition-key --order streamed",
        "--output put-records --stream-name s --max-records 1 --max-request-bytes 1048576",
        "--output raw",
    ] {
        let aggregate = format!("aggregate {options}");
        let expected = run(&aggregate, &good);
        assert_eq!(expected.status, Some(0), "{options}: {}", expected.stderr);
        let outcome = run(&aggregate, &[&good, bad, &good].concat()).failed(options, &[":251: "]);
        assert!(outcome.stdout == expected.stdout, "{options}: other output");
        // Good input is warned about, and so is bad.
        assert_eq!(
            outcome.stderr.lines().count(),
            expected.stderr.lines().count().saturating_add(1),
            "{options}"
        );
    }
}

/// E9: what Kinesis would take unwrapped is refused, and the message says that it would take it.
#[test]
fn what_fits_only_bare_is_said() {
    let line = |len: usize| format!(r#"{{"partitionKey": "k", "text": "{}"}}"#, "t".repeat(len));
    let aggregate = |len: usize| run("aggregate --max-bytes 100", line(len).as_bytes());
    aggregate(70).clean("100 bytes, wrapped");
    aggregate(71).failed("72 bytes, bare", &[":1: ", " 101 ", " 100;", "plain", " 72 "]);
    aggregate(99).failed("100 bytes, bare", &[":1: ", " 129 ", " 100;", "plain", "in 100 "]);
    let neither = aggregate(100).failed("101 bytes, bare", &[":1: ", " 130 ", " 100"]);
    assert!(!neither.stderr.contains("plain"), "{}", neither.stderr);
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new(&[("good", GOOD.as_bytes()), ("bad", b"{}")]);
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let cases = [
        ("missing", "good missing good", "missing: "),
        ("a folder", "good folder good", "folder: "),
        ("bad in the second file", "good bad good", "bad:1: "),
        ("bad in standard input", "good - good", "standard input:1: "),
    ];
    let before = run("aggregate", GOOD.as_bytes()).clean("good").stdout;
    for (name, files, part) in cases {
        let outcome = folder.run(&format!("aggregate {files}"), b"[]").failed(name, &[part]);
        assert_eq!(outcome.stdout, before, "{name}: what was pending");
    }
    folder.run("aggregate missing", b"").failed("nothing before", &["missing: "]);
}

#[test]
fn raw_output_is_of_one_kinesis_record() {
    let two = GOOD.repeat(2);
    let outcome = run("aggregate --output raw --max-records 1", two.as_bytes()).failed("two", &["raw"]);
    assert_eq!(outcome.text(), "", "half of it would look like all of it");
    let outcome =
        run("aggregate --output raw --group partition-key", EVENTS_JSONL).failed("groups", &["raw"]);
    assert_eq!(outcome.stdout, b"");
    let one = run("aggregate --output raw --max-records 2", two.as_bytes()).clean("one");
    assert_eq!(one.stdout.first(), Some(&0xf3));
}
