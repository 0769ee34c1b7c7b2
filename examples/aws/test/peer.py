"""Deaggregates the records of a stream with awslabs' Python module.

peer.py DUMP: JSON Lines of Kinesis records in, a line per user record out: sequence number, position, partition key, data.
"""

import json
import sys

from aws_kinesis_agg.deaggregator import iter_deaggregate_records

for line in open(sys.argv[1], encoding="utf-8"):
    record = json.loads(line)
    event = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": record["SequenceNumber"],
            "data": record["Data"],
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"],
        }
    }
    for user in iter_deaggregate_records([event]):
        kinesis = user["kinesis"]
        data = kinesis["data"]
        data = data.decode() if isinstance(data, bytes) else data
        print(kinesis["sequenceNumber"], kinesis["subSequenceNumber"], kinesis["partitionKey"], data)
