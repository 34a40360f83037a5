//! The one wait for another core, and what a core hears while it waits.
//!
//! Whoever waits, for a lock, the console, an answer, its turn to report, looks at two words in
//! each round: is the machine ending, in the kernel or in boot/early.S, and does another core's
//! `stop_machine` name this one? So nobody waits for a lock that a halted core has, and no core
//! that waits with its interrupts masked keeps `stop_machine` waiting. Calls are left for the interrupt: a routine may take
//! the very lock that is waited for.
//!
//! # Decisions
//! What is asked lies in memory, and the mailbox's interrupt says only that something was asked. A
//! look costs two loads of lines that seldom change, and not a device's register.
#![expect(unsafe_code, reason = "called by symbol")]

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::{patience, silence};
use crate::arch::cpu;
use crate::arch::masks::ExceptionsMasked;
use crate::arch::relax::relax;
use crate::arch::waited::LOOK_CYCLES;
use crate::board::raspi3::CORES;
use crate::kernel::clock;
use crate::kernel::protocol::{Ending, StopMachine};

/// A word at first.
const fn word() -> AtomicUsize {
    AtomicUsize::new(0)
}

/// Who ends the machine.
pub(crate) static ENDING: Ending<AtomicUsize> = Ending::new(word(), word(), word(), word());
/// Which cores are stopped while the live map is changed.
pub(crate) static STOP_MACHINE: StopMachine<AtomicUsize, CORES> =
    StopMachine::new(word(), [const { word() }; CORES]);
/// The core that stops the others, plus one; 0 if none does.
pub(crate) static INITIATOR: AtomicUsize = AtomicUsize::new(0);
/// Cores whose MMU is on, or is about to be, with the live map: a bit each.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Core `core` uses the live map from now on. For a core that is on its way: with the kernel map's
/// lock held, before it is let in.
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

/// The numbers of the cores in a set.
pub(crate) fn numbers(cores: usize) -> impl Iterator<Item = usize> {
    (0..CORES).filter(move |core| cores & 1 << core != 0)
}

/// Waits until `done`, for `patience_ns` at most, and longer while somebody reports. Returns
/// whether it was done in time.
pub(crate) fn until(patience_ns: u64, mut done: impl FnMut() -> bool) -> bool {
    let mut rounds = 0;
    let mut waited = patience::wait_for(patience_ns);
    while !done() {
        hear();
        relax();
        // The counter costs more than a round.
        rounds += 1;
        if rounds == ROUNDS {
            rounds = 0;
            let waited_ns = waited.look(clock::raw_ns(), ROUNDS * ROUND_CYCLES);
            if is_over(waited_ns, patience_ns) {
                return done();
            }
        }
    }
    true
}

/// Rounds of a wait between two looks at the counter.
const ROUNDS: u64 = 64;
/// Cycles that a round takes at least: a hint, the loads of [`hear`] and the branches on them are
/// more than eight instructions, of which a Cortex-A53 issues two in a cycle.
const ROUND_CYCLES: u64 = 4;

/// Whether a wait of `waited_ns` has lasted long enough.
fn is_over(waited_ns: u64, patience_ns: u64) -> bool {
    let more_ns = if ENDING.somebody_reports() {
        patience::REPORTS_NS
    } else {
        0
    };
    waited_ns > patience_ns.saturating_add(more_ns)
}

/// The core that ends the machine from boot/early.S, plus one; 0 if none does. Written there alone,
/// past the caches: in a line of its own. Loaded with the image, not cleared with `.bss`.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.early.end")]
static EARLY_END: EarlyEnd = EarlyEnd(AtomicU32::new(0));

/// In a cache line of its own.
#[repr(align(64))]
struct EarlyEnd(AtomicU32);

/// Whether another core ends the machine, or has failed where nothing of the kernel was there to
/// report it: what that core says is the last line.
#[inline]
pub(crate) fn must_stop(here: usize) -> bool {
    ENDING.is_over(here) || EARLY_END.0.load(Ordering::Relaxed) != 0
}

/// Halts if the machine ends, and stops as long as `stop_machine` requests it: called in each round
/// of a wait, and in the mailbox's interrupt.
#[inline]
pub(crate) fn hear() {
    let here = cpu::number();
    if must_stop(here) {
        stop();
    }
    // The core that ends the machine stops for no initiator: it halts that one.
    if STOP_MACHINE.is_requested(here) && !ENDING.is_ender(here) {
        let _masked = ExceptionsMasked::begin();
        stay_stopped();
    }
}

/// What a core does while it waits for a lock: hears. Returns how long it may wait in all, in
/// nanoseconds.
#[unsafe(no_mangle)]
extern "C" fn kernel_hear() -> u64 {
    hear();
    if ENDING.somebody_reports() {
        patience::LOCK_NS + patience::REPORTS_NS
    } else {
        patience::LOCK_NS
    }
}

/// The clock of a core that waits for a lock: that of every other wait, so that the limits keep
/// their order ([`patience`]) whatever the counter is said to run at.
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
    let mut waited = patience::wait_for(patience::STOPPED_NS);
    cpu::wait_for_stores();
    while STOP_MACHINE.acknowledge(here) {
        if must_stop(here) {
            stop();
        }
        relax();
        assert!(
            !is_over(
                waited.look(clock::raw_ns(), LOOK_CYCLES),
                patience::STOPPED_NS
            ),
            "core {} does not end its stop_machine: core {here} is stopped",
            initiator()
        );
    }
    cpu::synchronise();
    silence::end_here();
}

/// Another core ends the machine: waits until it stops this one.
pub(crate) fn for_the_end() -> ! {
    while !must_stop(cpu::number()) {
        hear();
        relax();
    }
    stop()
}

/// This core does nothing any more.
pub(crate) fn stop() -> ! {
    cpu::mask_exceptions();
    ENDING.stop(cpu::number());
    cpu::stop()
}
