//! Generates Rust tables from the golden vectors. Verdicts come from the executable specification in `tests/reference`, which also
//! knows the offsets of faults; they have to agree with those in the vectors.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../reference/mod.rs"]
mod reference;

use reference::{Reason, SpecRecord, Verdict, specify};

/// The memory map in the manual of the LM3S6965.
const LM3S6965: &str =
    "MEMORY { FLASH : ORIGIN = 0x00000000, LENGTH = 256K RAM : ORIGIN = 0x20000000, LENGTH = 64K }\n";

/// QEMU's machine `virt`, restricted to the memory of a small microcontroller.
const VIRT: &str = "
MEMORY { FLASH : ORIGIN = 0x80000000, LENGTH = 256K RAM : ORIGIN = 0x80100000, LENGTH = 64K }
REGION_ALIAS(\"REGION_TEXT\", FLASH);
REGION_ALIAS(\"REGION_RODATA\", FLASH);
REGION_ALIAS(\"REGION_DATA\", RAM);
REGION_ALIAS(\"REGION_BSS\", RAM);
REGION_ALIAS(\"REGION_HEAP\", RAM);
REGION_ALIAS(\"REGION_STACK\", RAM);
";

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let memory =
        if env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "arm") { LM3S6965 } else { VIRT };
    fs::write(out.join("memory.x"), memory).expect("memory.x is written");
    println!("cargo::rustc-link-search={}", out.display());

    fs::write(out.join("vectors.rs"), tables()).expect("vectors.rs is written");
    for changed in ["build.rs", "../vectors", "../reference"] {
        println!("cargo::rerun-if-changed={changed}");
    }
}

fn tables() -> String {
    let mut text = "pub(crate) const DECODE: &[Vector] = &[\n".to_owned();
    for row in lines("decode.jsonl") {
        let payload = hex(row["payload"].as_str().expect("a payload"));
        text += &vector(&row["name"], &payload, &row["expect"]);
    }
    text += "];\npub(crate) const ENCODE: &[Vector] = &[\n";
    for row in lines("encode.jsonl") {
        let payload = base64(row["encoded"].as_str().expect("an aggregate"));
        text += &vector(&row["name"], &payload, &serde_json::json!({ "records": row["records"] }));
    }
    text + "];\n"
}

fn vector(name: &Value, payload: &[u8], expect: &Value) -> String {
    let verdict = match specify(payload) {
        Verdict::Aggregated(records) => {
            assert_eq!(Some(records.len()), expect["records"].as_array().map(Vec::len), "{name}");
            format!(
                "Aggregated {{ records: {}, digest: {:?} }}",
                records.len(),
                md5::compute(fields(&records)).0
            )
        }
        Verdict::Plain(reason) => {
            let (reason, word) = plain(&reason);
            assert_eq!(expect["plain"], word, "{name}");
            format!("Plain({reason:?})")
        }
    };
    format!("    Vector {{ name: {name}, payload: &{payload:?}, verdict: Expected::{verdict} }},\n")
}

/// Returns a reason as the library's `Debug` prints it, and as the vectors name it.
fn plain(reason: &Reason) -> (String, &'static str) {
    match reason {
        Reason::NoMagic => ("NoMagic".to_owned(), "no_magic"),
        Reason::TooShort => ("TooShort".to_owned(), "too_short"),
        Reason::DigestMismatch => ("DigestMismatch".to_owned(), "digest_mismatch"),
        Reason::Malformed { fault, offset } => {
            let wrong = usize::from(env::var_os("CARGO_FEATURE_BROKEN").is_some());
            (format!("{fault:?} at {}", offset + wrong), "malformed")
        }
    }
}

/// Serializes all fields of user records, in the same way as `take_in` in `src/vectors.rs`.
fn fields(records: &[SpecRecord]) -> Vec<u8> {
    let mut all = Vec::new();
    let mut take = |bytes: Option<&[u8]>| match bytes {
        None => all.push(0),
        Some(bytes) => {
            all.push(1);
            all.extend(u32::try_from(bytes.len()).expect("vectors are small").to_le_bytes());
            all.extend(bytes);
        }
    };
    for record in records {
        take(Some(record.partition_key.as_bytes()));
        take(record.explicit_hash_key.as_deref().map(str::as_bytes));
        take(Some(&record.data));
        for (key, value) in &record.tags {
            take(Some(key.as_bytes()));
            take(value.as_deref().map(str::as_bytes));
        }
    }
    all
}

fn lines(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(Path::new("../vectors").join(file)).expect("the vectors exist");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(byte).collect()
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = String::new();
    for digit in text.trim_end_matches('=').bytes() {
        let value = DIGITS.iter().position(|other| *other == digit).expect("a digit of base64");
        write!(bits, "{value:06b}").expect("writing to a string succeeds");
    }
    let byte = |at| u8::from_str_radix(&bits[at..at + 8], 2).expect("binary digits");
    (0..bits.len() / 8).map(|byte_no| byte(byte_no * 8)).collect()
}
