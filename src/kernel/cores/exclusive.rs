//! What one core at a time has, for longer than a lock may be held, and with its interrupts as they
//! are.
//!
//! Such a thing has a rank below every lock: who has it may take locks, and who holds a lock may
//! not wait for it. An interrupt handler may find that its own core has it.
#![forbid(unsafe_code)]

use core::marker::PhantomData;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::arch::held::{note_acquired, note_released};
use crate::arch::lock_classes::Class;
use crate::arch::{cpu, masks};
use crate::kernel::time::wait;

/// The word that says whose it is.
pub(crate) struct Exclusive<C> {
    class: PhantomData<fn() -> C>,
    /// The core that has it, plus one; 0 if none does.
    owner: AtomicUsize,
}

impl<C: Class> Exclusive<C> {
    /// Nobody's.
    pub(crate) const fn new() -> Self {
        Self {
            class: PhantomData,
            owner: AtomicUsize::new(0),
        }
    }

    /// Waits for it, `patience_ns` at most.
    ///
    /// # Errors
    /// The core that has it still; also this one, at once, if it has it already.
    pub(crate) fn take(&'static self, patience_ns: u64) -> Result<Owned<C>, usize> {
        if self.owner() == Some(cpu::number()) {
            return Err(cpu::number());
        }
        // Asked before the wait: what must not be waited for is found also when it is free. Not
        // noted yet: an interrupt that comes in the wait may take it, and gives it back.
        note::<C>().undo::<C>();
        if wait::until(patience_ns, || self.is_free_for_me()) {
            let noted = note::<C>();
            return Ok(Owned { of: self, noted });
        }
        Err(self.owner().unwrap_or_default())
    }

    /// Takes it whoever has it, and out of every order: for reports, and when patience has run out.
    /// Who had it goes on without.
    pub(crate) fn seize(&'static self) -> Owned<C> {
        self.owner.store(cpu::number() + 1, Ordering::Relaxed);
        let noted = Noted::No;
        Owned { of: self, noted }
    }

    /// For reports: as [`Exclusive::take`], out of every order.
    pub(crate) fn take_or_seize(&'static self, patience_ns: u64) -> Owned<C> {
        wait::until(patience_ns, || self.is_free_for_me());
        self.seize()
    }

    /// Who has it.
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

/// Whether the order of locks knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Noted {
    Yes,
    No,
}

#[track_caller]
fn note<C: Class>() -> Noted {
    if !cfg!(debug_assertions) {
        return Noted::No;
    }
    let _masked = masks::mask();
    note_acquired(C::CLASS);
    Noted::Yes
}

impl Noted {
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
    noted: Noted,
}

impl<C: Class> Drop for Owned<C> {
    fn drop(&mut self) {
        let me = cpu::number() + 1;
        // Somebody may have lost patience and seized it: then it is theirs.
        let _ = self
            .of
            .owner
            .compare_exchange(me, 0, Ordering::Release, Ordering::Relaxed);
        self.noted.undo::<C>();
    }
}
