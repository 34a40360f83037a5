//! Every schedule of a small scene: which core's access to a shared word comes next, in all ways.
//!
//! Cores are threads, of which one runs at a time: before each access to a [`Word`] a thread stops,
//! and the schedule says who goes on. A scene is run again and again, each time with the last
//! choice that has an alternative changed, until none has one.
//!
//! Accesses come in one order for all: what a core's memory may do beyond that is not shown here.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering as Host};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::vec::Vec;

use core::sync::atomic::Ordering;

use super::Word;

/// The core that may make its next access, and the cores that wait for that.
#[derive(Default)]
struct State {
    waiting: Vec<bool>,
    alive: Vec<bool>,
    turn: Option<usize>,
}

#[derive(Default)]
struct Stage {
    state: Mutex<State>,
    news: Condvar,
}

std::thread_local! {
    static CORE: Cell<Option<usize>> = const { Cell::new(None) };
    static STAGE: std::cell::RefCell<Option<Arc<Stage>>> = const { std::cell::RefCell::new(None) };
}

impl Stage {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for this core's turn.
    fn pass(&self, core: usize) {
        let mut state = self.lock();
        state.waiting[core] = true;
        self.news.notify_all();
        while state.turn != Some(core) {
            state = self
                .news
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.turn = None;
        state.waiting[core] = false;
    }

    fn leave(&self, core: usize) {
        self.lock().alive[core] = false;
        self.news.notify_all();
    }

    /// Runs all cores to their ends, by `choices` first and then always the first that can; returns
    /// all choices, each with the number of those that could.
    fn direct(&self, choices: &[usize]) -> Vec<(usize, usize)> {
        let mut made = Vec::new();
        loop {
            let mut state = self.lock();
            let settled = |state: &State| {
                let mut cores = state.alive.iter().zip(&state.waiting);
                state.turn.is_none() && cores.all(|(alive, waiting)| !alive || *waiting)
            };
            while !settled(&state) {
                state = self
                    .news
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let ready: Vec<usize> = (0..state.alive.len())
                .filter(|core| state.alive[*core])
                .collect();
            if ready.is_empty() {
                return made;
            }
            let choice = choices.get(made.len()).copied().unwrap_or(0);
            made.push((choice, ready.len()));
            state.turn = Some(ready[choice]);
            self.news.notify_all();
        }
    }
}

/// A word whose accesses a schedule orders. Outside of a scene it is a plain one.
#[derive(Debug, Default)]
pub(crate) struct Shared(AtomicUsize);

impl Shared {
    pub(crate) const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    fn pass() {
        let stage = STAGE.with(|stage| stage.borrow().clone());
        if let (Some(stage), Some(core)) = (stage, CORE.get()) {
            stage.pass(core);
        }
    }
}

impl Word for Shared {
    fn load(&self, _: Ordering) -> usize {
        Self::pass();
        self.0.load(Host::SeqCst)
    }

    fn store(&self, value: usize, _: Ordering) {
        Self::pass();
        self.0.store(value, Host::SeqCst);
    }

    fn exchange(&self, old: usize, new: usize) -> Result<(), usize> {
        Self::pass();
        let exchanged = self
            .0
            .compare_exchange(old, new, Host::SeqCst, Host::SeqCst);
        exchanged.map(|_| ())
    }

    fn set(&self, bits: usize) {
        Self::pass();
        self.0.fetch_or(bits, Host::SeqCst);
    }

    fn clear(&self, bits: usize) {
        Self::pass();
        self.0.fetch_and(!bits, Host::SeqCst);
    }
}

/// The function of one core in a scene.
pub(crate) type Part<S> = fn(&S);

/// Runs `parts` on a fresh scene in every order, and `check` after each. Returns the number of
/// schedules. A part that panics fails the test.
pub(crate) fn every_schedule<S: Send + Sync + 'static>(
    scene: impl Fn() -> S,
    parts: &[Part<S>],
    check: impl Fn(&S),
) -> usize {
    let mut choices = Vec::new();
    let mut schedules = 0;
    loop {
        let stage = Arc::new(Stage::default());
        {
            let mut state = stage.lock();
            state.alive = std::vec![true; parts.len()];
            state.waiting = std::vec![false; parts.len()];
        }
        let scene = Arc::new(scene());
        let threads: Vec<_> = parts
            .iter()
            .enumerate()
            .map(|(core, part)| {
                let (stage, scene, part) = (Arc::clone(&stage), Arc::clone(&scene), *part);
                thread::spawn(move || {
                    struct Leave(Arc<Stage>, usize);
                    impl Drop for Leave {
                        fn drop(&mut self) {
                            self.0.leave(self.1);
                        }
                    }
                    let _leave = Leave(Arc::clone(&stage), core);
                    CORE.set(Some(core));
                    STAGE.set(Some(stage));
                    part(&scene);
                })
            })
            .collect();
        let made = stage.direct(&choices);
        for thread in threads {
            if let Err(failure) = thread.join() {
                std::panic::resume_unwind(failure);
            }
        }
        check(&scene);
        schedules += 1;
        let Some(last) = made.iter().rposition(|(choice, of)| choice + 1 < *of) else {
            return schedules;
        };
        choices = made[..=last].iter().map(|(choice, _)| *choice).collect();
        choices[last] += 1;
    }
}
