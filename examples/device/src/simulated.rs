//! Flash whose power fails in the middle of a write or an erasure.

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};

/// The size of a sector, the unit that is erased.
pub const SECTOR: usize = 4096;

/// NOR flash: erasing sets all bits of a sector, and writing clears bits.
pub struct Flash<const SECTORS: usize> {
    sectors: [[u8; SECTOR]; SECTORS],
    /// The number of bytes that may still be written or erased before the power fails.
    power: Option<usize>,
    /// The number of times that the power failed within an operation.
    torn: usize,
}

/// The power has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerLoss;

impl<const SECTORS: usize> Flash<SECTORS> {
    /// New flash is not erased.
    #[must_use]
    pub const fn new() -> Self {
        Self { sectors: [[0x5a; SECTOR]; SECTORS], power: None, torn: 0 }
    }

    /// Lets the power fail after so many bytes.
    pub fn fail_after(&mut self, bytes: usize) {
        self.power = Some(bytes);
    }

    pub fn power_on(&mut self) {
        self.power = None;
    }

    /// Returns how often the power failed in the middle of an operation.
    #[must_use]
    pub fn torn(&self) -> usize {
        self.torn
    }

    fn change(
        &mut self,
        offset: u32,
        len: usize,
        mut byte: impl FnMut(usize, &mut u8),
    ) -> Result<(), PowerLoss> {
        let bytes =
            self.sectors.as_flattened_mut().get_mut(offset as usize..).and_then(|rest| rest.get_mut(..len));
        for (at, to) in bytes.ok_or(PowerLoss)?.iter_mut().enumerate() {
            match &mut self.power {
                Some(0) => {
                    self.torn += usize::from(at > 0);
                    return Err(PowerLoss);
                }
                Some(left) => *left -= 1,
                None => {}
            }
            byte(at, to);
        }
        Ok(())
    }
}

impl<const SECTORS: usize> Default for Flash<SECTORS> {
    fn default() -> Self {
        Self::new()
    }
}

impl NorFlashError for PowerLoss {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl<const SECTORS: usize> ErrorType for Flash<SECTORS> {
    type Error = PowerLoss;
}

impl<const SECTORS: usize> ReadNorFlash for Flash<SECTORS> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), PowerLoss> {
        let from =
            self.sectors.as_flattened().get(offset as usize..).and_then(|rest| rest.get(..bytes.len()));
        bytes.copy_from_slice(from.ok_or(PowerLoss)?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        SECTORS * SECTOR
    }
}

impl<const SECTORS: usize> NorFlash for Flash<SECTORS> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), PowerLoss> {
        self.change(from, to.saturating_sub(from) as usize, |_, byte| *byte = 0xff)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), PowerLoss> {
        assert!(offset.is_multiple_of(4) && bytes.len().is_multiple_of(4), "writes are aligned");
        self.change(offset, bytes.len(), |at, byte| *byte &= bytes[at])
    }
}
