//! Another kernel that took Stilt's paging room over: `src/paging` and `src/addr.rs`, as they
//! stand, and nothing else of it.
//!
//! What is its own is all that the room asks for: a [`PagingHandler`](paging::PagingHandler) over
//! a pool of frames ([`Pool`]) and a [`Maintenance`](paging::Maintenance) ([`Counted`]), here one
//! that counts what a machine would execute. Its one dependency is `bitflags`.
//!
//! The files are taken by path, not copied, so that this crate stops to build the day they need
//! something else.
#![no_std]

#[path = "../../../src/addr.rs"]
pub mod addr;
#[path = "../../../src/paging/mod.rs"]
pub mod paging;

mod counted;
mod pool;

pub use counted::{Counted, Issued};
pub use pool::{FRAMES, Pool};
