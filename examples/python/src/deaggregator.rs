//! Decoding the data of Kinesis records, and making dictionaries of their user records.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use base64_simd::{AsOut, STANDARD};
use kinesis_aggregation::Payload;
use kinesis_aggregation::decode::{AggregatedRecord, DigestCheck, PlainReason};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyMemoryView, PyString, PyType};
use rustc_hash::FxHashMap;

/// Decodes the data of Kinesis records in the form of a Lambda event: base64, unless `raw`. Returns the user records of each, or the
/// record itself where it is not an aggregate.
///
/// Computes the digests together, without holding the GIL.
#[pyfunction]
pub(crate) fn decode<'py>(
    py: Python<'py>,
    records: Vec<Bound<'py, PyAny>>,
    raw: bool,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let data = records.iter().map(|record| {
        let data = record.get_item(intern!(py, "kinesis"))?.get_item(intern!(py, "data"))?;
        let other = raw && !data.is_instance_of::<PyBytes>() && !data.is_instance_of::<PyString>();
        if other { py.get_type::<PyBytes>().call1((PyMemoryView::from(&data)?,)) } else { Ok(data) }
    });
    let data: Vec<_> = data.collect::<PyResult<_>>()?;
    let aggregates = if raw {
        let payloads: Vec<&[u8]> = data.iter().map(bytes_of).collect();
        py.detach(|| parse_all(payloads))
    } else {
        let payloads = decode_base64(py, &data)?;
        py.detach(|| parse_all(payloads))
    };
    let decoded = aggregates.into_iter().zip(records).map(|(aggregate, record)| match aggregate {
        Some(aggregate) => Ok(Bound::new(py, UserRecords::new(aggregate, record))?.into_any()),
        None => Ok(record),
    });
    decoded.collect()
}

fn decode_base64(py: Python<'_>, data: &[Bound<'_, PyAny>]) -> PyResult<Vec<Vec<u8>>> {
    let encoded = data.iter().map(|data| match data.cast::<PyString>() {
        Ok(text) => text.to_str().unwrap_or_default().as_bytes(),
        Err(_) => bytes_of(data),
    });
    let encoded: Vec<&[u8]> = encoded.collect();
    let decoded = py.detach(|| -> Vec<_> {
        encoded.into_iter().map(|encoded| STANDARD.decode_to_vec(encoded)).collect()
    });
    let payloads = decoded.into_iter().zip(data).map(|(decoded, data)| match decoded {
        Ok(payload) if !payload.is_empty() => Ok(payload),
        // Python ignores what is not base64, and takes other types.
        _ => py.import("base64")?.call_method1("b64decode", (data,))?.extract(),
    });
    payloads.collect()
}

/// Returns the contents of `bytes`, or an empty slice for other types.
fn bytes_of<'a>(data: &'a Bound<'_, PyAny>) -> &'a [u8] {
    data.cast::<PyBytes>().map(|bytes| bytes.as_bytes()).unwrap_or_default()
}

fn parse_all<P: AsRef<[u8]> + Into<Vec<u8>>>(payloads: Vec<P>) -> Vec<Option<Aggregate>> {
    let mut verdicts = vec![Ok(()); payloads.len()];
    Payload::verify_each(&payloads, &mut verdicts);
    payloads
        .into_iter()
        .zip(verdicts)
        .map(|(payload, verdict)| verdict.and_then(|()| Aggregate::parse(payload)).ok())
        .collect()
}

/// An aggregate, decoded.
struct Aggregate {
    payload: Vec<u8>,
    records: Vec<Record>,
    /// The tags of the few records that have any, by sub-sequence number.
    tags: HashMap<usize, Vec<(String, Option<String>)>>,
}

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

impl Aggregate {
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
        Ok(Self { records, tags, payload: payload.into() })
    }
}

/// An iterator over the user records of a Kinesis record.
#[pyclass(module = "kinesis_aggregation._native")]
pub(crate) struct UserRecords {
    aggregate: Aggregate,
    next: usize,
    /// The Kinesis record in the form of a Lambda event, until the templates are made of it.
    record: Option<Py<PyAny>>,
    templates: Option<Templates>,
}

impl UserRecords {
    fn new(aggregate: Aggregate, record: Bound<'_, PyAny>) -> Self {
        Self { aggregate, next: 0, record: Some(record.unbind()), templates: None }
    }

    fn make_templates(&mut self, py: Python<'_>) -> PyResult<()> {
        if let Some(record) = self.record.take() {
            self.templates = Some(Templates::new(record.bind(py))?);
        }
        Ok(())
    }
}

#[pymethods]
impl UserRecords {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.make_templates(py)?;
        let number = self.next;
        let Aggregate { payload, records, tags } = &self.aggregate;
        let (Some(user), Some(templates)) = (records.get(number), &mut self.templates) else {
            return Ok(None);
        };
        let kinesis = templates.kinesis_of(py, user, payload)?;
        kinesis.set_item(intern!(py, "subSequenceNumber"), number)?;
        kinesis.set_item(intern!(py, "data"), base64_of(py, user.data.in_payload(payload))?)?;
        if let Some(tags) = tags.get(&number) {
            kinesis.set_item(intern!(py, "tags"), tags)?;
        }
        let envelope = templates.envelope.bind(py).copy()?;
        envelope.set_item(intern!(py, "kinesis"), kinesis)?;
        self.next += 1;
        Ok(Some(envelope))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.record)?;
        let Some(Templates { envelope, kinesis, kinesis_by_keys }) = &self.templates else { return Ok(()) };
        visit.call(envelope)?;
        visit.call(kinesis)?;
        kinesis_by_keys.values().try_for_each(|template| visit.call(template))
    }

    fn __clear__(&mut self) {
        self.record = None;
        self.templates = None;
    }
}

/// The dictionaries that are copied for each user record of a Kinesis record, with all members in the order of `aws_kinesis_agg`:
/// copying a dictionary is much faster than filling an empty one.
struct Templates {
    /// A user record, in which only `kinesis` is left to set.
    envelope: Py<PyDict>,
    /// A `kinesis`, in which keys, data and sub-sequence number are left to set.
    kinesis: Py<PyDict>,
    /// Copies of `kinesis` with keys, or `None` until a second user record has the same keys.
    kinesis_by_keys: FxHashMap<Keys, Option<Py<PyDict>>>,
}

/// The positions of the keys of a user record.
type Keys = (u32, Option<u32>);

impl Templates {
    fn new(record: &Bound<'_, PyAny>) -> PyResult<Self> {
        static ENVELOPE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        static KINESIS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = record.py();
        let envelope = dictionary_of_instance(py, &ENVELOPE)?;
        envelope.set_item(intern!(py, "kinesis"), py.None())?;
        for name in record.try_iter()? {
            let name = name?;
            if !name.cast::<PyString>().is_ok_and(|name| name == "kinesis" || name == "data") {
                envelope.set_item(&name, record.get_item(&name)?)?;
            }
        }
        let source = record.get_item(intern!(py, "kinesis"))?;
        let kinesis = dictionary_of_instance(py, &KINESIS)?;
        let copy = |name: &Bound<'_, PyString>| {
            if source.contains(name)? { kinesis.set_item(name, source.get_item(name)?) } else { Ok(()) }
        };
        kinesis.set_item(intern!(py, "kinesisSchemaVersion"), intern!(py, "1.0"))?;
        copy(intern!(py, "kinesisSchemaVersion"))?;
        copy(intern!(py, "sequenceNumber"))?;
        copy(intern!(py, "approximateArrivalTimestamp"))?;
        kinesis.set_item(intern!(py, "explicitHashKey"), py.None())?;
        kinesis.set_item(intern!(py, "partitionKey"), py.None())?;
        kinesis.set_item(intern!(py, "subSequenceNumber"), py.None())?;
        kinesis.set_item(intern!(py, "aggregated"), true)?;
        kinesis.set_item(intern!(py, "data"), py.None())?;
        copy(intern!(py, "recordId"))?;
        copy(intern!(py, "shardId"))?;
        Ok(Self {
            envelope: envelope.unbind(),
            kinesis: kinesis.unbind(),
            kinesis_by_keys: FxHashMap::default(),
        })
    }

    /// Returns a new `kinesis` for a user record, with its keys.
    fn kinesis_of<'py>(
        &mut self,
        py: Python<'py>,
        user: &Record,
        payload: &[u8],
    ) -> PyResult<Bound<'py, PyDict>> {
        let with_keys = || {
            let text = |key: Span| str::from_utf8(key.in_payload(payload)).unwrap_or_default();
            let kinesis = self.kinesis.bind(py).copy()?;
            kinesis.set_item(intern!(py, "partitionKey"), text(user.partition_key))?;
            if let Some(key) = user.explicit_hash_key {
                kinesis.set_item(intern!(py, "explicitHashKey"), text(key))?;
            }
            PyResult::Ok(kinesis)
        };
        let keys = (user.partition_key.start, user.explicit_hash_key.map(|key| key.start));
        match self.kinesis_by_keys.entry(keys) {
            Entry::Vacant(first_use) => {
                first_use.insert(None);
                with_keys()
            }
            Entry::Occupied(mut used) => match used.get() {
                Some(template) => template.bind(py).copy(),
                None => {
                    let template = with_keys()?;
                    used.insert(Some(template.clone().unbind()));
                    template.copy()
                }
            },
        }
    }
}

/// Returns an empty dictionary whose copies share one table of keys (PEP 412), so that they take half of the memory: the `__dict__` of
/// a new instance of a class, which is created on first use.
fn dictionary_of_instance<'py>(
    py: Python<'py>,
    class: &PyOnceLock<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let new_class = || py.get_type::<PyType>().call1(("Template", (), PyDict::new(py))).map(Bound::unbind);
    let instance = class.get_or_try_init(py, new_class)?.bind(py).call0()?;
    Ok(instance.getattr(intern!(py, "__dict__"))?.cast_into()?)
}

/// Returns a list of all user records in the result of [`decode`], with the records that are not aggregates in their places.
#[pyfunction]
pub(crate) fn to_list<'py>(py: Python<'py>, decoded: Vec<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyList>> {
    // This may run code of the caller's mappings, the rest does not.
    for aggregate in decoded.iter().filter_map(|one| one.cast::<UserRecords>().ok()) {
        aggregate.try_borrow_mut()?.make_templates(py)?;
    }
    let users = PyList::empty(py);
    without_garbage_collection(py, || {
        for one in decoded {
            let Ok(aggregate) = one.cast::<UserRecords>() else {
                users.append(one)?;
                continue;
            };
            let mut aggregate = aggregate.try_borrow_mut()?;
            while let Some(user) = aggregate.__next__(py)? {
                users.append(user)?;
            }
        }
        Ok(())
    })?;
    Ok(users)
}

/// Runs `make` with the garbage collector paused. Up to Python 3.11 it would run again and again while objects are made; later
/// versions run it between bytecodes only. Other threads do not notice, as long as `make` runs no Python code: the GIL is held.
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
