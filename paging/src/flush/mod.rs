//! Invalidations that are pending, the receipts that issue them, and readers that must be gone
//! first.

pub(crate) mod cover;
pub(crate) mod pending;
pub(crate) mod receipt;
pub(crate) mod walkers;
