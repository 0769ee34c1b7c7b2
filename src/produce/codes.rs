//! Error codes of the service, and what follows from them. No other module knows a code.

use crate::produce::outcome::FailureKind;

/// The error code of an entry whose shard accepts no more for now.
#[cfg(feature = "producer")]
pub(crate) const THROUGHPUT: &str = "ProvisionedThroughputExceededException";

/// The meaning of an error code, of an entry or of a whole call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// A shard accepts no more for now.
    Throughput,
    /// The stream, its encryption key or the account accepts no more for now.
    Throttled,
    /// There is no such stream.
    Missing,
    /// Access, credentials or the encryption key: somebody has to act.
    Denied,
    /// The request breaks a rule.
    Invalid,
    /// The service turned the request away before it did anything.
    Unavailable,
    /// Anything else.
    Other,
}

/// Parts of codes, and their meaning. The first row that matches counts.
const CODES: [(&str, Code); 14] = [
    ("ThroughputExceeded", Code::Throughput),
    ("Throttl", Code::Throttled), // also KMSThrottlingException
    ("LimitExceeded", Code::Throttled),
    ("TooManyRequests", Code::Throttled),
    ("SlowDown", Code::Throttled),
    ("ResourceNotFound", Code::Missing),
    ("AccessDenied", Code::Denied),
    ("KMS", Code::Denied),
    ("ExpiredToken", Code::Denied),
    ("UnrecognizedClient", Code::Denied),
    ("ValidationException", Code::Invalid),
    ("InvalidArgument", Code::Invalid),
    ("ServiceUnavailable", Code::Unavailable),
    ("RequestTimeout", Code::Unavailable), // the rest of the request did not arrive
];

impl Code {
    pub(super) fn of(code: &str) -> Self {
        CODES.iter().find(|(part, _)| code.contains(part)).map_or(Self::Other, |&(_, says)| says)
    }

    /// Returns whether an entry failed because of the stream, so that other shards fail as well (rule P6).
    pub(super) const fn is_of_stream(self) -> bool {
        matches!(self, Self::Throttled | Self::Missing | Self::Denied)
    }

    /// Returns whether entries fail until somebody acts.
    pub(super) const fn is_denied(self) -> bool {
        matches!(self, Self::Missing | Self::Denied)
    }
}

impl FailureKind {
    /// Classifies an error that the service returned for a whole call, by HTTP status, error code and error message.
    ///
    /// ```
    /// use kinesis_aggregation::produce::FailureKind;
    ///
    /// let kind = FailureKind::of_response(400, "LimitExceededException", "Rate exceeded");
    /// assert_eq!(kind, FailureKind::Throttled);
    /// assert_eq!(FailureKind::of_response(502, "", ""), FailureKind::Unclear);
    /// ```
    #[must_use]
    pub fn of_response(status: u16, code: &str, message: &str) -> Self {
        let names_stream = || {
            let message = message.to_ascii_lowercase();
            message.contains("streamname") || message.contains("streamarn")
        };
        match (Code::of(code), status) {
            (Code::Throughput | Code::Throttled, _) | (_, 429) => Self::Throttled,
            // About the stream's name or ARN, not about an entry: refusing records would not help.
            (Code::Invalid, _) if names_stream() => Self::Denied,
            // 413: fewer entries may do, so it is halved like one with an invalid entry.
            (Code::Invalid, _) | (_, 413) => Self::Rejected,
            (Code::Unavailable, _) | (_, 408) => Self::Transient,
            // InternalFailure and what gateways answer: some entries may have been stored.
            (Code::Other, 500..) => Self::Unclear,
            // What nobody knows is kept as well, and shown.
            (Code::Missing | Code::Denied | Code::Other, _) => Self::Denied,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_calls() {
        use FailureKind::{Denied, Rejected, Throttled, Transient, Unclear};
        let rows = [
            (400, "ProvisionedThroughputExceededException", "", Throttled),
            (400, "LimitExceededException", "", Throttled),
            (400, "KMSThrottlingException", "", Throttled),
            (400, "ThrottlingException", "", Throttled),
            (400, "RequestLimitExceeded", "", Throttled),
            (429, "", "", Throttled),
            (503, "SlowDown", "", Throttled),
            (400, "ValidationException", "Value '' at 'records.1.member.partitionKey'", Rejected),
            (400, "InvalidArgumentException", "Records size exceeds 5 MB limit", Rejected),
            (413, "", "", Rejected),
            (400, "ValidationException", "Value 'a b' at 'streamName' failed to satisfy constraint", Denied),
            (400, "InvalidArgumentException", "Invalid StreamARN", Denied),
            (400, "AccessDeniedException", "", Denied),
            (400, "ResourceNotFoundException", "", Denied),
            (400, "ExpiredTokenException", "", Denied),
            (400, "UnrecognizedClientException", "", Denied),
            (403, "InvalidSignatureException", "", Denied),
            (400, "KMSDisabledException", "", Denied),
            (400, "KMSAccessDeniedException", "", Denied),
            (400, "SerializationException", "", Denied),
            (404, "", "", Denied),
            (400, "WhatIsThis", "", Denied),
            (408, "RequestTimeoutException", "", Transient),
            (503, "ServiceUnavailable", "", Transient),
            (500, "InternalFailure", "", Unclear),
            (503, "", "", Unclear),
            (502, "", "", Unclear),
            (504, "", "", Unclear),
        ];
        for (status, code, message, kind) in rows {
            assert_eq!(FailureKind::of_response(status, code, message), kind, "{status} {code} {message}");
        }
    }

    #[test]
    fn failed_entries() {
        let rows = [
            ("ProvisionedThroughputExceededException", Code::Throughput, false, false),
            ("InternalFailure", Code::Other, false, false),
            ("WhatIsThis", Code::Other, false, false),
            ("LimitExceededException", Code::Throttled, true, false),
            ("KMSThrottlingException", Code::Throttled, true, false),
            ("KMSDisabledException", Code::Denied, true, true),
            ("AccessDeniedException", Code::Denied, true, true),
            ("ResourceNotFoundException", Code::Missing, true, true),
        ];
        for (code, says, of_stream, denied) in rows {
            let found = Code::of(code);
            assert_eq!((found, found.is_of_stream(), found.is_denied()), (says, of_stream, denied), "{code}");
        }
    }
}
