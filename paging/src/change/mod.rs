//! Changing a tree: one leaf, ranges, splitting and merging, and top-level tables that many trees share.

pub(crate) mod batch;
pub(crate) mod compact;
pub(crate) mod leaf;
pub(crate) mod pins;
pub(crate) mod region;
pub(crate) mod replace;
pub(crate) mod request;
pub(crate) mod share;
pub(crate) mod tree;
pub(crate) mod walk;
