"""Memory does not grow."""

import gc
import os
import subprocess
import sys

from kinesis_aggregation import AggregationManager, RecordAggregator, deaggregate_records, iter_deaggregate_records
from support import record, user_records

MIB = 1 << 20


def resident():
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_million_user_records_leave_memory_as_it_was():
    # In a process of its own: what other tests have released would hide growth.
    ran = subprocess.run([sys.executable, __file__], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def main():
    users = user_records(1, 10_000, keys=200)
    manager = AggregationManager.by_key()
    bad = record(b"", data="AAA")

    def cycle():
        """Aggregates and deaggregates 10,000 user records in each way, refused ones and exceptions included."""
        aggregator = RecordAggregator(51_200)
        aggregator.on_record_complete(lambda full: None, False)
        full = [each for user in users if (each := aggregator.add_user_record(*user))]
        full.append(aggregator.clear_and_get())
        for user in users[:100]:
            manager.add_user_record(*user)
        full += manager.flush()
        for refused in (("", b""), ("k", bytes(1 << 21)), (7, b"")):
            try:
                aggregator.add_user_record(*refused)
            except (TypeError, ValueError):
                pass
        records = [record(each.get_contents()[2], number) for number, each in enumerate(full)]
        count = sum(1 for _ in iter_deaggregate_records(iter(records)))
        assert len(deaggregate_records(records)) == count == len(users) + 100
        next(iter_deaggregate_records(records))
        try:
            deaggregate_records([*records, bad])
        except ValueError:
            pass

    for _ in range(10):
        cycle()
    before = resident()
    for _ in range(100):
        cycle()
    grown = resident() - before
    assert grown < 4 * MIB, f"{grown / MIB:.1f} MiB more after a million user records"
    print(f"{grown / MIB:.1f} MiB more after a million user records")


if __name__ == "__main__":
    main()
