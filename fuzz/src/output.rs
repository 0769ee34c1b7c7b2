//! Replaces the output of the command.

pub(crate) fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap()
}
