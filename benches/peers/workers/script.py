"""A Python script equivalent to `kinesis-agg aggregate` and `kinesis-agg deaggregate`: JSON Lines from standard input to standard
output, with aws_kinesis_agg. Timed by command.py."""

import base64
import json
import sys

from aws import lambda_record
from aws_kinesis_agg.aggregator import RecordAggregator
from aws_kinesis_agg.deaggregator import iter_deaggregate_records


def write(aggregate):
    partition_key, _, payload = aggregate.get_contents()
    line = {"PartitionKey": partition_key.decode(), "Data": base64.b64encode(payload).decode()}
    print(json.dumps(line))


def aggregate():
    aggregator = RecordAggregator()
    for line in sys.stdin:
        event = json.loads(line)
        full = aggregator.add_user_record(event["partitionKey"].encode(), base64.b64decode(event["data"]))
        if full:
            write(full)
    rest = aggregator.clear_and_get()
    if rest:
        write(rest)


def deaggregate():
    envelope = lambda_record(b"")
    for number, line in enumerate(sys.stdin):
        envelope["kinesis"]["data"] = json.loads(line)["Data"]
        for user in iter_deaggregate_records([envelope]):
            user = user["kinesis"]
            line = {
                "record": number,
                "partitionKey": user["partitionKey"],
                "explicitHashKey": user["explicitHashKey"],
                "data": user["data"].decode(),
                "subSequenceNumber": user["subSequenceNumber"],
                "aggregated": user["aggregated"],
            }
            print(json.dumps(line))


if __name__ == "__main__":
    {"aggregate": aggregate, "deaggregate": deaggregate}[sys.argv[1]]()
