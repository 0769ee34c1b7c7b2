//! Python's protobuf as an oracle. `oracle.py` documents the protocol.

#![expect(clippy::expect_used, clippy::panic, reason = "a panic fails the test")]

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use crate::common::Record;

/// A message as it is on the wire: required fields may be missing, and strings need not be UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) partition_keys: Vec<Vec<u8>>,
    pub(crate) explicit_hash_keys: Vec<Vec<u8>>,
    pub(crate) records: Vec<RawRecord>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawRecord {
    pub(crate) partition_key_index: Option<u64>,
    pub(crate) explicit_hash_key_index: Option<u64>,
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) tags: Vec<RawTag>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawTag {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

impl Message {
    /// Returns its user records if it satisfies the rules beyond protobuf: required fields are present (D4), indexes are in range
    /// (D11), and all text is UTF-8 (D12), used or not.
    pub(crate) fn meaning(&self) -> Option<Vec<Record>> {
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).ok();
        let table = |keys: &[Vec<u8>]| keys.iter().map(text).collect::<Option<Vec<_>>>();
        let partition_keys = table(&self.partition_keys)?;
        let explicit_hash_keys = table(&self.explicit_hash_keys)?;
        let key = |table: &[String], index: u64| table.get(usize::try_from(index).ok()?).cloned();
        let tag = |tag: &RawTag| {
            let value = match &tag.value {
                Some(value) => Some(text(value)?),
                None => None,
            };
            Some((text(tag.key.as_ref()?)?, value))
        };
        let record = |record: &RawRecord| {
            Some(Record {
                partition_key: key(&partition_keys, record.partition_key_index?)?,
                explicit_hash_key: match record.explicit_hash_key_index {
                    Some(index) => Some(key(&explicit_hash_keys, index)?),
                    None => None,
                },
                data: record.data.clone()?,
                tags: record.tags.iter().map(tag).collect::<Option<_>>()?,
            })
        };
        self.records.iter().map(record).collect()
    }

    fn send(&self) -> Vec<u8> {
        let index = |index: Option<u64>| index.map(|index| index.to_le_bytes().to_vec());
        let mut sent = Vec::new();
        for table in [&self.partition_keys, &self.explicit_hash_keys] {
            send_size(&mut sent, table.len());
            table.iter().for_each(|key| send_string(&mut sent, Some(key)));
        }
        send_size(&mut sent, self.records.len());
        for record in &self.records {
            send_string(&mut sent, index(record.partition_key_index).as_deref());
            send_string(&mut sent, index(record.explicit_hash_key_index).as_deref());
            send_string(&mut sent, record.data.as_deref());
            send_size(&mut sent, record.tags.len());
            for RawTag { key, value } in &record.tags {
                send_string(&mut sent, key.as_deref());
                send_string(&mut sent, value.as_deref());
            }
        }
        sent
    }

    fn take(mut sent: Sent<'_>) -> Self {
        let mut table = || (0..sent.size()).map(|_| sent.string().expect("a key")).collect();
        Self {
            partition_keys: table(),
            explicit_hash_keys: table(),
            records: (0..sent.size())
                .map(|_| RawRecord {
                    partition_key_index: sent.index(),
                    explicit_hash_key_index: sent.index(),
                    data: sent.string(),
                    tags: (0..sent.size())
                        .map(|_| RawTag { key: sent.string(), value: sent.string() })
                        .collect(),
                })
                .collect(),
        }
    }
}

/// The size of an absent string.
const NONE: u32 = u32::MAX;

fn send_size(sent: &mut Vec<u8>, size: usize) {
    sent.extend(u32::try_from(size).expect("a small size").to_le_bytes());
}

fn send_string(sent: &mut Vec<u8>, string: Option<&[u8]>) {
    match string {
        Some(string) => {
            send_size(sent, string.len());
            sent.extend(string);
        }
        None => sent.extend(NONE.to_le_bytes()),
    }
}

/// A cursor over a received message.
struct Sent<'a>(&'a [u8]);

impl Sent<'_> {
    fn number(&mut self) -> u32 {
        let (number, rest) = self.0.split_first_chunk().expect("a number");
        self.0 = rest;
        u32::from_le_bytes(*number)
    }

    fn size(&mut self) -> usize {
        usize::try_from(self.number()).expect("a size")
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        let size = self.number();
        if size == NONE {
            return None;
        }
        let size = usize::try_from(size).expect("a size");
        let (string, rest) = self.0.split_at_checked(size).expect("a string");
        self.0 = rest;
        Some(string.to_vec())
    }

    fn index(&mut self) -> Option<u64> {
        self.string().map(|bytes| u64::from_le_bytes(bytes.try_into().expect("an index")))
    }
}

/// A running `oracle.py`.
pub(crate) struct Oracle(Child);

impl Oracle {
    /// Starts the Python interpreter in `KINESIS_AGG_UPB`.
    pub(crate) fn start() -> Self {
        let python = std::env::var("KINESIS_AGG_UPB").expect("KINESIS_AGG_UPB is set by tests/upb/run");
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/upb/oracle.py");
        let child = Command::new(&python).arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{python}: {error}")))
    }

    /// Parses each body with upb. Returns `None` for a body that it refuses.
    pub(crate) fn read(&mut self, bodies: &[Vec<u8>]) -> Vec<Option<Message>> {
        let message = |answer: Vec<u8>| (!answer.is_empty()).then(|| Message::take(Sent(&answer)));
        self.ask(b'r', bodies).into_iter().map(message).collect()
    }

    /// Serializes messages with upb. All of their text must be UTF-8.
    pub(crate) fn write(&mut self, messages: &[Message]) -> Vec<Vec<u8>> {
        let messages: Vec<_> = messages.iter().map(Message::send).collect();
        self.ask(b'w', &messages)
    }

    /// Sends a request and reads the response. Neither side writes before the other has read everything, so there is no deadlock.
    fn ask(&mut self, question: u8, items: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut sent = vec![question, 0, 0, 0, 0];
        items.iter().for_each(|item| send_string(&mut sent, Some(item)));
        let size = u32::try_from(sent.len()).expect("a small batch") - 5;
        sent[1..5].copy_from_slice(&size.to_le_bytes());
        let mut answers = Vec::new();
        let mut talk = || {
            self.0.stdin.as_mut().expect("piped").write_all(&sent)?;
            let output = self.0.stdout.as_mut().expect("piped");
            let mut size = [0; 4];
            output.read_exact(&mut size)?;
            answers.resize(usize::try_from(u32::from_le_bytes(size)).expect("a size"), 0);
            output.read_exact(&mut answers)
        };
        talk().expect("oracle.py answers");
        let mut answers = Sent(&answers);
        items.iter().map(|_| answers.string().expect("a result for each item")).collect()
    }
}

impl Drop for Oracle {
    /// Closes standard input, at which the oracle exits.
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        _ = self.0.wait();
    }
}
