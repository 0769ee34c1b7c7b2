"""The bugs of `aws_kinesis_agg` 1.2.3 that this package does not have. Each test shows the bug, and what happens here.

docs/migrating-from-python.md lists them. tests/test_peer.py checks that there are no other differences.
"""

import base64
import hashlib
import subprocess
import sys

import kinesis_aggregation as ours
import pytest
from aws_kinesis_agg import aggregator as their_aggregator
from aws_kinesis_agg import deaggregator as their_deaggregator
from aws_kinesis_agg.messages_pb2 import AggregatedRecord
from kinesis_aggregation import aggregator as our_aggregator
from support import VECTORS, lines, record


def framed(message):
    body = message if isinstance(message, bytes) else message.SerializePartialToString()
    return ours.MAGIC + body + hashlib.md5(body).digest()


def message(partition_keys=("a", "b"), hash_keys=(), records=()):
    built = AggregatedRecord(partition_key_table=partition_keys, explicit_hash_key_table=hash_keys)
    for members in records:
        built.records.add(**members)
    return built


def both(payload, form="lambda", **changes):
    """Returns the user records of a record: theirs, ours."""
    a_record = record(payload, form=form, **changes)
    return their_deaggregator.deaggregate_records([a_record]), ours.deaggregate_records([a_record])


# Aggregation


def test_text_keys_are_counted_for_each_user_record():
    sizes = []
    for module in (their_aggregator, our_aggregator):
        aggregator = module.RecordAggregator()
        for _ in range(10):
            aggregator.add_user_record("a" * 100, b"data")
        size = aggregator.get_size_bytes()
        sizes.append((size, len(aggregator.clear_and_get().get_contents()[2])))
    (their_size, length), (our_size, our_length) = sizes
    assert their_size == length + 9 * 102
    assert our_size == our_length == length


def test_a_user_record_just_below_max_size_is_lost():
    theirs = their_aggregator.RecordAggregator(100)
    assert theirs.add_user_record(b"pk", bytes(80)).get_num_user_records() == 0
    assert theirs.clear_and_get() is None
    with pytest.raises(ValueError, match="max_size is 100"):
        our_aggregator.RecordAggregator(100).add_user_record(b"pk", bytes(80))


def test_an_aggregate_with_its_partition_key_is_larger_than_kinesis_accepts():
    sizes = []
    for module in (their_aggregator, our_aggregator):
        aggregator = module.RecordAggregator()
        full = None
        while full is None:
            full = aggregator.add_user_record(b"k" * 200, bytes(100))
        partition_key, _, data = full.get_contents()
        sizes.append(len(partition_key) + len(data))
    theirs, here = sizes
    assert here <= ours.MAX_BYTES_PER_RECORD < theirs


@pytest.mark.parametrize("keys", [("", None), ("k" * 257, None), ("k", "shard-1"), ("k", "01"), ("k", str(2**128))])
def test_keys_that_kinesis_refuses_are_accepted(keys):
    partition_key, explicit_hash_key = keys
    assert their_aggregator.AggRecord().add_user_record(partition_key, b"", explicit_hash_key)
    with pytest.raises(ValueError, match="key"):
        our_aggregator.AggRecord().add_user_record(partition_key, b"", explicit_hash_key)


@pytest.mark.parametrize("user", [(b"\xff", b""), ("k", bytearray(b"data"), b"\xff")])
def test_a_refused_user_record_stays_in_the_aggregate(user):
    theirs = their_aggregator.AggRecord()
    with pytest.raises((ValueError, TypeError)):
        theirs.add_user_record(*user)
    assert theirs.get_num_user_records() == 1
    here = our_aggregator.AggRecord()
    with pytest.raises(ValueError):
        here.add_user_record(*user)
    assert here.get_num_user_records() == 0


def test_clear_raises_attribute_error():
    with pytest.raises(AttributeError):
        their_aggregator.AggRecord().clear()
    our_aggregator.AggRecord().clear()


def test_an_empty_explicit_hash_key_is_returned_and_counted_but_not_written():
    theirs, here = their_aggregator.AggRecord(), our_aggregator.AggRecord()
    for aggregate in (theirs, here):
        aggregate.add_user_record(b"k", b"data", "")
    assert theirs.get_contents()[2] == here.get_contents()[2]
    assert theirs.get_explicit_hash_key() == ""
    assert here.get_explicit_hash_key() is None
    assert theirs.get_size_bytes() > here.get_size_bytes() == len(here.get_contents()[2])


def test_the_same_key_as_text_and_as_bytes_is_written_twice():
    lengths = []
    for module in (their_aggregator, our_aggregator):
        aggregate = module.AggRecord()
        aggregate.add_user_record("k", b"")
        aggregate.add_user_record(b"k", b"")
        lengths.append(len(aggregate.get_contents()[2]))
    theirs, here = lengths
    assert theirs == here + 3


# Deaggregation


def test_a_user_record_without_an_explicit_hash_key_gets_the_first_of_the_aggregate():
    records = [
        {"partition_key_index": 0, "explicit_hash_key_index": 0, "data": b"1"},
        {"partition_key_index": 1, "data": b"2"},
    ]
    theirs, here = both(framed(message(hash_keys=["7"], records=records)))
    assert [user["kinesis"]["explicitHashKey"] for user in theirs] == ["7", "7"]
    assert [user["kinesis"]["explicitHashKey"] for user in here] == ["7", None]


def test_half_of_a_damaged_aggregate_is_returned_and_the_rest_is_lost(capsys):
    payload = framed(message(records=[{"partition_key_index": index, "data": b"1"} for index in (0, 9, 1)]))
    theirs, here = both(payload)
    assert len(theirs) == 1
    assert "ERROR" in capsys.readouterr().err
    assert here == [record(payload)]


@pytest.mark.parametrize("members", [{"partition_key_index": 0}, {"data": b"1"}, {}])
def test_a_missing_index_or_missing_data_is_read_as_nothing(members):
    payload = framed(message(records=[members]))
    theirs, here = both(payload)
    assert theirs[0]["kinesis"]["partitionKey"] == "a"
    assert here == [record(payload)]


def test_keys_that_are_not_utf_8_are_bytes():
    payload = framed(b"\x0a\x01\xff\x1a\x05\x08\x00\x1a\x01x")
    theirs, here = both(payload)
    assert theirs[0]["kinesis"]["partitionKey"] == b"\xff"
    assert here == [record(payload)]


@pytest.mark.parametrize("name", ["tag over-long 6 bytes", "length over-long 10 bytes"])
def test_unusual_encodings_are_not_read(name):
    (payload,) = [bytes.fromhex(row["payload"]) for row in lines(VECTORS / "decode.jsonl") if row["name"] == name]
    theirs, here = both(payload)
    assert theirs == [record(payload)]
    assert here[0]["kinesis"]["aggregated"]


def test_indexes_lose_their_high_bits():
    payload = framed(b"\x0a\x01a\x1a\x0e\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02\x1a\x01x")
    theirs, here = both(payload)
    assert theirs[0]["kinesis"]["partitionKey"] == "a"
    assert here == [record(payload)]


def test_tags_are_lost():
    records = [{"partition_key_index": 0, "data": b"1", "tags": [{"key": "unit", "value": "C"}, {"key": "new"}]}]
    theirs, here = both(framed(message(records=records)))
    assert "tags" not in theirs[0]["kinesis"]
    assert here[0]["kinesis"]["tags"] == [("unit", "C"), ("new", None)]


@pytest.mark.parametrize("form", ["firehose", "analytics"])
def test_the_shard_of_user_records_is_lost(form):
    records = [{"partition_key_index": 0, "data": b"1"}]
    theirs, here = both(framed(message(records=records)), form)
    assert "shardId" not in theirs[0]["kinesis"]
    assert here[0]["kinesis"]["shardId"] == "shardId-000000000006"
    theirs, here = both(b"plain", form)
    assert theirs == here


@pytest.mark.parametrize("name", ["kinesisSchemaVersion", "approximateArrivalTimestamp"])
def test_without_a_member_all_user_records_of_a_lambda_record_are_lost(name, capsys):
    a_record = record(framed(message(records=[{"partition_key_index": 0, "data": b"1"}])))
    del a_record["kinesis"][name]
    assert their_deaggregator.deaggregate_records([a_record]) == []
    assert "ERROR" in capsys.readouterr().err
    (user,) = ours.deaggregate_records([a_record])
    assert base64.b64decode(user["kinesis"]["data"]) == b"1"
    assert user["kinesis"].get(name) == ("1.0" if name == "kinesisSchemaVersion" else None)


def test_an_error_that_cannot_be_printed_loses_the_other_records_too(capsys):
    a_record = record(framed(message(records=[{"partition_key_index": 0, "data": b"1"}])))
    del a_record["kinesis"]["sequenceNumber"]
    with pytest.raises(KeyError):
        their_deaggregator.deaggregate_records([a_record])
    assert len(ours.deaggregate_records([a_record])) == 1


@pytest.mark.parametrize("form", ["firehose", "analytics", "boto3"])
def test_a_record_without_some_of_its_metadata_is_an_exception(form):
    a_record = record(b"plain", form=form)
    (metadata,) = [value for value in a_record.values() if isinstance(value, dict)] or [a_record]
    del metadata[next(name for name in metadata if name.lower() == "approximatearrivaltimestamp")]
    data_format = "Boto3" if form == "boto3" else None
    with pytest.raises(KeyError):
        list(their_deaggregator.iter_deaggregate_records([a_record], data_format))
    (plain,) = ours.iter_deaggregate_records([a_record], data_format)
    assert "approximateArrivalTimestamp" not in plain["kinesis"]


def test_records_of_firehose_without_a_stream_are_an_exception():
    payload = framed(message(records=[{"partition_key_index": 0, "data": b"1"}]))
    direct_put = record(payload, form="firehose")
    del direct_put["kinesisRecordMetadata"]
    with pytest.raises(KeyError):
        their_deaggregator.deaggregate_records([direct_put])
    (user,) = ours.deaggregate_records([direct_put])
    assert (user["kinesis"]["partitionKey"], user["kinesis"]["recordId"]) == ("a", direct_put["recordId"])


# Import


def imported(statement):
    """Returns what an import adds to the module path, and whether it makes `config_pb2` importable."""
    program = f"""
import sys
before = set(sys.path)
{statement}
print(len(set(sys.path) - before), "config_pb2" in sys.modules)
"""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_it_adds_its_folder_to_the_module_path():
    assert imported("import aws_kinesis_agg.deaggregator").endswith(" True")
    assert imported("import kinesis_aggregation.deaggregator") == "0 False"
