//! PutRecord over HTTPS: the request is written straight to the socket. The only memory it takes is a fixed buffer.
//!
//! The body is generated twice, first to count and hash it, since `Content-Length` and the signature come before it.

use core::convert::Infallible;
use core::fmt;

use base64ct::{Base64, Encoding};
use embedded_io::{ErrorType, Read, Write};
use kinesis_aggregation::encode::AggregateRef;
use kinesis_aggregation::route::HashKey;
use sha2::{Digest, Sha256};

use crate::sigv4::{Credentials, Request, Scope, Timestamp, sign};

/// The address of requests, and the key that signs them.
#[derive(Clone, Copy)]
pub struct Endpoint<'a> {
    /// `kinesis.eu-central-1.amazonaws.com`, for example.
    pub host: &'a str,
    pub region: &'a str,
    pub credentials: Credentials<'a>,
}

/// The body of a PutRecord request.
#[derive(Clone, Copy)]
pub struct PutRecord<'a> {
    pub stream: &'a str,
    pub data: &'a [u8],
    pub partition_key: &'a str,
    pub explicit_hash_key: Option<HashKey>,
}

/// The reason why a request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpError<E> {
    Socket(E),
    /// The secret key is too long.
    Credentials,
    /// The answer is no response, or has a head of more than a kilobyte.
    Response,
    /// The response has this status. Such a request may be sent again.
    Status(u16),
}

impl<'a> PutRecord<'a> {
    #[must_use]
    pub fn new(stream: &'a str, aggregate: &AggregateRef<'a>) -> Self {
        Self {
            stream,
            data: aggregate.data,
            partition_key: aggregate.partition_key(),
            explicit_hash_key: aggregate.explicit_hash_key,
        }
    }

    /// Writes the body, as the AWS SDK for Rust does.
    pub fn write_body<W: Write>(&self, to: &mut W) -> Result<(), W::Error> {
        to.write_all(b"{\"StreamName\":\"")?;
        write_escaped(self.stream, to)?;
        to.write_all(b"\",\"Data\":\"")?;
        // Three bytes are four digits, so only the last chunk is padded.
        let mut digits = [0; 64];
        for chunk in self.data.chunks(48) {
            let digits = Base64::encode(chunk, &mut digits).unwrap_or_default();
            to.write_all(digits.as_bytes())?;
        }
        to.write_all(b"\",\"PartitionKey\":\"")?;
        write_escaped(self.partition_key, to)?;
        if let Some(key) = self.explicit_hash_key {
            to.write_all(b"\",\"ExplicitHashKey\":\"")?;
            let mut text = heapless::String::<39>::new();
            // A hash key has at most 39 digits.
            _ = fmt::Write::write_fmt(&mut text, format_args!("{key}"));
            to.write_all(text.as_bytes())?;
        }
        to.write_all(b"\"}")
    }

    /// Returns the length and the hash of the body.
    #[must_use]
    pub fn measure(&self) -> (usize, [u8; 32]) {
        let mut measured = Measured { len: 0, sha256: Sha256::new() };
        let Ok(()) = self.write_body(&mut measured);
        (measured.len, measured.sha256.finalize().into())
    }
}

/// Writes a signed request. `now` is the time in seconds since 1970.
pub fn write_request<W: Write>(
    record: &PutRecord<'_>,
    endpoint: &Endpoint<'_>,
    now: &Timestamp,
    socket: &mut W,
) -> Result<(), HttpError<W::Error>> {
    let (length, payload_sha256) = record.measure();
    let Endpoint { host, region, credentials, .. } = endpoint;
    let token = credentials.session_token.unwrap_or_default();
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("host", host),
        ("x-amz-date", now.as_str()),
        ("x-amz-target", "Kinesis_20131202.PutRecord"),
        ("x-amz-security-token", token),
    ];
    let [content_type, host, date, target, token] = headers;
    let with_token = [content_type, host, date, token, target];
    let without_token = [content_type, host, date, target];
    let headers = if token.1.is_empty() { &without_token[..] } else { &with_token };

    let request = Request { method: "POST", path: "/", query: "", headers, payload_sha256 };
    let authorization = sign(&request, credentials, Scope { region, service: "kinesis" }, now);
    let authorization = authorization.ok_or(HttpError::Credentials)?;

    let mut buffered = Buffered { socket, buffer: [0; 512], len: 0 };
    let to = &mut buffered;
    let mut head = || -> Result<(), W::Error> {
        to.write_all(b"POST / HTTP/1.1\r\n")?;
        for (name, value) in headers {
            for part in [name, ": ", value, "\r\n"] {
                to.write_all(part.as_bytes())?;
            }
        }
        let end = format_args!("authorization: {authorization}\r\ncontent-length: {length}\r\n\r\n");
        let mut failed = None;
        _ = fmt::write(&mut Text { to, failed: &mut failed }, end);
        failed.map_or(Ok(()), Err)?;
        record.write_body(to)?;
        to.flush()
    };
    head().map_err(HttpError::Socket)
}

/// Reads the response to the end, and keeps nothing but its status.
pub fn read_response<R: Read>(socket: &mut R) -> Result<(), HttpError<R::Error>> {
    let mut buffer = [0; 1024];
    let mut filled = 0;
    loop {
        let Some(free) = buffer.get_mut(filled..).filter(|free| !free.is_empty()) else {
            return Err(HttpError::Response);
        };
        let count = socket.read(free).map_err(HttpError::Socket)?;
        filled += count;
        let mut headers = [httparse::EMPTY_HEADER; 24];
        let mut response = httparse::Response::new(&mut headers);
        let read = buffer.get(..filled).unwrap_or_default();
        match response.parse(read) {
            Ok(httparse::Status::Complete(head)) => {
                let length =
                    response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
                let length =
                    length.and_then(|header| core::str::from_utf8(header.value).ok()?.parse::<usize>().ok());
                let status = response.code.ok_or(HttpError::Response)?;
                let rest = length.ok_or(HttpError::Response)?.saturating_sub(filled - head);
                discard(rest, socket)?;
                return if status == 200 { Ok(()) } else { Err(HttpError::Status(status)) };
            }
            Ok(httparse::Status::Partial) if count > 0 => {}
            _ => return Err(HttpError::Response),
        }
    }
}

fn discard<R: Read>(mut count: usize, socket: &mut R) -> Result<(), HttpError<R::Error>> {
    let mut buffer = [0; 64];
    while count > 0 {
        let most = buffer.len().min(count);
        match socket.read(buffer.get_mut(..most).unwrap_or_default()).map_err(HttpError::Socket)? {
            0 => return Err(HttpError::Response),
            read => count = count.saturating_sub(read),
        }
    }
    Ok(())
}

/// Writes a string of JSON, without its quotation marks.
fn write_escaped<W: Write>(text: &str, to: &mut W) -> Result<(), W::Error> {
    for char in text.chars() {
        match char {
            '"' => to.write_all(b"\\\"")?,
            '\\' => to.write_all(b"\\\\")?,
            '\u{8}' => to.write_all(b"\\b")?,
            '\u{c}' => to.write_all(b"\\f")?,
            '\n' => to.write_all(b"\\n")?,
            '\r' => to.write_all(b"\\r")?,
            '\t' => to.write_all(b"\\t")?,
            '\0'..='\u{1f}' => {
                let mut escaped = *b"\\u0000";
                for (digit, value) in escaped.iter_mut().rev().zip([char as u32 & 15, char as u32 >> 4]) {
                    *digit = char::from_digit(value, 16).map_or(b'0', |digit| digit as u8);
                }
                to.write_all(&escaped)?;
            }
            _ => to.write_all(char.encode_utf8(&mut [0; 4]).as_bytes())?,
        }
    }
    Ok(())
}

/// Counts and hashes what is written.
struct Measured {
    len: usize,
    sha256: Sha256,
}

impl ErrorType for Measured {
    type Error = Infallible;
}

impl Write for Measured {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.len += bytes.len();
        self.sha256.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Gathers small pieces: each call of a TLS socket costs a record.
struct Buffered<'s, W, const N: usize> {
    socket: &'s mut W,
    buffer: [u8; N],
    len: usize,
}

impl<W: ErrorType, const N: usize> ErrorType for Buffered<'_, W, N> {
    type Error = W::Error;
}

impl<W: Write, const N: usize> Write for Buffered<'_, W, N> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, W::Error> {
        if self.len == N {
            self.socket.write_all(&self.buffer)?;
            self.len = 0;
        }
        let free = self.buffer.get_mut(self.len..).unwrap_or_default();
        let count = free.len().min(bytes.len());
        for (to, from) in free.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.len += count;
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), W::Error> {
        self.socket.write_all(self.buffer.get(..self.len).unwrap_or_default())?;
        self.len = 0;
        self.socket.flush()
    }
}

/// Writes formatted text, and keeps the socket's error, for which `fmt::Error` has no place.
struct Text<'t, W: Write> {
    to: &'t mut W,
    failed: &'t mut Option<W::Error>,
}

impl<W: Write> fmt::Write for Text<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.to.write_all(text.as_bytes()).map_err(|error| {
            *self.failed = Some(error);
            fmt::Error
        })
    }
}
