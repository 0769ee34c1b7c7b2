#!/usr/bin/env python3
"""Python's side of `tests/upb/mod.rs`: parses bodies and serializes messages with protobuf's upb.

It validates nothing: missing fields, indexes and UTF-8 are left to the caller.

A request is `r` (parse bodies) or `w` (serialize messages), a size, and a batch of items. A response is a size and the results in
the same order. Each item and each result is a string.

Sizes and counts are 32-bit little-endian numbers. A string is its size and its bytes; an absent string has the size NONE. A message
is two tables, each a count and strings, and a count of records. A record is its fields, each a string (an index has 8 bytes),
and a count of tags. A tag is two strings. The result for a body that upb refuses is the empty string.
"""

import struct
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError

SIZE = struct.Struct("<I")
INDEX = struct.Struct("<Q")
NONE = 0xFFFFFFFF


def schema():
    """Returns the class `AggregatedRecord`, with the schema in docs/wire-format.md."""
    file = descriptor_pb2.FileDescriptorProto(name="aggregated_record.proto", syntax="proto2", package="aggregated")
    kinds = descriptor_pb2.FieldDescriptorProto
    messages = {
        "Tag": [("key", kinds.LABEL_REQUIRED, kinds.TYPE_STRING), ("value", kinds.LABEL_OPTIONAL, kinds.TYPE_STRING)],
        "Record": [
            ("partition_key_index", kinds.LABEL_REQUIRED, kinds.TYPE_UINT64),
            ("explicit_hash_key_index", kinds.LABEL_OPTIONAL, kinds.TYPE_UINT64),
            ("data", kinds.LABEL_REQUIRED, kinds.TYPE_BYTES),
            ("tags", kinds.LABEL_REPEATED, "Tag"),
        ],
        "AggregatedRecord": [
            ("partition_key_table", kinds.LABEL_REPEATED, kinds.TYPE_STRING),
            ("explicit_hash_key_table", kinds.LABEL_REPEATED, kinds.TYPE_STRING),
            ("records", kinds.LABEL_REPEATED, "Record"),
        ],
    }
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, (field, label, kind) in enumerate(fields, 1):
            if isinstance(kind, str):
                message.field.add(
                    name=field, number=number, label=label, type=kinds.TYPE_MESSAGE, type_name=f".aggregated.{kind}"
                )
            else:
                message.field.add(name=field, number=number, label=label, type=kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("aggregated.AggregatedRecord"))


AggregatedRecord = schema()


def string(value):
    """Encodes a string, which may be absent."""
    if value is None:
        return SIZE.pack(NONE)
    # upb returns bytes for a string that is not UTF-8.
    value = value.encode() if isinstance(value, str) else value
    return SIZE.pack(len(value)) + value


def optional(message, field):
    return string(getattr(message, field) if message.HasField(field) else None)


def index(record, field):
    return string(INDEX.pack(getattr(record, field)) if record.HasField(field) else None)


def read(body):
    """Parses a body with upb and encodes the message."""
    message = AggregatedRecord()
    try:
        message.MergeFromString(body)
    except DecodeError:
        return b""
    out = []
    for table in (message.partition_key_table, message.explicit_hash_key_table):
        out.append(SIZE.pack(len(table)))
        out.extend(map(string, table))
    out.append(SIZE.pack(len(message.records)))
    for record in message.records:
        out.append(index(record, "partition_key_index"))
        out.append(index(record, "explicit_hash_key_index"))
        out.append(optional(record, "data"))
        out.append(SIZE.pack(len(record.tags)))
        for tag in record.tags:
            out.append(optional(tag, "key"))
            out.append(optional(tag, "value"))
    return b"".join(out)


class Sent:
    """A cursor over a received message."""

    def __init__(self, sent):
        self.sent = sent
        self.at = 0

    def __bool__(self):
        return self.at < len(self.sent)

    def size(self):
        (size,) = SIZE.unpack_from(self.sent, self.at)
        self.at += SIZE.size
        return size

    def string(self):
        size = self.size()
        if size == NONE:
            return None
        begin = self.at
        self.at += size
        return self.sent[begin : self.at]


def write(sent):
    """Serializes a message with upb."""
    sent = Sent(sent)
    message = AggregatedRecord()

    def assign(holder, field, value, convert):
        if value is not None:
            setattr(holder, field, convert(value))

    def number(value):
        return INDEX.unpack(value)[0]

    for table in (message.partition_key_table, message.explicit_hash_key_table):
        table.extend(sent.string().decode() for _ in range(sent.size()))
    for _ in range(sent.size()):
        record = message.records.add()
        assign(record, "partition_key_index", sent.string(), number)
        assign(record, "explicit_hash_key_index", sent.string(), number)
        assign(record, "data", sent.string(), bytes)
        for _ in range(sent.size()):
            tag = record.tags.add()
            assign(tag, "key", sent.string(), bytes.decode)
            assign(tag, "value", sent.string(), bytes.decode)
    return message.SerializePartialToString()


def take(count):
    """Returns the next bytes on standard input. Exits at the end of input."""
    taken = sys.stdin.buffer.read(count)
    if len(taken) < count:
        sys.exit(0)
    return taken


def main():
    used = api_implementation.Type()
    if used != "upb":
        sys.exit(f"this Python's protobuf is {used}, not upb")
    while True:
        answer = {b"r": read, b"w": write}[take(1)]
        batch = Sent(take(SIZE.unpack(take(SIZE.size))[0]))
        answers = []
        while batch:
            answers.append(string(answer(batch.string())))
        answers = b"".join(answers)
        sys.stdout.buffer.write(SIZE.pack(len(answers)) + answers)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
