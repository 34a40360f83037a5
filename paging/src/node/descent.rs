//! Going down a tree: [`Node`], a table at its place, and which entries lead on.
#![forbid(unsafe_code)]

use crate::addr::VirtAddr;
use crate::node::geometry::{Rows, Span, level_bytes, size_of_level};
use crate::node::memory::Table;
use crate::{GenericPTE, PageSize, PagingHandler, PagingMetaData};

/// A table at its place in a tree: what a walk over a range carries from level to level.
///
/// Offsets count from the tree's first address: in AArch64's upper half, 0xffff_0000_4000_0000 has
/// offset 0x4000_0000. The node with level 2 and base 0x4000_0000 translates the gigabyte from
/// there on; its entry 3 translates 2 MiB from offset 0x4060_0000 on, and leads to a node with
/// level 3 and base 0x4060_0000, or is a block.
///
/// # Invariants
/// `base` is a multiple of the bytes that the whole table translates.
pub(crate) struct Node<M, PTE, H> {
    /// The table's memory.
    pub(crate) table: Table<M, PTE, H>,
    /// The table's level: 0 is the root.
    pub(crate) level: usize,
    /// The first offset that entry 0 translates.
    pub(crate) base: usize,
}

impl<M, PTE, H> Clone for Node<M, PTE, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, PTE, H> Copy for Node<M, PTE, H> {}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Node<M, PTE, H> {
    /// The node of `table`, at `level`, whose entry 0 translates from offset `base` on.
    #[inline(always)]
    pub(crate) const fn new(table: Table<M, PTE, H>, level: usize, base: usize) -> Self {
        Self { table, level, base }
    }

    /// The root of a tree, in `table`.
    #[inline(always)]
    pub(crate) const fn root(table: Table<M, PTE, H>) -> Self {
        Self::new(table, 0, 0)
    }

    /// The first offset that entry `index` translates.
    #[inline(always)]
    pub(crate) const fn offset(self, index: usize) -> usize {
        self.base + index * level_bytes::<M>(self.level)
    }

    /// The first address that entry `index` translates.
    #[inline(always)]
    pub(crate) fn va(self, index: usize) -> VirtAddr {
        M::vaddr_at(self.offset(index))
    }

    /// The offsets that entry `index` translates.
    #[inline(always)]
    pub(crate) const fn entry_span(self, index: usize) -> Span {
        Span::from_start::<M>(self.offset(index), self.level)
    }

    /// The entries that `part`, which is not empty and lies in this node, touches.
    #[inline(always)]
    pub(crate) fn rows(self, part: Span) -> Rows {
        Rows::new::<M>(self.level, self.base, part)
    }

    /// The size of a leaf in this table, if its level can hold leaves.
    #[inline(always)]
    pub(crate) const fn leaf_size(self) -> Option<PageSize> {
        size_of_level::<M>(self.level)
    }

    /// Whether `entry`, one of this table's, leads to another table.
    #[inline(always)]
    pub(crate) fn is_table(self, entry: PTE) -> bool {
        is_table::<M, PTE>(entry, self.level)
    }

    /// The node that `entry`, which stands at `index` and is a table's, leads to.
    #[inline(always)]
    pub(crate) fn child(self, index: usize, entry: PTE) -> Self {
        let table = Table::at(entry.paddr());
        Self::new(table, self.level + 1, self.offset(index))
    }
}

/// Whether `entry`, found at `level`, points to a table.
#[inline(always)]
pub(crate) fn is_table<M: PagingMetaData, PTE: GenericPTE>(entry: PTE, level: usize) -> bool {
    level + 1 < M::LEVELS && entry.is_present() && !entry.is_huge()
}

/// Whether `entry`, found at `level` of a sound tree, points to a table: above the levels that can
/// hold leaves, every present entry does.
#[inline(always)]
pub(crate) fn leads_on<M: PagingMetaData, PTE: GenericPTE>(entry: PTE, level: usize) -> bool {
    if size_of_level::<M>(level).is_none() {
        return entry.is_present();
    }
    is_table::<M, PTE>(entry, level)
}

/// Whether `entry` maps nothing: unused, or broken for a moment.
#[inline(always)]
pub(crate) fn is_nothing<PTE: GenericPTE>(entry: PTE) -> bool {
    entry.is_unused() || entry.is_broken()
}
