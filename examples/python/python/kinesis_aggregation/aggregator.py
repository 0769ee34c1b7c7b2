"""Aggregation of user records: the names of `aws_kinesis_agg.aggregator`, and `AggregationManager`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from . import MAX_BYTES_PER_RECORD, _native
from ._native import RoutedRecord

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._native import _Data, _ListedShard

    _Shards = Mapping[str, Any] | Iterable[Mapping[str, Any]]

__all__ = ["AggRecord", "AggregationManager", "KeySet", "RecordAggregator", "RoutedRecord", "put_records_entry"]


class KeySet:
    """The keys of an aggregate, in the order of their first use."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.lookup: dict[str, int] = {}

    def get_potential_index(self, key: str) -> int:
        """Returns the index that the key has, or would get."""
        return self.lookup.get(key, len(self.keys))

    def add_key(self, key: str) -> tuple[bool, int]:
        """Adds a key. Returns whether it is new, and its index."""
        index = self.get_potential_index(key)
        new = index == len(self.keys)
        if new:
            self.lookup[key] = index
            self.keys.append(key)
        return new, index

    def contains(self, key: str | None) -> bool:
        """Returns whether the key was added."""
        return key in self.lookup

    def clear(self) -> None:
        """Removes all keys."""
        self.keys.clear()
        self.lookup.clear()


class Record(NamedTuple):
    """A user record in an aggregate. Its keys are indexes in the aggregate's tables."""

    partition_key_index: int
    explicit_hash_key_index: int | None
    data: bytes


class AggregatedRecord(NamedTuple):
    """What an aggregate contains, with the member names of the protobuf message."""

    partition_key_table: list[str]
    explicit_hash_key_table: list[str]
    records: list[Record]


class AggRecord(_native.AggRecord):
    """An aggregate under construction.

    `agg_record`, `partition_keys` and `explicit_hash_keys` are copies: changing them does not change the aggregate.
    """

    @property
    def agg_record(self) -> AggregatedRecord:
        """The tables and user records."""
        partition_keys, hash_keys = KeySet(), KeySet()
        records = [
            Record(
                partition_keys.add_key(partition_key)[1],
                None if hash_key is None else hash_keys.add_key(hash_key)[1],
                data,
            )
            for partition_key, hash_key, data in self.user_records()
        ]
        return AggregatedRecord(partition_keys.keys, hash_keys.keys, records)

    @property
    def partition_keys(self) -> KeySet:
        """The partition keys."""
        return _key_set(self.agg_record.partition_key_table)

    @property
    def explicit_hash_keys(self) -> KeySet:
        """The explicit hash keys."""
        return _key_set(self.agg_record.explicit_hash_key_table)


def _key_set(keys: list[str]) -> KeySet:
    key_set = KeySet()
    for key in keys:
        key_set.add_key(key)
    return key_set


class RecordAggregator:
    """Aggregates user records. For a stream with several shards, use `AggregationManager`.

    `max_size` bounds the data of an aggregate. The data and its partition key are never larger than Kinesis accepts.
    """

    def __init__(self, max_size: int = MAX_BYTES_PER_RECORD) -> None:
        if max_size > MAX_BYTES_PER_RECORD:
            raise ValueError(f"Invalid max_size {max_size} exceeds maximum value {MAX_BYTES_PER_RECORD}")
        self.max_size = max_size
        self.current_record = AggRecord(int(max_size))
        self.callbacks: list[tuple[Callable[[AggRecord], object], bool]] = []

    def on_record_complete(
        self, callback: Callable[[AggRecord], object], execute_on_new_thread: bool = True
    ) -> None:
        """Calls `callback` with each full aggregate, on a new thread or on the one that adds the next user record."""
        self.callbacks.append((callback, execute_on_new_thread))

    def get_num_user_records(self) -> int:
        """Returns the number of pending user records."""
        return self.current_record.get_num_user_records()

    def get_size_bytes(self) -> int:
        """Returns the length of the data of the pending aggregate."""
        return self.current_record.get_size_bytes()

    def clear_record(self) -> None:
        """Drops what is pending."""
        self.current_record = AggRecord(int(self.max_size))

    def clear_callbacks(self) -> None:
        """Removes all callbacks."""
        self.callbacks.clear()

    def clear_and_get(self) -> AggRecord | None:
        """Returns the pending aggregate, or `None` if nothing is pending."""
        if self.get_num_user_records() == 0:
            return None
        pending = self.current_record
        self.clear_record()
        return pending

    def add_user_record(
        self, partition_key: str | bytes, data: _Data, explicit_hash_key: str | bytes | None = None
    ) -> AggRecord | None:
        """Adds a user record. If it does not fit the pending aggregate, that one is returned, and passed to the callbacks.

        Raises `ValueError` if Kinesis would refuse one of the keys, or if no aggregate can take the user record. Then
        nothing has changed. Nothing has changed either if a callback on this thread raises an exception.
        """
        if self.current_record.add_user_record(partition_key, data, explicit_hash_key):
            return None
        full = self.current_record
        for callback, execute_on_new_thread in self.callbacks:
            if execute_on_new_thread:
                threading.Thread(target=callback, args=(full,)).start()
            else:
                callback(full)
        self.clear_record()
        self.current_record.add_user_record(partition_key, data, explicit_hash_key)
        return full


class AggregationManager(_native.AggregationManager):
    """Aggregates user records so that each aggregate belongs to one shard: consumers built on the KCL discard others.

    Create one with `by_shard`, `by_key` or `unrouted`. `target_size` bounds an aggregate of two or more user records, its
    partition key included. A larger user record gets an aggregate of its own.
    """

    @classmethod
    def by_shard(cls, shards: _Shards, target_size: int = MAX_BYTES_PER_RECORD) -> Self:
        """Aggregates the user records of each shard. `shards` is what `list_shards` of boto3 returns, or its `Shards`."""
        return cls(_listed(shards), False, target_size)

    @classmethod
    def by_key(cls, target_size: int = MAX_BYTES_PER_RECORD) -> Self:
        """Aggregates user records with the same keys. Needs no list of shards, and makes more and smaller aggregates."""
        return cls(None, True, target_size)

    @classmethod
    def unrouted(cls, target_size: int = MAX_BYTES_PER_RECORD) -> Self:
        """Aggregates all user records: for one shard, or consumers that do not filter by hash key."""
        return cls(None, False, target_size)

    def refresh(self, shards: _Shards) -> list[RoutedRecord]:
        """Replaces the shards, moves pending user records to those that own them now, and returns full aggregates."""
        return self.replace_shards(_listed(shards))


def _listed(shards: _Shards) -> list[_ListedShard]:
    listed: Iterable[Mapping[str, Any]] = shards["Shards"] if isinstance(shards, Mapping) else shards
    return [
        (
            shard["ShardId"],
            shard["HashKeyRange"]["StartingHashKey"],
            shard["HashKeyRange"]["EndingHashKey"],
            shard.get("ParentShardId"),
            shard.get("AdjacentParentShardId"),
            "EndingSequenceNumber" in shard.get("SequenceNumberRange", {}),
        )
        for shard in listed
    ]


def put_records_entry(record: AggRecord | RoutedRecord) -> dict[str, Any]:
    """Returns an entry of a PutRecords request, or the arguments of `put_record`.

    Keys are text, and there is no explicit hash key of `None`: boto3 accepts neither that nor bytes.
    """
    partition_key, explicit_hash_key, data = record.get_contents()
    entry = {"Data": data, "PartitionKey": _text(partition_key)}
    if explicit_hash_key is not None:
        entry["ExplicitHashKey"] = _text(explicit_hash_key)
    return entry


def _text(key: str | bytes) -> str:
    return key if isinstance(key, str) else key.decode()
