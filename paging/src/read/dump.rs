//! A tree as text, for a shell or a test that fails: [`TableView::dump`].
//!
//! # What a line is
//! A kernel with 4 MiB of RAM as two blocks, and one page of the second made read-only:
//!
//! ```text
//! table 0x0000000000001000, level 0
//!   [0] 0xffff000000000000: table 0x0000000000002000
//!     [0] 0xffff000000000000: table 0x0000000000003000
//!       0xffff000000200000 - 0xffff0000003fffff -> 0x0000000080200000 rw- k wb     ga 2M
//!       [2] 0xffff000000400000: table 0x0000000000004000
//!         0xffff000000400000 - 0xffff000000402fff -> 0x0000000080400000 rw- k wb     ga 4K
//!         0xffff000000403000 - 0xffff000000403fff -> 0x0000000080403000 r-- k wb     ga 4K
//!         0xffff000000404000 - 0xffff0000005fffff -> 0x0000000080404000 rw- k wb     ga 4K
//! ```
//!
//! 1. Tables come in the order of addresses, each before what it leads to, indented by two for each
//!    level; in brackets the index of the entry.
//! 2. Leaves are shown as runs: 512 pages that continue each other are a line, not 512.
//! 3. A run ends at the end of its table, so that every line stands below the table that it is in,
//!    and the text shows how the tree is built, not only what it maps.
#![forbid(unsafe_code)]

use core::fmt;
use core::ops::ControlFlow;

use crate::node::descent::is_table;
use crate::node::geometry::{entries, level_bytes};
use crate::node::sharing::{PrivateTop, Sharing};
use crate::{GenericPTE, PagingHandler, PagingMetaData, TableView, Visit};

/// A tree as text, by [`Display`](fmt::Display): one line for each table, indented by level, and
/// between them one for each run of leaves. Made by [`TableView::dump`]; nothing is read before it
/// is printed.
pub struct Dump<'view, M, PTE, H, S = PrivateTop> {
    view: &'view TableView<M, PTE, H>,
    sharing: &'view S,
}

impl<'view, M, PTE, H, S> Dump<'view, M, PTE, H, S> {
    pub(crate) const fn new(view: &'view TableView<M, PTE, H>, sharing: &'view S) -> Self {
        Self { view, sharing }
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> TableView<M, PTE, H> {
    /// The tree as text, one line for each table and one for each run of leaves: the range, the
    /// first frame, the flags and the size of the leaves.
    ///
    /// ```text
    /// table 0x0000000000001000, level 0
    ///   [0] 0xffff000000000000: table 0x0000000000002000
    ///     0xffff000000000000 - 0xffff00003fffffff -> 0x0000000000000000 rw- k wb     ga 1G
    /// ```
    #[must_use]
    pub const fn dump(&self) -> Dump<'_, M, PTE, H> {
        Dump::new(self, &PrivateTop)
    }
}

impl<M, PTE, H, S> fmt::Display for Dump<'_, M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.view;
        // Tables that the writer of a shared part unlinks meanwhile are kept until the last line.
        let _walk = self.sharing.walk();
        writeln!(f, "table {}, level 0", view.root_paddr())?;
        // The walk meets every leaf; the first of a run shows the whole run, and the others find
        // that they were shown.
        let mut shown = None;
        let result = view.walk(
            entries::<M>(),
            |visit| match line(view, f, visit, &mut shown) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            },
            |_| ControlFlow::Continue(()),
        );
        match result {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }
}

/// Shows what the walk visits: a table's line, or for a leaf the line of the run that begins with
/// it. `shown` is the last address of the last run: a leaf up to there has its line already.
fn line<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    view: &TableView<M, PTE, H>,
    f: &mut fmt::Formatter<'_>,
    visit: &Visit<PTE>,
    shown: &mut Option<crate::addr::VirtAddr>,
) -> fmt::Result {
    let Visit {
        level,
        index,
        va,
        entry,
    } = *visit;
    let indent = 2 * (level + 1);
    if is_table::<M, PTE>(entry, level) {
        let table = entry.paddr();
        return writeln!(f, "{:indent$}[{index}] {va}: table {table}", "");
    }
    if shown.is_some_and(|last| va <= last) {
        return Ok(());
    }
    // Runs do not go past the table, so that they stand below its line.
    let last = va.as_usize() | (level_bytes::<M>(level) * entries::<M>() - 1);
    let last = crate::addr::VirtAddr::new(last);
    // None, if the leaf was unmapped between the two looks at it.
    let Some(run) = view.iter(va..=last).next() else {
        return Ok(());
    };
    *shown = Some(run.last());
    writeln!(f, "{:indent$}{run}", "")
}
