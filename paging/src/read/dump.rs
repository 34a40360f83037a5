//! A tree for people to read: [`TableView::dump`].
#![forbid(unsafe_code)]

use core::fmt;
use core::ops::ControlFlow;

use crate::node::descent::is_table;
use crate::node::geometry::{entries, level_bytes};
use crate::node::sharing::{PrivateTop, Sharing};
use crate::{GenericPTE, PagingHandler, PagingMetaData, TableView, Visit};

/// A tree as text: its tables, indented by level, and between them the runs of leaves.
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
    /// The tree as text, one line a table and one a run of leaves:
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
        let _walk = self.sharing.walk();
        writeln!(f, "table {}, level 0", view.root_paddr())?;
        // The leaves of a table are shown as runs when the first of them is met.
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

/// Shows a table, or the run that begins with a leaf, unless it was `shown` already: then that is
/// the last address that was.
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
    let Some(run) = view.iter(va..=last).next() else {
        return Ok(());
    };
    *shown = Some(run.last());
    writeln!(f, "{:indent$}{run}", "")
}
