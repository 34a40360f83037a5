//! A mutex without masking: one core at a time owns it, for longer than a spin lock may be held,
//! with its interrupts let in. The console's turn and the firmware's are the two.
//!
//! 1. Core 0 takes the console's turn to print 2 KiB, which leave in 0.2 s at 115200 baud.
//! 2. Core 1 wants to print, and waits for the turn. In each round it serves `stop_machine` and the
//!    end of the machine ([`wait`]).
//! 3. Core 0 fails and reports: it seizes the turn that it owns already. When core 1's wait times
//!    out first, core 1 seizes it, and the texts mix: better than none.
//!
//! Its rank is below every lock's: its owner may take locks, and a core that holds a lock may not
//! wait for it. An interrupt handler may find that its own core is the owner.
#![forbid(unsafe_code)]

use core::marker::PhantomData;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::arch::held::{note_acquired, note_released};
use crate::arch::lock_classes::Class;
use crate::arch::{cpu, masks};
use crate::kernel::time::wait;

/// A mutex without masking.
pub(crate) struct Exclusive<C> {
    class: PhantomData<fn() -> C>,
    /// The core that has it, plus one; 0 if none does.
    owner: AtomicUsize,
}

impl<C: Class> Exclusive<C> {
    /// No core owns it.
    pub(crate) const fn new() -> Self {
        Self {
            class: PhantomData,
            owner: AtomicUsize::new(0),
        }
    }

    /// Waits for it, `timeout_ns` at most.
    ///
    /// # Errors
    /// The core that has it still; also this one, at once, if it has it already.
    pub(crate) fn take(&'static self, timeout_ns: u64) -> Result<Owned<C>, usize> {
        if self.owner() == Some(cpu::number()) {
            return Err(cpu::number());
        }
        // The order of locks is checked before the wait, so that a wrong one is found also when the
        // mutex is free. It is not noted yet: an interrupt's handler may take and release it
        // meanwhile.
        note::<C>().undo::<C>();
        if wait::until(timeout_ns, || self.is_free_for_me()) {
            let noted = note::<C>();
            return Ok(Owned { of: self, noted });
        }
        Err(self.owner().unwrap_or_default())
    }

    /// Takes it from its owner, without a check of the order: for reports, and when a wait timed
    /// out. The former owner goes on without it.
    pub(crate) fn seize(&'static self) -> Owned<C> {
        self.owner.store(cpu::number() + 1, Ordering::Relaxed);
        let noted = InLockOrder::No;
        Owned { of: self, noted }
    }

    /// Waits for it, `timeout_ns` at most, and [seizes](Self::seize) it then: for reports.
    pub(crate) fn take_or_seize(&'static self, timeout_ns: u64) -> Owned<C> {
        wait::until(timeout_ns, || self.is_free_for_me());
        self.seize()
    }

    /// The core that owns it, as of a moment ago: another core may release it, or seize it.
    pub(crate) fn owner(&self) -> Option<usize> {
        self.owner.load(Ordering::Relaxed).checked_sub(1)
    }

    fn is_free_for_me(&self) -> bool {
        let me = cpu::number() + 1;
        let taken = self
            .owner
            .compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok()
    }
}

/// Whether the check of the order of locks counts it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum InLockOrder {
    Yes,
    No,
}

#[track_caller]
fn note<C: Class>() -> InLockOrder {
    if !cfg!(debug_assertions) {
        return InLockOrder::No;
    }
    let _masked = masks::mask();
    note_acquired(C::CLASS);
    InLockOrder::Yes
}

impl InLockOrder {
    fn undo<C: Class>(self) {
        if self == Self::Yes {
            let _masked = masks::mask();
            note_released(C::CLASS);
        }
    }
}

/// It is this core's until this is dropped.
#[must_use]
pub(crate) struct Owned<C: Class + 'static> {
    of: &'static Exclusive<C>,
    noted: InLockOrder,
}

impl<C: Class> Drop for Owned<C> {
    fn drop(&mut self) {
        let me = cpu::number() + 1;
        // Another core may have seized it: then it is that core's.
        let _ = self
            .of
            .owner
            .compare_exchange(me, 0, Ordering::Release, Ordering::Relaxed);
        self.noted.undo::<C>();
    }
}
