"""Prints how many times as fast as `aws_kinesis_agg` 1.2.3 this package is.

Both work in this process, in turns, nine times or as often as the argument says. Prints the shortest CPU times and the median
ratio. The corpora are those of docs/performance.md: A has 10,000 user records of 80 to 111 bytes with 256 partition keys
(1.03 MB), B has 500 with 32 (52 KB).
"""

import random
import statistics
import sys
import time
import uuid

import kinesis_aggregation.aggregator as our_aggregator
import kinesis_aggregation.deaggregator as our_deaggregator
from aws_kinesis_agg import aggregator as their_aggregator
from aws_kinesis_agg import deaggregator as their_deaggregator
from support import record

ROUNDS = int(sys.argv[1]) if sys.argv[1:] else 9


def corpus(count, keys):
    chosen = random.Random(2026)
    partition_keys = [str(uuid.UUID(int=chosen.getrandbits(128))).encode() for _ in range(keys)]
    return [(chosen.choice(partition_keys), chosen.randbytes(chosen.randrange(80, 112))) for _ in range(count)]


def aggregate(module, users):
    # Keys are bytes: aws_kinesis_agg counts text for each user record, so its aggregates end early.
    aggregator = module.RecordAggregator()
    for partition_key, data in users:
        aggregator.add_user_record(partition_key, data)
    return aggregator.clear_and_get().get_contents()[2]


def iterate(module, records):
    for user in module.iter_deaggregate_records(records):
        pass
    return user


def collect(module, records):
    users = module.deaggregate_records(records)
    for _ in users:
        pass
    return users


def seconds(function, argument, module):
    start = time.process_time()
    function(module, argument)
    return time.process_time() - start


def compare(name, function, argument, count, theirs, ours):
    assert function(theirs, argument) == function(ours, argument)
    times = [(seconds(function, argument, theirs), seconds(function, argument, ours)) for _ in range(ROUNDS)]
    their_best, our_best = (min(column) / count * 1e9 for column in zip(*times))
    ratio = statistics.median(theirs / ours for theirs, ours in times)
    print(f"{name:42} {their_best:8.0f} {our_best:8.0f} {ratio:8.1f}")


def main():
    print(f"{'ns of CPU time per user record':42} {'theirs':>8} {'ours':>8} {'times':>8}")
    for name, count, keys in (("A", 10_000, 256), ("B", 500, 32)):
        # Repeats the smaller corpus, so that its time is well above the clock's resolution.
        repeat = 10_000 // count
        users = corpus(count, keys)
        payload = aggregate(our_aggregator, users)
        events = [(1, [record(payload)]), (10, [record(payload, number) for number in range(10)])]

        def repeated(function):
            def run(module, argument):
                for _ in range(repeat):
                    last = function(module, argument)
                return last

            return run

        compare(f"{name}: aggregate", repeated(aggregate), users, count * repeat, their_aggregator, our_aggregator)
        for records, event in events:
            for function in (iterate, collect):
                compare(
                    f"{name}: {function.__name__}, event of {records}",
                    repeated(function) if records == 1 else function,
                    event,
                    count * records * (repeat if records == 1 else 1),
                    their_deaggregator,
                    our_deaggregator,
                )


main()
