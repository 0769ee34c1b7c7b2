//! Publishes user records to a Kinesis stream: arguments, input and a report around `KinesisProducer`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Parser;
use kinesis_aggregation::produce::{Delivery, KinesisProducer, ProducerConfig, ProducerStats};
use kinesis_aggregation::{Limits, UserRecord};
use kinesis_aggregation_aws_examples::{Failure, client};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, sleep_until};

/// Publishes user records to a Kinesis stream, aggregated by shard.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Name or ARN of the stream.
    #[arg(long)]
    stream: String,
    /// JSON Lines of {"partitionKey"?, "explicitHashKey"?, "data" (base64) or "text"}; "-" for standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Generate this many user records instead of reading them.
    #[arg(long, value_name = "COUNT")]
    generate: Option<u64>,
    /// Publish at most this many user records per second.
    #[arg(long)]
    rate: Option<u32>,
    /// Target size of a Kinesis record in bytes, including its partition key.
    #[arg(long, default_value_t = Limits::KPL.target_bytes())]
    max_bytes: u32,
    /// Send a user record after this time, even if its aggregate is not full.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 100)]
    max_age: u64,
    /// Write the user records that may be in the stream twice to this file.
    #[arg(long)]
    resent: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let mut config = ProducerConfig::default();
    config.limits = Limits::KPL.with_target_bytes(args.max_bytes);
    config.linger = Duration::from_millis(args.max_age);
    let producer = KinesisProducer::start(client().await?, &args.stream, config)?;

    let began = Instant::now();
    let (sender, receiver) = mpsc::channel(65_536);
    let results = tokio::spawn(collect(receiver, args.resent.clone()));
    let published = publish(&args, &producer, sender).await;
    // What was added is sent, even if the rest of the input cannot be read. What is outstanding then counts as undelivered.
    drop(producer.close(Duration::from_secs(120)).await);
    let undelivered = results.await??;
    report(&producer.stats(), began.elapsed().as_secs_f64());
    match published? + undelivered {
        0 => Ok(()),
        missing => Err(format!("{missing} user records were not delivered").into()),
    }
}

type Lines = Box<dyn Iterator<Item = io::Result<String>>>;

fn lines(args: &Args) -> io::Result<Lines> {
    let generated = |n| {
        Ok(json!({"partitionKey": format!("device-{}", n % 1009), "text": format!("{n:0>200}")}).to_string())
    };
    Ok(match args.generate {
        Some(count) => Box::new((0..count).map(generated)),
        None if args.file.as_os_str() == "-" => Box::new(io::stdin().lines()),
        None => Box::new(BufReader::new(File::open(&args.file)?).lines()),
    })
}

/// Adds the records of the input, no faster than the producer and the rate allow. Returns how many were refused.
async fn publish(
    args: &Args,
    producer: &KinesisProducer,
    results: Sender<(Value, Delivery)>,
) -> Result<u64, Failure> {
    let (began, mut refused) = (Instant::now(), 0);
    for (number, line) in (0..).zip(lines(args)?) {
        if let Some(rate) = args.rate {
            sleep_until(began + Duration::from_secs(number) / rate.max(1)).await;
        }
        let record: Value = serde_json::from_str(&line?)?;
        let data = match (record["data"].as_str(), record["text"].as_str()) {
            (Some(base64), _) => STANDARD.decode(base64)?,
            (None, text) => text.ok_or("either \"data\" or \"text\" is needed")?.into(),
        };
        let mut user = match record["partitionKey"].as_str() {
            Some(partition_key) => UserRecord::new(partition_key, &data),
            None => UserRecord::without_key(&data),
        };
        if let Some(hash_key) = record["explicitHashKey"].as_str() {
            user = user.with_explicit_hash_key(hash_key);
        }
        match producer.enqueue(user).await {
            Ok(delivery) => results.send((record, delivery)).await?,
            Err(error) => {
                eprintln!("publisher: {error}: {record}");
                refused += 1;
            }
        }
    }
    Ok(refused)
}

/// Awaits the result of each record. Returns how many were not delivered.
async fn collect(mut results: Receiver<(Value, Delivery)>, resent: Option<PathBuf>) -> io::Result<u64> {
    let mut resent = resent.map(File::create).transpose()?.map(BufWriter::new);
    let mut undelivered = 0;
    while let Some((mut record, delivery)) = results.recv().await {
        match (delivery.await, &mut resent) {
            (Ok(delivered), Some(file)) if delivered.possible_duplicate => {
                let errors = delivered.attempts.recent().iter().filter_map(|attempt| attempt.error.as_ref());
                record["errors"] = errors.map(|error| &*error.code).collect();
                record["attempts"] = delivered.attempts.count().into();
                writeln!(file, "{record}")?;
            }
            (Ok(_), _) => {}
            (Err(error), _) => {
                eprintln!("publisher: {error}: {record}");
                undelivered += 1;
            }
        }
    }
    resent.as_mut().map_or(Ok(()), Write::flush)?;
    Ok(undelivered)
}

/// Prints JSON to standard output, and a summary to standard error.
fn report(stats: &ProducerStats, seconds: f64) {
    let (records, entries) = (stats.delivered, stats.entries_delivered);
    let rate = records as f64 / seconds;
    eprintln!("{records} user records in {entries} Kinesis records in {seconds:.1} s: {rate:.0}/s");
    let report = json!({
        "seconds": seconds, "userRecords": stats.added, "deliveredUserRecords": records, "kinesisRecords": entries,
        "savedPuts": records.saturating_sub(entries), "bytes": stats.bytes_delivered, "bytesSent": stats.bytes_sent,
        "calls": stats.calls, "failedCalls": stats.failed_calls, "errors": stats.errors.values().sum::<u64>(),
        "misplacedUserRecords": stats.misplaced, "reroutedUserRecords": stats.rerouted, "listings": stats.listings,
        "possibleDuplicates": stats.possible_duplicates,
    });
    println!("{report}");
}
