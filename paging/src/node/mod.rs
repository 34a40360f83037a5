//! Tables as memory: their frames and entries, where an address stands in them, and frames on their
//! way out.

pub(crate) mod descent;
pub(crate) mod frame_chain;
pub(crate) mod free;
pub(crate) mod geometry;
pub(crate) mod memory;
pub(crate) mod sharing;
