//! The command line, and what `--help` prints.

use core::num::NonZeroU64;
use core::str::FromStr;
use core::time::Duration;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use clap::builder::{NonEmptyStringValueParser, Styles};
use clap::{Args as Group, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use regex::bytes::Regex;

use kinesis_aggregation::Limits;
use kinesis_aggregation::route::HashKeyRange;

use crate::failure::Failure;
use crate::format::Format;

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

/// The largest record that Kinesis accepts by default, and that a stream can be configured to accept: data and partition key.
const DEFAULT_RECORD_BYTES: u32 = 1024 * 1024;
const MAX_RECORD_BYTES: u32 = 10 * 1024 * 1024;

/// The size of a PutRecords request that every endpoint accepts.
const DEFAULT_REQUEST_BYTES: u64 = 5 * 1024 * 1024;

/// Read and write aggregated Amazon Kinesis records
///
/// Producers that use the Kinesis Producer Library (KPL) or a similar library
/// aggregate many small user records into one Kinesis record. kinesis-agg reads and
/// writes this format.
///
/// Input comes from the files you name, or from standard input. Results go to
/// standard output, messages to standard error. The exit status is 0 on success, 1
/// if something is wrong with the input or the output or if a check fails, and 2 if
/// the command line is invalid.
#[derive(Debug, Parser)]
#[command(name = "kinesis-agg", version, styles = STYLES, max_term_width = 100, verbatim_doc_comment)]
#[command(after_long_help = "\
Examples:
  Show what is in a payload copied from a log, in hex or base64:
    echo 84mawgoBYRoFCAAaAXgnT6SiIWCSQZZrAsevv0KD | kinesis-agg inspect

  Print the data of the user records in a shard, one per line:
    aws kinesis get-records --shard-iterator \"$ITERATOR\" | kinesis-agg cat

  Aggregate user records and inspect the resulting Kinesis records:
    kinesis-agg aggregate events.jsonl > records.jsonl
    kinesis-agg inspect records.jsonl")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) messages: MessageArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Aggregate(AggregateArgs),
    Deaggregate(DeaggregateArgs),
    Cat(CatArgs),
    Inspect(InspectArgs),
    Route(RouteArgs),
    Verify(VerifyArgs),
    /// Print a shell completion script
    ///
    /// For bash:
    ///
    ///   mkdir -p ~/.local/share/bash-completion/completions
    ///   kinesis-agg completions bash \
    ///     > ~/.local/share/bash-completion/completions/kinesis-agg
    #[command(verbatim_doc_comment)]
    Completions {
        /// The shell to generate the script for
        shell: clap_complete::Shell,
    },
    /// Print a manual page
    ///
    /// To read the page of a subcommand:
    ///
    ///   kinesis-agg man inspect | man -l -
    #[command(verbatim_doc_comment)]
    Man {
        /// The subcommand to describe; without it, the page of kinesis-agg itself
        #[arg(value_name = "SUBCOMMAND", value_enum)]
        subcommand: Option<Page>,
    },
}

/// The subcommands that have a manual page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Page {
    Aggregate,
    Deaggregate,
    Cat,
    Inspect,
    Route,
    Verify,
    Completions,
    Man,
}

/// The options of all subcommands.
#[derive(Debug, Group)]
#[command(next_help_heading = "Messages")]
pub(crate) struct MessageArgs {
    /// When to use color
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", global = true)]
    pub(crate) color: Color,

    /// Print no warnings and no progress, only errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Also in files and pipes
    Always,
    /// Not even on a terminal
    Never,
}

/// Aggregate user records into Kinesis records
///
/// Reads JSON Lines, one user record per line:
///
///   {"partitionKey": "device-7", "data": "MjEuNQ=="}
///   {"partitionKey": "device-7", "explicitHashKey": "0", "text": "21.5"}
///
/// Each line has either "data", in base64, or "text". "tags" is an optional list of
/// ["key", "value"] and ["key", null]. Other members and blank lines are ignored.
///
/// Writes one JSON line per Kinesis record, unless --output says otherwise:
///
///   {"PartitionKey": "device-7", "ExplicitHashKey": "0", "Data": "84mawg…"}
///
/// With --shards, user records are aggregated by shard. Each line then has a
/// "ShardId", and an "ExplicitHashKey" that sends the Kinesis record to that shard.
///
/// The command stops at the first invalid line with exit status 1. The user records
/// before that line are still aggregated and written.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "\
Examples:
  Aggregate as the KPL does by default:
    kinesis-agg aggregate --max-bytes 51200 events.jsonl

  Aggregate for the shards of a stream, and send the result:
    aws kinesis list-shards --stream-name clicks > shards.json
    kinesis-agg aggregate --shards shards.json \\
      --output put-records --stream-name clicks events.jsonl |
      split -l 1 - request-
    for file in request-*; do
      aws kinesis put-records --cli-input-json \"file://$file\"
    done")]
pub(crate) struct AggregateArgs {
    #[command(flatten)]
    pub(crate) aggregation: AggregationArgs,

    /// What to do with a user record that exceeds --limit-bytes
    #[arg(long, value_enum, default_value_t, value_name = "ACTION")]
    pub(crate) oversize: Oversize,

    /// Write an aggregate when its first user record was read this long ago, for example 0.5. The output then depends on
    /// the time at which input arrives
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) max_age: Option<Duration>,

    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: AggregateOutput,

    /// Name of the stream in PutRecords requests (required by --output put-records)
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) stream_name: Option<String>,

    /// Maximum size of a PutRecords request in bytes: data and partition keys [default: the larger of 5242880 and
    /// --limit-bytes]
    #[arg(long, value_name = "N")]
    pub(crate) max_request_bytes: Option<u64>,
}

/// The options of every subcommand that reads.
#[derive(Debug, Group)]
pub(crate) struct ReadArgs {
    /// Files to read ("-" for standard input)
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Leave values of the input out of messages
    #[arg(long, help_heading = "Messages")]
    pub(crate) no_values: bool,
}

/// The options that `aggregate` and `verify` share.
#[derive(Debug, Group)]
pub(crate) struct AggregationArgs {
    #[command(flatten)]
    pub(crate) read: ReadArgs,

    /// Maximum size of an aggregate of two or more user records in bytes: data and partition key
    #[arg(short = 'b', long, value_name = "N", default_value_t = DEFAULT_RECORD_BYTES)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_RECORD_BYTES)))]
    pub(crate) max_bytes: u32,

    /// Maximum size of any aggregate: a user record above --max-bytes gets an aggregate of its own [default: the larger of
    /// 1048576 and --max-bytes]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_RECORD_BYTES)))]
    pub(crate) limit_bytes: Option<u32>,

    /// Maximum number of user records per Kinesis record
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_records: Option<u64>,

    /// Order of keys and user records inside a Kinesis record
    #[arg(long, value_enum, default_value_t)]
    pub(crate) order: Order,

    /// Which user records may share a Kinesis record [default: shard with --shards, otherwise all]
    #[arg(short, long, value_enum)]
    pub(crate) group: Option<Grouping>,

    /// The shards of the stream, as printed by `aws kinesis list-shards` ("-" for standard input)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) shards: Option<PathBuf>,
}

impl AggregationArgs {
    /// Returns the size that no aggregate exceeds.
    pub(crate) fn limit_bytes(&self) -> Result<u32, Failure> {
        let max_bytes = self.max_bytes;
        match self.limit_bytes {
            Some(limit) if limit < max_bytes => Err(Failure::Usage(format!(
                "--limit-bytes {limit} is less than --max-bytes {max_bytes}: --max-bytes is for aggregates of several user \
                 records, --limit-bytes for all"
            ))),
            Some(limit) => Ok(limit),
            None => Ok(max_bytes.max(DEFAULT_RECORD_BYTES)),
        }
    }

    pub(crate) fn limits(&self) -> Result<Limits, Failure> {
        let limits =
            Limits::KINESIS_MAX.with_max_bytes(self.limit_bytes()?).with_target_bytes(self.max_bytes);
        Ok(match self.max_records {
            Some(count) => limits.with_max_user_records(usize::try_from(count).unwrap_or(usize::MAX)),
            None => limits,
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Oversize {
    /// Stop
    #[default]
    Fail,
    /// Report it, leave it out, and exit with status 1 at the end
    Skip,
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

/// Deaggregate Kinesis records into JSON Lines of user records
///
/// Reads payloads as raw bytes, hex, base64 or JSON: the output of `aws kinesis
/// get-records`, events of Lambda, Firehose, Kinesis Analytics and EventBridge Pipes,
/// or what `kinesis-agg aggregate` writes. Writes one JSON line per user record:
///
///   {"record": 0, "partitionKey": "device-7", "explicitHashKey": null,
///    "data": "MjEuNQ==", "subSequenceNumber": 0, "aggregated": true}
///
/// "record" numbers the Kinesis records of the whole input, starting at 0. Sequence
/// numbers, arrival times, event IDs, record IDs and other known members are copied
/// from the input.
///
/// A plain record, one that is not aggregated, becomes a single line with
/// "aggregated": false and a "reason": no_magic, too_short, digest_mismatch or
/// malformed. All reasons except no_magic mean a damaged aggregate: there is a
/// warning for each, and with --strict the exit status is 1.
///
/// With --output lambda, each line has the form that Python's aws_kinesis_agg
/// returns, and plain records keep the form they came in:
///
///   {"kinesis": {"kinesisSchemaVersion": "1.0", "sequenceNumber": "4959…",
///    "explicitHashKey": null, "partitionKey": "device-7", "subSequenceNumber": 0,
///    "aggregated": true, "data": "MjEuNQ==", …},
///    "eventID": "shardId-000000000000:4959…", "eventSource": "aws:kinesis", …}
///
/// A line or value that cannot be read is reported, and the rest is read. The exit
/// status is then 1.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "\
Examples:
  Show the user records in an event, with their data as text:
    kinesis-agg deaggregate --text event.json

  Show those with one partition key, or with some text in their data:
    kinesis-agg deaggregate --key device-7 event.json
    kinesis-agg deaggregate --grep '\"status\": *5..' event.json

  Keep only the user records that belong to one shard:
    aws kinesis get-records --shard-iterator \"$ITERATOR\" |
      kinesis-agg deaggregate \\
        --hash-range 0-170141183460469231731687303715884105727")]
pub(crate) struct DeaggregateArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,

    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: DeaggregateOutput,

    /// Write data as "text" where it is UTF-8, and as "data" in base64 where it is not
    #[arg(short, long)]
    pub(crate) text: bool,

    /// Exit with status 1 if an aggregate is damaged
    #[arg(long)]
    pub(crate) strict: bool,

    /// Keep only user records with hash keys in this range (decimal, inclusive); plain records always pass
    #[arg(long, value_name = "START-END")]
    pub(crate) hash_range: Option<HashKeyRange>,

    /// What to keep of an aggregate that is partly inside the range [default: each]
    #[arg(long, value_enum, value_name = "MODE", requires = "hash_range")]
    pub(crate) range: Option<RangeArg>,

    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
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

/// Print the data of user records
///
/// Reads the same input as `kinesis-agg deaggregate`. Writes the data of each user
/// record, followed by a newline. The data of a plain record is written unchanged,
/// with a warning if it is a damaged aggregate.
///
/// With -f, each user record is written as the format says, and nothing is added:
///
///   %s  data                    %k  partition key       %r  Kinesis record, from 0
///   %S  size of the data        %h  explicit hash key   %i  sub-sequence number
///   %q  sequence number         %t  arrival time        %d  shard ID
///   %%  percent sign            \n  newline             \t  tab
///   \0  zero byte               \\  backslash           \xHH  byte in hex
///
/// What is not known is empty.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "\
Examples:
  Print keys and data, separated by tabs:
    kinesis-agg cat -f '%k\\t%s\\n' event.json

  Print the first ten user records that contain \"timeout\":
    kinesis-agg cat --grep timeout --limit 10 event.json

  Pass user records that may contain newlines to another program:
    kinesis-agg cat -f '%s\\0' event.json | xargs -0 -n 1 echo")]
pub(crate) struct CatArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,

    /// Write each user record in this format
    #[arg(short, long, value_name = "FORMAT", conflicts_with = "raw")]
    pub(crate) format: Option<Format>,

    /// Write nothing between the data of user records
    #[arg(short, long)]
    pub(crate) raw: bool,

    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
}

/// Which user records to write. All conditions must hold.
#[derive(Debug, Group)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectionArgs {
    /// Only user records with this partition key (may be given several times, for any of them)
    #[arg(short, long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,

    /// Only user records with data that matches this regular expression
    #[arg(short, long, value_name = "REGEX")]
    pub(crate) grep: Option<Regex>,

    /// Only the user records of Kinesis record R, or only the one with sub-sequence number S
    #[arg(long, value_name = "R[.S]")]
    pub(crate) at: Option<At>,

    /// Only the first of every N that are left
    #[arg(long, value_name = "N")]
    pub(crate) sample: Option<NonZeroU64>,

    /// Stop after this many
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) limit: Option<NonZeroU64>,
}

/// The position of a Kinesis record in the input, or of a user record in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) record: u64,
    pub(crate) sub_sequence_number: Option<u64>,
}

impl FromStr for At {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str| {
            let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.parse().ok().filter(|_| all_digits);
            number.ok_or("expected a position such as 17 or 17.3")
        };
        Ok(match text.split_once('.') {
            None => Self { record: number(text)?, sub_sequence_number: None },
            Some((record, sub)) => Self { record: number(record)?, sub_sequence_number: Some(number(sub)?) },
        })
    }
}

/// Show the hash key and shard of each user record
///
/// Reads the same input as `kinesis-agg aggregate`, but data is optional. Writes one
/// JSON line per user record:
///
///   {"partitionKey": "device-7", "hashKey": "70594183…",
///    "shardId": "shardId-000000000001"}
///
/// Without --shards, "shardId" is null.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "\
Examples:
  Find the shard of a partition key:
    aws kinesis list-shards --stream-name clicks > shards.json
    echo '{\"partitionKey\": \"device-7\"}' |
      kinesis-agg route --shards shards.json")]
pub(crate) struct RouteArgs {
    #[command(flatten)]
    pub(crate) read: ReadArgs,

    /// The shards of the stream, as printed by `aws kinesis list-shards` ("-" for standard input)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) shards: Option<PathBuf>,
}

/// Show what Kinesis records contain, and what is wrong with them
///
/// For each payload, shows whether it is aggregated, its size and overhead, its keys,
/// and its largest user records. For a damaged payload, shows the likely cause and
/// the bytes around the fault. Reads the same input as `kinesis-agg deaggregate`.
///
/// Lines are cut or wrapped to the width of the terminal, or to the number of columns
/// in the variable COLUMNS, or to 80 columns if the output is not a terminal.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "\
Examples:
  Inspect the records of a stream:
    aws kinesis get-records --shard-iterator \"$ITERATOR\" | kinesis-agg inspect

  Find damaged records in a large dump:
    kinesis-agg inspect --only damaged dump.jsonl

  Find user records on the wrong shard, which consumers built on the KCL drop:
    aws kinesis list-shards --stream-name clicks > shards.json
    kinesis-agg inspect --only misplaced --shards shards.json event.json")]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,

    /// Write one report over all payloads
    #[arg(long, conflicts_with = "only")]
    pub(crate) summary: bool,

    /// Show only these payloads
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(crate) only: Option<Only>,

    /// Exit with status 1 if a payload is damaged, or a user record is misplaced or has an unusable hash key
    #[arg(short, long)]
    pub(crate) check: bool,

    /// Report user records outside the shard of their aggregate, given the output of `aws kinesis list-shards` ("-" for
    /// standard input)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) shards: Option<PathBuf>,

    /// The shard the payloads were read from, where the input does not name it: Lambda events do, the output of
    /// `aws kinesis get-records` does not
    #[arg(long, value_name = "ID", requires = "shards")]
    pub(crate) shard_id: Option<String>,

    /// Write one JSON line per payload; with --summary, one in total
    #[arg(short, long)]
    pub(crate) json: bool,

    /// How many of the largest user records, most used keys and misplaced user records to show
    #[arg(short = 'n', long, value_name = "N", default_value_t = 5)]
    pub(crate) top: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    /// Aggregates that cannot be deaggregated
    Damaged,
    /// Aggregates with user records outside their shard (requires --shards)
    Misplaced,
}

/// The options that `deaggregate`, `cat` and `inspect` share.
#[derive(Debug, Group)]
pub(crate) struct InputArgs {
    #[command(flatten)]
    pub(crate) read: ReadArgs,

    /// Input format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) input: InputForm,

    /// Stop at the first line or value that cannot be read, instead of going on
    #[arg(long)]
    pub(crate) fail_fast: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputForm {
    /// Detect the format of each file
    #[default]
    Auto,
    /// One payload per file, as raw bytes
    Raw,
    /// Payloads in hex
    Hex,
    /// Payloads in base64
    Base64,
    /// JSON: `get-records` output, AWS events, entries, PutRecords requests
    Json,
}

/// Aggregate user records, deaggregate the result, and compare
///
/// Reads the same input as `kinesis-agg aggregate`. Shows how many bytes and PUT
/// payload units aggregation saves, and how long each step took. The exit status is 1
/// if the user records that come back are not the ones that went in.
#[derive(Debug, Group)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "\
Examples:
  Show what aggregates of one PUT payload unit would save:
    kinesis-agg verify --max-bytes 25000 events.jsonl")]
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
                let limit = u64::from(self.aggregation.limit_bytes()?);
                let max_request_bytes = self.max_request_bytes.unwrap_or(DEFAULT_REQUEST_BYTES.max(limit));
                if max_request_bytes < limit {
                    return Err(Failure::Usage(format!(
                        "--max-request-bytes {max_request_bytes} is less than --limit-bytes {limit}: a Kinesis record of that \
                         size would not fit into any request"
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

impl Args {
    /// Parses the command line. The error may also be help or a version to print.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        let mut command = Self::command().color(color_of(&arguments).into());
        let matches = command.try_get_matches_from_mut(arguments)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }

    /// Checks that standard input is named at most once.
    pub(crate) fn check_standard_input(&self) -> Result<(), Failure> {
        let (files, shards): (&[PathBuf], _) = match &self.command {
            Command::Aggregate(args) => (&args.aggregation.read.files, &args.aggregation.shards),
            Command::Verify(args) => (&args.aggregation.read.files, &args.aggregation.shards),
            Command::Route(args) => (&args.read.files, &args.shards),
            Command::Inspect(args) => (&args.input.read.files, &args.shards),
            Command::Deaggregate(args) => (&args.input.read.files, &None),
            Command::Cat(args) => (&args.input.read.files, &None),
            Command::Completions { .. } | Command::Man { .. } => return Ok(()),
        };
        let is_standard_input = |file: &Path| file == Path::new("-");
        let in_files = files.iter().filter(|file| is_standard_input(file)).count();
        let in_shards = shards.as_deref().is_some_and(is_standard_input);
        match (in_files + usize::from(in_shards), in_shards && files.is_empty()) {
            (0 | 1, false) => Ok(()),
            (_, true) => Err(Failure::Usage(
                "--shards - reads standard input: name the files to read the records from".to_owned(),
            )),
            _ => Err(Failure::Usage("standard input (-) is named more than once".to_owned())),
        }
    }
}

/// Returns the value of `--color` before anything else is parsed, for the help and for errors on the command line.
fn color_of(arguments: &[OsString]) -> Color {
    let mut values = arguments.iter().skip(1).filter_map(|argument| argument.to_str()).peekable();
    let mut color = Color::Auto;
    while let Some(argument) = values.next() {
        let value = match argument {
            "--" => break,
            "--color" => values.peek().copied(),
            argument => argument.strip_prefix("--color="),
        };
        color = value.and_then(|value| Color::from_str(value, false).ok()).unwrap_or(color);
    }
    color
}

impl From<Color> for clap::ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

impl From<Color> for anstream::ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

/// Parses a time in seconds, which may have a fraction.
fn parse_seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.filter(|duration| !duration.is_zero()).ok_or("expected a number of seconds above 0")
}
