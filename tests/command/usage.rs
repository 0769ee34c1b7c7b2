//! The command line: usage errors, help, and completions.

use super::support::{Folder, run};

const SUBCOMMANDS: [&str; 6] = ["aggregate", "deaggregate", "inspect", "route", "verify", "completions"];

#[test]
fn usage_errors_exit_with_2() {
    // Each message names the option or the value.
    let cases = [
        ("", "Usage"),
        ("unpack", "unpack"),
        ("--flag", "--flag"),
        ("aggregate --flag", "--flag"),
        ("deaggregate --output entries", "entries"),
        ("aggregate --max-bytes", "--max-bytes"),
        ("aggregate --max-bytes 0", "--max-bytes"),
        ("aggregate --max-bytes 10485761", "--max-bytes"),
        ("aggregate --max-bytes 99999999999999999999", "--max-bytes"),
        ("aggregate --max-bytes -1", "-1"),
        ("aggregate --max-bytes 1MiB", "1MiB"),
        ("aggregate --max-records 0", "--max-records"),
        ("aggregate --max-records x", "--max-records"),
        ("aggregate --order other", "--order"),
        ("aggregate --group other", "--group"),
        ("aggregate --output other", "--output"),
        ("aggregate --output put-records", "--stream-name"),
        ("aggregate --stream-name s", "--output put-records"),
        ("aggregate --stream-name s --output entries", "--output put-records"),
        ("aggregate --stream-name s --output raw", "--output put-records"),
        ("aggregate --max-request-bytes 2000000", "--output put-records"),
        ("aggregate --output put-records --stream-name s --max-request-bytes 1048575", "--max-request-bytes"),
        ("aggregate --output put-records --stream-name s --max-request-bytes 0", "--max-request-bytes"),
        (
            "aggregate --output put-records --stream-name s --max-bytes 6000 --max-request-bytes 5999",
            "--max-request-bytes",
        ),
        // More than the default of 5 MiB.
        ("aggregate --output put-records --stream-name s --max-bytes 5242881", "--max-request-bytes"),
        ("deaggregate --flag", "--flag"),
        ("deaggregate --input other", "--input"),
        ("deaggregate --max-bytes 1000", "--max-bytes"),
        ("inspect --flag", "--flag"),
        ("inspect --input other", "--input"),
        ("inspect --top x", "--top"),
        ("verify --flag", "--flag"),
        ("verify --max-bytes 0", "--max-bytes"),
        ("verify --output raw", "--output"),
        ("route --data x", "--data"),
        ("inspect --shard-id x", "--shards"),
        ("inspect --shards tests/data/list-shards.json --shard-id x", "--shard-id"),
        ("aggregate --group shard", "--shards"),
        ("verify --group shard", "--shards"),
        ("deaggregate --range each", "--hash-range"),
        ("deaggregate --hash-range 5", "--hash-range"),
        ("deaggregate --hash-range 9-5", "--hash-range"),
        ("deaggregate --hash-range 05-9", "--hash-range"),
        ("deaggregate --hash-range 0-9 --range some", "--range"),
        ("completions", "SHELL"),
        ("completions csh", "csh"),
    ];
    // Usage errors come before errors in the input.
    for (line, part) in cases {
        let outcome = run(line, b"bad");
        assert_eq!(outcome.status, Some(2), "{line}: {}", outcome.stderr);
        assert_eq!(outcome.text(), "", "{line}");
        assert!(outcome.stderr.contains(part), "{line}: {part:?} is not in {}", outcome.stderr);
    }
    let outcome = run("aggregate missing --output put-records", b"");
    assert_eq!(outcome.status, Some(2), "{}", outcome.stderr);
}

#[test]
fn values_at_their_limits_are_accepted() {
    for line in [
        "aggregate --max-bytes 1",
        "aggregate --max-bytes 10485760",
        "aggregate --max-records 1",
        "aggregate --max-records 18446744073709551615",
        "aggregate --output put-records --stream-name s --max-bytes 6000 --max-request-bytes 6000",
        "aggregate --output put-records --stream-name s --max-bytes 5242880",
        "aggregate --output put-records --stream-name s --max-bytes 10485760 --max-request-bytes 10485760",
        "verify --max-bytes 10485760",
    ] {
        run(line, b"").clean(line);
    }
}

#[test]
fn help_lists_subcommands_and_options() {
    let help = run("--help", b"").clean("--help");
    for part in SUBCOMMANDS {
        assert!(help.text().contains(part), "{part}");
    }
    let version = run("--version", b"").clean("--version");
    let version = version.text().trim_end();
    assert!(version.starts_with("kinesis-agg"), "{version}");
    assert!(version.ends_with(concat!(" ", env!("CARGO_PKG_VERSION"))), "{version}");
    assert_eq!(run("-V", b"").clean("-V").text().trim_end(), version);

    let options: [(&str, &[&str]); 4] = [
        (
            "aggregate",
            &[
                "--max-bytes",
                "--max-records",
                "--order",
                "--group",
                "--output",
                "--stream-name",
                "--max-request-bytes",
            ],
        ),
        ("deaggregate", &["--input"]),
        ("inspect", &["--input", "--json", "--top"]),
        ("verify", &["--max-bytes", "--max-records", "--order", "--group"]),
    ];
    for (subcommand, options) in options {
        for line in [format!("{subcommand} --help"), format!("{subcommand} -h"), format!("help {subcommand}")]
        {
            let help = run(&line, b"").clean(&line);
            for option in options {
                assert!(help.text().contains(option), "{line}: {option}");
            }
        }
    }
}

#[test]
fn completions_cover_subcommands_options_and_values() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&format!("completions {shell}"), b"").clean(shell);
        for part in SUBCOMMANDS {
            assert!(script.text().contains(part), "{shell}: {part}");
        }
        assert!(script.text().contains("max-request-bytes"), "{shell}");
        // These shells complete values too.
        for part in ["partition-key", "put-records", "base64"] {
            assert!(
                !["bash", "zsh", "fish"].contains(&shell) || script.text().contains(part),
                "{shell}: {part}"
            );
        }
    }
}

#[test]
fn double_dash_allows_files_named_like_options() {
    let line = b"{\"partitionKey\": \"k\", \"text\": \"x\"}\n";
    let folder = Folder::new(&[("--json", line)]);
    assert_eq!(folder.run("aggregate -- --json", b"").clean("a file").entries().len(), 1);
}
