//! [`Mapping`] and [`Scattered`]: what a range is mapped with, and with it how many tables and which
//! leaves it takes.
//!
//! # Sizes
//! Whether entries at a level become leaves is the same for the whole range, because virtual and
//! physical address are equally far from alignment everywhere. 0x3f_f000 to 0x8000_f000: the
//! difference, modulo 2 MiB, is 0x1_0000, so no entry of level 2 in the range has both aligned, and
//! all of it becomes pages. 0x3f_f000 to 0x801f_f000: the difference is 0, and 0x40_0000 to
//! 0x8020_0000 becomes a block if `HUGE` allows it.
//!
//! # Groups
//! Of a run of entries in one table, whole aligned groups get the contiguous hint (DDI 0487
//! D8.7.1): entries 5..40 on frames 5.. from a group's alignment are filled as 5..16, the group
//! 16..32, and 32..40.
#![forbid(unsafe_code)]

use core::ops::Range;

use crate::addr::PhysAddr;
use crate::node::descent::Node;
use crate::node::frame_chain::FrameChain;
use crate::node::geometry::{Rows, Span, entries, leaf_bytes, level_bytes, size_of_level};
use crate::node::memory::Table;
use crate::{GenericPTE, MappingFlags, PageSize, PagingHandler, PagingMetaData};

bitflags::bitflags! {
    /// The leaves, besides 4 KiB pages, that a region may be mapped with where alignment and length
    /// allow it: fewer tables, and fewer TLB entries for as many bytes.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct RegionOptions: u8 {
        /// The largest leaf that alignment and length allow, everywhere.
        const HUGE = 1 << 0;
        /// The contiguous hint on every aligned group of leaves that one TLB entry can hold, in
        /// formats that have it.
        const CONTIGUOUS = 1 << 1;
    }
}

/// The leaves that a range is mapped with: their sizes, level by level, and their frames.
pub(in crate::change::region) trait Leaves {
    /// The size of the leaves at `level`, if entries there that are covered whole become leaves.
    fn leaf_size<M: PagingMetaData>(&self, level: usize) -> Option<PageSize>;

    /// Makes the entries `run` of `table` leaves of `size`, the first of them for offset `start`.
    fn fill<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
        &self,
        table: Table<M, PTE, H>,
        run: Range<usize>,
        start: usize,
        size: PageSize,
    );
}

/// A call of `map_region`. The flags are known to have an encoding, and the last frame an
/// address that a descriptor can name.
pub(in crate::change::region) struct Mapping {
    /// Where.
    pub(in crate::change::region) span: Span,
    /// The frame for the first page of it; the others follow.
    pub(in crate::change::region) pa: PhysAddr,
    pub(in crate::change::region) flags: MappingFlags,
    pub(in crate::change::region) options: RegionOptions,
    /// The first level that leaves may stand at: not in the place of a shared table.
    pub(in crate::change::region) first_level: usize,
}

impl Mapping {
    /// The frame for offset `start`: as far behind the first as the offset is.
    fn frame(&self, start: usize) -> PhysAddr {
        PhysAddr::new(self.pa.as_usize() + (start - self.span.start))
    }

    /// The leaf for the frame at `pa`, which is aligned to `size`.
    #[expect(clippy::panic, reason = "a mapping is refused before it begins")]
    fn leaf<PTE: GenericPTE>(&self, pa: PhysAddr, size: PageSize) -> PTE {
        match PTE::new_page(pa, self.flags, size) {
            Ok(leaf) => leaf,
            Err(error) => panic!("a mapping was checked, and then refused: {error}"),
        }
    }
}

impl Leaves for Mapping {
    fn leaf_size<M: PagingMetaData>(&self, level: usize) -> Option<PageSize> {
        let size = size_of_level::<M>(level)?;
        if level < self.first_level {
            return None;
        }
        if size == PageSize::Size4K {
            return Some(size);
        }
        // Blocks only where both addresses are aligned to them.
        // Every such entry is as far from alignment as the region itself: virtual minus physical
        // address, of which the low bits must be zero.
        let skew = self.pa.as_usize().wrapping_sub(self.span.start);
        let aligned = skew & (leaf_bytes::<M>(size) - 1) == 0;
        (self.options.contains(RegionOptions::HUGE) && aligned).then_some(size)
    }

    #[inline(always)]
    fn fill<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
        &self,
        table: Table<M, PTE, H>,
        run: Range<usize>,
        start: usize,
        size: PageSize,
    ) {
        fill_run(table, run, self.frame(start), size, self);
    }
}

/// A call of `map_frames`. The flags are known to have an encoding, and each frame to be one that a
/// descriptor can name.
pub(in crate::change::region) struct Scattered<'a, PTE> {
    /// Where: so many leaves as there are frames, from a multiple of their size on.
    pub(in crate::change::region) span: Span,
    pub(in crate::change::region) frames: &'a [PhysAddr],
    /// A leaf of frame 0.
    pub(in crate::change::region) leaf: PTE,
    pub(in crate::change::region) size: PageSize,
}

impl<Format: GenericPTE> Leaves for Scattered<'_, Format> {
    fn leaf_size<M: PagingMetaData>(&self, level: usize) -> Option<PageSize> {
        size_of_level::<M>(level).filter(|size| *size == self.size)
    }

    #[expect(clippy::panic, reason = "a mapping is refused before it begins")]
    fn fill<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
        &self,
        table: Table<M, PTE, H>,
        run: Range<usize>,
        start: usize,
        size: PageSize,
    ) {
        let first = (start - self.span.start) / leaf_bytes::<M>(size);
        let frames = self.frames.get(first..).unwrap_or_default();
        let mut leaf = PTE::from_bits(self.leaf.bits());
        for (index, frame) in run.zip(frames) {
            if let Err(error) = leaf.set_paddr(*frame, size) {
                panic!("a mapping was checked, and then refused: {error}");
            }
            table.store(index, leaf);
        }
    }
}

/// The tables that `part` needs at `level` and below, when the first of them, which translates from
/// `base` on, is new: itself, all below entries that `part` covers whole, and those at its ends.
pub(in crate::change::region) fn new_tables<M: PagingMetaData>(
    level: usize,
    base: usize,
    part: Span,
    mapping: &impl Leaves,
) -> usize {
    let rows = Rows::new::<M>(level, base, part);
    let whole = match mapping.leaf_size::<M>(level) {
        Some(_) => 0,
        None => rows.whole.len() * full_tables::<M>(level + 1, mapping),
    };
    let partial = rows.partial().map(|index| {
        let start = base + index * level_bytes::<M>(level);
        let part = part.clip(Span::from_start::<M>(start, level));
        new_tables::<M>(level + 1, start, part, mapping)
    });
    1 + whole + partial.sum::<usize>()
}

/// The tables that a mapping of all that a table of `level` translates needs: 1 where its entries
/// become leaves; 513 for a gigabyte of pages.
fn full_tables<M: PagingMetaData>(level: usize, mapping: &impl Leaves) -> usize {
    match mapping.leaf_size::<M>(level) {
        Some(_) => 1,
        None => 1 + entries::<M>() * full_tables::<M>(level + 1, mapping),
    }
}

/// A table of `level` from the reserve that maps `part`: its entry. Nobody sees it yet, so that its
/// entries may be stored in any order.
pub(in crate::change::region) fn build<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    level: usize,
    base: usize,
    part: Span,
    mapping: &impl Leaves,
    reserve: &mut FrameChain<M, PTE, H>,
) -> PTE {
    let frame = reserve.take();
    let node = Node::<M, PTE, H>::new(Table::at(frame), level, base);
    let rows = node.rows(part);
    // Every entry that is touched comes into use; where these are all, no other needs to be zero.
    let used = rows.touched.len();
    if used < entries::<M>() {
        H::zero_frame(frame);
    }
    // An entry that the part covers not whole, or that is too high for a leaf.
    let mut below = |index| {
        let start = node.offset(index);
        let part = part.clip(Span::from_start::<M>(start, level));
        let child = build(level + 1, start, part, mapping, reserve);
        node.table.store(index, child);
    };
    match mapping.leaf_size::<M>(level) {
        None => rows.touched.for_each(below),
        Some(size) => {
            rows.partial().for_each(&mut below);
            let start = node.offset(rows.whole.start);
            mapping.fill(node.table, rows.whole, start, size);
        }
    }
    PTE::new_table(frame).with_count(used)
}

/// Fills a run: makes the entries `run` of `table` leaves of `size`, the first of the frame at
/// `pa`, with the contiguous hint on whole groups if it is wanted.
fn fill_run<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: Table<M, PTE, H>,
    run: Range<usize>,
    pa: PhysAddr,
    size: PageSize,
    mapping: &Mapping,
) {
    if run.is_empty() {
        return;
    }
    // Apart from the rest, so that a mapping without groups does not work any out.
    if !mapping.options.contains(RegionOptions::CONTIGUOUS) {
        table.fill(run.start, run.len(), mapping.leaf(pa, size), size);
        return;
    }
    let groups = groups_in::<M, PTE>(&run, pa, size, mapping);
    if groups.is_empty() {
        table.fill(run.start, run.len(), mapping.leaf(pa, size), size);
        return;
    }
    let bytes = leaf_bytes::<M>(size);
    let frame = |index: usize| PhysAddr::new(pa.as_usize() + (index - run.start) * bytes);
    for (first, end) in [(run.start, groups.start), (groups.end, run.end)] {
        if first < end {
            table.fill(first, end - first, mapping.leaf(frame(first), size), size);
        }
    }
    let leaf = mapping.leaf::<PTE>(frame(groups.start), size);
    table.fill(groups.start, groups.len(), leaf.with_contiguous(), size);
}

/// The entries of `run` that can have the contiguous hint: whole groups, aligned in both address
/// spaces, present. Of the entries 5..40, with the frame of entry 5 at 5 pages from a group's
/// alignment, these are 16..32 (DDI 0487 D8.7.1).
fn groups_in<M: PagingMetaData, PTE: GenericPTE>(
    run: &Range<usize>,
    pa: PhysAddr,
    size: PageSize,
    mapping: &Mapping,
) -> Range<usize> {
    let Range { start: first, end } = *run;
    let wanted = PTE::CONTIGUOUS > 1
        && mapping.options.contains(RegionOptions::CONTIGUOUS)
        && mapping.flags.intersects(MappingFlags::RIGHTS)
        && size != PageSize::Size1G;
    let frame = pa.as_usize() / leaf_bytes::<M>(size);
    // The virtual start of a group and its frame are aligned to the group alike.
    let aligned = frame % PTE::CONTIGUOUS == first % PTE::CONTIGUOUS;
    let start = first.next_multiple_of(PTE::CONTIGUOUS);
    let end = end / PTE::CONTIGUOUS * PTE::CONTIGUOUS;
    if wanted && aligned && start < end {
        start..end
    } else {
        first..first
    }
}
