//! A Lambda function that transforms records for Firehose.

use kinesis_aggregation_functions::transform::{Event, MAX_RESPONSE, transform};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(async |event: LambdaEvent<Event>| Ok::<_, Error>(transform(event.payload, MAX_RESPONSE))))
        .await
}
