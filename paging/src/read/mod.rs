//! Reading a tree: views, cursors, checks and dumps.

pub(crate) mod check;
pub(crate) mod cursor;
pub(crate) mod dump;
pub(crate) mod view;
