//! A function that reads a stream. Where it stores user records, and how, the environment says:
//!
//! - `STORE`: a folder, `/tmp/store` by default. On Lambda that is gone when the function is: put a database there.
//! - `MODE`: `bulk`, the default, or `streaming`.
//! - `FAIL_ONCE_AT`: for trials, a position where storing fails once.

use std::env;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use kinesis_aggregation_functions::consume::{bulk, streaming};
use kinesis_aggregation_functions::event::Event;
use kinesis_aggregation_functions::store::Store;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let folder = env::var("STORE").unwrap_or_else(|_| "/tmp/store".to_owned());
    let store = Mutex::new(Store::new(Path::new(&folder))?.failing_once(env::var("FAIL_ONCE_AT").ok()));
    let consume = match env::var("MODE").as_deref() {
        Ok("streaming") => streaming,
        Ok("bulk") | Err(_) => bulk,
        Ok(other) => return Err(format!("MODE is bulk or streaming, not {other}").into()),
    };
    run(service_fn(|event: LambdaEvent<Event>| {
        // Lambda gives an instance one event at a time.
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = consume(&event.payload, &mut store);
        println!(
            "{} Kinesis records: {} user records stored, {} known before",
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
