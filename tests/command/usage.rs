//! The command line: usage errors, help, and completions.

use super::support::{Folder, command, finish, run};

const SUBCOMMANDS: [&str; 8] =
    ["aggregate", "deaggregate", "cat", "inspect", "route", "verify", "completions", "man"];

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
            "aggregate --output put-records --stream-name s --limit-bytes 6000 --max-bytes 6000 --max-request-bytes 5999",
            "--limit-bytes",
        ),
        // The limit is 1 MiB, whatever the target.
        (
            "aggregate --output put-records --stream-name s --max-bytes 6000 --max-request-bytes 6000",
            "--limit-bytes",
        ),
        ("aggregate --max-bytes 6000 --limit-bytes 5999", "--max-bytes"),
        ("aggregate --limit-bytes 10485761", "--limit-bytes"),
        ("verify --limit-bytes 1048575", "--max-bytes"),
        ("verify --oversize skip", "--oversize"),
        ("aggregate --oversize stop", "--oversize"),
        ("aggregate --max-age 0", "--max-age"),
        ("aggregate --max-age -1", "-1"),
        ("aggregate --max-age 1s", "--max-age"),
        ("aggregate --max-age inf", "--max-age"),
        ("aggregate --max-age 1e30", "--max-age"),
        ("deaggregate --flag", "--flag"),
        ("deaggregate --input other", "--input"),
        ("deaggregate --max-bytes 1000", "--max-bytes"),
        ("inspect --flag", "--flag"),
        ("inspect --input other", "--input"),
        ("inspect --top x", "--top"),
        ("inspect --only healthy", "--only"),
        ("inspect --only misplaced", "--shards"),
        ("inspect --only damaged --summary", "--summary"),
        ("deaggregate --text --output lambda", "--output lines"),
        ("deaggregate --at x", "--at"),
        ("deaggregate --at 1.", "--at"),
        ("deaggregate --at .1", "--at"),
        ("deaggregate --at 1.2.3", "--at"),
        ("deaggregate --at +1", "--at"),
        ("deaggregate --sample 0", "--sample"),
        ("deaggregate --limit 0", "--limit"),
        ("deaggregate --grep (", "--grep"),
        ("cat -f %", "-f"),
        ("cat -f %x", "%x"),
        ("cat -f \\e", "\\e"),
        ("cat -f \\x0", "\\x"),
        ("cat -f %s -r", "--raw"),
        ("cat --text", "--text"),
        ("cat --strict", "--strict"),
        ("inspect --color sometimes", "--color"),
        ("deaggregate - -", "-"),
        ("cat - x -", "-"),
        ("inspect - --shards -", "-"),
        ("inspect --shards -", "--shards"),
        ("route --shards -", "--shards"),
        ("aggregate - --shards -", "-"),
        ("verify --shards -", "--shards"),
        ("man unpack", "unpack"),
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
        "aggregate --max-bytes 5000 --limit-bytes 5000",
        "aggregate --max-age 0.001",
        "aggregate --max-age 86400",
        "aggregate --output put-records --stream-name s --max-bytes 6000 --max-request-bytes 1048576",
        "aggregate --output put-records --stream-name s --max-bytes 10485760",
        "aggregate --output put-records --stream-name s --limit-bytes 10485760",
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

    let options: [(&str, &[&str]); 5] = [
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
                "--limit-bytes",
                "--oversize",
                "--max-age",
            ],
        ),
        ("deaggregate", &["--input", "--text", "--strict", "--key", "--grep", "--at", "--sample", "--limit"]),
        ("cat", &["--input", "--format", "--raw", "--key", "--grep", "--at", "--sample", "--limit"]),
        ("inspect", &["--input", "--json", "--top", "--summary", "--only", "--check", "--shard-id"]),
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

/// Help fits a terminal of 80 columns, so that examples can be pasted.
#[test]
fn help_fits_80_columns() {
    for subcommand in SUBCOMMANDS.iter().copied().chain([""]) {
        let mut help = command(&format!("{subcommand} --help"));
        let help = finish(help.env("COLUMNS", "80").spawn().unwrap(), b"").clean(subcommand);
        for line in help.text().lines() {
            assert!(line.chars().count() <= 80, "{subcommand}: {line}");
        }
    }
}

#[test]
fn manual_pages_cover_options_and_keep_examples() {
    let page = run("man", b"").clean("man");
    for subcommand in SUBCOMMANDS {
        assert!(page.text().contains(subcommand), "{subcommand}");
        let page = run(&format!("man {subcommand}"), b"").clean(subcommand);
        assert!(page.text().contains(&format!("kinesis\\-agg\\-{subcommand}")), "{}", page.text());
    }
    let page = run("man cat", b"").clean("man cat");
    assert!(page.text().contains("\\-\\-sample"), "{}", page.text());
    // Examples are not filled: a macro before and after each keeps its lines.
    let lines: Vec<&str> = page.text().lines().collect();
    let example = lines.iter().position(|line| line.contains("Print keys and data")).unwrap();
    assert_eq!(lines[..example].iter().rfind(|line| [".nf", ".fi"].contains(line)), Some(&".nf"));
}

/// The shell decides what is written, so every way to print has to notice that it cannot.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_for_everything_printed() {
    for line in ["--version", "--help", "help", "cat --help", "man", "man cat", "completions bash"] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let outcome = finish(command(line).stdout(full).spawn().unwrap(), b"");
        assert_eq!(outcome.status, Some(1), "{line}");
        assert!(outcome.stderr.starts_with("error: cannot write the output: "), "{line}: {}", outcome.stderr);
    }
}

#[test]
fn color_is_on_request() {
    let colored = |line: &str| {
        let outcome = run(line, b"");
        (outcome.stdout.contains(&0x1b), outcome.stderr.contains('\x1b'))
    };
    for (line, expected) in [
        ("inspect tests/data/get-records.json --color always", (true, false)),
        ("--color=always inspect tests/data/get-records.json", (true, false)),
        ("inspect tests/data/get-records.json --color never", (false, false)),
        ("inspect tests/data/get-records.json", (false, false)),
        ("verify tests/data/events.jsonl --color always", (true, false)),
        ("deaggregate tests/data/get-records.json --color always", (false, true)),
        ("aggregate missing --color always", (false, true)),
        ("aggregate --flag --color always", (false, true)),
        ("aggregate --flag", (false, false)),
        ("--help --color always", (true, false)),
        ("--help", (false, false)),
    ] {
        assert_eq!(colored(line), expected, "{line}");
    }
}

#[test]
fn quiet_leaves_only_errors() {
    for line in [
        "aggregate -q tests/data/events.jsonl",
        "deaggregate -q tests/data/get-records.json",
        "deaggregate -q --hash-range 0-0 tests/data/get-records.json",
        "cat -q tests/data/get-records.json",
        "inspect -q",
    ] {
        run(line, b"").clean(line);
    }
    run("aggregate -q missing", b"").failed("missing", &["missing: "]);
}
