//! Replacing one leaf by another of its size: with a break between where the architecture asks for it.
#![forbid(unsafe_code)]

use crate::addr::VirtAddr;
use crate::change::tree::Tree;
use crate::change::walk::Walked;
use crate::metadata::while_broken;
use crate::node::geometry::leaf_bytes;
use crate::node::sharing::Sharing;
use crate::{GenericPTE, PageSize, PagingHandler, PagingMetaData};

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Replaces the leaf of `size` at `place` by another of that size, and owes what must follow.
    /// Where a present leaf must not meet its successor, it is broken first.
    pub(crate) fn replace(
        &mut self,
        place: &Walked<M, PTE, H>,
        va: VirtAddr,
        size: PageSize,
        new: PTE,
    ) {
        let old = place.entry;
        if old == new {
            return;
        }
        let put = |entry| place.entry_ref.store(entry);
        match (old.is_present(), new.is_present()) {
            (true, true) if old.needs_break(new) => {
                let debt = &mut self.debt;
                while_broken::<M>(va, leaf_bytes::<M>(size), || {
                    put(old.broken());
                    debt.owe_invalidation(va, size, old);
                    debt.invalidate_broken();
                    put(new);
                    debt.owe_publication(va, size, new);
                    debt.pay();
                });
            }
            (true, _) => {
                put(new);
                self.debt.owe_invalidation(va, size, old);
            }
            (false, true) => {
                self.debt.settle_before_making(va, leaf_bytes::<M>(size));
                put(new);
                self.debt.owe_publication(va, size, new);
            }
            (false, false) => put(new),
        }
    }
}
