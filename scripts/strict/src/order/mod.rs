//! The order in which accesses of one core become visible to the others.
//!
//! | module | contents; each uses the modules above it |
//! |---|---|
//! | `stores` | stores that drain late |
//! | `effect` | the registers that an instruction needs and changes |
//! | `path` | the instructions that a core executed last: how early a load may have been performed |
//! | `overwritten` | the values that such a load may still see |
//!
//! # Decisions
//! - Order that no barrier makes is taken for order wherever the manual leaves a doubt: addresses
//!   that depend on a load, ISB, exceptions, WFE. A missing barrier is found less often for it, and
//!   no correct kernel is blamed.

mod effect;
mod overwritten;
mod path;
mod stores;

pub(crate) use overwritten::Overwritten;
pub(crate) use path::Path;
pub(crate) use stores::{Overtakes, StoreBuffer, Waiting};
