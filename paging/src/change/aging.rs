//! Which leaves of a region were used since the last time: their accessed flags are read and
//! cleared, for a pager that looks for pages to give up. Linux: `ptep_test_and_clear_young`, page
//! aging.
//!
//! # The scenario
//! 0x40_0000..0x40_4000 are four pages; the first and the third were used:
//!
//! 1. *Report.* The caller's function is shown the four leaves, as they are.
//! 2. *Clear.* The two lose the flag, by one store each; the others are not touched. Two addresses
//!    are queued: as long as a TLB holds a page, no access to it walks, faults or sets the flag.
//! 3. The receipt issues one batch for the region. The next use of the page sets the flag again, by
//!    hardware (x86, RISC-V with Svadu), or faults, and the handler sets it (`protect`).
//!
//! # Contiguous groups
//! One TLB entry may hold all 16 leaves, and a group that is not uniform must never be visible (DDI
//! 0487 D8.7.1). So the flag is a group's, as it is a block's: all of it is reported, broken, and
//! made anew, up to 32 groups with one break.
//!
//! # Decisions
//! * Plain stores, although hardware may write the entry at the same time. Of a leaf that is made
//!   here it sets the accessed flag and nothing else (the dirty flag goes with `WRITE` and is set
//!   from the start), and only a leaf is stored to in which that flag is set already.
//! * A block or a group across an end of the region counts as a whole, and is not split: whether it
//!   was used is not known of a part.
#![forbid(unsafe_code)]

use core::ops::Range;

use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::change::group::{AT_ONCE, Group, Groups};
use crate::change::request::{LeafChange, Request};
use crate::change::tree::Tree;
use crate::node::descent::Node;
use crate::node::geometry::{Span, leaf_bytes, size_of_level};
use crate::node::sharing::Sharing;
use crate::{
    GenericPTE, Leaf, MappingFlags, PageSize, PagingHandler, PagingMetaData, PagingResult,
};

/// The accessed flag of what is present goes.
#[derive(Clone, Copy)]
struct ClearAccessed;

impl<PTE: GenericPTE> LeafChange<PTE> for ClearAccessed {
    fn apply(self, leaf: PTE, size: PageSize) -> PTE {
        let leaf = leaf.without_contiguous();
        aged(leaf, size).unwrap_or(leaf)
    }
}

/// `leaf` without its accessed flag; `None` if it is not present, or has none to lose.
fn aged<PTE: GenericPTE>(leaf: PTE, size: PageSize) -> Option<PTE> {
    let flags = leaf.flags();
    if !leaf.is_present() || !flags.contains(MappingFlags::ACCESSED) {
        return None;
    }
    let mut aged = leaf;
    let flags = flags.difference(MappingFlags::ACCESSED);
    aged.set_flags(flags, size).ok().map(|()| aged)
}

/// A walk over a region: the function, and the groups that are to be made anew.
struct Aging<'a, M, PTE, H, F> {
    function: &'a mut F,
    groups: Groups<M, PTE, H>,
    found: usize,
}

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Shows `function` every present leaf in `size` bytes from `va` on, and takes the accessed flag
    /// from those that have it.
    pub(crate) fn age_pages(
        &mut self,
        va: VirtAddr,
        size: usize,
        function: &mut impl FnMut(Leaf<PTE>),
    ) -> PagingResult {
        let span = self.own_span(va, size)?;
        self.pending.pages = 0;
        self.pending.begin();
        if span.is_empty() {
            return Ok(());
        }
        let span = self.widened(span);
        if !self.pins.is_empty() {
            let change = ClearAccessed;
            self.check_pins(Request { span, change })?;
        }
        let mut aging = Aging {
            function,
            groups: [const { None }; AT_ONCE],
            found: 0,
        };
        self.age(Node::root(self.root()), span, &mut aging);
        self.make_at_once(&aging.groups);
        Ok(())
    }

    /// `span`, with the blocks and groups that lie across its ends as a whole.
    fn widened(&self, span: Span) -> Span {
        let whole = |offset: usize| {
            let place = self.walk_to(M::vaddr_at(offset), M::LEVELS - 1);
            let leaf = size_of_level::<M>(place.level).filter(|_| !place.entry.is_unused());
            let bytes = leaf.map_or(PAGE_SIZE, leaf_bytes::<M>);
            let count = if place.entry.is_contiguous() {
                PTE::CONTIGUOUS
            } else {
                1
            };
            let start = offset / (bytes * count) * (bytes * count);
            (start, start + bytes * count)
        };
        Span {
            start: whole(span.start).0,
            end: whole(span.end - 1).1,
        }
    }

    /// Ages every leaf of `part`, which lies in `node`.
    fn age<F: FnMut(Leaf<PTE>)>(
        &mut self,
        node: Node<M, PTE, H>,
        part: Span,
        aging: &mut Aging<'_, M, PTE, H, F>,
    ) {
        let mut rest = node.rows(part).touched;
        while let Some((index, entry)) = node.table.next_used(rest.clone()) {
            rest.start = index + 1;
            if node.is_table(entry) {
                let part = part.clip(node.entry_span(index));
                self.age(node.child(index, entry), part, aging);
            } else if let Some(size) = node.leaf_size() {
                rest.start = index + self.age_run(node, index..rest.end, (entry, size), aging);
            }
        }
    }

    /// Ages the leaf of a size at the first of `indices`, and those of the others that follow it and
    /// are alike. Returns how many that were.
    fn age_run<F: FnMut(Leaf<PTE>)>(
        &mut self,
        node: Node<M, PTE, H>,
        indices: Range<usize>,
        (entry, size): (PTE, PageSize),
        aging: &mut Aging<'_, M, PTE, H, F>,
    ) -> usize {
        let (first, table) = (indices.start, node.table);
        let mut count = table.alike(first, indices.len(), size, entry);
        if entry.is_contiguous() {
            count = PTE::CONTIGUOUS;
        }
        if !entry.is_present() {
            return count;
        }
        let bytes = leaf_bytes::<M>(size);
        let address = PTE::address_mask(size);
        let mut va = node.va(first).as_usize();
        for index in first..first + count {
            // The run decides whether the leaf is cleared: a flag that the hardware sets from here on
            // is reported by the next walk.
            let bits = entry.bits() & !address | table.load(index).bits() & address;
            let entry = PTE::from_bits(bits);
            let at = VirtAddr::new(va);
            (aging.function)(Leaf {
                va: at,
                entry,
                size,
            });
            va = va.wrapping_add(bytes);
        }
        self.pending.pages += count * (bytes / PAGE_SIZE);
        let Some(aged) = aged(entry, size) else {
            return count;
        };
        if entry.is_contiguous() {
            self.age_group(Group::new(node, first, aged, size), aging);
            return count;
        }
        let cleared = table.rewrite(first, count, size, (entry, aged));
        let va = node.va(first);
        self.pending.queue_invalidations(va, size, (entry, cleared));
        // At once: the function may panic, and what is queued must be complete.
        self.pending.extend_cover(va, cleared * bytes);
        count
    }

    /// Has `group` made anew, together with others: now, if the list of them is full.
    fn age_group<F>(&mut self, group: Group<M, PTE, H>, aging: &mut Aging<'_, M, PTE, H, F>) {
        if aging.found == aging.groups.len() {
            self.make_at_once(&aging.groups);
            aging.groups = [const { None }; AT_ONCE];
            aging.found = 0;
        }
        if let Some(slot) = aging.groups.get_mut(aging.found) {
            *slot = Some(group);
            aging.found += 1;
        }
    }
}
