//! What callbacks can be put on.

/// Packs user records and hands out what is full: a [`crate::RecordAggregator`] or a
/// [`crate::AggregationManager`].
///
/// The trait is sealed. It lets both have the same callbacks.
pub trait Packs: sealed::Sealed {}

impl<P: sealed::Sealed> Packs for P {}

pub(crate) mod sealed {
    use core::time::Duration;

    use crate::error::EncodeError;
    use crate::message::UserRecord;

    pub trait Sealed {
        /// What is handed out.
        type Full;

        /// Adds a user record; what becomes full by it goes to `out`, and goes there after the record was added.
        fn add_to(
            &mut self,
            record: UserRecord<'_>,
            now: Option<Duration>,
            out: impl FnMut(Self::Full),
        ) -> Result<(), EncodeError>;

        /// Ends all that is pending.
        fn finish_to(&mut self, out: impl FnMut(Self::Full));

        /// Drops all that is pending.
        fn clear_all(&mut self);
    }
}
