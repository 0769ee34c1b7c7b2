//! The engine of [`Encoder`](crate::Encoder) and [`RecordAggregator`](crate::RecordAggregator): plan what adding a user
//! record takes, check it, commit it.
//!
//! It does not know where the bytes go: that is up to a [`Store`]. Everything is planned before anything is written, so a
//! user record that is refused, or does not fit, changes nothing (rule E7).
//!
//! What runs for every user record is inlined into one function, in which the plan stays in registers: written to memory and
//! read back, it would cost more than everything else. On 32-bit targets the same is smaller than a call with a plan in
//! memory (`benches/size`), as long as a program calls `add` in one or two places.

use core::time::Duration;

use crate::Limits;
use crate::encode::key_map::Lookup;
use crate::error::EncodeError;
use crate::frame::FRAME_SIZE;
use crate::hash_key::HashKey;
use crate::message::{IndexedRecord, UserRecord};
use crate::wire::Full;

/// The methods that [`Encoder`](crate::Encoder) and [`RecordAggregator`](crate::RecordAggregator) have in common: they ask for
/// what is pending, or drop it.
macro_rules! pending_methods {
    () => {
        /// Returns whether the pending aggregate would take this user record now.
        #[must_use]
        pub fn fits(&self, record: $crate::UserRecord<'_>) -> bool {
            self.packer.fits(&record)
        }

        /// Returns the number of bytes by which [`Self::size_bytes`] would grow if this user record was added to what is
        /// pending, whether or not the limits allow it.
        #[must_use]
        pub fn would_add(&self, record: $crate::UserRecord<'_>) -> usize {
            self.packer.would_add(&record)
        }

        /// Drops what is pending.
        pub fn clear(&mut self) {
            self.packer.clear();
        }

        /// Returns whether the pending aggregate has reached [`Limits::max_age`](crate::Limits::max_age), so that it should
        /// be finished. User records added without a time, by [`Self::add`], have no age.
        #[must_use]
        pub fn expired(&self, now: core::time::Duration) -> bool {
            self.packer.expired(now)
        }

        /// Returns the limits of each aggregate.
        #[must_use]
        pub const fn limits(&self) -> $crate::Limits {
            self.packer.limits
        }

        /// Returns the number of pending user records.
        #[must_use]
        pub const fn user_records(&self) -> usize {
            self.packer.pending.user_records
        }

        /// Returns whether nothing is pending.
        #[must_use]
        pub const fn is_empty(&self) -> bool {
            self.packer.is_empty()
        }

        /// Returns the exact length of the data that [`Self::finish`] would return; 0 if nothing is pending.
        #[must_use]
        pub fn encoded_len(&self) -> usize {
            self.packer.encoded_len()
        }

        /// Returns [`Self::encoded_len`] with the outer partition key, as Kinesis and [`Limits`](crate::Limits) count (rule
        /// E6).
        #[must_use]
        pub fn size_bytes(&self) -> usize {
            self.packer.size_bytes()
        }
    };
}
pub(super) use pending_methods;

/// The storage of an aggregate under construction.
pub(crate) trait Store {
    fn find_partition_key(&self, key: &str) -> Lookup;

    fn find_explicit_hash_key(&self, key: &str) -> Lookup;

    /// The length of the aggregate if it was finished now; that of the frame if nothing is pending.
    fn framed_len(&self) -> usize;

    /// The largest length of an aggregate.
    fn capacity(&self) -> usize;

    /// Writes what was planned. Either all of it counts as written, or nothing.
    fn commit(&mut self, plan: &Plan<'_>) -> Result<(), Full>;

    fn clear(&mut self);
}

/// The keys and sizes of a user record that is about to be added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'r> {
    pub(crate) record: &'r UserRecord<'r>,
    pub(crate) indexed: IndexedRecord<'r>,
    pub(crate) partition_key: Lookup,
    pub(crate) explicit_hash_key: Option<(&'r str, Lookup)>,
    /// The number of bytes by which the aggregate grows.
    added: usize,
}

impl<'r> Plan<'r> {
    #[inline(always)]
    fn new(
        record: &'r UserRecord<'r>,
        partition_key: Lookup,
        explicit_hash_key: Option<(&'r str, Lookup)>,
    ) -> Self {
        let explicit_hash_key_index = explicit_hash_key.map(|(_, lookup)| lookup.index());
        let indexed = IndexedRecord::new(record, partition_key.index(), explicit_hash_key_index);
        // Keys, data and tags may borrow the same bytes, so on small targets their sum may exceed all memory.
        let added = indexed
            .field_len
            .saturating_add(partition_key.cost(record.partition_key))
            .saturating_add(explicit_hash_key.map_or(0, |(key, lookup)| lookup.cost(key)));
        Self { record, indexed, partition_key, explicit_hash_key, added }
    }

    /// Plans to make `record` the first one of an aggregate.
    fn alone(record: &'r UserRecord<'r>) -> Self {
        Self::new(record, Lookup::FIRST, record.explicit_hash_key.map(|key| (key, Lookup::FIRST)))
    }

    #[inline(always)]
    fn has_new_key(&self) -> bool {
        self.partition_key.is_new() || self.explicit_hash_key.is_some_and(|(_, lookup)| lookup.is_new())
    }

    /// Validates the keys that are new (rules E4 and E5): what is in a table has been validated.
    #[inline(always)]
    fn validate(&self) -> Result<(), EncodeError> {
        if self.partition_key.is_new() {
            self.record.validate_partition_key()?;
        }
        match self.explicit_hash_key {
            Some((key, lookup)) if lookup.is_new() => {
                key.parse::<HashKey>().map(|_| ()).map_err(EncodeError::ExplicitHashKey)
            }
            _ => Ok(()),
        }
    }
}

/// An aggregate under construction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packer<S> {
    pub(super) store: S,
    pub(super) limits: Limits,
    pub(super) pending: Pending,
}

/// The counts, keys and time of an aggregate under construction, without its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pending {
    pub(crate) user_records: usize,
    /// The length of the partition key of the first user record, which is the outer one (rule E8): at most 1,024 bytes.
    partition_key_len: u16,
    /// The explicit hash key of the first user record, if it has one.
    pub(crate) explicit_hash_key: Option<HashKey>,
    /// The earliest known time of a user record, if `is_timed`. Not an `Option`, so that [`Self::NOTHING`] is all zeros and
    /// takes no flash.
    since: Duration,
    is_timed: bool,
}

impl<S: Store> Packer<S> {
    pub(crate) const fn new(store: S, limits: Limits) -> Self {
        Self { store, limits, pending: Pending::NOTHING }
    }

    /// Adds a user record. Returns `false` if it does not fit, or the aggregate is too old, but it will fit once nothing is
    /// pending.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    pub(crate) fn add(
        &mut self,
        record: &UserRecord<'_>,
        now: Option<Duration>,
    ) -> Result<bool, EncodeError> {
        let plan = self.plan(record);
        if plan.has_new_key() {
            plan.validate()?;
        }
        if !self.admits(&plan) || now.is_some_and(|now| self.expired(now)) {
            self.check_alone(record)?;
            return Ok(false);
        }
        if self.store.commit(&plan).is_err() {
            debug_assert!(false, "sizes are checked before anything is written");
            return Ok(false);
        }
        if self.pending.user_records == 0 {
            self.pending.begin(record);
        }
        self.pending.user_records += 1;
        if let Some(now) = now {
            self.pending.note_time(now);
        }
        Ok(true)
    }

    /// Refuses a user record that does not fit an empty aggregate.
    #[cfg_attr(target_pointer_width = "64", cold, inline(never))]
    fn check_alone(&self, record: &UserRecord<'_>) -> Result<(), EncodeError> {
        let required = check_alone(&self.limits, record)?;
        let available = self.store.capacity();
        if required <= available { Ok(()) } else { Err(EncodeError::BufferTooSmall { required, available }) }
    }

    /// Adds a user record that has no new key, fits what is pending, and for which `has_capacity` returns true. Otherwise
    /// returns `None` and changes nothing.
    ///
    /// The user record also fits an aggregate of its own, which is not larger than what is pending with it, except that its
    /// partition key is the outer one.
    ///
    /// `index` is that of its partition key in what is pending, if the caller knows it; returns what it is.
    #[cfg(feature = "alloc")]
    #[inline(always)]
    pub(crate) fn add_in_place(
        &mut self,
        record: &UserRecord<'_>,
        index: Option<u32>,
        has_capacity: impl FnOnce(&S, &Plan<'_>) -> bool,
    ) -> Option<u32> {
        let partition_key = match index {
            Some(index) => Lookup::at(index),
            None => self.store.find_partition_key(record.partition_key),
        };
        let plan = self.plan_with(record, partition_key);
        let added = !plan.has_new_key()
            && self.admits(&plan)
            && self.store.framed_len() + plan.added + record.partition_key.len() <= self.limits.max_size()
            && has_capacity(&self.store, &plan)
            && self.store.commit(&plan).is_ok();
        self.pending.user_records += usize::from(added);
        added.then(|| partition_key.index())
    }

    pub(crate) fn fits(&self, record: &UserRecord<'_>) -> bool {
        let plan = self.plan(record);
        plan.validate().is_ok() && self.admits(&plan)
    }

    pub(crate) fn would_add(&self, record: &UserRecord<'_>) -> usize {
        let first = if self.is_empty() { FRAME_SIZE + record.partition_key.len() } else { 0 };
        self.plan(record).added.saturating_add(first)
    }

    /// Returns the pending aggregate, without its bytes, or `None` if nothing is pending.
    #[inline(always)]
    pub(crate) fn pending(&self) -> Option<Pending> {
        if self.is_empty() { None } else { Some(self.pending) }
    }

    pub(crate) fn clear(&mut self) {
        self.pending = Pending::NOTHING;
        self.store.clear();
    }

    pub(crate) fn expired(&self, now: Duration) -> bool {
        match (self.pending.since(), self.limits.max_age()) {
            (Some(since), Some(age)) => is_reached(since, age, now),
            _ => false,
        }
    }

    #[inline(always)]
    pub(crate) const fn is_empty(&self) -> bool {
        self.pending.user_records == 0
    }

    pub(crate) fn encoded_len(&self) -> usize {
        if self.is_empty() { 0 } else { self.store.framed_len() }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.encoded_len() + self.pending.partition_key_len()
    }

    #[inline(always)]
    fn plan<'r>(&self, record: &'r UserRecord<'r>) -> Plan<'r> {
        self.plan_with(record, self.store.find_partition_key(record.partition_key))
    }

    #[inline(always)]
    fn plan_with<'r>(&self, record: &'r UserRecord<'r>, partition_key: Lookup) -> Plan<'r> {
        let explicit_hash_key =
            record.explicit_hash_key.map(|key| (key, self.store.find_explicit_hash_key(key)));
        Plan::new(record, partition_key, explicit_hash_key)
    }

    /// Returns whether what is planned is within the limits.
    #[inline(always)]
    fn admits(&self, plan: &Plan<'_>) -> bool {
        let (limit, outer) = if self.is_empty() {
            (self.limits.max_size(), plan.record.partition_key.len())
        } else {
            (self.limits.target_size(), self.pending.partition_key_len())
        };
        // An aggregate that exceeds the target has no bytes left: it keeps its only user record.
        let largest = limit.saturating_sub(outer).min(self.store.capacity());
        plan.added <= largest.saturating_sub(self.store.framed_len())
            && self.pending.user_records < self.limits.max_user_records()
            && plan.partition_key.index() < self.limits.max_partition_keys()
    }
}

/// Returns whether `age` has passed from `since` to `now`. In the arithmetic of `Duration` the compiler may keep a panic.
fn is_reached(since: Duration, age: Duration, now: Duration) -> bool {
    const SECOND: u32 = 1_000_000_000;
    let nanos = since.subsec_nanos() + age.subsec_nanos();
    let (carry, nanos) = if nanos < SECOND { (0, nanos) } else { (1, nanos - SECOND) };
    let seconds = since.as_secs().checked_add(age.as_secs()).and_then(|seconds| seconds.checked_add(carry));
    seconds.is_some_and(|seconds| (now.as_secs(), now.subsec_nanos()) >= (seconds, nanos))
}

impl Pending {
    /// Notes the keys of the first user record, which are valid. Its explicit hash key is parsed a second time: handing it on
    /// from [`Plan::validate`] would cost every user record 15 instructions.
    #[cfg_attr(target_pointer_width = "64", cold, inline(never))]
    fn begin(&mut self, record: &UserRecord<'_>) {
        // A valid one has at most 1,024 bytes.
        self.partition_key_len = u16::try_from(record.partition_key.len()).unwrap_or(u16::MAX);
        self.explicit_hash_key = record.explicit_hash_key.and_then(|key| key.parse().ok());
    }

    #[inline(always)]
    pub(crate) fn partition_key_len(&self) -> usize {
        usize::from(self.partition_key_len)
    }

    /// Notes the time of a user record. The earliest one counts: user records that are requeued may be older than everything
    /// pending.
    #[inline(always)]
    fn note_time(&mut self, now: Duration) {
        self.since = self.since().map_or(now, |since| since.min(now));
        self.is_timed = true;
    }

    /// The earliest known time of a user record.
    #[inline(always)]
    pub(crate) const fn since(&self) -> Option<Duration> {
        if self.is_timed { Some(self.since) } else { None }
    }

    const NOTHING: Self = Self {
        user_records: 0,
        partition_key_len: 0,
        explicit_hash_key: None,
        since: Duration::ZERO,
        is_timed: false,
    };
}

/// Refuses a user record that exceeds the maximum even in an aggregate of its own (rules E7 and E9). Returns the encoded
/// length of that aggregate.
pub(crate) fn check_alone(limits: &Limits, record: &UserRecord<'_>) -> Result<usize, EncodeError> {
    let limit = limits.max_size();
    let encoded_len = Plan::alone(record).added.saturating_add(FRAME_SIZE);
    let required = encoded_len.saturating_add(record.partition_key.len());
    if required <= limit {
        return Ok(encoded_len);
    }
    let plain = record.data.len().saturating_add(record.partition_key.len());
    // A plain record cannot have tags.
    if plain <= limit && record.tags.len() == 0 {
        return Err(EncodeError::FitsOnlyPlain { required, limit, plain });
    }
    Err(EncodeError::TooLarge { required, limit })
}
