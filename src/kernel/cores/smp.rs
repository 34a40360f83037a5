//! Cores 1 to 3: how they are called, and what they do when they are here. What they find on their
//! way is the [`door`](super::door)'s.
//!
//! # Decisions
//! * The boot waits for a second if nobody comes, and for longer if some do: then a loader has let
//!   all of them go, and an emulator's host is busy.
//! * A core that comes later still is not lost: it waits at the door, and `cpus call` lets it in.
#![expect(unsafe_code, reason = "called from assembly; system registers")]

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::{door, idle, jobs, per_core};
use crate::arch::{cpu, exception, mmu};
use crate::board::raspi3::CORES;
use crate::kernel::clock::{self, Joined};
use crate::kernel::irq;
use crate::kernel::time::patience;
use crate::kernel::time::wait::{self, numbers};
use crate::mm::kernel_space::empty_table;
use crate::mm::layout;
use crate::paging::PagingError;
use crate::{log, warning};

/// Cores 1 to 3: a bit each.
const OTHERS: usize = (1 << CORES) - 2;

/// The cores that were let in: a bit each.
static ADMITTED: AtomicUsize = AtomicUsize::new(0);

/// What has become of a core.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CoreState {
    /// It runs.
    Online,
    /// It was let in, but never got ready.
    Lost,
    /// It came late, and waits at the door.
    Waiting,
    /// It never came.
    Absent,
}

impl fmt::Display for CoreState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Online => "runs",
            Self::Lost => "lost",
            Self::Waiting => "waits",
            Self::Absent => "absent",
        })
    }
}

/// What has become of core `core`.
pub(crate) fn state(core: usize) -> CoreState {
    if core == 0 || per_core::of(core).is_online() {
        CoreState::Online
    } else if ADMITTED.load(Ordering::Relaxed) & 1 << core != 0 {
        CoreState::Lost
    } else if door::is_open() && door::has_claimed(core) {
        CoreState::Waiting
    } else {
        CoreState::Absent
    }
}

/// Calls cores 1 to 3 and waits for those that come.
pub(crate) fn start() {
    let began_us = clock::now_us();
    if let Err(error) = door::open(kernel_secondary) {
        warning!("cores", "no other core can come: {error}");
        return;
    }
    for core in numbers(OTHERS) {
        door::release(core);
    }
    let admit = || {
        show_the_time();
        admit_who_came(OTHERS) == OTHERS
    };
    if !wait::until(patience::FIRST_CLAIM_NS, admit) && ADMITTED.load(Ordering::Relaxed) != 0 {
        wait::until(patience::CLAIM_NS, admit);
    }
    wait_until_online(ADMITTED.load(Ordering::Relaxed));
    let count = (0..CORES).filter(|core| state(*core) == CoreState::Online);
    log!(
        "cores",
        "{} of {CORES} online after {} us",
        count.count(),
        clock::now_us().saturating_sub(began_us)
    );
    for core in 1..CORES {
        match state(core) {
            CoreState::Online => {}
            CoreState::Lost => warning!("cores", "core {core} came, but is not ready"),
            CoreState::Waiting => log!("cores", "core {core} came late: `cpus call {core}`"),
            CoreState::Absent => log!("cores", "core {core} does not come"),
        }
    }
}

/// Lets those of `cores` in that have come. Returns all of them that were let in so far.
fn admit_who_came(cores: usize) -> usize {
    let admitted = ADMITTED.load(Ordering::Relaxed);
    for core in numbers(cores & !admitted) {
        if door::has_claimed(core) {
            door::admit(core);
            ADMITTED.fetch_or(1 << core, Ordering::Relaxed);
        }
    }
    ADMITTED.load(Ordering::Relaxed) & cores
}

/// Waits until all of `cores`, which were let in, are online.
fn wait_until_online(cores: usize) -> bool {
    let is_online = |core: usize| per_core::of(core).is_online();
    wait::until(patience::ONLINE_NS, || {
        show_the_time();
        numbers(cores).all(is_online)
    })
}

/// Looks at the common time, which appears to the others: a core that joins finds by it what its
/// own counter stands ahead.
fn show_the_time() {
    let _ = clock::now_ns();
}

/// Why a core cannot be called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ComeError {
    /// There is no such core.
    None { given: u64 },
    /// It runs.
    Runs { core: usize },
    /// It was let in, and is somewhere on its way.
    OnItsWay { core: usize },
    /// What it needs on its way was given up.
    Closed { core: usize },
    /// It does not come.
    Absent { core: usize },
    /// It was let in now, and does not get ready.
    NotReady { core: usize },
}

impl fmt::Display for ComeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None { given } => write!(f, "{given} is not from 1 to {}", CORES - 1),
            Self::Runs { core } => write!(f, "core {core} runs already"),
            Self::OnItsWay { core } => {
                write!(
                    f,
                    "core {core} came, but never got ready: it has no other way in"
                )
            }
            Self::Closed { core } => {
                write!(
                    f,
                    "core {core} cannot come: what it needs on its way was given up"
                )
            }
            Self::Absent { core } => write!(f, "core {core} does not come"),
            Self::NotReady { core } => write!(f, "core {core} came, but does not get ready"),
        }
    }
}

impl core::error::Error for ComeError {}

/// Calls core `given` again, which did not come at boot, and waits for it as long as `may_go_on`.
/// Returns when it runs.
///
/// # Errors
/// See [`ComeError`].
pub(crate) fn call(given: u64, mut may_go_on: impl FnMut() -> bool) -> Result<(), ComeError> {
    let core = usize::try_from(given).ok().filter(|core| *core < CORES);
    let core = core.ok_or(ComeError::None { given })?;
    match state(core) {
        CoreState::Online => return Err(ComeError::Runs { core }),
        CoreState::Lost => return Err(ComeError::OnItsWay { core }),
        CoreState::Waiting | CoreState::Absent => {}
    }
    if !door::is_open() {
        return Err(ComeError::Closed { core });
    }
    door::release(core);
    let mut has_claimed = false;
    wait::until(patience::CLAIM_NS, || {
        has_claimed = admit_who_came(1 << core) != 0;
        has_claimed || !may_go_on()
    });
    if !has_claimed {
        return Err(ComeError::Absent { core });
    }
    match wait_until_online(1 << core) {
        true => Ok(()),
        false => Err(ComeError::NotReady { core }),
    }
}

/// Gives up what cores need on their way, if all have come. Returns the number of frames.
///
/// # Errors
/// Those of a change of the kernel's map.
pub(crate) fn close_the_door() -> Result<usize, PagingError> {
    let all_run = (1..CORES).all(|core| per_core::of(core).is_online());
    match all_run && door::is_open() {
        true => door::close(),
        false => Ok(0),
    }
}

/// This core is asked for things by others from here on, and its idle share counts.
pub(crate) fn come_online() {
    idle::begin();
    per_core::this().set_online();
}

/// Where a core comes from boot/park.S: high, on its main stack, on the final map, DAIF masked.
///
/// # Safety
/// Called by boot/park.S alone, once on each core but 0.
unsafe extern "C" fn kernel_secondary(core: usize) -> ! {
    let stack = layout::exception_stack(core);
    // SAFETY: this core's stacks are mapped and used by nobody else.
    unsafe { exception::install(stack.end()) };
    // SAFETY: code, stack, vectors and data of this core are all high.
    unsafe { mmu::give_up_low_half(empty_table()) };
    cpu::unmask_errors();
    if clock::join() == Joined::SetRight {
        log!(
            "time",
            "the counter of core {core} has another offset: set right"
        );
    }
    // It counts since it was let in: what was asked since then came before it could be interrupted.
    wait::hear();
    irq::init_core();
    wait::hear();
    come_online();
    jobs::work()
}
