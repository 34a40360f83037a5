//! Giving back the tables of a tree that no core uses any more: at its end, nothing is invalidated.
#![forbid(unsafe_code)]

use crate::node::descent::is_table;
use crate::node::memory::Table;
use crate::{GenericPTE, PagingHandler, PagingMetaData};

/// Gives back the tables below those entries of `table`, at `level`, that are `ours`.
pub(crate) fn free_entries<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: Table<M, PTE, H>,
    level: usize,
    ours: impl Fn(usize) -> bool,
) {
    let is_ours = |index, entry| is_table::<M, PTE>(entry, level) && ours(index);
    // Most tables are of the last level, where there is nothing below.
    if level + 2 == M::LEVELS {
        return table.each_used(|index, entry: PTE| {
            if is_ours(index, entry) {
                H::dealloc_frame(entry.paddr());
            }
        });
    }
    table.each_used(|index, entry: PTE| {
        if is_ours(index, entry) {
            free_below(Table::<M, PTE, H>::at(entry.paddr()), level + 1);
            H::dealloc_frame(entry.paddr());
        }
    });
}

/// Gives back the tables below `table`, which is at `level`.
fn free_below<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: Table<M, PTE, H>,
    level: usize,
) {
    free_entries(table, level, |_| true);
}
