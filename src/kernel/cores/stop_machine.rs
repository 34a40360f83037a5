//! The kernel's `stop_machine`: other cores and interrupts are kept off a range of the live map
//! while its descriptors are replaced (break-before-make, DDI 0487 D8.17.1).
//!
//! Core 0 replaces the block at 0xffff_0000_0020_0000 by a table; cores 1 to 3 run anything:
//!
//! 1. Core 0 masks its exceptions, becomes the initiator and requests that cores 1 to 3 stop
//!    ([`StopMachine`](crate::kernel::protocol::StopMachine)); an IPI to each says so.
//! 2. Each of them takes the interrupt, or finds the request while it waits for a lock, and spins
//!    in `wait::stay_stopped` with its interrupts masked: code and stack are pinned, so no change
//!    touches what it uses.
//! 3. Core 0 stores an invalid descriptor, invalidates the TLBs of all cores (DSB, TLBI, DSB) and
//!    stores the table descriptor. Without the stop, core 2 might use an address of the block in
//!    between, and take a translation fault that is nobody's mistake.
//! 4. Core 0 ends the request. Each core executes an ISB and returns to what it did.
//!
//! # Decisions
//! * A core that does not stop within 2 s is left alone, and is named at the prompt. No change
//!   touches what a core has pinned, and nothing is stored in place of the invalid descriptor
//!   before the TLBs of all cores are invalidated: such a core risks a translation fault if it
//!   comes back within these microseconds and uses this very range. Ending the machine would be
//!   worse.
//! * The set of cores is read once, and no core is added meanwhile: that takes the kernel map's
//!   lock, which the initiator has.
#![expect(unsafe_code, reason = "called by symbol")]

use core::sync::atomic::{AtomicUsize, Ordering};

use super::ipi;
use crate::arch::cpu;
use crate::arch::held::{note_acquired, note_released};
use crate::arch::lock_classes::{self, Class};
use crate::kernel::clock;
use crate::kernel::time::wait::{self, INITIATOR, STOP_MACHINE, initiator, live_others, numbers};
use crate::kernel::time::{silence, timeouts};

/// Cores that did not stop when they were asked last, and that were not reported yet.
static MISSED: AtomicUsize = AtomicUsize::new(0);

/// Stops every other core on the live map, until [`kernel_stop_machine_end`]. Called by the
/// maintenance of the kernel's tables (arch/tlb.rs) with this core's exceptions masked.
///
/// # Panics
/// If another initiator does not end its request in time.
#[unsafe(no_mangle)]
extern "C" fn kernel_stop_machine_begin() {
    if cfg!(debug_assertions) {
        note_acquired(lock_classes::StopMachine::CLASS);
    }
    let me = cpu::number() + 1;
    let mine = || {
        let taken = INITIATOR.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok()
    };
    assert!(
        wait::until(timeouts::INITIATOR_NS, mine),
        "core {} does not end its stop_machine",
        initiator()
    );
    let others = live_others();
    let request = STOP_MACHINE.begin(others);
    ipi::send(others);
    let asked_ns = clock::now_ns();
    // A core that left an earlier question open is waited for only briefly: a second wait of 2 s
    // for each change of the map would make the prompt unusable.
    let silent = silence::silent_cores();
    wait::until(timeouts::STOP_MACHINE_NS, || {
        STOP_MACHINE.not_stopped(request) & !silent == 0
    });
    wait::until(timeouts::SILENT_STOP_NS, || {
        STOP_MACHINE.not_stopped(request) == 0
    });
    for core in numbers(STOP_MACHINE.not_stopped(request)) {
        silence::note(core, asked_ns);
        MISSED.fetch_or(1 << core, Ordering::Relaxed);
    }
}

/// The stopped cores run again; each of them executes an ISB first.
#[unsafe(no_mangle)]
extern "C" fn kernel_stop_machine_end() {
    STOP_MACHINE.end();
    INITIATOR.store(0, Ordering::Release);
    if cfg!(debug_assertions) {
        note_released(lock_classes::StopMachine::CLASS);
    }
}

/// The cores that did not stop since this was asked last: the map was changed without them.
pub(crate) fn take_missed() -> impl Iterator<Item = usize> {
    numbers(MISSED.swap(0, Ordering::Relaxed))
}
