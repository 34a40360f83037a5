//! Replacing one leaf by another of its size.
//!
//! Whether the old and the new leaf are present, and whether both may be cached at a time, decides
//! between five sequences.
//!
//! | old | new | sequence |
//! |---|---|---|
//! | any | differs in its software bits alone | store: the hardware ignores them |
//! | present | present, must not meet the old | break, invalidate, make, publish; at once |
//! | present | present or inaccessible | store; the invalidation is pending |
//! | inaccessible | present | store; the publication is pending |
//! | inaccessible | inaccessible | store: no TLB holds either |
//!
//! The page at 0x40_0000, read-write on frame 0x8000_0000: read-only on that frame is the third
//! row (a core that goes on writing for a moment does what it was allowed to); read-write on frame
//! 0x9000_0000 is the second, because two cores could see two frames (DDI 0487 D8.17.1).
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
    /// Replaces the leaf of `size` at `place` by another of that size, and queues what must
    /// follow. Where a present leaf must not meet its successor, it is broken first.
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
        if (old.bits() ^ new.bits()) & !PTE::SOFTWARE == 0 {
            put(new);
            return;
        }
        // Nothing of the old leaf may be cached when the new one appears. Whatever else was pending
        // is issued together with it, so that the receipt finds nothing left.
        match (old.is_present(), new.is_present()) {
            (true, true) if old.needs_break(new) => {
                let pending = &mut self.pending;
                while_broken::<M>(va, leaf_bytes::<M>(size), || {
                    put(old.broken());
                    pending.queue_invalidation(va, size, old);
                    pending.invalidate_broken();
                    put(new);
                    pending.queue_publication(va, size, new);
                    pending.flush();
                });
            }
            // The old translation may be used until the receipt has issued the invalidation: it is
            // the caller who must not rely on the change before.
            (true, _) => {
                put(new);
                self.pending.queue_invalidation(va, size, old);
            }
            // An older translation of these addresses, of a leaf that was unmapped in this batch,
            // may still be pending: it goes first.
            (false, true) => {
                self.pending.flush_before_making(va, leaf_bytes::<M>(size));
                put(new);
                self.pending.queue_publication(va, size, new);
            }
            (false, false) => put(new),
        }
    }
}
