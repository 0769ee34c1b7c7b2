//! Text and data as `aws_kinesis_agg` takes them: `str` or `bytes`.

use std::borrow::Cow;

use kinesis_aggregation::UserRecord;
use pyo3::exceptions::{PyTypeError, PyUnicodeDecodeError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};

/// Borrows a user record from the arguments of `add_user_record`, and passes it on.
///
/// An empty explicit hash key is none, as in `aws_kinesis_agg`.
pub(crate) fn with_user_record<T>(
    partition_key: &Bound<'_, PyAny>,
    data: &Bound<'_, PyAny>,
    explicit_hash_key: Option<&Bound<'_, PyAny>>,
    add: impl FnOnce(UserRecord<'_>) -> PyResult<T>,
) -> PyResult<T> {
    let data = bytes("data", data)?;
    let mut record = UserRecord::new(text("partition_key", partition_key)?, &data);
    if let Some(key) = explicit_hash_key {
        let key = text("explicit_hash_key", key)?;
        if !key.is_empty() {
            record = record.with_explicit_hash_key(key);
        }
    }
    add(record)
}

fn text<'a>(name: &str, value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    if let Ok(text) = value.cast::<PyString>() {
        return text.to_str();
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        let bytes = bytes.as_bytes();
        return str::from_utf8(bytes).map_err(|error| {
            match PyUnicodeDecodeError::new_utf8(value.py(), bytes, error) {
                Ok(error) => PyErr::from_value(error.into_any()),
                Err(error) => error,
            }
        });
    }
    Err(wrong_type(name, value))
}

fn bytes<'a>(name: &str, value: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().into());
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.to_str()?.as_bytes().into());
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return Ok(bytes.to_vec().into());
    }
    if value.is_instance_of::<PyMemoryView>() {
        return Ok(value.call_method0("tobytes")?.extract::<Vec<u8>>()?.into());
    }
    Err(wrong_type(name, value))
}

fn wrong_type(name: &str, value: &Bound<'_, PyAny>) -> PyErr {
    match value.get_type().name() {
        Ok(found) => PyTypeError::new_err(format!("{name} must be str or bytes, not {found}")),
        Err(error) => error,
    }
}
