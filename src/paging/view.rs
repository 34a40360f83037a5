//! Reading a tree: one address, the path to it, its leaves, runs of equal leaves.
//!
//! A [`TableView`] may look at a tree that the hardware is using and that other code changes:
//! every entry is read once, as an atomic.

use core::fmt;
use core::marker::PhantomData;
use core::ops::ControlFlow;
use core::sync::atomic::{AtomicU64, Ordering};

use super::{
    ENTRIES, GenericPTE, Maintenance, MappingFlags, PageSize, PagingError, PagingHandler,
    PagingMetaData, PagingResult, level_shift, table_index,
};
use crate::addr::{PhysAddr, VirtAddr};

/// The entry `index` of the table at `table`, for the duration of `f`.
fn with_slot<H: PagingHandler, R>(
    table: PhysAddr,
    index: usize,
    f: impl FnOnce(&AtomicU64) -> R,
) -> R {
    let base = H::phys_to_virt(table).as_usize() as *const AtomicU64;
    debug_assert!(index < ENTRIES);
    // SAFETY: `table` is a table of a live tree or a frame that this room owns, so by
    // `PagingHandler` its 512 entries are readable and writable here; `index` is below 512.
    let slot = unsafe { base.add(index) };
    // SAFETY: as above; the reference ends with `f`, and every access to the entry is atomic.
    f(unsafe { &*slot })
}

/// Reads entry `index` of the table at `table`.
pub(super) fn load<H: PagingHandler>(table: PhysAddr, index: usize) -> u64 {
    with_slot::<H, _>(table, index, |slot| slot.load(Ordering::Relaxed))
}

/// Writes entry `index` of the table at `table`.
pub(super) fn store<M: PagingMetaData, H: PagingHandler>(table: PhysAddr, index: usize, bits: u64) {
    with_slot::<H, _>(table, index, |slot| M::Maintenance::store(slot, bits));
}

/// A leaf of a tree, present or retained.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Leaf {
    /// The first address it maps.
    pub va: VirtAddr,
    /// The frame it maps to.
    pub pa: PhysAddr,
    /// Its flags.
    pub flags: MappingFlags,
    /// Its size.
    pub size: PageSize,
    /// Its descriptor as memory holds it.
    pub bits: u64,
}

/// Neighbouring leaves that continue each other: addresses, frames, flags and size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Run {
    /// The first leaf.
    pub first: Leaf,
    /// Bytes in all.
    pub bytes: usize,
}

impl Run {
    const fn of(first: Leaf) -> Self {
        Self {
            bytes: first.size.bytes(),
            first,
        }
    }

    /// Whether `leaf` continues this run.
    fn continues(&self, leaf: &Leaf) -> bool {
        self.first.flags == leaf.flags
            && self.first.size == leaf.size
            && self.first.va.checked_add(self.bytes) == Some(leaf.va)
            && self.first.pa.checked_add(self.bytes) == Some(leaf.pa)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.first.va.as_usize() + (self.bytes - 1);
        write!(
            f,
            "{} - {last:#018x} -> {} {} {}",
            self.first.va, self.first.pa, self.first.flags, self.first.size
        )
    }
}

/// One entry on the way through a tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Visit<PTE> {
    /// The level of the table that holds it.
    pub level: usize,
    /// Its index in that table.
    pub index: usize,
    /// The first address that it translates.
    pub va: VirtAddr,
    /// The entry.
    pub entry: PTE,
}

/// A tree of page tables, to be read. Not `Copy`: a borrowed view cannot outlive the borrow.
///
/// # Invariants
/// `root` is the root of a tree in format `PTE` all of whose tables `H` can reach.
pub struct TableView<M, PTE, H> {
    root: PhysAddr,
    format: PhantomData<(M, PTE, H)>,
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> TableView<M, PTE, H> {
    /// Looks at the tree whose root table is at `root`.
    ///
    /// # Safety
    /// A tree in this format begins there, `H::phys_to_virt` reaches all its tables, and they
    /// stay tables as long as the view is used.
    #[must_use]
    pub const unsafe fn new(root: PhysAddr) -> Self {
        Self {
            root,
            format: PhantomData,
        }
    }

    /// The physical address of the root table.
    #[must_use]
    pub const fn root_paddr(&self) -> PhysAddr {
        self.root
    }

    /// What `va` translates to: the address itself, not only its frame; flags; size of the leaf.
    ///
    /// # Errors
    /// [`PagingError::InvalidVirtAddr`]; [`PagingError::NotMapped`], also for a retained leaf.
    pub fn query(&self, va: VirtAddr) -> PagingResult<(PhysAddr, MappingFlags, PageSize)> {
        let leaf = self.leaf(va)?;
        if !PTE::from_bits(leaf.bits).is_present() {
            return Err(PagingError::NotMapped { va });
        }
        let offset = va.as_usize() & (leaf.size.bytes() - 1);
        let pa = PhysAddr::new(leaf.pa.as_usize() | offset);
        Ok((pa, leaf.flags, leaf.size))
    }

    /// The leaf, present or retained, that covers `va`.
    ///
    /// # Errors
    /// [`PagingError::InvalidVirtAddr`], [`PagingError::NotMapped`].
    pub fn leaf(&self, va: VirtAddr) -> PagingResult<Leaf> {
        let mut found = None;
        self.trace(va, |visit| found = leaf_of::<M, PTE>(visit))?;
        found.ok_or(PagingError::NotMapped { va })
    }

    /// Shows `step` each entry on the walk of `va`, from the root to a leaf or an unused entry.
    ///
    /// # Errors
    /// [`PagingError::InvalidVirtAddr`].
    pub fn trace(&self, va: VirtAddr, mut step: impl FnMut(&Visit<PTE>)) -> PagingResult {
        if !M::vaddr_is_valid(va) {
            return Err(PagingError::InvalidVirtAddr { va });
        }
        let mut table = self.root;
        for level in 0..M::LEVELS {
            let index = table_index(va, level, M::LEVELS);
            let entry = PTE::from_bits(load::<H>(table, index));
            step(&Visit {
                level,
                index,
                va: va.align_down(1 << level_shift(level, M::LEVELS)),
                entry,
            });
            if !is_table::<M, PTE>(entry, level) {
                break;
            }
            table = entry.paddr();
        }
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
        self.walk_table(self.root, 0, 0, limit, &mut pre, &mut post)
    }

    fn walk_table<B>(
        &self,
        table: PhysAddr,
        level: usize,
        base: usize,
        limit: usize,
        pre: &mut impl FnMut(&Visit<PTE>) -> ControlFlow<B>,
        post: &mut impl FnMut(&Visit<PTE>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut seen = 0;
        for index in 0..ENTRIES {
            if seen == limit {
                break;
            }
            let entry = PTE::from_bits(load::<H>(table, index));
            if entry.is_unused() {
                continue;
            }
            seen += 1;
            let offset = base | index << level_shift(level, M::LEVELS);
            let visit = Visit {
                level,
                index,
                va: M::vaddr_at(offset),
                entry,
            };
            pre(&visit)?;
            if is_table::<M, PTE>(entry, level) {
                self.walk_table(entry.paddr(), level + 1, offset, limit, pre, post)?;
            }
            post(&visit)?;
        }
        ControlFlow::Continue(())
    }

    /// Shows `visit` every leaf, present or retained, in the order of addresses.
    pub fn leaves<B>(&self, mut visit: impl FnMut(Leaf) -> ControlFlow<B>) -> ControlFlow<B> {
        self.walk(
            ENTRIES,
            |entry| match leaf_of::<M, PTE>(entry) {
                Some(leaf) => visit(leaf),
                None => ControlFlow::Continue(()),
            },
            |_| ControlFlow::Continue(()),
        )
    }

    /// Shows `visit` every longest [`Run`] of leaves, in the order of addresses.
    pub fn runs<B>(&self, mut visit: impl FnMut(Run) -> ControlFlow<B>) -> ControlFlow<B> {
        let mut open: Option<Run> = None;
        self.leaves(|leaf| {
            if let Some(run) = &mut open
                && run.continues(&leaf)
            {
                run.bytes += leaf.size.bytes();
                return ControlFlow::Continue(());
            }
            match open.replace(Run::of(leaf)) {
                Some(run) => visit(run),
                None => ControlFlow::Continue(()),
            }
        })?;
        open.map_or(ControlFlow::Continue(()), visit)
    }

    /// The tables of the tree, the root included.
    #[must_use]
    pub fn count_tables(&self) -> usize {
        let mut tables = 1;
        let _ = self.walk::<()>(
            ENTRIES,
            |visit| {
                tables += usize::from(is_table::<M, PTE>(visit.entry, visit.level));
                ControlFlow::Continue(())
            },
            |_| ControlFlow::Continue(()),
        );
        tables
    }
}

/// Whether `entry`, found at `level`, points to a table.
pub(super) fn is_table<M: PagingMetaData, PTE: GenericPTE>(entry: PTE, level: usize) -> bool {
    level + 1 < M::LEVELS && entry.is_present() && !entry.is_huge()
}

/// The first address that is mapped below this table, which is not empty and translates from
/// `va` on.
pub(super) fn first_mapped<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    mut table: PhysAddr,
    mut level: usize,
    va: VirtAddr,
) -> VirtAddr {
    let mut first = va.as_usize();
    let used = |table, index: &usize| !PTE::from_bits(load::<H>(table, *index)).is_unused();
    while let Some(index) = (0..ENTRIES).find(|index| used(table, index)) {
        first |= index << level_shift(level, M::LEVELS);
        let entry = PTE::from_bits(load::<H>(table, index));
        if !is_table::<M, PTE>(entry, level) {
            break;
        }
        (table, level) = (entry.paddr(), level + 1);
    }
    VirtAddr::new(first)
}

/// The leaf that `visit` shows, unless its entry is unused or a table.
fn leaf_of<M: PagingMetaData, PTE: GenericPTE>(visit: &Visit<PTE>) -> Option<Leaf> {
    let entry = visit.entry;
    if entry.is_unused() || is_table::<M, PTE>(entry, visit.level) {
        return None;
    }
    Some(Leaf {
        va: visit.va,
        pa: entry.paddr(),
        flags: entry.flags(),
        size: PageSize::of_level(visit.level, M::LEVELS)?,
        bits: entry.bits(),
    })
}
