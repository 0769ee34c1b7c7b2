//! The examples in `docs/command.md`, run as they are written.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use super::support::{EVENTS_JSONL, Folder, run};

const PAGE: &str = include_str!("../../docs/command.md");

/// Responds as the AWS CLI would, from files in the current folder. The second page of records is the last one.
const AWS: &str = r#"#!/bin/sh
set -eu
case "$2" in
  get-shard-iterator) echo first ;;
  list-shards) cat list-shards.json ;;
  get-records)
    case "$4" in
      first) cat get-records.json ;;
      *) grep -v NextShardIterator get-records.json | sed 's/^    \],$/    ],/' ;;
    esac ;;
  put-records)
    file=${4#file://}
    grep -q '^{"StreamName":"clicks","Records":\[{"PartitionKey":' "$file"
    echo '{"FailedRecordCount": 0}' ;;
  *) echo "unexpected: $*" >&2; exit 1 ;;
esac
"#;

/// Returns the fenced blocks of a page: their language and their text.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((language, text.join("\n") + "\n"));
        }
    }
    blocks
}

fn shell(script: &str, folder: &Path) -> Output {
    let command = Path::new(env!("CARGO_BIN_EXE_kinesis-agg")).parent().unwrap();
    let path =
        format!("{}:{}:{}", folder.join("bin").display(), command.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", script]).current_dir(folder);
    shell.env("PATH", path).env("LC_ALL", "C").env_remove("COLUMNS").output().unwrap()
}

#[test]
fn examples_work_as_written() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let dump = run("aggregate -q --max-bytes 51200 --limit-bytes 60000", EVENTS_JSONL).clean("dump").stdout;
    let other = run("aggregate -q --max-bytes 8000 --order streamed", EVENTS_JSONL).clean("other").stdout;
    let routed = run("aggregate --shards tests/data/list-shards.json", EVENTS_JSONL).clean("routed").stdout;
    let folder = Folder::new(&[
        ("events.jsonl", EVENTS_JSONL),
        ("dump.jsonl", &dump),
        ("other.jsonl", &other),
        ("routed.jsonl", &routed),
        ("event.json", &fs::read(data.join("aws/lambda.json")).unwrap()),
    ]);
    for name in ["get-records.json", "list-shards.json", "kpl.bin", "malformed.bin"] {
        fs::copy(data.join(name), folder.path().join(name)).unwrap();
    }
    fs::create_dir(folder.path().join("bin")).unwrap();
    let aws = folder.path().join("bin/aws");
    fs::write(&aws, AWS).unwrap();
    fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).unwrap();

    let blocks = blocks(PAGE);
    let examples = blocks.iter().filter(|(language, _)| *language == "sh").count();
    assert!(examples >= 20, "{examples} examples");
    let mut before: Option<(&str, String)> = None;
    for (language, text) in &blocks {
        match *language {
            "sh" => {
                let output = shell(text, folder.path());
                let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success(), "{text}\n{stderr}");
                // Warnings are about the damaged records in the data, or about mixed keys.
                assert!(stderr.lines().all(|line| line.starts_with("warning: ")), "{text}\n{stderr}");
                before = Some((text, String::from_utf8_lossy(&output.stdout).into_owned()));
            }
            "text" => {
                if let Some((example, stdout)) = before.take() {
                    assert_eq!(stdout, *text, "after\n{example}");
                }
            }
            other => panic!("a block of {other:?}"),
        }
    }
}

/// The report in the README is what the command prints.
#[test]
fn the_readme_shows_the_report_as_it_is() {
    let readme = include_str!("../../README.md");
    let line = "inspect tests/data/kpl.bin tests/data/malformed.bin";
    let shown = blocks(readme).into_iter().find(|(_, text)| text.contains(line)).unwrap().1;
    let report = run(line, b"").clean("report");
    assert_eq!(shown.split_once('\n').unwrap().1, report.text());
}

#[test]
fn every_task_has_an_example_and_a_link() {
    for title in [
        "Read",
        "Follow",
        "Search",
        "Count",
        "Compare two streams",
        "Find missing records",
        "Check in CI",
        "Aggregate and send",
    ] {
        let section = PAGE.split(&format!("\n## {title}\n")).nth(1).unwrap_or_else(|| panic!("no {title}"));
        let section = section.split("\n## ").next().unwrap();
        assert!(section.contains("```sh\n"), "{title}");
        let anchor = title.to_lowercase().replace(' ', "-");
        assert!(PAGE.contains(&format!("](#{anchor})")), "{title}");
    }
}
