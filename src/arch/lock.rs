//! The kernel's lock: a spin lock that masks this core's interrupts as long as it is held.
//!
//! So an interrupt handler may take the same locks as everybody else. Who waits for longer than any
//! holder should take, for another core or for itself, panics with lock, owner and place. Debug
//! builds also check the order in which a core takes its locks
//! ([`lock_order`](crate::arch::lock_order)).
//!
//! # Decisions
//! `spin`'s lock underneath: test-and-set with a read-only wait. Fairness would cost every
//! acquisition; these are held for microseconds, by four cores.
#![expect(unsafe_code, reason = "calls upwards, by symbol")]

use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::panic::Location;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use aarch64_cpu::registers::{MPIDR_EL1, Readable};
use spin::mutex::{SpinMutex, SpinMutexGuard};

use super::cpu;
use super::held::{note_acquired, note_let_in, note_released};
use super::masks::{self, Masked};
use super::relax::{Yield, relax};
use crate::arch::lock_classes::Class;
use crate::arch::lock_order::LockClass;
use crate::arch::waited::{LOOK_CYCLES, NS_PER_US, SLICE_NS, Waited};

unsafe extern "C" {
    /// Serves the requests that must not wait for a lock (`stop_machine`, the end of the machine),
    /// while a core spins. Returns how long a lock may be held, in nanoseconds. The room `kernel`
    /// defines it.
    safe fn kernel_poll_requests() -> u64;
    /// The time by the running core's counter, in nanoseconds; it may jump. The room `kernel`
    /// defines it, which knows what rate to believe.
    safe fn kernel_raw_ns() -> u64;
}

type Inner<'a, T> = SpinMutexGuard<'a, T, Yield>;

/// A value that one core at a time may use, behind a spin lock of the class `C`. It takes
/// exclusives, and so needs the MMU and the caches of the core on. Not recursive: the second
/// [`Lock::lock`] of a core panics as a deadlock after seconds.
pub struct Lock<T, C> {
    class: PhantomData<fn() -> C>,
    holder: Holder,
    inner: SpinMutex<T, Yield>,
}

/// The holder of a lock, for reports.
struct Holder {
    /// The holder's MPIDR_EL1, or the last holder's. Written just after the lock is taken: for a
    /// moment the last holder seems to hold it still.
    core: AtomicU64,
    /// Where the holder took it, in debug builds.
    place: AtomicPtr<Location<'static>>,
}

impl<T, C: Class> Lock<T, C> {
    /// A free lock that guards `value`. It is all zero if `value` is, and then takes no bytes of
    /// the image.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self {
            class: PhantomData,
            holder: Holder {
                core: AtomicU64::new(0),
                place: AtomicPtr::new(core::ptr::null_mut()),
            },
            inner: SpinMutex::new(value),
        }
    }

    /// Waits until the lock is free and takes it. Interrupts stay masked until it is released.
    ///
    /// # Panics
    /// If it is held for seconds, by another core or by this one, or, in debug builds, if the order
    /// of locks is violated.
    #[track_caller]
    #[inline]
    pub fn lock(&self) -> Guard<'_, T, C> {
        let masked = masks::mask();
        if cfg!(debug_assertions) {
            note_acquired(C::CLASS);
        }
        let inner = match self.inner.try_lock() {
            Some(inner) => inner,
            None => self.wait(),
        };
        self.owned(inner, Ordered(masked))
    }

    /// Takes the lock if it is free; never waits, and calls nothing. For the shortest ways: the
    /// masks are not counted but kept in the guard, which ends where it was taken, before any guard
    /// that was there and behind any that came. Debug builds refuse another order.
    #[track_caller]
    #[inline(always)]
    pub fn lock_if_free(&self) -> Option<Guard<'_, T, C, Brief>> {
        let hold = Brief(cpu::mask_briefly());
        let inner = self.inner.try_lock()?;
        if cfg!(debug_assertions) {
            note_acquired(C::CLASS);
        }
        Some(self.owned(inner, hold))
    }

    /// Takes the lock if it gets free within `attempts` looks: for reports, which wait for nobody,
    /// and so in any order.
    #[track_caller]
    pub fn try_lock(&self, attempts: usize) -> Option<Guard<'_, T, C, Unordered>> {
        let masked = masks::mask();
        let mut looks = 0..attempts;
        let inner = looks.find_map(|_| {
            let inner = self.inner.try_lock();
            if inner.is_none() {
                relax();
            }
            inner
        })?;
        Some(self.owned(inner, Unordered(masked)))
    }

    /// Whether this core holds the lock. May also be true for a moment after another core has taken
    /// it, if this core was the last holder: the holder is written just after the lock is taken.
    #[must_use]
    pub fn is_mine(&self) -> bool {
        self.inner.is_locked() && self.holder.core.load(Ordering::Relaxed) == MPIDR_EL1.get()
    }

    #[track_caller]
    #[inline(always)]
    fn owned<'a, H: Hold>(&'a self, inner: Inner<'a, T>, hold: H) -> Guard<'a, T, C, H> {
        self.holder.core.store(MPIDR_EL1.get(), Ordering::Relaxed);
        if cfg!(debug_assertions) {
            let place = core::ptr::from_ref(Location::caller());
            self.holder.place.store(place.cast_mut(), Ordering::Relaxed);
        }
        Guard {
            inner,
            _noted: LockOrderEntry {
                class: PhantomData,
                _hold: hold,
                not_send: PhantomData,
            },
        }
    }

    #[cold]
    #[track_caller]
    fn wait(&self) -> Inner<'_, T> {
        let mut wait = Wait::new(C::CLASS, &self.holder);
        loop {
            match self.inner.try_lock() {
                Some(inner) => return inner,
                None => wait.go_on(),
            }
        }
    }
}

/// A wait for a lock. The same code for all of them, whatever they guard.
struct Wait<'a> {
    class: &'static LockClass,
    holder: &'a Holder,
    waited: Waited,
}

impl<'a> Wait<'a> {
    fn new(class: &'static LockClass, holder: &'a Holder) -> Self {
        Self {
            class,
            holder,
            waited: Waited::new(SLICE_NS, NS_PER_US),
        }
    }

    /// Between two looks at the lock.
    #[inline(never)]
    #[track_caller]
    fn go_on(&mut self) {
        relax();
        let timeout_ns = kernel_poll_requests();
        if self.waited.look(kernel_raw_ns(), LOOK_CYCLES) > timeout_ns {
            self.report();
        }
    }

    #[cold]
    #[track_caller]
    fn report(&self) -> ! {
        let (class, waiting) = (self.class, cpu::number());
        let place = self.holder.place.load(Ordering::Relaxed);
        // SAFETY: what is stored there is a location of the image, or null.
        let place = unsafe { place.as_ref() };
        match (self.holder.core.load(Ordering::Relaxed), place) {
            (core, Some(place)) => panic!(
                "deadlock: core {waiting} waits for {class}, which core {} took at {place}",
                core & 0xff
            ),
            (core, None) => panic!(
                "deadlock: core {waiting} waits for {class}, which core {} holds",
                core & 0xff
            ),
        }
    }
}

/// The right to use what is locked, until it is dropped: first it is free, then interrupts come
/// back, if nothing else masks them.
pub struct Guard<'a, T, C: Class, H: Hold = Ordered> {
    inner: Inner<'a, T>,
    _noted: LockOrderEntry<C, H>,
}

impl<T, C: Class, H: Hold> Deref for Guard<'_, T, C, H> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T, C: Class, H: Hold> DerefMut for Guard<'_, T, C, H> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

/// A lock's place in the order, and the guard that keeps interrupts masked meanwhile.
struct LockOrderEntry<C: Class, H: Hold> {
    class: PhantomData<fn() -> C>,
    /// Dropped behind what `drop` below does.
    _hold: H,
    /// The masks are this core's.
    not_send: PhantomData<*const ()>,
}

impl<C: Class, H: Hold> Drop for LockOrderEntry<C, H> {
    #[inline(always)]
    fn drop(&mut self) {
        if cfg!(debug_assertions) && H::IN_ORDER {
            note_released(C::CLASS);
        }
    }
}

/// The guard that keeps interrupts masked while a lock is held: how the masks are given back when
/// the lock has been released.
pub trait Hold {
    /// Whether the lock counts in the order of locks.
    const IN_ORDER: bool;
}

/// Of a lock that counts in the order of locks, from [`Lock::lock`]. The mask counts with all
/// others of the core: of this guard and any [`Masked`], in whatever order they end, the last lets
/// interrupts in.
#[derive(Debug)]
pub struct Ordered(Masked);

impl Hold for Ordered {
    const IN_ORDER: bool = true;
}

/// Of a lock that was taken in any order, from [`Lock::try_lock`], which waits for nobody for long
/// and cannot be part of a circle. The mask counts with all others of the core.
#[derive(Debug)]
pub struct Unordered(Masked);

impl Hold for Unordered {
    const IN_ORDER: bool = false;
}

/// Of a lock that counts in the order of locks, from [`Lock::lock_if_free`]. DAIF as it was, which
/// comes back: guards must end in the reverse order in which they began.
#[derive(Debug)]
pub struct Brief(u64);

impl Hold for Brief {
    const IN_ORDER: bool = true;
}

impl Drop for Brief {
    #[inline(always)]
    fn drop(&mut self) {
        if cfg!(debug_assertions) && cpu::let_interrupts_in(self.0) {
            note_let_in();
        }
        cpu::restore_masks(self.0);
    }
}
