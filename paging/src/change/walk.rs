//! Walking to an entry, and keeping the counts of used entries right on the way.
//!
//! # Counts
//! Where a format has room (A64 and x86: ten ignored bits), the entry that leads to a table says
//! how many of the table's entries are used. Mapping the page at 0x40_3000 where
//! 0x40_0000..0x40_3000 is mapped:
//!
//! ```text
//! level 2: [2] table 0x8000_1000, 3 used  -->  level 3: [0] [1] [2] used
//! level 2: [2] table 0x8000_1000, 4 used  -->  level 3: [0] [1] [2] [3] used
//! ```
//!
//! 1. A leaf is stored, then the entry of its table with one more.
//! 2. A leaf is cleared, then the entry of its table with one less, unless none is left:
//! 3. then the table's entry is cleared instead, the table is queued to be freed when no walker can
//!    be in it (`flush::pending`), and step 2 follows for the entry in the table above.
//!
//! Hardware ignores the count, so the second store changes no translation. A shared top-level table
//! is never unlinked and not counted: its entry stands in the root of every tree that shares it,
//! and a store to one copy would not reach the others. Formats without room look at the table
//! instead.
#![forbid(unsafe_code)]

use crate::addr::VirtAddr;
use crate::change::tree::Tree;
use crate::node::descent::{Node, is_nothing, is_table, leads_on};
use crate::node::geometry::{
    Span, check_address, entries, level_bytes, level_shift, offset_index, offset_of, size_of_level,
    table_index,
};
use crate::node::memory::{EntryRef, Table};
use crate::node::sharing::Sharing;
use crate::{
    GenericPTE, Maintenance, PageSize, PagingError, PagingHandler, PagingMetaData, PagingResult,
};

/// An entry that leads to a table.
pub(crate) struct Parent<M, PTE, H> {
    /// The table that it is in.
    pub(crate) table: Table<M, PTE, H>,
    pub(crate) entry_ref: EntryRef<M, PTE>,
    pub(crate) entry: PTE,
}

/// Where an entry stands, and where the entry of its table does. No more: this is what every
/// operation on a leaf carries in registers.
pub(crate) struct Walked<M, PTE, H> {
    pub(crate) level: usize,
    pub(crate) table: Table<M, PTE, H>,
    pub(crate) entry_ref: EntryRef<M, PTE>,
    pub(crate) entry: PTE,
    /// The entry that leads to its table, unless that is the root.
    pub(crate) parent: Option<Parent<M, PTE, H>>,
}

/// The lowest node that translates the whole of a span.
pub(crate) struct Covering<M, PTE, H> {
    pub(crate) node: Node<M, PTE, H>,
    /// The entry that leads to it, unless it is the root.
    pub(crate) parent: Option<Parent<M, PTE, H>>,
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Covering<M, PTE, H> {
    /// Whether a leaf or a contiguous group may lie across an end of `span`. A quick look at the
    /// two leaves there: most regions begin and end between leaves.
    pub(crate) fn may_need_split(&self, span: Span) -> bool {
        self.may_cut(span.start, span.start) || self.may_cut(span.end - 1, span.end)
    }

    /// Whether `end` may lie inside the leaf, or the contiguous group, that holds `offset`.
    #[inline(always)]
    fn may_cut(&self, offset: usize, end: usize) -> bool {
        let (mut table, mut level) = (self.node.table, self.node.level);
        loop {
            let entry = table.load(offset_index::<M>(offset, level));
            if !is_table::<M, PTE>(entry, level) {
                let inside = end & (level_bytes::<M>(level) - 1) != 0;
                return entry.is_contiguous() || inside && !entry.is_unused();
            }
            table = Table::at(entry.paddr());
            level += 1;
        }
    }
}

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Refuses an address that is not this tree's, or not its owner's to change.
    #[inline]
    pub(crate) fn check_own(&self, va: VirtAddr) -> PagingResult {
        check_address::<M>(va)?;
        if self.may_change(va) {
            return Ok(());
        }
        Err(PagingError::Shared { va })
    }

    /// Whether an address of this tree is its owner's to change.
    #[inline(always)]
    pub(crate) fn may_change(&self, va: VirtAddr) -> bool {
        let shared = self.sharing().shared();
        self.sharing().writes() || !shared.contains(&table_index::<M>(va, 0))
    }

    /// The span of a region that this tree may change.
    pub(crate) fn own_span(&self, va: VirtAddr, size: usize) -> PagingResult<Span> {
        let span = Span::new::<M>(va, size)?;
        let shared = self.sharing().shared();
        if self.sharing().writes() || shared.is_empty() || span.is_empty() {
            return Ok(span);
        }
        let bytes = level_bytes::<M>(0);
        let others = Span {
            start: shared.start * bytes,
            end: shared.end * bytes,
        };
        if span.is_disjoint(others) {
            return Ok(span);
        }
        Err(PagingError::Shared {
            va: M::vaddr_at(span.start.max(others.start)),
        })
    }

    /// Walks towards the entry of `va` at level `target`, as far as there are tables. Inlined, so
    /// that the levels are unrolled and what was found stays in registers.
    #[inline(always)]
    pub(crate) fn walk_to(&self, va: VirtAddr, target: usize) -> Walked<M, PTE, H> {
        let mut table = self.root();
        let mut level = 0;
        let mut parent = None;
        loop {
            let entry_ref = table.entry_ref(table_index::<M>(va, level));
            let entry = entry_ref.load();
            if level == target || !leads_on::<M, PTE>(entry, level) {
                return Walked {
                    level,
                    table,
                    entry_ref,
                    entry,
                    parent,
                };
            }
            parent = Some(Parent {
                table,
                entry_ref,
                entry,
            });
            table = Table::at(entry.paddr());
            level += 1;
        }
    }

    /// The lowest node that translates the whole of `span`, which is not empty: work on it begins
    /// there. For 0x40_1000..0x40_5000 that is the table of pages for 0x40_0000, if there is one;
    /// for 0x40_0000..0x60_0000 the table above, because the entry itself may become a block or go.
    pub(crate) fn covering(&self, span: Span) -> Covering<M, PTE, H> {
        let differs = span.start ^ (span.end - 1);
        let mut node = Node::root(self.root());
        let mut parent = None;
        // An entry that is covered whole, as a page is, can go, with all below it: the bit of its
        // size ends the walk down, too.
        while (differs | span.bytes()) >> level_shift::<M>(node.level) == 0 {
            let index = offset_index::<M>(span.start, node.level);
            let entry_ref = node.table.entry_ref(index);
            let entry = entry_ref.load();
            if !node.is_table(entry) {
                break;
            }
            let table = node.table;
            parent = Some(Parent {
                table,
                entry_ref,
                entry,
            });
            node = node.child(index, entry);
        }
        Covering { node, parent }
    }

    /// The leaf that covers `va`.
    #[inline]
    pub(crate) fn find(&self, va: VirtAddr) -> PagingResult<(Walked<M, PTE, H>, PageSize)> {
        self.check_own(va)?;
        let place = self.walk_to(va, M::LEVELS - 1);
        match size_of_level::<M>(place.level) {
            Some(size) if !is_nothing(place.entry) => Ok((place, size)),
            _ => Err(PagingError::NotMapped { va }),
        }
    }

    /// The entry at `place`, on the way to `va`, came into use.
    #[inline(always)]
    pub(crate) fn count_one_more(&self, place: &Walked<M, PTE, H>, va: VirtAddr) {
        if !PTE::COUNTS {
            return;
        }
        if let Some(parent) = &place.parent
            && !self.is_shared_top(place.level, offset_of::<M>(va))
        {
            parent.entry_ref.store(parent.entry.counted_up());
        }
    }

    /// The entry at `place`, on the way to `va`, came out of use: unlinks the table if it was the
    /// last.
    pub(crate) fn count_one_less(&mut self, place: &Walked<M, PTE, H>, va: VirtAddr) {
        if let Some(parent) = &place.parent
            && self.empties(parent, place.level, offset_of::<M>(va), 1)
        {
            self.prune(va, place.level);
        }
    }

    /// `fewer` entries of the table at `level` that `parent` leads to, and that translates
    /// `offset`, came out of use. Returns whether that leaves none, and the table is to be
    /// unlinked; otherwise its count is right again.
    pub(crate) fn empties(
        &self,
        parent: &Parent<M, PTE, H>,
        level: usize,
        offset: usize,
        fewer: usize,
    ) -> bool {
        if fewer == 0 || self.is_shared_top(level, offset) {
            return false;
        }
        if !PTE::COUNTS {
            return is_empty(Table::<M, PTE, H>::at(parent.entry.paddr()));
        }
        // The last one out leaves the count as it is: the entry itself is cleared next.
        let left = parent.entry.count() - fewer;
        if left > 0 {
            parent.entry_ref.store(parent.entry.with_count(left));
        }
        left == 0
    }

    /// Whether the table at `level` that translates `offset` is a shared top-level table, so that
    /// its entry is never touched.
    #[inline(always)]
    pub(crate) fn is_shared_top(&self, level: usize, offset: usize) -> bool {
        level == 1
            && self
                .sharing()
                .shared()
                .contains(&(offset >> level_shift::<M>(0)))
    }

    /// Unlinks the empty table at `level` on the way to `va`, and those above that get empty.
    ///
    /// The table's frame is queued, not handed to the handler: walkers may have its address cached
    /// until the invalidation has completed.
    #[cold]
    pub(crate) fn prune(&mut self, va: VirtAddr, level: usize) {
        let place = self.walk_to(va, level - 1);
        place.entry_ref.store(PTE::from_bits(0));
        let bytes = level_bytes::<M>(level - 1);
        let table = place.entry.paddr();
        self.pending.queue_table(table, va.align_down(bytes), bytes);
        self.count_one_less(&place, va);
    }
}

/// Whether no entry of the table is used.
pub(crate) fn is_empty<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: Table<M, PTE, H>,
) -> bool {
    table.first_used(0, entries::<M>()).is_none()
}

/// The first offset that is mapped at or below `node`.
pub(crate) fn first_mapped<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    node: Node<M, PTE, H>,
) -> Option<usize> {
    let index = node.table.first_used(0, entries::<M>())?;
    let entry = node.table.load(index);
    if node.is_table(entry) {
        return first_mapped(node.child(index, entry));
    }
    Some(node.offset(index))
}

/// Links a table that is complete, down to its leaves.
///
/// A walker that finds the link must find the entries behind it: without the order, another core's
/// walk could read what the frame held before, and cache it.
pub(crate) fn link<M: PagingMetaData, PTE: GenericPTE>(entry_ref: EntryRef<M, PTE>, entry: PTE) {
    M::Maintenance::order_table();
    entry_ref.store(entry);
}
