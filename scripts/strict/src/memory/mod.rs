//! RAM in two copies: what the caches hold, and what memory holds.
//!
//! All caches of the cluster are coherent with each other, so one copy ([`View::Cached`]) stands for
//! all of them, and one ([`View::Memory`]) for the point of coherency, which cores without caches,
//! the GPU and non-cacheable table walks see. The copies of a line differ after a write through one
//! of them until cache maintenance, or an eviction by chance, makes them equal:
//!
//! 1. core 1, caches off, writes a flag: memory has it, and a cache may still hold the line as it
//!    was (state [`Line::Stale`]);
//! 2. core 0, caches on, reads the old value, for ever;
//! 3. core 0 executes DC IVAC and a DSB: the line is gone, the next read comes from memory.
//!
//! # Decisions
//! - Levels, sets and ways are not modelled: no rule depends on them.
//! - A seed decides what hardware may do or not: whether a dirty line was evicted before an uncached
//!   access, whether a clean one stayed, whether DC IVAC wrote a dirty line back first.

mod code;
mod fetched;
mod mixed;
mod page;
mod ram;
mod writers;

pub(crate) use code::Codes;
pub(crate) use page::{FRAME, LINE};
pub(crate) use ram::{Caches, Caching, LineOperation, Memory, Note, Placed, View};
