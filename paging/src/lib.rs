#![doc = include_str!("../README.md")]
//!
//! # Where to begin
//! [`PageTable64`] owns a tree of tables; [`TableView`] reads one, also one that the hardware uses
//! and that nobody here built. A format is the meaning of an entry ([`GenericPTE`]) and of an
//! address ([`PagingMetaData`]); frames come from a [`PagingHandler`]. Every store of a descriptor,
//! every barrier and every TLB invalidation goes through a [`Maintenance`]: [`backend`] has those
//! that a machine executes, and a test records them.
//!
//! Sources: Arm DDI 0487, D8.3 (descriptors) and D8.16/D8.17 (TLB maintenance, break-before-make);
//! each file of [`format`] and [`backend`] names the chapters of its own manual.
//!
//! # A map of the crate
//! | room | what it knows |
//! |---|---|
//! | `table` | [`PageTable64`] |
//! | `entry` `flags` `error` `metadata` `asid` | what a format and a kernel have to say |
//! | `format` | the bits of each architecture's entries, and of AArch64's registers and `TLBI` operands |
//! | `node` | the memory of tables, where an address stands in them, and frames on their way out |
//! | `read` | views, cursors, checks and dumps of a tree |
//! | `change` | one leaf, ranges, splitting and merging, top-level tables that many trees share |
//! | `flush` | pending invalidations, the receipts that issue them, readers beside a writer |
//! | `backend` | the instructions of each architecture |
//!
//! # Decisions
//! An entry has three states: *unused* (all zero), *present*, and *inaccessible* (in names:
//! *retained*): no right is left, but it keeps its frame, size and flags, so that taking all rights
//! away can be undone.

#![no_std]
#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::todo,
    clippy::unreachable,
    clippy::unwrap_used
)]

#[cfg(test)]
extern crate std;

pub mod addr;
mod asid;
pub mod backend;
mod change;
mod entry;
mod error;
mod flags;
mod flush;
pub mod format;
mod metadata;
mod node;
mod read;
mod table;
#[cfg(test)]
#[expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "how tests fail"
)]
mod tests;

#[cfg(any(
    target_arch = "aarch64",
    target_arch = "loongarch64",
    target_arch = "riscv64",
    target_arch = "x86_64"
))]
pub use backend::native::{Native, NativeUser};

pub use asid::{Activation, Asid, AsidAllocator, AsidTag};
pub use change::region::RegionOptions;
pub use change::share::{Alone, SharedReader, SharedTop, SharedView, SharedWriter, Sharing};
pub use entry::{GenericPTE, PageSize, check_wx};
pub use error::{PagingError, PagingResult};
pub use flags::{MappingFlags, Rights};
pub use flush::receipt::{Batch, BatchUnmapped, Paid, TlbFlush, TlbFlushAll, Unmapped};
pub use metadata::{AddressSpace, InvalidateScope, Maintenance, PagingHandler, PagingMetaData};
pub use read::check::{Summary, Unsound};
pub use read::cursor::{Cursor, Run, Runs};
pub use read::dump::Dump;
pub use read::view::{Leaf, TableView, Visit};
pub use table::PageTable64;

/// Entries in a table of every format: 512 of 8 bytes in one 4 KiB frame.
pub const ENTRIES: usize = 512;
