//! Signatures are those of AWS's test vectors.
//!
//! The expected values are from `tests/aws-signing-test-suite/v4` of <https://github.com/awslabs/aws-c-auth>, commit 495329c, licensed
//! under the Apache License 2.0; the names of the rows are the names of its folders.

use device::sigv4::{Credentials, Hex, Request, Scope, Timestamp, sign};
use sha2::{Digest, Sha256};

const HOST: (&str, &str) = ("host", "example.amazonaws.com");
const DATE: (&str, &str) = ("x-amz-date", "20150830T123600Z");
const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTfl\
    fKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6\
    d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

/// Name, method, headers, body, signature.
type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

#[test]
fn signatures_are_those_of_the_test_suite() {
    let body = "Param1=value1";
    let body_sha256 = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
    assert_eq!(Hex(&Sha256::digest(body)).to_string(), body_sha256);
    let rows: [Row; 6] = [
        (
            "get-vanilla",
            "GET",
            &[HOST, DATE],
            "",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "post-vanilla",
            "POST",
            &[HOST, DATE],
            "",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "post-header-key-sort",
            "POST",
            &[HOST, ("my-header1", "value1"), DATE],
            "",
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        ),
        (
            "post-header-value-case",
            "POST",
            &[HOST, ("my-header1", "VALUE1"), DATE],
            "",
            "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
        ),
        (
            "post-sts-header-before",
            "POST",
            &[HOST, DATE, ("x-amz-security-token", TOKEN)],
            "",
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        ),
        (
            "post-x-www-form-urlencoded",
            "POST",
            &[
                ("content-length", "13"),
                ("content-type", "application/x-www-form-urlencoded"),
                HOST,
                ("x-amz-content-sha256", body_sha256),
                DATE,
            ],
            body,
            "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
        ),
    ];
    let credentials = Credentials {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        session_token: None,
    };
    let scope = Scope { region: "us-east-1", service: "service" };
    let time = Timestamp::from_unix(1_440_938_160).unwrap();
    assert_eq!(time.as_str(), DATE.1);
    for (name, method, headers, body, expected) in rows {
        let payload_sha256 = Sha256::digest(body).into();
        let request = Request { method, path: "/", query: "", headers, payload_sha256 };
        let authorization = sign(&request, &credentials, scope, &time).unwrap();
        assert_eq!(Hex(&authorization.signature).to_string(), expected, "{name}");
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            authorization.to_string(),
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={}, \
                 Signature={expected}",
                names.join(";")
            ),
            "{name}"
        );
    }
}

#[test]
fn times_are_those_of_the_calendar() {
    for (seconds, expected) in [
        (0, Some("19700101T000000Z")),
        (951_782_399, Some("20000228T235959Z")),
        (951_782_400, Some("20000229T000000Z")),
        (4_102_444_800, Some("21000101T000000Z")),
        (u64::MAX, None),
    ] {
        let time = Timestamp::from_unix(seconds);
        assert_eq!(time.as_ref().map(Timestamp::as_str), expected, "{seconds}");
        assert_eq!(expected.and_then(Timestamp::parse), time, "{seconds}");
    }
    for text in ["", "20150830T123600", "20150830 123600Z", "2015083aT123600Z", "20150830T123600Z0"] {
        assert_eq!(Timestamp::parse(text), None, "{text}");
    }
}

#[test]
fn a_secret_key_that_is_too_long_is_refused() {
    let long = "x".repeat(129);
    let credentials = Credentials { access_key_id: "A", secret_access_key: &long, session_token: None };
    let request = Request { method: "GET", path: "/", query: "", headers: &[HOST], payload_sha256: [0; 32] };
    let time = Timestamp::from_unix(0).unwrap();
    assert!(sign(&request, &credentials, Scope { region: "r", service: "s" }, &time).is_none());
}
