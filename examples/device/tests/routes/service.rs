//! Kinesis: a simulated one that checks signatures, or a local server.

use std::io::{Read, Write};
use std::net::TcpStream;

use base64ct::{Base64, Encoding};
use device::sigv4::{Request, Scope, Timestamp, sign};
use kinesis_aggregation::route::{HashKey, HashKeyRange};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::ENDPOINT;

/// Returns the whole response to a whole HTTP request.
pub trait Service {
    fn exchange(&mut self, request: &[u8]) -> Vec<u8>;
}

/// A local server.
pub struct Local {
    address: String,
}

impl Local {
    pub fn new(address: String) -> Self {
        Self { address }
    }
}

impl Service for Local {
    fn exchange(&mut self, request: &[u8]) -> Vec<u8> {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.write_all(request).unwrap();
        let mut response = Vec::new();
        let mut buffer = [0; 65536];
        loop {
            if let Some((head, body)) = split(&response)
                && length(head) == Some(body.len())
            {
                return response;
            }
            match socket.read(&mut buffer).unwrap() {
                0 => return response,
                count => response.extend(&buffer[..count]),
            }
        }
    }
}

/// Splits a message into head and body, if its head is complete.
pub fn split(message: &[u8]) -> Option<(&str, &[u8])> {
    let end = message.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    Some((std::str::from_utf8(&message[..end]).ok()?, &message[end..]))
}

fn headers(head: &str) -> impl Iterator<Item = (String, &str)> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
}

fn length(head: &str) -> Option<usize> {
    headers(head).find(|(name, _)| name == "content-length")?.1.parse().ok()
}

/// A stream.
#[derive(Default)]
pub struct Simulated {
    shards: Vec<(HashKeyRange, Vec<Value>)>,
}

impl Service for Simulated {
    fn exchange(&mut self, request: &[u8]) -> Vec<u8> {
        let (status, body) = match self.answer(request) {
            Ok(body) => ("200 OK", body),
            Err(what) => ("400 Bad Request", json!({ "__type": what })),
        };
        let body = body.to_string();
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }
}

impl Simulated {
    fn answer(&mut self, request: &[u8]) -> Result<Value, &'static str> {
        let (head, body) = split(request).ok_or("no head")?;
        if length(head) != Some(body.len()) {
            return Err("length");
        }
        check_signature(head, body)?;
        let target = headers(head).find(|(name, _)| name == "x-amz-target").ok_or("no target")?.1;
        let body: Value = serde_json::from_slice(body).map_err(|_| "no JSON")?;
        match target.strip_prefix("Kinesis_20131202.") {
            Some("CreateStream") => {
                let count = u128::from(body["ShardCount"].as_u64().unwrap());
                let width = u128::MAX / count;
                let end = |shard| if shard + 1 == count { u128::MAX } else { width * (shard + 1) - 1 };
                let ranges = (0..count).map(|shard| (HashKey::new(width * shard), HashKey::new(end(shard))));
                self.shards =
                    ranges.map(|(start, end)| (HashKeyRange::new(start, end).unwrap(), vec![])).collect();
                Ok(json!({}))
            }
            Some("DescribeStreamSummary") => {
                Ok(json!({ "StreamDescriptionSummary": { "StreamStatus": "ACTIVE" } }))
            }
            Some("ListShards") => Ok(json!({
                "Shards": self.shards.iter().enumerate().map(|(shard, (range, _))| json!({
                    "ShardId": shard.to_string(),
                    "HashKeyRange": {
                        "StartingHashKey": range.start().to_string(),
                        "EndingHashKey": range.end().to_string(),
                    },
                })).collect::<Vec<_>>(),
            })),
            Some("PutRecord") => self.put(&body),
            Some("GetShardIterator") => Ok(json!({ "ShardIterator": body["ShardId"] })),
            Some("GetRecords") => {
                let shard: usize = body["ShardIterator"].as_str().unwrap().parse().unwrap();
                Ok(json!({ "Records": self.shards[shard].1, "MillisBehindLatest": 0 }))
            }
            _ => Err("no such action"),
        }
    }

    fn put(&mut self, body: &Value) -> Result<Value, &'static str> {
        let text = |name: &str| body[name].as_str();
        let partition_key = text("PartitionKey").ok_or("no partition key")?;
        let data = Base64::decode_vec(text("Data").ok_or("no data")?).map_err(|_| "no base64")?;
        if data.len() + partition_key.len() > 1 << 20 {
            return Err("too large");
        }
        let hash_key = match text("ExplicitHashKey") {
            Some(key) => key.parse().map_err(|_| "no hash key")?,
            None => HashKey::of_partition_key(partition_key),
        };
        let shard = self.shards.iter().position(|(range, _)| range.contains(hash_key)).ok_or("no shard")?;
        self.shards[shard].1.push(json!({ "Data": body["Data"], "PartitionKey": partition_key }));
        Ok(json!({ "ShardId": shard.to_string(), "SequenceNumber": "1" }))
    }
}

/// Signs the request again, with the secret that both sides know.
fn check_signature(head: &str, body: &[u8]) -> Result<(), &'static str> {
    let headers: Vec<_> = headers(head).collect();
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let authorization = header("authorization").ok_or("not signed")?;
    let signed = authorization.split_once("SignedHeaders=").and_then(|(_, rest)| rest.split_once(','));
    let names: Vec<_> = signed.ok_or("not signed")?.0.split(';').collect();
    let signed: Option<Vec<_>> = names.iter().map(|name| Some((*name, header(name)?))).collect();
    let signed = signed.ok_or("a signed header is missing")?;
    let request = Request {
        method: "POST",
        path: "/",
        query: "",
        headers: &signed,
        payload_sha256: Sha256::digest(body).into(),
    };
    let scope = Scope { region: ENDPOINT.region, service: "kinesis" };
    let time = header("x-amz-date").and_then(Timestamp::parse).ok_or("no date")?;
    let expected = sign(&request, &ENDPOINT.credentials, scope, &time).ok_or("no signature")?.to_string();
    if expected == authorization { Ok(()) } else { Err("InvalidSignatureException") }
}

/// A socket that keeps what is written.
pub struct Socket<'s>(pub &'s mut Vec<u8>);

impl embedded_io::ErrorType for Socket<'_> {
    type Error = core::convert::Infallible;
}

impl embedded_io::Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.0.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}
