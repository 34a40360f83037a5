//! Moving through a tree: [`Cursor`], which keeps the path that it stands on, and [`Runs`], an
//! iterator over runs of leaves that goes both ways.
//!
//! # A step
//! The cursor stands on the page 0x40_3000, in the table of pages for 0x40_0000..0x60_0000, and
//! `next_leaf` is called. The next mapping is the page 0x8060_0000:
//!
//! ```text
//! offset   0x40_3000                            0x8060_0000
//! path     root / L1 / L2 / pages (level 3)     root / L1 / other L2 / other pages
//! ```
//!
//! 1. The search begins where the entry ends, at 0x40_4000: nothing there. The table has no used
//!    entry after it, so the search goes on behind the table, at 0x60_0000, without 508 looks at
//!    offsets (`first_used` reads the entries in a row).
//! 2. 0x40_3000 and 0x60_0000 differ in bit 21: the path is kept down to the table of level 2, and
//!    only what is below it is walked again.
//! 3. So on up: behind that table, at 0x4000_0000, and behind the next empty entries, at 0x8000_0000,
//!    which leads down to the leaf.
//!
//! Moving within a table, as from page to page, compares two words and reads one entry.
//!
//! # Beside a writer
//! Where others may change the tree, a table of the path may be unlinked, and freed, between two
//! steps. So each step walks from the root, and nothing is kept but the offset. Within a step the
//! tables are kept by `Sharing::walk`.
//!
//! # Runs
//! A run is as many leaves as continue each other in address, frame, flags and size. From the front
//! they are compared undecoded: the bits of two pages of a run differ in the address alone.
#![forbid(unsafe_code)]

use core::fmt;
use core::iter::FusedIterator;
use core::ops::{Bound, RangeBounds};

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::node::descent::{is_nothing, is_table};
use crate::node::geometry::{
    MAX_LEVELS, Span, check_address, entries, leaf_bytes, level_bytes, level_shift, offset_index,
    offset_of, size_of_level,
};
use crate::node::memory::Table;
use crate::node::sharing::{PrivateTop, Sharing};
use crate::{
    GenericPTE, Leaf, MappingFlags, PageSize, PagingHandler, PagingMetaData, PagingResult, Rights,
    TableView,
};

/// A place in a tree, with the tables on the way to it: moving within a table costs no walk.
///
/// Where others may change the tree, each step is a walk of its own, from the root, and between two
/// steps the cursor keeps no table alive.
pub struct Cursor<'view, M, PTE, H, S = PrivateTop> {
    /// The tables on the way to `offset`, the root first; behind `level`, what earlier steps left.
    tables: [Table<M, PTE, H>; MAX_LEVELS],
    /// The level of the last of them.
    level: usize,
    offset: usize,
    view: &'view TableView<M, PTE, H>,
    sharing: &'view S,
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> TableView<M, PTE, H> {
    /// A cursor at `va`, which need not be mapped.
    ///
    /// # Errors
    /// [`PagingError::InvalidVirtAddr`](crate::PagingError::InvalidVirtAddr).
    pub fn cursor(&self, va: VirtAddr) -> PagingResult<Cursor<'_, M, PTE, H>> {
        Cursor::new(self, va, &PrivateTop)
    }

    /// The runs of leaves in `range`, present and inaccessible, in the order of addresses or with
    /// `rev` from the end; leaves that lie across an end of the range are cut to whole pages.
    /// Addresses outside the tree count as its nearest ones.
    pub fn iter(&self, range: impl RangeBounds<VirtAddr>) -> Runs<'_, M, PTE, H> {
        Runs::new(self, range, &PrivateTop)
    }
}

/// The part of the tree that `range` names, in whole pages.
///
/// A tree with two halves (x86: 0..2^47 and its mirror at the end of the address space) has a hole
/// of invalid addresses; one of them is where the half above it begins: 0x0000_9000_0000_0000 counts
/// as 0xffff_8000_0000_0000, offset 2^47.
fn clamp<M: PagingMetaData>(range: &impl RangeBounds<VirtAddr>) -> Span {
    // How many offsets of the tree lie below an address.
    let below = |va: VirtAddr| {
        let limit = 1 << M::VA_MAX_BITS;
        if M::vaddr_is_valid(va) {
            return offset_of::<M>(va);
        }
        // Addresses grow with offsets, so the offsets below an invalid address end at a half.
        let halves = [0, limit / 2];
        let first = halves.into_iter().find(|half| M::vaddr_at(*half) > va);
        first.unwrap_or(limit)
    };
    let start = match range.start_bound() {
        Bound::Unbounded => 0,
        Bound::Included(va) => below(*va),
        Bound::Excluded(va) => va.checked_add(1).map_or(1 << M::VA_MAX_BITS, below),
    };
    let end = match range.end_bound() {
        Bound::Unbounded => 1 << M::VA_MAX_BITS,
        Bound::Excluded(va) => below(*va),
        Bound::Included(va) => match M::vaddr_is_valid(*va) {
            true => offset_of::<M>(*va) + 1,
            false => below(*va),
        },
    };
    if end <= start {
        return Span { start, end: start };
    }
    Span {
        start: start / PAGE_SIZE * PAGE_SIZE,
        end: end.next_multiple_of(PAGE_SIZE),
    }
}

impl<'view, M, PTE, H, S> Cursor<'view, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// A cursor at `va` of `view`, which is shared as `sharing` says.
    pub(crate) fn new(
        view: &'view TableView<M, PTE, H>,
        va: VirtAddr,
        sharing: &'view S,
    ) -> PagingResult<Self> {
        let mut cursor = Self::at_start(view, sharing);
        cursor.seek(va)?;
        Ok(cursor)
    }

    const fn at_start(view: &'view TableView<M, PTE, H>, sharing: &'view S) -> Self {
        Self {
            tables: [view.root(); MAX_LEVELS],
            level: 0,
            offset: 0,
            view,
            sharing,
        }
    }

    /// The address that the cursor stands on: the one it was moved to, or one in the leaf that it has
    /// found.
    #[must_use]
    pub fn va(&self) -> VirtAddr {
        M::vaddr_at(self.offset)
    }

    /// Moves to `va`, which need not be mapped.
    ///
    /// # Errors
    /// [`PagingError::InvalidVirtAddr`](crate::PagingError::InvalidVirtAddr); the cursor stays.
    pub fn seek(&mut self, va: VirtAddr) -> PagingResult {
        check_address::<M>(va)?;
        let _walk = self.sharing.walk();
        self.go(offset_of::<M>(va));
        Ok(())
    }

    /// The leaf, present or inaccessible, that covers the address that the cursor stands on; `None`
    /// if nothing is mapped there.
    #[must_use]
    pub fn leaf(&self) -> Option<Leaf<PTE>> {
        let _walk = self.sharing.walk();
        if !self.view.others_write {
            return self.leaf_here();
        }
        // The path may lead through tables that are gone: another cursor walks anew, because this one
        // is borrowed.
        let mut fresh = Self::at_start(self.view, self.sharing);
        fresh.go(self.offset);
        fresh.leaf_here()
    }

    /// The leaf that the cursor stands in, as the last step has found it.
    fn leaf_here(&self) -> Option<Leaf<PTE>> {
        let size = size_of_level::<M>(self.level)?;
        let entry = self.table().load(self.index());
        if is_nothing(entry) || is_table::<M, PTE>(entry, self.level) {
            return None;
        }
        let va = M::vaddr_at(self.entry_span().start);
        Some(Leaf { va, entry, size })
    }

    /// Moves to the first leaf behind the leaf, or the unused entry, that the cursor stands in, and
    /// returns it; `None` if there is none, and then the cursor stays.
    pub fn next_leaf(&mut self) -> Option<Leaf<PTE>> {
        let _walk = self.sharing.walk();
        let from = self.entry_span().end;
        self.find_from(from)
    }

    /// Moves to the last leaf before the leaf, or the unused entry, that the cursor stands in, and
    /// returns it; `None` if there is none, and then the cursor stays.
    pub fn previous_leaf(&mut self) -> Option<Leaf<PTE>> {
        let _walk = self.sharing.walk();
        let end = self.entry_span().start;
        self.find_before(end)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a level is below the four that the array has room for"
    )]
    const fn table(&self) -> Table<M, PTE, H> {
        self.tables[self.level]
    }

    const fn index(&self) -> usize {
        offset_index::<M>(self.offset, self.level)
    }

    const fn entry_span(&self) -> Span {
        Span::of_entry::<M>(self.offset, self.level)
    }

    /// Moves to `offset`: up to the table that holds both places, and down from there. Where others
    /// write, the tables on the way may be gone: all the way up.
    #[expect(
        clippy::indexing_slicing,
        reason = "a level is below the four that the array has room for"
    )]
    fn go(&mut self, offset: usize) {
        let differs = (self.offset ^ offset) as u64;
        if self.view.others_write {
            self.level = 0;
        }
        // The table at a level translates both offsets if they agree in all bits above what it
        // translates, which is one entry of the level above.
        while self.level > 0 && differs >> level_shift::<M>(self.level - 1) != 0 {
            self.level -= 1;
        }
        self.offset = offset;
        loop {
            let entry = self.table().load(self.index());
            if !is_table::<M, PTE>(entry, self.level) {
                return;
            }
            self.level += 1;
            self.tables[self.level] = Table::at(entry.paddr());
        }
    }

    /// Moves to the first leaf that ends behind `offset`: the one that covers it, or a later one.
    fn find_from(&mut self, mut offset: usize) -> Option<Leaf<PTE>> {
        let start = self.offset;
        while offset < 1 << M::VA_MAX_BITS {
            self.go(offset);
            let leaf = self.leaf_here();
            if leaf.is_some() {
                return leaf;
            }
            // What has no leaf now is not looked at again, whatever becomes of it meanwhile.
            let next = self.index() + 1;
            let used = self.table().first_used(next, entries::<M>() - next);
            let entries = used.map_or(entries::<M>() - next, |used| used - next);
            offset = self.entry_span().end + entries * level_bytes::<M>(self.level);
        }
        self.go(start);
        None
    }

    /// Moves to the last leaf that begins before `end`.
    fn find_before(&mut self, mut end: usize) -> Option<Leaf<PTE>> {
        let start = self.offset;
        while end > 0 {
            self.go(end - 1);
            let leaf = self.leaf_here();
            if leaf.is_some() {
                return leaf;
            }
            // On to the end of the last used entry before this one, or of the table before.
            let index = self.index();
            let bytes = level_bytes::<M>(self.level);
            let table = self.entry_span().start - index * bytes;
            end = match self.table().last_used(0, index) {
                Some(last) => table + (last + 1) * bytes,
                None => table,
            };
        }
        self.go(start);
        None
    }
}

/// Neighbouring leaves that continue each other in addresses and frames, with equal flags and sizes:
/// the pages 0x40_0000..0x40_3000 on the frames from 0x9000_0000 on are one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Run {
    /// The first address, a multiple of 4 KiB.
    pub va: VirtAddr,
    /// The first frame: that of `va`.
    pub pa: PhysAddr,
    /// Bytes in all, a multiple of 4 KiB; less than `size` where a leaf was cut.
    pub bytes: usize,
    /// The flags of every leaf; without any of [`MappingFlags::RIGHTS`], they are inaccessible.
    pub flags: MappingFlags,
    /// The size of every leaf, whole or cut.
    pub size: PageSize,
    /// What kernel and user may do, where that is not what `flags` say: in a tree that others have
    /// made.
    pub rights: Option<Rights>,
}

impl Run {
    /// The last address that is mapped: a run at the end of the address space has none behind it.
    #[must_use]
    pub const fn last(&self) -> VirtAddr {
        VirtAddr::new(self.va.as_usize() + (self.bytes - 1))
    }

    /// Whether `next` begins where this run ends, in addresses and in frames, and has its flags,
    /// rights and size.
    #[must_use]
    pub fn is_continued_by(&self, next: &Self) -> bool {
        self.flags == next.flags
            && self.rights == next.rights
            && self.size == next.size
            && self.va.checked_add(self.bytes) == Some(next.va)
            && self.pa.checked_add(self.bytes) == Some(next.pa)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            va,
            pa,
            flags,
            size,
            rights,
            ..
        } = self;
        write!(f, "{va} - {} -> {pa} {flags} {size}", self.last())?;
        match rights {
            Some(rights) => write!(f, " ({rights})"),
            None => Ok(()),
        }
    }
}

/// An iterator over the runs of leaves in a range, each as long as it can be, from both ends: see
/// [`TableView::iter`]. Beside a writer, a run is what was found while it was put together.
pub struct Runs<'view, M, PTE, H, S = PrivateTop> {
    front: Cursor<'view, M, PTE, H, S>,
    back: Cursor<'view, M, PTE, H, S>,
    /// The part of the range that was not returned yet.
    rest: Span,
}

impl<'view, M, PTE, H, S> Runs<'view, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// The runs in `range` of `view`, which is shared as `sharing` says.
    pub(crate) fn new(
        view: &'view TableView<M, PTE, H>,
        range: impl RangeBounds<VirtAddr>,
        sharing: &'view S,
    ) -> Self {
        Self {
            front: Cursor::at_start(view, sharing),
            back: Cursor::at_start(view, sharing),
            rest: clamp::<M>(&range),
        }
    }
}

/// `leaf` as a run, as far as it lies in `part`: of the block at 0x40_0000 on frame 0x9000_0000, the
/// part 0x40_1000..0x40_3000 begins with frame 0x9000_1000.
fn cut<M: PagingMetaData, PTE: GenericPTE>(leaf: &Leaf<PTE>, part: Span) -> (Run, Span) {
    let start = offset_of::<M>(leaf.va);
    let span = Span {
        start,
        end: start + leaf_bytes::<M>(leaf.size),
    }
    .clip(part);
    let run = Run {
        va: M::vaddr_at(span.start),
        pa: PhysAddr::new(leaf.paddr().as_usize() + (span.start - start)),
        bytes: span.bytes(),
        flags: leaf.flags(),
        size: leaf.size,
        rights: leaf.entry.odd_rights(),
    };
    (run, span)
}

impl<M, PTE, H, S> Iterator for Runs<'_, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let _walk = self.front.sharing.walk();
        let mut run: Option<(Run, PTE)> = None;
        while !self.rest.is_empty() {
            let leaf = self.front.find_from(self.rest.start);
            let Some(leaf) = leaf.filter(|leaf| offset_of::<M>(leaf.va) < self.rest.end) else {
                self.rest.start = self.rest.end;
                break;
            };
            // Most leaves differ from the one before in the frame alone: their flags are not
            // decoded.
            if let Some((run, entry)) = &mut run
                && self.is_like(&leaf, run, *entry)
            {
                let bytes = leaf_bytes::<M>(leaf.size);
                run.bytes += bytes;
                self.rest.start += bytes;
                continue;
            }
            let (next, span) = cut::<M, PTE>(&leaf, self.rest);
            match &mut run {
                None => run = Some((next, leaf.entry)),
                // Equal flags in other bits: the contiguous hint, say, or another's software bits.
                Some((run, _)) if run.is_continued_by(&next) => run.bytes += next.bytes,
                Some(_) => break,
            }
            self.rest.start = span.end;
        }
        run.map(|(run, _)| run)
    }
}

impl<M, PTE, H, S> Runs<'_, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
{
    /// Whether `leaf`, which is whole in the rest, continues `run` with the bits of `entry`, a leaf
    /// of it.
    fn is_like(&self, leaf: &Leaf<PTE>, run: &Run, entry: PTE) -> bool {
        let differing = leaf.entry.bits() ^ entry.bits();
        leaf.size == run.size
            && differing & !PTE::address_mask(leaf.size) == 0
            && run.va.checked_add(run.bytes) == Some(leaf.va)
            && leaf_bytes::<M>(leaf.size) <= self.rest.bytes()
            && run.pa.checked_add(run.bytes) == Some(leaf.paddr())
    }
}

impl<M, PTE, H, S> DoubleEndedIterator for Runs<'_, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    fn next_back(&mut self) -> Option<Run> {
        let _walk = self.back.sharing.walk();
        let mut run: Option<Run> = None;
        while !self.rest.is_empty() {
            let leaf = self.back.find_before(self.rest.end);
            let ends = |leaf: &Leaf<PTE>| offset_of::<M>(leaf.va) + leaf_bytes::<M>(leaf.size);
            let Some(leaf) = leaf.filter(|leaf| ends(leaf) > self.rest.start) else {
                self.rest.end = self.rest.start;
                break;
            };
            let (previous, span) = cut::<M, PTE>(&leaf, self.rest);
            match &mut run {
                None => run = Some(previous),
                Some(run) if previous.is_continued_by(run) => {
                    run.va = previous.va;
                    run.pa = previous.pa;
                    run.bytes += previous.bytes;
                }
                Some(_) => break,
            }
            self.rest.end = span.start;
        }
        run
    }
}

impl<M, PTE, H, S> FusedIterator for Runs<'_, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
}
