//! A simulated sensor with a memory of its own, as meters and accelerometers have: it keeps its readings until they are released,
//! with or without power.

/// A sensor, whose readings are numbered from 0.
#[derive(Debug, Default)]
pub struct Sensor {
    seed: u32,
    /// The number of the oldest reading that is not released.
    oldest: u32,
    /// The number of readings that were taken over since the last power loss, released or not.
    next: u32,
}

/// A reading as it is sent: its number, when it was taken, and its value. User records carry no time, so the data has to.
pub type Reading = [u8; 12];

impl Sensor {
    #[must_use]
    pub fn new(seed: u32) -> Self {
        Self { seed, oldest: 0, next: 0 }
    }

    /// Returns the next reading, until [`Self::taken`] is called.
    #[must_use]
    pub fn read(&self) -> Reading {
        Self::reading(self.seed, self.next)
    }

    /// Returns the number of the next reading.
    #[must_use]
    pub fn next(&self) -> u32 {
        self.next
    }

    /// Goes on to the next reading. The sensor still keeps this one.
    pub fn taken(&mut self) {
        self.next += 1;
    }

    /// Forgets the oldest readings, which are safe elsewhere.
    pub fn release(&mut self, count: usize) {
        self.oldest += count as u32;
        assert!(self.oldest <= self.next, "only readings that were taken are released");
    }

    /// Restarts: what was taken but not released is read again.
    pub fn power_on(&mut self) {
        self.next = self.oldest;
    }

    /// Returns a reading of the sensor with this seed.
    #[must_use]
    pub fn reading(seed: u32, number: u32) -> Reading {
        let time = 1_795_000_000 + 10 * number;
        let noise = (number ^ seed).wrapping_mul(0x9e37_79b9) >> 22;
        let millidegrees = 21_000 + noise;
        let mut reading = Reading::default();
        for (to, value) in reading.chunks_exact_mut(4).zip([number, time, millidegrees]) {
            to.copy_from_slice(&value.to_le_bytes());
        }
        reading
    }
}
