//! Sorting in place without a panic in sight.

/// Sorts in n log n steps, whatever the order was. Items that compare equal may change places.
///
/// The sorts of the standard library are faster, but contain a panic for orders that contradict themselves.
pub(crate) fn heap_sort<T: Copy>(items: &mut [T], less: impl Fn(&T, &T) -> bool) {
    for root in (0..items.len() / 2).rev() {
        sift_down(items, root, &less);
    }
    let mut rest = items;
    while let Some((last, heap)) = rest.split_last_mut() {
        if let Some(largest) = heap.first_mut() {
            core::mem::swap(largest, last);
        }
        sift_down(heap, 0, &less);
        rest = heap;
    }
}

/// Lets the item at `root` sink to where none below it is larger.
fn sift_down<T: Copy>(heap: &mut [T], mut root: usize, less: impl Fn(&T, &T) -> bool) {
    let Some(&item) = heap.get(root) else { return };
    loop {
        let left = root.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        let (child, &larger) = match (heap.get(left), heap.get(right)) {
            (Some(l), Some(r)) if less(l, r) => (right, r),
            (Some(l), _) => (left, l),
            (None, _) => break,
        };
        if !less(&item, &larger) {
            break;
        }
        if let Some(slot) = heap.get_mut(root) {
            *slot = larger;
        }
        root = child;
    }
    if let Some(slot) = heap.get_mut(root) {
        *slot = item;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn sorts_like_the_standard_library() {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        for len in 0..200 {
            for modulus in [1, 3, 1000] {
                let mut items: Vec<u32> = (0..len).map(|_| next() % modulus).collect();
                let mut expected = items.clone();
                expected.sort_unstable();
                heap_sort(&mut items, |a, b| a < b);
                assert_eq!(items, expected, "{len} numbers below {modulus}");
            }
        }
    }
}
