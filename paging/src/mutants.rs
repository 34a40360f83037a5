//! Faults that the tests can plant in this room, one at a time, to see that each is found.
//!
//! Each is a mistake that libraries of page tables, or kernels, have made.
#![forbid(unsafe_code)]

macro_rules! mutants {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A fault.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(super) enum Mutant {
            $($(#[$doc])* $name,)*
        }

        impl Mutant {
            /// Every one.
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

mutants! {
    /// A table is linked before the stores that fill it are ordered.
    LinkedBeforeOrdered,
    /// A new table is linked with whatever was in its frame.
    TableNotCleared,
    /// An entry that became valid is not published.
    NotPublished,
    /// What was published may not have been noticed by this core itself.
    NotSynchronisedWhenPublished,
    /// Receipts pay nothing.
    NothingIsPaid,
    /// No barrier before an invalidation.
    NoBarrierBeforeInvalidation,
    /// Nobody waits for an invalidation.
    NoBarrierAfterInvalidation,
    /// An invalidation is waited for on this core only.
    BarrierOfThisCore,
    /// What was invalidated may not have been noticed by this core itself.
    NotSynchronisedWhenInvalidated,
    /// Invalidations reach this core only.
    LocalInvalidation,
    /// Invalidations of everything reach this core only.
    LocalIfEverything,
    /// The address in an invalidation is not shifted.
    OperandNotShifted,
    /// The address in an invalidation keeps its upper bits.
    OperandNotMasked,
    /// The ASID in an invalidation of a whole address space is not shifted.
    AsidNotShifted,
    /// An invalidation names another ASID.
    WrongAsid,
    /// An invalidation of one address space where a global one is due.
    AsidFormForGlobal,
    /// The same where everything is invalidated.
    AsidFormForEverything,
    /// A global leaf of a tree that has an ASID is invalidated for that ASID only.
    AsidFormForGlobalLeaf,
    /// What is in a shared table is invalidated for the writer's ASID only.
    AsidFormForSharedTables,
    /// A table that is unlinked from a shared one is invalidated for the writer's ASID only.
    AsidFormForASharedTable,
    /// Where a global leaf goes, pointers that walks to it have cached stay, and later one ASID's are
    /// invalidated.
    LeafFormForAGlobalLeaf,
    /// An invalidation of leaves only where a table is unlinked.
    LeafFormForATable,
    /// Only the first half of a 1 GiB block is invalidated.
    OneHalfOfAGibibyte,
    /// Blocks are invalidated as if they lay 4 KiB apart.
    StrideOfPages,
    /// Of what an unlinked table translates, only the first address is invalidated.
    OneAddressOfATable,
    /// The last leaf of a region is left out of what is invalidated.
    LastLeafForgotten,
    /// What does not fit into the list of what is owed is forgotten.
    FullListForgets,
    /// A protection is not invalidated.
    ProtectionForgotten,
    /// A table that held retained leaves only is not invalidated.
    TableOfRetainedForgotten,
    /// An unlinked table goes back before anything is invalidated.
    TableFreedAtOnce,
    /// Unlinked tables go back before the invalidation that is owed for them.
    FreedBeforeInvalidated,
    /// An unlinked table never goes back.
    TableLost,
    /// Leaves that a region adds to a table are not counted.
    CountForgotten,
    /// An entry is made while the one before it may still be cached.
    MadeBeforeSettled,
    /// An entry is made before the invalidation of everything, which is pending, is done.
    MadeBeforeEverything,
    /// What another core has stored is invalidated before it is complete.
    NotAdopted,
    /// Of a block that is split, only the first address is invalidated, where the absence of the
    /// others may be cached.
    SplitOwesOneAddress,
    /// A table of retained leaves is linked, and the absence of a table stays cached.
    LinkOwesNoAddress,
    /// A table is linked while a pointer to the one before it may still be cached.
    TableMeetsTable,
    /// What is broken is made anew without an invalidation.
    BrokenNotInvalidated,
    /// Another frame takes its place without a break.
    NoBreakForAnotherFrame,
    /// Another memory type takes its place without a break.
    NoBreakForAnotherType,
    /// Global takes the place of non-global without a break.
    NoBreakForGlobal,
    /// A block is replaced by a table without a break.
    NoBreakForASplit,
    /// A table is replaced by a block without a break.
    NoBreakForAMerge,
    /// Of the leaves that become a block, one is invalidated.
    OneLeafOfAMerge,
    /// The table that becomes a block goes back before it is invalidated.
    MergedTableFreedAtOnce,
    /// The leaves of a contiguous group are changed one after the other without a break.
    NoBreakForAContiguousGroup,
    /// One leaf of a contiguous group is changed and the others are not.
    PartOfAContiguousGroup,
    /// Only the first leaf of a contiguous group is invalidated.
    OneOfAContiguousGroup,
    /// Contiguous groups are not aligned.
    UnalignedContiguousGroup,
    /// A reader of shared tables walks and is not counted.
    WalkerNotCounted,
    /// A shared table goes back although readers walk.
    FreedBesideWalkers,
    /// A descriptor is stored in two steps.
    StoredInTwoSteps,
}

#[cfg(test)]
std::thread_local! {
    static PLANTED: core::cell::Cell<Option<Mutant>> = const { core::cell::Cell::new(None) };
}

/// Plants a fault in everything that this thread does from now on, or takes it out.
#[cfg(test)]
pub(super) fn plant(mutant: Option<Mutant>) {
    PLANTED.set(mutant);
}

/// Whether a fault is planted.
#[cfg(test)]
pub(super) fn planted(mutant: Mutant) -> bool {
    PLANTED.get() == Some(mutant)
}

/// Nothing is planted outside tests.
#[cfg(not(test))]
#[inline(always)]
pub(super) const fn planted(_: Mutant) -> bool {
    false
}
