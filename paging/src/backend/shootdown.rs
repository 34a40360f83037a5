//! How a kernel reaches its other cores: to keep them off a range that is broken, and to invalidate
//! what their TLBs hold.
//!
//! Arm broadcasts its invalidations, so there a kernel needs the first alone ([`OtherCores`]). The
//! `invlpg` of x86, the `sfence.vma` of RISC-V and the `invtlb` of LoongArch reach the executing
//! core ([`LocalInstructions`]); the other cores must be interrupted and execute theirs, a *TLB
//! shootdown* ([`RemoteCores`], [`Shootdown`]). For a page that is unmapped on core 0:
//!
//! ```text
//! core 0                                   core 1
//! store of the invalid entry
//! complete_stores      begin_invalidation
//! execute(Leaf)        invalidate
//! ask(Leaf) --------- interrupt ---------> execute(Leaf)
//! wait <------------- acknowledgement ---- done
//! drop_fetched         end_invalidation
//! the frame is free
//! ```
#![expect(unsafe_code, reason = "unsafe traits")]

use core::marker::PhantomData;

use crate::addr::VirtAddr;
use crate::{AddressSpace, InvalidateScope, Maintenance};

/// One invalidation, for a core to execute: what is handed to the other cores in a shootdown. Small
/// enough to be put into a mailbox.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Invalidation {
    /// The cached translations of the leaf that covers one address, of whatever size the leaf is.
    Leaf {
        /// Any virtual address that the leaf translates; its last 12 bits do not count.
        va: VirtAddr,
        /// The address spaces that it reaches: one ASID's own translations, or those of all.
        space: AddressSpace,
        /// Whether leaves alone are to go, or cached pointers to tables on the way too.
        scope: InvalidateScope,
    },
    /// Everything that is cached for these address spaces, leaves and pointers to tables: one
    /// instruction where many addresses would take longer.
    Everything(AddressSpace),
}

/// The instructions of an architecture whose invalidations reach the executing core alone.
///
/// # Safety
/// Each method does at least what it says: whoever frees a table or a frame relies on it.
/// [`LocalInstructions::TO_PUBLISH`] is `None` only where walks find what
/// [`LocalInstructions::complete_stores`] made visible.
pub unsafe trait LocalInstructions: Send + Sync + 'static {
    /// The invalidation without which a core may not find an entry that was invalid, or `None`
    /// where no core remembers invalid entries.
    const TO_PUBLISH: Option<Invalidation> = None;

    /// Orders stores to tables before the stores behind it, as other cores' walkers see them:
    /// [`Maintenance::order_table`].
    fn order_stores();

    /// Makes the stores before it visible to walks, also those of other cores, as far as
    /// [`LocalInstructions::execute`] does not.
    fn complete_stores();

    /// Executes `invalidation` on this core alone, at least as far as it reaches: an architecture
    /// without an exact form takes a wider one.
    fn execute(invalidation: Invalidation);

    /// Discards instructions that this core has fetched by translations that are gone: `ibar` on
    /// LoongArch; nothing where the invalidation itself does so.
    #[inline(always)]
    fn drop_fetched() {}
}

/// How a kernel keeps its other cores off a range that is invalid for a moment (break-before-make).
///
/// # Safety
/// Between [`OtherCores::stop_machine`] and the drop of its result no other core and no interrupt
/// handler uses the range; a core that begins to use it afterwards has executed a context
/// synchronisation.
pub unsafe trait OtherCores: Send + Sync + 'static {
    /// Stops every other core, and this core's handlers, that may use the `bytes` from `start` on,
    /// until the result is dropped.
    fn stop_machine(start: VirtAddr, bytes: usize) -> impl Sized;
}

/// How a kernel has its other cores execute invalidations, where the hardware does not broadcast
/// them.
///
/// # Safety
/// When [`RemoteCores::wait`] returns, every other core that may hold translations of the tables
/// has executed each [`Invalidation`] that was asked for before.
pub unsafe trait RemoteCores: OtherCores {
    /// Asks every other core that may use the tables to execute `invalidation`, by the `execute` of
    /// the backend. The stores before it must be visible to that core first. Need not wait.
    fn ask(invalidation: Invalidation);

    /// Waits until every core has executed all that was asked for. With a limit: a core that hangs
    /// is reported by the kernel, because the frame must not be freed before.
    fn wait();
}

/// There is one core, or one that uses the tables, and no interrupt handler uses a range while it
/// is changed: whoever names this says so. The default of every backend's `Tlb` and `Native`.
pub struct Uniprocessor;

// SAFETY: there is nobody to stop. A core that is brought up later, and uses the tables, is let
// onto them by code that is unsafe and has to know.
unsafe impl OtherCores for Uniprocessor {
    #[inline(always)]
    fn stop_machine(_: VirtAddr, _: usize) -> impl Sized {}
}

// SAFETY: there is nobody to ask, as above.
unsafe impl RemoteCores for Uniprocessor {
    #[inline(always)]
    fn ask(_: Invalidation) {}

    #[inline(always)]
    fn wait() {}
}

/// Maintenance of tables that this core uses, by the instructions `C`, and others that `O` reaches:
/// the `Tlb` of x86-64, RISC-V and LoongArch. A kernel with four cores on x86-64:
///
/// ```no_run
/// # use stilt_paging::addr::VirtAddr;
/// use stilt_paging::Native;
/// use stilt_paging::backend::{Invalidation, OtherCores, RemoteCores};
/// # struct Frames;
/// # // SAFETY: never run.
/// # unsafe impl stilt_paging::PagingHandler for Frames {
/// #     fn alloc_frame() -> Option<stilt_paging::addr::PhysAddr> { None }
/// #     fn dealloc_frame(_: stilt_paging::addr::PhysAddr) {}
/// #     fn phys_to_virt(_: stilt_paging::addr::PhysAddr) -> VirtAddr { VirtAddr::new(0) }
/// # }
/// # mod ipi {
/// #     pub fn stop_others() {}
/// #     pub fn post(_: stilt_paging::backend::Invalidation) {}
/// #     pub fn wait_for_all() {}
/// # }
///
/// struct Ipi;
///
/// // SAFETY: `stop_others` returns a guard, and when it does the other cores spin in their
/// // handler.
/// unsafe impl OtherCores for Ipi {
///     fn stop_machine(_: VirtAddr, _: usize) -> impl Sized {
///         ipi::stop_others()
///     }
/// }
///
/// // SAFETY: each core's handler calls the backend's `execute` with what was posted, then
/// // acknowledges.
/// unsafe impl RemoteCores for Ipi {
///     fn ask(invalidation: Invalidation) {
///         ipi::post(invalidation);
///     }
///     fn wait() {
///         ipi::wait_for_all();
///     }
/// }
///
/// type KernelTable = Native<Frames, Ipi>;
/// # let table = KernelTable::try_new();
/// ```
pub struct Shootdown<C, O>(PhantomData<fn() -> (C, O)>);

impl<C: LocalInstructions, O: RemoteCores> Shootdown<C, O> {
    /// Executes an invalidation on this core, and asks the others to.
    #[inline(always)]
    fn execute(invalidation: Invalidation) {
        C::execute(invalidation);
        O::ask(invalidation);
    }
}

// SAFETY: what `C` does for this core, as it promises, `O` has done by the others.
unsafe impl<C: LocalInstructions, O: RemoteCores> Maintenance for Shootdown<C, O> {
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

    #[inline(always)]
    fn stop_machine(start: VirtAddr, bytes: usize) -> impl Sized {
        O::stop_machine(start, bytes)
    }
}
