//! The command line.

use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::builder::Styles;
use clap::{Args as Group, Parser, Subcommand, ValueEnum};

use kinesis_aggregation::Limits;
use kinesis_aggregation::route::HashKeyRange;

use crate::bench::BenchArgs;
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

/// Packs user records into Amazon Kinesis records, takes them apart, and looks into them
///
/// Producers pack many small user records into one Kinesis record, in the format of the Kinesis Producer Library
/// (KPL). This command writes and reads that format.
///
/// Input is read from the files named, or from standard input. Output goes to standard output, messages go to
/// standard error. The exit status is 0 if all went well, 1 if input was bad, and 2 if the call was.
#[derive(Debug, Parser)]
#[command(name = "kinesis-agg", version, styles = STYLES, max_term_width = 100)]
#[command(after_long_help = "\
Examples:
  Pack events, and see what is in the Kinesis records:
    kinesis-agg aggregate events.jsonl > records.jsonl
    kinesis-agg inspect records.jsonl

  Take apart what a stream holds:
    aws kinesis get-records --shard-iterator \"$ITERATOR\" | kinesis-agg deaggregate

  Look at one payload from a log, in hex or base64:
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
    Bench(BenchArgs),
    /// Prints a completion script for a shell
    ///
    /// For bash: kinesis-agg completions bash > ~/.local/share/bash-completion/completions/kinesis-agg
    Completions {
        /// The shell to complete in
        shell: clap_complete::Shell,
    },
}

/// Packs user records into Kinesis records
///
/// Reads JSON Lines, a user record a line:
///
///   {"partitionKey": "device-7", "data": "MjEuNQ=="}
///   {"partitionKey": "device-7", "explicitHashKey": "0", "text": "21.5"}
///
/// "data" is base64, "text" is text; each line has one of them. "tags" may be a list of
/// ["key", "value"] or ["key", null]. Other members are ignored, and so are blank lines.
///
/// Writes a JSON line per Kinesis record, unless --output says otherwise:
///
///   {"PartitionKey": "device-7", "ExplicitHashKey": "0", "Data": "84mawg…"}
///
/// With --shards, user records are packed with those of the same shard, and each line has a
/// "ShardId" and an "ExplicitHashKey" that makes it land there.
///
/// At a bad line the command stops with exit status 1; what came before it is packed and
/// written.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
pub(crate) struct AggregateArgs {
    #[command(flatten)]
    pub(crate) packing: PackingArgs,

    /// What to write
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: OutputForm,

    /// The stream that PutRecords requests name (needed with --output put-records)
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) stream_name: Option<String>,

    /// The largest PutRecords request, in bytes of data and partition keys [default: 5242880]
    #[arg(long, value_name = "N")]
    pub(crate) max_request_bytes: Option<u64>,
}

/// How user records are packed: the same for all that pack.
#[derive(Debug, Group)]
pub(crate) struct PackingArgs {
    /// Files of JSON Lines, - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// The largest Kinesis record, in bytes of data and partition key
    #[arg(long, value_name = "N", default_value_t = 1_048_576)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_485_760))]
    pub(crate) max_bytes: u32,

    /// The most user records in a Kinesis record
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_records: Option<u64>,

    /// The order of fields in a Kinesis record
    #[arg(long, value_enum, default_value_t)]
    pub(crate) order: Order,

    /// Which user records may share a Kinesis record [default: shard with --shards, else all]
    #[arg(long, value_enum)]
    pub(crate) group: Option<Grouping>,

    /// The shards of the stream: what `aws kinesis list-shards` prints
    #[arg(long, value_name = "FILE")]
    pub(crate) shards: Option<PathBuf>,
}

impl PackingArgs {
    pub(crate) fn limits(&self) -> Limits {
        let limits = Limits::KINESIS_MAX.with_max_bytes(self.max_bytes);
        match self.max_records {
            Some(count) => limits.with_max_user_records(usize::try_from(count).unwrap_or(usize::MAX)),
            None => limits,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputForm {
    /// A JSON line per Kinesis record
    #[default]
    Entries,
    /// A JSON line per PutRecords request: at most 500 Kinesis records each
    PutRecords,
    /// The bytes of the Kinesis record, of which there may be one
    Raw,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// All keys, then all user records: what the KPL writes
    #[default]
    Canonical,
    /// Each key before the first user record that has it: what a producer without a heap writes
    Streamed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Grouping {
    /// All of them
    All,
    /// Those with the same partition key, and the same explicit hash key if any
    PartitionKey,
    /// Those that the same shard owns (needs --shards)
    Shard,
}

/// Takes Kinesis records apart into their user records
///
/// Reads raw payloads, lines of hex or base64, or JSON: the output of `aws kinesis get-records`, the
/// event of a function on AWS Lambda or of a transformation of Firehose or Kinesis Analytics, or the
/// entries or PutRecords requests that `kinesis-agg aggregate` writes.
///
/// Writes a JSON line per user record:
///
///   {"record": 0, "partitionKey": "device-7", "explicitHashKey": null, "data": "MjEuNQ==",
///    "subSequenceNumber": 0, "aggregated": true}
///
/// With --output lambda, each line is what Python's aws_kinesis_agg makes of it:
///
///   {"kinesis": {"kinesisSchemaVersion": "1.0", "sequenceNumber": "4959…", "explicitHashKey": null,
///    "partitionKey": "device-7", "subSequenceNumber": 0, "aggregated": true, "data": "MjEuNQ==", …},
///    "eventID": "shardId-000000000000:4959…", "eventSource": "aws:kinesis", …}
///
/// With --hash-range, user records of other shards are left out, and counted on standard error.
///
/// "record" counts the Kinesis records of all input from 0. A Kinesis record that is not aggregated
/// comes out as one line with "aggregated": false, and "reason" says why: no_magic, too_short,
/// digest_mismatch or malformed; with --output lambda it comes out as it came. Sequence numbers,
/// arrival times, event ids, record ids and the like are passed on where the input has them.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "\
Examples:
  The user records that a function on AWS Lambda gets with an event:
    kinesis-agg deaggregate --output lambda event.json

  Their data, as text:
    kinesis-agg deaggregate event.json | jq -r '.data | @base64d'

  The user records of a shard, and of no other:
    aws kinesis get-records --shard-iterator \"$ITERATOR\" |
      kinesis-agg deaggregate --hash-range 0-170141183460469231731687303715884105727")]
pub(crate) struct DeaggregateArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,

    /// What to write
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: UserRecordForm,

    /// Leave out what a shard with these hash keys does not own: decimal, both ends included
    #[arg(long, value_name = "START-END")]
    pub(crate) hash_range: Option<HashKeyRange>,

    /// What to keep of an aggregate that mixes shards [default: each]
    #[arg(long, value_enum, value_name = "MODE", requires = "hash_range")]
    pub(crate) range: Option<RangeArg>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum UserRecordForm {
    /// A JSON line per user record, with all there is to know
    #[default]
    Lines,
    /// A JSON line per user record, as records are in Lambda's events and in Python's library
    Lambda,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RangeArg {
    /// Each user record inside the range
    #[default]
    Each,
    /// All of them if all are inside, else none: what the KCL does
    All,
}

/// Tells hash keys and shards of user records
///
/// Reads what `kinesis-agg aggregate` reads; data may be missing. Writes a JSON line per user
/// record:
///
///   {"partitionKey": "device-7", "hashKey": "70594183…", "shardId": "shardId-000000000001"}
///
/// Without --shards, "shardId" is null.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
pub(crate) struct RouteArgs {
    /// Files of JSON Lines, - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// The shards of the stream: what `aws kinesis list-shards` prints
    #[arg(long, value_name = "FILE")]
    pub(crate) shards: Option<PathBuf>,
}

/// Shows what is in Kinesis records
///
/// For each payload: whether it is aggregated, its sizes and overhead, its keys and its largest user
/// records. For a malformed one: what is wrong, and the bytes around it. Reads what
/// `kinesis-agg deaggregate` reads.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "\
Examples:
  aws kinesis get-records --shard-iterator \"$ITERATOR\" | kinesis-agg inspect

  What a function on AWS Lambda was given, and which of it consumers of the KCL would drop:
    kinesis-agg inspect --shards shards.json event.json")]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,

    /// Tell which user records lie outside the shard of their aggregate: give it what `aws kinesis
    /// list-shards` prints
    #[arg(long, value_name = "FILE")]
    pub(crate) shards: Option<PathBuf>,

    /// The shard that the payloads were read from, where the input does not say: events do, the output
    /// of `aws kinesis get-records` does not
    #[arg(long, value_name = "ID", requires = "shards")]
    pub(crate) shard_id: Option<String>,

    /// Write a JSON line per payload, for programs
    #[arg(long)]
    pub(crate) json: bool,

    /// How many of the largest user records and most used keys to show
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) top: usize,
}

#[derive(Debug, Group)]
pub(crate) struct InputArgs {
    /// Files to read, - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// What the input is
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) input: InputForm,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputForm {
    /// Told from the first 64 KiB of each file
    #[default]
    Auto,
    /// One payload a file, as it is
    Raw,
    /// One payload a line, in hex
    Hex,
    /// One payload a line, in base64
    Base64,
    /// JSON: get-records output, events of Lambda, Firehose and Kinesis Analytics, entries, PutRecords requests
    Json,
}

/// Packs user records, takes the result apart again, and compares
///
/// Reads what `kinesis-agg aggregate` reads. Prints what packing saves: try it on your own events.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) packing: PackingArgs,
}

/// What `--output` and its companions come to.
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
            OutputForm::PutRecords => {
                let Some(stream_name) = &self.stream_name else {
                    return usage("--output put-records needs --stream-name");
                };
                let max_request_bytes = self.max_request_bytes.unwrap_or(5 * 1024 * 1024);
                if max_request_bytes < u64::from(self.packing.max_bytes) {
                    let default = if self.max_request_bytes.is_none() { " (the default)" } else { "" };
                    return Err(Failure::Usage(format!(
                        "--max-request-bytes {max_request_bytes}{default} is less than --max-bytes {}: no request could hold \
                         the largest Kinesis record",
                        self.packing.max_bytes
                    )));
                }
                Ok(OutputPlan::PutRecords { stream_name, max_request_bytes })
            }
            _ if self.stream_name.is_some() => usage("--stream-name goes with --output put-records"),
            _ if self.max_request_bytes.is_some() => {
                usage("--max-request-bytes goes with --output put-records")
            }
            OutputForm::Entries => Ok(OutputPlan::Entries),
            OutputForm::Raw => Ok(OutputPlan::Raw),
        }
    }
}
