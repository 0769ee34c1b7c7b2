"""Aggregation, beyond what the comparison with `aws_kinesis_agg` covers."""

import base64
import hashlib
import threading

import pytest
from kinesis_aggregation import MAGIC, MAX_BYTES_PER_RECORD, put_records_entry
from kinesis_aggregation.aggregator import AggRecord, KeySet, RecordAggregator
from support import DATA, VECTORS, lines, other_threads_run_during

VECTOR_ROWS = lines(VECTORS / "encode.jsonl")


@pytest.mark.parametrize("row", VECTOR_ROWS, ids=[row["name"] for row in VECTOR_ROWS])
def test_aggregates_are_byte_for_byte_those_of_other_producers(row):
    aggregator = RecordAggregator()
    for user in row["records"]:
        data = base64.b64decode(user["data"])
        assert aggregator.add_user_record(user["partition_key"], data, user["explicit_hash_key"]) is None
    partition_key, explicit_hash_key, data = aggregator.clear_and_get().get_contents()
    assert partition_key == row["records"][0]["partition_key"]
    assert explicit_hash_key == row["records"][0]["explicit_hash_key"]
    assert data == base64.b64decode(row["encoded"])


def test_an_aggregate_of_the_kpl_is_reproduced():
    aggregate = (DATA / "kpl.bin").read_bytes()
    record = AggRecord()
    for row in next(row for row in VECTOR_ROWS if row["name"].startswith("KPL"))["records"]:
        record.add_user_record(row["partition_key"], base64.b64decode(row["data"]), row["explicit_hash_key"])
    assert record.get_contents()[2] == aggregate
    assert record.get_size_bytes() == len(aggregate)


def test_a_full_aggregate_is_returned_and_the_next_one_begins():
    aggregator = RecordAggregator(max_size=300 * 1024)
    assert aggregator.add_user_record("pk", bytes(200 * 1024)) is None
    full = aggregator.add_user_record("pk", bytes(200 * 1024))
    assert full.get_num_user_records() == aggregator.get_num_user_records() == 1
    assert aggregator.clear_and_get() is not full
    assert aggregator.clear_and_get() is None


def test_a_user_record_that_no_aggregate_can_take_is_refused_and_changes_nothing():
    aggregator = RecordAggregator(max_size=100 * 1024)
    aggregator.add_user_record("pk", b"first")
    before = aggregator.current_record.get_contents()
    with pytest.raises(ValueError, match="max_size is 102400"):
        aggregator.add_user_record("pk", bytes(200 * 1024))
    with pytest.raises(ValueError, match="max_size is 102400"):
        aggregator.add_user_record("pk", bytes(2 * MAX_BYTES_PER_RECORD))
    assert aggregator.current_record.get_contents() == before


def test_max_size_above_the_limit_of_kinesis_is_refused():
    with pytest.raises(ValueError, match="Invalid max_size 1048577 exceeds maximum value 1048576"):
        RecordAggregator(MAX_BYTES_PER_RECORD + 1)
    assert RecordAggregator(MAX_BYTES_PER_RECORD / 2).max_size == 524288


@pytest.mark.parametrize("max_size", [0, -1, -(2**63)])
def test_nothing_fits_a_tiny_max_size(max_size):
    with pytest.raises(ValueError):
        RecordAggregator(max_size).add_user_record("pk", b"")


def test_an_agg_record_of_its_own_may_be_as_large_as_a_stream_can_be_configured_for():
    record = AggRecord(max_size=10 * 1024 * 1024)
    assert record.add_user_record("pk", bytes(9 * 1024 * 1024))
    assert not record.add_user_record("pk", bytes(2 * 1024 * 1024))
    with pytest.raises(ValueError, match="Kinesis accepts 10485760"):
        record.add_user_record("pk", bytes(11 * 1024 * 1024))


def test_a_smaller_user_record_fits_after_a_larger_one_did_not():
    record = AggRecord(100)
    assert record.add_user_record("pk", bytes(50))
    assert not record.add_user_record("pk", bytes(50))
    assert record.add_user_record("pk", bytes(5))
    assert record.get_num_user_records() == 2


def test_contents_can_be_read_again_and_user_records_added_after_that():
    record = AggRecord()
    assert record.get_contents() == ("", "", MAGIC + hashlib.md5(b"").digest())
    assert (record.get_partition_key(), record.get_explicit_hash_key(), record.get_size_bytes()) == (None, None, 20)
    record.add_user_record("a", b"1", "7")
    one = record.get_contents()
    assert record.get_contents() == one
    record.add_user_record("b", b"2")
    partition_key, explicit_hash_key, two = record.get_contents()
    assert (partition_key, explicit_hash_key) == ("a", "7")
    assert len(one[2]) < len(two) == record.get_size_bytes()
    record.clear()
    assert record.get_num_user_records() == 0
    assert record.get_partition_key() is None


def test_keys_come_back_as_they_were_given():
    record = AggRecord()
    record.add_user_record(b"key", "text", b"7")
    assert record.get_contents()[:2] == (b"key", b"7")
    assert put_records_entry(record) == {
        "Data": record.get_contents()[2],
        "PartitionKey": "key",
        "ExplicitHashKey": "7",
    }
    record.clear()
    record.add_user_record("key", "text")
    assert "ExplicitHashKey" not in put_records_entry(record)


def test_what_an_aggregate_contains_can_be_read():
    record = AggRecord()
    for user in [("a", b"1", "7"), ("b", b"2", None), ("a", b"3", "8")]:
        record.add_user_record(*user)
    assert record.agg_record.partition_key_table == record.partition_keys.keys == ["a", "b"]
    assert record.agg_record.explicit_hash_key_table == record.explicit_hash_keys.keys == ["7", "8"]
    assert record.agg_record.records == [(0, 0, b"1"), (1, None, b"2"), (0, 1, b"3")]
    assert record.user_records() == [("a", "7", b"1"), ("b", None, b"2"), ("a", "8", b"3")]


@pytest.mark.parametrize("data", ["clé", "clé".encode(), bytearray("clé".encode()), memoryview("clé".encode())])
def test_data_may_be_text_or_any_kind_of_bytes(data):
    record = AggRecord()
    record.add_user_record("key", data)
    assert record.user_records() == [("key", None, "clé".encode())]


@pytest.mark.parametrize(
    ("user", "error", "message"),
    [
        ((None, b""), TypeError, "partition_key must be str or bytes, not NoneType"),
        ((7, b""), TypeError, "partition_key must be str or bytes, not int"),
        (("pk", None), TypeError, "data must be str or bytes, not NoneType"),
        (("pk", 7), TypeError, "data must be str or bytes, not int"),
        (("pk", b"", 7), TypeError, "explicit_hash_key must be str or bytes, not int"),
        ((b"\xff", b""), UnicodeDecodeError, "utf-8"),
        (("\ud800", b""), UnicodeEncodeError, "surrogates"),
        (("", b""), ValueError, "partition key of 0 characters: 1 to 256 are allowed"),
        (("é" * 257, b""), ValueError, "partition key of 257 characters"),
        (("pk", b"", "x"), ValueError, "explicit hash key: "),
        (("pk", b"", "007"), ValueError, "explicit hash key: "),
        (("pk", b"", str(2**128)), ValueError, "explicit hash key: "),
    ],
)
def test_bad_arguments_are_exceptions_and_change_nothing(user, error, message):
    aggregator = RecordAggregator()
    with pytest.raises(error, match=message):
        aggregator.add_user_record(*user)
    assert aggregator.get_num_user_records() == 0
    aggregator.add_user_record("key", b"data")
    before = aggregator.current_record.get_contents()
    with pytest.raises(error, match=message):
        aggregator.add_user_record(*user)
    assert aggregator.current_record.get_contents() == before


def test_callbacks_run_on_a_thread_of_their_own_or_on_the_calling_one():
    calls = []
    done = threading.Event()

    def elsewhere(record):
        calls.append((threading.get_ident(), record.get_contents()))
        done.set()

    aggregator = RecordAggregator(100)
    aggregator.on_record_complete(elsewhere)
    aggregator.on_record_complete(lambda record: calls.append((threading.get_ident(), record.get_contents())), False)
    aggregator.add_user_record("pk", bytes(50))
    full = aggregator.add_user_record("pk", bytes(50))
    assert done.wait(10)
    assert sorted(thread == threading.get_ident() for thread, _ in calls) == [False, True]
    assert {contents for _, contents in calls} == {full.get_contents()}
    aggregator.clear_callbacks()
    assert aggregator.add_user_record("pk", bytes(50)) is not None
    assert len(calls) == 2


def test_an_exception_in_a_callback_reaches_the_caller_and_nothing_is_lost():
    def fail(record):
        raise RuntimeError("throttled")

    aggregator = RecordAggregator(100)
    aggregator.on_record_complete(fail, execute_on_new_thread=False)
    aggregator.add_user_record("pk", b"1" * 50)
    with pytest.raises(RuntimeError, match="throttled"):
        aggregator.add_user_record("pk", b"2" * 50)
    aggregator.clear_callbacks()
    full = aggregator.add_user_record("pk", b"2" * 50)
    rest = aggregator.clear_and_get()
    assert full.user_records() + rest.user_records() == [("pk", None, b"1" * 50), ("pk", None, b"2" * 50)]


def test_threads_share_an_aggregate_and_wait_for_its_digest():
    record = AggRecord()
    for number in range(10_000):
        record.add_user_record(f"device-{number % 100}", bytes(90))
    contents = []
    threads = [threading.Thread(target=lambda: contents.append(record.get_contents())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents == [record.get_contents()] * 8


def test_other_threads_run_while_a_digest_is_computed():
    record = AggRecord(max_size=10 * 1024 * 1024)
    record.add_user_record("pk", bytes(10 * 1024 * 1024 - 100))
    assert other_threads_run_during(record.get_contents)


def test_key_sets_number_keys_in_the_order_of_their_first_use():
    keys = KeySet()
    assert (keys.get_potential_index("a"), keys.contains("a"), keys.contains(None)) == (0, False, False)
    assert [keys.add_key(key) for key in "aba"] == [(True, 0), (True, 1), (False, 0)]
    assert (keys.get_potential_index("b"), keys.get_potential_index("c"), keys.contains("a")) == (1, 2, True)
    keys.clear()
    assert (keys.keys, keys.lookup) == ([], {})
