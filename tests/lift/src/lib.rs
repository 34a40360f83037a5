//! Another kernel that uses `stilt-paging`, as a stranger would write it.
//!
//! It brings what the page tables ask for and nothing else: a [`PagingHandler`](stilt_paging::PagingHandler)
//! over a pool of frames ([`Pool`]) and a [`Maintenance`](stilt_paging::Maintenance) ([`Counted`]), here one
//! that counts what a machine would execute.
#![no_std]

mod counted;
mod pool;

pub use counted::{Counted, Issued};
pub use pool::{FRAMES, Pool};
