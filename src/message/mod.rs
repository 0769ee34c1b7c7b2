//! The three messages of the format.
//!
//! ```text
//! AggregatedRecord   1 partition_key_table*   2 explicit_hash_key_table*   3 records*
//! Record             1 partition_key_index    2 explicit_hash_key_index?   3 data       4 tags*
//! Tag                1 key                    2 value?
//! ```
//!
//! `?` is optional, `*` is repeated; everything else is required. Nothing here knows the frame around a body, or which keys
//! are in a table already.

mod body;
mod record;
mod record_head;
mod tag;
mod user_record;

pub(crate) use body::{Body, Cursor};
pub(crate) use record::IndexedRecord;
#[cfg(feature = "alloc")]
pub(crate) use record_head::HEAD_SIZE;
pub use tag::{RecordTag, Tags};
pub use user_record::UserRecord;

// Field numbers, by message. All are below 16, so every tag that is written takes one byte.

pub(crate) const PARTITION_KEY_TABLE: u32 = 1;
pub(crate) const EXPLICIT_HASH_KEY_TABLE: u32 = 2;
pub(crate) const RECORDS: u32 = 3;

const RECORD_PARTITION_KEY_INDEX: u32 = 1;
const RECORD_EXPLICIT_HASH_KEY_INDEX: u32 = 2;
const RECORD_DATA: u32 = 3;
const RECORD_TAGS: u32 = 4;

const TAG_KEY: u32 = 1;
const TAG_VALUE: u32 = 2;
