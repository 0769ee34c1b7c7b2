"""Shared code of the Python workers: the corpora, and the protocol of languages.py.

Requests are lines on standard input, and responses are lines on standard output:

    check OPERATION CORPUS       the MD5 of the result: of all user records, or of the payload
    run OPERATION CORPUS RUNS    the CPU time of a run in nanoseconds, after one run that is not timed

Workers in other languages implement the same protocol.
"""

import hashlib
import struct
import sys
import time
from pathlib import Path

MAGIC = b"\xf3\x89\x9a\xc2"


class Corpus:
    def __init__(self, folder, name):
        self.payload = (folder / f"{name}.payload").read_bytes()
        written = (folder / f"{name}.records").read_bytes()
        self.records = []
        at = 0
        while at < len(written):
            key_len, data_len = struct.unpack_from("<II", written, at)
            key = at + 8
            data = key + key_len
            at = data + data_len
            self.records.append((written[key:data], written[data:at]))


def digest_of_records(records):
    """Returns the MD5 of the user records, serialized as in the corpus's file."""
    digest = hashlib.md5()
    for key, data in records:
        digest.update(struct.pack("<II", len(key), len(data)) + key + data)
    return digest.hexdigest()


def serve(operations):
    """Serves requests until the end of input. Each operation returns two functions for a corpus: one to be timed, and one that
    returns the digest to be checked."""
    folder = Path(sys.argv[1])
    made = {}
    for line in sys.stdin:
        verb, operation, name, *runs = line.split()
        if (operation, name) not in made:
            made[operation, name] = operations[operation](Corpus(folder, name))
        work, check = made[operation, name]
        if verb == "check":
            answer = check()
        else:
            count = int(runs[0])
            work()
            start = time.process_time_ns()
            for _ in range(count):
                work()
            answer = (time.process_time_ns() - start) / count
        print(answer, flush=True)
