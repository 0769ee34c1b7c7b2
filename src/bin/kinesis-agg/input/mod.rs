//! Input: files and standard input, and the user records or payloads in them.

mod blocks;
mod detect;
mod gather;
mod json;
mod lines;
mod log;
mod payloads;
mod quote;
mod renderings;
mod source;
mod user_records;

pub(crate) use detect::foreign;
pub(crate) use lines::Place;
pub(crate) use payloads::{Damaged, Event, Payload, for_each_event};
pub(crate) use quote::{escape, quote};
pub(crate) use source::Pausing;
pub(crate) use user_records::{Data, InputRecord, UserEvent, for_each_user_record};

/// The longest line or raw payload that is read into memory. The largest Kinesis record in base64 is far shorter, so
/// longer input is not what the command takes it for.
const MAX_UNIT: usize = 256 * 1024 * 1024;

/// Some editors put this in front of UTF-8. It carries no meaning.
pub(crate) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
