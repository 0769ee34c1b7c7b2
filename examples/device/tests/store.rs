//! The flash after a power failure at any byte: it holds every aggregate that was stored and not sent, and nothing else.

use device::simulated::{Flash, SECTOR};
use device::store::{HEADER, Slot, Store, StoreError};
use kinesis_aggregation::encode::{AddStatus, AggregateRef};
use kinesis_aggregation::{Encoder, Limits, UserRecord};

fn aggregate(number: u32) -> Vec<u8> {
    let mut buffer = [0; 200];
    let mut encoder = Encoder::<1>::new(&mut buffer, Limits::IOT_CORE);
    for _ in 0..=number % 5 {
        assert_eq!(encoder.add(UserRecord::new("k", &number.to_le_bytes())), Ok(AddStatus::Added));
    }
    encoder.finish().unwrap().data.to_vec()
}

/// Reads everything that was not sent, in order.
fn unsent<const SLOTS: usize>(flash: &mut Flash<SLOTS>) -> Vec<Vec<u8>> {
    let mut store = Store::<_, SLOTS>::open(flash, &mut [0; SECTOR]).unwrap();
    let mut all = Vec::new();
    while let Some(slot) = store.oldest() {
        let mut buffer = [0; SECTOR];
        let len = store.read(slot, &mut buffer).unwrap();
        assert!(AggregateRef::from_data(&buffer[..len]).is_some());
        all.push(buffer[..len].to_vec());
        store.mark_sent(slot).unwrap();
    }
    all
}

#[test]
fn the_power_may_fail_at_any_byte() {
    // Stores 0, 1, 2, marks 0, stores 3 where 0 was. Everything up to the cut has happened.
    let (mut all, mut torn) = (0, 0);
    for power in (0..3 * SECTOR + 600).step_by(3) {
        let mut flash = Flash::<3>::new();
        flash.fail_after(power);
        let mut store = Store::<_, 3>::open(&mut flash, &mut [0; SECTOR]).unwrap();
        let mut safe: Vec<(Slot, Vec<u8>)> = Vec::new();
        let mut maybe = Vec::new();
        let outcome = (|| {
            for number in 0..4 {
                maybe = aggregate(number);
                let slot = store.put(&maybe)?;
                safe.push((slot, maybe.clone()));
                if number == 2 {
                    let (slot, first) = safe.remove(0);
                    maybe = first;
                    store.mark_sent(slot)?;
                }
                maybe.clear();
            }
            Ok::<_, StoreError<_>>(())
        })();
        flash.power_on();
        torn += flash.torn();
        let found = unsent(&mut flash);
        let safe: Vec<_> = safe.into_iter().map(|(_, data)| data).collect();
        // One that was being stored, or marked, may be there or not.
        let without: Vec<_> = found.iter().filter(|data| **data != maybe).cloned().collect();
        assert_eq!(without, safe, "{power}");
        all += usize::from(outcome.is_ok());
        assert_eq!(unsent(&mut flash), Vec::<Vec<u8>>::new(), "{power}: all are marked");
    }
    assert!(all == 0 && torn > 3000, "{all} {torn}");
}

#[test]
fn slots_are_used_in_turn_and_not_overwritten() {
    let mut flash = Flash::<3>::new();
    let mut store = Store::<_, 3>::open(&mut flash, &mut [0; SECTOR]).unwrap();
    let slots: Vec<_> = (0..3).map(|number| store.put(&aggregate(number)).unwrap()).collect();
    assert!(store.is_full());
    assert_eq!(store.put(&aggregate(3)), Err(StoreError::NoRoom));
    store.mark_sent(slots[1]).unwrap();
    assert_eq!(store.put(&aggregate(3)).unwrap(), slots[1]);
    store.mark_sent(slots[0]).unwrap();
    assert_eq!(store.put(&vec![0; SECTOR - HEADER + 1]), Err(StoreError::NoRoom), "larger than a slot");
    assert_eq!(unsent(&mut flash), [aggregate(2), aggregate(3)]);
}

#[test]
fn damaged_flash_is_empty() {
    let mut flash = Flash::<2>::new();
    assert_eq!(unsent(&mut flash), Vec::<Vec<u8>>::new(), "never erased");
}
