//! The protocols in every schedule of small scenes.
#![forbid(unsafe_code)]

use std::sync::Mutex;
use std::vec::Vec;

use core::sync::atomic::Ordering;

use super::explore::{Shared, every_schedule};
use super::{CallState, Ending, StopMachine, Word};

/// A caller and a callee, with one slot between them.
struct Call {
    state: CallState<Shared>,
    argument: Shared,
    result: Shared,
    executed: Mutex<Vec<usize>>,
    /// Arguments with the results that the caller took.
    taken: Mutex<Vec<(usize, usize)>>,
}

impl Call {
    fn new() -> Self {
        Self {
            state: CallState::new(Shared::new()),
            argument: Shared::new(),
            result: Shared::new(),
            executed: Mutex::default(),
            taken: Mutex::default(),
        }
    }

    /// Calls with 1 and with 2, and waits for each answer for one look.
    fn caller(&self) {
        for argument in [1, 2] {
            if !self.state.is_free() {
                continue;
            }
            self.argument.store(argument, Ordering::Relaxed);
            self.state.post();
            if self.state.is_complete() {
                let result = self.result.load(Ordering::Relaxed);
                self.taken
                    .lock()
                    .expect("one at a time")
                    .push((argument, result));
            }
            self.state.release();
        }
    }

    fn look(&self) {
        if self.state.begin() {
            let argument = self.argument.load(Ordering::Relaxed);
            self.executed.lock().expect("one at a time").push(argument);
            self.result.store(10 * argument, Ordering::Relaxed);
            self.state.complete();
        }
    }

    fn callee(&self) {
        self.look();
        self.look();
    }

    fn check(&self) {
        // What was asked last and not withdrawn is still to be done.
        self.look();
        assert!(self.state.is_free(), "{:?} is taken for good", self.state);
        for (argument, result) in &*self.taken.lock().expect("one at a time") {
            assert_eq!(*result, 10 * argument, "the answer of another call");
        }
        let executed = self.executed.lock().expect("one at a time");
        assert!(
            executed.len() <= 2 && executed.is_sorted_by(|call, next| call < next),
            "{executed:?}: a call was done twice"
        );
    }
}

#[test]
fn a_slot_is_freed_and_no_result_is_taken_for_another() {
    let schedules = every_schedule(Call::new, &[Call::caller, Call::callee], Call::check);
    assert!(schedules > 1_000, "only {schedules} schedules");
}

#[test]
fn a_call_that_was_not_begun_is_withdrawn() {
    let call = Call::new();
    call.state.post();
    call.state.release();
    call.look();
    assert!(call.state.is_free());
    assert!(call.executed.lock().expect("one at a time").is_empty());
}

#[test]
fn a_late_answer_frees_the_slot() {
    let call = Call::new();
    call.state.post();
    assert!(call.state.begin());
    call.state.release();
    assert!(!call.state.is_free() && !call.state.is_complete());
    call.state.complete();
    assert!(call.state.is_free());
}

/// Core 0 ends a request to core 1, and begins the next at once.
struct TwoRequests {
    stop: StopMachine<Shared, 2>,
    broken: Shared,
}

impl TwoRequests {
    fn new() -> Self {
        let stop = StopMachine::new(Shared::new(), [const { Shared::new() }; 2]);
        let first = stop.begin(0b10);
        assert_eq!(stop.not_stopped(first), 0b10);
        assert!(stop.acknowledge(1));
        assert_eq!(stop.not_stopped(first), 0);
        let broken = Shared::new();
        Self { stop, broken }
    }

    fn initiator(&self) {
        self.stop.end();
        let request = self.stop.begin(0b10);
        if self.stop.not_stopped(request) == 0 {
            self.broken.store(1, Ordering::Relaxed);
            self.broken.store(0, Ordering::Relaxed);
        }
        self.stop.end();
    }

    fn stopped(&self) {
        for _ in 0..3 {
            if !self.stop.acknowledge(1) {
                let broken = self.broken.load(Ordering::Relaxed);
                assert_eq!(broken, 0, "used while it is broken");
            }
        }
    }
}

#[test]
fn a_core_on_its_way_out_of_a_request_does_not_acknowledge_the_next() {
    let parts = [TwoRequests::initiator, TwoRequests::stopped];
    let schedules = every_schedule(TwoRequests::new, &parts, |_| {});
    assert!(schedules > 500, "only {schedules} schedules");
}

#[test]
fn only_the_cores_of_the_set_are_stopped() {
    let stop = StopMachine::<Shared, 4>::new(Shared::new(), [const { Shared::new() }; 4]);
    let request = stop.begin(0b1010);
    assert!(
        !stop.is_requested(0)
            && stop.is_requested(1)
            && !stop.is_requested(2)
            && stop.is_requested(3)
    );
    assert!(!stop.acknowledge(0) && stop.acknowledge(1) && !stop.acknowledge(2));
    assert_eq!(stop.not_stopped(request), 0b1000);
    assert!(stop.acknowledge(3));
    assert_eq!(stop.not_stopped(request), 0);
    stop.end();
    assert!((0..4).all(|core| !stop.is_requested(core) && !stop.acknowledge(core)));
}

/// Two cores that fail finally at the same time.
struct Failures {
    ending: Ending<Shared>,
    printed: Mutex<Vec<&'static str>>,
    line: Shared,
}

impl Failures {
    fn new() -> Self {
        let word = Shared::new;
        Self {
            ending: Ending::new(word(), word(), word(), word()),
            printed: Mutex::default(),
            line: Shared::new(),
        }
    }

    fn print(&self, text: &'static str) {
        // Others may come before the line.
        let _ = self.line.load(Ordering::Relaxed);
        self.printed.lock().expect("one at a time").push(text);
    }

    fn fail(&self, core: usize) {
        if !self.ending.enter(core) {
            return;
        }
        self.print("report");
        self.ending.leave(core);
        if !self.ending.claim(core) || self.ending.others_report(core) {
            // Another ends the machine; or the wait for others goes on, which is not followed here.
            return;
        }
        self.ending.close();
        self.print("last line");
    }

    fn check(&self) {
        let printed = self.printed.lock().expect("one at a time");
        let last = printed.iter().position(|line| *line == "last line");
        assert!(
            last.is_none_or(|last| last + 1 == printed.len()),
            "{printed:?}"
        );
    }
}

#[test]
fn one_core_ends_the_machine_and_nothing_is_printed_after_its_last_line() {
    let parts = [|all: &Failures| all.fail(0), |all: &Failures| all.fail(1)];
    let schedules = every_schedule(Failures::new, &parts, Failures::check);
    assert!(schedules > 1_000, "only {schedules} schedules");
}

#[test]
fn who_did_not_claim_the_end_stops_when_it_is_closed() {
    let failures = Failures::new();
    let ending = &failures.ending;
    assert!(ending.enter(1) && ending.somebody_reports());
    assert!(ending.claim(2) && ending.claim(2) && !ending.claim(1));
    assert!(ending.others_report(2) && !ending.others_report(1));
    assert!(!ending.enter(3) && ending.enter(2));
    ending.leave(1);
    assert!(!ending.others_report(2) && !ending.is_over(1));
    ending.close();
    assert!(ending.is_over(1) && !ending.is_over(2));
    assert_eq!(ending.running(0b1011), 0b1011);
    ending.halt(1);
    assert_eq!(ending.running(0b1011), 0b1001);
}
