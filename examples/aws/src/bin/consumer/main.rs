//! Reads all shards of a stream from the beginning, takes the records apart, keeps what belongs to each shard, and goes on where it
//! stopped: also in the middle of an aggregate.

mod checkpoints;
mod output;
mod shard;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_kinesis::types;
use clap::{Parser, ValueEnum};
use kinesis_aggregation_aws_examples::{Failure, client, list_shards};
use tokio::task::JoinSet;
use tokio::time;

use crate::output::Output;
use crate::shard::Reader;

/// Reads a Kinesis stream, its user records one by one, as JSON Lines.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The stream.
    #[arg(long)]
    stream: String,
    /// Where to remember what is done. Without this file, reading begins at TRIM_HORIZON.
    #[arg(long)]
    checkpoints: PathBuf,
    /// Where to write user records to; what is there stays.
    #[arg(long)]
    output: PathBuf,
    /// User records of a shard between two checkpoints.
    #[arg(long, default_value_t = 1000)]
    commit_every: u64,
    /// What to keep: user records that belong to the shard they were read from, or all.
    #[arg(long, value_enum, default_value_t = Range::Each)]
    range: Range,
    /// End when nothing came for as many seconds.
    #[arg(long, value_name = "SECONDS")]
    idle_exit: Option<u64>,
    /// End at once, with status 3, at the first checkpoint after as many user records: to see what a crash does.
    #[arg(long, value_name = "COUNT")]
    stop_after: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Range {
    Each,
    All,
}

/// Between two looks at the list of shards.
const BETWEEN_LISTS: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("consumer: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    let client = client().await?;
    let output = Arc::new(Output::open(&args.output, &args.checkpoints, args.stop_after)?);
    let mut readers = JoinSet::new();
    let mut begun = BTreeSet::new();
    loop {
        let shards = list_shards(&client, &args.stream).await?;
        for shard in &shards {
            if !output.is_done(&shard.shard_id)
                && is_due(shard, &shards, &output)
                && begun.insert(shard.shard_id.clone())
            {
                let reader = Reader::new(client.clone(), &args, shard, output.clone())?;
                readers.spawn(reader.run());
            }
        }
        // A shard that has ended may have children to begin with; otherwise look again after a while.
        if let Ok(Some(ended)) = time::timeout(BETWEEN_LISTS, readers.join_next()).await {
            ended??;
        } else if readers.is_empty() {
            time::sleep(BETWEEN_LISTS).await;
        }
        let idle = Instant::now().duration_since(output.last_seen());
        if args.idle_exit.is_some_and(|most| idle > Duration::from_secs(most)) {
            readers.shutdown().await;
            output.print_counts();
            return Ok(());
        }
    }
}

/// A shard is read when those it came from have been, so that records with the same hash key keep their order. Parents that the
/// stream no longer has are done with.
fn is_due(shard: &types::Shard, shards: &[types::Shard], output: &Output) -> bool {
    let parents = [shard.parent_shard_id(), shard.adjacent_parent_shard_id()];
    let listed = |parent: &&str| shards.iter().any(|shard| shard.shard_id == *parent);
    parents.into_iter().flatten().filter(listed).all(|parent| output.is_done(parent))
}
