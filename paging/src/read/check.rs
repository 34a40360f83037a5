//! The invariants of a tree, checked on the whole of it: [`TableView::check`].
#![forbid(unsafe_code)]

use core::fmt;
use core::ops::ControlFlow;

use crate::addr::{PhysAddr, VirtAddr};
use crate::node::descent::Node;
use crate::node::geometry::{MAX_LEVELS, check_frame, entries, leaf_bytes};
use crate::node::memory::Table;
use crate::{GenericPTE, MappingFlags, PagingHandler, PagingMetaData, TableView};

/// What a sound tree holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// Tables, the root included.
    pub tables: usize,
    /// Present leaves.
    pub present: usize,
    /// Inaccessible leaves.
    pub inaccessible: usize,
    /// Leaves with the contiguous hint.
    pub contiguous: usize,
}

/// What is wrong with a tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unsound {
    /// A table has no used entry.
    EmptyTable {
        /// The first address that it translates.
        va: VirtAddr,
        /// The table.
        table: PhysAddr,
    },
    /// The entry of a table gives another number of used entries than it has.
    WrongCount {
        /// The first address that it translates.
        va: VirtAddr,
        /// What its entry says.
        said: usize,
        /// What it has.
        used: usize,
    },
    /// An entry is neither a table nor what its own address, flags and size make: reserved bits,
    /// a leaf where none can be, a frame out of reach, rights that W^X forbids.
    NotALeaf {
        /// The first address that it translates.
        va: VirtAddr,
        /// The level of its table.
        level: usize,
        /// Its bits.
        bits: u64,
    },
    /// A leaf has the contiguous hint, and its group is not uniform.
    BrokenGroup {
        /// The address of the leaf.
        va: VirtAddr,
    },
    /// A table is linked to itself or to one above it.
    Loop {
        /// The first address that it translates.
        va: VirtAddr,
        /// The table.
        table: PhysAddr,
    },
}

impl fmt::Display for Unsound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyTable { va, table } => write!(f, "the table at {table} for {va} is empty"),
            Self::WrongCount { va, said, used } => {
                write!(
                    f,
                    "the table for {va} has {used} entries, its entry says {said}"
                )
            }
            Self::NotALeaf { va, level, bits } => {
                write!(f, "{bits:#018x} at level {level} for {va} is no descriptor")
            }
            Self::BrokenGroup { va } => write!(f, "the contiguous group of {va} is not uniform"),
            Self::Loop { va, table } => write!(f, "the table at {table} for {va} is above itself"),
        }
    }
}

impl core::error::Error for Unsound {}

/// The way down to a table.
#[derive(Clone, Copy)]
struct Path {
    /// The tables on the way, the root first.
    tables: [PhysAddr; MAX_LEVELS],
    /// The level of the last of them.
    level: usize,
    /// The first offset that it translates.
    base: usize,
}

impl Path {
    /// The table at the end of the path.
    #[expect(
        clippy::indexing_slicing,
        reason = "a level is below the four that the array has room for"
    )]
    fn node<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(&self) -> Node<M, PTE, H> {
        Node::new(Table::at(self.tables[self.level]), self.level, self.base)
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> TableView<M, PTE, H> {
    /// Checks every table and every leaf of the tree.
    ///
    /// `shared` says which top-level entries lead to shared tables: those may be empty, and are not
    /// counted.
    ///
    /// # Errors
    /// The first [`Unsound`], in the order of addresses.
    pub fn check(&self, shared: core::ops::Range<usize>) -> Result<Summary, Unsound> {
        let mut summary = Summary {
            tables: 1,
            ..Summary::default()
        };
        let path = Path {
            tables: [self.root_paddr(); MAX_LEVELS],
            level: 0,
            base: 0,
        };
        match check_table::<M, PTE, H>(path, &shared, &mut summary) {
            ControlFlow::Continue(_) => Ok(summary),
            ControlFlow::Break(unsound) => Err(unsound),
        }
    }
}

/// Checks a table and all below it. Returns how many of its entries are used.
#[expect(
    clippy::indexing_slicing,
    reason = "a level is below the four that the array has room for"
)]
fn check_table<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    path: Path,
    shared: &core::ops::Range<usize>,
    summary: &mut Summary,
) -> ControlFlow<Unsound, usize> {
    let node = path.node::<M, PTE, H>();
    let mut used = 0;
    for index in 0..entries::<M>() {
        let entry = node.table.load(index);
        if entry.is_unused() {
            continue;
        }
        used += 1;
        if !node.is_table(entry) {
            check_leaf(node, index, summary)?;
            continue;
        }
        let mut below = path;
        below.level += 1;
        below.base = node.offset(index);
        below.tables[below.level] = entry.paddr();
        let is_shared_top = node.level == 0 && shared.contains(&index);
        check_link::<M, PTE, H>(below, entry, is_shared_top, shared, summary)?;
    }
    ControlFlow::Continue(used)
}

/// Checks the table that `entry` leads to, which is at the end of `path`.
#[expect(
    clippy::indexing_slicing,
    reason = "a level is below the four that the array has room for"
)]
fn check_link<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    path: Path,
    entry: PTE,
    is_shared_top: bool,
    shared: &core::ops::Range<usize>,
    summary: &mut Summary,
) -> ControlFlow<Unsound> {
    let va = M::vaddr_at(path.base);
    let table = path.tables[path.level];
    let above = path.tables.get(..path.level).unwrap_or_default();
    if above.contains(&table) {
        return ControlFlow::Break(Unsound::Loop { va, table });
    }
    summary.tables += 1;
    let used = check_table::<M, PTE, H>(path, shared, summary)?;
    let said = entry.count();
    if is_shared_top {
        return ControlFlow::Continue(());
    }
    if used == 0 {
        return ControlFlow::Break(Unsound::EmptyTable { va, table });
    }
    if PTE::COUNTS && said != used {
        return ControlFlow::Break(Unsound::WrongCount { va, said, used });
    }
    ControlFlow::Continue(())
}

/// Checks entry `index` of `node`, which leads to no table.
fn check_leaf<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    node: Node<M, PTE, H>,
    index: usize,
    summary: &mut Summary,
) -> ControlFlow<Unsound> {
    let entry = node.table.load(index);
    let (va, level) = (node.va(index), node.level);
    let remade = node.leaf_size().and_then(|size| {
        check_frame::<M>(entry.paddr(), leaf_bytes::<M>(size)).ok()?;
        PTE::new_page(entry.paddr(), entry.flags(), size).ok()
    });
    if remade != Some(entry.without_contiguous()) {
        let bits = entry.bits();
        return ControlFlow::Break(Unsound::NotALeaf { va, level, bits });
    }
    if entry.is_present() {
        summary.present += 1;
    } else {
        summary.inaccessible += 1;
    }
    if entry.is_contiguous() {
        summary.contiguous += 1;
        if !group_is_uniform(node, index) {
            return ControlFlow::Break(Unsound::BrokenGroup { va });
        }
    }
    ControlFlow::Continue(())
}

/// Whether the group of the leaf at `index` is aligned, consecutive, present and of one kind.
fn group_is_uniform<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    node: Node<M, PTE, H>,
    index: usize,
) -> bool {
    let Some(size) = node.leaf_size() else {
        return false;
    };
    let first = index / PTE::CONTIGUOUS * PTE::CONTIGUOUS;
    let leaf = node.table.load(first);
    let group = leaf_bytes::<M>(size) * PTE::CONTIGUOUS;
    let mut leaves = core::iter::successors(Some(leaf), |leaf| Some(leaf.next(size)));
    let mut entries = (first..first + PTE::CONTIGUOUS).map(|index| node.table.load(index));
    leaf.paddr().is_aligned(group)
        && leaf.flags().intersects(MappingFlags::RIGHTS)
        && entries.all(|entry| leaves.next() == Some(entry))
}
