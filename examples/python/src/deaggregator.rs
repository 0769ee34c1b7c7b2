//! Decoding the data of Kinesis records, and making dictionaries of their user records.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use base64_simd::{AsOut, STANDARD};
use kinesis_aggregation::Payload;
use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, PlainReason};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use rustc_hash::FxHashMap;

/// How many user records are made before the first of them is used. Few enough for Python to reuse the dictionaries that were
/// released, of which it keeps 80.
const AHEAD: usize = 32;

/// Decodes the data of Kinesis records: base64, unless `raw`. Returns the user records of each, or `None` where it is not an
/// aggregate.
///
/// The digests are computed side by side. The GIL is released meanwhile.
#[pyfunction]
pub(crate) fn decode(
    py: Python<'_>,
    data: Vec<Bound<'_, PyAny>>,
    raw: bool,
) -> PyResult<Vec<Option<UserRecords>>> {
    if raw {
        let payloads: Vec<&[u8]> = data.iter().map(bytes_of).collect();
        return Ok(py.detach(|| parse_all(payloads)));
    }
    let encoded = data.iter().map(|data| match data.cast::<PyString>() {
        Ok(text) => text.to_str().unwrap_or_default().as_bytes(),
        Err(_) => bytes_of(data),
    });
    let encoded: Vec<&[u8]> = encoded.collect();
    let decoded = py.detach(|| -> Vec<_> {
        encoded.into_iter().map(|encoded| STANDARD.decode_to_vec(encoded)).collect()
    });
    let payloads = decoded.into_iter().zip(&data).map(|(decoded, data)| match decoded {
        Ok(payload) if !payload.is_empty() => Ok(payload),
        // Python ignores what is not base64, and takes other types.
        _ => py.import("base64")?.call_method1("b64decode", (data,))?.extract(),
    });
    let payloads: Vec<Vec<u8>> = payloads.collect::<PyResult<_>>()?;
    Ok(py.detach(|| parse_all(payloads)))
}

/// Text is never an aggregate, nor is anything else but `bytes`.
fn bytes_of<'a>(data: &'a Bound<'_, PyAny>) -> &'a [u8] {
    data.cast::<PyBytes>().map(|bytes| bytes.as_bytes()).unwrap_or_default()
}

fn parse_all<P: AsRef<[u8]> + Into<Vec<u8>>>(payloads: Vec<P>) -> Vec<Option<UserRecords>> {
    let mut verdicts = vec![Ok(()); payloads.len()];
    Payload::verify_each(&payloads, &mut verdicts);
    payloads
        .into_iter()
        .zip(verdicts)
        .map(|(payload, verdict)| verdict.and_then(|()| UserRecords::parse(payload)).ok())
        .collect()
}

/// The user records of an aggregate that are still to be taken.
#[pyclass(module = "kinesis_aggregation._native")]
pub(crate) struct UserRecords {
    payload: Vec<u8>,
    records: Vec<Record>,
    /// The tags of the few records that have any, by sub-sequence number.
    tags: HashMap<usize, Vec<(String, Option<String>)>>,
    taken: usize,
    /// A copy of `kinesis` for each pair of keys, or `None` where only one user record had them so far: there may be no second.
    templates: FxHashMap<Keys, Option<Py<PyDict>>>,
}

/// The positions of the keys of a user record.
type Keys = (u32, Option<u32>);

/// A user record, without tags.
struct Record {
    partition_key: Span,
    explicit_hash_key: Option<Span>,
    data: Span,
}

/// A part of a payload. Position and length have 32 bits to save memory: a Kinesis record has 10 MiB at most.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// Returns where `part`, a subslice of `payload`, is in it.
    fn of(part: &[u8], payload: &[u8]) -> Self {
        let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let start = part.as_ptr().addr() - payload.as_ptr().addr();
        Self { start: narrow(start), len: narrow(part.len()) }
    }

    fn in_payload(self, payload: &[u8]) -> &[u8] {
        let wide = |number| usize::try_from(number).unwrap_or(usize::MAX);
        payload.get(wide(self.start)..).and_then(|rest| rest.get(..wide(self.len))).unwrap_or_default()
    }
}

impl UserRecords {
    fn parse<P: AsRef<[u8]> + Into<Vec<u8>>>(payload: P) -> Result<Self, PlainReason> {
        let bytes = payload.as_ref();
        let aggregate = AggregatedRecord::parse_with(bytes, DigestCheck::Skip)?;
        let mut tags = HashMap::new();
        let records = aggregate.records().enumerate().map(|(number, user)| {
            if user.tags.len() > 0 {
                let owned = user.tags.map(|tag| (tag.key.into(), tag.value.map(String::from)));
                tags.insert(number, owned.collect());
            }
            Record {
                partition_key: Span::of(user.partition_key.as_bytes(), bytes),
                explicit_hash_key: user.explicit_hash_key.map(|key| Span::of(key.as_bytes(), bytes)),
                data: Span::of(user.data, bytes),
            }
        });
        let records = records.collect();
        Ok(Self { records, tags, payload: payload.into(), taken: 0, templates: FxHashMap::default() })
    }
}

#[pymethods]
impl UserRecords {
    /// Returns the next few user records, or an empty list at the end: copies of `record`, each with a copy of `kinesis` in it.
    fn take<'py>(
        &mut self,
        record: &Bound<'py, PyDict>,
        kinesis: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyList>> {
        let users = PyList::empty(record.py());
        self.append_to(&users, record, kinesis, AHEAD)?;
        Ok(users)
    }
}

impl UserRecords {
    /// Appends the next `most` user records, or those that are left.
    fn append_to<'py>(
        &mut self,
        users: &Bound<'py, PyList>,
        record: &Bound<'py, PyDict>,
        kinesis: &Bound<'py, PyDict>,
        most: usize,
    ) -> PyResult<()> {
        let py = record.py();
        let Self { payload, records, tags, taken, templates } = self;
        for (number, user) in records.iter().enumerate().skip(*taken).take(most) {
            // Copying a dictionary is much faster than filling an empty one.
            let members = match templates.entry(user.keys()) {
                Entry::Vacant(first_use) => {
                    first_use.insert(None);
                    user.with_keys(payload, kinesis)?
                }
                Entry::Occupied(mut used) => match used.get() {
                    Some(template) => template.bind(py).copy()?,
                    None => {
                        let template = user.with_keys(payload, kinesis)?;
                        used.insert(Some(template.clone().unbind()));
                        template.copy()?
                    }
                },
            };
            members.set_item(intern!(py, "subSequenceNumber"), number)?;
            members.set_item(intern!(py, "data"), base64_of(py, user.data.in_payload(payload))?)?;
            if let Some(tags) = tags.get(&number) {
                members.set_item(intern!(py, "tags"), tags)?;
            }
            let envelope = record.copy()?;
            envelope.set_item(intern!(py, "kinesis"), members)?;
            users.append(envelope)?;
            *taken += 1;
        }
        Ok(())
    }
}

impl Record {
    fn keys(&self) -> Keys {
        (self.partition_key.start, self.explicit_hash_key.map(|key| key.start))
    }

    /// Returns a copy of `kinesis` with the keys of this user record.
    fn with_keys<'py>(&self, payload: &[u8], kinesis: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
        let py = kinesis.py();
        let text = |key: Span| str::from_utf8(key.in_payload(payload)).unwrap_or_default();
        let members = kinesis.copy()?;
        members.set_item(intern!(py, "partitionKey"), text(self.partition_key))?;
        if let Some(key) = self.explicit_hash_key {
            members.set_item(intern!(py, "explicitHashKey"), text(key))?;
        }
        Ok(members)
    }
}

/// A Kinesis record: an aggregate, as its user records and the arguments of [`UserRecords::take`], or another.
#[derive(FromPyObject)]
pub(crate) enum KinesisRecord<'py> {
    Aggregate(Bound<'py, UserRecords>, Bound<'py, PyDict>, Bound<'py, PyDict>),
    Other(Bound<'py, PyAny>),
}

/// Returns all user records, and the records that are not aggregates in their places.
#[pyfunction]
pub(crate) fn collect<'py>(
    py: Python<'py>,
    records: Vec<KinesisRecord<'py>>,
) -> PyResult<Bound<'py, PyList>> {
    let users = PyList::empty(py);
    without_garbage_collection(py, || {
        records.into_iter().try_for_each(|record| match record {
            KinesisRecord::Aggregate(left, record, kinesis) => {
                left.borrow_mut().append_to(&users, &record, &kinesis, usize::MAX)
            }
            KinesisRecord::Other(record) => users.append(record),
        })
    })?;
    Ok(users)
}

/// Keeps Python up to 3.11 from looking for garbage again and again while many objects are made. Later versions look for it between
/// bytecodes only. Other threads do not notice: this one holds the GIL.
fn without_garbage_collection(py: Python<'_>, make: impl FnOnce() -> PyResult<()>) -> PyResult<()> {
    let gc = py.import(intern!(py, "gc"))?;
    let enabled = gc.call_method0(intern!(py, "isenabled"))?.is_truthy()?;
    if !enabled {
        return make();
    }
    gc.call_method0(intern!(py, "disable"))?;
    let made = make();
    gc.call_method0(intern!(py, "enable"))?;
    made
}

fn base64_of<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, STANDARD.encoded_length(data.len()), |encoded| {
        let written = STANDARD.encode(data, encoded.as_out());
        debug_assert_eq!(written.len(), STANDARD.encoded_length(data.len()));
        Ok(())
    })
}
