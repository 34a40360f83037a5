//! Reading a tree: one address, the path to it, its leaves.
//!
//! A [`TableView`] may look at a tree that the hardware is using and that other code changes:
//! every entry is read once, as an atomic. Between two reads it may have changed, so whatever is
//! decided about an entry is decided about the value that was read.
//!
//! | question | method | cost |
//! |---|---|---|
//! | where does 0x40_3123 lead? | [`TableView::query`] | one entry a level |
//! | which leaf, and of what size, is there, inaccessible ones too? | [`TableView::leaf`] | one entry a level |
//! | by which entries? | [`TableView::trace`] | one entry a level |
//! | which value has the swap entry there? | [`TableView::swap_entry`] | one entry a level |
//! | what is mapped in a range, in runs? | [`TableView::iter`] | each leaf, once |
//! | every leaf of the tree | [`TableView::leaves`] | each leaf; of a full table no entry is looked at twice |
//! | every entry, tables too | [`TableView::walk`] | each used entry |
#![expect(unsafe_code, reason = "a tree that somebody else owns")]

use core::fmt;
use core::ops::ControlFlow;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::node::descent::{Node, is_nothing, is_table, leads_on};
use crate::node::geometry::{check_address, entries, leaf_bytes, size_of_level, table_index};
use crate::node::memory::Table;
use crate::read::trace::{Trace, Visit};
use crate::{
    GenericPTE, MappingFlags, PageSize, PagingError, PagingHandler, PagingMetaData, PagingResult,
    SoftwareBits,
};

/// A leaf of a tree, present or inaccessible. What its descriptor says is decoded when asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Leaf<PTE> {
    /// The first address that it maps, a multiple of its size.
    pub va: VirtAddr,
    /// Its entry, as it was when it was read.
    pub entry: PTE,
    /// How much it maps: a page or a block.
    pub size: PageSize,
}

impl<PTE: GenericPTE> Leaf<PTE> {
    /// The first physical address that it maps to, a multiple of its size.
    #[must_use]
    #[inline(always)]
    pub fn paddr(&self) -> PhysAddr {
        self.entry.paddr()
    }

    /// Its flags: rights, memory type, global, accessed. Without any of [`MappingFlags::RIGHTS`] it
    /// is inaccessible.
    #[must_use]
    #[inline(always)]
    pub fn flags(&self) -> MappingFlags {
        self.entry.flags()
    }

    /// Its software bits.
    #[must_use]
    #[inline(always)]
    pub fn software(&self) -> SoftwareBits {
        self.entry.software()
    }
}

/// A tree of page tables, to be read. Not `Copy`: a borrowed view cannot outlive the borrow.
///
/// # Invariants
/// `root` is the root of a tree in format `PTE` all of whose tables `H` can reach, and `table` is
/// where it reaches that one.
pub struct TableView<M, PTE, H> {
    root: PhysAddr,
    table: Table<M, PTE, H>,
    /// Whether others may change the tree while it is read: what was read before then says nothing
    /// about what is there now.
    pub(crate) others_write: bool,
    /// Whether there may be swap entries, which are counted as used and are no leaves.
    pub(crate) may_swap: bool,
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> TableView<M, PTE, H> {
    /// Looks at the tree whose root table is at `root`.
    ///
    /// # Safety
    /// A tree in this format begins there, `H::phys_to_virt` reaches all its tables, and they
    /// stay tables as long as the view is used.
    #[must_use]
    pub unsafe fn new(root: PhysAddr) -> Self {
        Self::owned(root, true)
    }

    /// The tree at `root`, which this room builds and keeps a tree.
    pub(crate) fn owned(root: PhysAddr, others_write: bool) -> Self {
        Self {
            root,
            table: Table::at(root),
            others_write,
            may_swap: false,
        }
    }

    /// The physical address of the root table: what a TTBR, CR3 or satp is given, without its other
    /// fields.
    #[must_use]
    pub const fn root_paddr(&self) -> PhysAddr {
        self.root
    }

    pub(crate) const fn root(&self) -> Table<M, PTE, H> {
        self.table
    }

    /// The translation of `va`: the address itself, not only its frame; flags; size of the leaf.
    ///
    /// # Errors
    /// [`PagingError::InvalidVirtAddr`]; [`PagingError::NotMapped`], also for an inaccessible leaf.
    #[inline]
    pub fn query(&self, va: VirtAddr) -> PagingResult<(PhysAddr, MappingFlags, PageSize)> {
        check_address::<M>(va)?;
        let mut table = self.root();
        for level in 0..M::LEVELS {
            let entry = table.load(table_index::<M>(va, level));
            if !entry.is_present() {
                break;
            }
            if leads_on::<M, PTE>(entry, level) {
                table = Table::at(entry.paddr());
                continue;
            }
            let Some(size) = size_of_level::<M>(level) else {
                break;
            };
            let offset = va.as_usize() & (leaf_bytes::<M>(size) - 1);
            let pa = PhysAddr::new(entry.paddr().as_usize() | offset);
            return Ok((pa, entry.flags(), size));
        }
        Err(PagingError::NotMapped { va })
    }

    /// The leaf, present or inaccessible, that covers `va`.
    ///
    /// # Errors
    /// [`PagingError::InvalidVirtAddr`], [`PagingError::NotMapped`].
    #[inline]
    pub fn leaf(&self, va: VirtAddr) -> PagingResult<Leaf<PTE>> {
        check_address::<M>(va)?;
        let mut table = self.root();
        for level in 0..M::LEVELS {
            let entry = table.load(table_index::<M>(va, level));
            if is_table::<M, PTE>(entry, level) {
                table = Table::at(entry.paddr());
                continue;
            }
            if let Some(size) = size_of_level::<M>(level)
                && !is_nothing(entry)
            {
                let va = va.align_down(leaf_bytes::<M>(size));
                return Ok(Leaf { va, entry, size });
            }
            break;
        }
        Err(PagingError::NotMapped { va })
    }

    /// The value of the swap entry for the page that holds `va`.
    ///
    /// # Errors
    /// [`PagingError::InvalidVirtAddr`]; [`PagingError::NotMapped`] if there is none: a leaf, or
    /// nothing.
    pub fn swap_entry(&self, va: VirtAddr) -> PagingResult<u32> {
        check_address::<M>(va)?;
        let mut table = self.root();
        for level in 0..M::LEVELS {
            let entry = table.load(table_index::<M>(va, level));
            if is_table::<M, PTE>(entry, level) {
                table = Table::at(entry.paddr());
                continue;
            }
            let last = level + 1 == M::LEVELS;
            let value = entry.swap().filter(|_| last);
            return value.ok_or(PagingError::NotMapped { va });
        }
        Err(PagingError::NotMapped { va })
    }

    /// Shows `step` each entry on the walk of `va`, from the root to a leaf or an unused entry. For
    /// a tree whose tables may be out of reach there is [`Trace`].
    ///
    /// # Errors
    /// [`PagingError::InvalidVirtAddr`].
    pub fn trace(&self, va: VirtAddr, mut step: impl FnMut(&Visit<PTE>)) -> PagingResult {
        // All tables of a view can be reached: every step is a visit.
        let read = |entry: PhysAddr| {
            let table = Table::<M, PTE, H>::at(entry.align_down(PAGE_SIZE));
            let index = entry.as_usize() % PAGE_SIZE / size_of::<u64>();
            Some(table.load(index).bits())
        };
        let trace = Trace::<M, PTE, _>::new(self.root, va, read)?;
        trace.flatten().for_each(|visit| step(&visit));
        Ok(())
    }

    /// Visits every entry that is not unused, at most the first `limit` of each table: `pre`
    /// before what is below it, `post` afterwards. Either can stop the walk.
    pub fn walk<B>(
        &self,
        limit: usize,
        mut pre: impl FnMut(&Visit<PTE>) -> ControlFlow<B>,
        mut post: impl FnMut(&Visit<PTE>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        walk_table(Node::root(self.root()), limit, &mut pre, &mut post)
    }

    /// Shows `visit` every leaf, present or inaccessible, in the order of addresses. Faster than
    /// [`TableView::iter`], which merges runs and can go both ways.
    #[inline]
    pub fn leaves<B>(&self, mut visit: impl FnMut(Leaf<PTE>) -> ControlFlow<B>) -> ControlFlow<B> {
        let trusts_counts = !self.others_write && !self.may_swap;
        leaves_of(Node::root(self.root()), None, trusts_counts, &mut visit)
    }

    /// How many tables the tree has, the root and shared ones included: so many frames of 4 KiB.
    #[must_use]
    pub fn count_tables(&self) -> usize {
        let mut tables = 1;
        let _ = self.walk::<()>(
            entries::<M>(),
            |visit| {
                tables += usize::from(is_table::<M, PTE>(visit.entry, visit.level));
                ControlFlow::Continue(())
            },
            |_| ControlFlow::Continue(()),
        );
        tables
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> fmt::Debug for TableView<M, PTE, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableView({})", self.root)
    }
}

/// A mutable visitor of entries, for the recursion.
type Visitor<'a, PTE, B> = &'a mut dyn FnMut(&Visit<PTE>) -> ControlFlow<B>;

fn walk_table<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler, B>(
    node: Node<M, PTE, H>,
    limit: usize,
    pre: Visitor<'_, PTE, B>,
    post: Visitor<'_, PTE, B>,
) -> ControlFlow<B> {
    let mut from = 0;
    for _ in 0..limit {
        let Some(index) = node.table.first_used(from, entries::<M>() - from) else {
            break;
        };
        let entry = node.table.load(index);
        from = index + 1;
        // Others may have changed it since it was found.
        if is_nothing(entry) {
            continue;
        }
        let visit = Visit {
            level: node.level,
            index,
            va: node.va(index),
            entry,
        };
        pre(&visit)?;
        if node.is_table(entry) {
            walk_table(node.child(index, entry), limit, pre, post)?;
        }
        post(&visit)?;
    }
    ControlFlow::Continue(())
}

/// Shows `visit` every leaf at or below `node`, to which `parent` leads unless it is the root. A
/// count of used entries is good as long as nobody else changes the table.
fn leaves_of<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler, B>(
    node: Node<M, PTE, H>,
    parent: Option<PTE>,
    trusts_counts: bool,
    visit: &mut impl FnMut(Leaf<PTE>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    if node.level + 1 == M::LEVELS {
        let full = trusts_counts && parent.is_some_and(|parent| parent.count() == entries::<M>());
        return pages_of(node.table, node.va(0), full, visit);
    }
    let mut from = 0;
    while let Some(index) = node.table.first_used(from, entries::<M>() - from) {
        let entry = node.table.load(index);
        from = index + 1;
        if node.is_table(entry) {
            leaves_of(node.child(index, entry), Some(entry), trusts_counts, visit)?;
        } else if let Some(size) = node.leaf_size()
            && !is_nothing(entry)
        {
            let va = node.va(index);
            visit(Leaf { va, entry, size })?;
        }
    }
    ControlFlow::Continue(())
}

/// Shows `visit` every leaf of a table of the last level, which translates from `va` on. A table
/// that is `full` has no unused entry to look out for.
fn pages_of<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler, B>(
    table: Table<M, PTE, H>,
    va: VirtAddr,
    full: bool,
    visit: &mut impl FnMut(Leaf<PTE>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let size = PageSize::Size4K;
    let mut show = |va, entry| visit(Leaf { va, entry, size });
    if full {
        return table.each(va, show);
    }
    table.each(va, |va, entry: PTE| {
        if is_nothing(entry) {
            ControlFlow::Continue(())
        } else {
            show(va, entry)
        }
    })
}
