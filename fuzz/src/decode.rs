//! Checks decoding against the executable specification, against prost, and against what `testing` predicts.

use kinesis_aggregation::decode::{DigestCheck, MAGIC};
use kinesis_aggregation::testing::{BrokenAggregate, ValidAggregate};

use crate::agree::{agree, compare};
use crate::by_prost;
use crate::generated_checks::{check_broken, check_valid};

/// Checks any payload. Most of them get further when the digest is not checked.
pub fn any(payload: &[u8]) {
    agree(payload, DigestCheck::Verify);
    agree(payload, DigestCheck::Skip);
}

/// Checks any body. Computing its digest would take longer than everything else, so that is skipped.
pub fn body(body: &[u8]) {
    // A payload with an empty body is too short to be an aggregate (D1).
    if !body.is_empty() {
        compare(&[&MAGIC, body, &[0; 16]].concat());
    }
}

/// Checks a generated aggregate, valid or broken.
pub fn generated(generated: &Result<ValidAggregate, BrokenAggregate>) {
    match generated {
        Ok(valid) => check_valid(valid),
        Err(broken) => check_broken(broken),
    }
}

/// Compares a body with what prost reads.
pub fn as_prost(body: &[u8]) {
    if !body.is_empty() {
        by_prost::agree(body);
    }
}
