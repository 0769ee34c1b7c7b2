//! The command, driven as a process: what it reads and writes, what it says, and how it ends.
//!
//! Scripts depend on all of it. A message is compared with the file, line or number that it has to name, and not
//! word by word.

mod command {
    mod aggregate;
    mod aggregate_faults;
    mod aws_events;
    mod bench;
    mod deaggregate;
    mod deaggregate_faults;
    mod forms;
    mod inspect;
    mod oddities;
    mod put_records;
    mod round_trip;
    mod routing;
    mod streams;
    mod support;
    mod usage;
    mod verify;
}
