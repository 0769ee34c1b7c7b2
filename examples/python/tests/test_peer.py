"""The same results as `aws_kinesis_agg` 1.2.3, on recorded and on generated input, except for its bugs (tests/test_bugs.py)."""

import contextlib
import copy
import hashlib
import inspect
import io
import json
import random
import re

import kinesis_aggregation as ours
import pytest
from aws_kinesis_agg import aggregator as their_aggregator
from aws_kinesis_agg import deaggregator as their_deaggregator
from aws_kinesis_agg.messages_pb2 import AggregatedRecord
from google.protobuf.message import DecodeError
from kinesis_aggregation import aggregator as our_aggregator
from kinesis_aggregation import deaggregator as our_deaggregator
from support import DATA, FORMATS, VECTORS, aggregate, data_format, lines, payload_of, record, user_records


def outcome(iterator):
    """Returns what is yielded, and the type of the exception that ends it, if one does."""
    yielded = []
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yielded.extend(iterator)
    except Exception as error:
        return yielded, type(error)
    return yielded, None


def parsed(payload):
    """Returns the message in a payload, or `None` where it is none for them."""
    body, digest = payload[4:-16], payload[-16:]
    if len(payload) <= 20 or payload[:4] != ours.MAGIC or hashlib.md5(body).digest() != digest:
        return None
    try:
        return AggregatedRecord.FromString(body)
    except DecodeError:
        return None


def is_damaged(message):
    # Text that is not UTF-8 is bytes.
    if any(isinstance(key, bytes) for key in (*message.partition_key_table, *message.explicit_hash_key_table)):
        return True
    return any(
        not user.HasField("partition_key_index")
        or not user.HasField("data")
        or user.partition_key_index >= len(message.partition_key_table)
        or (
            user.HasField("explicit_hash_key_index")
            and user.explicit_hash_key_index >= len(message.explicit_hash_key_table)
        )
        or not all(tag.HasField("key") for tag in user.tags)
        or any(isinstance(text, bytes) for tag in user.tags for text in (tag.key, tag.value))
        for user in message.records
    )


def without_bugs(a_record, form):
    """Returns what they would yield for a record without their bugs, and which bugs they are."""
    payload = payload_of(a_record)
    message = parsed(payload)
    yielded, error = outcome(their_deaggregator.iter_deaggregate_records([a_record], data_format(form)))
    if message is None:
        return yielded, error, set()
    if is_damaged(message):
        # They yield it unchanged if they don't know that it is an aggregate.
        other = copy.deepcopy(a_record)
        where, name = (other["kinesis"] if form == "lambda" else other), ("Data" if form == "boto3" else "data")
        data, where[name] = where[name], b""
        ((same,), error) = outcome(their_deaggregator.iter_deaggregate_records([other], data_format(form)))
        same["kinesis"]["data"] = data
        return [same], error, {"damaged"}
    bugs = set()
    metadata = a_record.get("kinesisRecordMetadata") or a_record.get("kinesisStreamRecordMetadata") or {}
    for user, theirs in zip(message.records, yielded, strict=True):
        kinesis = theirs["kinesis"]
        if not user.HasField("explicit_hash_key_index") and kinesis["explicitHashKey"] is not None:
            kinesis["explicitHashKey"] = None
            bugs.add("explicit hash key")
        if "shardId" in metadata:
            kinesis["shardId"] = metadata["shardId"]
            bugs.add("shard")
        if user.tags:
            kinesis["tags"] = [(tag.key, tag.value if tag.HasField("value") else None) for tag in user.tags]
            bugs.add("tags")
    return yielded, error, bugs


def in_order(users):
    """Returns user records so that the order of their members counts, as it does for JSON."""
    return [[(name, list(value.items()) if name == "kinesis" else value) for name, value in user.items()] for user in users]


def assert_same(records, form):
    """Compares all records one by one, then together. Returns the bugs seen."""
    everything, seen = [], set()
    for a_record in records:
        expected, error, bugs = without_bugs(a_record, form)
        here, our_error = outcome(our_deaggregator.iter_deaggregate_records(a_record, data_format(form)))
        assert (in_order(here), our_error) == (in_order(expected), error)
        seen |= bugs
        everything += expected
    together = list(our_deaggregator.iter_deaggregate_records(records, data_format(form)))
    assert together == everything
    assert together == list(our_deaggregator.iter_deaggregate_records(iter(records), data_format(form)))
    if form != "boto3":
        assert together == our_deaggregator.deaggregate_records(tuple(records))
    return seen


@pytest.mark.parametrize("event", ["lambda", "firehose", "analytics"])
def test_recorded_events(event):
    with open(DATA / "aws" / f"{event}.json", encoding="utf-8") as file:
        recorded = json.load(file)
    expected = {"damaged", "explicit hash key", "tags"} | ({"shard"} if event != "lambda" else set())
    assert assert_same(recorded.get("Records") or recorded["records"], event) == expected


# Encodings that Google's parser reads differently: rules D6, D7, D8 and D12 in docs/wire-format.md.
OTHER_ENCODINGS = re.compile("tag over-long 6|length over-long 10|.*, odd [123]|IndexBit64:|OverriddenTagKeyInvalid:")


@pytest.mark.parametrize("form", FORMATS)
def test_vectors(form):
    rows = lines(VECTORS / "decode.jsonl") + lines(VECTORS / "generated.jsonl")
    rows = [row for row in rows if not OTHER_ENCODINGS.match(row["name"])]
    assert len(rows) == 167
    assert_same([record(bytes.fromhex(row["payload"]), number, form) for number, row in enumerate(rows)], form)


def generated_payload(chosen):
    """Returns a random payload: mostly aggregates, some of them damaged."""
    if chosen.random() < 0.1:
        return chosen.choice((b"", b"x", ours.MAGIC, ours.MAGIC + bytes(16), chosen.randbytes(100)))
    message = AggregatedRecord()
    message.partition_key_table.extend(f"clé-{number}" * chosen.randrange(3) for number in range(chosen.randrange(1, 9)))
    message.explicit_hash_key_table.extend(str(chosen.getrandbits(128)) for _ in range(chosen.choice((0, 0, 1, 5))))
    beyond = chosen.random() < 0.1
    for _ in range(chosen.choice((0, 1, 2, 10, 40, 100))):
        user = message.records.add(data=chosen.randbytes(chosen.randrange(100)))
        user.partition_key_index = chosen.randrange(len(message.partition_key_table) + beyond)
        if message.explicit_hash_key_table and chosen.random() < 0.7:
            user.explicit_hash_key_index = chosen.randrange(len(message.explicit_hash_key_table) + beyond)
        if chosen.random() < 0.02:
            user.tags.add(key="unit", value="C")
        if chosen.random() < 0.002:
            user.ClearField(chosen.choice(("data", "partition_key_index")))
    body = message.SerializePartialToString()
    payload = bytearray(ours.MAGIC + body + hashlib.md5(body).digest())
    if chosen.random() < 0.1:
        payload[chosen.randrange(len(payload))] ^= 1 << chosen.randrange(8)
    return bytes(payload)


@pytest.mark.parametrize("form", FORMATS)
def test_generated_events(form):
    chosen = random.Random(f"events of {form}")
    seen = set()
    for _ in range(20):
        records = [record(generated_payload(chosen), number, form) for number in range(chosen.choice((1, 3, 100)))]
        for a_record in records:
            if form == "lambda" and chosen.random() < 0.3:
                # Lambda's data is text, and some programs pass bytes, or base64 in lines.
                encoded = a_record["kinesis"]["data"]
                a_record["kinesis"]["data"] = chosen.choice((encoded.encode(), encoded[:40] + "\n" + encoded[40:] + "\n"))
        seen |= assert_same(records, form)
    assert {"damaged", "explicit hash key", "tags"} <= seen


@pytest.mark.parametrize(
    "bad", [None, 7, "AAA", "é", {}, [], {"kinesis": {}}, {"data": "eA=="}, {"kinesis": {"data": None}}]
)
@pytest.mark.parametrize("form", [None, "Boto3", "boto3"])
def test_bad_records_are_the_same_exceptions_after_the_same_user_records(bad, form):
    good = record(aggregate([("a", b"1"), ("b", b"2")]), form="boto3" if form == "Boto3" else "lambda")
    for records in (bad, [bad], [good, good, bad, good]):
        theirs = outcome(their_deaggregator.iter_deaggregate_records(records, form))
        assert outcome(our_deaggregator.iter_deaggregate_records(records, form)) == theirs


def run(module, max_size, users):
    """Returns all aggregates that an aggregator makes, and everything it says on the way."""
    aggregator = module.RecordAggregator(max_size)
    from_callback, told, aggregates = [], [], []
    aggregator.on_record_complete(lambda full: from_callback.append(full.get_contents()), False)
    for user in users:
        try:
            full = aggregator.add_user_record(*user)
        except ValueError:
            told.append("refused")
            continue
        if full:
            aggregates.append(full)
        current = aggregator.current_record
        told.append((aggregator.get_num_user_records(), aggregator.get_size_bytes(), current.get_partition_key()))
    last = aggregator.clear_and_get()
    assert aggregator.clear_and_get() is None
    assert from_callback == [full.get_contents() for full in aggregates]
    described = [
        (
            full.get_contents(),
            full.get_partition_key(),
            full.get_explicit_hash_key(),
            full.get_num_user_records(),
            full.get_size_bytes(),
            full.max_size,
            full.partition_keys.keys if text_keys(full) else None,
        )
        for full in [*aggregates, *([last] if last else [])]
    ]
    return described, told


def text_keys(full):
    return isinstance(full.get_partition_key(), str)


@pytest.mark.parametrize("max_size", [300, 1_000, 5_000, 51_200, 1_000_000])
@pytest.mark.parametrize("seed", range(4))
def test_aggregates_are_the_same_and_end_at_the_same_user_record(max_size, seed):
    # Keys as bytes: text is counted for each user record.
    users = [
        (key.encode(), data, None if hash_key is None else hash_key.encode())
        for key, data, hash_key in user_records(seed, 400 if max_size < 50_000 else 12_000, keys=1 + seed * 40)
    ]
    # Not within the 20 bytes below max_size, where they lose user records.
    users = [user for user in users if sum(len(part or b"") for part in user) + 45 < max_size]
    users.insert(7, (b"key", bytes(max_size), None))
    theirs, ours_ = run(their_aggregator, max_size, users), run(our_aggregator, max_size, users)
    assert ours_ == theirs
    assert len(theirs[0]) > 1 or max_size == 1_000_000


@pytest.mark.parametrize("seed", range(4))
def test_text_and_bytes_make_the_same_aggregates_as_their_bytes(seed):
    users = [(key, data.hex(), hash_key) for key, data, hash_key in user_records(seed, 300)]
    encoded = [(key.encode(), data.encode(), hash_key and hash_key.encode()) for key, data, hash_key in users]
    theirs, _ = run(their_aggregator, 4_000, encoded)
    here, _ = run(our_aggregator, 4_000, users)
    assert [contents[2] for contents, *_ in here] == [contents[2] for contents, *_ in theirs]
    assert [contents[0].encode() for contents, *_ in here] == [contents[0] for contents, *_ in theirs]


def public_names(namespace):
    return {name: value for name, value in vars(namespace).items() if not name.startswith("_")}


def test_every_public_name_is_here_with_the_same_signature():
    for theirs, here in ((their_aggregator, our_aggregator), (their_deaggregator, our_deaggregator)):
        defined = {
            name: value for name, value in public_names(theirs).items() if getattr(value, "__module__", None) == theirs.__name__
        }
        assert defined
        for name, value in defined.items():
            functions = public_names(value) if inspect.isclass(value) else {"": value}
            for method, function in functions.items():
                same = getattr(getattr(here, name), method) if method else getattr(here, name)
                assert list(inspect.signature(same).parameters) == list(inspect.signature(function).parameters), (name, method)
                defaults = [
                    [parameter.default for parameter in inspect.signature(each).parameters.values()]
                    for each in (same, function)
                ]
                assert defaults[0] == defaults[1], (name, method)
            if inspect.isclass(value):
                attributes = vars(value())
                assert not {name for name in attributes if not name.startswith("_")} - set(dir(getattr(here, name)()))
    import aws_kinesis_agg

    constants = {name: value for name, value in public_names(aws_kinesis_agg).items() if name.isupper()}
    assert {name: getattr(ours, name) for name in constants} == constants
