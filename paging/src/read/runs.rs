//! Runs of leaves: [`Run`], and [`Runs`], an iterator over them that goes both ways.
//!
//! A run is as many leaves as continue each other in address and frame, with equal flags, software
//! bits and sizes. A kernel's 512
//! read-write pages from 0x40_0000 on, the 101st of them read-only, are three runs:
//!
//! ```text
//! 0x40_0000 - 0x46_3fff   read-write   100 pages
//! 0x46_4000 - 0x46_4fff   read-only      1 page
//! 0x46_5000 - 0x5f_ffff   read-write   411 pages
//! ```
//!
//! 1. The range is cut to whole pages of the tree, once.
//! 2. `next` finds the first leaf of what is left and goes on as long as the next one continues it;
//!    the first that does not is found again by the next call. From the front, leaves are compared
//!    undecoded: the bits of two pages of a run differ in the address alone.
//! 3. `next_back` does so from the end. Both take from one rest of the range, so that no run is
//!    returned twice.
#![forbid(unsafe_code)]

use core::fmt;
use core::iter::FusedIterator;
use core::ops::{Bound, RangeBounds};

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::node::geometry::{Span, leaf_bytes, offset_of};
use crate::node::sharing::{PrivateTop, Sharing};
use crate::read::cursor::Cursor;
use crate::{
    GenericPTE, Leaf, MappingFlags, PageSize, PagingHandler, PagingMetaData, Rights, SoftwareBits,
    TableView,
};

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> TableView<M, PTE, H> {
    /// The runs of leaves in `range`, present and inaccessible, in the order of addresses or with
    /// `rev` from the end; leaves that lie across an end of the range are cut to whole pages.
    /// Addresses outside the tree count as its nearest ones.
    pub fn iter(&self, range: impl RangeBounds<VirtAddr>) -> Runs<'_, M, PTE, H> {
        Runs::new(self, range, &PrivateTop)
    }
}

/// Neighbouring leaves that continue each other in addresses and frames, with equal flags,
/// software bits and sizes: the pages 0x40_0000..0x40_3000 on the frames from 0x9000_0000 on are one.
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
    /// The software bits of every leaf.
    pub software: SoftwareBits,
    /// The size of every leaf, whole or cut.
    pub size: PageSize,
    /// The rights of kernel and user, where they are not those that `flags` say: in a tree that
    /// others have made.
    pub rights: Option<Rights>,
}

impl Run {
    /// The last address that is mapped: a run at the end of the address space has none behind it.
    #[must_use]
    pub const fn last(&self) -> VirtAddr {
        VirtAddr::new(self.va.as_usize() + (self.bytes - 1))
    }

    /// Whether `next` begins where this run ends, in addresses and in frames, and has its flags,
    /// software bits, rights and size.
    #[must_use]
    #[inline]
    pub fn is_continued_by(&self, next: &Self) -> bool {
        self.flags == next.flags
            && self.software == next.software
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
            software,
            size,
            rights,
            ..
        } = self;
        write!(f, "{va} - {} -> {pa} {flags} {size}", self.last())?;
        if !software.is_empty() {
            write!(f, " {software}")?;
        }
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
            // Covers the start of the rest, or begins behind it.
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
                // Equal flags in other bits: the contiguous hint, say, or a bit that nobody here uses.
                Some((run, _)) if run.is_continued_by(&next) => run.bytes += next.bytes,
                // Another run: the next call finds this leaf again.
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

/// The part of the tree that `range` names, in whole pages.
///
/// A tree with two halves (x86: 0..2^47 and its mirror at the end of the address space) has a hole
/// of invalid addresses; one of them is where the half above it begins: 0x0000_9000_0000_0000
/// counts as 0xffff_8000_0000_0000, offset 2^47.
fn clamp<M: PagingMetaData>(range: &impl RangeBounds<VirtAddr>) -> Span {
    // How many offsets of the tree lie below an address. In these, every bound has a number, and
    // comparing is safe at both ends of the address space.
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
        Bound::Included(va) => {
            if M::vaddr_is_valid(*va) {
                offset_of::<M>(*va) + 1
            } else {
                below(*va)
            }
        }
    };
    // A range that is empty, or all of it in the hole.
    if end <= start {
        return Span { start, end: start };
    }
    Span {
        start: start / PAGE_SIZE * PAGE_SIZE,
        end: end.next_multiple_of(PAGE_SIZE),
    }
}

/// `leaf` as a run, as far as it lies in `part`: of the block at 0x40_0000 on frame 0x9000_0000,
/// the part 0x40_1000..0x40_3000 begins with frame 0x9000_1000.
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
        software: leaf.software(),
        size: leaf.size,
        rights: leaf.entry.odd_rights(),
    };
    (run, span)
}
