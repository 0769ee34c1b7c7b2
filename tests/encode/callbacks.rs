//! Callbacks, on the calling thread and on a worker, get every aggregate once and in order, whatever they do.

use core::ops::Range;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::collections::HashSet;
use std::panic::{catch_unwind, panic_any, resume_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use kinesis_aggregation::encode::{AddError, BackgroundAggregator, EncodeError, WorkerPanic};
use kinesis_aggregation::{Aggregate, Limits, RecordAggregator, UserRecord};

use crate::common::encode::unpack;

/// Far longer than any test here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a test on a separate thread, so that a deadlock fails.
fn in_time(test: impl FnOnce() + Send + 'static) {
    let (running, ended) = channel::<()>();
    let thread = thread::spawn(move || {
        // Dropped at the end, whether that is a return or a panic.
        let _running = running;
        test();
    });
    if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
        panic!("still waiting after {PATIENCE:?}");
    }
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

/// An aggregator of so many user records per aggregate.
fn every(user_records: usize) -> RecordAggregator {
    RecordAggregator::new(Limits::default().with_max_user_records(user_records))
}

/// A user record with a number as its data.
fn record(number: &str) -> UserRecord<'_> {
    UserRecord::new("key", number)
}

/// The numbers of the user records of an aggregate.
fn numbers(aggregate: &Aggregate) -> Vec<usize> {
    let number = |data: Vec<u8>| String::from_utf8(data).unwrap().parse().unwrap();
    unpack(&aggregate.data).into_iter().map(|record| number(record.data)).collect()
}

/// The aggregates that callbacks were given, as the numbers of their user records.
#[derive(Clone, Default)]
struct Given(Arc<Mutex<Vec<Vec<usize>>>>);

impl Given {
    fn push(&self, aggregate: &Aggregate) {
        self.0.lock().unwrap().push(numbers(aggregate));
    }

    fn all(&self) -> Vec<Vec<usize>> {
        self.0.lock().unwrap().clone()
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

fn one_each(numbers: Range<usize>) -> Vec<Vec<usize>> {
    numbers.map(|number| vec![number]).collect()
}

mod on_the_calling_thread {
    use super::*;
    use core::cell::{Cell, RefCell};

    #[test]
    fn aggregates_come_in_order() {
        let given = RefCell::new(Vec::new());
        let here = thread::current().id();
        let mut aggregator = every(3).on_complete(|full| {
            assert_eq!(thread::current().id(), here);
            given.borrow_mut().push(numbers(&full));
        });
        for number in 0..8 {
            aggregator.add(record(&number.to_string())).unwrap();
        }
        assert_eq!(*given.borrow(), [[0, 1, 2], [3, 4, 5]]);
        assert_eq!(aggregator.aggregator().user_records(), 2);
        aggregator.finish();
        assert_eq!(given.borrow().last(), Some(&vec![6, 7]));
        aggregator.finish();
        assert_eq!(given.borrow().len(), 3, "there is nothing to pass on");

        aggregator.add(record("8")).unwrap();
        aggregator.add_at(record("9"), Duration::ZERO).unwrap();
        drop(aggregator);
        assert_eq!(given.borrow().last(), Some(&vec![8, 9]), "usable after finish, and by drop");
        assert_eq!(given.borrow().len(), 4);
    }

    #[test]
    fn drop_passes_on_what_is_pending_and_nothing_else() {
        let calls = Cell::new(0);
        let count = |_| calls.set(calls.get() + 1);
        for (name, add, clear, expected) in
            [("nothing", false, false, 0), ("cleared", true, true, 0), ("pending", true, false, 1)]
        {
            calls.set(0);
            let mut before = every(3);
            if add {
                assert_eq!(before.add(record("0")), Ok(None));
            }
            let mut aggregator = before.on_complete(count);
            if clear {
                aggregator.clear();
            }
            drop(aggregator);
            assert_eq!(calls.get(), expected, "{name}");
        }
    }

    #[test]
    fn refused_user_records_change_nothing_and_old_aggregates_are_passed_on() {
        let given = RefCell::new(Vec::new());
        let limits = Limits::default().with_max_bytes(100).with_max_age(Duration::from_secs(10));
        let mut aggregator =
            RecordAggregator::new(limits).on_complete(|full| given.borrow_mut().push(numbers(&full)));
        let at = Duration::from_secs;
        aggregator.add_at(record("0"), at(0)).unwrap();
        let bad = UserRecord::new("", "");
        assert_eq!(aggregator.add(bad), Err(EncodeError::PartitionKeyLength { characters: 0 }));
        let large = UserRecord::new("key", &[0; 200]);
        assert!(matches!(aggregator.add_at(large, at(20)), Err(EncodeError::TooLarge { limit: 100, .. })));
        assert_eq!(aggregator.aggregator().user_records(), 1);
        assert!(given.borrow().is_empty());
        aggregator.add_at(record("1"), at(10)).unwrap();
        assert_eq!(*given.borrow(), [[0]]);
        drop(aggregator);
        assert_eq!(*given.borrow(), [[0], [1]]);
    }

    /// Dropped while a panic of its callback unwinds, it does not call it again: a second panic would abort.
    #[test]
    fn a_drop_during_a_panic_does_not_call_again() {
        let calls = Cell::new(0);
        let callback = |_| {
            calls.set(calls.get() + 1);
            assert!(calls.get() > 1, "callback");
        };
        let mut aggregator = every(1).on_complete(callback);
        aggregator.add(record("0")).unwrap();
        let unwinding = catch_unwind(AssertUnwindSafe(move || {
            _ = aggregator.add(record("1"));
        }));
        assert!(unwinding.is_err());
        assert_eq!(calls.get(), 1);

        calls.set(0);
        let mut aggregator = every(1).on_complete(callback);
        aggregator.add(record("0")).unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(aggregator))).is_err(), "the panic comes out of drop");
        assert_eq!(calls.get(), 1);
    }

    /// A panic that is caught loses nothing: the callback has had its aggregate, and the user record that made it
    /// full is pending.
    #[test]
    fn nothing_is_lost_if_a_panic_is_caught() {
        let given = RefCell::new(Vec::new());
        let mut aggregator = every(2).on_complete(|full| {
            given.borrow_mut().push(numbers(&full));
            if given.borrow().len() == 2 {
                panic!("callback");
            }
        });
        for number in 0..9 {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                aggregator.add(record(&number.to_string())).unwrap();
            }))
            .is_err();
            assert_eq!(panicked, number == 4);
        }
        assert_eq!(*given.borrow(), [[0, 1], [2, 3], [4, 5], [6, 7]]);
        drop(aggregator);
        assert_eq!(given.borrow().last(), Some(&vec![8]), "drop passes on again, the panic being over");
    }

    /// `finish` passes on what drop would not after a panic.
    #[test]
    fn finish_passes_on_what_is_pending_after_a_panic() {
        let given = RefCell::new(Vec::new());
        let mut aggregator = every(1).on_complete(|full| {
            given.borrow_mut().push(numbers(&full));
            if given.borrow().len() == 1 {
                panic!("callback");
            }
        });
        aggregator.add(record("0")).unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| aggregator.add(record("1")))).is_err());
        aggregator.finish();
        assert_eq!(*given.borrow(), [[0], [1]]);
    }
}

mod on_a_worker {
    use super::*;

    const QUEUES: [usize; 4] = [0, 1, 3, 100];

    /// Waits until the worker has stopped after a panic. This user record is never added: it breaks rule E5.
    fn wait_until_stopped(aggregator: &mut BackgroundAggregator) {
        let bad = UserRecord::new("", "");
        while aggregator.add(bad) != Err(AddError::WorkerStopped) {
            thread::yield_now();
        }
    }

    /// Lets a thread that should wait go on if it can. No test needs the pause to pass.
    fn pause() {
        thread::sleep(Duration::from_millis(1));
    }

    /// The user records that were not delivered, by number.
    fn undelivered(panic: &WorkerPanic) -> Vec<Vec<usize>> {
        panic.undelivered.iter().map(numbers).collect()
    }

    #[test]
    fn aggregates_come_in_order_on_one_other_thread() {
        in_time(|| {
            for queue in QUEUES {
                let given = Given::default();
                let seen = given.clone();
                let threads = Arc::new(Mutex::new(HashSet::<(ThreadId, Option<String>)>::new()));
                let seen_threads = Arc::clone(&threads);
                let mut aggregator = every(3)
                    .on_complete_in_background(queue, move |full| {
                        let thread = thread::current();
                        seen_threads.lock().unwrap().insert((thread.id(), thread.name().map(str::to_owned)));
                        seen.push(&full);
                    })
                    .unwrap();
                for number in 0..301 {
                    aggregator.add(record(&number.to_string())).unwrap();
                }
                assert_eq!(aggregator.aggregator().user_records(), 1, "queue of {queue}");
                aggregator.finish().unwrap();
                assert_eq!(given.all().concat(), (0..301).collect::<Vec<_>>(), "queue of {queue}");
                assert_eq!(given.len(), 101, "queue of {queue}");
                let threads = threads.lock().unwrap();
                let [(id, name)] = &threads.iter().collect::<Vec<_>>()[..] else { panic!("{threads:?}") };
                assert_ne!(*id, thread::current().id());
                assert_eq!(name.as_deref(), Some("kinesis-aggregation"));
            }
        });
    }

    #[test]
    fn flush_passes_on_and_clear_drops_what_is_pending() {
        in_time(|| {
            let (handed_out, incoming) = channel();
            let mut aggregator = every(10)
                .on_complete_in_background(1, move |full| handed_out.send(numbers(&full)).unwrap())
                .unwrap();
            aggregator.flush();
            aggregator.add(record("0")).unwrap();
            aggregator.flush();
            assert_eq!(incoming.recv(), Ok(vec![0]), "passed on before the end");
            aggregator.add(record("1")).unwrap();
            aggregator.clear();
            assert!(aggregator.aggregator().is_empty());
            aggregator.add_at(record("2"), Duration::ZERO).unwrap();
            aggregator.finish().unwrap();
            assert_eq!(incoming.iter().collect::<Vec<_>>(), [[2]]);
        });
    }

    #[test]
    fn refused_user_records_change_nothing() {
        in_time(|| {
            let mut aggregator = every(10).on_complete_in_background(1, |_| {}).unwrap();
            aggregator.add(record("0")).unwrap();
            let error = EncodeError::PartitionKeyLength { characters: 0 };
            assert_eq!(aggregator.add(UserRecord::new("", "")), Err(AddError::Encode(error)));
            assert_eq!(aggregator.aggregator().user_records(), 1);
            aggregator.finish().unwrap();
        });
    }

    /// After the drop the callback has had everything, and is gone itself: its thread has ended.
    #[test]
    fn drop_waits_for_the_callback() {
        in_time(|| {
            for queue in QUEUES {
                let given = Given::default();
                let (open, gate) = channel::<()>();
                let seen = given.clone();
                let mut aggregator = every(1)
                    .on_complete_in_background(queue, move |full| {
                        _ = gate.recv();
                        seen.push(&full);
                    })
                    .unwrap();
                // As many as can be handed out while the callback does not come back, and one pending.
                for number in 0..queue + 2 {
                    aggregator.add(record(&number.to_string())).unwrap();
                }
                assert_eq!(given.len(), 0, "queue of {queue}: the callback is waiting");
                drop(open);
                drop(aggregator);
                assert_eq!(given.all(), one_each(0..queue + 2), "queue of {queue}");
                assert_eq!(Arc::strong_count(&given.0), 1, "queue of {queue}");
            }
        });
    }

    enum Event {
        Adding(usize),
        Added(usize),
        CallbackEnds,
    }

    /// With one aggregate in the callback and `queue` waiting, adding waits.
    ///
    /// The proof is in the order of events, which no timing changes: when the call that hands out aggregate n has
    /// returned, the worker has taken all but the last `queue`, and so has come back from all but one more.
    #[test]
    fn adding_waits_while_the_queue_is_full() {
        fn check(queue: usize) {
            const LAST: usize = 30;
            let (log, events) = channel();
            let (open, gate) = channel::<()>();
            let ends = log.clone();
            let mut aggregator = every(1)
                .on_complete_in_background(queue, move |_| {
                    // Goes on where the test has ended, so a failed assertion leaves nobody waiting.
                    _ = gate.recv();
                    _ = ends.send(Event::CallbackEnds);
                })
                .unwrap();
            // The first call hands out nothing, the next one the first aggregate, and so on.
            aggregator.add(record("0")).unwrap();
            let adding = thread::spawn(move || {
                for n in 1..=LAST {
                    _ = log.send(Event::Adding(n));
                    aggregator.add(record(&n.to_string())).unwrap();
                    _ = log.send(Event::Added(n));
                }
                aggregator.finish().unwrap();
            });

            let mut open = Some(open);
            let mut ended = 0;
            for event in events {
                match event {
                    Event::Adding(n) if n > queue + 1 => {
                        // It has to wait now.
                        pause();
                        open.as_ref().unwrap().send(()).unwrap();
                    }
                    Event::Adding(_) => {}
                    Event::Added(n) => {
                        assert!(
                            n <= ended + queue + 1,
                            "queue of {queue}: {n} passed on, {ended} callbacks ended"
                        );
                        if n == LAST {
                            open = None;
                        }
                    }
                    Event::CallbackEnds => ended += 1,
                }
            }
            assert_eq!(ended, LAST + 1, "queue of {queue}");
            adding.join().unwrap();
        }
        in_time(|| [0, 1, 3].into_iter().for_each(check));
    }

    #[test]
    fn finish_returns_the_panic_of_the_callback() {
        fn panic_of(callback: fn()) -> WorkerPanic {
            let mut aggregator = every(1).on_complete_in_background(1, move |_| callback()).unwrap();
            aggregator.add(record("0")).unwrap();
            aggregator.finish().unwrap_err()
        }
        in_time(|| {
            let panic = panic_of(|| panic!("a text"));
            assert_eq!(panic.message(), Some("a text"));
            assert!(panic.undelivered.is_empty(), "the callback was given all there was");
            let text = "the callback has panicked (a text); 0 aggregates were not delivered";
            assert_eq!(panic.to_string(), text);
            assert_eq!(panic.into_payload().downcast_ref(), Some(&"a text"));

            // Of a formatted text the panic carries a `String`.
            let panic = panic_of(|| panic!("text with {}", core::hint::black_box(7)));
            assert_eq!(panic.message(), Some("text with 7"));

            let panic = panic_of(|| panic_any(7u8));
            assert_eq!(panic.message(), None);
            assert_eq!(panic.into_payload().downcast_ref(), Some(&7u8));
        });
    }

    /// The callback panics on its first aggregate, with the queue full and another one pending.
    #[test]
    fn finish_returns_what_was_queued_at_a_panic() {
        in_time(|| {
            for queue in QUEUES {
                let (open, gate) = channel::<()>();
                let given = Given::default();
                let seen = given.clone();
                let mut aggregator = every(1)
                    .on_complete_in_background(queue, move |full| {
                        seen.push(&full);
                        _ = gate.recv();
                        panic!("callback");
                    })
                    .unwrap();
                let last = queue + 1;
                for number in 0..=last {
                    aggregator.add(record(&number.to_string())).unwrap();
                }
                drop(open);
                wait_until_stopped(&mut aggregator);

                let size = aggregator.aggregator().size_bytes();
                let number = (last + 1).to_string();
                assert_eq!(aggregator.add(record(&number)), Err(AddError::WorkerStopped));
                assert_eq!(aggregator.add_at(record(&number), Duration::MAX), Err(AddError::WorkerStopped));
                assert_eq!(aggregator.aggregator().user_records(), 1, "nothing has changed");
                assert_eq!(aggregator.aggregator().size_bytes(), size, "nothing has changed");

                let panic = aggregator.finish().unwrap_err();
                assert_eq!(given.all(), [[0]], "queue of {queue}: not called again");
                assert_eq!(undelivered(&panic), one_each(1..last + 1), "queue of {queue}");
                assert_eq!(panic.message(), Some("callback"), "queue of {queue}");
            }
        });
    }

    /// The callback panics while the caller waits for the queue, or is just about to.
    #[test]
    fn a_panic_ends_the_wait_of_an_add() {
        fn check(queue: usize) {
            let (open, gate) = channel::<()>();
            let (entering, entered) = channel();
            let mut aggregator = every(1)
                .on_complete_in_background(queue, move |_| {
                    _ = gate.recv();
                    panic!("callback");
                })
                .unwrap();
            let adding = thread::spawn(move || {
                let mut added = 0;
                loop {
                    _ = entering.send(added);
                    match aggregator.add(record(&added.to_string())) {
                        Ok(()) => added += 1,
                        Err(error) => {
                            assert_eq!(error, AddError::WorkerStopped);
                            return (added, aggregator.finish().unwrap_err());
                        }
                    }
                }
            });
            // Aggregate 0 is in the callback, `queue` more wait, and the next one does not fit.
            let waits = queue + 2;
            assert!(entered.iter().any(|number| number == waits));
            pause();
            drop(open);
            let (added, panic) = adding.join().unwrap();
            // The one that did not fit was added too, unless the panic came before it had begun.
            assert!(added >= waits, "queue of {queue}");
            // The first one was in the callback.
            assert_eq!(undelivered(&panic), one_each(1..added), "queue of {queue}");
        }
        in_time(|| {
            for _ in 0..20 {
                [0, 1, 3].into_iter().for_each(check);
            }
        });
    }

    /// Every user record that was added was in a callback or comes back, in order, wherever the panic comes.
    #[test]
    fn nothing_is_lost_to_a_panic() {
        fn check(queue: usize, panics_at: usize, adds: usize) {
            let name = format!("queue of {queue}, panic at {panics_at}, {adds} adds");
            let given = Given::default();
            let seen = given.clone();
            let mut aggregator = every(2)
                .on_complete_in_background(queue, move |full| {
                    seen.push(&full);
                    if seen.len() > panics_at {
                        panic!("callback");
                    }
                })
                .unwrap();
            let mut added = 0;
            while added < adds && aggregator.add(record(&added.to_string())).is_ok() {
                added += 1;
            }
            let outcome = aggregator.finish();
            assert!(given.len() <= panics_at + 1, "{name}: not called after the panic");
            assert_eq!(outcome.is_err(), given.len() == panics_at + 1, "{name}");
            let mut all = given.all();
            all.extend(outcome.err().iter().flat_map(undelivered));
            assert_eq!(all.concat(), (0..added).collect::<Vec<_>>(), "{name}");
        }
        in_time(|| {
            for queue in QUEUES {
                for panics_at in 0..5 {
                    for adds in [0, 1, 2, 3, 5, 8, 9, 30] {
                        check(queue, panics_at, adds);
                    }
                }
            }
        });
    }

    /// Flushing after the worker has stopped loses nothing, and waits for nobody.
    #[test]
    fn flush_after_a_panic_loses_nothing() {
        in_time(|| {
            for queue in QUEUES {
                let mut aggregator =
                    every(9).on_complete_in_background(queue, |_| panic!("callback")).unwrap();
                aggregator.add(record("0")).unwrap();
                aggregator.flush();
                // Whether the worker has stopped by now or not.
                let added = aggregator.add(record("1")).is_ok();
                aggregator.flush();
                aggregator.flush();
                let panic = aggregator.finish().unwrap_err();
                assert_eq!(undelivered(&panic), one_each(1..if added { 2 } else { 1 }), "queue of {queue}");
            }
        });
    }

    #[test]
    fn drop_after_a_panic_does_not_call_again() {
        in_time(|| {
            for queue in QUEUES {
                for stopped in [false, true] {
                    let given = Given::default();
                    let seen = given.clone();
                    let mut aggregator = every(1)
                        .on_complete_in_background(queue, move |full| {
                            seen.push(&full);
                            panic!("callback");
                        })
                        .unwrap();
                    aggregator.add(record("0")).unwrap();
                    aggregator.add(record("1")).unwrap();
                    if stopped {
                        wait_until_stopped(&mut aggregator);
                    }
                    drop(aggregator);
                    assert_eq!(given.all(), [[0]], "queue of {queue}: called once");
                    assert_eq!(Arc::strong_count(&given.0), 1, "queue of {queue}: its thread has ended");
                }
            }
        });
    }

    /// Panics when it is dropped, as a value that a callback has captured may.
    struct PanicsWhenDropped;

    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    #[test]
    fn nothing_is_lost_if_dropping_the_callback_panics() {
        in_time(|| {
            for (panics_at, undelivered_from, message) in [(1, 2, "callback"), (usize::MAX, 6, "dropped")] {
                let captured = PanicsWhenDropped;
                let mut calls = 0;
                let mut aggregator = every(1)
                    .on_complete_in_background(16, move |_| {
                        let _captured = &captured;
                        calls += 1;
                        assert!(calls <= panics_at, "callback");
                    })
                    .unwrap();
                let added = (0..6).take_while(|n| aggregator.add(record(&n.to_string())).is_ok()).count();
                let panic = aggregator.finish().unwrap_err();
                assert_eq!(undelivered(&panic), one_each(undelivered_from.min(added)..added), "{message}");
                assert_eq!(panic.message(), Some(message));
            }
        });
    }

    /// A panic may carry something that panics when it is dropped.
    #[test]
    fn panic_payloads_may_panic_when_dropped() {
        in_time(|| {
            let spawn = || {
                let captured = PanicsWhenDropped;
                let callback = move |_| {
                    let _captured = &captured;
                    panic_any(PanicsWhenDropped);
                };
                let mut aggregator = every(1).on_complete_in_background(1, callback).unwrap();
                aggregator.add(record("0")).unwrap();
                aggregator
            };
            drop(spawn());
            let payload = spawn().finish().unwrap_err().into_payload();
            assert!(payload.is::<PanicsWhenDropped>());
            core::mem::forget(payload);
        });
    }

    #[test]
    fn queues_may_have_any_length() {
        in_time(|| {
            for queue in [5_000, usize::MAX] {
                let given = Given::default();
                let seen = given.clone();
                let mut aggregator =
                    every(1).on_complete_in_background(queue, move |full| seen.push(&full)).unwrap();
                for number in 0..10 {
                    aggregator.add(record(&number.to_string())).unwrap();
                }
                aggregator.finish().unwrap();
                assert_eq!(given.all(), one_each(0..10), "queue of {queue}");
            }
        });
    }

    /// The callback waits for the thread that adds, which takes what it sends only now and then. With `add` both would wait
    /// for each other.
    #[test]
    fn a_callback_may_wait_for_the_thread_that_tries_to_add() {
        in_time(|| {
            for queue in QUEUES {
                let (sender, receiver) = sync_channel(1);
                let callback = move |full: Aggregate| _ = sender.send(numbers(&full));
                let mut aggregator = every(1).on_complete_in_background(queue, callback).unwrap();
                let mut received = Vec::new();
                for number in 0..300 {
                    let number = number.to_string();
                    loop {
                        let before = aggregator.aggregator().size_bytes();
                        match aggregator.try_add(record(&number)) {
                            Ok(()) => break,
                            Err(error) => {
                                assert_eq!(error, AddError::QueueFull, "queue of {queue}");
                                assert_eq!(
                                    aggregator.aggregator().size_bytes(),
                                    before,
                                    "nothing has changed"
                                );
                                received.extend(receiver.try_recv());
                                thread::yield_now();
                            }
                        }
                    }
                }
                let rest = thread::spawn(move || receiver.iter().collect::<Vec<_>>());
                aggregator.finish().unwrap();
                received.extend(rest.join().unwrap());
                assert_eq!(received, one_each(0..300), "queue of {queue}");
            }
        });
    }

    #[test]
    fn try_add_at_observes_the_age() {
        in_time(|| {
            let given = Given::default();
            let seen = given.clone();
            let limits = Limits::default().with_max_age(Duration::from_secs(10));
            let mut aggregator = RecordAggregator::new(limits)
                .on_complete_in_background(1, move |full| seen.push(&full))
                .unwrap();
            for (number, seconds) in [("0", 0), ("1", 9), ("2", 10)] {
                assert_eq!(aggregator.try_add_at(record(number), Duration::from_secs(seconds)), Ok(()));
            }
            let error = EncodeError::PartitionKeyLength { characters: 0 };
            assert_eq!(aggregator.try_add(UserRecord::new("", "")), Err(AddError::Encode(error)));
            aggregator.finish().unwrap();
            assert_eq!(given.all(), [vec![0, 1], vec![2]]);
        });
    }
}
