//! Checks of decoding: by the executable specification, and by prost.

use kinesis_aggregation::decode::{DigestCheck, MAGIC};

use crate::agree::agree;
use crate::bodies::Body;
use crate::by_prost;
use crate::common::frame;
use crate::compare::compare;

/// Any bytes. Without the digest checked, most of them get further.
pub fn any(payload: &[u8]) {
    agree(payload, DigestCheck::Verify);
    agree(payload, DigestCheck::Skip);
}

/// Any body. Its digest is not made, which would take longer than all the rest.
pub fn body(body: &[u8]) {
    // No payload has an empty one (D1).
    if !body.is_empty() {
        compare(&[&MAGIC, body, &[0; 16]].concat());
    }
}

/// A body with its right digest.
pub fn framed(body: &Body<'_>) {
    agree(&frame(&body.encode()), DigestCheck::Verify);
}

/// Any body, as a general protobuf library reads it.
pub fn as_prost(body: &[u8]) {
    if !body.is_empty() {
        by_prost::agree(body);
    }
}
