//! The conductor: it makes the others stand still while the live map is broken and made anew.
//!
//! # Decisions
//! * A core that does not come to a stand is left alone after a while, and named at the prompt.
//!   What a core stands on is never broken (it is pinned), and nothing is made before the broken
//!   entry was invalidated on all cores: what such a core risks, if it comes back in these
//!   microseconds and uses this very range, is a translation fault. To end the machine for that
//!   would be worse.
//! * The set of cores is one word, taken once, and no core is added to it meanwhile: that needs the
//!   kernel map's lock, which the conductor has.

use core::sync::atomic::{AtomicUsize, Ordering};

use super::ipi::ring;
use crate::arch::cpu;
use crate::arch::lock::{note_acquired, note_released};
use crate::arch::lock_classes::{self, Class};
use crate::kernel::clock;
use crate::kernel::time::wait::{self, CONDUCTOR, HOLD, conductor, live_others, numbers};
use crate::kernel::time::{patience, silence};

/// Cores that did not stand when they were asked last, and that nobody was told of.
static MISSED: AtomicUsize = AtomicUsize::new(0);

/// Makes every other core on the live map stand still with its interrupts masked, in code and on
/// stacks that are pinned, until [`kernel_let_others_go`]. Called by the maintenance of the
/// kernel's tables (arch/tlb.rs) with this core's exceptions masked.
///
/// # Panics
/// If another core holds the others, and does not let them go.
#[unsafe(no_mangle)]
extern "C" fn kernel_hold_others() {
    if cfg!(debug_assertions) {
        note_acquired(lock_classes::Conductor::CLASS);
    }
    let me = cpu::number() + 1;
    let mine = || {
        let taken = CONDUCTOR.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok()
    };
    assert!(
        wait::until(patience::CONDUCTOR_NS, mine),
        "core {} does not let the others go",
        conductor()
    );
    let others = live_others();
    let held = HOLD.begin(others);
    ring(others);
    let asked_ns = clock::now_ns();
    let silent = silence::silent_cores();
    wait::until(patience::STAND_NS, || HOLD.missing(held) & !silent == 0);
    wait::until(patience::SILENT_STAND_NS, || HOLD.missing(held) == 0);
    for core in numbers(HOLD.missing(held)) {
        silence::note(core, asked_ns);
        MISSED.fetch_or(1 << core, Ordering::Relaxed);
    }
}

/// Lets them go on; each of them synchronises its context first.
#[unsafe(no_mangle)]
extern "C" fn kernel_let_others_go() {
    HOLD.end();
    CONDUCTOR.store(0, Ordering::Release);
    if cfg!(debug_assertions) {
        note_released(lock_classes::Conductor::CLASS);
    }
}

/// The cores that did not stand still since this was asked last: the map was changed without them.
pub(crate) fn take_missed() -> impl Iterator<Item = usize> {
    numbers(MISSED.swap(0, Ordering::Relaxed))
}
