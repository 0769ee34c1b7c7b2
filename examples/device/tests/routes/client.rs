//! The services around the devices: the rule's PutRecord, and a consumer of each shard.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64ct::{Base64, Encoding};
use device::https::{Endpoint, PutRecord, read_response, write_request};
use device::sigv4::{Credentials, Request, Scope, Timestamp, sign};
use kinesis_aggregation::UserRecord;
use kinesis_aggregation::decode::AggregatedRecord;
use kinesis_aggregation::route::{HashKeyRange, RangeMode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::service::{Service, Socket, split};

pub const ENDPOINT: Endpoint<'static> = Endpoint {
    host: "kinesis.eu-central-1.amazonaws.com",
    region: "eu-central-1",
    credentials: Credentials {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: "secret",
        session_token: None,
    },
};

pub fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_unix(now.as_secs()).unwrap()
}

/// A client of one stream.
pub struct Client {
    service: Box<dyn Service>,
    pub stream: String,
}

impl Client {
    pub fn new(service: Box<dyn Service>, stream: &str) -> Self {
        Self { service, stream: stream.to_owned() }
    }

    pub fn exchange(&mut self, request: &[u8]) -> Vec<u8> {
        self.service.exchange(request)
    }

    /// Puts a message with the partition key of the rule.
    pub fn put(&mut self, data: &[u8], partition_key: &str) {
        let record = PutRecord { stream: &self.stream, data, partition_key, explicit_hash_key: None };
        let mut request = Vec::new();
        write_request(&record, &ENDPOINT, &now(), &mut Socket(&mut request)).unwrap();
        let response = self.exchange(&request);
        let accepted = read_response(&mut &response[..]);
        assert_eq!(accepted, Ok(()), "{}", String::from_utf8_lossy(&response));
    }

    /// Creates the stream, and waits until it is active.
    pub fn create_stream(&mut self, shards: u32) {
        let create = json!({ "StreamName": self.stream, "ShardCount": shards });
        self.call("CreateStream", &create).unwrap();
        for _ in 0..100 {
            let described = self.call("DescribeStreamSummary", &json!({ "StreamName": self.stream }));
            if described.is_ok_and(|stream| stream["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE") {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the stream does not become active");
    }

    /// Reads all shards as the KCL does: an aggregate with a user record outside its shard is dropped. Returns the number of user
    /// records.
    pub fn consume(&mut self, mut process: impl FnMut(UserRecord<'_>)) -> usize {
        let mut count = 0;
        let listed = self.call("ListShards", &json!({ "StreamName": self.stream })).unwrap();
        for shard in listed["Shards"].as_array().unwrap() {
            let range = &shard["HashKeyRange"];
            let [start, end] = ["StartingHashKey", "EndingHashKey"].map(|name| range[name].as_str().unwrap());
            let range = HashKeyRange::parse(start, end).unwrap();
            let begin = json!({
                "StreamName": self.stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON",
            });
            let mut iterator = self.call("GetShardIterator", &begin).unwrap()["ShardIterator"].clone();
            loop {
                let records = self.call("GetRecords", &json!({ "ShardIterator": iterator })).unwrap();
                let page = records["Records"].as_array().unwrap();
                for record in page {
                    let data = Base64::decode_vec(record["Data"].as_str().unwrap()).unwrap();
                    let aggregate = AggregatedRecord::parse(&data).expect("every record is an aggregate");
                    for user in range.filter(&aggregate, RangeMode::All) {
                        process(user.unwrap());
                        count += 1;
                    }
                }
                iterator = records["NextShardIterator"].clone();
                if iterator.is_null() || page.is_empty() {
                    break;
                }
            }
        }
        count
    }

    /// Calls an action. A call that is throttled is repeated.
    fn call(&mut self, action: &str, body: &Value) -> Result<Value, String> {
        for _ in 0..50 {
            let request = self.signed(action, body);
            let response = self.exchange(&request);
            let (head, body) = split(&response).unwrap();
            if head.starts_with("HTTP/1.1 200") {
                return Ok(serde_json::from_slice(body).unwrap_or(Value::Null));
            }
            let body = String::from_utf8_lossy(body).into_owned();
            if !body.contains("Throughput") && !body.contains("LimitExceeded") {
                return Err(body);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Err("throttled all the time".to_owned())
    }

    /// Returns a signed request.
    pub fn signed(&self, action: &str, body: &Value) -> Vec<u8> {
        let body = body.to_string();
        let (target, now) = (format!("Kinesis_20131202.{action}"), now());
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("host", ENDPOINT.host),
            ("x-amz-date", now.as_str()),
            ("x-amz-target", &target),
        ];
        let payload_sha256 = Sha256::digest(&body).into();
        let request = Request { method: "POST", path: "/", query: "", headers: &headers, payload_sha256 };
        let scope = Scope { region: ENDPOINT.region, service: "kinesis" };
        let authorization = sign(&request, &ENDPOINT.credentials, scope, &now).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!(
            "POST / HTTP/1.1\r\n{headers}authorization: {authorization}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}
