"""Python's aws_kinesis_agg, as published: it deaggregates Lambda events, with base64 in, and base64 of each user record's data out."""

import base64
import hashlib
import sys

from aws_kinesis_agg import deaggregator
from aws_kinesis_agg.aggregator import RecordAggregator
from worker import digest_of_records, serve


def lambda_record(payload):
    """Returns a complete record: if any of these members is missing, the library deaggregates nothing."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "key",
            "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
            "data": base64.b64encode(payload).decode(),
            "approximateArrivalTimestamp": 1732350000.123,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000006:49590338271490256608559692538361571095921575989136588898",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
        "awsRegion": "eu-west-1",
        "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/lambda-stream",
    }


def deaggregate(corpus):
    record = lambda_record(corpus.payload)

    def work():
        for _ in deaggregator.iter_deaggregate_records([record]):
            pass

    def check():
        users = [user["kinesis"] for user in deaggregator.iter_deaggregate_records([record])]
        return digest_of_records((user["partitionKey"].encode(), base64.b64decode(user["data"])) for user in users)

    return work, check


def aggregate(corpus):
    def work():
        aggregator = RecordAggregator()
        # Keys as bytes: given text, it counts a key's length again for each record and stops too early.
        for key, data in corpus.records:
            if aggregator.add_user_record(key, data):
                sys.exit("the corpus is too large for aws_kinesis_agg")
        return aggregator.clear_and_get().get_contents()[2]

    return work, lambda: hashlib.md5(work()).hexdigest()


if __name__ == "__main__":
    serve({"deaggregate": deaggregate, "aggregate": aggregate})
