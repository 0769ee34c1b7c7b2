//! Reads all shards of a stream from the beginning, deaggregates, keeps the user records that belong to each shard, and resumes
//! where it stopped, even in the middle of an aggregate.

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

/// Reads the user records of a Kinesis stream and writes them as JSON Lines.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Name of the stream.
    #[arg(long)]
    stream: String,
    /// File of checkpoints. If it does not exist, reading begins at TRIM_HORIZON.
    #[arg(long)]
    checkpoints: PathBuf,
    /// File to append user records to.
    #[arg(long)]
    output: PathBuf,
    /// Number of user records of a shard between two checkpoints.
    #[arg(long, default_value_t = 1000)]
    commit_every: u64,
    /// Keep each user record that belongs to the shard it was read from, or all.
    #[arg(long, value_enum, default_value_t = Range::Each)]
    range: Range,
    /// Exit when no user record has arrived for this long.
    #[arg(long, value_name = "SECONDS")]
    idle_exit: Option<u64>,
    /// Exit with status 3 at the first checkpoint after this many user records, to simulate a crash.
    #[arg(long, value_name = "COUNT")]
    stop_after: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Range {
    Each,
    All,
}

/// Time between two calls of ListShards.
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
        // When a shard has ended, its children may be due. Otherwise list the shards again after a while.
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

/// Returns whether a shard can be read: after its parents, so that records with the same hash key keep their order. A parent that
/// the stream no longer lists has expired.
fn is_due(shard: &types::Shard, shards: &[types::Shard], output: &Output) -> bool {
    let parents = [shard.parent_shard_id(), shard.adjacent_parent_shard_id()];
    let listed = |parent: &&str| shards.iter().any(|shard| shard.shard_id == *parent);
    parents.into_iter().flatten().filter(listed).all(|parent| output.is_done(parent))
}
