//! Bringing up cores 1 to 3, as Linux's `bringup_cpu`: all of them at boot, one later by `cpus
//! call`. The memory that they use meanwhile is [`secondary_boot`]'s.
//!
//! | state | it was released | it is alive | it was let online | it is online |
//! |---|---|---|---|---|
//! | [`CoreState::Absent`] | yes | no | no | no |
//! | [`CoreState::Waiting`] | yes | yes | no | no |
//! | [`CoreState::Lost`] | yes | yes | yes | no |
//! | [`CoreState::Online`] | yes | yes | yes | yes |
//!
//! 1. [`start`] releases all three, lets each online that is alive, and waits until those are
//!    online.
//! 2. Each of them enters `kernel_secondary` on its main stack: it installs its vectors, joins the
//!    clock, lets its interrupts in, is online, and works on jobs for ever.
//! 3. [`bring_up`] does the same for one core that did not come in time.
//!
//! # Decisions
//! * The boot waits for a second if no core is alive, and for longer if some are: then a loader has
//!   released all of them, and an emulator's host is busy.
//! * A core that is alive later still is not lost: it waits, and `cpus call` lets it online.
#![expect(unsafe_code, reason = "called from assembly; system registers")]

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::{idle, jobs, per_core, secondary_boot};
use crate::arch::{cpu, exception, mmu};
use crate::board::raspi3::CORES;
use crate::kernel::clock::{self, Joined};
use crate::kernel::irq;
use crate::kernel::time::timeouts;
use crate::kernel::time::wait::{self, numbers};
use crate::mm::kernel_space::empty_table;
use crate::mm::layout;
use crate::paging::PagingError;
use crate::{log, warning};

/// Cores 1 to 3: a bit each.
const OTHERS: usize = (1 << CORES) - 2;

/// The cores that were let online: a bit each.
static SHOULD_ONLINE: AtomicUsize = AtomicUsize::new(0);

/// How far a core has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CoreState {
    /// It runs.
    Online,
    /// It was let online, and is not.
    Lost,
    /// It was alive too late for the boot, and waits to be let online.
    Waiting,
    /// It was never alive.
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

/// How far core `core` has come.
pub(crate) fn state(core: usize) -> CoreState {
    if core == 0 || per_core::of(core).is_online() {
        CoreState::Online
    } else if SHOULD_ONLINE.load(Ordering::Relaxed) & 1 << core != 0 {
        CoreState::Lost
    } else if secondary_boot::is_prepared() && secondary_boot::is_alive(core) {
        CoreState::Waiting
    } else {
        CoreState::Absent
    }
}

/// Brings up cores 1 to 3, and waits for those that are alive in time.
pub(crate) fn start() {
    let began_us = clock::now_us();
    if let Err(error) = secondary_boot::prepare(kernel_secondary) {
        warning!("cores", "no other core can come: {error}");
        return;
    }
    for core in numbers(OTHERS) {
        secondary_boot::release(core);
    }
    let all_let_online = || {
        show_the_time();
        let_online_those_alive(OTHERS) == OTHERS
    };
    if !wait::until(timeouts::FIRST_ALIVE_NS, all_let_online)
        && SHOULD_ONLINE.load(Ordering::Relaxed) != 0
    {
        wait::until(timeouts::ALIVE_NS, all_let_online);
    }
    wait_until_online(SHOULD_ONLINE.load(Ordering::Relaxed));
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

/// Lets those of `cores` online that are alive. Returns those that were let online so far, a bit
/// each.
fn let_online_those_alive(cores: usize) -> usize {
    let should_online = SHOULD_ONLINE.load(Ordering::Relaxed);
    for core in numbers(cores & !should_online) {
        if secondary_boot::is_alive(core) {
            secondary_boot::let_online(core);
            SHOULD_ONLINE.fetch_or(1 << core, Ordering::Relaxed);
        }
    }
    SHOULD_ONLINE.load(Ordering::Relaxed) & cores
}

/// Waits until all of `cores`, which were let online, are. Returns whether they are.
fn wait_until_online(cores: usize) -> bool {
    let is_online = |core: usize| per_core::of(core).is_online();
    wait::until(timeouts::ONLINE_NS, || {
        show_the_time();
        numbers(cores).all(is_online)
    })
}

/// Reads the clock, which stores the latest time for all cores: a core that joins compares its own
/// counter with that.
fn show_the_time() {
    let _ = clock::now_ns();
}

/// Why a core could not be brought up.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum BringUpError {
    /// There is no such core.
    None { given: u64 },
    /// It is online.
    Runs { core: usize },
    /// It was let online before, and is not.
    OnItsWay { core: usize },
    /// The boot memory was freed.
    Closed { core: usize },
    /// It is not alive in time.
    Absent { core: usize },
    /// It was let online now, and is not in time.
    NotReady { core: usize },
}

/// As [`Display`](fmt::Display) has it: less of the image than a derive takes.
impl fmt::Debug for BringUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for BringUpError {
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

impl core::error::Error for BringUpError {}

/// Brings up core `given`, which did not come at boot, and waits for it as long as `may_go_on`.
/// Returns when it is online.
///
/// # Errors
/// See [`BringUpError`].
pub(crate) fn bring_up(
    given: u64,
    mut may_go_on: impl FnMut() -> bool,
) -> Result<(), BringUpError> {
    let core = usize::try_from(given).ok().filter(|core| *core < CORES);
    let core = core.ok_or(BringUpError::None { given })?;
    match state(core) {
        CoreState::Online => return Err(BringUpError::Runs { core }),
        CoreState::Lost => return Err(BringUpError::OnItsWay { core }),
        CoreState::Waiting | CoreState::Absent => {}
    }
    if !secondary_boot::is_prepared() {
        return Err(BringUpError::Closed { core });
    }
    secondary_boot::release(core);
    let mut is_alive = false;
    wait::until(timeouts::ALIVE_NS, || {
        is_alive = let_online_those_alive(1 << core) != 0;
        is_alive || !may_go_on()
    });
    if !is_alive {
        return Err(BringUpError::Absent { core });
    }
    if wait_until_online(1 << core) {
        return Ok(());
    }
    Err(BringUpError::NotReady { core })
}

/// Frees the boot memory of cores 1 to 3, if all are online. Returns the number of frames, 0 if
/// there is nothing to free.
///
/// # Errors
/// The errors of a change of the kernel's map.
pub(crate) fn free_secondary_boot() -> Result<usize, PagingError> {
    let all_run = (1..CORES).all(|core| per_core::of(core).is_online());
    if all_run && secondary_boot::is_prepared() {
        return secondary_boot::free();
    }
    Ok(0)
}

/// This core is online: others may send it IPIs from here on, and its idle share counts.
pub(crate) fn come_online() {
    idle::begin();
    per_core::this().set_online();
}

/// Where a secondary core comes from boot/park.S: at high addresses, on its main stack, on the
/// final map, DAIF masked.
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
    // `stop_machine` counts this core since it was let online, and its IPI may have come before the
    // mailbox could interrupt: once before and once behind the moment from which it can.
    wait::poll_requests();
    irq::init_core();
    wait::poll_requests();
    come_online();
    jobs::work()
}
