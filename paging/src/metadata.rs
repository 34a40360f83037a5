//! The three traits of a tree besides its entries: [`PagingMetaData`] (geometry, addresses),
//! [`Maintenance`] (stores, barriers, invalidations), [`PagingHandler`] (frames).
//!
//! The calls of a [`Maintenance`], for the 2 MiB block at 0x4000_0000 whose page at 0x4000_3000
//! becomes read-only, on AArch64:
//!
//! ```text
//! store(..), 512 times                     a new table, which nothing leads to yet
//! stop_machine(0x4000_0000, 0x20_0000)     other cores are kept off the block
//! store(entry, broken)                     the block is invalid in memory,
//! begin_invalidation()                     dsb ishst   and for every walker;
//! invalidate(0x4000_0000, All, AnyLevel)   tlbi vaae1is, #0x40000
//! end_invalidation_of_broken()             dsb ish     no core holds the block any more;
//! order_table()                            dmb ishst   the table is filled before it is linked
//! store(entry, table)
//! publish()                                dsb ishst; isb
//! (what stop_machine returned is dropped)  the others go on, and find the pages
//! ```
#![expect(unsafe_code, reason = "unsafe traits")]

use core::sync::atomic::{AtomicU64, Ordering, fence};

use crate::Asid;
use crate::addr::{PhysAddr, VirtAddr};

/// The geometry of a tree, the meaning of an address, and the maintenance that its tables need.
///
/// The tree translates `2^VA_MAX_BITS` bytes: offset `n` of them is at
/// [`PagingMetaData::vaddr_at`]`(n)`, which for two canonical halves in one tree jumps in the
/// middle.
///
/// # Safety
/// Memory for tables, invalidations and the time of freeing follow from the constants and functions
/// of this trait. The constants are those of the tree that the hardware walks, within the limits
/// that each names; [`PagingMetaData::CACHES_INVALID`] is false only where no walker remembers that
/// an entry was invalid. [`PagingMetaData::vaddr_at`] gives each offset an address of its own that
/// [`PagingMetaData::vaddr_is_valid`] accepts, with the offset in its low
/// [`PagingMetaData::VA_MAX_BITS`] bits; nothing else is accepted.
/// [`PagingMetaData::paddr_is_valid`] accepts no bit from [`PagingMetaData::PA_MAX_BITS`] on. All
/// of it depends on the arguments alone.
///
/// A tree that the code here could not walk does not compile where it is used. This one does:
///
/// ```
/// # use stilt_paging::addr::{PhysAddr, VirtAddr};
/// # use stilt_paging::format::x86_64::X64PTE;
/// # use stilt_paging::{AddressSpace, InvalidateScope, Maintenance, PageTable64};
/// # use stilt_paging::{PagingHandler, PagingMetaData};
/// # struct Nobody;
/// # // SAFETY: nothing walks these tables.
/// # unsafe impl Maintenance for Nobody {
/// #     fn order_table() {}
/// #     fn publish() {}
/// #     fn begin_invalidation() {}
/// #     fn invalidate(_: VirtAddr, _: AddressSpace, _: InvalidateScope) {}
/// #     fn invalidate_all(_: AddressSpace) {}
/// #     fn end_invalidation() {}
/// # }
/// # struct NoFrames;
/// # // SAFETY: there is no frame.
/// # unsafe impl PagingHandler for NoFrames {
/// #     fn alloc_frame() -> Option<PhysAddr> { None }
/// #     fn dealloc_frame(_: PhysAddr) {}
/// #     fn phys_to_virt(pa: PhysAddr) -> VirtAddr { VirtAddr::new(pa.as_usize()) }
/// # }
/// struct Tree;
/// // SAFETY: nothing walks it.
/// unsafe impl PagingMetaData for Tree {
///     const LEVELS: usize = 4;
///     const PA_MAX_BITS: usize = 48;
///     type Maintenance = Nobody;
/// }
/// let table = PageTable64::<Tree, X64PTE, NoFrames>::try_new();
/// # assert!(table.is_err());
/// ```
///
/// and this does not:
///
/// ```compile_fail,E0080
/// # use stilt_paging::addr::{PhysAddr, VirtAddr};
/// # use stilt_paging::format::x86_64::X64PTE;
/// # use stilt_paging::{AddressSpace, InvalidateScope, Maintenance, PageTable64};
/// # use stilt_paging::{PagingHandler, PagingMetaData};
/// # struct Nobody;
/// # // SAFETY: nothing walks these tables.
/// # unsafe impl Maintenance for Nobody {
/// #     fn order_table() {}
/// #     fn publish() {}
/// #     fn begin_invalidation() {}
/// #     fn invalidate(_: VirtAddr, _: AddressSpace, _: InvalidateScope) {}
/// #     fn invalidate_all(_: AddressSpace) {}
/// #     fn end_invalidation() {}
/// # }
/// # struct NoFrames;
/// # // SAFETY: there is no frame.
/// # unsafe impl PagingHandler for NoFrames {
/// #     fn alloc_frame() -> Option<PhysAddr> { None }
/// #     fn dealloc_frame(_: PhysAddr) {}
/// #     fn phys_to_virt(pa: PhysAddr) -> VirtAddr { VirtAddr::new(pa.as_usize()) }
/// # }
/// struct Tree;
/// // SAFETY: nothing walks it.
/// unsafe impl PagingMetaData for Tree {
///     const LEVELS: usize = 5;
///     const PA_MAX_BITS: usize = 48;
///     type Maintenance = Nobody;
/// }
/// let table = PageTable64::<Tree, X64PTE, NoFrames>::try_new();
/// # assert!(table.is_err());
/// ```
pub unsafe trait PagingMetaData: Send + Sync + 'static {
    /// Levels of the tree: 3 (Sv39) or 4. `12 + LEVELS * INDEX_BITS` is
    /// [`PagingMetaData::VA_MAX_BITS`]; the root is level 0.
    const LEVELS: usize;
    /// Bits of a virtual address that index one table, 1 to 9: 9 in every format here, which makes
    /// 512 entries of 8 bytes.
    const INDEX_BITS: usize = 9;
    /// Bits of a physical address, 13 to 63 and at most what the format's entries have room for.
    /// A CPU may implement fewer: 40 bits on a Cortex-A53, of the 48 in an entry.
    const PA_MAX_BITS: usize;
    /// Bits of a virtual address that the tree translates: 39 or 48. No other value than the one
    /// that follows from levels and index bits compiles.
    const VA_MAX_BITS: usize = 12 + Self::LEVELS * Self::INDEX_BITS;
    /// Whether the hardware may remember that an entry was invalid, so that making it valid needs
    /// an invalidation too. Not on Arm and x86.
    const CACHES_INVALID: bool = false;
    /// The code that stores entries and executes barriers and invalidations: a backend, or a
    /// recorder in a test.
    type Maintenance: Maintenance;

    /// Whether the tree translates `va`; of any other address, operations return
    /// [`PagingError::InvalidVirtAddr`](crate::PagingError::InvalidVirtAddr).
    ///
    /// By default both canonical halves: bits from `VA_MAX_BITS` up equal the highest bit below.
    #[inline]
    #[must_use]
    fn vaddr_is_valid(va: VirtAddr) -> bool {
        canonical::<Self>(va.as_usize()) == va
    }

    /// The virtual address at `offset`, in bytes (below `2^VA_MAX_BITS`), from the tree's first.
    ///
    /// By default the lower half of the offsets is the lower canonical half, from address 0: with
    /// 39 bits, offset 0x3f_ffff_f000 is that address, and 0x40_0000_0000 is at
    /// 0xffff_ffc0_0000_0000.
    #[inline]
    #[must_use]
    fn vaddr_at(offset: usize) -> VirtAddr {
        canonical::<Self>(offset)
    }

    /// Whether an entry can name `pa`: by default, whether it has no bit from
    /// [`PagingMetaData::PA_MAX_BITS`] on.
    #[must_use]
    fn paddr_is_valid(pa: PhysAddr) -> bool {
        pa.as_usize() >> Self::PA_MAX_BITS == 0
    }

    /// Whether both are valid: asked for every page that is mapped. An architecture may have one
    /// test for both, with the same answer.
    #[inline(always)]
    #[must_use]
    fn are_valid(va: VirtAddr, pa: PhysAddr) -> bool {
        Self::vaddr_is_valid(va) && Self::paddr_is_valid(pa)
    }
}

/// The canonical address with the low bits of `address`.
#[inline]
fn canonical<M: PagingMetaData + ?Sized>(address: usize) -> VirtAddr {
    let unused = usize::BITS as usize - M::VA_MAX_BITS;
    VirtAddr::new(((address << unused).cast_signed() >> unused).cast_unsigned())
}

/// The address spaces whose translations an invalidation must reach: an operand of `TLBI`,
/// `invpcid`, `sfence.vma` and `invtlb`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum AddressSpace {
    /// Every address space, global translations included: what a change of the kernel's own, or of
    /// shared tables, needs.
    All,
    /// The space with this ASID: its translations that are not global, and no others. Other
    /// processes keep theirs.
    Asid(Asid),
}

/// How deep an invalidation by address must reach: Arm's choice between `vale1is` and `vae1is` (DDI
/// 0487 C5.5).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum InvalidateScope {
    /// Leaves only: no table was unlinked on the way to the address, so cached pointers to tables
    /// are as good as before.
    LastLevel,
    /// Leaves and cached pointers to tables (walk caches, paging-structure caches): a table was
    /// unlinked, or takes the place of a block.
    AnyLevel,
}

/// The only code that stores an entry, issues a barrier or an invalidation: one type for each
/// machine, without values.
///
/// Invalidations reach every core that shares the tables. [`backend`](crate::backend) has one for
/// each architecture; a test brings one that records.
///
/// # Safety
/// When a table or a frame is given to its next owner, no walker finds the old way to it: that
/// rests on each method here having done what it says when it returns. A machine on which nothing
/// walks the tables, as in a test, has nothing to do.
///
/// Safe code cannot promise that:
///
/// ```compile_fail,E0200
/// # use stilt_paging::addr::VirtAddr;
/// # use stilt_paging::{AddressSpace, InvalidateScope, Maintenance};
/// struct Nothing;
/// impl Maintenance for Nothing {
///     fn order_table() {}
///     fn publish() {}
///     fn begin_invalidation() {}
///     fn invalidate(_: VirtAddr, _: AddressSpace, _: InvalidateScope) {}
///     fn invalidate_all(_: AddressSpace) {}
///     fn end_invalidation() {}
/// }
/// ```
pub unsafe trait Maintenance: Send + Sync + 'static {
    /// Stores `bits` to `entry`: one 64-bit single-copy-atomic store, which a hardware walker may
    /// see at once or not before the next barrier.
    #[inline(always)]
    fn store(entry: &AtomicU64, bits: u64) {
        entry.store(bits, Ordering::Relaxed);
    }

    /// Told of `count` stores that [`Maintenance::store`] made, behind them, for a machine that
    /// counts what a change costs. By default nobody does.
    #[inline(always)]
    fn count_stores(count: usize) {
        let _ = count;
    }

    /// Orders the stores that fill a table before the store that links it, and those that fill a
    /// frame before the leaf that maps it
    /// ([`PageTable64::order_contents`](crate::PageTable64::order_contents)): `dmb ishst`, `fence
    /// w, w`, a release fence.
    fn order_table();

    /// Makes stores that turned invalid entries valid visible to walks, and to this core's
    /// instructions after it: `dsb ishst; isb`.
    ///
    /// Another core that goes on without a context synchronisation (an `isb`, an exception) may
    /// meet the translation that it began before, and fault once although it has seen, by a lock
    /// say, that the page is mapped: Arm without FEAT_ETS2, as on a Cortex-A53. Its fault handler
    /// looks again (walks, or asks `AT`) before it believes.
    fn publish();

    /// Makes stores of other cores that this core knows of, because it was handed the table, as
    /// complete as its own: called before what may be older than the operation is invalidated.
    ///
    /// `begin_invalidation` and `publish` may look at the stores of their own core alone: `dsb
    /// ishst` does. Without this, a walk could still find what another core has overwritten, after
    /// this one's invalidation.
    #[inline(always)]
    fn adopt() {
        fence(Ordering::SeqCst);
    }

    /// Makes the stores so far visible to every walker, before invalidations: a walk that begins
    /// after one must not find the old entry again. `dsb ishst`.
    fn begin_invalidation();

    /// Invalidates what every core has cached for the leaf that covers `va`, in `space`; need not
    /// have completed when it returns. `tlbi vale1is` and its relatives, `invlpg`, `sfence.vma`.
    fn invalidate(va: VirtAddr, space: AddressSpace, scope: InvalidateScope);

    /// Invalidates everything that every core has cached for `space`, leaves and pointers to
    /// tables; need not have completed when it returns. `tlbi vmalle1is` or `aside1is`.
    fn invalidate_all(space: AddressSpace);

    /// Waits until the invalidations have completed on every core, and makes this core's later
    /// instructions notice: `dsb ish; isb`. Afterwards a frame can have its next owner.
    fn end_invalidation();

    /// Waits until the invalidations have completed on every core, after entries were broken and
    /// before they are made anew: `dsb ish` alone.
    ///
    /// No instruction of this core is to notice before they are made: what it does in between are
    /// stores to the tables, and those are ordered by the waiting alone.
    #[inline(always)]
    fn end_invalidation_of_broken() {
        Self::end_invalidation();
    }

    /// Keeps others off `bytes` from `start` on, which are invalid for a moment
    /// (break-before-make), until what this returns is dropped.
    ///
    /// A kernel whose other cores or interrupt handlers may use the range stops them here. With
    /// nobody else there is nothing to do. When they are let in again, what was made in the place
    /// of the old has been published: they find it.
    #[inline(always)]
    fn stop_machine(start: VirtAddr, bytes: usize) -> impl Sized {
        let _ = (start, bytes);
    }
}

/// Does `work`, which makes `bytes` from `start` invalid for a moment, with others kept off.
///
/// The work is done here, not by the implementor, which cannot leave it out or do it twice.
#[inline(always)]
pub(super) fn while_broken<M: PagingMetaData>(start: VirtAddr, bytes: usize, work: impl FnOnce()) {
    let _held = M::Maintenance::stop_machine(start, bytes);
    work();
}

/// The memory of tables: frames of 4 KiB, and the addresses at which the kernel reaches them. One
/// type for each allocator, without values; README's first example has one in fifteen lines.
///
/// # Safety
/// `alloc_frame` gives each frame to one owner until `dealloc_frame` takes it back: 4 KiB,
/// 4 KiB-aligned, Normal write-back memory. `phys_to_virt` gives, for every such frame and for
/// every table of a tree that a [`TableView`](crate::TableView) is made for, an address at which
/// its 512 entries can be read and written as long as the frame is owned.
///
/// `phys_to_virt` and `zero_frame` do not panic: they are called in the middle of a change. Where
/// `alloc_frame` or `dealloc_frame` panics, the tree is whole, and the operation is done or not
/// begun; frames that it had in hand are lost.
pub unsafe trait PagingHandler: Send + Sync + 'static {
    /// Takes a frame of 4 KiB with unknown contents, or `None` if there is none: the operation then
    /// ends with [`PagingError::NoMemory`](crate::PagingError::NoMemory) and has changed nothing.
    fn alloc_frame() -> Option<PhysAddr>;
    /// Takes back a frame that [`PagingHandler::alloc_frame`] gave: no walker of any core can come
    /// to it any more.
    fn dealloc_frame(pa: PhysAddr);
    /// The virtual address at which the kernel reads and writes the frame at `pa`: physical plus a
    /// constant in a kernel with a linear map. Called at each level of each walk, so it is short.
    fn phys_to_virt(pa: PhysAddr) -> VirtAddr;
    /// Makes all 4096 bytes of a frame that nobody else sees zero. By default 512 stores; a machine
    /// that has an instruction for it uses that (`dc zva`: 64 instead).
    fn zero_frame(pa: PhysAddr) {
        crate::frame::zero(Self::phys_to_virt(pa));
    }
}
