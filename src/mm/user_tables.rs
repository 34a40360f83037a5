//! The tables of a tree, one by one: where each stands, and how full it is.
//!
//! A table is found by the descriptor that leads to it, which also counts its used entries
//! (`paging::format::aarch64`): its leaves are not looked at.
#![forbid(unsafe_code)]

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::mm::space_error::SpaceError;
use crate::mm::user_space::UserSpace;
use crate::paging::format::aarch64::A64PTE;
use crate::paging::{GenericPTE, Visit};

/// Levels of the tree.
pub(super) const LEVELS: usize = 4;
/// Bits of an address that index a table.
const INDEX_BITS: usize = 9;

/// A table of a tree.
#[derive(Clone, Copy, Debug)]
pub struct TableFrame {
    /// Its level: 0 is the root.
    pub level: usize,
    /// The frame that it is in.
    pub pa: PhysAddr,
    /// The first address that it translates.
    pub va: VirtAddr,
    /// How many bytes it translates.
    pub bytes: usize,
    /// How many of its 512 entries are used.
    pub used: usize,
}

/// Bytes that an entry at `level` translates: 2 MiB at level 2.
const fn entry_bytes(level: usize) -> usize {
    PAGE_SIZE << (INDEX_BITS * (LEVELS - 1 - level))
}

/// Walks `va`, and shows each entry on the way.
pub(super) type Trace<'a> = &'a dyn Fn(VirtAddr, &mut dyn FnMut(&Visit<A64PTE>));

/// Shows `each` every table of a tree that is not changed meanwhile, the root first, then by
/// address with those above before those below. The tree translates from `base` on, and `trace`
/// walks it.
///
/// # Errors
/// Those of `each`.
pub(super) fn each_table<E>(
    root: PhysAddr,
    base: usize,
    trace: Trace<'_>,
    each: &mut dyn FnMut(TableFrame) -> Result<(), E>,
) -> Result<(), E> {
    let bytes = entry_bytes(0) << INDEX_BITS;
    let is_used = |index: &usize| {
        let mut used = false;
        let va = VirtAddr::new(base + index * entry_bytes(0));
        trace(va, &mut |visit| used |= !visit.entry.is_unused());
        used
    };
    each(TableFrame {
        level: 0,
        pa: root,
        va: VirtAddr::new(base),
        bytes,
        used: (0..1 << INDEX_BITS).filter(is_used).count(),
    })?;
    let mut offset = 0;
    while offset < bytes {
        let va = VirtAddr::new(base + offset);
        let mut tables = [None; LEVELS - 1];
        let mut last = 0;
        trace(va, &mut |visit| {
            last = visit.level;
            if let Some(slot) = tables.get_mut(visit.level) {
                *slot = table_behind(visit, va);
            }
        });
        tables.into_iter().flatten().try_for_each(&mut *each)?;
        // What is below an entry without a table is passed with it.
        let passed = entry_bytes(last.min(LEVELS - 2));
        offset = (offset / passed + 1) * passed;
    }
    Ok(())
}

impl UserSpace {
    /// Shows `each` every table, as `each_table` does. The space is not changed meanwhile;
    /// interrupts stay as they are.
    ///
    /// # Errors
    /// [`SpaceError::Busy`] during a change; those of `each`.
    pub fn each_table<E: From<SpaceError>>(
        &self,
        each: &mut dyn FnMut(TableFrame) -> Result<(), E>,
    ) -> Result<(), E> {
        let trace = |va, step: &mut dyn FnMut(&Visit<A64PTE>)| {
            self.with_view(&mut |view| {
                let traced = view.trace(va, &mut *step);
                debug_assert!(traced.is_ok(), "an address of the low half");
            });
        };
        self.inspect(|_, root| each_table(root, 0, &trace, each))?
    }
}

/// The table that the entry of `visit` leads to, if `va` is the first address that it translates.
fn table_behind(visit: &Visit<A64PTE>, va: VirtAddr) -> Option<TableFrame> {
    let Visit { level, entry, .. } = *visit;
    let bytes = entry_bytes(level);
    let is_table = entry.is_present() && !entry.is_huge();
    (is_table && va.is_aligned(bytes)).then(|| TableFrame {
        level: level + 1,
        pa: entry.paddr(),
        va,
        bytes,
        used: entry.count(),
    })
}
