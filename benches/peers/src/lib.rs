//! Stilt's page tables and other libraries' on the same work, the same frames and the same
//! yardstick.
//!
//! [`workloads`] is what is done, [`Subject`] what it is done to; [`frames`] is where all of them
//! get their tables. Two programs run it: `machine` on QEMU's raspi3b, where the CPU's own counter
//! gives exact numbers, and `host` on the machine that builds.
//!
//! | subject | what it is | how it is used |
//! |---|---|---|
//! | [`stilt`] | this project | every receipt is flushed; in the kernel's format, on the host also in x86-64's |
//! | [`stilt::Grouped`] | the same | with contiguous groups; W1, W6 and W11 only |
//! | [`multiarch`] | `page_table_multiarch` | one cursor a call, which flushes when it is dropped |
//! | [`aarch64_paging`] | `aarch64-paging` | marked active: what a running kernel has to use |
//! | [`floor`] | nobody's | no checks, no maintenance, no decoding: what cannot be undercut by much |
//! | `generic`, `x86` | `page-table-generic`, `x86_64` | on the host only |
//!
//! # What is counted
//! Every call is `#[inline(never)]`, and so is the loop around it; both are counted. What a query
//! finds is decoded: address, flags, size. Barriers and invalidations count as the instructions
//! that they are. Zeroing new tables is taken out: the number of tables that were zeroed, times
//! what zeroing one costs that library ([`Subject::zero`]).
//!
//! Table, addresses, flags, sizes and results pass through `black_box`: nothing that is measured is
//! made for a caller that the compiler knows ([`workloads`]).
//!
//! # Decisions
//! * No figure without a check: after each workload, sample queries, the number of leaves and the
//!   frames in use are compared with what the workload says they must be; a mismatch ends the
//!   program.
//! * The subjects see plain numbers for addresses: conversions cost no instruction.
#![no_std]

pub mod frames;
mod random;
pub mod workloads;

pub mod aarch64_paging;
pub mod floor;
#[cfg(feature = "host")]
pub mod generic;
pub mod multiarch;
pub mod stilt;
#[cfg(feature = "host")]
pub mod x86;

/// What an address translates to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Translation {
    /// The physical address itself, not only its frame.
    pub pa: usize,
    /// The flags in the library's own numbers.
    pub flags: usize,
    /// Bytes of the leaf.
    pub size: usize,
}

impl Translation {
    /// One number that all of it goes into.
    #[inline(always)]
    #[must_use]
    pub const fn fold(self) -> usize {
        self.pa ^ self.flags ^ self.size
    }
}

/// What a walk over all leaves gathers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Leaves {
    /// How many there are.
    pub count: usize,
    /// The sum of their physical addresses.
    pub sum: usize,
}

/// Which leaves a region is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sizes {
    /// 4 KiB pages only.
    Pages,
    /// The largest that alignment and length allow.
    Largest,
}

/// How the number of tables that were zeroed is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Zeroing {
    /// Code of ours zeroes them, and counts.
    Counted,
    /// The library does: every frame that it takes, and it gives none back before it is dropped.
    EveryFrameTaken,
}

/// A page table to be measured. What fails here panics: nothing that the workloads ask for may
/// fail.
///
/// Addresses are multiples of 4 KiB but for [`Subject::query`]'s.
pub trait Subject: Sized {
    /// What tables of figures call it.
    const NAME: &'static str;
    /// The library's flags.
    type Flags: Copy;
    /// Kernel data.
    const READ_WRITE: Self::Flags;
    /// Kernel constants.
    const READ_ONLY: Self::Flags;
    /// Kernel code.
    const READ_EXECUTE: Self::Flags;
    /// Device registers.
    const DEVICE: Self::Flags;
    /// How zeroed tables are counted.
    const ZEROING: Zeroing;

    /// A table that maps nothing.
    fn new() -> Self;
    /// The number that [`Subject::query`] gives for `flags`.
    fn flags_bits(flags: Self::Flags) -> usize;
    /// Maps `bytes` from `va` to the frames from `pa` on.
    fn map_region(&mut self, va: usize, pa: usize, bytes: usize, flags: Self::Flags, sizes: Sizes);
    /// What `va` translates to.
    fn query(&self, va: usize) -> Option<Translation>;
    /// Maps one page.
    fn map(&mut self, va: usize, pa: usize, flags: Self::Flags);
    /// Unmaps one page. What it was, if the library says so.
    fn unmap(&mut self, va: usize) -> Option<Translation>;
    /// Unmaps `bytes` from `va`, all of them mapped.
    fn unmap_region(&mut self, va: usize, bytes: usize);
    /// Gives `bytes` from `va`, all of them mapped, other flags.
    fn protect_region(&mut self, va: usize, bytes: usize, flags: Self::Flags);
    /// Visits every leaf.
    fn leaves(&self) -> Leaves;
    /// Visits every leaf with a visitor that only counts, and is inlined.
    fn count_leaves(&self) -> usize;
    /// Zeroes the frame at `pa` as this library zeroes a new table.
    fn zero(pa: usize);
}
