//! AWS Signature Version 4, streamed: the canonical request is hashed as it is written, and is never in memory.
//!
//! Headers have to be in their canonical form already: lower-case names in order, values without superfluous spaces. A path or query
//! that needs encoding is not supported: Kinesis uses neither.

use core::fmt::{self, Write};

use heapless::{String, Vec};
use hmac::{Hmac, KeyInit, Mac};
use sha2::digest::Update;
use sha2::{Digest, Sha256};

#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    pub access_key_id: &'a str,
    pub secret_access_key: &'a str,
    /// Temporary credentials have one. It is sent in a header, which is signed.
    pub session_token: Option<&'a str>,
}

/// A time as SigV4 writes it: `20150830T123600Z`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp(String<16>);

impl Timestamp {
    /// Converts a time in seconds since 1970. AWS refuses requests that are more than 5 minutes old or ahead, so the clock has to
    /// be set, by SNTP for example. Returns `None` for times before the year 0 or after 9999.
    #[must_use]
    pub fn from_unix(seconds: u64) -> Option<Self> {
        let time = time::UtcDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
        let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
        let (hour, minute, second) = time.as_hms();
        let mut text = String::new();
        write!(text, "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z").ok()?;
        Some(Self(text))
    }

    /// Takes a time that is written in this way.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_time = text.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
        if is_time && text.len() == 16 { Some(Self(String::try_from(text).ok()?)) } else { None }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn date(&self) -> &str {
        self.0.split('T').next().unwrap_or_default()
    }
}

/// The request that is signed.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub payload_sha256: [u8; 32],
}

/// The region and the service that a signature is for.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub region: &'a str,
    pub service: &'a str,
}

/// Shows the value of the header `Authorization`.
pub struct Authorization<'a> {
    access_key_id: &'a str,
    time: &'a Timestamp,
    scope: Scope<'a>,
    headers: &'a [(&'a str, &'a str)],
    pub signature: [u8; 32],
}

/// Signs a request. Returns `None` if the secret key is longer than any that AWS gives out.
#[must_use]
pub fn sign<'a>(
    request: &Request<'a>,
    credentials: &Credentials<'a>,
    scope: Scope<'a>,
    time: &'a Timestamp,
) -> Option<Authorization<'a>> {
    let mut canonical = Updating(Sha256::new());
    write_canonical(request, &mut canonical).ok()?;
    let canonical: [u8; 32] = Digest::finalize(canonical.0).into();

    let mut secret = Vec::<u8, 132>::new();
    secret.extend_from_slice(b"AWS4").ok()?;
    secret.extend_from_slice(credentials.secret_access_key.as_bytes()).ok()?;
    let mut key = hmac(&secret, format_args!("{}", time.date()))?;
    for part in [scope.region, scope.service, "aws4_request"] {
        key = hmac(&key, format_args!("{part}"))?;
    }
    let Scope { region, service } = scope;
    let signature = hmac(
        &key,
        format_args!(
            "AWS4-HMAC-SHA256\n{}\n{}/{region}/{service}/aws4_request\n{}",
            time.as_str(),
            time.date(),
            Hex(&canonical)
        ),
    )?;
    Some(Authorization {
        access_key_id: credentials.access_key_id,
        time,
        scope,
        headers: request.headers,
        signature,
    })
}

fn write_canonical(request: &Request<'_>, to: &mut impl Write) -> fmt::Result {
    let Request { method, path, query, headers, payload_sha256 } = request;
    write!(to, "{method}\n{path}\n{query}\n")?;
    for (name, value) in *headers {
        writeln!(to, "{name}:{value}")?;
    }
    write!(to, "\n{}\n{}", Names(headers), Hex(payload_sha256))
}

fn hmac(key: &[u8], message: fmt::Arguments<'_>) -> Option<[u8; 32]> {
    let mut mac = Updating(Hmac::<Sha256>::new_from_slice(key).ok()?);
    mac.write_fmt(message).ok()?;
    Some(mac.0.finalize().into_bytes().into())
}

impl fmt::Display for Authorization<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scope { region, service } = self.scope;
        write!(
            f,
            "AWS4-HMAC-SHA256 Credential={}/{}/{region}/{service}/aws4_request, SignedHeaders={}, Signature={}",
            self.access_key_id,
            self.time.date(),
            Names(self.headers),
            Hex(&self.signature)
        )
    }
}

/// Takes text into a hash.
struct Updating<H>(H);

impl<H: Update> Write for Updating<H> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

/// Shows the names of headers, separated by semicolons.
struct Names<'a>(&'a [(&'a str, &'a str)]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (name, _)) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_char(';')?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

/// Shows bytes as lower-case hexadecimal digits.
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
