//! `page_table_multiarch` 0.6: the format of the CPU that it is compiled for, which is the only one
//! it then has.
//!
//! Its cursor keeps up to 32 addresses and flushes them, or everything, when it is dropped: one
//! cursor a call is what its documentation shows. Off the bare machine it leaves flushing out.

use core::cell::Cell;
use core::ptr;

use ::memory_addr::{PhysAddr, VirtAddr};
use ::page_table_multiarch::{GenericPTE, MappingFlags, PageSize, PageTable64, PagingHandler};

use crate::{Leaves, Sizes, Subject, Translation, Zeroing, frames};

#[cfg(target_arch = "aarch64")]
#[path = "a64.rs"]
mod format;
#[cfg(target_arch = "x86_64")]
#[path = "x64.rs"]
mod format;

use format::{DEVICE, Entry, MetaData};

struct Pool;

impl PagingHandler for Pool {
    #[inline(always)]
    fn alloc_frames(_count: usize, _align: usize) -> Option<PhysAddr> {
        frames::alloc().map(PhysAddr::from_usize)
    }

    #[inline(always)]
    fn dealloc_frames(pa: PhysAddr, _count: usize) {
        // SAFETY: the library gives back what it got, when nothing leads to it any more.
        unsafe { frames::dealloc(pa.as_usize()) };
    }

    #[inline(always)]
    fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
        VirtAddr::from_usize(frames::same(pa.as_usize()))
    }
}

/// The table.
pub struct Multiarch(PageTable64<MetaData, Entry, Pool>);

impl Subject for Multiarch {
    const NAME: &'static str = "ptm";
    type Flags = MappingFlags;
    const READ_WRITE: MappingFlags = MappingFlags::READ.union(MappingFlags::WRITE);
    const READ_ONLY: MappingFlags = MappingFlags::READ;
    const READ_EXECUTE: MappingFlags = MappingFlags::READ.union(MappingFlags::EXECUTE);
    const DEVICE: MappingFlags = Self::READ_WRITE.union(DEVICE);
    const ZEROING: Zeroing = Zeroing::EveryFrameTaken;

    #[inline(always)]
    fn new() -> Self {
        Self(PageTable64::try_new().expect("a frame"))
    }

    fn flags_bits(flags: MappingFlags) -> usize {
        flags.bits()
    }

    #[inline(always)]
    fn map_region(
        &mut self,
        va: usize,
        pa: usize,
        bytes: usize,
        flags: MappingFlags,
        sizes: Sizes,
    ) {
        let frame = |page: VirtAddr| PhysAddr::from_usize(page.as_usize() - va + pa);
        let huge = sizes == Sizes::Largest;
        self.0
            .cursor()
            .map_region(VirtAddr::from_usize(va), frame, bytes, flags, huge)
            .expect("a free region");
    }

    #[inline(always)]
    fn query(&self, va: usize) -> Option<Translation> {
        let (pa, flags, size) = self.0.query(VirtAddr::from_usize(va)).ok()?;
        Some(Translation {
            pa: pa.as_usize(),
            flags: flags.bits(),
            size: size as usize,
        })
    }

    #[inline(always)]
    fn map(&mut self, va: usize, pa: usize, flags: MappingFlags) {
        let (va, pa) = (VirtAddr::from_usize(va), PhysAddr::from_usize(pa));
        self.0
            .cursor()
            .map(va, pa, PageSize::Size4K, flags)
            .expect("a free page");
    }

    #[inline(always)]
    fn unmap(&mut self, va: usize) -> Option<Translation> {
        let (pa, flags, size) = self
            .0
            .cursor()
            .unmap(VirtAddr::from_usize(va))
            .expect("a mapped page");
        Some(Translation {
            pa: pa.as_usize(),
            flags: flags.bits(),
            size: size as usize,
        })
    }

    #[inline(always)]
    fn unmap_region(&mut self, va: usize, bytes: usize) {
        self.0
            .cursor()
            .unmap_region(VirtAddr::from_usize(va), bytes)
            .expect("a mapped region");
    }

    #[inline(always)]
    fn protect_region(&mut self, va: usize, bytes: usize, flags: MappingFlags) {
        self.0
            .cursor()
            .protect_region(VirtAddr::from_usize(va), bytes, flags)
            .expect("a mapped region");
    }

    /// Its walk shows tables too, and takes a closure that must not change what it captures: hence
    /// the cell.
    #[inline(always)]
    fn leaves(&self) -> Leaves {
        let leaves = Cell::new(Leaves::default());
        let visit = |level: usize, _: usize, _: VirtAddr, entry: &Entry| {
            if level == 3 || entry.is_huge() {
                let Leaves { count, sum } = leaves.get();
                leaves.set(Leaves {
                    count: count + 1,
                    sum: sum + entry.paddr().as_usize(),
                });
            }
        };
        self.0.walk(usize::MAX, Some(&visit), None);
        leaves.get()
    }

    #[inline(always)]
    fn count_leaves(&self) -> usize {
        let count = Cell::new(0);
        let visit = |level: usize, _: usize, _: VirtAddr, entry: &Entry| {
            if level == 3 || entry.is_huge() {
                count.set(count.get() + 1);
            }
        };
        self.0.walk(usize::MAX, Some(&visit), None);
        count.get()
    }

    #[inline(always)]
    fn zero(pa: usize) {
        let table = ptr::with_exposed_provenance_mut::<u8>(frames::same(pa));
        // SAFETY: the caller owns the frame, and the pool reaches it.
        unsafe { table.write_bytes(0, frames::FRAME) };
    }
}
