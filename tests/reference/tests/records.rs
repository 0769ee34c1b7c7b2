//! Valid bodies, each with its user records: what is legal though it looks odd.

use super::super::{SpecRecord, Verdict, specify, specify_body};
use super::{frame, hex};

fn record(partition_key: &str, explicit_hash_key: Option<&str>, data: &str) -> SpecRecord {
    SpecRecord {
        partition_key: partition_key.to_owned(),
        explicit_hash_key: explicit_hash_key.map(str::to_owned),
        data: data.as_bytes().to_vec(),
        tags: Vec::new(),
    }
}

fn tagged(tags: &[(&str, Option<&str>)]) -> SpecRecord {
    let tags = tags.iter().map(|&(key, value)| (key.to_owned(), value.map(str::to_owned))).collect();
    SpecRecord { tags, ..record("a", None, "x") }
}

/// The partition key "a", then a record of it with the data "x".
const PLAINEST: &str = "0a 01 61 | 1a 05 08 00 1a 01 78";

fn check(name: &str, body: &str, records: Vec<SpecRecord>) {
    let body = hex(body);
    let expected = Verdict::Aggregated(records);
    assert_eq!(specify_body(&body), expected, "{name}");
    assert_eq!(specify(&frame(&body)), expected, "{name}, framed");
}

#[test]
fn unknown_fields_are_passed_over() {
    let rows = [
        ("greatest varint (D6)", "48 ff ff ff ff ff ff ff ff ff 01"),
        ("varint of ten bytes (D6)", "48 80 80 80 80 80 80 80 80 80 00"),
        ("tag of ten bytes (D7)", "c8 80 80 80 80 80 80 80 80 00 00"),
        ("greatest field number (D7)", "f8 ff ff ff 0f 00"),
        ("length over-long (D6)", "4a 81 00 61"),
        ("empty bytes", "4a 00"),
        ("fixed32, fixed64", "4d 01 02 03 04 | 49 01 02 03 04 05 06 07 08"),
        ("empty group (D9)", "4b 4c"),
        ("groups one in another (D9)", "4b 53 08 01 54 4c"),
        ("groups one after another (D9)", "4b 4c 4b 4c 53 54"),
        ("group with known numbers (D9)", "4b 0a 01 ff 12 01 ff 1a 01 ff 4c"),
        ("group start within bytes within a group (D9)", "4b 4a 01 4b 4c"),
        ("known numbers as fixed32 (D5)", "0d 00 00 00 00 15 00 00 00 00 1d 00 00 00 00"),
        ("known numbers as groups (D5)", "0b 0c 13 14 1b 08 00 1a 00 1c"),
        ("bytes that are not UTF-8 (D12)", "4a 01 ff"),
    ];
    for (name, field) in rows {
        check(name, &format!("{PLAINEST} {field}"), vec![record("a", None, "x")]);
        check(&format!("{name}, first"), &format!("{field} {PLAINEST}"), vec![record("a", None, "x")]);
        let inside = format!("08 00 {field} 1a 01 78");
        let length = hex(&inside).len();
        check(
            &format!("{name}, in a record"),
            &format!("0a 01 61 1a {length:02x} {inside}"),
            vec![record("a", None, "x")],
        );
    }
    // In a record, two of these would be indexes.
    check(
        "tables and records as varints (D5)",
        &format!("08 01 10 01 18 01 {PLAINEST}"),
        vec![record("a", None, "x")],
    );
}

#[test]
fn a_hundred_groups_may_be_open_in_each_message() {
    let groups = format!("{} {}", "4b".repeat(100), "4c".repeat(100));
    // 203 bytes of tag, and 411 of record.
    let tag = format!("0a 01 6b {groups}");
    let record = format!("08 00 {groups} 1a 01 78 22 cb 01 {tag}");
    let body = format!("0a 01 61 {groups} {groups} 1a 9b 03 {record} {groups}");
    check("100 groups", &body, vec![tagged(&[("k", None)])]);
}

#[test]
fn fields_come_in_any_order_and_the_last_one_counts() {
    let rows = [
        ("record before its table (D10)", "1a 05 08 00 1a 01 78 | 0a 01 61", vec![record("a", None, "x")]),
        ("data before index (D10)", "0a 01 61 | 1a 05 1a 01 78 08 00", vec![record("a", None, "x")]),
        (
            "messages one after another (D10)",
            "0a 01 61 | 1a 05 08 00 1a 01 78 | 0a 01 62 | 1a 05 08 01 1a 01 79",
            vec![record("a", None, "x"), record("b", None, "y")],
        ),
        (
            "each field twice (D10)",
            "0a 01 61 0a 01 62 12 01 35 12 01 36 | 1a 0e 08 00 10 00 1a 01 78 08 01 10 01 1a 01 79",
            vec![record("b", Some("6"), "y")],
        ),
        (
            "index out of range, then in range (D11)",
            "0a 01 61 12 01 35 | 1a 0e 08 80 80 80 80 10 08 00 10 09 10 00 1a 00",
            vec![record("a", Some("5"), "")],
        ),
        (
            "index overridden by another wire type is not (D5)",
            "0a 01 61 | 1a 0a 08 00 0d 01 00 00 00 1a 01 78",
            vec![record("a", None, "x")],
        ),
        (
            "same key twice in a table (E3)",
            "0a 01 61 0a 01 61 | 1a 05 08 01 1a 01 78",
            vec![record("a", None, "x")],
        ),
    ];
    for (name, body, records) in rows {
        check(name, body, records);
    }
}

#[test]
fn keys_and_data_come_as_they_are() {
    let rows = [
        ("tables alone (D15)", "0a 01 61 12 01 35", vec![]),
        ("empty partition key", "0a 00 | 1a 05 08 00 1a 01 78", vec![record("", None, "x")]),
        ("empty data", "0a 01 61 | 1a 04 08 00 1a 00", vec![record("a", None, "")]),
        (
            "no index, no explicit hash key (D13)",
            "12 01 35 0a 01 61 | 1a 04 08 00 1a 00",
            vec![record("a", None, "")],
        ),
        (
            "explicit hash key unchecked (D14)",
            "0a 01 61 12 03 30 30 37 12 00 | 1a 06 08 00 10 00 1a 00 | 1a 06 08 00 10 01 1a 00",
            vec![record("a", Some("007"), ""), record("a", Some(""), "")],
        ),
        (
            "records of one key, in wire order (D17)",
            "0a 01 61 | 1a 05 08 00 1a 01 78 | 1a 05 08 00 1a 01 78 | 1a 05 08 00 1a 01 79",
            vec![record("a", None, "x"), record("a", None, "x"), record("a", None, "y")],
        ),
    ];
    for (name, body, records) in rows {
        check(name, body, records);
    }
    // D16: the data is the aggregate itself.
    let inner = frame(&hex(PLAINEST));
    let body = [&hex("0a 01 61 1a 22 08 00 1a 1e")[..], &inner].concat();
    let outer = SpecRecord { data: inner, ..record("a", None, "") };
    assert_eq!(specify_body(&body), Verdict::Aggregated(vec![outer]));
}

#[test]
fn tags_have_a_key_and_perhaps_a_value() {
    let rows = [
        ("key alone", "22 03 0a 01 6b", tagged(&[("k", None)])),
        ("empty key, empty value", "22 04 0a 00 12 00", tagged(&[("", Some(""))])),
        ("value before key", "22 06 12 01 76 0a 01 6b", tagged(&[("k", Some("v"))])),
        ("last ones count (D10)", "22 0a 0a 01 6a 12 00 0a 01 6b 12 00", tagged(&[("k", Some(""))])),
        ("value as a varint (D5)", "22 05 0a 01 6b 10 01", tagged(&[("k", None)])),
        (
            "same key twice",
            "22 03 0a 01 6b 22 06 0a 01 6b 12 01 76",
            tagged(&[("k", None), ("k", Some("v"))]),
        ),
        ("tags as a varint (D5)", "20 01", tagged(&[])),
        ("tags as a group (D5)", "23 12 01 ff 24", tagged(&[])),
    ];
    for (name, tags, expected) in rows {
        let fields = format!("08 00 1a 01 78 {tags}");
        let length = hex(&fields).len();
        check(name, &format!("0a 01 61 1a {length:02x} {fields}"), vec![expected]);
    }
}
