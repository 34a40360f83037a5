//! The walk of one address: [`Trace`].
#![forbid(unsafe_code)]

use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::node::descent::is_table;
use crate::node::geometry::{assert_geometry, check_address, level_bytes, table_index};
use crate::{GenericPTE, PagingMetaData, PagingResult};

/// One entry on the way through a tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Visit<PTE> {
    /// The level of the table that holds it.
    pub level: usize,
    /// Its index in that table.
    pub index: usize,
    /// The first address that it translates.
    pub va: VirtAddr,
    /// The entry.
    pub entry: PTE,
}

/// An entry on a [`Trace`] whose memory gave no answer: no table can be there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unreadable {
    /// The level of the table that should hold it.
    pub level: usize,
    /// Its index in that table.
    pub index: usize,
    /// Where the root, or the entry one level above, says that the table is.
    pub table: PhysAddr,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "entry {} of the table at {}, level {}, cannot be read",
            self.index, self.table, self.level
        )
    }
}

impl core::error::Error for Unreadable {}

/// The walk of one address, as the hardware does it: an iterator over the entry of each level, from
/// the root's to a leaf or an entry that leads nowhere.
///
/// Each entry is read by `R`, which may fail. So it suits a fault report, a debugger or a crash
/// dump, where an entry may have been written over and lead to memory that does not exist;
/// [`TableView`](crate::TableView) trusts the tree, and is faster. A failed read is the last step,
/// an [`Unreadable`]. A loop of tables ends with the last level.
///
/// `R` is given the physical address of an entry, a multiple of 8, and returns the 64 bits there,
/// or `None` if it cannot. It is called once for each step, when the step is asked for.
///
/// A dump of a machine's memory has two tables of Sv39, and an entry that was written over: bits
/// 53:10 are the frame, bit 0 is V.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use stilt_paging::addr::{PhysAddr, VirtAddr};
/// use stilt_paging::format::riscv::{Rv64PTE, Sv39MetaData};
/// use stilt_paging::{Trace, Unreadable};
/// # use stilt_paging::{AddressSpace, InvalidateScope, Maintenance};
/// # struct Nobody;
/// # // SAFETY: nothing walks these tables.
/// # unsafe impl Maintenance for Nobody {
/// #     fn order_table() {}
/// #     fn publish() {}
/// #     fn begin_invalidation() {}
/// #     fn invalidate(_: VirtAddr, _: AddressSpace, _: InvalidateScope) {}
/// #     fn invalidate_all(_: AddressSpace) {}
/// #     fn end_invalidation() {}
/// # }
///
/// let table = |pa: u64| pa >> 12 << 10 | 1;
/// let dump = BTreeMap::from([
///     (0x8000_0000, table(0x8000_1000)), // the root, entry 0
///     (0x8000_1008, table(0xdead_0000)), // level 1, entry 1: no memory
/// ]);
/// let read = |entry: PhysAddr| dump.get(&entry.as_usize()).copied();
/// let (root, va) = (PhysAddr::new(0x8000_0000), VirtAddr::new(0x20_3000));
/// let mut trace = Trace::<Sv39MetaData<Nobody>, Rv64PTE, _>::new(root, va, read)?;
///
/// let mut next = || trace.next().map(|step| step.map(|visit| (visit.level, visit.index)));
/// let table = PhysAddr::new(0xdead_0000);
/// assert_eq!(next(), Some(Ok((0, 0))));
/// assert_eq!(next(), Some(Ok((1, 1))));
/// assert_eq!(next(), Some(Err(Unreadable { level: 2, index: 3, table })));
/// assert_eq!(next(), None);
/// # Ok::<(), stilt_paging::PagingError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is read until the iterator is used"]
pub struct Trace<M, PTE, R> {
    va: VirtAddr,
    /// The table whose entry comes next, and its level.
    next: Option<(PhysAddr, usize)>,
    read: R,
    format: PhantomData<fn() -> (M, PTE)>,
}

impl<M: PagingMetaData, PTE: GenericPTE, R: FnMut(PhysAddr) -> Option<u64>> Trace<M, PTE, R> {
    /// The walk of `va` from the root table at `root`, of which bits 11:0 are ignored, as in a
    /// TTBR or CR3. Reads nothing yet.
    ///
    /// # Errors
    /// [`PagingError::InvalidVirtAddr`](crate::PagingError::InvalidVirtAddr) if no tree of `M`
    /// translates `va`.
    pub fn new(root: PhysAddr, va: VirtAddr, read: R) -> PagingResult<Self> {
        const { assert_geometry::<M, PTE>() }
        check_address::<M>(va)?;
        Ok(Self {
            va,
            next: Some((root.align_down(PAGE_SIZE), 0)),
            read,
            format: PhantomData,
        })
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, R: FnMut(PhysAddr) -> Option<u64>> Iterator
    for Trace<M, PTE, R>
{
    type Item = Result<Visit<PTE>, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        let (table, level) = self.next.take()?;
        let index = table_index::<M>(self.va, level);
        let place = PhysAddr::new(table.as_usize() + index * size_of::<u64>());
        let Some(bits) = (self.read)(place) else {
            return Some(Err(Unreadable {
                level,
                index,
                table,
            }));
        };
        let entry = PTE::from_bits(bits);
        if is_table::<M, PTE>(entry, level) {
            self.next = Some((entry.paddr(), level + 1));
        }
        Some(Ok(Visit {
            level,
            index,
            va: self.va.align_down(level_bytes::<M>(level)),
            entry,
        }))
    }
}

impl<M: PagingMetaData, PTE: GenericPTE, R: FnMut(PhysAddr) -> Option<u64>> FusedIterator
    for Trace<M, PTE, R>
{
}
