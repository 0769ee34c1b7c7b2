//! `kinesis-agg cat`, and which user records it and `deaggregate` select.

use super::support::{Outcome, SMALLEST, base64, run};

/// Two aggregates of two and three user records, and a plain record between them, as entries with metadata.
fn entries() -> Vec<u8> {
    let aggregate = |lines: &str| {
        let entry = run("aggregate -q", lines.as_bytes()).clean("aggregate").entries().remove(0);
        base64(&entry.data)
    };
    let first = aggregate(
        "{\"partitionKey\": \"a\", \"text\": \"one\"}\n{\"partitionKey\": \"b\", \"explicitHashKey\": \"7\", \"data\": \"/wo=\"}",
    );
    let second = aggregate(
        "{\"partitionKey\": \"c\", \"text\": \"three\"}\n{\"partitionKey\": \"a\", \"text\": \"two\"}\n{\"partitionKey\": \"a\", \"text\": \"\"}",
    );
    let plain = base64(b"plain one");
    format!(
        "{{\"Data\": \"{first}\", \"PartitionKey\": \"a\", \"SequenceNumber\": \"11\", \"ApproximateArrivalTimestamp\": 1.50}}
{{\"Data\": \"{plain}\", \"PartitionKey\": \"a\", \"SequenceNumber\": \"22\", \"ApproximateArrivalTimestamp\": \"2024-11-23\"}}
{{\"Data\": \"{second}\", \"ShardId\": \"shardId-000000000007\"}}\n"
    )
    .into_bytes()
}

fn cat(options: &str) -> Outcome {
    run(&format!("cat {options}"), &entries())
}

#[test]
fn data_is_followed_by_a_newline_unless_raw() {
    assert_eq!(cat("").clean("lines").stdout, b"one\n\xff\n\nplain one\nthree\ntwo\n\n");
    assert_eq!(cat("--raw").clean("raw").stdout, b"one\xff\nplain onethreetwo");
    assert_eq!(cat("-r").clean("raw").stdout, b"one\xff\nplain onethreetwo");
}

/// The option is one word here, so blanks are `\x20`.
#[test]
fn a_format_prints_what_is_known() {
    for (format, expected) in [
        ("%s", "one\u{fffd}\nplain onethreetwo"),
        ("%S,", "3,2,9,5,3,0,"),
        ("%k\\n", "a\nb\na\nc\na\na\n"),
        ("%h|", "|7|||||"),
        ("%r.%i\\t", "0.0\t0.1\t1.0\t2.0\t2.1\t2.2\t"),
        ("%q;", "11;11;22;;;;"),
        ("%t;", "1.50;1.50;2024-11-23;;;;"),
        ("%d;", ";;;shardId-000000000007;shardId-000000000007;shardId-000000000007;"),
        ("%%\\\\\\x41\\0", "%\\A\0%\\A\0%\\A\0%\\A\0%\\A\0%\\A\0"),
        ("\\x20é", " é é é é é é"),
    ] {
        let outcome = cat(&format!("-f {format}")).clean(format);
        assert_eq!(String::from_utf8_lossy(&outcome.stdout), expected, "{format}");
    }
    let nothing = run("cat -f %k%h%q%t%d%s", b"00").clean("nothing is known");
    assert_eq!(nothing.stdout, b"\0");
}

#[test]
fn conditions_select_user_records() {
    let all = "0.0 0.1 1.0 2.0 2.1 2.2";
    for (options, expected) in [
        ("", all),
        // The key of a plain record is its own.
        ("--key a", "0.0 1.0 2.1 2.2"),
        ("--key b --key c", "0.1 2.0"),
        ("-k a -k b -k c", all),
        ("--key A", ""),
        ("--key 11", ""),
        ("--grep one", "0.0 1.0"),
        ("--grep ^one$", "0.0"),
        ("--grep (?-u)\\xff", "0.1"),
        ("-g ^$", "2.2"),
        ("-g T", ""),
        ("--grep (?i)T", "2.0 2.1"),
        ("--at 0", "0.0 0.1"),
        ("--at 2.1", "2.1"),
        ("--at 1.0", "1.0"),
        ("--at 1.1", ""),
        ("--at 9", ""),
        ("--sample 1", all),
        ("--sample 2", "0.0 1.0 2.1"),
        ("--sample 6", "0.0"),
        ("--sample 100", "0.0"),
        ("--limit 1", "0.0"),
        ("-n 4", "0.0 0.1 1.0 2.0"),
        ("-n 100", all),
        ("--key a --grep o", "0.0 1.0 2.1"),
        ("--key a --grep o --at 2", "2.1"),
        ("--key a --sample 2 --limit 2", "0.0 2.1"),
        ("--key a --sample 3", "0.0 2.2"),
    ] {
        let positions = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let outcome = cat(&format!("-f %r.%i\\n {options}")).clean(options);
        assert_eq!(positions(outcome.text()), positions(expected), "cat {options}");

        let lines = run(&format!("deaggregate {options}"), &entries()).clean(options).values();
        let position = |line: &serde_json::Value| format!("{}.{}", line["record"], line["subSequenceNumber"]);
        assert_eq!(
            lines.iter().map(position).collect::<Vec<_>>(),
            positions(expected),
            "deaggregate {options}"
        );
        let lines = run(&format!("deaggregate -o lambda {options}"), &entries()).clean(options).values();
        assert_eq!(lines.len(), positions(expected).len(), "deaggregate -o lambda {options}");
    }
    // With a range, a sample is one of those inside.
    let aggregate = run("aggregate -q tests/data/events.jsonl", b"").stdout;
    let all = run("deaggregate -q --hash-range 0-9999999999999999999999999999999999999", &aggregate).values();
    let range = "--hash-range 0-9999999999999999999999999999999999999 --sample 5 --limit 3";
    let some = run(&format!("deaggregate -q {range}"), &aggregate).clean("range").values();
    assert_eq!(some, [all[0].clone(), all[5].clone(), all[10].clone()]);
}

/// Input after the limit is not read, even if it is invalid.
#[test]
fn a_limit_stops_reading() {
    let input = [&entries()[..], b"{\"Data\": 7}\n"].concat();
    for options in ["--limit 6", "--at 1", "--at 2", "--at 2.9", "--at 2 --limit 1"] {
        run(&format!("cat {options}"), &input).clean(options);
    }
    for options in ["--limit 7", "--at 3", "--at 4", "--limit 6 --key x"] {
        run(&format!("cat {options}"), &input).failed(options, &["standard input:4: "]);
    }
}

#[test]
fn damaged_aggregates_are_printed_with_a_warning() {
    let damaged =
        format!("{{\"Data\": \"{}C\", \"SequenceNumber\": \"5\"}}", &SMALLEST[..SMALLEST.len() - 1]);
    let outcome = run("cat", damaged.as_bytes()).warned("damaged");
    assert_eq!(outcome.stdout.len(), 31, "30 bytes and a newline");
    for part in ["sequence number 5", "digest_mismatch"] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    // Not if it is not selected by position, but if its contents cannot be compared.
    run("cat --at 1", damaged.as_bytes()).clean("another record");
    run("cat --key x", damaged.as_bytes()).warned("another key");
}
