//! The invariants of a tree, checked on the whole of it: [`TableView::check`].
//!
//! For tests, and for a kernel that audits its live tree: nothing is trusted that can be looked up.
//!
//! | invariant | what breaks without it | error |
//! |---|---|---|
//! | no table but the root, or a shared one, is empty | frames are lost until the tree ends | `EmptyTable` |
//! | the entry of a table has the number of its used entries | a table that is in use is freed, or an empty one kept | `WrongCount` |
//! | a leaf is what its own frame, flags, software bits and size make | reserved bits, rights that W^X forbids | `NotALeaf` |
//! | a contiguous group is aligned, and its 16 leaves are alike | one TLB entry for all says what is not so (DDI 0487 D8.7.1) | `BrokenGroup` |
//! | no table is below itself | a walk by software that follows every link never ends | `Loop` |
//!
//! A leaf is checked by making it anew: `new_page` of its frame, flags and size must give its bits
//! again. So one comparison finds every bit that the format does not write, without a list of
//! reserved bits for each architecture.
#![forbid(unsafe_code)]

use core::fmt;
use core::ops::ControlFlow;

use crate::addr::{PhysAddr, VirtAddr};
use crate::node::descent::Node;
use crate::node::geometry::{MAX_LEVELS, check_frame, entries, leaf_bytes};
use crate::node::memory::Table;
use crate::{GenericPTE, MappingFlags, PagingHandler, PagingMetaData, TableView};

/// The numbers of tables and leaves that a sound tree holds: from [`TableView::check`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// Tables, the root included: so many frames of 4 KiB.
    pub tables: usize,
    /// Present leaves, of any size, each once.
    pub present: usize,
    /// Inaccessible leaves: mapped without any right.
    pub inaccessible: usize,
    /// Swap entries.
    pub swapped: usize,
    /// Present leaves with the contiguous hint: a multiple of the format's
    /// [`GenericPTE::CONTIGUOUS`].
    pub contiguous: usize,
}

/// The first fault of a tree that [`TableView::check`] met, and its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unsound {
    /// A table, neither the root nor shared, has no used entry: it should have been freed.
    EmptyTable {
        /// The first address that it translates.
        va: VirtAddr,
        /// The table.
        table: PhysAddr,
    },
    /// The entry of a table counts another number of used entries than the table has.
    WrongCount {
        /// The first address that it translates.
        va: VirtAddr,
        /// The number of used entries that its entry says.
        said: usize,
        /// The number of entries that are used.
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
    /// A table is linked to itself or to one above it: found before it is followed.
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

/// The way down to a table: what a link is compared with, so that a loop is found when it closes,
/// at the latest at the fourth level.
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
        // Counted here, on the entries themselves: `check_link` compares it with what the entry
        // above says.
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
    // Before the table is read: its entries lead round again.
    if above.contains(&table) {
        return ControlFlow::Break(Unsound::Loop { va, table });
    }
    summary.tables += 1;
    let used = check_table::<M, PTE, H>(path, shared, summary)?;
    let said = entry.count();
    // A shared table may be empty, and its entry, of which every root has a copy, counts nothing.
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
    if level + 1 == M::LEVELS && entry.swap().is_some() {
        summary.swapped += 1;
        return ControlFlow::Continue(());
    }
    // `None` where no leaf can stand at this level, or its frame is out of reach.
    let remade = node.leaf_size().and_then(|size| {
        check_frame::<M>(entry.paddr(), leaf_bytes::<M>(size)).ok()?;
        let leaf = PTE::new_page(entry.paddr(), entry.flags(), size).ok()?;
        Some(leaf.with_software(entry.software()))
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

/// Whether the group of the leaf at `index` is aligned, consecutive, present and of one kind: the
/// page at index 21 belongs to 16..32, whose first frame must be a multiple of 64 KiB, and each of
/// the others what [`GenericPTE::next`] makes of the one before.
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
