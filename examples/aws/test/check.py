"""Compares what was published with what was consumed.

check.py INPUT CONSUMED RESENT SHARDS: every user record was read from the shard that owns it and from no other. Every one that is in
the stream more than once was reported as a possible duplicate (rule P2), and is not there more often than it was sent. Whatever was
reported had an attempt that may have stored it.
"""

import base64
import collections
import hashlib
import json
import sys


# Error codes of attempts that may have stored a record. InternalFailure may come from a call or an entry; only calls are unclear.
UNCLEAR = {"timeout", "connection", "response", "no_answer", "misplaced", "InternalFailure"}
# The publisher knows the errors of this many attempts.
REMEMBERED = 4


def lines(file):
    with open(file, encoding="utf-8") as text:
        for line in text:
            yield json.loads(line)


def identity(record):
    """Identifies a user record: the number in its data makes it unique."""
    data = base64.b64decode(record["data"]) if "data" in record else record["text"].encode()
    return record["partitionKey"], record.get("explicitHashKey"), data


def hash_key(record):
    """Computes the effective hash key (rule R1)."""
    explicit = record.get("explicitHashKey")
    if explicit is not None:
        return int(explicit)
    return int.from_bytes(hashlib.md5(record["partitionKey"].encode()).digest(), "big")


def main(input_file, consumed_file, resent_file, shards_file):
    published = {identity(record) for record in lines(input_file)}
    with open(shards_file, encoding="utf-8") as text:
        shards = {shard["id"]: shard for shard in json.load(text)}
    resent = {identity(record): record for record in lines(resent_file)}
    # A publisher that reports every record would report every duplicate, too.
    unfounded = [
        who
        for who, record in resent.items()
        if record["attempts"] <= REMEMBERED and UNCLEAR.isdisjoint(record["errors"])
    ]

    places = collections.defaultdict(set)
    read, strange, astray, by_shard = 0, [], [], collections.Counter()
    for record in lines(consumed_file):
        read += 1
        who = identity(record)
        if who not in published:
            strange.append(record)
            continue
        shard = shards[record["shardId"]]
        if not shard["start"] <= hash_key(record) <= shard["end"]:
            astray.append(record)
        by_shard[record["shardId"]] += 1
        places[who].add((record["shardId"], record["sequenceNumber"], record["subSequenceNumber"]))

    missing = published - places.keys()
    twice = {who: where for who, where in places.items() if len(where) > 1}
    unreported = [who for who in twice if who not in resent]
    surplus = [who for who in twice if who in resent and len(twice[who]) > resent[who]["attempts"]]
    distinct = sum(map(len, places.values()))

    print(f"  {len(published)} user records published, {len(places)} of them read, {len(missing)} missing")
    print(f"  read from {len(by_shard)} shards: " + ", ".join(f"{n}" for _, n in sorted(by_shard.items())))
    codes = collections.Counter(code for who in twice.keys() & resent for code in UNCLEAR & set(resent[who]["errors"]))
    print(f"  {len(twice)} in the stream more than once, after {dict(codes)}; {len(unreported)} of them not reported")
    print(f"  {len(resent)} reported as possible duplicates, {len(unfounded)} of them without a reason")
    print(f"  {read - distinct} read again after the consumer was killed")
    print(f"  {len(astray)} read from another shard, {len(strange)} never published")
    faults = {
        "missing": missing,
        "not reported": unreported,
        "there more often than sent": surplus,
        "reported without a reason": unfounded,
        "astray": astray,
        "strange": strange,
    }
    for what, found in faults.items():
        for who in list(found)[:3]:
            print(f"  {what}: {who}")
    return not any(faults.values())


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
