//! `kinesis-agg deaggregate`: the lines that come of a payload, to the letter.

use super::support::{Folder, KPL_BIN, base64, decode_hex, hex, run};

/// What `kpl.bin` holds: partition key, explicit hash key, data. `tests/vectors/encode.jsonl` says so too.
const KPL: [[&str; 3]; 4] = [
    [
        "fc03dd88-3e79-448a-b01a-7cf1bd47b784",
        "\"38486495867508399078159723846051807020\"",
        "UkVDT1JEIDIyIHBlZW9iaGN6YnpkbXNrYm91cGd5cQo=",
    ],
    [
        "cae41b1c-ea61-43f2-90be-b8755ebf88e2",
        "\"193787600037681706952143357071916352604\"",
        "UkVDT1JEIDIzIHVzd2t4ZnR4cm9ldXNzY3hzamhubwo=",
    ],
    [
        "d490690c-e74d-4db2-a3c8-d8f2f184fd23",
        "\"266880436964932424265466916734068684439\"",
        "UkVDT1JEIDI0IGNhc2VoZGdpdmZheGV1c3RseXN6eQo=",
    ],
    [
        "c924bc09-b85e-47f1-b32e-336522ee53c8",
        "\"339606600942967391854603552402021847292\"",
        "UkVDT1JEIDI1IG52ZmZ2cG11b2dkb3BqaGFtZXZyawo=",
    ],
];

/// What the second record of `get-records.json` holds.
const PYTHON: [[&str; 3]; 5] = [
    ["42", "null", "Zm9yNDI="],
    ["7", "null", "Zm9yNw=="],
    ["0", "null", "Zm9yMA=="],
    ["007", "null", "Zm9yMDA3"],
    ["7", "null", "Zm9yNyBhZ2Fpbg=="],
];

/// The lines of an aggregate. `metadata` is what they end with.
fn aggregated(record: usize, user_records: &[[&str; 3]], metadata: &str) -> String {
    let line = |(number, [key, hash_key, data]): (usize, &[&str; 3])| {
        format!(
            "{{\"record\":{record},\"partitionKey\":\"{key}\",\"explicitHashKey\":{hash_key},\"data\":\"{data}\",\
             \"subSequenceNumber\":{number},\"aggregated\":true{metadata}}}\n"
        )
    };
    user_records.iter().enumerate().map(line).collect()
}

/// The line of a record that is not aggregated. Its key is written as JSON.
fn plain(record: usize, key: &str, data: &str, reason: &str, metadata: &str) -> String {
    format!(
        "{{\"record\":{record},\"partitionKey\":{key},\"explicitHashKey\":null,\"data\":\"{data}\",\
         \"subSequenceNumber\":0,\"aggregated\":false,\"reason\":\"{reason}\"{metadata}}}\n"
    )
}

fn metadata(sequence_number: &str, time: &str, encryption: &str) -> String {
    format!(
        ",\"sequenceNumber\":\"{sequence_number}\",\"approximateArrivalTimestamp\":{time},\
         \"encryptionType\":\"{encryption}\""
    )
}

/// The lines of `get-records.json`.
fn get_records() -> String {
    let zero = metadata("49657890134251672935812407361829374650182936471029384706", "1732350000.123", "NONE");
    let one = metadata("49657890134251672935812407361829375859108756085658559413", "1732350001.0", "NONE");
    let two = metadata(
        "49657890134251672935812407361829377068034575700287734120",
        "\"2024-11-23T08:20:01.456000+00:00\"",
        "NONE",
    );
    let three = metadata(
        "49657890134251672935812407361829378276960395314916908827",
        "\"2024-11-23T09:20:02.789000+01:00\"",
        "NONE",
    );
    let four = metadata("49657890134251672935812407361829379485886214929546083534", "1732350003.5", "KMS");
    let five = metadata(
        "49657890134251672935812407361829380694812034544175258241",
        "\"2024-11-23T08:20:04+00:00\"",
        "KMS",
    );
    [
        aggregated(0, &KPL, &zero),
        aggregated(1, &PYTHON, &one),
        plain(2, "\"truck-007\"", "ZMOpcMO0dCBnYXRlIDcgb3BlbmVkCg==", "no_magic", &two),
        plain(3, "\"a\"", "84mawgoBYRoFCAAaAXgnT6SiIWCSQZZrAsevv0KC", "digest_mismatch", &three),
        plain(4, "\"a\"", "84mawgoBYRoFCAAaAXgaBQgBGgF5GgUIABoBepy1QA5IXYv92SVq7cGrxs0=", "malformed", &four),
        plain(
            5,
            "\"冷蔵庫-3\"",
            "eyJ0eXBlIjoicmVhZGluZyIsInRlbXAiOjQuNSwidG93biI6IuadseS6rCJ9",
            "no_magic",
            &five,
        ),
    ]
    .concat()
}

#[test]
fn one_aggregate_in_every_form() {
    let expected = aggregated(0, &KPL, "");
    let (in_hex, in_base64) = (hex(KPL_BIN), base64(KPL_BIN));
    let in_json = format!(r#"{{"Data": "{in_base64}"}}"#);
    let folder = Folder::new(&[
        ("kpl", KPL_BIN),
        ("hex", in_hex.as_bytes()),
        ("upper", in_hex.to_uppercase().as_bytes()),
        ("base64", in_base64.as_bytes()),
        ("json", in_json.as_bytes()),
    ]);
    for (file, form) in
        [("kpl", "raw"), ("hex", "hex"), ("upper", "hex"), ("base64", "base64"), ("json", "json")]
    {
        for options in ["".to_owned(), "--input auto".to_owned(), format!("--input {form}")] {
            let name = format!("{file} {options}");
            let outcome = folder.run(&format!("deaggregate {options} {file}"), b"").clean(&name);
            assert_eq!(outcome.text(), expected, "{name}");
            let input = std::fs::read(folder.path().join(file)).unwrap();
            assert_eq!(
                folder.run(&format!("deaggregate {options}"), &input).text(),
                expected,
                "{name}, piped"
            );
        }
    }
}

#[test]
fn what_the_aws_command_prints() {
    let outcome = run("deaggregate tests/data/get-records.json", b"").clean("get-records");
    assert_eq!(outcome.text(), get_records());
}

#[test]
fn records_are_counted_through_all_files() {
    let files = "tests/data/get-records.json tests/data/kpl.bin - tests/data/kpl.bin";
    // An aggregate of no user records counts, though nothing of it is to be seen.
    let input = "f3899ac20a0161120131e7171402d67a51492f71e440a541ce6c\n00\n";
    let outcome = run(&format!("deaggregate {files}"), input.as_bytes()).clean("files");
    let expected = [
        get_records(),
        aggregated(6, &KPL, ""),
        plain(8, "null", "AA==", "no_magic", ""),
        aggregated(9, &KPL, ""),
    ];
    assert_eq!(outcome.text(), expected.concat());
}

/// D1 to D3, and D15. The payloads are from `tests/vectors/decode.jsonl`.
#[test]
fn plain_payloads_come_out_unchanged_with_the_reason() {
    let cases = [
        ("nothing but magic", "f3899ac2", Some("too_short")),
        ("no room for a body", "f3899ac2d41d8cd98f00b204e9800998ecf8427e", Some("too_short")),
        ("three bytes of the magic", "f3899a", Some("no_magic")),
        ("one byte", "00", Some("no_magic")),
        ("text", "68656c6c6f", Some("no_magic")),
        ("digest", "f3899ac20a01611a0508001a0178274fa4a221609241966b02c7afbf4282", Some("digest_mismatch")),
        (
            "a byte too many",
            "f3899ac20a01611a0508001a0178274fa4a221609241966b02c7afbf428321",
            Some("digest_mismatch"),
        ),
        (
            "hash key index",
            "f3899ac20a01611a07080010001a0178ccd24a905ea259b5aad14fb638643ddf",
            Some("malformed"),
        ),
        ("no user records", "f3899ac20a0161120131e7171402d67a51492f71e440a541ce6c", None),
    ];
    for (name, payload, reason) in cases {
        let data = base64(&decode_hex(payload));
        let line = |key: &str| reason.map_or(String::new(), |reason| plain(0, key, &data, reason, ""));
        let outcome = run("deaggregate", payload.as_bytes()).clean(name);
        assert_eq!(outcome.text(), line("null"), "{name}: in hex");
        let outcome = run("deaggregate --input raw", &decode_hex(payload)).clean(name);
        assert_eq!(outcome.text(), line("null"), "{name}: as it is");
        let entry = format!(r#"{{"PartitionKey": "outer", "Data": "{data}"}}"#);
        let outcome = run("deaggregate", entry.as_bytes()).clean(name);
        assert_eq!(outcome.text(), line("\"outer\""), "{name}: with a key of its own");
    }
}

#[test]
fn what_comes_with_a_record_is_passed_on_verbatim() {
    let cases = [
        (
            "an integer",
            r#""ApproximateArrivalTimestamp": 1732350001"#,
            r#","approximateArrivalTimestamp":1732350001"#,
        ),
        (
            "zeros",
            r#""ApproximateArrivalTimestamp": 1732350001.000"#,
            r#","approximateArrivalTimestamp":1732350001.000"#,
        ),
        (
            "more digits than a double has",
            r#""ApproximateArrivalTimestamp": 1732350000.12345678901234567890"#,
            r#","approximateArrivalTimestamp":1732350000.12345678901234567890"#,
        ),
        (
            "an exponent",
            r#""ApproximateArrivalTimestamp": 1.73235E+9"#,
            r#","approximateArrivalTimestamp":1.73235E+9"#,
        ),
        (
            "text",
            r#""ApproximateArrivalTimestamp": "2024-11-23T09:20:02+01:00""#,
            r#","approximateArrivalTimestamp":"2024-11-23T09:20:02+01:00""#,
        ),
        (
            "null is absent",
            r#""ApproximateArrivalTimestamp": null, "SequenceNumber": null, "ShardId": null"#,
            "",
        ),
        ("sequence number", r#""SequenceNumber": "007""#, r#","sequenceNumber":"007""#),
        ("shard", r#""ShardId": "shardId-000000000007""#, r#","shardId":"shardId-000000000007""#),
        ("what is not known", r#""Other": {"Data": [1, null]}"#, ""),
    ];
    for (name, member, expected) in cases {
        for lines in [1, 2] {
            // In lines, and in a document that spans some.
            let (begin, end) = if lines == 1 { ("", "") } else { ("[\n", "\n]") };
            let input = format!(r#"{begin}{{"Data": "eA==", {member}}}{end}"#);
            let outcome = run("deaggregate", input.as_bytes()).clean(name);
            assert_eq!(outcome.text(), plain(0, "null", "eA==", "no_magic", expected), "{name}, {lines}");
        }
    }
}

#[test]
fn a_plain_record_keeps_its_own_keys() {
    let input = br#"{"PartitionKey": "\u00e9\u0000", "ExplicitHashKey": "7", "Data": ""}"#;
    let line = run("deaggregate", input).clean("keys").values().remove(0);
    assert_eq!(line["partitionKey"], "é\0");
    assert_eq!(line["explicitHashKey"], "7");
    assert_eq!(line["data"], "");
}

#[test]
fn tags_to_the_letter() {
    let input = br#"{"partitionKey": "a", "text": "x", "tags": [["k", "v"], ["", null]]}"#;
    let packed = run("aggregate", input).clean("packed");
    let outcome = run("deaggregate", &packed.stdout).clean("tags");
    let expected = "{\"record\":0,\"partitionKey\":\"a\",\"explicitHashKey\":null,\"data\":\"eA==\",\
                    \"subSequenceNumber\":0,\"aggregated\":true,\"tags\":[[\"k\",\"v\"],[\"\",null]]}\n";
    assert_eq!(outcome.text(), expected);
}

#[test]
fn input_of_nothing_gives_nothing() {
    let folder = Folder::new(&[("empty", b"")]);
    for form in ["auto", "hex", "base64", "json"] {
        for files in ["", "-", "empty", "empty - empty"] {
            let line = format!("deaggregate --input {form} {files}");
            assert_eq!(folder.run(&line, b"").clean(&line).text(), "", "{line}");
        }
    }
    for input in ["[]", "{\"Records\": []}", "{\"Records\": [], \"NextShardIterator\": \"AAA\"}\n[]\n"] {
        assert_eq!(run("deaggregate", input.as_bytes()).clean(input).text(), "", "{input}");
    }
}
