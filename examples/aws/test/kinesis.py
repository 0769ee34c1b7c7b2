"""Calls a local Kinesis with the standard library only: local servers do not check signatures."""

import http.client
import json
import sys
import time

HEADERS = {
    "Content-Type": "application/x-amz-json-1.1",
    # kinesalite requires a signature, but does not check it.
    "Authorization": "AWS4-HMAC-SHA256 Credential=local/20250101/us-east-1/kinesis/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=0",
    "X-Amz-Date": "20250101T000000Z",
}


def call(port, operation, **parameters):
    """Calls an operation and returns the response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = HEADERS | {"X-Amz-Target": f"Kinesis_20131202.{operation}"}
    connection.request("POST", "/", json.dumps(parameters), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{operation}: {answer.status} {text[:500]!r}")
    return json.loads(text) if text else {}


def wait_for(port, seconds=30):
    """Waits until the server responds."""
    end = time.monotonic() + seconds
    while True:
        try:
            return call(port, "ListStreams")
        except (OSError, RuntimeError, http.client.HTTPException):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def wait_until_active(port, stream, seconds=30):
    """Waits until a reshard is complete."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            description = call(port, "DescribeStream", StreamName=stream)["StreamDescription"]
            if description["StreamStatus"] == "ACTIVE":
                return
        except RuntimeError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"{stream} does not become active")


def shards(port, stream):
    """Lists all shards with their ranges, and whether they are open."""
    parameters, found = {"StreamName": stream}, []
    while True:
        answer = call(port, "ListShards", **parameters)
        for shard in answer["Shards"]:
            keys = shard["HashKeyRange"]
            found.append(
                {
                    "id": shard["ShardId"],
                    "start": int(keys["StartingHashKey"]),
                    "end": int(keys["EndingHashKey"]),
                    "open": shard["SequenceNumberRange"].get("EndingSequenceNumber") is None,
                }
            )
        if not answer.get("NextToken"):
            return sorted(found, key=lambda shard: shard["id"])
        parameters = {"NextToken": answer["NextToken"]}


def split(port, stream, shard):
    """Splits a shard in two unequal parts."""
    at = shard["start"] + (shard["end"] - shard["start"]) * 3 // 7 + 1
    call(port, "SplitShard", StreamName=stream, ShardToSplit=shard["id"], NewStartingHashKey=str(at))
    wait_until_active(port, stream)


def merge(port, stream, left, right):
    """Merges two adjacent shards."""
    call(
        port, "MergeShards", StreamName=stream, ShardToMerge=left["id"], AdjacentShardToMerge=right["id"]
    )
    wait_until_active(port, stream)


def reshard(port, stream, number):
    """Splits the widest open shard or, every third time, merges the two narrowest neighbors."""
    open_shards = sorted((s for s in shards(port, stream) if s["open"]), key=lambda s: s["start"])
    if number % 3 == 2 and len(open_shards) > 1:
        pairs = zip(open_shards, open_shards[1:])
        left, right = min(pairs, key=lambda pair: pair[1]["end"] - pair[0]["start"])
        merge(port, stream, left, right)
        return f"merged {left['id']} and {right['id']}"
    widest = max(open_shards, key=lambda s: s["end"] - s["start"])
    split(port, stream, widest)
    return f"split {widest['id']}"


def dump(port, stream):
    """Yields the Kinesis records of all shards as GetRecords returns them, each with its shard."""
    for shard in shards(port, stream):
        answer = call(
            port, "GetShardIterator", StreamName=stream, ShardId=shard["id"], ShardIteratorType="TRIM_HORIZON"
        )
        iterator, empty = answer["ShardIterator"], 0
        # An open shard never ends: stop after three empty responses.
        while iterator and empty < 3:
            answer = call(port, "GetRecords", ShardIterator=iterator)
            iterator = answer.get("NextShardIterator")
            empty = 0 if answer["Records"] else empty + 1
            for record in answer["Records"]:
                yield shard["id"], record


if __name__ == "__main__":
    port, operation, stream, *rest = sys.argv[1:]
    port = int(port)
    match operation:
        case "create":
            wait_for(port)
            call(port, "CreateStream", StreamName=stream, ShardCount=int(rest[0]))
            wait_until_active(port, stream)
        case "reshard":
            print(reshard(port, stream, int(rest[0])))
        case "shards":
            print(json.dumps(shards(port, stream)))
        case "dump":
            for shard_id, record in dump(port, stream):
                print(json.dumps(record | {"ShardId": shard_id}))
        case _:
            sys.exit(f"unknown operation {operation}")
