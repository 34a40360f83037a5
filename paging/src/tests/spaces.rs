//! ASIDs of trees that no hardware translates by, and allocators for cores that are arrays.

use crate::{Asid, AsidAllocator, GenericPTE, PageTable64, PagingHandler, PagingMetaData, Sharing};

/// Says under which ASID the machine of a test uses the tree.
pub(super) fn set_asid<M, PTE, H, S>(table: &mut PageTable64<M, PTE, H, S>, asid: Option<Asid>)
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    // SAFETY: no hardware translates by the tree. What a test's machine has cached under another
    // ASID leads to frames that are never freed.
    unsafe { table.set_asid(asid) };
}

/// The ASIDs of a test's machine.
pub(super) fn allocator<const CORES: usize>(bits: u32) -> Option<AsidAllocator<CORES>> {
    // SAFETY: the cores are an array of the test's own, which has no other.
    unsafe { AsidAllocator::new(bits) }
}
