//! What an input is taken for: by `deaggregate` and `inspect` alike.

use super::support::{Folder, KPL_BIN, base64, decode_base64, run};

/// An input, and the payloads in it.
type Case<'a> = (&'a str, &'a [u8], &'a [&'a [u8]]);

/// The payloads that the command sees in an input.
fn payloads(name: &str, options: &str, input: &[u8]) -> Vec<Vec<u8>> {
    let outcome = run(&format!("deaggregate {options}"), input).clean(name);
    outcome.values().iter().map(|line| decode_base64(line["data"].as_str().unwrap_or_default())).collect()
}

#[test]
fn told_from_the_beginning() {
    let long_hex = "ab".repeat(40_000);
    let long_base64 = "YWJj".repeat(20_000);
    let many_hex = "abcd\r\n".repeat(20_000);
    let many_base64 = "YWJjZA==\n".repeat(10_000);
    let cases: &[Case<'_>] = &[
        ("hex", b"deadbeef", &[b"\xde\xad\xbe\xef"]),
        ("hex in capitals and not", b"DEADbeef\n", &[b"\xde\xad\xbe\xef"]),
        ("lines of hex", b"00\nff\n", &[b"\0", b"\xff"]),
        ("CRLF and blanks", b" 00\r\n\r\n\tff \r\n", &[b"\0", b"\xff"]),
        ("hex digits that would be base64 too", b"cafe\nbabe\n", &[b"\xca\xfe", b"\xba\xbe"]),
        ("digits only", b"1234", &[b"\x12\x34"]),
        ("a long line of hex", long_hex.as_bytes(), &[&[0xab; 40_000]]),
        ("base64", b"aGVsbG8=", &[b"hello"]),
        ("lines of base64", b"aGVsbG8=\nYQ==\n", &[b"hello", b"a"]),
        ("base64, CRLF and blanks", b"aGVsbG8= \r\n\n YQ==\r\n", &[b"hello", b"a"]),
        (
            "base64 where not all is hex",
            b"cafe\nbabe\nzzzz\n",
            &[b"q\xa7\xde", b"m\xa6\xde", b"\xcf\x3c\xf3"],
        ),
        ("a long line of base64", long_base64.as_bytes(), &[&b"abc".repeat(20_000)]),
        ("an object", b"{\"Data\": \"YQ==\"}", &[b"a"]),
        ("a list", b"[{\"Data\": \"YQ==\"}, {\"Data\": \"Yg==\"}]", &[b"a", b"b"]),
        ("an object after blanks", b"\r\n \t{\"Data\": \"YQ==\"}", &[b"a"]),
        ("text", b"hello world", &[b"hello world"]),
        ("text of several lines", b"hello\nworld\n", &[b"hello\nworld\n"]),
        ("base64 that is not valid", b"aGVsbG8", &[b"aGVsbG8"]),
        ("bytes", b"\0\xff", &[b"\0\xff"]),
        ("the magic", b"\xf3\x89\x9a\xc2", &[b"\xf3\x89\x9a\xc2"]),
        ("the magic, then JSON", b"\xf3\x89\x9a\xc2{}\n\n", &[b"\xf3\x89\x9a\xc2{}\n\n"]),
        ("the magic cut", b"\xf3\x89\x9a", &[b"\xf3\x89\x9a"]),
        ("the magic later", b" \xf3\x89\x9a\xc2", &[b" \xf3\x89\x9a\xc2"]),
    ];
    for &(name, input, expected) in cases {
        assert_eq!(payloads(name, "", input), expected, "{name}");
    }
    assert_eq!(payloads("many lines of hex", "", many_hex.as_bytes()).len(), 20_000);
    assert_eq!(payloads("many lines of base64", "", many_base64.as_bytes()).len(), 10_000);
}

/// Where the first 64 KiB end: within a line, with it, one byte before or after.
#[test]
fn the_beginning_may_end_anywhere() {
    for len in (65_532..=65_544).step_by(4) {
        let name = format!("a line of {len} characters");
        let one = "YWJj".repeat(len / 4);
        assert_eq!(payloads(&name, "", one.as_bytes()), [b"abc".repeat(len / 4)], "{name}");
        let two = format!("{one}\nYQ==\n");
        assert_eq!(
            payloads(&name, "", two.as_bytes()),
            [b"abc".repeat(len / 4), b"a".to_vec()],
            "{name}, and one"
        );
        let hex = "0f".repeat(len / 2);
        assert_eq!(payloads(&name, "", hex.as_bytes()), [vec![0x0f; len / 2]], "{name}, hex");
        let json = format!("[\n{{\"Data\": \"{one}\"}}]");
        assert_eq!(payloads(&name, "", json.as_bytes()), [b"abc".repeat(len / 4)], "{name}, JSON");
    }
}

/// What comes later than 64 KiB is not looked at, so it is a fault.
#[test]
fn the_beginning_decides() {
    let cases = [
        ("hex, then base64", "0000\n".repeat(20_000), "YQ==\n", ":20001: "),
        ("base64, then text", "YQ==\n".repeat(20_000), "hello world\n", ":20001: "),
        ("JSON, then hex", "{\"Data\": \"YQ==\"}\n".repeat(5_000), "00\n", ":5001: "),
    ];
    for (name, beginning, end, place) in cases {
        let outcome = run("deaggregate", format!("{beginning}{end}").as_bytes()).failed(name, &[place]);
        assert_eq!(outcome.text().lines().count(), beginning.lines().count(), "{name}");
    }
}

#[test]
fn what_is_said_counts_more_than_what_is_seen() {
    for (options, input, expected) in [
        ("--input base64", "cafe", b"q\xa7\xde".as_slice()),
        ("--input raw", "cafe", b"cafe"),
        ("--input raw", "{}\n", b"{}\n"),
        ("--input raw", "YQ==\n", b"YQ==\n"),
    ] {
        let name = format!("{input:?} {options}");
        assert_eq!(payloads(&name, options, input.as_bytes()), [expected], "{name}");
    }
}

#[test]
fn each_file_is_looked_at_by_itself() {
    let folder = Folder::new(&[
        ("hex", b"61"),
        ("base64", b"Yg=="),
        ("json", b"{\"Data\": \"Yw==\"}"),
        ("raw", KPL_BIN),
        ("text", b"e!"),
    ]);
    let outcome = folder.run("deaggregate hex base64 json raw text -", b"66").clean("files");
    let data: Vec<Vec<u8>> =
        outcome.values().iter().map(|line| decode_base64(line["data"].as_str().unwrap())).collect();
    assert_eq!(data[..3], [b"a", b"b", b"c"]);
    assert_eq!(data[7..], [b"e!".to_vec(), b"f".to_vec()]);
}

/// The shapes that JSON with Kinesis records comes in.
#[test]
fn json_in_every_shape() {
    let (a, b, c) = (r#"{"Data": "YQ=="}"#, r#"{"Data":"Yg==","PartitionKey":"k"}"#, r#"{"Data": "Yw=="}"#);
    let cases = [
        ("lines", format!("{a}\n{b}\n{c}\n")),
        ("lines, CRLF and blank ones", format!("\r\n{a}\r\n\r\n{b}\r\n{c}")),
        ("a list on a line", format!("[{a}, {b}, {c}]\n")),
        ("a list over lines", format!("[\n  {a},\n  {b},\n\n  {c}\n]\n")),
        ("lists on lines", format!("[{a}, {b}]\n[]\n[{c}]\n")),
        ("a document on a line", format!("{{\"Records\": [{a}, {b}, {c}], \"MillisBehindLatest\": 0}}")),
        (
            "a document over lines",
            format!("{{\n\"MillisBehindLatest\": 0,\n\"Records\": [\n{a},\n{b},\n{c}\n]\n}}\n"),
        ),
        (
            "documents on lines",
            format!("{{\"Records\": [{a}]}}\n{{\"Records\": []}}\n{{\"Records\": [{b}, {c}]}}\n"),
        ),
        ("documents over lines", format!("{{\"Records\": [\n{a}]\n}}\n{{\n\"Records\": [{b},\n{c}]}}\n")),
        ("a request", format!("{{\"StreamName\": \"s\", \"Records\": [{a}, {b}, {c}]}}\n")),
        ("a line, then a document over lines", format!("{a}\n{{\"Records\": [\n{b}, {c}]}}\n")),
        ("a document over lines, then lines", format!("{{\"Records\": [\n{a}]}}\n{b}\n{c}\n")),
        ("records over lines", format!("{}\n{b}\n{c}", a.replace(' ', "\n"))),
    ];
    for (name, input) in &cases {
        for options in ["", "--input json"] {
            assert_eq!(payloads(name, options, input.as_bytes()), [b"a", b"b", b"c"], "{name} {options}");
        }
    }
}

/// One kind of input, told by what it looks like, gives `inspect` the same payloads as `deaggregate`.
#[test]
fn inspect_takes_the_same() {
    let kpl = base64(KPL_BIN);
    let json = format!("[\n{{\"Data\": \"{kpl}\"}}]");
    for (name, input) in [("raw", KPL_BIN), ("base64", kpl.as_bytes()), ("json", json.as_bytes())] {
        for options in ["".to_owned(), format!("--input {name}")] {
            let line = run(&format!("inspect --json {options}"), input).clean(name).values().remove(0);
            assert_eq!((&line["kind"], &line["bytes"]), (&"aggregated".into(), &495.into()), "{name}");
        }
    }
}
