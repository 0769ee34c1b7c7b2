//! Shared by the programs: a client and the list of shards.

use std::error::Error;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_kinesis::types::Shard;

/// An error that ends a program.
pub type Failure = Box<dyn Error + Send + Sync>;

/// Creates a client that does not retry. The programs retry themselves: they know which records may have been delivered
/// although the response was lost, and which shards to back off from.
pub async fn client() -> Result<Client, Failure> {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(30))
        .build();
    let config = base_config().await?.retry_config(RetryConfig::disabled()).timeout_config(timeouts);
    Ok(Client::from_conf(config.build()))
}

/// Loads region, endpoint and credentials like the AWS tools.
#[cfg(feature = "aws")]
async fn base_config() -> Result<aws_sdk_kinesis::config::Builder, Failure> {
    let shared = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    Ok(aws_sdk_kinesis::config::Builder::from(&shared))
}

/// Reads everything from the environment, and uses plain HTTP.
#[cfg(not(feature = "aws"))]
async fn base_config() -> Result<aws_sdk_kinesis::config::Builder, Failure> {
    use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};

    let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let endpoint = get("AWS_ENDPOINT_URL_KINESIS").or_else(|| get("AWS_ENDPOINT_URL"));
    let endpoint =
        endpoint.ok_or("AWS_ENDPOINT_URL is not set; for AWS itself, build with --features aws")?;
    let region = get("AWS_REGION").or_else(|| get("AWS_DEFAULT_REGION")).unwrap_or("us-east-1".into());
    // Local servers accept any credentials.
    let key = get("AWS_ACCESS_KEY_ID").unwrap_or("local".into());
    let secret = get("AWS_SECRET_ACCESS_KEY").unwrap_or("local".into());
    let credentials = Credentials::new(key, secret, get("AWS_SESSION_TOKEN"), None, "environment");
    Ok(aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .region(Region::new(region))
        .credentials_provider(credentials))
}

/// Formats an error with its sources: the SDK's errors alone say only "service error".
pub fn explain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    text
}

/// Lists all shards of a stream, including closed ones. Retries for a few seconds.
pub async fn list_shards(client: &Client, stream: &str) -> Result<Vec<Shard>, Failure> {
    let mut backoff = Duration::from_millis(100);
    loop {
        match try_list_shards(client, stream).await {
            Ok(shards) => return Ok(shards),
            Err(error) if backoff > Duration::from_secs(5) => {
                return Err(format!("{stream}: {}", explain(&*error)).into());
            }
            Err(_) => tokio::time::sleep(backoff).await,
        }
        backoff *= 2;
    }
}

async fn try_list_shards(client: &Client, stream: &str) -> Result<Vec<Shard>, Failure> {
    let mut shards = Vec::new();
    let mut page = client.list_shards().stream_name(stream).send().await?;
    loop {
        shards.extend(page.shards.take().unwrap_or_default());
        // A request for the next page must not name the stream.
        let Some(token) = page.next_token.take() else { return Ok(shards) };
        page = client.list_shards().next_token(token).send().await?;
    }
}
