//! Changing a tree: one leaf, ranges, splitting and folding, and top-level tables that many trees
//! share.
//!
//! A change of one leaf is in `leaf` (and `replace`); of a range in `region`, which may split what
//! it covers in part; `compact` folds, `group` makes contiguous groups, `aging` takes accessed
//! flags, and `swap` leaves 32 bits where a page was. All walk with `walk`,
//! and leave with the pending flush of the [`Tree`](tree::Tree) what must be invalidated before the
//! change may be relied on.

pub(crate) mod aging;
pub(crate) mod batch;
pub(crate) mod compact;
pub(crate) mod group;
pub(crate) mod leaf;
pub(crate) mod pins;
pub(crate) mod region;
pub(crate) mod replace;
pub(crate) mod request;
pub(crate) mod share;
pub(crate) mod swap;
pub(crate) mod tree;
pub(crate) mod walk;
