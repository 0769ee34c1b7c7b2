//! Requests are those of the AWS SDK for Rust: the same body, byte for byte, and the same signature over the same headers.

use std::sync::{Arc, Mutex};

use aws_sdk_kinesis::config::{
    BehaviorVersion, Credentials as SdkCredentials, HttpClient, Region, RuntimeComponents,
};
use aws_sdk_kinesis::primitives::Blob;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use device::https::{Endpoint, PutRecord, write_request};
use device::sigv4::{Credentials, Timestamp};
use kinesis_aggregation::encode::AddStatus;
use kinesis_aggregation::route::HashKey;
use kinesis_aggregation::{Encoder, Limits, UserRecord};

/// An HTTP client that keeps the request.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Option<HttpRequest>>>);

impl HttpConnector for Kept {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        *self.0.lock().unwrap() = Some(request);
        let answer = r#"{"ShardId":"shardId-000000000000","SequenceNumber":"1"}"#;
        HttpConnectorFuture::ready(Ok(HttpResponse::new(StatusCode::try_from(200).unwrap(), answer.into())))
    }
}

impl HttpClient for Kept {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// Returns the request that the SDK sends for a record. The signature is over its own headers, at its own time.
fn sdk_request(record: &PutRecord<'_>, token: Option<&str>) -> HttpRequest {
    let kept = Kept::default();
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SdkCredentials::new(
            "AKIDEXAMPLE",
            "secret",
            token.map(str::to_owned),
            None,
            "test",
        ))
        .region(Region::new("eu-central-1"))
        .http_client(kept.clone())
        .build();
    let put = aws_sdk_kinesis::Client::from_conf(config)
        .put_record()
        .stream_name(record.stream)
        .data(Blob::new(record.data))
        .partition_key(record.partition_key)
        .set_explicit_hash_key(record.explicit_hash_key.map(|key| key.to_string()));
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(put.send()).unwrap();
    kept.0.lock().unwrap().take().unwrap()
}

/// Returns the request that the device sends.
fn request(record: &PutRecord<'_>, token: Option<&str>, now: &Timestamp) -> (Vec<(String, String)>, Vec<u8>) {
    let endpoint = Endpoint {
        host: "kinesis.eu-central-1.amazonaws.com",
        region: "eu-central-1",
        credentials: Credentials {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: "secret",
            session_token: token,
        },
    };
    let mut socket = Socket::default();
    write_request(record, &endpoint, now, &mut socket).unwrap();
    assert!(socket.writes.iter().rev().skip(1).all(|len| *len == 512), "in few pieces: {:?}", socket.writes);
    let end = socket.bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
    let (head, body) = socket.bytes.split_at(end + 4);
    let mut lines = std::str::from_utf8(head).unwrap().lines();
    assert_eq!(lines.next(), Some("POST / HTTP/1.1"));
    let headers = lines.filter_map(|line| line.split_once(": "));
    (headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(), body.to_vec())
}

#[derive(Default)]
struct Socket {
    bytes: Vec<u8>,
    writes: Vec<usize>,
}

impl embedded_io::ErrorType for Socket {
    type Error = core::convert::Infallible;
}

impl embedded_io::Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.bytes.extend(bytes);
        self.writes.push(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[test]
fn bodies_and_signatures_are_those_of_the_sdk() {
    let mut buffer = [0; 1000];
    let mut encoder = Encoder::<1>::new(&mut buffer, Limits::IOT_CORE);
    for number in 0..40 {
        let reading = format!("reading {number}");
        assert_eq!(encoder.add(UserRecord::new("device-7", &reading)), Ok(AddStatus::Added));
    }
    let aggregate = encoder.finish().unwrap();

    let long_key = "𝄞".repeat(256);
    let odd_key: String = (0..0x100).filter_map(char::from_u32).collect();
    let data: Vec<u8> = (0..=255).collect();
    let mut rows = vec![("an aggregate", PutRecord::new("readings", &aggregate), None)];
    for len in [0, 1, 2, 3, 47, 48, 49, 95, 96, 97, 256] {
        let record =
            PutRecord { stream: "a.b-c_D", data: &data[..len], partition_key: "k", explicit_hash_key: None };
        rows.push(("a length", record, None));
    }
    let record =
        PutRecord { stream: "readings", data: &data, partition_key: &long_key, explicit_hash_key: None };
    rows.push(("a long key", record, None));
    rows.push(("characters to escape", PutRecord { partition_key: &odd_key, ..record }, None));
    rows.push(("a hash key", PutRecord { explicit_hash_key: Some(HashKey::MAX), ..record }, None));
    rows.push(("a session token", record, Some("IQoJb3JpZ2luX2VjEXAMPLE/+==")));
    for (name, record, token) in rows {
        let sdk = sdk_request(&record, token);
        let date = sdk.headers().get("x-amz-date").unwrap();
        let now = Timestamp::parse(date).unwrap();
        let (headers, body) = request(&record, token, &now);
        assert_eq!(
            String::from_utf8_lossy(&body),
            String::from_utf8_lossy(sdk.body().bytes().unwrap()),
            "{name}"
        );
        let header =
            |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        assert_eq!(header("content-length"), Some(&*body.len().to_string()), "{name}");
        for same in ["content-type", "x-amz-target", "x-amz-date", "x-amz-security-token", "content-length"] {
            assert_eq!(header(same), sdk.headers().get(same), "{name}: {same}");
        }
        // The SDK signs a header more, which describes itself: sign what it signs, and compare.
        let theirs = sdk.headers().get("authorization").unwrap();
        assert_eq!(theirs, resigned(&sdk, theirs, token, &now), "{name}");
        assert!(header("authorization").unwrap().starts_with(theirs.split(", ").next().unwrap()), "{name}");
    }
}

/// Signs the SDK's request again, over the headers that it signed.
fn resigned(sdk: &HttpRequest, authorization: &str, token: Option<&str>, now: &Timestamp) -> String {
    use device::sigv4::{Request, Scope, sign};
    use sha2::{Digest, Sha256};
    let names = authorization.split_once("SignedHeaders=").unwrap().1.split_once(',').unwrap().0;
    let headers: Vec<_> = names
        .split(';')
        .map(|name| match name {
            "host" => (name, "kinesis.eu-central-1.amazonaws.com"),
            _ => (name, sdk.headers().get(name).unwrap()),
        })
        .collect();
    let payload_sha256 = Sha256::digest(sdk.body().bytes().unwrap()).into();
    let request = Request { method: "POST", path: "/", query: "", headers: &headers, payload_sha256 };
    let credentials =
        Credentials { access_key_id: "AKIDEXAMPLE", secret_access_key: "secret", session_token: token };
    let scope = Scope { region: "eu-central-1", service: "kinesis" };
    sign(&request, &credentials, scope, now).unwrap().to_string()
}
