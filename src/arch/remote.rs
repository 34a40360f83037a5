//! Cores that an invalidation does not reach by itself: a hook for a kernel with several.
//!
//! Arm broadcasts its invalidations. RISC-V, x86 and LoongArch have instructions for the executing
//! core alone; the others must be interrupted and execute theirs. How is the kernel's business:
//! it implements [`OtherCores`] and names it as the parameter of the maintenance backend.
#![forbid(unsafe_code)]

use crate::addr::VirtAddr;
use crate::paging::{AddressSpace, InvalidateScope};

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

/// How a kernel reaches its other cores.
pub trait OtherCores: Send + Sync + 'static {
    /// Asks every other core that may use the tables to execute `invalidation`, by the `execute` of
    /// the backend. What was stored before must be visible to it first. Need not wait.
    fn ask(invalidation: Invalidation);

    /// Waits until every core has done all that was asked for.
    fn wait();
}

/// There are no other cores, or none that shares the tables.
pub struct NoOthers;

impl OtherCores for NoOthers {
    #[inline(always)]
    fn ask(_: Invalidation) {}

    #[inline(always)]
    fn wait() {}
}
