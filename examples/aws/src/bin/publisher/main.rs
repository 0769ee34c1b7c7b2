//! Publishes user records, aggregated by shard.
//!
//! Unlike Python's `kinesis_publisher`, it sends user records to the shards that own them, retries what fails, backs off from throttled
//! shards, and follows resharding.

mod publish;
mod report;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use kinesis_aggregation_aws_examples::{Failure, client};

use crate::publish::Publisher;

/// Publishes user records to a Kinesis stream, aggregated by shard.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Name of the stream.
    #[arg(long)]
    stream: String,
    /// JSON Lines of {"partitionKey", "explicitHashKey"?, "data" (base64) or "text"}; "-" for standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Generate this many user records instead of reading them.
    #[arg(long, value_name = "COUNT")]
    generate: Option<u64>,
    /// Size of the data of a generated user record, in bytes.
    #[arg(long, default_value_t = 200)]
    size: usize,
    /// Publish at most this many user records per second.
    #[arg(long)]
    rate: Option<u32>,
    /// Maximum size of a Kinesis record in bytes, including its partition key.
    #[arg(long, default_value_t = 1_048_576)]
    max_bytes: u32,
    /// Send an aggregate at this age, even if it is not full.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000)]
    max_age: u64,
    /// Maximum size of a PutRecords request in bytes: up to 10 MiB if the endpoint accepts it.
    #[arg(long, default_value_t = 5 * 1024 * 1024)]
    max_request_bytes: usize,
    /// Maximum number of PutRecords requests in flight.
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
    /// Write the user records that were sent again although they may have been delivered, with the reason, to this file.
    #[arg(long)]
    resent: Option<PathBuf>,
    /// Price of a million PUT payload units in your region, in US dollars.
    #[arg(long, default_value_t = 0.014)]
    price: f64,
}

impl Args {
    fn max_age(&self) -> Duration {
        Duration::from_millis(self.max_age)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("publisher: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    let client = client().await?;
    let mut publisher = Publisher::new(client, &args).await?;
    let outcome = publisher.run(source::start(&args)).await;
    // Report what was done, even after a failure.
    publisher.report().print(args.price);
    outcome
}
