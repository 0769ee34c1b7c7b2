//! Aggregates in NOR flash that survive a power loss.
//!
//! Each erase unit is a slot for one aggregate:
//!
//! ```text
//! 0                4            8                          16
//! +----------------+------------+--------------------------+- - - - - - -
//! | sequence number| length     | FF.. unsent, 00.. sent   | aggregate
//! +----------------+------------+--------------------------+- - - - - - -
//! ```
//!
//! There is no checksum besides the digest that every aggregate has: a torn write is not an aggregate. Whoever can write to the flash
//! can forge one; the digest guards against damage only.

use embedded_storage::nor_flash::NorFlash;
use kinesis_aggregation::encode::AggregateRef;

/// The bytes before the aggregate.
pub const HEADER: usize = 16;
/// The position of the mark. It has 8 bytes of its own, since flash with error correction is written once in units of up to 8 bytes.
const MARK: u32 = 8;
const UNIT: usize = 8;

/// `SLOTS` slots for aggregates.
pub struct Store<F, const SLOTS: usize> {
    flash: F,
    slots: [State; SLOTS],
    next_sequence: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Unsent { sequence: u32, len: usize },
}

/// The position of an aggregate in flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError<E> {
    Flash(E),
    /// The aggregate is larger than a slot, or there is no free one.
    NoRoom,
}

impl<F: NorFlash, const SLOTS: usize> Store<F, SLOTS> {
    /// Finds the aggregates that were not sent. `scratch` has to have the size of the largest aggregate.
    pub fn open(flash: F, scratch: &mut [u8]) -> Result<Self, StoreError<F::Error>> {
        const { assert!(F::WRITE_SIZE <= UNIT && UNIT.is_multiple_of(F::WRITE_SIZE) && F::READ_SIZE == 1) };
        let mut store = Self { flash, slots: [State::Free; SLOTS], next_sequence: 0 };
        for slot in 0..SLOTS {
            let mut header = [0; HEADER];
            store.flash.read(offset::<F>(slot), &mut header).map_err(StoreError::Flash)?;
            let [sequence, len] =
                [0, 4].map(|at| header[at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word)));
            // A mark that is half written counts: writing it began after the aggregate was acknowledged.
            let unsent = header[MARK as usize..].iter().all(|byte| *byte == 0xff);
            let Some(data) =
                scratch.get_mut(..len as usize).filter(|_| unsent && HEADER + len as usize <= F::ERASE_SIZE)
            else {
                continue;
            };
            store.flash.read(offset::<F>(slot) + HEADER as u32, data).map_err(StoreError::Flash)?;
            if AggregateRef::from_data(data).is_some() {
                store.slots[slot] = State::Unsent { sequence, len: data.len() };
                store.next_sequence = store.next_sequence.max(sequence.wrapping_add(1));
            }
        }
        Ok(store)
    }

    /// Stores an aggregate. It is safe when this returns.
    pub fn put(&mut self, data: &[u8]) -> Result<Slot, StoreError<F::Error>> {
        let sequence = self.next_sequence;
        // Another slot each time, so that all wear out alike.
        let first = sequence as usize % SLOTS;
        let free = (first..SLOTS).chain(0..first).find(|slot| self.slots[*slot] == State::Free);
        let slot = free.filter(|_| HEADER + data.len() <= F::ERASE_SIZE).ok_or(StoreError::NoRoom)?;

        let start = offset::<F>(slot);
        self.flash.erase(start, start + F::ERASE_SIZE as u32).map_err(StoreError::Flash)?;
        let mut header = [0; UNIT];
        header[..4].copy_from_slice(&sequence.to_le_bytes());
        header[4..].copy_from_slice(&(data.len() as u32).to_le_bytes());
        self.flash.write(start, &header).map_err(StoreError::Flash)?;
        let (whole, rest) = data.split_at(data.len() - data.len() % UNIT);
        let mut last = [0xff; UNIT];
        last[..rest.len()].copy_from_slice(rest);
        self.flash.write(start + HEADER as u32, whole).map_err(StoreError::Flash)?;
        self.flash.write(start + (HEADER + whole.len()) as u32, &last).map_err(StoreError::Flash)?;

        self.slots[slot] = State::Unsent { sequence, len: data.len() };
        self.next_sequence = sequence.wrapping_add(1);
        Ok(Slot(slot))
    }

    /// Returns the slot of the oldest aggregate that was not sent.
    #[must_use]
    pub fn oldest(&self) -> Option<Slot> {
        let unsent = self.slots.iter().enumerate().filter_map(|(slot, state)| match state {
            State::Unsent { sequence, .. } => Some((*sequence, Slot(slot))),
            State::Free => None,
        });
        unsent.min_by_key(|(sequence, _)| *sequence).map(|(_, slot)| slot)
    }

    /// Reads an aggregate. Returns its length.
    pub fn read(&mut self, Slot(slot): Slot, buffer: &mut [u8]) -> Result<usize, StoreError<F::Error>> {
        let State::Unsent { len, .. } = self.slots[slot] else { return Ok(0) };
        let data = buffer.get_mut(..len).ok_or(StoreError::NoRoom)?;
        self.flash.read(offset::<F>(slot) + HEADER as u32, data).map_err(StoreError::Flash)?;
        Ok(len)
    }

    /// Marks an aggregate as sent. Its slot is erased when it is used again.
    pub fn mark_sent(&mut self, Slot(slot): Slot) -> Result<(), StoreError<F::Error>> {
        self.flash.write(offset::<F>(slot) + MARK, &[0; UNIT]).map_err(StoreError::Flash)?;
        self.slots[slot] = State::Free;
        Ok(())
    }

    #[must_use]
    pub fn is_full(&self) -> bool {
        self.unsent() == SLOTS
    }

    /// Returns the number of aggregates that were not sent.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.slots.iter().filter(|state| **state != State::Free).count()
    }

    #[must_use]
    pub fn into_flash(self) -> F {
        self.flash
    }
}

fn offset<F: NorFlash>(slot: usize) -> u32 {
    (slot * F::ERASE_SIZE) as u32
}
