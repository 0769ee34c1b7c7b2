//! Collecting readings in one buffer while the aggregate in another one is being sent.

use core::time::Duration;

use embedded_storage::nor_flash::NorFlash;
use kinesis_aggregation::encode::{AddStatus, AggregateRef, EncodeError, FinishedBuffer};
use kinesis_aggregation::{Encoder, Limits, UserRecord};

use crate::store::{Slot, Store, StoreError};

/// A device with one partition key. The encoder therefore has to remember one.
pub struct Device<'b, F, const SLOTS: usize> {
    key: &'b str,
    encoder: Encoder<'b, 1>,
    /// The buffer that is neither being filled nor being sent.
    spare: Option<&'b mut [u8]>,
    sending: Option<Sending<'b>>,
    store: Store<F, SLOTS>,
}

/// An aggregate that is being sent, and where it is in flash.
struct Sending<'b> {
    slot: Slot,
    buffer: Sent<'b>,
}

enum Sent<'b> {
    /// Just finished.
    Finished(FinishedBuffer<'b>),
    /// Read from flash, this many bytes.
    Stored(&'b mut [u8], usize),
}

/// The outcome of collecting a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collected {
    /// The reading is in the buffer. If not, both buffers are in use or the flash is full: send first.
    pub taken: bool,
    /// This many readings, the oldest ones, have been stored in flash. They survive a power loss from now on.
    pub stored: usize,
}

/// The device has to restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceError<E> {
    Encode(EncodeError),
    Store(StoreError<E>),
}

impl<E> From<StoreError<E>> for DeviceError<E> {
    fn from(error: StoreError<E>) -> Self {
        Self::Store(error)
    }
}

impl<'b, F: NorFlash, const SLOTS: usize> Device<'b, F, SLOTS> {
    /// Starts after a restart: finds what is in flash and was not sent. Both buffers should have the size of a slot.
    pub fn new(
        key: &'b str,
        [filling, spare]: [&'b mut [u8]; 2],
        flash: F,
        max_age: Duration,
    ) -> Result<Self, StoreError<F::Error>> {
        let store = Store::open(flash, spare)?;
        let limits = Limits::IOT_CORE.with_max_age(max_age);
        Ok(Self { key, encoder: Encoder::new(filling, limits), spare: Some(spare), sending: None, store })
    }

    /// Adds a reading. If the aggregate is full, or too old, stores it and begins the next one.
    pub fn add(&mut self, reading: &[u8], now: Duration) -> Result<Collected, DeviceError<F::Error>> {
        let record = UserRecord::new(self.key, reading);
        let mut stored = 0;
        while self.encoder.add_at(record, now).map_err(DeviceError::Encode)? == AddStatus::Full {
            match self.flush()? {
                0 => return Ok(Collected { taken: false, stored }),
                more => stored += more,
            }
        }
        Ok(Collected { taken: true, stored })
    }

    /// Finishes the pending aggregate and stores it, and begins to send it. Call this when the aggregate is too old, or before the
    /// device is switched off. Returns the number of readings stored: 0 if there are none, or no buffer or slot is free.
    pub fn flush(&mut self) -> Result<usize, StoreError<F::Error>> {
        if self.encoder.is_empty() || self.store.is_full() {
            return Ok(0);
        }
        let Some(next) = self.spare.take() else { return Ok(0) };
        let finished = self.encoder.swap_buffer(next);
        let Some(aggregate) = finished.aggregate() else { return Ok(0) };
        let count = aggregate.user_records;
        let slot = self.store.put(aggregate.data)?;
        self.sending = Some(Sending { slot, buffer: Sent::Finished(finished) });
        Ok(count)
    }

    /// Returns whether the pending aggregate is old enough to be sent.
    #[must_use]
    pub fn is_due(&self, now: Duration) -> bool {
        self.encoder.expired(now)
    }

    /// Returns what is to be sent: the last aggregate, or the oldest one in flash. It stays the same until [`Self::sent`] or
    /// [`Self::failed`] is called.
    pub fn to_send(&mut self) -> Result<Option<AggregateRef<'_>>, StoreError<F::Error>> {
        if self.sending.is_none()
            && let Some(slot) = self.store.oldest()
            && let Some(buffer) = self.spare.take()
        {
            let len = self.store.read(slot, buffer)?;
            self.sending = Some(Sending { slot, buffer: Sent::Stored(buffer, len) });
        }
        Ok(self.sending.as_ref().and_then(|sending| match &sending.buffer {
            Sent::Finished(finished) => finished.aggregate(),
            Sent::Stored(buffer, len) => AggregateRef::from_data(buffer.get(..*len)?),
        }))
    }

    /// Notes that the broker or the service has acknowledged the aggregate. Only now its slot is free again.
    pub fn sent(&mut self) -> Result<(), StoreError<F::Error>> {
        if let Some(sending) = self.sending.take() {
            let slot = sending.slot;
            self.free(sending);
            self.store.mark_sent(slot)?;
        }
        Ok(())
    }

    /// Notes that sending failed, or that nobody knows. The aggregate stays in flash, to be sent again: delivery is at least once.
    pub fn failed(&mut self) {
        if let Some(sending) = self.sending.take() {
            self.free(sending);
        }
    }

    fn free(&mut self, sending: Sending<'b>) {
        self.spare = Some(match sending.buffer {
            Sent::Finished(finished) => finished.into_buffer(),
            Sent::Stored(buffer, _) => buffer,
        });
    }

    /// Returns the number of readings that a power loss would take.
    #[must_use]
    pub fn in_memory(&self) -> usize {
        self.encoder.user_records()
    }

    /// Returns the number of aggregates in flash that were not sent.
    #[must_use]
    pub fn in_flash(&self) -> usize {
        self.store.unsent()
    }

    /// Ends the program, as a power loss does. What is left is the flash.
    #[must_use]
    pub fn into_flash(self) -> F {
        self.store.into_flash()
    }
}
