//! A transformation for Firehose that deaggregates records of Direct PUT.
//!
//! Firehose requires one output record per input record, with the same `recordId`. The user records of an aggregate are
//! therefore returned together, one per line.

use aws_lambda_events::encodings::Base64Data;
use kinesis_aggregation::decode::{Deaggregated, KinesisRecord, deaggregate_all};
use serde::{Deserialize, Serialize};

/// The size limit of Lambda's response.
pub const MAX_RESPONSE: usize = 6_000_000;

/// The size of a record in the response without its data: member names, punctuation, id and result.
const RECORD_OVERHEAD: usize = 256;

/// The members of Firehose's event that a transformation needs. The others differ by source and are ignored.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// The batch.
    pub records: Vec<Record>,
}

/// A record of the batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The id to return.
    pub record_id: String,
    /// The data that was put.
    pub data: Base64Data,
}

impl KinesisRecord for Record {
    fn data(&self) -> &[u8] {
        &self.data.0
    }
}

/// The response.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// One per record of the batch, in the same order.
    pub records: Vec<Transformed>,
}

/// A record of the response.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transformed {
    /// The id of the input record.
    pub record_id: String,
    /// The verdict on the record, for Firehose.
    pub result: Verdict,
    /// The data to deliver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Base64Data>,
}

/// The results that Firehose accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// Deliver the data.
    Ok,
    /// Deliver nothing; this is not an error.
    Dropped,
    /// Keep the original record in `processing-failed/`.
    ProcessingFailed,
}

/// Deaggregates each record of a batch, and joins its user records with newlines.
///
/// `max_bytes` limits the response: a record that does not fit is `ProcessingFailed`, and Firehose keeps the original. A response that
/// is too large would fail the whole batch. Deaggregating makes no record larger, so the limit matters only if you add to the data.
#[must_use]
pub fn transform(event: Event, max_bytes: usize) -> Answer {
    let mut left = max_bytes.saturating_sub(event.records.len().saturating_mul(RECORD_OVERHEAD));
    let results: Vec<(Verdict, Option<Vec<u8>>)> = deaggregate_all(&event.records)
        .map(|users| {
            let (verdict, data) = rejoin(users);
            let len = data.as_ref().map_or(0, |data| base64_len(data.len()));
            match left.checked_sub(len) {
                Some(rest) => {
                    left = rest;
                    (verdict, data)
                }
                None => (Verdict::ProcessingFailed, None),
            }
        })
        .collect();
    let records = event.records.into_iter().zip(results).map(|(record, (result, data))| Transformed {
        record_id: record.record_id,
        result,
        data: data.map(|data| {
            let mut encoded = Base64Data::default();
            encoded.0 = data;
            encoded
        }),
    });
    Answer { records: records.collect() }
}

/// Joins user records, one per line. A plain record is unchanged, without a newline.
fn rejoin(users: Deaggregated<'_>) -> (Verdict, Option<Vec<u8>>) {
    let aggregated = users.plain_reason().is_none();
    let mut joined = Vec::new();
    let mut count = 0_usize;
    for user in users {
        count = count.saturating_add(1);
        joined.extend_from_slice(user.data);
        if aggregated {
            let line = user.data.strip_suffix(b"\n").unwrap_or(user.data);
            if line.contains(&b'\n') {
                // It would be read back as two records.
                return (Verdict::ProcessingFailed, None);
            }
            if line.len() == user.data.len() {
                joined.push(b'\n');
            }
        }
    }
    if count == 0 { (Verdict::Dropped, None) } else { (Verdict::Ok, Some(joined)) }
}

const fn base64_len(len: usize) -> usize {
    len.div_ceil(3).saturating_mul(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinesis_aggregation::{Limits, RecordAggregator, UserRecord};

    fn record(id: usize, data: Vec<u8>) -> Record {
        let mut encoded = Base64Data::default();
        encoded.0 = data;
        Record { record_id: id.to_string(), data: encoded }
    }

    fn aggregate(texts: &[&str]) -> Vec<u8> {
        let mut aggregator = RecordAggregator::new(Limits::default());
        for text in texts {
            assert!(matches!(aggregator.add(UserRecord::new("k", text)), Ok(None)));
        }
        aggregator.finish().map(|aggregate| aggregate.data).unwrap_or_default()
    }

    #[test]
    fn lines() {
        let cases = [
            ("one", aggregate(&["a"]), Verdict::Ok, Some("a\n")),
            ("some", aggregate(&["a", "", "c"]), Verdict::Ok, Some("a\n\nc\n")),
            ("lines already", aggregate(&["a\n", "b\n"]), Verdict::Ok, Some("a\nb\n")),
            ("two lines in one", aggregate(&["a", "b\nc"]), Verdict::ProcessingFailed, None),
            ("plain", b"a\nb".to_vec(), Verdict::Ok, Some("a\nb")),
            ("plain and empty", Vec::new(), Verdict::Ok, Some("")),
            ("damaged", aggregate(&["a"])[..20].to_vec(), Verdict::Ok, None),
        ];
        for (name, payload, verdict, data) in cases {
            let answer = transform(Event { records: vec![record(7, payload.clone())] }, MAX_RESPONSE);
            let [transformed] = &answer.records[..] else { panic!("{name}") };
            assert_eq!((&*transformed.record_id, transformed.result), ("7", verdict), "{name}");
            let expected = match (data, verdict) {
                (None, Verdict::Ok) => Some(payload),
                (data, _) => data.map(|text| text.as_bytes().to_vec()),
            };
            assert_eq!(transformed.data.as_ref().map(|data| data.0.clone()), expected, "{name}");
        }
    }

    /// The response never exceeds the limit, and contains everything that fits.
    #[test]
    fn response_is_bounded() {
        let records = || (0..20).map(|id| record(id, vec![b'x'; 900])).collect();
        for largest in (20 * RECORD_OVERHEAD..40_000).step_by(777) {
            let answer = transform(Event { records: records() }, largest);
            let text = serde_json::to_string(&answer).unwrap_or_default();
            assert!(text.len() <= largest, "{largest}: {}", text.len());
            assert_eq!(answer.records.len(), 20);
            let fit = answer.records.iter().filter(|record| record.result == Verdict::Ok).count();
            assert_eq!(fit, ((largest - 20 * RECORD_OVERHEAD) / 1200).min(20), "{largest}");
        }
    }
}
