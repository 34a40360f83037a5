//! Another kernel that uses `stilt-paging`, as a stranger would write it.
//!
//! It brings what the page tables ask for and nothing else: a
//! [`PagingHandler`](stilt_paging::PagingHandler) over a pool of frames ([`Pool`]). On a machine
//! its tables are those of [`spaces`], with the instructions of the architecture that it is
//! compiled for: `make check` compiles them for four. In a test they are of any format, with a
//! [`Maintenance`](stilt_paging::Maintenance) that counts what a machine would execute
//! ([`Counted`]).
#![no_std]

mod counted;
mod pool;
pub mod spaces;

pub use counted::{Counted, Issued};
pub use pool::{FRAMES, Pool};
