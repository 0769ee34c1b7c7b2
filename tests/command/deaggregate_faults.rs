//! What `kinesis-agg deaggregate` cannot read. What comes before it comes out complete.

use super::support::{Folder, KPL_BIN, run};

/// A fault: what the input is said to be, the input, how many lines come out before, and what the message names.
type Case<'a> = (&'a str, &'a str, &'a [u8], usize, &'a [&'a str]);

#[test]
fn bad_input() {
    let cases: &[Case<'_>] = &[
        ("hex of odd length", "auto", b"00\n\n00f\n00\n", 1, &[":3: "]),
        ("hex of odd length, last", "auto", b"00\n00\n0", 2, &[":3: "]),
        ("not a hex digit", "hex", b"00\r\n00\r\n0x00\r\n", 2, &[":3: "]),
        ("hex with blanks between", "hex", b"00\n00 00\n", 1, &[":2: "]),
        ("hex of bytes", "hex", KPL_BIN, 0, &[":1: "]),
        ("not base64", "base64", b"YQ==\n\nY!==\nYQ==\n", 1, &[":3: "]),
        ("base64 cut", "base64", b"YQ==\nYQ==\nYQ\n", 2, &[":3: "]),
        ("base64 of bytes", "base64", KPL_BIN, 0, &[":1: "]),
        ("JSON of bytes", "json", KPL_BIN, 0, &[":1: "]),
        ("a line that is no JSON", "auto", b"{\"Data\": \"YQ==\"}\nData\n", 1, &[":2: "]),
        ("a line cut", "auto", b"{\"Data\": \"YQ==\"}\n\n{\"Data\": \"YQ", 1, &[":3: "]),
        ("a line cut in an escape", "auto", b"{\"Data\": \"YQ==\"}\n{\"Data\": \"\\u00", 1, &[":2: "]),
        ("two records on a line", "auto", b"{\"Data\": \"YQ==\"}\n{\"Data\": \"YQ==\"}}\n", 2, &[":2: "]),
        ("a list cut", "auto", b"[{\"Data\": \"YQ==\"}]\n[{\"Data\": \"YQ==\"}", 2, &[":2: "]),
        (
            "a document cut",
            "auto",
            b"{\"Records\": [\n{\"Data\": \"YQ==\"},\n{\"Data\": \"YQ==\"}\n]}\n{\"Records\": [\n{\"Data\": \"YQ=",
            2,
            &[":6: "],
        ),
        (
            "a document with a fault in it",
            "auto",
            b"{\"Records\": [\n{\"Data\": \"YQ==\"}]}\n{\n\"Records\": [\n{\"Data\" \"YQ==\"}\n]}\n",
            1,
            &[":5: "],
        ),
        ("no Data", "auto", b"{\"Data\": \"YQ==\"}\n{\"PartitionKey\": \"k\"}\n", 1, &[":2: ", "record 1: ", "Data"]),
        ("Data null", "auto", b"{\"Data\": \"YQ==\"}\n{\"Data\": null}\n", 1, &[":2: ", "record 1: ", "Data"]),
        ("Data a number", "auto", b"{\"Data\": \"YQ==\"}\n{\"Data\": 5}\n", 1, &[":2: "]),
        ("Data not base64", "auto", b"{\"Data\": \"YQ==\"}\n{\"Data\": \"Y\"}\n", 1, &[":2: ", "record 1: ", "Data"]),
        (
            "no Data in a document",
            "auto",
            b"{\n\"Records\": [\n{\"Data\": \"YQ==\"},\n{\"Data\": \"YQ==\"},\n{}\n]}",
            2,
            &["record 2: ", "Data"],
        ),
        (
            "Data not base64 in a document",
            "auto",
            b"{\"Records\": [{\"Data\": \"YQ==\"}, {\"Data\": \"?\"}, {\"Data\": \"YQ==\"}]}",
            1,
            &["record 1: ", "Data"],
        ),
        ("an object that holds no record", "auto", b"{\"a\": 1}", 0, &[":1: ", "Data"]),
        ("a list that holds no records", "auto", b"[1]", 0, &[":1: "]),
        ("a log that looks like a list", "auto", b"[2024-11-23] hello\n", 0, &[":1: "]),
        ("Records is no list", "auto", b"{\"Records\": 5}", 0, &[":1: "]),
        ("the second value on a line", "auto", b"  {\"Data\": \"YQ==\"} {\"Data\": 5}", 1, &[":1: column 29: "]),
        ("partition key a number", "auto", b"{\"Data\": \"YQ==\", \"PartitionKey\": 5}", 0, &[":1: "]),
    ];
    for &(name, form, input, lines_before, parts) in cases {
        let folder = Folder::new(&[("in.put", input)]);
        for command in ["deaggregate", "inspect --json"] {
            let line = format!("{command} --input {form} in.put");
            let outcome = folder.run(&line, b"").failed(name, &["in.put"]).failed(name, parts);
            assert_eq!(outcome.stderr.lines().count(), 1, "{name}: {}", outcome.stderr);
            assert_eq!(outcome.values().len(), lines_before, "{name}: what comes before");
            assert!(outcome.text().is_empty() || outcome.text().ends_with("}\n"), "{name}: a line cut");
        }
        run(&format!("deaggregate --input {form}"), input)
            .failed(name, parts)
            .failed(name, &["standard input"]);
    }
}

/// The record is counted through all files, as in the output.
#[test]
fn a_fault_names_the_record_by_its_number_in_the_output() {
    let folder = Folder::new(&[("good", b"00\n00\n"), ("bad", b"{\"Data\": \"YQ==\"}\n{}")]);
    let outcome = folder.run("deaggregate good bad", b"").failed("record 3", &["bad:2: ", "record 3: "]);
    assert_eq!(outcome.values().len(), 3);
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new(&[("good", KPL_BIN)]);
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let one = folder.run("deaggregate good", b"").clean("good").stdout;
    for (name, files, part, before) in [
        ("missing", "good missing good", "missing: ", &*one),
        ("missing, alone", "missing", "missing: ", b""),
        ("a folder", "good folder good", "folder: ", &one),
    ] {
        for form in ["auto", "raw"] {
            let outcome =
                folder.run(&format!("deaggregate --input {form} {files}"), b"").failed(name, &[part]);
            assert_eq!(outcome.stdout, before, "{name}");
        }
    }
}
