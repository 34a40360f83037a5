//! Mapping, unmapping and changing one leaf: what the public methods of `table` and a batch do.
//!
//! # Mapping
//! The page at 0x40_3000 to frame 0x9000_3000, in a tree of four levels:
//!
//! 1. Address, frame and flags are checked, and the new descriptor made.
//! 2. The walk ends at the unused entry 3 of the table for 0x40_0000..0x60_0000. One store maps the
//!    page, another counts it in the table's own entry. Nothing was valid there, so no TLB holds
//!    anything that must go: `dsb ishst; isb` is all that its receipt issues (DDI 0487 D8.17.1).
//! 3. If the walk ends earlier, tables are missing. They are taken from the handler and filled from
//!    the last level up, where no walker sees them; then the topmost is linked, after a barrier, by
//!    one store. If a frame is missing, those that were taken go back and nothing has changed.
//!
//! # Unmapping
//! 1. The entry is cleared and its table's count lowered.
//! 2. The invalidation of the page is pending (`flush::pending`), and the receipt issues it. The
//!    frame comes out of the receipt only then: before, another core may still write to it.
//! 3. The last leaf of a table takes the table along (`walk`).
//!
//! # Two speeds
//! The first of each is what nearly every call is: it is inlined, and leaves whatever is unusual to
//! functions that are cold. What the usual path does not need, it does not compute: an error is
//! found by looking again, a table's entry by its index. The figures are W4 and W10 of the
//! benchmark.
#![forbid(unsafe_code)]

use core::ops::Range;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::change::request::{Change, LeafChange, Request};
use crate::change::tree::Tree;
use crate::change::walk::{Walked, first_mapped, link};
use crate::entry::assert_software_bits;
use crate::flush::receipt::Removed;
use crate::flush::work::FlushWork;
use crate::node::descent::{Node, is_table};
use crate::node::geometry::{Span, check_frame, leaf_bytes, level_of_size, offset_of, table_index};
use crate::node::memory::Table;
use crate::node::sharing::Sharing;
use crate::{
    GenericPTE, MappingFlags, PageSize, PagingError, PagingHandler, PagingMetaData, PagingResult,
    SoftwareBits, TlbFlush, Unmapped,
};

/// A leaf that is to be mapped. Two words, which are handed over in registers.
#[derive(Clone, Copy)]
struct SizedLeaf<PTE> {
    entry: PTE,
    size: PageSize,
}

/// Other software bits, of one leaf.
#[derive(Clone, Copy)]
struct Mark(SoftwareBits);

impl<PTE: GenericPTE> LeafChange<PTE> for Mark {
    fn apply(self, leaf: PTE, _: PageSize) -> PTE {
        leaf.without_contiguous().with_software(self.0)
    }
}

/// Where a walk has ended in an unused entry. Two words as well.
///
/// Tables, not entries: then the walk of a mapping that needs no new table, which is nearly every
/// one, never works out the address of an entry, and reads and writes with an index instead (four
/// instructions less).
struct Gap<M, PTE, H> {
    /// The table that holds the unused entry.
    table: Table<M, PTE, H>,
    /// The table that holds the entry of `table`; the root stands for itself.
    above: Table<M, PTE, H>,
}

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Maps the leaf of `size` at `va` to the frame at `pa`, both aligned down.
    pub(crate) fn map_leaf(
        &mut self,
        va: VirtAddr,
        pa: PhysAddr,
        size: PageSize,
        flags: MappingFlags,
    ) -> PagingResult<TlbFlush<'_, M, PTE, H, S>> {
        // Every refusal goes to `why_not_mapped`, which works the error out anew: an error value
        // that is live from here on would take room in every mapping.
        let Some(leaf) = self.leaf_for(va, pa, size, flags) else {
            return Err(why_not_mapped(va, pa, flags, size, self));
        };
        let target = level_of_size::<M>(size);
        let place = self.walk_to(va, target);
        // The usual case: the tables exist, the entry is unused, no invalidation is pending. The
        // rest is out of line.
        let work = if place.level == target
            && place.entry.is_unused()
            && self.pending.nothing_to_invalidate()
        {
            place.entry_ref.store(leaf);
            self.count_one_more(&place, va);
            let at = va.align_down(leaf_bytes::<M>(size));
            self.pending.queue_new_leaf(at, size, leaf)
        } else if place.entry.is_unused() {
            let gap = Gap {
                table: place.table,
                above: place.parent.map_or(place.table, |parent| parent.table),
            };
            // A table is missing above the leaf, or an invalidation is pending.
            let leaf = SizedLeaf { entry: leaf, size };
            let work = self.map_below(va, leaf, gap, place.level);
            work.ok_or(PagingError::NoMemory)?
        } else {
            return Err(why_not_mapped(va, pa, flags, size, self));
        };
        Ok(TlbFlush::new(&mut self.pending, work))
    }

    /// The leaf of `size` for `va` and the frame at `pa`, both aligned down, if there is one.
    #[inline(always)]
    fn leaf_for(
        &self,
        va: VirtAddr,
        pa: PhysAddr,
        size: PageSize,
        flags: MappingFlags,
    ) -> Option<PTE> {
        let bytes = leaf_bytes::<M>(size);
        let pa = pa.align_down(bytes);
        let last = PhysAddr::new(pa.as_usize() | (bytes - 1));
        if !M::are_valid(va, last) || !self.may_change(va) {
            return None;
        }
        // `are_valid` has refused every address with a bit from `PA_MAX_BITS` on, so this clears
        // nothing. It shows the compiler that those bits are zero, and `new_page` does not test
        // them again.
        let pa = PhysAddr::new(pa.as_usize() & ((1 << M::PA_MAX_BITS) - 1));
        PTE::new_page(pa, flags, size).ok()
    }

    /// Stores `entry`, which is not present, for the page at `va`, where the walk has ended in an
    /// unused entry at `place`. Returns the work of its receipt.
    pub(in crate::change) fn put_invalid_page(
        &mut self,
        va: VirtAddr,
        place: &Walked<M, PTE, H>,
        entry: PTE,
    ) -> PagingResult<FlushWork> {
        if place.level + 1 == M::LEVELS {
            place.entry_ref.store(entry);
            self.count_one_more(place, va);
            return Ok(FlushWork::AllPending);
        }
        let above = place.parent.as_ref();
        let gap = Gap {
            table: place.table,
            above: above.map_or(place.table, |parent| parent.table),
        };
        let size = PageSize::Size4K;
        let leaf = SizedLeaf { entry, size };
        let work = self.map_below(va, leaf, gap, place.level);
        work.ok_or(PagingError::NoMemory)
    }

    /// Maps `leaf` at `va` where a table is missing, or an invalidation is pending. The walk ended
    /// in `gap`, at `level`. Returns the receipt's work, or `None` if there is no frame for a
    /// table.
    #[cold]
    #[inline(never)]
    fn map_below(
        &mut self,
        va: VirtAddr,
        leaf: SizedLeaf<PTE>,
        gap: Gap<M, PTE, H>,
        level: usize,
    ) -> Option<FlushWork> {
        let SizedLeaf { entry, size } = leaf;
        let target = level_of_size::<M>(size);
        let at = va.align_down(leaf_bytes::<M>(size));
        if level + 1 == target && self.pending.nothing_to_invalidate() {
            let table = table_of::<M, PTE, H>(entry, va, target)?;
            self.fill_gap(gap, level, va, table);
            self.pending.queue_link_to(at, size, entry);
        } else {
            // Several tables, or something pending that may concern these addresses.

            self.map_slowly(va, leaf, gap, level)?;
        }
        Some(self.pending.queue_new_leaf(at, size, entry))
    }

    /// Maps `leaf` at `va`, where several tables are missing, or an invalidation is pending. The
    /// walk ended in `gap`, at `level`. Returns `None` if there is no frame for a table.
    #[cold]
    #[inline(never)]
    fn map_slowly(
        &mut self,
        va: VirtAddr,
        leaf: SizedLeaf<PTE>,
        gap: Gap<M, PTE, H>,
        level: usize,
    ) -> Option<()> {
        self.pending.begin();
        let SizedLeaf { entry: leaf, size } = leaf;
        let target = level_of_size::<M>(size);
        // From the last level up: each new table holds the one before, and nobody sees any of them.
        let mut entry = leaf;
        for above in (level + 1..=target).rev() {
            let Some(table) = table_of::<M, PTE, H>(entry, va, above) else {
                free_path::<M, PTE, H>(entry, va, above + 1..target + 1);
                return None;
            };
            entry = table;
        }
        let bytes = leaf_bytes::<M>(size);
        // Leaves that this batch unmapped here may still be cached: they are invalidated before the
        // new leaf is visible.
        let at = va.align_down(bytes);
        self.pending.flush_before_making(at, bytes);
        self.fill_gap(gap, level, va, entry);
        if level < target {
            self.pending.queue_link_to(at, size, leaf);
        }
        Some(())
    }

    /// Stores `entry`, a leaf or the table above it, in `gap`, which is at `level` on the way to
    /// `va`, and counts it.
    #[inline(always)]
    fn fill_gap(&self, gap: Gap<M, PTE, H>, level: usize, va: VirtAddr, entry: PTE) {
        link(gap.table.entry_ref(table_index::<M>(va, level)), entry);
        if PTE::COUNTS && level > 0 && !self.is_shared_top(level, offset_of::<M>(va)) {
            let parent = gap.above.entry_ref(table_index::<M>(va, level - 1));
            parent.store(parent.load().counted_up());
        }
    }

    /// Unmaps the leaf that covers `va`. What nearly every unmapping is, a page of a table that
    /// stays in use, comes first: two stores, and one page pending.
    #[inline]
    pub(crate) fn unmap_leaf(&mut self, va: VirtAddr) -> PagingResult<Unmapped<'_, M, PTE, H, S>> {
        self.check_own(va)?;
        let place = self.walk_to(va, M::LEVELS - 1);
        if place.level == M::LEVELS - 1
            // valid, so that there is something to invalidate,
            && place.entry.is_present()
            // no neighbour loses the contiguous hint with it,
            && !place.entry.is_contiguous()
            // the one word of what is pending is free,
            && self.pending.nothing_to_invalidate()
            && let Some(parent) = &place.parent
            // the table keeps a leaf, so that only its count changes (a format without counts
            // says 0 and goes the long way),
            && parent.entry.count() > 1
            // and nothing is pinned, and the page is this address space's alone.
            && let Some(work) = self.pending.unmap_page_work(va, place.entry)
        {
            place.entry_ref.store(PTE::from_bits(0));
            parent.entry_ref.store(parent.entry.counted_down());
            self.pending.queue_page(va.align_down(PAGE_SIZE));
            let leaf = Removed {
                pa: place.entry.paddr(),
                flags: place.entry.flags(),
                size: PageSize::Size4K,
            };
            let receipt = TlbFlush::new(&mut self.pending, work);
            return Ok(Unmapped::new(receipt, leaf));
        }
        if place.entry.is_unused() {
            return Err(not_mapped(va));
        }
        let leaf = unmap_slowly(va, self)?;
        let receipt = TlbFlush::new(&mut self.pending, FlushWork::Invalidations);
        Ok(Unmapped::new(receipt, leaf))
    }

    /// Changes frame, flags or both of the leaf that covers `va`. Returns its size.
    ///
    /// The new descriptor is complete before anything is stored: what a format refuses, it refuses
    /// here.
    pub(crate) fn update_leaf(
        &mut self,
        va: VirtAddr,
        pa: Option<PhysAddr>,
        flags: Option<MappingFlags>,
    ) -> PagingResult<PageSize> {
        self.pending.begin();
        let (place, size) = self.find(va)?;
        let bytes = leaf_bytes::<M>(size);
        // A copy, which is stored when both changes are known to be possible: flags that have an
        // encoding beside a frame that is out of reach are an error, and change nothing.
        let mut entry = place.entry;
        let pa = pa.map(|pa| pa.align_down(bytes));
        if let Some(flags) = flags {
            entry.set_flags(flags, size)?;
        }
        if let Some(pa) = pa {
            check_frame::<M>(pa, bytes)?;
            entry.set_paddr(pa, size)?;
        }
        let va = va.align_down(bytes);
        // A group's other leaves are concerned, too, and so are pins: the regions know about both.
        if self.pins.is_empty() && !place.entry.is_contiguous() {
            self.replace(&place, va, size, entry);
        } else if entry.without_contiguous() != place.entry.without_contiguous() {
            self.change_leaf(va, size, Change::Update { pa, flags })?;
        }
        Ok(size)
    }

    /// Gives the leaf that covers `va` other software bits. Returns its size. Nothing is queued: the
    /// hardware ignores the bits, and a group that loses its hint is broken and made at once.
    pub(crate) fn mark_leaf(
        &mut self,
        va: VirtAddr,
        software: SoftwareBits,
    ) -> PagingResult<PageSize> {
        const { assert_software_bits::<PTE>() }
        self.pending.begin();
        let (place, size) = self.find(va)?;
        let entry = place.entry.with_software(software);
        if entry == place.entry {
            return Ok(size);
        }
        if entry.is_contiguous() {
            // The group's other leaves lose the hint.
            let bytes = leaf_bytes::<M>(size);
            let start = offset_of::<M>(va.align_down(bytes));
            let end = start + bytes;
            let span = Span { start, end };
            let change = Mark(software);
            self.change_one(Request { span, change })?;
        } else {
            place.entry_ref.store(entry);
        }
        Ok(size)
    }

    /// One leaf's change by way of the regions, which know about pins and contiguous groups.
    #[cold]
    fn change_leaf(&mut self, va: VirtAddr, size: PageSize, change: Change) -> PagingResult {
        let start = offset_of::<M>(va);
        let end = start + leaf_bytes::<M>(size);
        let span = Span { start, end };
        self.change_region(Request { span, change })
    }
}

/// Out of line and cold: the compiler lays the usual path out without it.
#[cold]
#[inline(never)]
const fn not_mapped(va: VirtAddr) -> PagingError {
    PagingError::NotMapped { va }
}

/// Unmaps any leaf: a block, an inaccessible one, one of a contiguous group, the last of its table.
/// The tree comes last, as in [`why_not_mapped`].
#[cold]
#[inline(never)]
fn unmap_slowly<M, PTE, H, S>(va: VirtAddr, table: &mut Tree<M, PTE, H, S>) -> PagingResult<Removed>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    table.pending.begin();
    let (place, size) = table.find(va)?;
    let leaf = Removed {
        pa: place.entry.paddr(),
        flags: place.entry.flags(),
        size,
    };
    // Of a block, any address unmaps all of it: 0x40_3000 in the one at 0x40_0000.
    let va = va.align_down(leaf_bytes::<M>(size));
    if !table.pins.is_empty() || place.entry.is_contiguous() {
        // The other leaves of the group lose the hint, and pins are asked.
        table.change_leaf(va, size, Change::Unmap)?;
    } else {
        place.entry_ref.store(PTE::from_bits(0));
        // Of an inaccessible leaf no TLB holds anything.
        if place.entry.is_present() {
            table.pending.queue_invalidation(va, size, place.entry);
        }
        table.count_one_less(&place, va);
    }
    Ok(leaf)
}

/// A new table of `level` with `entry` on the way of `va` and nothing else: what leads to it.
/// Nobody sees it yet.
#[inline(always)]
fn table_of<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    entry: PTE,
    va: VirtAddr,
    level: usize,
) -> Option<PTE> {
    let frame = H::alloc_frame()?;
    // The old contents of the frame would be 511 descriptors.
    H::zero_frame(frame);
    Table::<M, PTE, H>::at(frame).store(table_index::<M>(va, level), entry);
    Some(PTE::new_table(frame).with_count(1))
}

/// Gives back the tables of `levels` on the way of `va` that `entry` leads to. No walker saw them,
/// so nothing is invalidated.
fn free_path<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    mut entry: PTE,
    va: VirtAddr,
    levels: Range<usize>,
) {
    for level in levels {
        let frame = entry.paddr();
        entry = Table::<M, PTE, H>::at(frame).load(table_index::<M>(va, level));
        H::dealloc_frame(frame);
    }
}

/// Why no leaf of `size` can be mapped at `va` to the frame at `pa`: what is wrong with that, or
/// the first address that is mapped there.
///
/// The table comes last: a result that is returned in memory takes its place in the registers, and
/// nothing else needs to move to make room.
#[cold]
#[inline(never)]
fn why_not_mapped<M, PTE, H, S>(
    va: VirtAddr,
    pa: PhysAddr,
    flags: MappingFlags,
    size: PageSize,
    table: &Tree<M, PTE, H, S>,
) -> PagingError
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    let bytes = leaf_bytes::<M>(size);
    let pa = pa.align_down(bytes);
    let arguments = || {
        table.check_own(va.align_down(bytes))?;
        check_frame::<M>(pa, bytes)?;
        PTE::new_page(pa, flags, size)
    };
    if let Err(error) = arguments() {
        return error;
    }
    let place = table.walk_to(va, level_of_size::<M>(size));
    already_mapped::<M, PTE, H>(place.entry, place.level, va, size)
}

/// Why no leaf of `size` can be mapped at `va`, where `entry` is at `level`: the first address that
/// is mapped there. A 2 MiB block at 0x40_0000 with a page at 0x40_3000 in its way is refused with
/// 0x40_3000.
fn already_mapped<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    entry: PTE,
    level: usize,
    va: VirtAddr,
    size: PageSize,
) -> PagingError {
    let va = va.align_down(leaf_bytes::<M>(size));
    if !is_table::<M, PTE>(entry, level) {
        return PagingError::AlreadyMapped { va };
    }
    let start = offset_of::<M>(va);
    let base = Span::of_entry::<M>(start, level).start;
    let below = Node::<M, PTE, H>::new(Table::at(entry.paddr()), level + 1, base);
    match first_mapped(below) {
        Some(offset) => PagingError::AlreadyMapped {
            va: M::vaddr_at(offset),
        },
        None => PagingError::Shared { va },
    }
}
