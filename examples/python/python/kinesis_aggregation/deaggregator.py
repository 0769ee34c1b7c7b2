"""Deaggregation of Kinesis records: the names of `aws_kinesis_agg.deaggregator`."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any

from . import _native

__all__ = ["deaggregate_records", "iter_deaggregate_records"]

# The number of Kinesis records whose digests are computed together.
_BATCH = 64


def deaggregate_records(records: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> list[Any]:
    """Returns the user records of Kinesis records. A record that is not an aggregate is returned unchanged."""
    users: list[Any] = []
    for decoded in _decoded(records, None):
        users += _native.to_list(decoded)
    return users


def iter_deaggregate_records(
    records: Mapping[str, Any] | Iterable[Mapping[str, Any]], data_format: str | None = None
) -> Generator[Any, None, None]:
    """Yields the user records of Kinesis records. A record that is not an aggregate is yielded unchanged.

    `records` is a record, or several, of an event of Lambda, Firehose or Kinesis Analytics; with `data_format='Boto3'`, of a
    response of `get_records` of boto3.
    """
    for decoded in _decoded(records, data_format):
        for one in decoded:
            if isinstance(one, _native.UserRecords):
                # Not `yield from`, which would pass on what `send` sends.
                for user in one:
                    yield user
            else:
                yield one


_Decoded = list["Mapping[str, Any] | _native.UserRecords"]


def _decoded(
    records: Mapping[str, Any] | Iterable[Mapping[str, Any]], data_format: str | None
) -> Iterator[_Decoded]:
    """Yields the user records of some records at a time. A record that is not an aggregate stands for itself."""
    for batch in _batches(records):
        decoded: Iterable[_Decoded]
        try:
            decoded = (_decode(batch, data_format),)
        except Exception:
            # One record at a time, so that those before the bad one are yielded before its exception is raised.
            decoded = (_decode([record], data_format) for record in batch)
        yield from decoded


def _batches(records: Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    if isinstance(records, (list, tuple)):
        start = 0
        while batch := list(records[start : start + _BATCH]):
            yield batch
            start += len(batch)
    elif isinstance(records, Mapping):
        yield [records]
    else:
        # An iterator may wait for its next record, so nothing is read ahead.
        for record in records:
            yield [record]


def _decode(records: list[Mapping[str, Any]], data_format: str | None) -> _Decoded:
    return _native.decode([_converted(record, data_format) for record in records], data_format == "Boto3")


def _converted(record: Mapping[str, Any], data_format: str | None) -> Mapping[str, Any]:
    """Returns a record of Firehose, Kinesis Analytics or boto3 in the form of a Lambda event, and others as they are."""
    if "kinesis" in record and "Data" not in record:
        return record
    if "kinesisStreamRecordMetadata" in record:
        known = {**record["kinesisStreamRecordMetadata"], "data": record["data"], "recordId": record["recordId"]}
    elif "kinesisRecordMetadata" in record:
        known = {**record["kinesisRecordMetadata"], "data": record["data"], "recordId": record["recordId"]}
    elif data_format == "Boto3" and "Data" in record:
        known = {name[0].lower() + name[1:]: value for name, value in record.items()}
    elif "data" in record and "recordId" in record:
        # Firehose without a Kinesis stream as its source.
        known = dict(record)
    elif "kinesis" in record:
        return record
    elif not isinstance(record, Mapping):
        raise TypeError(f"a Kinesis record is a dictionary, not {type(record).__name__}")
    else:
        hint = "boto3's need data_format='Boto3'" if "Data" in record else "pass the elements of event['Records']"
        raise KeyError(f"'kinesis': not a Kinesis record ({hint})")
    return {"kinesis": {"kinesisSchemaVersion": "1.0", **{name: known[name] for name in _CONVERTED if name in known}}}


# In the order of `aws_kinesis_agg`.
_CONVERTED = ("sequenceNumber", "partitionKey", "approximateArrivalTimestamp", "shardId", "data", "recordId")
