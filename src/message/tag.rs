//! The `Tag` message: a key, with or without a value, attached to a user record.

use core::fmt;
use core::iter::FusedIterator;

use crate::error::{DecodeError, DecodeErrorKind};
use crate::message::{RECORD_TAGS, TAG_KEY, TAG_VALUE};
use crate::wire::{FAST_PATHS, Full, Reader, Value, Writer, length_delimited_len};

/// A tag of a user record: a key, with or without a value.
///
/// No known producer writes tags, but the format has them, so they are read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordTag<'a> {
    /// The key of the tag.
    pub key: &'a str,
    /// Its value. An empty value is not the same as none.
    pub value: Option<&'a str>,
}

impl<'a> RecordTag<'a> {
    fn parse(message: Reader<'a>, offset: usize) -> Result<Self, DecodeError> {
        let (key, value) = parse_with(message, offset, |text| text.text())?;
        Ok(Self { key, value })
    }

    fn encoded_len(&self) -> usize {
        let value = self.value.map_or(0, |value| length_delimited_len(value.len()));
        length_delimited_len(self.key.len()).saturating_add(value)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), Full> {
        writer.length_prefix(RECORD_TAGS, self.encoded_len())?;
        writer.bytes_field(TAG_KEY, self.key.as_bytes())?;
        match self.value {
            Some(value) => writer.bytes_field(TAG_VALUE, value.as_bytes()),
            None => Ok(()),
        }
    }
}

/// Reads the key and the value of a tag, each with `text`.
#[cfg_attr(target_pointer_width = "64", inline(always))]
fn parse_with<'a, T>(
    mut message: Reader<'a>,
    offset: usize,
    text: impl Fn(Reader<'a>) -> Result<T, DecodeError>,
) -> Result<(T, Option<T>), DecodeError> {
    let mut key = None;
    let mut value = None;
    while let Some(field) = message.field()? {
        match (field.number, field.value) {
            (TAG_KEY, Value::LengthDelimited(bytes)) => key = Some(text(bytes)?),
            (TAG_VALUE, Value::LengthDelimited(bytes)) => value = Some(text(bytes)?),
            _ => {}
        }
    }
    Ok((key.ok_or(DecodeErrorKind::MissingTagKey.at(offset))?, value))
}

/// The tags of a user record: an iterator over [`RecordTag`]s, in order.
#[derive(Clone, Copy)]
pub struct Tags<'a> {
    source: Source<'a>,
}

/// Takes the next tag of a user record.
type NextTag = for<'a> fn(&mut Reader<'a>) -> Option<RecordTag<'a>>;

/// Tags come from a producer's slice or from the bytes of a valid record.
#[derive(Clone, Copy)]
enum Source<'a> {
    Given(&'a [RecordTag<'a>]),
    /// `next` takes the next tag. It is a pointer so that a program that only encodes contains no decoder.
    Encoded {
        record: Reader<'a>,
        remaining: usize,
        next: NextTag,
    },
}

impl<'a> Tags<'a> {
    pub(crate) const NONE: Self = Self { source: Source::Given(&[]) };

    pub(crate) const fn given(tags: &'a [RecordTag<'a>]) -> Self {
        Self { source: Source::Given(tags) }
    }

    /// Returns `count` tags among these fields of a valid record. The first field is a tag.
    pub(crate) const fn encoded(fields: Reader<'a>, count: usize) -> Self {
        Self { source: Source::Encoded { record: fields, remaining: count, next: next_encoded } }
    }

    /// Validates one tag of a record.
    pub(crate) fn validate(message: Reader<'a>, offset: usize) -> Result<(), DecodeError> {
        if FAST_PATHS {
            parse_with(message, offset, |text| text.check_text()).map(|_| ())
        } else {
            RecordTag::parse(message, offset).map(|_| ())
        }
    }

    /// Counts the bytes of all tags in a record.
    ///
    /// This and [`Self::write`] first look whether there are any. They are inlined, so that a program without tags contains
    /// no code for them.
    #[inline(always)]
    pub(crate) fn encoded_len(self) -> usize {
        if self.len() == 0 { 0 } else { self.sum_len() }
    }

    fn sum_len(self) -> usize {
        self.map(|tag| length_delimited_len(tag.encoded_len())).fold(0, usize::saturating_add)
    }

    #[inline(always)]
    pub(crate) fn write(self, writer: &mut Writer<'_>) -> Result<(), Full> {
        if self.len() == 0 { Ok(()) } else { self.write_all(writer) }
    }

    fn write_all(self, writer: &mut Writer<'_>) -> Result<(), Full> {
        for tag in self {
            tag.write(writer)?;
        }
        Ok(())
    }
}

/// Takes the next tag of a valid record.
fn next_encoded<'a>(record: &mut Reader<'a>) -> Option<RecordTag<'a>> {
    // A copy, which fits registers.
    let mut fields = *record;
    while let Ok(Some(field)) = fields.field() {
        if let (RECORD_TAGS, Value::LengthDelimited(tag)) = (field.number, field.value) {
            *record = fields;
            return RecordTag::parse(tag, field.offset).ok();
        }
    }
    None
}

impl<'a> Iterator for Tags<'a> {
    type Item = RecordTag<'a>;

    fn next(&mut self) -> Option<RecordTag<'a>> {
        match &mut self.source {
            Source::Given(tags) => {
                let (tag, rest) = tags.split_first()?;
                *tags = rest;
                Some(*tag)
            }
            Source::Encoded { record, remaining, next } => {
                *remaining = remaining.checked_sub(1)?;
                next(record)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let remaining = match self.source {
            Source::Given(tags) => tags.len(),
            Source::Encoded { remaining, .. } => remaining,
        };
        (remaining, Some(remaining))
    }
}

impl ExactSizeIterator for Tags<'_> {}
impl FusedIterator for Tags<'_> {}

impl Default for Tags<'_> {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Debug for Tags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

/// Equal if they list the same tags, wherever these come from.
impl PartialEq for Tags<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && Iterator::eq(*self, *other)
    }
}

impl Eq for Tags<'_> {}
