//! Moving through a tree: [`Cursor`], which keeps the path that it stands on, and [`Runs`], an
//! iterator over runs of leaves that goes both ways.
#![forbid(unsafe_code)]

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ops::{Bound, RangeBounds};

use super::geometry::{
    Span, check_address, entries, leaf_bytes, level_bytes, level_shift, offset_index, offset_of,
    size_of_level,
};
use super::slots::Table;
use super::view::is_table;
use super::{
    GenericPTE, Leaf, MappingFlags, PageSize, PagingHandler, PagingMetaData, PagingResult,
    TableView,
};
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};

/// Levels of the deepest tree that any format has.
const MAX_LEVELS: usize = 4;

/// A place in a tree, with the tables on the way to it: moving within a table costs no walk.
pub struct Cursor<'view, M, PTE, H> {
    /// The tables on the way to `offset`, the root first.
    tables: [Table<M, PTE, H>; MAX_LEVELS],
    /// The level of the last of them.
    level: usize,
    offset: usize,
    view: PhantomData<&'view TableView<M, PTE, H>>,
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> TableView<M, PTE, H> {
    /// A cursor at `va`.
    ///
    /// # Errors
    /// [`PagingError::InvalidVirtAddr`](super::PagingError::InvalidVirtAddr).
    pub fn cursor(&self, va: VirtAddr) -> PagingResult<Cursor<'_, M, PTE, H>> {
        check_address::<M>(va)?;
        let mut cursor = Cursor::at_start(self);
        cursor.go(offset_of::<M>(va));
        Ok(cursor)
    }

    /// The runs of leaves in `range`, from both ends; leaves that lie across an end of it are
    /// cut. Addresses outside the tree count as its nearest ones.
    pub fn iter(&self, range: impl RangeBounds<VirtAddr>) -> Runs<'_, M, PTE, H> {
        Runs {
            front: Cursor::at_start(self),
            back: Cursor::at_start(self),
            rest: clamp::<M>(&range),
        }
    }
}

/// The part of the tree that `range` names.
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

impl<'view, M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Cursor<'view, M, PTE, H> {
    const fn at_start(view: &'view TableView<M, PTE, H>) -> Self {
        Self {
            tables: [view.root(); MAX_LEVELS],
            level: 0,
            offset: 0,
            view: PhantomData,
        }
    }

    /// The address that the cursor stands on.
    #[must_use]
    pub fn va(&self) -> VirtAddr {
        M::vaddr_at(self.offset)
    }

    /// Moves to `va`.
    ///
    /// # Errors
    /// [`PagingError::InvalidVirtAddr`](super::PagingError::InvalidVirtAddr); the cursor stays.
    pub fn seek(&mut self, va: VirtAddr) -> PagingResult {
        check_address::<M>(va)?;
        self.go(offset_of::<M>(va));
        Ok(())
    }

    /// The leaf, present or retained, that covers the cursor.
    #[must_use]
    pub fn leaf(&self) -> Option<Leaf<PTE>> {
        let size = size_of_level::<M>(self.level)?;
        let entry = self.table().load(self.index());
        if entry.is_unused() || is_table::<M, PTE>(entry, self.level) {
            return None;
        }
        let va = M::vaddr_at(self.entry_span().start);
        Some(Leaf { va, entry, size })
    }

    /// Moves to the first leaf that begins behind what the cursor's entry translates, and returns
    /// it. With none, the cursor stays.
    pub fn next_leaf(&mut self) -> Option<Leaf<PTE>> {
        let from = self.entry_span().end;
        self.find_from(from)
    }

    /// Moves to the last leaf that ends before what the cursor's entry translates, and returns
    /// it. With none, the cursor stays.
    pub fn previous_leaf(&mut self) -> Option<Leaf<PTE>> {
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

    /// Moves to `offset`: up to the table that holds both places, and down from there.
    #[expect(
        clippy::indexing_slicing,
        reason = "a level is below the four that the array has room for"
    )]
    fn go(&mut self, offset: usize) {
        let differs = (self.offset ^ offset) as u64;
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

    /// Moves to the first leaf that ends behind `offset`.
    fn find_from(&mut self, mut offset: usize) -> Option<Leaf<PTE>> {
        let start = self.offset;
        while offset < 1 << M::VA_MAX_BITS {
            self.go(offset);
            let leaf = self.leaf();
            if leaf.is_some() {
                return leaf;
            }
            let index = self.index();
            let next = self.table().first_used(index, entries::<M>() - index);
            let bytes = level_bytes::<M>(self.level);
            offset = match next {
                Some(next) => self.entry_span().start + (next - index) * bytes,
                None => self.entry_span().start + (entries::<M>() - index) * bytes,
            };
        }
        self.go(start);
        None
    }

    /// Moves to the last leaf that begins before `end`.
    fn find_before(&mut self, mut end: usize) -> Option<Leaf<PTE>> {
        let start = self.offset;
        while end > 0 {
            self.go(end - 1);
            let leaf = self.leaf();
            if leaf.is_some() {
                return leaf;
            }
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

/// Neighbouring leaves that continue each other: addresses, frames, flags and size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Run {
    /// The first address.
    pub va: VirtAddr,
    /// The first frame.
    pub pa: PhysAddr,
    /// Bytes in all.
    pub bytes: usize,
    /// The flags of every leaf; without any of [`MappingFlags::RIGHTS`], they are retained.
    pub flags: MappingFlags,
    /// The size of every leaf.
    pub size: PageSize,
}

impl Run {
    /// The last address.
    #[must_use]
    pub const fn last(&self) -> VirtAddr {
        VirtAddr::new(self.va.as_usize() + (self.bytes - 1))
    }

    /// Whether `next` continues this run.
    fn continues(&self, next: &Self) -> bool {
        self.flags == next.flags
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
            ..
        } = self;
        write!(f, "{va} - {} -> {pa} {flags} {size}", self.last())
    }
}

/// The runs of leaves in a range, the longest there are: see [`TableView::iter`].
pub struct Runs<'view, M, PTE, H> {
    front: Cursor<'view, M, PTE, H>,
    back: Cursor<'view, M, PTE, H>,
    /// What was not returned yet.
    rest: Span,
}

/// `leaf` as a run, as far as it lies in `part`.
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
    };
    (run, span)
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Iterator for Runs<'_, M, PTE, H> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let mut run: Option<Run> = None;
        while !self.rest.is_empty() {
            let leaf = self.front.find_from(self.rest.start);
            let Some(leaf) = leaf.filter(|leaf| offset_of::<M>(leaf.va) < self.rest.end) else {
                self.rest.start = self.rest.end;
                break;
            };
            let (next, span) = cut::<M, PTE>(&leaf, self.rest);
            match &mut run {
                None => run = Some(next),
                Some(run) if run.continues(&next) => run.bytes += next.bytes,
                Some(_) => break,
            }
            self.rest.start = span.end;
        }
        run
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> DoubleEndedIterator
    for Runs<'_, M, PTE, H>
{
    fn next_back(&mut self) -> Option<Run> {
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
                Some(run) if previous.continues(run) => {
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

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> FusedIterator for Runs<'_, M, PTE, H> {}
