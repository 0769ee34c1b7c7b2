"""The shortest Python program with Google's protobuf (upb, in C) and hashlib (OpenSSL). Only the message class comes from
aws_kinesis_agg."""

import hashlib

import aws_kinesis_agg.aggregator  # noqa: F401 (the next import needs it)
from aws_kinesis_agg.messages_pb2 import AggregatedRecord
from google.protobuf.internal import api_implementation
from worker import MAGIC, digest_of_records, serve

assert api_implementation.Type() == "upb", "the benchmark compares with upb"


def user_records(payload):
    body = payload[4:-16]
    if payload[:4] != MAGIC or hashlib.md5(body).digest() != payload[-16:]:
        raise ValueError("not aggregated")
    aggregate = AggregatedRecord.FromString(body)
    keys = list(aggregate.partition_key_table)
    for record in aggregate.records:
        yield keys[record.partition_key_index], record.data


def serialize(records):
    aggregate = AggregatedRecord()
    indexes = {}
    add = aggregate.records.add
    for key, data in records:
        add(partition_key_index=indexes.setdefault(key, len(indexes)), data=data)
    aggregate.partition_key_table.extend(indexes)
    body = aggregate.SerializeToString()
    return MAGIC + body + hashlib.md5(body).digest()


def deaggregate(corpus):
    def work():
        for _ in user_records(corpus.payload):
            pass

    return work, lambda: digest_of_records((key.encode(), data) for key, data in user_records(corpus.payload))


def aggregate(corpus):
    records = [(key.decode(), data) for key, data in corpus.records]
    return lambda: serialize(records), lambda: hashlib.md5(serialize(records)).hexdigest()


if __name__ == "__main__":
    serve({"deaggregate": deaggregate, "aggregate": aggregate})
