//! Lets micropb generate its messages, each container as large as `src/input.rs` says.

use micropb_gen::{Config, Generator};

fn main() {
    println!("cargo::rerun-if-changed=aggregated.proto");
    if std::env::var_os("CARGO_FEATURE_MICROPB").is_none() {
        return;
    }
    let mut generator = Generator::new();
    generator.use_container_heapless();
    // Nobody calls these; they would not be linked either.
    let bare =
        Config::new().no_accessors(true).no_clone_impl(true).no_debug_impl(true).no_partial_eq_impl(true);
    generator.configure(".", bare);
    for (path, len) in [
        (".AggregatedRecord.partition_key_table", 16),
        (".AggregatedRecord.explicit_hash_key_table", 16),
        (".AggregatedRecord.records", 16),
        (".Record.tags", 1),
    ] {
        generator.configure(path, Config::new().max_len(len));
    }
    for (path, bytes) in [
        (".AggregatedRecord.partition_key_table.elem", 16),
        (".AggregatedRecord.explicit_hash_key_table.elem", 39),
        (".Record.data", 32),
        (".Tag.key", 16),
        (".Tag.value", 16),
    ] {
        generator.configure(path, Config::new().max_bytes(bytes));
    }
    let out = std::env::var("OUT_DIR").unwrap();
    generator.compile_protos(&["aggregated.proto"], format!("{out}/aggregated.rs")).unwrap();
}
