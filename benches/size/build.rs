//! Generates micropb's messages, with the capacities of `src/input.rs`.

fn main() {
    println!("cargo::rerun-if-changed=aggregated.proto");
    #[cfg(feature = "micropb")]
    generate();
}

#[cfg(feature = "micropb")]
fn generate() {
    use micropb_gen::{Config, Generator};

    let mut generator = Generator::new();
    generator.use_container_heapless();
    // The program does not use these.
    let minimal =
        Config::new().no_accessors(true).no_clone_impl(true).no_debug_impl(true).no_partial_eq_impl(true);
    generator.configure(".", minimal);
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
