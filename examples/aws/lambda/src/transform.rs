//! A transformation for Firehose: takes apart what was put into it directly.
//!
//! Firehose wants one record back for each that it gave, by its `recordId`. So the user records of an aggregate go back
//! together, a line each.

use aws_lambda_events::encodings::Base64Data;
use kinesis_aggregation::{Deaggregated, KinesisRecord, deaggregate_all};
use serde::{Deserialize, Serialize};

/// The longest answer that Lambda takes is 6 MB. This leaves room for what is around the records.
pub const LARGEST_ANSWER: usize = 6_000_000;

/// What is around the data of a record in an answer: names, signs, the id, the result.
const AROUND: usize = 256;

/// Of Firehose's event, what a transformation has to know. The rest differs by source, and is not read, so that none of it
/// can be wrong.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// The batch.
    pub records: Vec<Record>,
}

/// A record of the batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// What the answer calls it.
    pub record_id: String,
    /// What was put.
    pub data: Base64Data,
}

impl KinesisRecord for Record {
    fn data(&self) -> &[u8] {
        &self.data.0
    }
}

/// The answer.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// One for each record of the batch, in the same order.
    pub records: Vec<Transformed>,
}

/// What became of a record.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transformed {
    /// The id that it came with.
    pub record_id: String,
    /// What to do with it.
    pub result: Verdict,
    /// What to deliver in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Base64Data>,
}

/// The three things that Firehose understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// To be delivered.
    Ok,
    /// There is nothing to deliver, and nothing is wrong.
    Dropped,
    /// Firehose keeps the record as it was put, in `processing-failed/`.
    ProcessingFailed,
}

/// Takes each record of a batch apart, and joins its user records with newlines.
///
/// `largest` bounds the answer: what does not fit fails, and is kept by Firehose as it was put. An answer that is too long
/// would fail the batch. Taking apart makes no record longer, so this is for what you add to them.
#[must_use]
pub fn transform(event: Event, largest: usize) -> Answer {
    let mut left = largest.saturating_sub(event.records.len().saturating_mul(AROUND));
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

/// Joins user records, a line each. A plain record stays as it is, and no newline is added to it.
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
                // It would be read back as two.
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
    use kinesis_aggregation::{Limits, RecordAggregator};

    fn record(id: usize, data: Vec<u8>) -> Record {
        let mut encoded = Base64Data::default();
        encoded.0 = data;
        Record { record_id: id.to_string(), data: encoded }
    }

    fn aggregate(texts: &[&str]) -> Vec<u8> {
        let mut aggregator = RecordAggregator::new(Limits::default());
        for text in texts {
            assert!(matches!(aggregator.add(kinesis_aggregation::UserRecord::new("k", text)), Ok(None)));
        }
        aggregator.finish().map(|aggregate| aggregate.into_data()).unwrap_or_default()
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
            let answer = transform(Event { records: vec![record(7, payload.clone())] }, LARGEST_ANSWER);
            let [transformed] = &answer.records[..] else { panic!("{name}") };
            assert_eq!((&*transformed.record_id, transformed.result), ("7", verdict), "{name}");
            let expected = match (data, verdict) {
                (None, Verdict::Ok) => Some(payload),
                (data, _) => data.map(|text| text.as_bytes().to_vec()),
            };
            assert_eq!(transformed.data.as_ref().map(|data| data.0.clone()), expected, "{name}");
        }
    }

    /// The answer is no longer than it may be, whatever the limit; and what fits is there.
    #[test]
    fn the_answer_is_bounded() {
        let records = || (0..20).map(|id| record(id, vec![b'x'; 900])).collect();
        for largest in (20 * AROUND..40_000).step_by(777) {
            let answer = transform(Event { records: records() }, largest);
            let text = serde_json::to_string(&answer).unwrap_or_default();
            assert!(text.len() <= largest, "{largest}: {}", text.len());
            assert_eq!(answer.records.len(), 20);
            let fit = answer.records.iter().filter(|record| record.result == Verdict::Ok).count();
            assert_eq!(fit, ((largest - 20 * AROUND) / 1200).min(20), "{largest}");
        }
    }
}
