//! Publishes user records, aggregated for the shards of a stream.
//!
//! Python's `kinesis_publisher`, with everything that it leaves out: user records go to the shards that own them, what fails goes
//! again, throttled shards rest, and a stream may be resharded meanwhile.

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
    /// The stream.
    #[arg(long)]
    stream: String,
    /// JSON Lines of {"partitionKey", "explicitHashKey"?, "data" (base64) or "text"}; "-" is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Generate as many user records instead of reading any.
    #[arg(long, value_name = "COUNT")]
    generate: Option<u64>,
    /// Bytes of data of a generated user record.
    #[arg(long, default_value_t = 200)]
    size: usize,
    /// At most so many user records a second.
    #[arg(long)]
    rate: Option<u32>,
    /// Bytes of a Kinesis record, partition key included.
    #[arg(long, default_value_t = 1_048_576)]
    max_bytes: u32,
    /// Send what is that old, full or not.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000)]
    max_age: u64,
    /// Bytes of a PutRecords call: up to 10 MiB where the endpoint takes it.
    #[arg(long, default_value_t = 5 * 1024 * 1024)]
    max_request_bytes: usize,
    /// PutRecords calls on their way at once.
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
    /// Write the user records that were sent again although they may have arrived, and why, to this file.
    #[arg(long)]
    resent: Option<PathBuf>,
    /// Dollars for a million PUT payload units, in your region.
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
    // What was done is told in any case.
    publisher.report().print(args.price);
    outcome
}
