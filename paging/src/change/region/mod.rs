//! Ranges: mapping, unmapping and changing every leaf in one, on any mix of leaf sizes.
//!
//! Each works in two passes: the first checks everything and counts the tables that the second
//! will need; they are reserved in between. The second pass cannot fail.

pub(crate) mod change;
pub(crate) mod map;
pub(crate) mod mapping;
pub(crate) mod pinned;
pub(crate) mod protect_with;
pub(crate) mod split;
pub(crate) mod unmap_with;
