//! The address space that each core is in: entered by one write of TTBR0_EL1, and kept until the
//! core is in another.
#![expect(unsafe_code, reason = "writes TTBR0_EL1; keeps an Arc as a pointer")]

use alloc::sync::Arc;
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::arch::{cpu, masks, mmu};
use crate::board::raspi3::CORES;
use crate::mm::kernel_space::empty_table;
use crate::mm::user_space::UserSpace;

/// The space that a core is in, as [`Arc::into_raw`] has it; null if it is in none. Its own core
/// alone writes it and follows it, with interrupts masked; the others compare it.
struct Current(AtomicPtr<UserSpace>);

static CURRENT: [Current; CORES] =
    [const { Current(AtomicPtr::new(core::ptr::null_mut())) }; CORES];

impl Current {
    /// Of the running core. Interrupts are masked.
    fn of_this_core() -> &'static Self {
        &CURRENT[cpu::number() % CORES]
    }

    /// Puts `space` in its place, and returns what was there.
    fn replace(&self, space: Option<Arc<UserSpace>>) -> Option<Arc<UserSpace>> {
        let new = space.map_or(core::ptr::null(), Arc::into_raw);
        let old = self.0.load(Ordering::Relaxed).cast_const();
        self.0.store(new.cast_mut(), Ordering::Relaxed);
        // SAFETY: what is not null came from `into_raw`, and is taken out here, once: this core
        // alone comes here, and nothing interrupts it.
        (!old.is_null()).then(|| unsafe { Arc::from_raw(old) })
    }

    /// Whether it is `space`.
    fn is(&self, space: &Arc<UserSpace>) -> bool {
        core::ptr::eq(self.0.load(Ordering::Relaxed), Arc::as_ptr(space))
    }

    fn get(&self) -> Option<Arc<UserSpace>> {
        let space = self.0.load(Ordering::Relaxed).cast_const();
        if space.is_null() {
            return None;
        }
        // SAFETY: the place keeps the space, and nothing interrupts this core before it is counted.
        unsafe { Arc::increment_strong_count(space) };
        // SAFETY: counted just now.
        Some(unsafe { Arc::from_raw(space) })
    }
}

/// Lets this core translate low addresses by `space`, until it is in another or [leaves](leave).
/// Root and ASID change by one write of TTBR0_EL1, so that nothing cached of the space before is
/// used or has to be invalidated. With no lock held, as [`leave`].
pub fn activate(space: &Arc<UserSpace>) {
    let kept = Arc::clone(space);
    let before = {
        let note = || Current::of_this_core().replace(Some(kept));
        // SAFETY: kept in this core's place, at once.
        unsafe { space.load(note) }
    };
    // Here, with interrupts as they were: the last to leave a space frees it.
    drop(before);
}

/// Takes this core out of its space, if it is in one: TTBR0_EL1 names the empty table and
/// TCR_EL1.EPD0 is set, so that every low address faults. Translations cached under the space's
/// ASID stay, and are used again when the core comes back.
///
/// With no lock held, since the last core to leave frees the space: that takes the heap's lock.
pub fn leave() {
    let before = {
        let _masked = masks::mask();
        // SAFETY: the kernel uses no low address; the empty table is never written.
        unsafe { mmu::leave_low_tree(empty_table()) };
        Current::of_this_core().replace(None)
    };
    drop(before);
}

/// [Activates](activate) `space`, or [leaves](leave) if there is none: `enter(before.as_ref())`
/// goes back to what [`active`] returned before.
pub fn enter(space: Option<&Arc<UserSpace>>) {
    match space {
        Some(space) => activate(space),
        None => leave(),
    }
}

/// The space that this core is in; `None` if low addresses fault on it. The [`Arc`] keeps the
/// space's frames, also when the core has left it meanwhile.
#[must_use]
pub fn active() -> Option<Arc<UserSpace>> {
    let _masked = masks::mask();
    Current::of_this_core().get()
}

/// Whether this core is in `space`, by identity: two spaces with equal maps are two. Says nothing
/// of other cores.
#[must_use]
pub fn is_active(space: &Arc<UserSpace>) -> bool {
    let _masked = masks::mask();
    Current::of_this_core().is(space)
}

/// The other cores that are in `space`, the lowest first. A look: each may enter or leave at any
/// moment, unless the caller knows that nobody makes it.
pub fn other_cores_in(space: &Arc<UserSpace>) -> impl Iterator<Item = usize> {
    let others = (0..CORES).filter(|core| *core != cpu::number());
    others.filter(|core| CURRENT.get(*core).is_some_and(|current| current.is(space)))
}
