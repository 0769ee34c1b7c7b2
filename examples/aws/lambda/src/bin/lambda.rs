//! A Lambda function that reads a stream. Environment variables configure it:
//!
//! - `STORE`: the folder to store user records in, by default `store` in the folder for temporary files. On Lambda it
//!   disappears with the instance: use a database instead.
//! - `MODE`: `bulk`, the default, or `streaming`.
//! - `FAIL_ONCE_AT`: for tests, a position where storing fails once.

use std::env;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use kinesis_aggregation_functions::consume::{bulk, streaming};
use kinesis_aggregation_functions::event::Event;
use kinesis_aggregation_functions::store::Store;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let folder = env::var_os("STORE").map_or_else(|| env::temp_dir().join("store"), PathBuf::from);
    let store = Mutex::new(Store::new(&folder)?.failing_once(env::var("FAIL_ONCE_AT").ok()));
    let consume = match env::var("MODE").as_deref() {
        Ok("streaming") => streaming,
        Ok("bulk") | Err(_) => bulk,
        Ok(other) => return Err(format!("MODE must be bulk or streaming, not {other}").into()),
    };
    run(service_fn(|event: LambdaEvent<Event>| {
        // Lambda sends an instance one event at a time, so nothing waits for this lock.
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = consume(&event.payload, &mut store);
        println!(
            "{} Kinesis records: {} user records stored, {} already stored",
            event.payload.records.len(),
            outcome.stored,
            outcome.known
        );
        if let Some(failure) = &outcome.failure {
            println!("stopped: {failure}");
        }
        async { Ok::<_, Error>(outcome.response) }
    }))
    .await
}
