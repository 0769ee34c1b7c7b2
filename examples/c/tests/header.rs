//! The header that is checked in is the one that cbindgen generates from the sources.

#![cfg(all(feature = "full", not(miri)))]

use std::{env, fs};

use cbindgen::{Builder, Config};

#[test]
fn header_is_generated_from_the_sources() {
    let mut builder = Builder::new().with_config(Config::from_file("cbindgen.toml").unwrap());
    for source in ["status", "encoder", "extended", "decoder"] {
        builder = builder.with_src(format!("src/{source}.rs"));
    }
    let mut generated = Vec::new();
    builder.generate().unwrap().write(&mut generated);
    // Rust's heading for what the caller promises.
    let generated =
        String::from_utf8(generated).unwrap().replace("# Safety\n *\n * ", "The caller promises: ");
    let header = "include/kagg.h";
    if env::var_os("KAGG_WRITE_HEADER").is_some() {
        fs::write(header, &generated).unwrap();
    }
    let checked_in = fs::read_to_string(header).unwrap_or_default();
    assert!(
        checked_in == generated,
        "{header} is stale: run the tests with KAGG_WRITE_HEADER=1 set, and review it"
    );
}
