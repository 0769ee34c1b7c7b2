//! The native part of the Python module `kinesis_aggregation`: encoding, decoding, and making dictionaries of user records. The names
//! of `aws_kinesis_agg` and the forms of events are Python, in `python/kinesis_aggregation`.

use pyo3::prelude::*;

mod aggregator;
mod arguments;
mod deaggregator;
mod manager;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::aggregator::AggRecord;
    #[pymodule_export]
    use super::deaggregator::{UserRecords, decode, to_list};
    #[pymodule_export]
    use super::manager::{AggregationManager, RoutedRecord};
}
