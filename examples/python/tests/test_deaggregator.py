"""Deaggregation, beyond what the comparison with `aws_kinesis_agg` covers."""

import base64
import gc
import inspect
import json
import threading
import weakref

import pytest
from kinesis_aggregation import deaggregate_records, iter_deaggregate_records
from support import DATA, FORMATS, VECTORS, aggregate, data_format, lines, record, user_records

VECTOR_ROWS = lines(VECTORS / "decode.jsonl") + lines(VECTORS / "generated.jsonl")


@pytest.mark.parametrize("row", VECTOR_ROWS, ids=[row["name"] for row in VECTOR_ROWS])
def test_payloads_with_a_known_verdict(row):
    given = record(bytes.fromhex(row["payload"]))
    users = deaggregate_records([given])
    if "plain" in row["expect"]:
        assert users == [given]
        return
    expected = row["expect"]["records"]
    assert [user["kinesis"]["partitionKey"] for user in users] == [user["partition_key"] for user in expected]
    assert [user["kinesis"]["explicitHashKey"] for user in users] == [user["explicit_hash_key"] for user in expected]
    assert [base64.b64decode(user["kinesis"]["data"]).hex() for user in users] == [user["data"] for user in expected]
    assert [user["kinesis"]["subSequenceNumber"] for user in users] == list(range(len(expected)))
    assert [list(map(list, user["kinesis"].get("tags", []))) for user in users] == [user["tags"] for user in expected]


@pytest.mark.parametrize("event", ["lambda", "firehose", "analytics"])
def test_events_of_aws_services(event):
    with open(DATA / "aws" / f"{event}.json", encoding="utf-8") as file:
        event = json.load(file)
    records = event.get("Records") or event["records"]
    users = [user["kinesis"] for user in deaggregate_records(records)]
    expected = lines(DATA / "aws" / "user-records.jsonl")
    assert len(users) == len(expected)
    for user, row in zip(users, expected):
        assert base64.b64decode(user["data"]) == base64.b64decode(row["data"])
        if row["aggregated"]:
            assert user["partitionKey"] == row["partitionKey"]
            assert user["explicitHashKey"] == row["explicitHashKey"]
            assert user["subSequenceNumber"] == row["subSequenceNumber"]
            assert [list(tag) for tag in user.get("tags", [])] == row.get("tags", [])


@pytest.mark.parametrize("form", FORMATS)
def test_a_record_alone_is_accepted(form):
    given = record(aggregate(user_records(1, 3)), form=form)
    assert len(list(iter_deaggregate_records(given, data_format(form)))) == 3


def test_user_records_are_independent_and_complete():
    first, second = deaggregate_records([record(aggregate([("a", b"1"), ("a", b"2", "7")]), 5)])
    assert first == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "sequenceNumber": "4965789013425167293581240736182942",
            "approximateArrivalTimestamp": 1732350005.125,
            "explicitHashKey": None,
            "partitionKey": "a",
            "subSequenceNumber": 0,
            "aggregated": True,
            "data": b"MQ==",
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000006:4965789013425167293581240736182942",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/consumer",
        "awsRegion": "eu-west-1",
        "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/fleet",
    }
    first["kinesis"]["data"] = first["eventName"] = "changed"
    assert second["kinesis"]["data"] == b"Mg=="
    assert (second["kinesis"]["explicitHashKey"], second["eventName"]) == ("7", "aws:kinesis:record")


def test_user_records_with_the_same_keys_are_independent():
    users = [("a", b"1")] * 4 + [("a", b"2", "7")] * 4 + [("b", b"3", "7")]
    given = [record(aggregate(users))]
    for deaggregated in (deaggregate_records(given), list(iter_deaggregate_records(given))):
        keys = [(user["kinesis"]["partitionKey"], user["kinesis"]["explicitHashKey"]) for user in deaggregated]
        assert keys == [("a", None)] * 4 + [("a", "7")] * 4 + [("b", "7")]
        for number, user in enumerate(deaggregated):
            user["kinesis"]["partitionKey"] = user["eventName"] = str(number)
            user["kinesis"][f"new-{number}"] = user[f"new-{number}"] = number
            del user["kinesis"]["data"], user["eventVersion"]
        for number, user in enumerate(deaggregated):
            assert list(user["kinesis"])[3:] == [
                *("explicitHashKey", "partitionKey", "subSequenceNumber", "aggregated", f"new-{number}")
            ]
            assert user["kinesis"]["partitionKey"] == user["eventName"] == str(number)
            assert (user["kinesis"]["subSequenceNumber"], user[f"new-{number}"]) == (number, number)
            assert len(user) == 8


def test_records_with_many_different_members():
    given = [record(aggregate([("a", b"1"), ("a", b"2")]), number) for number in range(50)]
    for number, one in enumerate(given):
        one.update({f"member-{number}-{place}": place for place in range(number % 7)})
    users = deaggregate_records(given)
    assert [list(user) for user in users[::2]] == [list(one) for one in given]
    assert users == list(iter_deaggregate_records(given))


@pytest.mark.parametrize("enabled", (True, False))
def test_garbage_collection_is_as_before(enabled):
    try:
        gc.enable() if enabled else gc.disable()
        deaggregate_records([record(aggregate([("a", b"1")]))])
        assert gc.isenabled() == enabled
    finally:
        gc.enable()


def test_a_source_may_change_its_record_after_each():
    payload = aggregate([("a", b"1"), ("a", b"2")])

    def source():
        only = {}
        for number in range(3):
            only |= record(payload, number)
            yield only

    expected = [record(payload, number)["eventID"] for number in (0, 0, 1, 1, 2, 2)]
    assert [user["eventID"] for user in deaggregate_records(source())] == expected
    assert [user["eventID"] for user in iter_deaggregate_records(source())] == expected


def test_records_may_be_added_to_a_list_meanwhile():
    given = [record(aggregate([("a", b"1")]))]
    users = iter_deaggregate_records(given)
    next(users)
    given.append(record(aggregate([("a", b"2")])))
    assert [user["kinesis"]["data"] for user in users] == [b"Mg=="]


def test_the_generator_takes_values_and_can_be_closed():
    users = iter_deaggregate_records([record(aggregate([("a", b"1"), ("a", b"2"), ("a", b"3")]))])
    assert inspect.isgenerator(users)
    next(users)
    assert users.send("ignored")["kinesis"]["subSequenceNumber"] == 1
    users.close()
    assert list(users) == []


def test_an_iterator_kept_in_its_own_record_is_garbage():
    class Witness:
        pass

    for taken in range(2):
        given = record(aggregate([("a", b"1"), ("a", b"2"), ("a", b"3")]))
        given["users"] = iter_deaggregate_records(given)
        for _ in range(taken):
            next(given["users"])
        given["witness"] = Witness()
        witness = weakref.ref(given["witness"])
        del given
        gc.collect()
        assert witness() is None


def test_nothing_happens_before_the_first_user_record_is_asked_for():
    users = iter_deaggregate_records(7)
    assert inspect.isgenerator(users)
    with pytest.raises(TypeError, match="not iterable"):
        next(users)


def test_an_iterator_of_records_is_not_read_ahead():
    read = []

    def source():
        for number in range(3):
            read.append(number)
            yield record(aggregate([("a", b"1")]), number)

    users = iter_deaggregate_records(source())
    for number in range(3):
        next(users)
        assert read == list(range(number + 1))


def test_an_exception_is_raised_once():
    with pytest.raises(KeyError) as raised:
        deaggregate_records([record(aggregate([("a", b"1")])), {"kinesis": {}}])
    assert raised.value.__context__ is None


def test_records_before_a_bad_one_are_yielded_before_its_exception():
    records = [record(aggregate([("a", b"1")]), number) for number in range(100)]
    records[90] = record(b"", data=None)
    users = []
    with pytest.raises(TypeError, match="NoneType"):
        users.extend(iter_deaggregate_records(records))
    assert len(users) == 90


@pytest.mark.parametrize(
    ("given", "data_format", "error", "message"),
    [
        ({}, None, KeyError, r"pass the elements of event\['Records'\]"),
        ({"Records": []}, None, KeyError, r"pass the elements of event\['Records'\]"),
        (record(b"", form="boto3"), None, KeyError, "data_format='Boto3'"),
        (record(b"", data="AAA"), None, ValueError, "padding"),
        (record(b"", data="é"), None, ValueError, "ASCII"),
        (record(b"", data="\ud800"), None, ValueError, "ASCII"),
        (record(b"", data=7), None, TypeError, "int"),
        (record(b"", form="boto3", Data=7), "Boto3", TypeError, "int"),
        ({"kinesis": 7}, None, TypeError, "int"),
        (7, None, TypeError, "int"),
        ([7], None, TypeError, "int"),
    ],
)
def test_bad_input_is_an_exception(given, data_format, error, message):
    with pytest.raises(error, match=message):
        list(iter_deaggregate_records(given, data_format))


def test_data_of_boto3_may_be_any_kind_of_bytes():
    payload = aggregate([("a", b"1")])
    for data in (payload, bytearray(payload), memoryview(payload)):
        (user,) = iter_deaggregate_records([record(b"", form="boto3", Data=data)], "Boto3")
        assert user["kinesis"]["data"] == b"MQ=="


def test_threads_deaggregate_at_the_same_time():
    records = [record(aggregate(user_records(seed, 50)), seed) for seed in range(100)]
    expected = deaggregate_records(records)
    results = []
    threads = [threading.Thread(target=lambda: results.append(deaggregate_records(records))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4
