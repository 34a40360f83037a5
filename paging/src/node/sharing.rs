//! The top-level tables of a tree that belong to another owner: [`Sharing`], and [`PrivateTop`] for
//! a tree that has all of its tables to itself.
//!
//! Trees that share tables are in `change::share`; this file is what reading, changing and flushing
//! have to ask of any tree. A tree of the kernel half, say, has the root entries 256..512 from its
//! owner: `shared()` is 256..512, `shared_entries()` yields these entries for a new root, and
//! `writes()` says whether this tree may change what they lead to.
#![forbid(unsafe_code)]

use core::ops::{Deref, Range};

use crate::node::frame_chain::FrameChain;
use crate::{GenericPTE, PagingHandler, PagingMetaData};

pub(crate) mod sealed {
    use super::{Deref, FrameChain, GenericPTE, PagingHandler, PagingMetaData, Range};

    /// The top-level entries of a tree that lead to tables of another owner, and how they may be
    /// used.
    /// Only this crate knows what sharing means.
    pub trait Sealed<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> {
        /// A borrowed tree that is read by many steps.
        type View<'tree, T: 'tree>: Deref<Target = T>
        where
            Self: 'tree;
        /// As long as there is one, no table is freed that a walk which began later can come to.
        type Walk;

        /// The indices of these entries in the root; empty where the tree is all its own.
        fn shared(&self) -> Range<usize>;
        /// Whether this tree may change what these entries lead to.
        fn writes(&self) -> bool;
        /// Whether another tree's owner may change what they lead to while this tree is read.
        fn others_write(&self) -> bool;
        /// The entries themselves, each with its index, for a new root.
        fn shared_entries(&self) -> impl Iterator<Item = (usize, PTE)>;
        /// Begins a walk of the tree by software: see `flush::walkers`.
        fn walk(&self) -> Self::Walk;
        /// `tree`, which has these entries, to be read; what is shared is kept alive meanwhile.
        fn view<'tree, T>(&'tree self, tree: &'tree T) -> Self::View<'tree, T>;
        /// Gives tables back to the handler that were unlinked and invalidated, or keeps them until
        /// no walk by software can be in them.
        fn release(&self, freed: &mut FrameChain<M, PTE, H>);
    }
}

/// Says which of a tree's top-level tables are another owner's, and may be changed: [`PrivateTop`],
/// [`SharedReader`](crate::SharedReader), [`SharedWriter`](crate::SharedWriter).
pub trait Sharing<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>:
    sealed::Sealed<M, PTE, H>
{
}

/// A tree that shares no tables: all of them are its own, and are freed with it.
#[derive(Clone, Copy, Debug)]
pub struct PrivateTop;

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Sharing<M, PTE, H> for PrivateTop {}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> sealed::Sealed<M, PTE, H>
    for PrivateTop
{
    type View<'tree, T: 'tree> = &'tree T;
    type Walk = ();

    #[inline(always)]
    fn shared(&self) -> Range<usize> {
        0..0
    }

    #[inline(always)]
    fn writes(&self) -> bool {
        true
    }

    #[inline(always)]
    fn others_write(&self) -> bool {
        false
    }

    fn shared_entries(&self) -> impl Iterator<Item = (usize, PTE)> {
        core::iter::empty()
    }

    #[inline(always)]
    fn walk(&self) {}

    #[inline(always)]
    fn view<'tree, T>(&'tree self, tree: &'tree T) -> &'tree T {
        tree
    }

    #[inline(always)]
    fn release(&self, freed: &mut FrameChain<M, PTE, H>) {
        freed.release();
    }
}
