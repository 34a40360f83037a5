//! Invalidations that are pending, the receipts that issue them, and readers that must be gone
//! first.

pub(crate) mod cover;
pub(crate) mod pending;
mod perform;
mod queue;
mod range;
pub(crate) mod receipt;
pub(crate) mod state;
pub(crate) mod walkers;
pub(crate) mod work;
