//! In a process: maintenance with nobody to tell.

use ::stilt_paging::addr::VirtAddr;
use ::stilt_paging::{AddressSpace, InvalidateScope, Maintenance};

/// Stores descriptors; barriers and invalidations are nothing.
pub struct Tlb;

// SAFETY: no hardware walks these tables.
unsafe impl Maintenance for Tlb {
    #[inline(always)]
    fn order_table() {}
    #[inline(always)]
    fn publish() {}
    #[inline(always)]
    fn begin_invalidation() {}
    #[inline(always)]
    fn invalidate(_va: VirtAddr, _space: AddressSpace, _scope: InvalidateScope) {}
    #[inline(always)]
    fn invalidate_all(_space: AddressSpace) {}
    #[inline(always)]
    fn end_invalidation() {}
}
