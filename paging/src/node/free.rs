//! Giving back the tables of a tree that no core uses any more: at its end, nothing is invalidated.
//! While a tree is used, its tables go by way of `flush` instead, which waits for walkers.
#![forbid(unsafe_code)]

use crate::node::descent::is_table;
use crate::node::memory::Table;
use crate::{GenericPTE, PagingHandler, PagingMetaData};

/// Gives back the tables below those entries of `table`, at `level`, that are `ours`: not those of
/// a shared top level. The entries are left as they are, and nothing may walk them any more.
pub(crate) fn free_entries<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: Table<M, PTE, H>,
    level: usize,
    ours: impl Fn(usize) -> bool,
) {
    // The handler may write to a frame as soon as it has it: what is below goes first.
    let is_ours = |index, entry| is_table::<M, PTE>(entry, level) && ours(index);
    // Most tables are of the last level, where there is nothing below: 512 of the 514 of a
    // gigabyte. A loop of its own for them is what W9 measures.
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

/// Gives back the tables below `table`, which is at `level`, not the table itself.
fn free_below<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    table: Table<M, PTE, H>,
    level: usize,
) {
    free_entries(table, level, |_| true);
}
