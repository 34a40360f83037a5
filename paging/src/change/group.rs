//! Making contiguous groups: leaves that are mapped as a group would be get the contiguous hint, so
//! that one TLB entry can hold them. A part of
//! [`PageTable64::compact`](crate::PageTable64::compact); Linux folds so in `contpte`.
//!
//! # The scenario
//! The pages 0x40_0000..0x41_0000 are a group on the frames from 0x8000_0000 on. Page 0x40_3000
//! became read-only, and writable again: the 16 descriptors are equal but for their frames, and have
//! lost the hint (`region::split`).
//!
//! 1. Aligned runs of 16 leaves without the hint are looked for, up to 32 at a time: present, with
//!    equal flags, on frames that follow each other from a multiple of 64 KiB on.
//! 2. All of their entries are made invalid. A group that is not uniform must never be visible, and
//!    neither must the entry for a group beside those of its pages (DDI 0487 D8.7.1, D8.17.1).
//! 3. One batch of invalidations, on all cores: each page may be cached.
//! 4. The leaves are stored with the hint, and published.
#![forbid(unsafe_code)]

use core::ops::ControlFlow;

use crate::change::tree::Tree;
use crate::metadata::while_broken;
use crate::node::descent::Node;
use crate::node::geometry::{Span, leaf_bytes};
use crate::node::sharing::Sharing;
use crate::{GenericPTE, PageSize, PagingHandler, PagingMetaData};

/// How many groups are made with one break: as many as `compact` merges tables.
pub(in crate::change) const AT_ONCE: usize = 32;

/// Leaves that are to have the hint.
pub(in crate::change) struct Group<M, PTE, H> {
    node: Node<M, PTE, H>,
    /// The index of the first.
    first: usize,
    /// What the first becomes, but for the hint.
    leaf: PTE,
    /// The size of each.
    size: PageSize,
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Group<M, PTE, H> {
    /// The leaves from `first` on, the first of which becomes `leaf` with the hint.
    pub(in crate::change) const fn new(
        node: Node<M, PTE, H>,
        first: usize,
        leaf: PTE,
        size: PageSize,
    ) -> Self {
        Self {
            node,
            first,
            leaf,
            size,
        }
    }

    /// The leaves from `first` on, if they can have the hint.
    fn at(node: Node<M, PTE, H>, first: usize) -> Option<Self> {
        // Blocks of 1 GiB are not grouped, as when they are mapped (`region::mapping`).
        let size = node.leaf_size().filter(|size| *size != PageSize::Size1G)?;
        let leaf = node.table.load(first);
        let bytes = leaf_bytes::<M>(size) * PTE::CONTIGUOUS;
        // The first frame decides: from a multiple of 64 KiB on, for pages, the others follow.
        let leads = !node.is_table(leaf) && leaf.is_present() && leaf.paddr().is_aligned(bytes);
        if !leads || leaf.is_contiguous() {
            return None;
        }
        // The leaves that a group with this first one has. An entry that differs in any bit, in its
        // accessed flag too, leaves all 16 as they are.
        let mut leaves = core::iter::successors(Some(leaf), |leaf| Some(leaf.next(size)));
        let mut entries = (first..first + PTE::CONTIGUOUS).map(|index| node.table.load(index));
        let alike = entries.all(|entry| leaves.next() == Some(entry));
        alike.then_some(Self {
            node,
            first,
            leaf,
            size,
        })
    }

    /// The offsets that the group translates.
    fn span(&self) -> Span {
        let start = self.node.offset(self.first);
        Span {
            start,
            end: start + leaf_bytes::<M>(self.size) * PTE::CONTIGUOUS,
        }
    }

    /// Makes all of its leaves invalid for a moment.
    fn break_all(&self) {
        for index in self.first..self.first + PTE::CONTIGUOUS {
            let entry = self.node.table.load(index);
            self.node.table.store(index, entry.broken());
        }
    }

    /// Stores all of its leaves with the hint.
    fn make(&self) {
        let leaf = self.leaf.with_contiguous();
        let table = self.node.table;
        table.fill(self.first, PTE::CONTIGUOUS, leaf, self.size);
    }
}

/// Some of them.
pub(in crate::change) type Groups<M, PTE, H> = [Option<Group<M, PTE, H>>; AT_ONCE];

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Makes groups in `span`, a list full of them at a time.
    pub(crate) fn make_groups(&mut self, span: Span) {
        let mut rest = span;
        while PTE::CONTIGUOUS > 1 && !rest.is_empty() {
            let mut groups = [const { None }; AT_ONCE];
            let mut found = 0;
            let root = Node::root(self.root());
            let stopped = find_groups(root, rest, &mut |group| {
                if let Some(slot) = groups.get_mut(found) {
                    *slot = Some(group);
                }
                found += 1;
                found == AT_ONCE
            });
            self.make_at_once(&groups);
            rest.start = match stopped {
                ControlFlow::Break(at) => at,
                ControlFlow::Continue(()) => rest.end,
            };
        }
    }

    /// Makes the leaves of `groups` what they are to be, with the hint, and with one break.
    pub(in crate::change) fn make_at_once(&mut self, groups: &Groups<M, PTE, H>) {
        let groups = || groups.iter().flatten();
        // One break for all of them, from the first to the last: leaves between stay as they are.
        let spans = groups().map(Group::span);
        let Some(hull) = spans.reduce(|hull, span| Span {
            start: hull.start,
            end: span.end,
        }) else {
            return;
        };
        while_broken::<M>(M::vaddr_at(hull.start), hull.bytes(), || {
            for group in groups() {
                group.break_all();
                let va = group.node.va(group.first);
                let leaves = (group.leaf, PTE::CONTIGUOUS);
                self.pending.queue_invalidations(va, group.size, leaves);
            }
            // No core has an old translation behind this: only now may a new one be seen.
            self.pending.invalidate_broken();
            for group in groups() {
                group.make();
                let va = group.node.va(group.first);
                let leaves = (group.leaf, PTE::CONTIGUOUS);
                self.pending.queue_publications(va, group.size, leaves);
            }
            self.pending.flush();
        });
    }
}

/// Shows `found` each group of `part`, which lies in `node`, that can be made, until it has enough:
/// stops with where the rest begins.
fn find_groups<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    node: Node<M, PTE, H>,
    part: Span,
    found: &mut dyn FnMut(Group<M, PTE, H>) -> bool,
) -> ControlFlow<usize> {
    let rows = node.rows(part);
    let mut rest = rows.touched;
    while let Some((index, entry)) = node.table.next_used(rest.clone()) {
        rest.start = index + 1;
        if node.is_table(entry) {
            let part = part.clip(node.entry_span(index));
            find_groups(node.child(index, entry), part, found)?;
        } else if index.is_multiple_of(PTE::CONTIGUOUS)
            // Groups that `part` has as a whole: nothing outside of it is touched.
            && rows.whole.contains(&index)
            && index + PTE::CONTIGUOUS <= rows.whole.end
            && let Some(group) = Group::at(node, index)
        {
            let span = group.span();
            rest.start = index + PTE::CONTIGUOUS;
            if found(group) {
                return ControlFlow::Break(span.end);
            }
        }
    }
    ControlFlow::Continue(())
}
