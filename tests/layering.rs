//! The sources keep their order: a module uses only itself and the layers above it, every file can be read in one go, and
//! the crate needs neither the standard library nor `unsafe`.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic fails the test, as it should"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the crate. Each may use those before it.
const LAYERS: [&str; 11] = [
    "error",
    "sort",
    "wire",
    "message",
    "digest",
    "frame",
    "deaggregate",
    "aggregate",
    "route",
    "adapters",
    "testing",
];

/// The most lines a file may have, its unit tests included.
const MOST_LINES: usize = 500;

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All Rust files in a folder and below it: where they are from there, and their text.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let below = self::sources(&path).into_iter();
            sources.extend(below.map(|(file, text)| (format!("{name}/{file}"), text)));
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).unwrap();
            sources.push((name, text));
        }
    }
    sources
}

/// The layers that some code uses, wherever it names them, unit tests included. Instead of a module it might name what
/// `lib.rs` makes public: that comes out as it stands.
fn uses(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let below = |root| {
        let paths = code.match_indices(root).map(|(at, root): (usize, &str)| &code[at + root.len()..]);
        paths.flat_map(first_names).collect::<Vec<_>>()
    };
    // A `super` may lead to the root of the crate or not so far.
    let relative = below("super::").into_iter().filter(|name| LAYERS.contains(name));
    below("crate::").into_iter().chain(relative).map(str::to_owned).collect()
}

/// The first name of a path, or of each path of a list in braces.
fn first_names(path: &str) -> Vec<&str> {
    fn name(path: &str) -> &str {
        let path = path.trim_start();
        path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
    }
    let Some(list) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut names = vec![name(list)];
    let mut depth = 0;
    for (at, c) in list.char_indices() {
        match c {
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            '{' => depth += 1,
            ',' if depth == 0 => names.push(name(&list[at + 1..])),
            _ => {}
        }
    }
    // After the last comma there may be nothing.
    names.retain(|name| !name.is_empty());
    names
}

fn place(layer: &str, file: &str) -> usize {
    LAYERS.iter().position(|&known| known == layer).unwrap_or_else(|| panic!("{file}: {layer} is no layer"))
}

#[test]
fn paths_are_found() {
    let rows: [(&str, &str, &[&str]); 8] = [
        ("a use", "use crate::wire::Reader;", &["wire"]),
        ("a list", "use crate::{wire::{Reader, Value}, frame::MAGIC};", &["wire", "frame"]),
        ("over lines", "use crate::{\n    wire,\n    message::Tags,\n};", &["wire", "message"]),
        ("in an expression", "x = crate::digest::Md5::new()", &["digest"]),
        ("in a type", "fn f() -> Result<crate::aggregate::Aggregate, super::Error>", &["aggregate"]),
        ("super", "use super::super::aggregate::Plan; use super::*; use super::varint;", &["aggregate"]),
        ("the front door", "use crate::UserRecord;", &["UserRecord"]),
        ("a comment", "//! [`crate::frame`]\n// crate::wire\npub(crate) fn f() {}", &[]),
    ];
    for (name, code, expected) in rows {
        assert_eq!(uses(code), expected, "{name}");
    }
}

#[test]
fn modules_use_only_what_is_above_them() {
    let mut found = 0;
    for (file, text) in sources(&src()) {
        let layer = file.split(['/', '.']).next().unwrap();
        if ["lib", "bin"].contains(&layer) {
            continue;
        }
        for used in uses(&text) {
            assert!(
                place(&used, &file) <= place(layer, &file),
                "{file}: {layer} is above {used}, and uses it"
            );
            found += 1;
        }
    }
    assert!(found > 50, "only {found} paths were found");
}

#[test]
fn the_crate_names_its_modules_in_order() {
    let text = fs::read_to_string(src().join("lib.rs")).unwrap();
    // Those in files: one that is for the documentation alone is a block.
    let modules = text
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'));
    let places: Vec<usize> = modules.map(|name| place(name, "lib.rs")).collect();
    assert!(places.len() > 6 && places.is_sorted(), "{places:?}");
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(text.lines().any(|line| line == attribute), "lib.rs has no {attribute}");
    }
}

#[test]
fn files_are_short() {
    for (file, text) in sources(&src()) {
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{file} has {lines} lines: {MOST_LINES} are allowed");
    }
}
