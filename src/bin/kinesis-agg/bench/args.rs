//! How `kinesis-agg bench` is called.

use std::path::PathBuf;

use clap::Args;

/// Measures how fast this machine packs and takes apart
///
/// Reads files of Kinesis records, in any form that `kinesis-agg deaggregate` reads, or of user
/// records, as `kinesis-agg aggregate` reads them; those are packed first. No more than 16 MiB of
/// Kinesis records are measured. Without files, 100,000 user records of 80 to 111 bytes with 256
/// partition keys are made up.
///
/// All is done in memory, on one core: reading and writing files is not measured.
///
/// Prints a table: user records a second, gigabytes of Kinesis records a second, and how much of
/// the time goes into the digest that the format demands. Operations are done in turns, and the
/// numbers are medians, so that what else the machine does matters little.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "\
Examples:
  kinesis-agg bench
  kinesis-agg bench --seconds 30 events.jsonl
  aws kinesis get-records --shard-iterator \"$ITERATOR\" | kinesis-agg bench --json -")]
pub(crate) struct BenchArgs {
    /// Files to measure on, - for standard input [default: what is made up]
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// How long to measure, in seconds: 60 at most. Each operation is done at least twice, however long it takes
    #[arg(long, value_name = "N", default_value = "10", value_parser = seconds)]
    pub(crate) seconds: f64,

    /// The largest Kinesis record to pack, in bytes of data and partition key
    #[arg(long, value_name = "N", default_value_t = 1_048_576)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_485_760))]
    pub(crate) max_bytes: u32,

    /// Write a JSON line per operation, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("not a number of seconds from 0 to 60".to_owned()),
    }
}
