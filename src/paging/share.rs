//! Top-level tables that many trees share: [`SharedTop`], which owns them.
//!
//! Where one root translates both halves (x86, RISC-V), every user's tree holds the kernel's
//! top-level entries too. The tables that these name are allocated once, here, and never
//! replaced: so the copies in the users' roots do not grow stale, whatever is mapped below them.
//! The borrow checker sees to it that the owner outlives every tree that holds them.
//!
//! ```text
//! let top = SharedTop::try_new(kernel_half, half_size)?;      // owns the tables
//! let mut kernel = PageTable64::copy_from(top.writer()?)?;   // the one tree that changes them
//! let user = PageTable64::copy_from(top.reader())?;           // trees that only use them
//! ```
#![forbid(unsafe_code)]

use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};

use super::debt::FrameChain;
use super::geometry::{Span, entries, level_bytes, level_shift};
use super::slots::Table;
use super::table::free_entries;
use super::{
    GenericPTE, Maintenance, PageTable64, PagingError, PagingHandler, PagingMetaData, PagingResult,
};
use crate::addr::{PhysAddr, VirtAddr};

mod sealed {
    /// Only this room knows what sharing means.
    pub trait Sealed {}
}

/// Which of a tree's top-level entries belong to somebody else.
pub trait Sharing<M, PTE, H>: sealed::Sealed {
    /// Their indices in the root.
    fn shared(&self) -> Range<usize>;
    /// Whether this tree may change what they lead to.
    fn writes(&self) -> bool;
    /// The entries themselves.
    fn lent(&self) -> impl Iterator<Item = (usize, PTE)>;
}

/// None: the tree is all its own.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl sealed::Sealed for Alone {}

impl<M, PTE, H> Sharing<M, PTE, H> for Alone {
    #[inline(always)]
    fn shared(&self) -> Range<usize> {
        0..0
    }

    #[inline(always)]
    fn writes(&self) -> bool {
        true
    }

    fn lent(&self) -> impl Iterator<Item = (usize, PTE)> {
        core::iter::empty()
    }
}

/// The tables below a range of top-level entries, and all below those.
///
/// # Invariants
/// `root` is the table in `frame`. Each entry in `range` of it leads to a table that came from `H` and belongs to
/// this value alone; `root` itself is never walked by the hardware.
pub struct SharedTop<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> {
    frame: PhysAddr,
    root: Table<M, PTE, H>,
    range: Range<usize>,
    written: AtomicBool,
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> SharedTop<M, PTE, H> {
    /// Empty tables for the top-level entries that translate `size` bytes from `va` on: whole
    /// entries.
    ///
    /// # Errors
    /// [`PagingError::NotAligned`] to what an entry of the root translates, those of a range,
    /// [`PagingError::NoMemory`].
    pub fn try_new(va: VirtAddr, size: usize) -> PagingResult<Self> {
        let alignment = level_bytes::<M>(0);
        for value in [va.as_usize(), size] {
            if !value.is_multiple_of(alignment) {
                return Err(PagingError::NotAligned { value, alignment });
            }
        }
        let span = Span::new::<M>(va, size)?;
        let shift = level_shift::<M>(0);
        let range = span.start >> shift..span.end >> shift;
        let mut reserve = FrameChain::<M, PTE, H>::reserve(range.len() + 1)?;
        let frame = reserve.take();
        H::zero_frame(frame);
        let root = Table::at(frame);
        for index in range.clone() {
            let table = reserve.take();
            H::zero_frame(table);
            root.store(index, PTE::new_table(table));
        }
        M::Maintenance::order_table();
        Ok(Self {
            frame,
            root,
            range,
            written: AtomicBool::new(false),
        })
    }

    /// For a tree that uses the tables and does not change them.
    #[must_use]
    pub const fn reader(&self) -> SharedReader<'_, M, PTE, H> {
        SharedReader(self)
    }

    /// For the tree that changes what is below the tables; there is one at a time.
    ///
    /// # Errors
    /// [`PagingError::Busy`] while there is another.
    pub fn writer(&self) -> PagingResult<SharedWriter<'_, M, PTE, H>> {
        if self.written.swap(true, Ordering::Acquire) {
            return Err(PagingError::Busy);
        }
        Ok(SharedWriter(self))
    }

    fn lent(&self) -> impl Iterator<Item = (usize, PTE)> {
        self.range
            .clone()
            .map(|index| (index, self.root.load(index)))
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Drop for SharedTop<M, PTE, H> {
    fn drop(&mut self) {
        free_entries(self.root, 0, |index| index < entries::<M>());
        H::dealloc_frame(self.frame);
    }
}

/// The right to use the tables of a [`SharedTop`].
pub struct SharedReader<'top, M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    &'top SharedTop<M, PTE, H>,
);

/// The right to use the tables of a [`SharedTop`] and to change what is below them.
pub struct SharedWriter<'top, M: PagingMetaData, PTE: GenericPTE, H: PagingHandler>(
    &'top SharedTop<M, PTE, H>,
);

impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Drop for SharedWriter<'_, M, PTE, H> {
    fn drop(&mut self) {
        self.0.written.store(false, Ordering::Release);
    }
}

macro_rules! sharing {
    ($name:ident, $writes:literal) => {
        impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> sealed::Sealed
            for $name<'_, M, PTE, H>
        {
        }

        impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> Sharing<M, PTE, H>
            for $name<'_, M, PTE, H>
        {
            fn shared(&self) -> Range<usize> {
                self.0.range.clone()
            }

            fn writes(&self) -> bool {
                $writes
            }

            fn lent(&self) -> impl Iterator<Item = (usize, PTE)> {
                self.0.lent()
            }
        }
    };
}

sharing!(SharedReader, false);
sharing!(SharedWriter, true);

impl<M, PTE, H, S> PageTable64<M, PTE, H, S>
where
    M: PagingMetaData,
    PTE: GenericPTE,
    H: PagingHandler,
    S: Sharing<M, PTE, H>,
{
    /// An empty table that shares the top-level tables of `sharing`, for as long as their owner
    /// is borrowed: they are seen in it at once, with whatever is mapped below them later.
    ///
    /// # Errors
    /// [`PagingError::NoMemory`] when there is no frame for the root.
    pub fn copy_from(sharing: S) -> PagingResult<Self> {
        Self::with_sharing(sharing)
    }
}

/// The physical address of the table that a shared entry leads to, for tests and dumps.
impl<M: PagingMetaData, PTE: GenericPTE, H: PagingHandler> SharedTop<M, PTE, H> {
    /// The tables that are shared, in the order of addresses.
    pub fn tables(&self) -> impl Iterator<Item = PhysAddr> {
        self.lent().map(|(_, entry)| entry.paddr())
    }
}
