"""Aggregation by shard and by key."""

import hashlib
import json
from collections import defaultdict

import pytest
from kinesis_aggregation import AggregationManager, deaggregate_records, put_records_entry
from support import DATA, other_threads_run_during, record, user_records

with open(DATA / "list-shards.json", encoding="utf-8") as file:
    LISTED = json.load(file)

MIDDLE = 1 << 127
TWO_SHARDS = [
    {"ShardId": "lower", "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(MIDDLE - 1)}},
    {"ShardId": "upper", "HashKeyRange": {"StartingHashKey": str(MIDDLE), "EndingHashKey": str(2**128 - 1)}},
]


def hash_key(partition_key, explicit_hash_key):
    if explicit_hash_key is not None:
        return int(explicit_hash_key)
    return int.from_bytes(hashlib.md5(partition_key.encode()).digest(), "big")


def ranges(shards):
    return {
        shard["ShardId"]: (int(shard["HashKeyRange"]["StartingHashKey"]), int(shard["HashKeyRange"]["EndingHashKey"]))
        for shard in shards
    }


def users_of(aggregate):
    users = [user["kinesis"] for user in deaggregate_records([record(aggregate.get_contents()[2])])]
    assert len(users) == aggregate.get_num_user_records()
    return users


@pytest.mark.parametrize("shards", [TWO_SHARDS, LISTED, LISTED["Shards"], iter(TWO_SHARDS)])
def test_each_aggregate_has_only_user_records_of_its_shard(shards):
    expected = ranges(LISTED["Shards"] if shards in (LISTED, LISTED["Shards"]) else TWO_SHARDS)
    manager = AggregationManager.by_shard(shards, target_size=5_000)
    aggregates = []
    added = user_records(3, 1_000)
    for user in added:
        aggregates += manager.add_user_record(*user)
    assert manager.get_num_user_records() > 0
    assert manager.get_size_bytes() > 0
    aggregates += manager.flush()
    assert manager.get_num_user_records() == 0
    count = 0
    for aggregate in aggregates:
        start, end = expected[aggregate.shard_id]
        users = users_of(aggregate)
        count += len(users)
        assert all(start <= hash_key(user["partitionKey"], user["explicitHashKey"]) <= end for user in users)
        partition_key, explicit_hash_key, data = aggregate.get_contents()
        assert partition_key == users[0]["partitionKey"] == aggregate.get_partition_key()
        assert explicit_hash_key == aggregate.get_explicit_hash_key()
        assert int(explicit_hash_key) == hash_key(partition_key, users[0]["explicitHashKey"])
        assert len(data) == aggregate.get_size_bytes() <= 5_000
        assert put_records_entry(aggregate) == {
            "Data": data,
            "PartitionKey": partition_key,
            "ExplicitHashKey": explicit_hash_key,
        }
    assert count == len(added)


def test_by_key_needs_no_shards():
    manager = AggregationManager.by_key()
    for user in [("a", b"1"), ("b", b"2"), ("a", b"3"), ("a", b"4", "7")]:
        assert manager.add_user_record(*user) == []
    by_keys = defaultdict(int)
    for aggregate in manager.flush():
        assert aggregate.shard_id is None
        by_keys[aggregate.get_contents()[:2]] += aggregate.get_num_user_records()
    assert by_keys == {("a", None): 2, ("b", None): 1, ("a", "7"): 1}


def test_unrouted_makes_one_aggregate():
    manager = AggregationManager.unrouted()
    for user in user_records(5, 100):
        manager.add_user_record(*user)
    assert [aggregate.get_num_user_records() for aggregate in manager.flush()] == [100]


def test_a_user_record_above_the_target_gets_an_aggregate_of_its_own():
    manager = AggregationManager.unrouted(target_size=1_000)
    manager.add_user_record("a", bytes(500))
    (full,) = manager.add_user_record("a", bytes(2_000))
    assert full.get_num_user_records() == 1
    assert [aggregate.get_num_user_records() for aggregate in manager.flush()] == [1]


def test_other_threads_run_while_digests_are_computed():
    manager = AggregationManager.unrouted()

    def add():
        for _ in range(20):
            manager.add_user_record("a", bytes(1_000_000))

    assert other_threads_run_during(add)


def test_after_a_reshard_pending_user_records_move():
    one = [{"ShardId": "all", "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}}]
    manager = AggregationManager.by_shard(one)
    for user in user_records(9, 100):
        manager.add_user_record(*user)
    assert manager.refresh({"Shards": [*one, *({**shard, "ParentShardId": "all"} for shard in TWO_SHARDS)]}) == []
    assert sorted(aggregate.shard_id for aggregate in manager.flush()) == ["lower", "upper"]


def test_closed_shards_are_left_out():
    closed = {**TWO_SHARDS[0], "ShardId": "closed", "SequenceNumberRange": {"EndingSequenceNumber": "1"}}
    manager = AggregationManager.by_shard([closed, *TWO_SHARDS])
    manager.add_user_record("a", b"", "0")
    assert [aggregate.shard_id for aggregate in manager.flush()] == ["lower"]


@pytest.mark.parametrize(
    ("shards", "error", "message"),
    [
        ([], ValueError, "no open shard"),
        (TWO_SHARDS[:1], ValueError, str(MIDDLE)),
        ([{"ShardId": "x", "HashKeyRange": {"StartingHashKey": "y", "EndingHashKey": "0"}}], ValueError, "shard x: "),
        ([{"ShardId": "x"}], KeyError, "HashKeyRange"),
        ({}, KeyError, "Shards"),
        (7, TypeError, "not iterable"),
    ],
)
def test_bad_lists_of_shards_are_exceptions(shards, error, message):
    with pytest.raises(error, match=message):
        AggregationManager.by_shard(shards)


def test_refused_user_records_change_nothing():
    manager = AggregationManager.by_shard(TWO_SHARDS)
    manager.add_user_record("a", b"1")
    for user, error in [
        (("", b""), ValueError),
        (("a", bytes(2 << 20)), ValueError),
        (("a", b"", "x"), ValueError),
        ((7, b""), TypeError),
    ]:
        with pytest.raises(error):
            manager.add_user_record(*user)
    assert manager.get_num_user_records() == 1
    manager.clear()
    assert manager.flush() == []
