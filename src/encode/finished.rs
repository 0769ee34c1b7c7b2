//! An aggregate that is ready to be sent.

use crate::wire::length_delimited_len;

/// A finished aggregate: the data of one Kinesis record, and the keys to put it with.
///
/// `B` is `&[u8]` where it stands in a caller's buffer, and `Vec<u8>` where it was allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "user records are lost unless their aggregate is sent"]
pub struct Aggregate<B> {
    pub(crate) data: B,
    pub(crate) outer: OuterKeys,
    pub(crate) user_records: usize,
}

/// Where in the data of an aggregate its outer keys stand: they are keys of its first user record (rule E8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OuterKeys {
    pub(crate) partition_key: Span,
    pub(crate) explicit_hash_key: Option<Span>,
}

/// A piece of the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

impl Span {
    /// The text of a table entry that begins at `entry`.
    pub(crate) const fn of_entry(entry: usize, len: usize) -> Self {
        let prefix = length_delimited_len(len).saturating_sub(len);
        Self { offset: entry.saturating_add(prefix), len }
    }

    pub(crate) const fn end(self) -> usize {
        self.offset.saturating_add(self.len)
    }

    fn text(self, data: &[u8]) -> &str {
        // Both fallbacks are out of reach: the piece was written as text, where it stands.
        let bytes = data.get(self.offset..).and_then(|rest| rest.get(..self.len)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

#[cfg(feature = "alloc")]
impl Aggregate<&[u8]> {
    /// Copies it out of the buffer it stands in, to be kept while that is used again.
    pub fn to_owned(&self) -> Aggregate<alloc::vec::Vec<u8>> {
        Aggregate { data: self.data.into(), outer: self.outer, user_records: self.user_records }
    }
}

impl<B: AsRef<[u8]>> Aggregate<B> {
    /// The data to put: magic, body and digest.
    pub fn data(&self) -> &[u8] {
        self.data.as_ref()
    }

    /// The partition key to put it with: that of the first user record (rule E8).
    pub fn partition_key(&self) -> &str {
        self.outer.partition_key.text(self.data())
    }

    /// The explicit hash key to put it with, if any: that of the first user record (rule E8).
    pub fn explicit_hash_key(&self) -> Option<&str> {
        self.outer.explicit_hash_key.map(|span| span.text(self.data()))
    }

    /// The bytes that Kinesis counts: the data and the partition key (rule E6).
    pub fn size_bytes(&self) -> usize {
        self.data().len().saturating_add(self.outer.partition_key.len)
    }

    /// Counts the user records, of which there is at least one.
    pub fn user_records(&self) -> usize {
        self.user_records
    }

    /// Gives the data away, without a copy. The keys have to be read before.
    pub fn into_data(self) -> B {
        self.data
    }
}
