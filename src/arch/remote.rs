//! Maintenance on cores whose instructions reach themselves alone, with a hook for a kernel with
//! several.
//!
//! Arm broadcasts its invalidations. RISC-V, x86 and LoongArch have instructions for the executing
//! core alone ([`OneCore`]); the others must be interrupted and execute theirs. How is the kernel's
//! business: it implements [`OtherCores`] and names it as the parameter of the maintenance backend.

use core::marker::PhantomData;

use crate::addr::VirtAddr;
use crate::paging::{AddressSpace, InvalidateScope, Maintenance};

/// One invalidation, for a core to execute.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Invalidation {
    /// What is cached for the leaf that covers an address.
    Leaf {
        /// The address.
        va: VirtAddr,
        /// Whose translations.
        space: AddressSpace,
        /// Leaves alone, or pointers to tables too.
        scope: InvalidateScope,
    },
    /// Everything that is cached for whoever it is.
    Everything(AddressSpace),
}

/// The instructions of an architecture, which reach the executing core alone.
///
/// # Safety
/// Each method does at least what it says: whoever frees a table or a frame relies on it.
/// [`OneCore::TO_PUBLISH`] is `None` only where walks find what [`OneCore::complete_stores`] made
/// visible.
pub unsafe trait OneCore: Send + Sync + 'static {
    /// What a core executes to be sure to find entries that were invalid. `None`: nothing.
    const TO_PUBLISH: Option<Invalidation> = None;

    /// Orders stores to tables before the stores behind it.
    fn order_stores();

    /// Makes the stores before it visible to walks and to everything behind it, as far as that is
    /// not what [`OneCore::execute`] does; by other cores, too.
    fn complete_stores();

    /// Executes `invalidation`.
    fn execute(invalidation: Invalidation);

    /// Makes instructions that were fetched by translations that are gone be fetched again.
    #[inline(always)]
    fn drop_fetched() {}
}

/// How a kernel reaches its other cores.
///
/// # Safety
/// When [`OtherCores::wait`] returns, every other core that may hold translations of the tables
/// has executed each [`Invalidation`] that was asked for before.
pub unsafe trait OtherCores: Send + Sync + 'static {
    /// Asks every other core that may use the tables to execute `invalidation`, by the `execute` of
    /// the backend. What was stored before must be visible to it first. Need not wait.
    fn ask(invalidation: Invalidation);

    /// Waits until every core has done all that was asked for.
    fn wait();
}

/// There are no other cores, or none that uses the tables: whoever names this says so.
pub struct NoOthers;

// SAFETY: there is nobody to ask. A core that is brought up later, and uses the tables, is let
// onto them by code that is unsafe and has to know.
unsafe impl OtherCores for NoOthers {
    #[inline(always)]
    fn ask(_: Invalidation) {}

    #[inline(always)]
    fn wait() {}
}

/// Maintenance of tables that this core uses, by `C`, and others that `O` reaches.
pub struct EveryCore<C, O>(PhantomData<(C, O)>);

impl<C: OneCore, O: OtherCores> EveryCore<C, O> {
    /// Executes an invalidation on this core, and asks the others to.
    #[inline(always)]
    fn execute(invalidation: Invalidation) {
        C::execute(invalidation);
        O::ask(invalidation);
    }
}

// SAFETY: what `C` does for this core, as it promises, `O` has done by the others.
unsafe impl<C: OneCore, O: OtherCores> Maintenance for EveryCore<C, O> {
    #[inline(always)]
    fn order_table() {
        C::order_stores();
    }

    #[inline(always)]
    fn publish() {
        C::complete_stores();
        if let Some(invalidation) = C::TO_PUBLISH {
            Self::execute(invalidation);
            Self::end_invalidation();
        }
    }

    #[inline(always)]
    fn begin_invalidation() {
        C::complete_stores();
    }

    #[inline(always)]
    fn invalidate(va: VirtAddr, space: AddressSpace, scope: InvalidateScope) {
        Self::execute(Invalidation::Leaf { va, space, scope });
    }

    #[inline(always)]
    fn invalidate_all(space: AddressSpace) {
        Self::execute(Invalidation::Everything(space));
    }

    #[inline(always)]
    fn end_invalidation() {
        O::wait();
        C::drop_fetched();
    }
}
