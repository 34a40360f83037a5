//! Reading a tree: views, the walk of an address, cursors, checks and dumps.

pub(crate) mod check;
pub(crate) mod cursor;
pub(crate) mod dump;
pub(crate) mod runs;
pub(crate) mod trace;
pub(crate) mod view;
