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
//! # Rooms
//! Each room may use those above it in this table, and no other; within a room, no files use each
//! other all round.
//!
//! | room | what it knows |
//! |---|---|
//! | `addr` `flags` `error` `asid` `entry` | addresses; the words of a mapping and of a refusal; what a format has to say of an entry |
//! | `frame` `metadata` | a frame as 512 words; geometry, maintenance and frames: what an architecture and a kernel have to bring |
//! | `node` | tables in memory, where an address stands in them, and whose they are |
//! | `flush` | pending invalidations, the receipts that issue them, readers beside a writer |
//! | `read` | views, cursors, checks and dumps of a tree |
//! | `change` | one leaf, ranges, splitting and folding, batches, top-level tables that many trees share |
//! | `table` | [`PageTable64`] and all of its methods |
//! | `format` | the bits of each architecture's entries, and of AArch64's registers and `TLBI` operands |
//! | `backend` | the instructions of each architecture |
//!
//! # Decisions
//! An entry has three states: *unused* (all zero), *present*, and *inaccessible*: no right is left,
//! but it keeps its frame, size and flags, so that taking all rights away can be undone. A page's
//! entry can be a *swap entry* besides: nothing is mapped, and it holds 32 bits of the kernel's.

#![no_std]
#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::match_bool,
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
mod frame;
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
#[expect(unsafe_code, reason = "doubles of what a kernel has to bring")]
mod tests;

#[cfg(any(
    target_arch = "aarch64",
    target_arch = "loongarch64",
    target_arch = "riscv64",
    target_arch = "x86_64"
))]
pub use backend::native::{Native, NativeUser};

pub use asid::{Activation, Asid, AsidAllocator, AsidTag};
pub use change::batch::{Batch, BatchUnmapped, Flushed};
pub use change::region::mapping::RegionOptions;
pub use change::region::unmap_with::UnmappedFrame;
pub use change::share::{SharedReader, SharedTop, SharedView, SharedWriter};
pub use entry::{ENTRIES, GenericPTE, PageSize, check_frame, check_supported, check_wx};
pub use error::{PagingError, PagingResult};
pub use flags::{Attributes, MappingFlags, Rights, SoftwareBits};
pub use flush::receipt::{TlbFlush, TlbFlushAll, Unmapped};
pub use metadata::{AddressSpace, InvalidateScope, Maintenance, PagingHandler, PagingMetaData};
pub use node::sharing::{PrivateTop, Sharing};
pub use read::check::{Summary, Unsound};
pub use read::cursor::Cursor;
pub use read::dump::Dump;
pub use read::runs::{Run, Runs};
pub use read::trace::{Trace, Unreadable, Visit};
pub use read::view::{Leaf, TableView};
pub use table::PageTable64;
