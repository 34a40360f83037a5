//! Whether a change would take away what the running core stands on.
//!
//! Two kinds of ranges are looked at before anything is stored:
//!
//! 1. Each pin (`change::pins`), with all the rights that it has. The stack at
//!    0xffff_0000_0008_0000 may be given other software flags, but may not become read-only; a
//!    block of 2 MiB that holds it may not be split, because the split breaks all of it.
//! 2. For each table in the region: the page through which that table is written. Where the kernel
//!    reaches its frames through the tree itself, unmapping that page would make the next store to
//!    the table fault.
//!
//! `Request` has what a change makes of a leaf; whether the old and the new translation can
//! follow each other without a moment between is [`takes_away`].

use crate::addr::PAGE_SIZE;
use crate::change::request::{LeafChange, Request};
use crate::change::tree::Tree;
use crate::node::descent::Node;
use crate::node::geometry::{Span, leaf_bytes, offset_of, size_of_level};
use crate::node::sharing::Sharing;
use crate::{GenericPTE, MappingFlags, PagingError, PagingHandler, PagingMetaData, PagingResult};

impl<M, PTE, H, S> Tree<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// Refuses a change of `span` that would leave a pinned address, or a page through which a
    /// table of the way is written, without the translation that it has.
    #[cold]
    pub(crate) fn check_pins<C: LeafChange<PTE>>(&self, request: Request<C>) -> PagingResult {
        // Pinned pages, and the pages by which a reader reaches its own tables, may be mapped by
        // shared tables: the walk keeps those alive.
        let _walk = self.sharing().walk();
        for pin in self.pins.spans() {
            self.check_pin(*pin, MappingFlags::RIGHTS, request)?;
        }
        self.check_tables(Node::root(self.root()), request.span, request)
    }

    /// Every leaf of `pin` keeps a translation, with those of the `needed` rights that it has.
    fn check_pin<C: LeafChange<PTE>>(
        &self,
        pin: Span,
        needed: MappingFlags,
        request: Request<C>,
    ) -> PagingResult {
        let Request { span, change } = request;
        let mut offset = pin.start;
        while offset < pin.end {
            let place = self.walk_to(M::vaddr_at(offset), M::LEVELS - 1);
            let entry_span = Span::of_entry::<M>(offset, place.level);
            if let Some(size) = size_of_level::<M>(place.level)
                && place.entry.is_present()
            {
                // The hardware may hold a contiguous group as one entry: a change of a neighbour
                // breaks this leaf, too.
                let group = if place.entry.is_contiguous() {
                    PTE::CONTIGUOUS * leaf_bytes::<M>(size)
                } else {
                    leaf_bytes::<M>(size)
                };
                let start = offset / group * group;
                let all = Span {
                    start,
                    end: start + group,
                };
                let lost = || {
                    let new = change.apply(place.entry, size);
                    takes_away(place.entry, new, needed) || !span.covers(all)
                };
                // A leaf that the region covers in part is split, and so broken; unless nothing
                // changes.
                if !span.is_disjoint(all) && change.alters(place.entry, size) && lost() {
                    return Err(PagingError::Pinned {
                        va: M::vaddr_at(offset),
                    });
                }
            }
            offset = entry_span.end;
        }
        Ok(())
    }

    /// Every page through which a table of `part` is written, from `node` on, stays writable.
    fn check_tables<C: LeafChange<PTE>>(
        &self,
        node: Node<M, PTE, H>,
        part: Span,
        request: Request<C>,
    ) -> PagingResult {
        let window = node.table.window();
        if M::vaddr_is_valid(window) {
            let start = offset_of::<M>(window);
            let page = Span {
                start,
                end: start + PAGE_SIZE,
            };
            self.check_pin(page, MappingFlags::WRITE, request)?;
        }
        for index in node.rows(part).touched {
            let entry = node.table.load(index);
            if node.is_table(entry) {
                let part = part.clip(node.entry_span(index));
                self.check_tables(node.child(index, entry), part, request)?;
            }
        }
        Ok(())
    }
}

/// Whether a core that uses `old` cannot go on with `new` in its place, without a moment between,
/// or loses one of the `needed` rights. More rights for the kernel take nothing away.
fn takes_away<PTE: GenericPTE>(old: PTE, new: PTE, needed: MappingFlags) -> bool {
    let (old_flags, new_flags) = (old.flags(), new.flags());
    let lost = old_flags.difference(new_flags);
    // A page that user code may use, the kernel may not execute, and on some machines not touch.
    let given_away = new_flags.difference(old_flags).contains(MappingFlags::USER);
    !new.is_present()
        || given_away
        || lost.intersects(needed.union(MappingFlags::ACCESSED))
        || old.is_contiguous()
        || old.needs_break(new)
}
