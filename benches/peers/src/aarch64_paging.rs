//! `aarch64-paging` 0.12 through its `Mapping`, with a `Translation` of our own for the pool.
//!
//! Marked active, as a kernel's tables are while it runs: it then checks for break-before-make and
//! invalidates. It has no query: `walk_range` over one page is what its documentation offers.
//! Unmapping is mapping without `VALID`, protecting is `modify_range`.

use core::ptr::{self, NonNull};

use ::aarch64_paging::Mapping;
use ::aarch64_paging::descriptor::{
    Descriptor, El1Attributes, PagingAttributes, PhysicalAddress, UpdatableDescriptor,
};
use ::aarch64_paging::paging::{
    Constraints, El1And0, MemoryRegion, PageTable, Translation as Translate, VaRange,
};

use crate::workloads::BASE;
use crate::{Leaves, Sizes, Subject, Translation, Zeroing, frames};

const ROOT_LEVEL: usize = 0;
const ASID: usize = 0;
/// All that is ever mapped, and more.
const EVERYTHING: MemoryRegion = MemoryRegion::new(BASE, BASE + (1 << 40));

struct Pool;

impl<A: PagingAttributes> Translate<A> for Pool {
    #[inline(always)]
    fn allocate_table(&mut self) -> (NonNull<PageTable<A>>, PhysicalAddress) {
        let pa = frames::alloc().expect("a frame");
        zero(pa);
        frames::count_zeroed();
        (pointer(pa), PhysicalAddress(pa))
    }

    #[inline(always)]
    unsafe fn deallocate_table(&mut self, table: NonNull<PageTable<A>>) {
        let pa = table.as_ptr().expose_provenance() - frames::same(0);
        // SAFETY: the library gives back what it got, when nothing leads to it any more.
        unsafe { frames::dealloc(pa) };
    }

    #[inline(always)]
    fn physical_to_virtual(&self, pa: PhysicalAddress) -> NonNull<PageTable<A>> {
        pointer(pa.0)
    }
}

/// Where the table in the frame at `pa` is.
#[inline(always)]
fn pointer<A: PagingAttributes>(pa: usize) -> NonNull<PageTable<A>> {
    let table = ptr::with_exposed_provenance_mut(frames::same(pa));
    // SAFETY: the pool's window does not begin at 0.
    unsafe { NonNull::new_unchecked(table) }
}

/// As `alloc_zeroed` with the usual allocators: by `memset`.
#[inline(always)]
fn zero(pa: usize) {
    let table = ptr::with_exposed_provenance_mut::<u8>(frames::same(pa));
    // SAFETY: the caller owns the frame, and the pool reaches it.
    unsafe { table.write_bytes(0, frames::FRAME) };
}

const NORMAL: El1Attributes = El1Attributes::VALID
    .union(El1Attributes::ACCESSED)
    .union(El1Attributes::INNER_SHAREABLE)
    .union(El1Attributes::ATTRIBUTE_INDEX_4)
    .union(El1Attributes::UXN);

/// What `protect_region` may take away.
const RIGHTS: El1Attributes = El1Attributes::READ_ONLY
    .union(El1Attributes::UXN)
    .union(El1Attributes::PXN);

/// The table.
pub struct Aarch64Paging(Mapping<Pool, El1And0>);

impl Subject for Aarch64Paging {
    const NAME: &'static str = "a64p";
    type Flags = El1Attributes;
    const READ_WRITE: El1Attributes = NORMAL.union(El1Attributes::PXN);
    const READ_ONLY: El1Attributes = Self::READ_WRITE.union(El1Attributes::READ_ONLY);
    const READ_EXECUTE: El1Attributes = NORMAL.union(El1Attributes::READ_ONLY);
    const DEVICE: El1Attributes = El1Attributes::VALID
        .union(El1Attributes::ACCESSED)
        .union(El1Attributes::ATTRIBUTE_INDEX_1)
        .union(El1Attributes::UXN)
        .union(El1Attributes::PXN);
    const ZEROING: Zeroing = Zeroing::Counted;

    #[inline(always)]
    fn new() -> Self {
        let mapping =
            Mapping::with_asid_and_va_range(Pool, ASID, ROOT_LEVEL, El1And0, VaRange::Upper);
        mapping.mark_active();
        Self(mapping)
    }

    fn flags_bits(flags: El1Attributes) -> usize {
        flags.bits()
    }

    #[inline(always)]
    fn map_region(
        &mut self,
        va: usize,
        pa: usize,
        bytes: usize,
        flags: El1Attributes,
        sizes: Sizes,
    ) {
        let constraints = match sizes {
            Sizes::Pages => Constraints::NO_BLOCK_MAPPINGS,
            Sizes::Largest => Constraints::empty(),
        };
        let region = MemoryRegion::new(va, va + bytes);
        self.0
            .map_range(&region, PhysicalAddress(pa), flags, constraints)
            .expect("a free region");
    }

    #[inline(always)]
    fn query(&self, va: usize) -> Option<Translation> {
        let mut found = None;
        let mut see = |_: &MemoryRegion, descriptor: &Descriptor<El1Attributes>, level: usize| {
            if descriptor.is_valid() {
                let size = frames::FRAME << (9 * (3 - level));
                found = Some(Translation {
                    pa: descriptor.output_address().0 | (va & (size - 1)),
                    flags: descriptor
                        .flags()
                        .difference(El1Attributes::TABLE_OR_PAGE)
                        .bits(),
                    size,
                });
            }
            Ok(())
        };
        self.0
            .walk_range(&MemoryRegion::new(va, va + 1), &mut see)
            .ok()?;
        found
    }

    #[inline(always)]
    fn map(&mut self, va: usize, pa: usize, flags: El1Attributes) {
        self.map_region(va, pa, frames::FRAME, flags, Sizes::Pages);
    }

    #[inline(always)]
    fn unmap(&mut self, va: usize) -> Option<Translation> {
        self.unmap_region(va, frames::FRAME);
        None
    }

    #[inline(always)]
    fn unmap_region(&mut self, va: usize, bytes: usize) {
        self.map_region(va, 0, bytes, El1Attributes::empty(), Sizes::Largest);
    }

    #[inline(always)]
    fn protect_region(&mut self, va: usize, bytes: usize, flags: El1Attributes) {
        let change = |_: &MemoryRegion, descriptor: &mut UpdatableDescriptor<El1Attributes>| {
            if descriptor.is_table() {
                return Ok(());
            }
            descriptor.modify_flags(flags, RIGHTS.difference(flags))
        };
        self.0
            .modify_range(&MemoryRegion::new(va, va + bytes), &change)
            .expect("a mapped region");
    }

    #[inline(always)]
    fn leaves(&self) -> Leaves {
        let mut leaves = Leaves::default();
        let mut see = |_: &MemoryRegion, descriptor: &Descriptor<El1Attributes>, _: usize| {
            if descriptor.is_valid() {
                leaves.count += 1;
                leaves.sum += descriptor.output_address().0;
            }
            Ok(())
        };
        self.0
            .walk_range(&EVERYTHING, &mut see)
            .expect("a range of the table's");
        leaves
    }

    /// It shows entries that are not used, too.
    #[inline(always)]
    fn count_leaves(&self) -> usize {
        let mut count = 0;
        let mut see = |_: &MemoryRegion, descriptor: &Descriptor<El1Attributes>, _: usize| {
            count += usize::from(descriptor.is_valid());
            Ok(())
        };
        self.0
            .walk_range(&EVERYTHING, &mut see)
            .expect("a range of the table's");
        count
    }

    #[inline(always)]
    fn zero(pa: usize) {
        zero(pa);
        frames::count_zeroed();
    }
}

impl Drop for Aarch64Paging {
    /// It may not be dropped while it is active.
    #[inline(always)]
    fn drop(&mut self) {
        self.0.mark_inactive();
    }
}
