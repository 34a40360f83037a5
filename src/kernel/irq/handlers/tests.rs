//! Handlers that are taken away while cores call them: every schedule of a small scene, and
//! threads.
#![expect(unsafe_code, reason = "`Handlers::serve`")]

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::vec::Vec;

use super::{CacheLine, Handlers, Served};
use crate::kernel::protocol::Word;
use crate::kernel::protocol::explore::{Shared, every_schedule};

const NUMBERS: usize = 2;
/// The interrupt of the tests.
const ALARM: usize = 1;

/// A core that takes the interrupt, and one that takes the handler away and sets another.
struct Scene {
    handlers: Handlers<usize, Shared, 2, NUMBERS>,
    /// Whether what each handler's argument stands for is gone.
    gone: [Shared; 2],
}

impl Scene {
    fn new() -> Self {
        let words = || [Shared::new(), Shared::new()];
        let handlers = Handlers::new(words(), words().map(CacheLine));
        assert!(handlers.set(ALARM, 0));
        Self {
            handlers,
            gone: words(),
        }
    }

    fn take_interrupt(&self, core: usize) {
        let call = |argument: usize| {
            for _ in 0..2 {
                let is_gone = self.gone[argument].load(Ordering::Relaxed);
                assert_eq!(is_gone, 0, "a handler ran whose argument was gone");
            }
        };
        // SAFETY: each part of a scene is one core.
        let served = unsafe { self.handlers.serve(core, ALARM, call) };
        assert!(matches!(
            served,
            Served::Called | Served::Retiring | Served::Nobody
        ));
    }

    /// Takes the handler away, if nobody serves the interrupt, and sets the next.
    fn take_away(&self) {
        assert!(self.handlers.retire(ALARM));
        if self.handlers.free(ALARM).is_ok() {
            self.gone[0].store(1, Ordering::Relaxed);
            assert!(self.handlers.set(ALARM, 1), "it is free");
        }
    }
}

#[test]
fn no_handler_runs_behind_its_end_in_any_schedule() {
    let schedules = every_schedule(
        Scene::new,
        &[|scene| scene.take_interrupt(1), Scene::take_away],
        |_| {},
    );
    assert!(schedules > 100, "{schedules}");
}

#[test]
fn two_cores_that_free_at_once_free_one_handler() {
    every_schedule(
        || {
            let scene = Scene::new();
            assert!(scene.handlers.retire(ALARM));
            scene
        },
        &[
            |scene: &Scene| assert_eq!(scene.handlers.free(ALARM), Ok(())),
            |scene| {
                assert_eq!(scene.handlers.free(ALARM), Ok(()));
                let _ = scene.handlers.set(ALARM, 1);
            },
        ],
        |scene| {
            let mut called = None;
            // SAFETY: the scene is over, and this is the only core.
            let served = unsafe {
                scene
                    .handlers
                    .serve(0, ALARM, |argument| called = Some(argument))
            };
            assert_eq!(
                (served, called),
                (Served::Called, Some(1)),
                "what was set behind it stays"
            );
        },
    );
}

#[test]
fn a_handler_is_set_called_taken_away_and_set_again() {
    let scene = Scene::new();
    let handlers = &scene.handlers;
    let serve = |number| {
        let mut called = None;
        // SAFETY: this is the only core.
        let served = unsafe { handlers.serve(0, number, |argument| called = Some(argument)) };
        (served, called)
    };
    assert!(!handlers.set(ALARM, 7), "it has one");
    assert_eq!(serve(ALARM), (Served::Called, Some(0)));
    assert_eq!(serve(0), (Served::Nobody, None));
    assert!(!handlers.retire(0), "it has none");
    assert!(handlers.retire(ALARM));
    assert_eq!(serve(ALARM), (Served::Retiring, None));
    assert!(!handlers.set(ALARM, 7), "it is not free yet");
    assert!(handlers.retire(ALARM), "a second time says so too");
    assert_eq!(handlers.free(ALARM), Ok(()));
    assert_eq!(serve(ALARM), (Served::Nobody, None));
    assert_eq!(handlers.free(ALARM), Ok(()), "it is free");
    assert!(handlers.set(ALARM, 7));
    assert_eq!(serve(ALARM), (Served::Called, Some(7)));
}

#[test]
fn what_is_called_names_the_core_that_holds_its_end_up() {
    let handlers: Handlers<u8, AtomicUsize, 4, NUMBERS> = Handlers::new(
        [const { AtomicUsize::new(0) }; NUMBERS],
        [const { CacheLine(AtomicUsize::new(0)) }; 4],
    );
    assert!(handlers.set(ALARM, 1));
    let inside = |_| {
        assert!(handlers.retire(ALARM));
        assert_eq!(handlers.free(ALARM), Err(2));
    };
    // SAFETY: this is the only core.
    let served = unsafe { handlers.serve(2, ALARM, inside) };
    assert_eq!(served, Served::Called);
    assert_eq!(handlers.free(ALARM), Ok(()));
}

/// Cores of the test with threads.
const CORES: usize = 2;
const ROUNDS: usize = 50;

/// The value that a handler's argument stands for: gone as soon as its owner has the interrupt no
/// more.
struct Device {
    is_gone: AtomicBool,
}

#[test]
fn no_handler_runs_behind_its_end_while_cores_store_late() {
    struct Shared {
        handlers: Handlers<usize, AtomicUsize, CORES, NUMBERS>,
        devices: [Device; 2],
        ends: AtomicBool,
        calls: AtomicUsize,
    }
    let shared = Arc::new(Shared {
        handlers: Handlers::new(
            [const { AtomicUsize::new(0) }; NUMBERS],
            [const { CacheLine(AtomicUsize::new(0)) }; CORES],
        ),
        devices: [true, true].map(|is_gone| Device {
            is_gone: AtomicBool::new(is_gone),
        }),
        ends: AtomicBool::new(false),
        calls: AtomicUsize::new(0),
    });
    let cores: Vec<_> = (0..CORES)
        .map(|core| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                while !shared.ends.load(Ordering::Relaxed) {
                    let call = |device: usize| {
                        shared.calls.fetch_add(1, Ordering::Relaxed);
                        let is_gone = &shared.devices[device].is_gone;
                        // Long enough for the other to look meanwhile.
                        for _ in 0..1000 {
                            assert!(!is_gone.load(Ordering::Relaxed), "called behind its end");
                            core::hint::spin_loop();
                        }
                    };
                    // SAFETY: each thread is a core of its own.
                    let _ = unsafe { shared.handlers.serve(core, ALARM, call) };
                    // Not in the handler, if the host has fewer cores than this has threads.
                    thread::yield_now();
                }
            })
        })
        .collect();
    for round in 0..ROUNDS {
        let device = round % 2;
        shared.devices[device]
            .is_gone
            .store(false, Ordering::Relaxed);
        let calls = shared.calls.load(Ordering::Relaxed);
        assert!(shared.handlers.set(ALARM, device));
        while shared.calls.load(Ordering::Relaxed) == calls
            && !cores.iter().any(|core| core.is_finished())
        {
            thread::yield_now();
        }
        assert!(shared.handlers.retire(ALARM));
        while shared.handlers.free(ALARM).is_err() {
            thread::yield_now();
        }
        shared.devices[device]
            .is_gone
            .store(true, Ordering::Relaxed);
    }
    shared.ends.store(true, Ordering::Relaxed);
    for core in cores {
        core.join().expect("no handler was called behind its end");
    }
}
