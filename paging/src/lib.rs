//! Page tables: the machinery, for every 64-bit format that [`format`] describes.
//!
//! [`PageTable64`] owns a tree of tables; [`TableView`] reads one (also one that the hardware is
//! using and that nobody here built). A format is the meaning of an entry ([`GenericPTE`]) and of
//! an address ([`PagingMetaData`]); frames and their addresses come from a [`PagingHandler`].
//! Every store of a descriptor, every barrier and every TLB invalidation goes through a
//! [`Maintenance`], so that a host test can record what a machine would execute.
//!
//! A format, the meaning of an address, the maintenance and the frames are `unsafe` to implement: what
//! each must do stands with its trait, and nothing else of a user's can make this crate unsafe.
//!
//! Levels are Arm's: 0 is the root, `LEVELS - 1` the last. Sources: Arm DDI 0487, D8.3
//! (descriptors) and D8.16/D8.17 (TLB maintenance, break-before-make).
//!
//! # What an operation promises
//! * It changes exactly the leaf or the range that it names, whatever mix of sizes lies there.
//! * If it returns an error, nothing has changed: no mapping, no frame gained or lost, nothing
//!   owed. No input makes it panic.
//! * Every descriptor is written by one store, after what it leads to is complete and ordered.
//! * Where the old translation must be gone before the new one is made, it is broken first.
//! * What it owes, its receipt ([`TlbFlush`], [`TlbFlushAll`], [`Unmapped`]) pays, at the latest
//!   when it is dropped; a receipt that is leaked leaves the invalidations that it owes with the
//!   table (what it mapped may be seen late). Unlinked tables and unmapped frames come back when
//!   it is paid, not before.
//! * Tables that are left empty are freed: after unmapping everything, the root is left.
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
//! # What is shown by which test
//!
//! | claim | test |
//! |---|---|
//! | every operation does what a model of pages does, for every format, also when frames run out at any step | `tests::random` |
//! | the same for all sequences of operations on tiny trees | `tests::exhaustive` |
//! | the same for trees that share tables: all see at once what the writer does there, readers change nothing there, whoever comes and goes | `tests::share_random` |
//! | no reader of shared tables meets one that is free: between two of its steps, in the middle of a walk, on another thread | `tests::share_walks`, `tests::share_steps`, `tests::share_threads` |
//! | what is shared is invalidated under every ASID | `tests::share_asid` |
//! | barriers and invalidations are those of the manual, one by one | `tests::sequences` |
//! | no operation owes, stores or touches more than it must | `tests::due`, `tests::thrift`, `tests::outside` |
//! | no core of an adversarial machine ever uses what is gone, or sees two translations; each of the planted faults is found | `tests::oracle`, `tests::adversary` |
//! | nor where a table is handed to another core that pays, or where walkers cache invalid entries | the same |
//! | a handler that panics leaves the tree whole, and the frames with it | `tests::panics` |
//! | every descriptor means what the manual says | `tests::format_*`, `tests::descriptors` |
//! | A64 descriptors and trees say to another library's walker what they say to ours | `tests::format_aarch64_peer` |
//! | the hardware agrees: AT and PAR_EL1, loads, stores, jumps, in every format | `make test-mmu` |
//! | no known bug of other page-table libraries | `tests::regressions` |
//! | bad input is an error with values and changes nothing | `tests::bad_input`, `fuzz/` |
//! | no panic: where the code could, a lint asks why it cannot | `make check` |
//! | the tests would notice: each line changed in turn | `make mutants`, `tests/mutants.md` |
//!
//! # Decisions
//! An entry has three states: *unused* (all zero), *present*, and *retained*: not accessible, but
//! it keeps its frame, size and flags, so that taking all rights away can be undone.

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
mod mutants;
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
