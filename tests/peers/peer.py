#!/usr/bin/env python3
"""Python's side of `tests/peers/run`: awslabs' aws_kinesis_agg against `kinesis-agg`.

    peer.py read EVENTS AGGREGATES MAX_BYTES canonical|streamed
        deaggregates AGGREGATES (JSON Lines of {"PartitionKey", "ExplicitHashKey"?, "Data"}) with aws_kinesis_agg and
        compares the user records with EVENTS, from which they were made
    peer.py write EVENTS MAX_BYTES
        aggregates EVENTS with aws_kinesis_agg and prints such JSON Lines
    peer.py same EVENTS AGGREGATES USER_RECORDS
        compares USER_RECORDS, the output of `kinesis-agg deaggregate` for AGGREGATES, with EVENTS (this uses no peer, so it
        serves for Node's aggregates too)

`read` and `same` print the numbers of user records and of aggregates compared, and a note. At the first difference they print a
message and exit with status 1.
"""

import base64
import json
import sys


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def events(path):
    """Returns the user records of an input file: (partition key, explicit hash key or None, data)."""
    return [
        (
            event["partitionKey"],
            event.get("explicitHashKey"),
            base64.b64decode(event["data"], validate=True) if "data" in event else event["text"].encode(),
        )
        for event in lines(path)
    ]


def agree(what, expected, actual):
    if expected != actual:
        sys.exit(f"{what} differs:\n  expected {expected!r:.300}\n  but got  {actual!r:.300}")


def lambda_event(aggregates):
    """Returns an event with the complete envelope of AWS Lambda; without it the deaggregator silently returns nothing."""
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": aggregate["PartitionKey"],
                    "sequenceNumber": str(number),
                    "data": aggregate["Data"],
                    "approximateArrivalTimestamp": 1732350000.123,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"shardId-000000000000:{number}",
                "eventName": "aws:kinesis:record",
                "awsRegion": "eu-west-1",
            }
            for number, aggregate in enumerate(aggregates)
        ]
    }


def read(events_path, aggregates_path, max_bytes, order):
    from aws_kinesis_agg.aggregator import AggRecord
    from aws_kinesis_agg.deaggregator import deaggregate_records
    from aws_kinesis_agg.messages_pb2 import AggregatedRecord

    expected = events(events_path)
    aggregates = lines(aggregates_path)
    done = borrowed = identical = 0
    for number, record in enumerate(lambda_event(aggregates)["Records"]):
        what = f"aggregate {number}"
        ours = aggregates[number]
        payload = base64.b64decode(ours["Data"], validate=True)
        if len(payload) + len(ours["PartitionKey"].encode()) > int(max_bytes):
            sys.exit(f"{what} is larger than {max_bytes} bytes, its partition key included")

        users = [user["kinesis"] for user in deaggregate_records([record])]
        if not users:
            sys.exit(f"{what}: Python found no user records")
        inputs = expected[done : done + len(users)]
        agree(f"{what}: user records from event {done} on: their number", len(inputs), len(users))
        agree(f"{what}: partition key", inputs[0][0], ours["PartitionKey"])
        agree(f"{what}: explicit hash key", inputs[0][1], ours.get("ExplicitHashKey"))

        first_hash_key = next((hash_key for _, hash_key, _ in inputs if hash_key is not None), None)
        messages = AggregatedRecord.FromString(payload[4:-16]).records
        for sub, ((key, hash_key, data), user, message) in enumerate(zip(inputs, users, messages)):
            what = f"aggregate {number}, event {done + sub}"
            agree(f"{what}: aggregated", True, user.get("aggregated"))
            agree(f"{what}: sub-sequence number", sub, user["subSequenceNumber"])
            agree(f"{what}: partition key", key, user["partitionKey"])
            agree(f"{what}: data", data, base64.b64decode(user["data"], validate=True))
            theirs = user["explicitHashKey"]
            # Known defect of Python: a user record without an explicit hash key gets entry 0 of the aggregate's table,
            # which is the first explicit hash key used in it. Only that wrong value is allowed, and only where the message,
            # as parsed by Python's protobuf, has no index.
            indexed = message.HasField("explicit_hash_key_index")
            agree(f"{what}: has an explicit hash key", hash_key is not None, indexed)
            if hash_key is None and theirs is not None and theirs == first_hash_key:
                borrowed += 1
            else:
                agree(f"{what}: explicit hash key", hash_key, theirs)

        # Python's aggregator writes canonical order. Given the same user records, its bytes equal ours in that order, and
        # differ in streamed order as soon as an aggregate has two different keys.
        again = AggRecord()
        for key, hash_key, data in inputs:
            if not again.add_user_record(key.encode(), data, None if hash_key is None else hash_key.encode()):
                sys.exit(f"{what}: more than Python's aggregator takes")
        identical += again.get_contents()[2] == payload
        done += len(users)

    agree("the number of user records", len(expected), done)
    if order == "canonical":
        agree("aggregates that are byte for byte Python's", len(aggregates), identical)
    else:
        agree("aggregates in canonical order", 0, identical)
    print(done, len(aggregates), f"{identical} byte for byte Python's, {borrowed} hash keys from entry 0")


def write(events_path, max_bytes):
    from aws_kinesis_agg.aggregator import RecordAggregator

    def put(full):
        key, hash_key, data = full.get_contents()
        entry = {"PartitionKey": key.decode()}
        if hash_key is not None:
            entry["ExplicitHashKey"] = hash_key.decode()
        print(json.dumps(entry | {"Data": base64.b64encode(data).decode()}))

    aggregator = RecordAggregator(int(max_bytes))
    for key, hash_key, data in events(events_path):
        # Keys as bytes: given text, it counts a key's length again for each record, and its aggregates stay small.
        full = aggregator.add_user_record(key.encode(), data, None if hash_key is None else hash_key.encode())
        if full:
            put(full)
    rest = aggregator.clear_and_get()
    if rest:
        put(rest)


def same(events_path, aggregates_path, user_records_path):
    expected = events(events_path)
    actual = lines(user_records_path)
    record, sub = -1, 0
    for number, (event, user) in enumerate(zip(expected, actual)):
        what = f"event {number}"
        sub = sub + 1 if user["record"] == record else 0
        record += user["record"] != record
        agree(f"{what}: record", record, user["record"])
        agree(f"{what}: subSequenceNumber", sub, user["subSequenceNumber"])
        agree(f"{what}: aggregated", True, user["aggregated"])
        key, hash_key, data = event
        agree(f"{what}: partitionKey", key, user["partitionKey"])
        agree(f"{what}: explicitHashKey", hash_key, user["explicitHashKey"])
        agree(f"{what}: data", data, base64.b64decode(user["data"], validate=True))
    agree("the number of user records", len(expected), len(actual))
    agree("the number of aggregates", len(lines(aggregates_path)), record + 1)
    print(len(actual), record + 1, "every field, in order")


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    {"read": read, "write": write, "same": same}[sys.argv[1]](*sys.argv[2:])
