//! The command line, and what `--help` prints.

use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::builder::Styles;
use clap::{Args as Group, Parser, Subcommand, ValueEnum};

use kinesis_aggregation::Limits;
use kinesis_aggregation::route::HashKeyRange;

use crate::failure::Failure;

pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const HEADING: Style = Style::new().bold();
pub(crate) const LITERAL: Style = AnsiColor::Cyan.on_default();

const STYLES: Styles = Styles::styled()
    .header(HEADING)
    .usage(HEADING)
    .literal(LITERAL)
    .placeholder(Style::new().underline())
    .error(ERROR)
    .valid(LITERAL)
    .invalid(WARNING);

/// Aggregate, deaggregate and inspect Amazon Kinesis records
///
/// Producers that use the Kinesis Producer Library (KPL) aggregate many small user records into one Kinesis record.
/// kinesis-agg writes and reads this format.
///
/// Input comes from the files you name, or from standard input. Results go to standard output, messages to standard
/// error. The exit status is 0 on success, 1 if the input is invalid or cannot be read or the output cannot be
/// written, and 2 if the command line is invalid.
#[derive(Debug, Parser)]
#[command(name = "kinesis-agg", version, styles = STYLES, max_term_width = 100)]
#[command(after_long_help = "\
Examples:
  Aggregate user records and inspect the resulting Kinesis records:
    kinesis-agg aggregate events.jsonl > records.jsonl
    kinesis-agg inspect records.jsonl

  Deaggregate the records of a stream:
    aws kinesis get-records --shard-iterator \"$ITERATOR\" | kinesis-agg deaggregate

  Inspect a payload copied from a log, in hex or base64:
    echo 84mawgoBYRoFCAAaAXgnT6SiIWCSQZZrAsevv0KD | kinesis-agg inspect")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Aggregate(AggregateArgs),
    Deaggregate(DeaggregateArgs),
    Inspect(InspectArgs),
    Route(RouteArgs),
    Verify(VerifyArgs),
    /// Print a shell completion script
    ///
    /// For bash: kinesis-agg completions bash > ~/.local/share/bash-completion/completions/kinesis-agg
    Completions {
        /// The shell to generate the script for
        shell: clap_complete::Shell,
    },
}

/// Aggregate user records into Kinesis records
///
/// Reads JSON Lines, one user record per line:
///
///   {"partitionKey": "device-7", "data": "MjEuNQ=="}
///   {"partitionKey": "device-7", "explicitHashKey": "0", "text": "21.5"}
///
/// Each line has either "data", in base64, or "text". "tags" is an optional list of ["key", "value"]
/// and ["key", null]. Other members and blank lines are ignored.
///
/// Writes one JSON line per Kinesis record, unless --output says otherwise:
///
///   {"PartitionKey": "device-7", "ExplicitHashKey": "0", "Data": "84mawg…"}
///
/// With --shards, user records are aggregated by shard. Each output line then has a "ShardId", and an
/// "ExplicitHashKey" that sends the Kinesis record to that shard.
///
/// The command stops at the first invalid line with exit status 1. The user records before that line
/// are still aggregated and written.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
pub(crate) struct AggregateArgs {
    #[command(flatten)]
    pub(crate) aggregation: AggregationArgs,

    /// Output format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: AggregateOutput,

    /// Name of the stream in PutRecords requests (required by --output put-records)
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) stream_name: Option<String>,

    /// Maximum size of a PutRecords request in bytes: data and partition keys [default: 5242880]
    #[arg(long, value_name = "N")]
    pub(crate) max_request_bytes: Option<u64>,
}

/// The options of every subcommand that reads.
#[derive(Debug, Group)]
pub(crate) struct ReadArgs {
    /// Files to read ("-" for standard input)
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Leave values from the input out of messages
    #[arg(long)]
    pub(crate) no_values: bool,
}

/// The options that `aggregate` and `verify` share.
#[derive(Debug, Group)]
pub(crate) struct AggregationArgs {
    #[command(flatten)]
    pub(crate) read: ReadArgs,

    /// Maximum size of a Kinesis record in bytes: data and partition key
    #[arg(long, value_name = "N", default_value_t = 1_048_576)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_485_760))]
    pub(crate) max_bytes: u32,

    /// Maximum number of user records per Kinesis record
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_records: Option<u64>,

    /// Order of keys and user records inside a Kinesis record
    #[arg(long, value_enum, default_value_t)]
    pub(crate) order: Order,

    /// Which user records may share a Kinesis record [default: shard with --shards, otherwise all]
    #[arg(long, value_enum)]
    pub(crate) group: Option<Grouping>,

    /// The shards of the stream, as printed by `aws kinesis list-shards`
    #[arg(long, value_name = "FILE")]
    pub(crate) shards: Option<PathBuf>,
}

impl AggregationArgs {
    pub(crate) fn limits(&self) -> Limits {
        // The target is never above the maximum, so this sets both.
        let limits = Limits::KINESIS_MAX.with_max_bytes(self.max_bytes);
        match self.max_records {
            Some(count) => limits.with_max_user_records(usize::try_from(count).unwrap_or(usize::MAX)),
            None => limits,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum AggregateOutput {
    /// One JSON line per Kinesis record
    #[default]
    Entries,
    /// One JSON line per PutRecords request, with up to 500 Kinesis records each
    PutRecords,
    /// The bytes of a single Kinesis record
    Raw,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// All keys, then all user records, as the KPL writes them
    #[default]
    Canonical,
    /// Each key right before the first user record that uses it, as a producer without a heap writes them
    Streamed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Grouping {
    /// All user records
    All,
    /// User records with the same partition key and the same explicit hash key, if any
    PartitionKey,
    /// User records that belong to the same shard (requires --shards)
    Shard,
}

/// Deaggregate Kinesis records into user records
///
/// Reads raw payloads, lines of hex or base64, or JSON: the output of `aws kinesis get-records`, an
/// event of AWS Lambda, Firehose or Kinesis Analytics, or what `kinesis-agg aggregate` writes.
///
/// Writes one JSON line per user record:
///
///   {"record": 0, "partitionKey": "device-7", "explicitHashKey": null, "data": "MjEuNQ==",
///    "subSequenceNumber": 0, "aggregated": true}
///
/// "record" numbers the Kinesis records of the whole input, starting at 0. Sequence numbers, arrival
/// times, event IDs, record IDs and other known members are copied from the input.
///
/// A plain record, one that is not aggregated, becomes a single line with "aggregated": false and a
/// "reason": no_magic, too_short, digest_mismatch or malformed.
///
/// With --output lambda, each line has the form that Python's aws_kinesis_agg returns, and plain
/// records keep the form they came in:
///
///   {"kinesis": {"kinesisSchemaVersion": "1.0", "sequenceNumber": "4959…", "explicitHashKey": null,
///    "partitionKey": "device-7", "subSequenceNumber": 0, "aggregated": true, "data": "MjEuNQ==", …},
///    "eventID": "shardId-000000000000:4959…", "eventSource": "aws:kinesis", …}
///
/// With --hash-range, user records outside the range are skipped and counted on standard error. Plain
/// records always pass.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "\
Examples:
  Show the user records in a Lambda event:
    kinesis-agg deaggregate --output lambda event.json

  Print their data as text:
    kinesis-agg deaggregate event.json | jq -r '.data | @base64d'

  Keep only the user records that belong to one shard:
    aws kinesis get-records --shard-iterator \"$ITERATOR\" |
      kinesis-agg deaggregate --hash-range 0-170141183460469231731687303715884105727")]
pub(crate) struct DeaggregateArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,

    /// Output format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: DeaggregateOutput,

    /// Keep only user records with hash keys in this range (decimal, inclusive)
    #[arg(long, value_name = "START-END")]
    pub(crate) hash_range: Option<HashKeyRange>,

    /// What to keep of an aggregate that is partly inside the range [default: each]
    #[arg(long, value_enum, value_name = "MODE", requires = "hash_range")]
    pub(crate) range: Option<RangeArg>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeaggregateOutput {
    /// One JSON line per user record
    #[default]
    Lines,
    /// One JSON line per user record, in the form of a record in a Lambda event
    Lambda,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RangeArg {
    /// Each user record inside the range
    #[default]
    Each,
    /// All user records if all are inside the range, otherwise none, as the KCL does
    All,
}

/// Show the hash key and shard of each user record
///
/// Reads the same input as `kinesis-agg aggregate`, but data is optional. Writes one JSON line per
/// user record:
///
///   {"partitionKey": "device-7", "hashKey": "70594183…", "shardId": "shardId-000000000001"}
///
/// Without --shards, "shardId" is null.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
pub(crate) struct RouteArgs {
    #[command(flatten)]
    pub(crate) read: ReadArgs,

    /// The shards of the stream, as printed by `aws kinesis list-shards`
    #[arg(long, value_name = "FILE")]
    pub(crate) shards: Option<PathBuf>,
}

/// Show what Kinesis records contain
///
/// For each payload, shows whether it is aggregated, its size and overhead, its keys, and its largest
/// user records. For a malformed payload, shows the error and the bytes around it. Reads the same
/// input as `kinesis-agg deaggregate`.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "\
Examples:
  Inspect the records of a stream:
    aws kinesis get-records --shard-iterator \"$ITERATOR\" | kinesis-agg inspect

  Find user records that are on the wrong shard, which consumers built on the KCL drop:
    kinesis-agg inspect --shards shards.json event.json")]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,

    /// Report user records outside the shard of their aggregate, given the output of `aws kinesis list-shards`
    #[arg(long, value_name = "FILE")]
    pub(crate) shards: Option<PathBuf>,

    /// The shard the payloads were read from, where the input does not name it: Lambda events do, the output of
    /// `aws kinesis get-records` does not
    #[arg(long, value_name = "ID", requires = "shards")]
    pub(crate) shard_id: Option<String>,

    /// Write one JSON line per payload
    #[arg(long)]
    pub(crate) json: bool,

    /// How many of the largest user records and most used keys to show
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) top: usize,
}

/// The options that `deaggregate` and `inspect` share.
#[derive(Debug, Group)]
pub(crate) struct InputArgs {
    #[command(flatten)]
    pub(crate) read: ReadArgs,

    /// Stop at the first line or value that cannot be read
    #[arg(long)]
    pub(crate) fail_fast: bool,

    /// Input format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) input: InputForm,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputForm {
    /// Detect the format from the first 64 KiB of each file
    #[default]
    Auto,
    /// One payload per file, as raw bytes
    Raw,
    /// One payload per line, in hex
    Hex,
    /// One payload per line, in base64
    Base64,
    /// JSON: `get-records` output, AWS events, entries, PutRecords requests
    Json,
}

/// Aggregate user records, deaggregate the result, and compare
///
/// Reads the same input as `kinesis-agg aggregate`. Shows how many bytes and PUT payload units
/// aggregation saves, and how long each step took. The exit status is 1 if the user records that come
/// back are not the ones that went in.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) aggregation: AggregationArgs,
}

/// `--output` of `aggregate` with the options that belong to it.
#[derive(Debug)]
pub(crate) enum OutputPlan<'a> {
    Entries,
    PutRecords { stream_name: &'a str, max_request_bytes: u64 },
    Raw,
}

impl AggregateArgs {
    pub(crate) fn output_plan(&self) -> Result<OutputPlan<'_>, Failure> {
        let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
        match self.output {
            AggregateOutput::PutRecords => {
                let Some(stream_name) = &self.stream_name else {
                    return usage("--output put-records requires --stream-name");
                };
                let max_request_bytes = self.max_request_bytes.unwrap_or(5 * 1024 * 1024);
                let max_bytes = self.aggregation.max_bytes;
                if max_request_bytes < u64::from(max_bytes) {
                    let default = if self.max_request_bytes.is_none() { " (the default)" } else { "" };
                    return Err(Failure::Usage(format!(
                        "--max-request-bytes {max_request_bytes}{default} is less than --max-bytes {max_bytes}: a Kinesis \
                         record of that size would not fit into any request"
                    )));
                }
                Ok(OutputPlan::PutRecords { stream_name, max_request_bytes })
            }
            _ if self.stream_name.is_some() => usage("--stream-name requires --output put-records"),
            _ if self.max_request_bytes.is_some() => {
                usage("--max-request-bytes requires --output put-records")
            }
            AggregateOutput::Entries => Ok(OutputPlan::Entries),
            AggregateOutput::Raw => Ok(OutputPlan::Raw),
        }
    }
}
