//! Moving through a tree: [`Cursor`], which keeps the path that it stands on.
//!
//! # A step
//! The cursor stands on the page 0x40_3000, in the table of pages for 0x40_0000..0x60_0000, and
//! `next_leaf` is called. The next mapping is the page 0x8060_0000:
//!
//! ```text
//! offset   0x40_3000                            0x8060_0000
//! path     root / L1 / L2 / pages (level 3)     root / L1 / other L2 / other pages
//! ```
//!
//! 1. The search begins where the entry ends, at 0x40_4000: nothing there. The table has no used
//!    entry after it, so the search goes on behind the table, at 0x60_0000, without 508 looks at
//!    offsets (`first_used` reads the entries in a row).
//! 2. 0x40_3000 and 0x60_0000 differ in bit 21: the path is kept down to the table of level 2, and
//!    only what is below it is walked again.
//! 3. So on up: behind that table, at 0x4000_0000, and behind the next empty entries, at
//!    0x8000_0000, which leads down to the leaf.
//!
//! Moving within a table, as from page to page, compares two words and reads one entry.
//!
//! # Beside a writer
//! Where others may change the tree, a table of the path may be unlinked, and freed, between two
//! steps. So each step walks from the root, and nothing is kept but the offset. Within a step the
//! tables are kept by `Sharing::walk`.
#![forbid(unsafe_code)]

use crate::addr::VirtAddr;
use crate::node::descent::{is_nothing, is_table};
use crate::node::geometry::{
    MAX_LEVELS, Span, check_address, entries, level_bytes, level_shift, offset_index, offset_of,
    size_of_level,
};
use crate::node::memory::Table;
use crate::node::sharing::{PrivateTop, Sharing};
use crate::{GenericPTE, Leaf, PagingHandler, PagingMetaData, PagingResult, TableView};

/// A place in a tree, with the tables on the way to it: moving within a table costs no walk.
///
/// Where others may change the tree, each step is a walk of its own, from the root, and between two
/// steps the cursor keeps no table alive.
pub struct Cursor<'view, M, PTE, H, S = PrivateTop> {
    /// The tables on the way to `offset`, the root first; behind `level`, what earlier steps left.
    tables: [Table<M, PTE, H>; MAX_LEVELS],
    /// The level of the last of them.
    level: usize,
    offset: usize,
    view: &'view TableView<M, PTE, H>,
    pub(in crate::read) sharing: &'view S,
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> TableView<M, PTE, H> {
    /// A cursor at `va`, which need not be mapped.
    ///
    /// # Errors
    /// [`PagingError::InvalidVirtAddr`](crate::PagingError::InvalidVirtAddr).
    pub fn cursor(&self, va: VirtAddr) -> PagingResult<Cursor<'_, M, PTE, H>> {
        Cursor::new(self, va, &PrivateTop)
    }
}

impl<'view, M, PTE, H, S> Cursor<'view, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// A cursor at `va` of `view`, which is shared as `sharing` says.
    pub(crate) fn new(
        view: &'view TableView<M, PTE, H>,
        va: VirtAddr,
        sharing: &'view S,
    ) -> PagingResult<Self> {
        let mut cursor = Self::at_start(view, sharing);
        cursor.seek(va)?;
        Ok(cursor)
    }

    /// A cursor at the first address of the tree, with no walk done.
    pub(in crate::read) const fn at_start(
        view: &'view TableView<M, PTE, H>,
        sharing: &'view S,
    ) -> Self {
        Self {
            tables: [view.root(); MAX_LEVELS],
            level: 0,
            offset: 0,
            view,
            sharing,
        }
    }

    /// The address that the cursor stands on: the one it was moved to, or one in the leaf that it
    /// has found.
    #[must_use]
    pub fn va(&self) -> VirtAddr {
        M::vaddr_at(self.offset)
    }

    /// Moves to `va`, which need not be mapped.
    ///
    /// # Errors
    /// [`PagingError::InvalidVirtAddr`](crate::PagingError::InvalidVirtAddr); the cursor stays.
    pub fn seek(&mut self, va: VirtAddr) -> PagingResult {
        check_address::<M>(va)?;
        let _walk = self.sharing.walk();
        self.go(offset_of::<M>(va));
        Ok(())
    }

    /// The leaf, present or inaccessible, that covers the address that the cursor stands on; `None`
    /// if nothing is mapped there.
    #[must_use]
    pub fn leaf(&self) -> Option<Leaf<PTE>> {
        let _walk = self.sharing.walk();
        if !self.view.others_write {
            return self.leaf_here();
        }
        // The path may lead through tables that are gone: another cursor walks anew, because this
        // one is borrowed.
        let mut fresh = Self::at_start(self.view, self.sharing);
        fresh.go(self.offset);
        fresh.leaf_here()
    }

    /// The leaf that the cursor stands in, as the last step has found it.
    fn leaf_here(&self) -> Option<Leaf<PTE>> {
        let size = size_of_level::<M>(self.level)?;
        let entry = self.table().load(self.index());
        if is_nothing(entry) || is_table::<M, PTE>(entry, self.level) {
            return None;
        }
        let va = M::vaddr_at(self.entry_span().start);
        Some(Leaf { va, entry, size })
    }

    /// Moves to the first leaf behind the leaf, or the unused entry, that the cursor stands in, and
    /// returns it; `None` if there is none, and then the cursor stays.
    pub fn next_leaf(&mut self) -> Option<Leaf<PTE>> {
        let _walk = self.sharing.walk();
        let from = self.entry_span().end;
        self.find_from(from)
    }

    /// Moves to the last leaf before the leaf, or the unused entry, that the cursor stands in, and
    /// returns it; `None` if there is none, and then the cursor stays.
    pub fn previous_leaf(&mut self) -> Option<Leaf<PTE>> {
        let _walk = self.sharing.walk();
        let end = self.entry_span().start;
        self.find_before(end)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a level is below the four that the array has room for"
    )]
    const fn table(&self) -> Table<M, PTE, H> {
        self.tables[self.level]
    }

    const fn index(&self) -> usize {
        offset_index::<M>(self.offset, self.level)
    }

    const fn entry_span(&self) -> Span {
        Span::of_entry::<M>(self.offset, self.level)
    }

    /// Moves to `offset`: up to the table that holds both places, and down from there. Where others
    /// write, the tables on the way may be gone: all the way up.
    #[expect(
        clippy::indexing_slicing,
        reason = "a level is below the four that the array has room for"
    )]
    fn go(&mut self, offset: usize) {
        let differs = (self.offset ^ offset) as u64;
        if self.view.others_write {
            self.level = 0;
        }
        // The table at a level translates both offsets if they agree in all bits above what it
        // translates, which is one entry of the level above.
        while self.level > 0 && differs >> level_shift::<M>(self.level - 1) != 0 {
            self.level -= 1;
        }
        self.offset = offset;
        loop {
            let entry = self.table().load(self.index());
            if !is_table::<M, PTE>(entry, self.level) {
                return;
            }
            self.level += 1;
            self.tables[self.level] = Table::at(entry.paddr());
        }
    }

    /// Moves to the first leaf that ends behind `offset`: the one that covers it, or a later one.
    pub(in crate::read) fn find_from(&mut self, mut offset: usize) -> Option<Leaf<PTE>> {
        let start = self.offset;
        while offset < 1 << M::VA_MAX_BITS {
            self.go(offset);
            let leaf = self.leaf_here();
            if leaf.is_some() {
                return leaf;
            }
            // An entry without a leaf now is not looked at again, whatever becomes of it meanwhile.
            let next = self.index() + 1;
            let used = self.table().first_used(next, entries::<M>() - next);
            let entries = used.map_or(entries::<M>() - next, |used| used - next);
            offset = self.entry_span().end + entries * level_bytes::<M>(self.level);
        }
        self.go(start);
        None
    }

    /// Moves to the last leaf that begins before `end`.
    pub(in crate::read) fn find_before(&mut self, mut end: usize) -> Option<Leaf<PTE>> {
        let start = self.offset;
        while end > 0 {
            self.go(end - 1);
            let leaf = self.leaf_here();
            if leaf.is_some() {
                return leaf;
            }
            // On to the end of the last used entry before this one, or of the table before.
            let index = self.index();
            let bytes = level_bytes::<M>(self.level);
            let table = self.entry_span().start - index * bytes;
            end = match self.table().last_used(0, index) {
                Some(last) => table + (last + 1) * bytes,
                None => table,
            };
        }
        self.go(start);
        None
    }
}
