//! Packing as the options say.

use std::collections::HashMap;

use kinesis_aggregation::{AddStatus, Aggregate, AggregatedRecord, Encoder, Limits, RecordAggregator};

use crate::args::{Grouping, Order, PackingArgs};
use crate::failure::Failure;
use crate::input::Event;

/// What may be pending in all groups together. Beyond it all are handed out, so that memory is bounded whatever the
/// number of partition keys.
const MAX_PENDING: usize = 256 * 1024 * 1024;

/// What a group takes beside the bytes that are pending in it, roughly.
const GROUP_SIZE: usize = 2 * 1024;

/// Packs user records, each in the group it belongs to, and hands out aggregates with the number of their group.
pub(crate) struct Packer<H> {
    limits: Limits,
    order: Order,
    grouping: Grouping,
    groups: Vec<RecordAggregator>,
    /// Which group has which partition key; empty if one group has all.
    by_partition_key: HashMap<String, usize>,
    /// Bytes pending in all groups, and what the groups take themselves.
    pending: usize,
    /// The buffer for streamed order.
    buffer: Vec<u8>,
    hand_out: H,
}

/// A Kinesis record ready to be sent.
pub(crate) struct Packed<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) partition_key: &'a str,
    pub(crate) explicit_hash_key: Option<&'a str>,
}

impl<H: FnMut(usize, Packed<'_>) -> Result<(), Failure>> Packer<H> {
    pub(crate) fn new(args: &PackingArgs, hand_out: H) -> Self {
        Self {
            limits: args.limits(),
            order: args.order,
            grouping: args.group,
            groups: Vec::new(),
            by_partition_key: HashMap::new(),
            pending: 0,
            buffer: Vec::new(),
            hand_out,
        }
    }

    /// Packs one user record; answers with the number of its group.
    pub(crate) fn add(&mut self, event: &Event<'_>) -> Result<usize, Failure> {
        if self.pending > MAX_PENDING {
            self.finish()?;
        }
        let number = self.group_of(event.record.partition_key);
        if number >= self.groups.len() {
            self.groups.resize_with(number.saturating_add(1), || RecordAggregator::new(self.limits));
            self.pending = self.pending.saturating_add(GROUP_SIZE);
        }
        let Some(group) = self.groups.get_mut(number) else { return Ok(number) };
        let before = group.size_bytes();
        let full = group.add(event.record).map_err(|error| event.fault(error))?;
        self.pending = self.pending.saturating_sub(before).saturating_add(group.size_bytes());
        if let Some(full) = full {
            self.emit(number, &full)?;
        }
        Ok(number)
    }

    /// Hands out all that is pending, the group that was begun first in front.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        let mut groups = core::mem::take(&mut self.groups);
        self.by_partition_key.clear();
        self.pending = 0;
        for (number, group) in groups.iter_mut().enumerate() {
            if let Some(rest) = group.finish() {
                self.emit(number, &rest)?;
            }
        }
        Ok(())
    }

    fn emit(&mut self, group: usize, aggregate: &Aggregate<Vec<u8>>) -> Result<(), Failure> {
        match self.order {
            Order::Canonical => (self.hand_out)(group, Packed::of(aggregate)),
            Order::Streamed => self.emit_streamed(group, aggregate),
        }
    }

    /// Packs the user records of an aggregate again, in streamed order.
    ///
    /// In rare cases, with very many explicit hash keys, this takes more bytes than canonical order: then two
    /// aggregates come of one.
    fn emit_streamed(&mut self, group: usize, aggregate: &Aggregate<Vec<u8>>) -> Result<(), Failure> {
        /// The keys that are remembered, at 48 bytes each.
        const KEYS: usize = 4096;

        let bug =
            |error: &dyn core::fmt::Display| Failure::Input(format!("cannot read what was written: {error}"));
        let parsed = AggregatedRecord::parse(aggregate.data(), Vec::new()).map_err(|error| bug(&error))?;
        self.buffer.resize(usize::try_from(self.limits.max_bytes()).unwrap_or(usize::MAX), 0);
        let mut encoder = Encoder::<KEYS>::new(&mut self.buffer, self.limits);
        for record in &parsed {
            if encoder.add(record).map_err(|error| bug(&error))? == AddStatus::Full {
                if let Some(full) = encoder.finish() {
                    (self.hand_out)(group, Packed::of(&full))?;
                }
                _ = encoder.add(record).map_err(|error| bug(&error))?;
            }
        }
        match encoder.finish() {
            Some(rest) => (self.hand_out)(group, Packed::of(&rest)),
            None => Ok(()),
        }
    }

    fn group_of(&mut self, partition_key: &str) -> usize {
        match self.grouping {
            Grouping::All => 0,
            Grouping::PartitionKey => match self.by_partition_key.get(partition_key) {
                Some(&number) => number,
                None => {
                    let number = self.by_partition_key.len();
                    self.by_partition_key.insert(partition_key.to_owned(), number);
                    number
                }
            },
        }
    }
}

impl<'a> Packed<'a> {
    fn of<B: AsRef<[u8]>>(aggregate: &'a Aggregate<B>) -> Self {
        Self {
            data: aggregate.data(),
            partition_key: aggregate.partition_key(),
            explicit_hash_key: aggregate.explicit_hash_key(),
        }
    }
}
