//! What a tree needs besides its entries: [`PagingMetaData`] (geometry, addresses),
//! [`Maintenance`] (stores, barriers, invalidations), [`PagingHandler`] (frames).

use core::sync::atomic::{AtomicU64, Ordering};

use super::Asid;
use crate::addr::{PhysAddr, VirtAddr};

/// The geometry of a tree, the meaning of an address, and the maintenance that its tables need.
///
/// The tree translates `2^VA_MAX_BITS` bytes: offset `n` of them is at
/// [`PagingMetaData::vaddr_at`]`(n)`, which for two canonical halves in one tree jumps in the
/// middle.
pub trait PagingMetaData: Send + Sync + 'static {
    /// Levels of the tree: 3 or 4. `12 + LEVELS * INDEX_BITS` is [`PagingMetaData::VA_MAX_BITS`].
    const LEVELS: usize;
    /// Bits of a virtual address that index one table.
    const INDEX_BITS: usize = 9;
    /// Bits of a physical address, at most what the format's entries have room for.
    const PA_MAX_BITS: usize;
    /// Bits of a virtual address that the tree translates.
    const VA_MAX_BITS: usize = 12 + Self::LEVELS * Self::INDEX_BITS;
    /// Whether the hardware may remember that an entry was invalid, so that making it valid needs
    /// an invalidation too. Not on Arm and x86.
    const CACHES_INVALID: bool = false;
    /// Who stores descriptors and executes barriers and invalidations.
    type Maintenance: Maintenance;

    /// Whether the tree translates `va`.
    ///
    /// By default both canonical halves: bits from `VA_MAX_BITS` up equal the highest bit below.
    #[inline]
    #[must_use]
    fn vaddr_is_valid(va: VirtAddr) -> bool {
        canonical::<Self>(va.as_usize()) == va
    }

    /// The virtual address at `offset` (below `2^VA_MAX_BITS`) from the tree's first.
    ///
    /// By default the lower half of the offsets is the lower canonical half, from address 0.
    #[inline]
    #[must_use]
    fn vaddr_at(offset: usize) -> VirtAddr {
        canonical::<Self>(offset)
    }

    /// Whether a descriptor can name `pa`.
    #[must_use]
    fn paddr_is_valid(pa: PhysAddr) -> bool {
        pa.as_usize() >> Self::PA_MAX_BITS == 0
    }
}

/// The canonical address with the low bits of `address`.
#[inline]
fn canonical<M: PagingMetaData + ?Sized>(address: usize) -> VirtAddr {
    let unused = usize::BITS as usize - M::VA_MAX_BITS;
    VirtAddr::new(((address << unused).cast_signed() >> unused).cast_unsigned())
}

/// Whose translations an invalidation must reach.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AddressSpace {
    /// Everybody's, global ones included.
    All,
    /// Those that are not global and belong to this ASID.
    Asid(Asid),
}

/// How much an invalidation by address must reach.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum InvalidateScope {
    /// Leaves only: no table was unlinked on the way to the address.
    LastLevel,
    /// Cached pointers to tables too.
    AnyLevel,
}

/// The only code that stores a descriptor, issues a barrier or an invalidation.
///
/// Invalidations reach every core that shares the tables.
pub trait Maintenance: Send + Sync + 'static {
    /// Stores a descriptor: one 64-bit single-copy-atomic store.
    #[inline(always)]
    fn store(slot: &AtomicU64, bits: u64) {
        slot.store(bits, Ordering::Relaxed);
    }

    /// Orders the stores that fill a table before the store that links it.
    fn order_table();

    /// Makes stores that turned invalid entries valid visible to walks, and to the instructions
    /// after it.
    fn publish();

    /// Makes the stores so far visible to every walker, before invalidating.
    fn begin_invalidation();

    /// Invalidates what is cached for the leaf that covers `va`.
    fn invalidate(va: VirtAddr, space: AddressSpace, scope: InvalidateScope);

    /// Invalidates everything cached for `space`, leaves and pointers to tables.
    fn invalidate_all(space: AddressSpace);

    /// Waits until the invalidations have completed on every core.
    fn end_invalidation();

    /// Runs `work`, which makes `bytes` from `start` invalid for a moment (break-before-make).
    ///
    /// A kernel whose other cores or interrupt handlers may use the range keeps them off it here;
    /// with nobody else, the work can just be done. It must be done exactly once. When it returns,
    /// what was made in the place of the old is published: whoever is let in again finds it.
    #[inline(always)]
    fn while_broken(start: VirtAddr, bytes: usize, work: impl FnOnce()) {
        let _ = (start, bytes);
        work();
    }
}

/// Where tables live.
///
/// # Safety
/// `alloc_frame` gives each frame to one owner until `dealloc_frame` takes it back: 4 KiB,
/// 4 KiB-aligned, Normal write-back memory. `phys_to_virt` gives, for every such frame and for
/// every table of a tree that a [`TableView`](super::TableView) is made for, an address at which
/// its 512 entries can be read and written as long as the frame is owned.
pub unsafe trait PagingHandler: Send + Sync + 'static {
    /// A frame with unknown contents, or `None` if there is none.
    fn alloc_frame() -> Option<PhysAddr>;
    /// Takes back a frame that [`PagingHandler::alloc_frame`] gave.
    fn dealloc_frame(pa: PhysAddr);
    /// The address at which the kernel reaches the frame at `pa`.
    fn phys_to_virt(pa: PhysAddr) -> VirtAddr;
    /// Makes all bytes of a frame that nobody else sees zero. A machine that has an instruction
    /// for it uses that.
    fn zero_frame(pa: PhysAddr) {
        super::slots::zero::<Self>(pa);
    }
}
