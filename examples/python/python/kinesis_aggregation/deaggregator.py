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
    return _native.collect(
        [record if users is None else (users, *_templates(record)) for record, users in _decoded(records, None)]
    )


def iter_deaggregate_records(
    records: Mapping[str, Any] | Iterable[Mapping[str, Any]], data_format: str | None = None
) -> Generator[Any, None, None]:
    """Yields the user records of Kinesis records. A record that is not an aggregate is yielded unchanged.

    `records` is a record, or several, of an event of Lambda, Firehose or Kinesis Analytics; with `data_format='Boto3'`, of a
    response of `get_records` of boto3.
    """
    for record, users in _decoded(records, data_format):
        if users is None:
            yield record
            continue
        envelope, kinesis = _templates(record)
        while some := users.take(envelope, kinesis):
            yield from some


def _decoded(
    records: Mapping[str, Any] | Iterable[Mapping[str, Any]], data_format: str | None
) -> Iterator[_Decoded]:
    """Yields each record in the form of a Lambda event, with its user records if it is an aggregate."""
    if isinstance(records, Mapping):
        records = [records]
    for batch in _batches(records):
        try:
            decoded = _decode(batch, data_format)
        except Exception:
            # One record at a time, so that those before the bad one are yielded before its exception is raised.
            for record in batch:
                yield from _decode([record], data_format)
        else:
            yield from decoded


_Decoded = tuple[Mapping[str, Any], "_native.UserRecords | None"]


def _batches(records: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    if isinstance(records, (list, tuple)):
        for start in range(0, len(records), _BATCH):
            yield list(records[start : start + _BATCH])
    else:
        # An iterator may wait for its next record, so nothing is read ahead.
        for record in records:
            yield [record]


def _decode(records: list[Mapping[str, Any]], data_format: str | None) -> list[_Decoded]:
    """Returns each record in the form of a Lambda event, with its user records if it is an aggregate."""
    converted = [_converted(record, data_format) for record in records]
    data = [record["kinesis"]["data"] for record in converted]
    raw = data_format == "Boto3"
    if raw:
        data = [item if isinstance(item, (bytes, str)) else bytes(memoryview(item)) for item in data]
    return list(zip(converted, _native.decode(data, raw)))


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
    return {"kinesis": {"kinesisSchemaVersion": "1.0", **_members(known, _CONVERTED)}}


# In the order of `aws_kinesis_agg`.
_CONVERTED = ("sequenceNumber", "partitionKey", "approximateArrivalTimestamp", "shardId", "data", "recordId")


def _members(source: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: source[name] for name in names if name in source}


def _templates(record: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns what the user records of a record have in common, with all their members in order; and its `kinesis`.

    Both are dictionaries of instances: with their copies, these share one table of keys (PEP 412), so that a copy takes half of
    the memory.
    """
    envelope = vars(_Envelope())
    envelope["kinesis"] = None
    for name in record:
        if name not in ("kinesis", "data"):
            envelope[name] = record[name]
    source = record["kinesis"]
    kinesis = vars(_Kinesis())
    kinesis["kinesisSchemaVersion"] = "1.0"
    for name in ("kinesisSchemaVersion", "sequenceNumber", "approximateArrivalTimestamp"):
        if name in source:
            kinesis[name] = source[name]
    kinesis["explicitHashKey"] = None
    kinesis["partitionKey"] = None
    kinesis["subSequenceNumber"] = None
    kinesis["aggregated"] = True
    kinesis["data"] = None
    for name in ("recordId", "shardId"):
        if name in source:
            kinesis[name] = source[name]
    return envelope, kinesis


class _Envelope:
    """A user record without `kinesis`."""


class _Kinesis:
    """The `kinesis` of a user record."""
