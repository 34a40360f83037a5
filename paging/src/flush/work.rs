//! [`FlushWork`]: what a receipt has to issue, where that is known without looking at what is
//! pending; and [`PageCheck`], which says when it is.
//!
//! Mapping a page ends with `dsb ishst; isb`, unmapping one with a `tlbi` between two barriers,
//! whatever else the tree has seen. An operation that takes this usual path says so in one byte,
//! its receipt is inlined where it is dropped, and the compiler leaves nothing but these
//! instructions.
#![forbid(unsafe_code)]

/// The barriers and invalidations that a receipt issues.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FlushWork {
    /// The barriers that publish a new leaf: nothing else is pending.
    Publish,
    /// The invalidation of one page in every address space: nothing else is pending.
    Page,
    /// The invalidation of one page in the tree's own address space: nothing else is pending.
    PageOfSpace,
    /// The invalidations that are pending, if there are any; nothing became valid.
    Invalidations,
    /// All that is pending, the publication of new leaves included.
    AllPending,
}

/// The check, besides that of the page's entry, before a page is unmapped on the usual path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PageCheck {
    /// Nothing: the tree has no ASID and no pins.
    None,
    /// Whether the page is global, or shared: the tree belongs to one ASID, whose invalidations
    /// would spare it.
    Global,
    /// Whether the page is pinned; the usual path leaves that to the others.
    Pins,
}
