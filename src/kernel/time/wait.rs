//! The wait for another core, and the requests that a core serves while it waits.
//!
//! A core that waits, for a lock, the console, a function call, its turn to report, looks at two
//! words in each round: does the machine end, and does another core's `stop_machine` name this
//! core?
//!
//! 1. Core 1 waits for a lock with its interrupts masked. Core 0 has the lock, and panics.
//! 2. Core 0 claims the end and sends IPIs. Core 1 does not take its own, but finds the end in its
//!    next round, and halts. Without the look it would wait for a lock that is never released.
//! 3. Core 2 waits for the same lock. If core 0 changes the map instead, core 2 finds the request,
//!    acknowledges it and stops. Without the look `stop_machine` would wait for core 2, and core 2
//!    for core 0's lock.
//!
//! Function calls are not served here but by the IPI's handler: a function may take the very lock
//! that is waited for.
//!
//! # Decisions
//! The requests are words in memory, and the IPI says only that there is one. A look costs two
//! loads of cache lines that seldom change, and no read of a device's register.
#![expect(unsafe_code, reason = "called by symbol")]

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::{silence, timeouts};
use crate::arch::cpu;
use crate::arch::masks::ExceptionsMasked;
use crate::arch::relax::relax;
use crate::arch::waited::LOOK_CYCLES;
use crate::board::raspi3::CORES;
use crate::kernel::clock;
use crate::kernel::protocol::{Ending, StopMachine};

/// A word of the protocols as it is at first.
const fn word() -> AtomicUsize {
    AtomicUsize::new(0)
}

/// The cores that report before the machine ends, and the core that ends it.
pub(crate) static ENDING: Ending<AtomicUsize> = Ending::new(word(), word(), word(), word());
/// The request that cores stop while the live map is changed, and the cores that have.
pub(crate) static STOP_MACHINE: StopMachine<AtomicUsize, CORES> =
    StopMachine::new(word(), [const { word() }; CORES]);
/// The core that stops the others, plus one; 0 if none does.
pub(crate) static INITIATOR: AtomicUsize = AtomicUsize::new(0);
/// Cores whose MMU is on, or is about to be, with the live map: a bit each.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Counts core `core` among those that use the live map. For a secondary core: with the kernel
/// map's lock held, before it is let online.
pub(crate) fn set_live(core: usize) {
    LIVE.fetch_or(1 << core, Ordering::SeqCst);
}

/// The cores but this one that use the live map: a bit each.
pub(crate) fn live_others() -> usize {
    LIVE.load(Ordering::SeqCst) & !(1 << cpu::number())
}

/// The core that stops the others; some core if none does.
pub(crate) fn initiator() -> usize {
    INITIATOR.load(Ordering::Relaxed).saturating_sub(1)
}

/// The numbers of the cores in the set `cores`, a bit each: 0b1010 gives 1 and 3.
pub(crate) fn numbers(cores: usize) -> impl Iterator<Item = usize> {
    (0..CORES).filter(move |core| cores & 1 << core != 0)
}

/// Waits until `done`, for `timeout_ns` at most, and longer while a core reports. Returns whether
/// it was done in time.
pub(crate) fn until(timeout_ns: u64, mut done: impl FnMut() -> bool) -> bool {
    let mut rounds = 0;
    let mut waited = timeouts::wait_for(timeout_ns);
    while !done() {
        poll_requests();
        relax();
        // The counter costs more than a round.
        rounds += 1;
        if rounds == ROUNDS {
            rounds = 0;
            let waited_ns = waited.look(clock::raw_ns(), ROUNDS * ROUND_CYCLES);
            if is_over(waited_ns, timeout_ns) {
                return done();
            }
        }
    }
    true
}

/// Rounds of a wait between two looks at the counter.
const ROUNDS: u64 = 64;
/// Cycles that a round takes at least: a hint, the loads of [`poll_requests`] and the branches on
/// them are more than eight instructions, of which a Cortex-A53 issues two in a cycle.
const ROUND_CYCLES: u64 = 4;

/// Whether a wait of `waited_ns` has lasted long enough.
fn is_over(waited_ns: u64, timeout_ns: u64) -> bool {
    let more_ns = if ENDING.somebody_reports() {
        timeouts::REPORTS_NS
    } else {
        0
    };
    waited_ns > timeout_ns.saturating_add(more_ns)
}

/// The core that ends the machine from boot/early.S, plus one; 0 if none does. Written there alone,
/// past the caches: in a line of its own. Loaded with the image, not cleared with `.bss`.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.early.end")]
static EARLY_END: EarlyEnd = EarlyEnd(AtomicU32::new(0));

/// In a cache line of its own.
#[repr(align(64))]
struct EarlyEnd(AtomicU32);

/// Whether core `here` must halt: another core ends the machine, in the kernel or in boot/early.S.
#[inline]
pub(crate) fn must_halt(here: usize) -> bool {
    ENDING.is_over(here) || EARLY_END.0.load(Ordering::Relaxed) != 0
}

/// Halts if the machine ends, and stops as long as `stop_machine` requests it: called in each round
/// of a wait, and in the mailbox's interrupt.
#[inline]
pub(crate) fn poll_requests() {
    let here = cpu::number();
    if must_halt(here) {
        halt();
    }
    // The core that ends the machine stops for no initiator: it halts that one.
    if STOP_MACHINE.is_requested(here) && !ENDING.is_ender(here) {
        let _masked = ExceptionsMasked::begin();
        stay_stopped();
    }
}

/// [`poll_requests`], for the wait for a lock in the room `arch`. Returns how long that wait may
/// last in all, in nanoseconds.
#[unsafe(no_mangle)]
extern "C" fn kernel_poll_requests() -> u64 {
    poll_requests();
    if ENDING.somebody_reports() {
        timeouts::LOCK_NS + timeouts::REPORTS_NS
    } else {
        timeouts::LOCK_NS
    }
}

/// The clock of every other wait, for the wait for a lock: so the timeouts keep their order
/// ([`timeouts`]) whatever the counter is said to run at.
#[unsafe(no_mangle)]
extern "C" fn kernel_raw_ns() -> u64 {
    clock::raw_ns()
}

/// Spins until the initiator ends its request.
///
/// The DSB completes this core's stores before it acknowledges; the ISB makes the changed map count
/// for the first instruction behind.
///
/// Never inlined: tests stop a core here by a debugger.
#[inline(never)]
fn stay_stopped() {
    let here = cpu::number();
    let mut waited = timeouts::wait_for(timeouts::STOPPED_NS);
    cpu::wait_for_stores();
    while STOP_MACHINE.acknowledge(here) {
        if must_halt(here) {
            halt();
        }
        relax();
        assert!(
            !is_over(
                waited.look(clock::raw_ns(), LOOK_CYCLES),
                timeouts::STOPPED_NS
            ),
            "core {} does not end its stop_machine: core {here} is stopped",
            initiator()
        );
    }
    cpu::synchronise();
    silence::end_here();
}

/// Another core ends the machine: waits until that halts this one.
pub(crate) fn for_the_end() -> ! {
    while !must_halt(cpu::number()) {
        poll_requests();
        relax();
    }
    halt()
}

/// Halts this core, for good: masks its exceptions, and notes that for the core that ends the
/// machine.
pub(crate) fn halt() -> ! {
    cpu::mask_exceptions();
    ENDING.halt(cpu::number());
    cpu::halt()
}
