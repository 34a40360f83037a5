//! This project's `PageTable64`, in the format of the Raspberry Pi 3 as the kernel has it, and in
//! x86-64's.

use core::marker::PhantomData;
use core::ops::ControlFlow;

use ::stilt_paging::addr::{PhysAddr, VirtAddr};
use ::stilt_paging::format::aarch64::{A64MetaData, A64PTE, HighHalf};
use ::stilt_paging::format::x86_64::{X64MetaData, X64PTE};
use ::stilt_paging::{
    Attributes, GenericPTE, Leaf, MappingFlags, PageSize, PageTable64, PagingHandler,
    PagingMetaData, RegionOptions, SoftwareBits,
};

use crate::workloads::Ours;
use crate::{Leaves, Sizes, Subject, Translation, Zeroing, frames};

#[cfg(not(target_os = "none"))]
#[path = "host.rs"]
mod maintenance;
#[cfg(target_os = "none")]
#[path = "machine.rs"]
mod maintenance;

pub use maintenance::Tlb;

/// Bits of a physical address on the Cortex-A53.
const PA_BITS: usize = 40;

struct Pool;

// SAFETY: the pool gives each frame to one owner until it is given back; they are 4 KiB of ordinary
// memory, which `to_virt` reaches.
unsafe impl PagingHandler for Pool {
    #[inline(always)]
    fn alloc_frame() -> Option<PhysAddr> {
        frames::alloc().map(PhysAddr::new)
    }

    #[inline(always)]
    fn dealloc_frame(pa: PhysAddr) {
        // SAFETY: the library gives back what it got, when nothing leads to it any more.
        unsafe { frames::dealloc(pa.as_usize()) };
    }

    #[inline(always)]
    fn phys_to_virt(pa: PhysAddr) -> VirtAddr {
        VirtAddr::new(frames::to_virt(pa.as_usize()))
    }

    #[inline(always)]
    fn zero_frame(pa: PhysAddr) {
        frames::zero(pa.as_usize());
        frames::count_zeroed();
    }
}

/// How a table is used, and in which format.
pub trait Variant {
    /// What figures call it.
    const NAME: &'static str;
    /// What [`Sizes::Pages`] allows.
    const PAGES: RegionOptions;
    /// Geometry and maintenance.
    type MetaData: PagingMetaData;
    /// The entries.
    type Entry: GenericPTE;
}

/// The kernel's format.
pub struct A64;

impl Variant for A64 {
    const NAME: &'static str = "stilt";
    const PAGES: RegionOptions = RegionOptions::empty();
    type MetaData = A64MetaData<HighHalf, Tlb, PA_BITS>;
    type Entry = A64PTE;
}

/// The kernel's format with contiguous groups.
pub struct Grouped;

impl Variant for Grouped {
    const NAME: &'static str = "grouped";
    const PAGES: RegionOptions = RegionOptions::CONTIGUOUS;
    type MetaData = A64MetaData<HighHalf, Tlb, PA_BITS>;
    type Entry = A64PTE;
}

/// x86-64's format.
pub struct X64;

impl Variant for X64 {
    const NAME: &'static str = "stilt-x64";
    const PAGES: RegionOptions = RegionOptions::empty();
    type MetaData = X64MetaData<Tlb>;
    type Entry = X64PTE;
}

const DATA: MappingFlags = MappingFlags::READ
    .union(MappingFlags::WRITE)
    .union(MappingFlags::GLOBAL)
    .union(MappingFlags::ACCESSED);

/// The table.
pub struct Stilt<V: Variant>(
    PageTable64<V::MetaData, V::Entry, Pool>,
    PhantomData<fn() -> V>,
);

impl<V: Variant> Subject for Stilt<V> {
    const NAME: &'static str = V::NAME;
    type Flags = MappingFlags;
    const READ_WRITE: MappingFlags = DATA;
    const READ_ONLY: MappingFlags = DATA.difference(MappingFlags::WRITE);
    const READ_EXECUTE: MappingFlags = Self::READ_ONLY.union(MappingFlags::EXECUTE);
    const DEVICE: MappingFlags = DATA.union(MappingFlags::DEVICE);
    const ZEROING: Zeroing = Zeroing::Counted;

    #[inline(always)]
    fn new() -> Self {
        Self(PageTable64::try_new().expect("a frame"), PhantomData)
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
        let options = match sizes {
            Sizes::Pages => V::PAGES,
            Sizes::Largest => RegionOptions::HUGE,
        };
        self.0
            .map_region(VirtAddr::new(va), PhysAddr::new(pa), bytes, flags, options)
            .expect("a free region")
            .flush();
    }

    #[inline(always)]
    fn query(&self, va: usize) -> Option<Translation> {
        let (pa, flags, size) = self.0.query(VirtAddr::new(va)).ok()?;
        Some(Translation {
            pa: pa.as_usize(),
            flags: flags.bits(),
            size: size.bytes(),
        })
    }

    #[inline(always)]
    fn map(&mut self, va: usize, pa: usize, flags: MappingFlags) {
        let (va, pa) = (VirtAddr::new(va), PhysAddr::new(pa));
        self.0
            .map(va, pa, PageSize::Size4K, flags)
            .expect("a free page")
            .flush();
    }

    #[inline(always)]
    fn unmap(&mut self, va: usize) -> Option<Translation> {
        let unmapped = self.0.unmap(VirtAddr::new(va)).expect("a mapped page");
        let (flags, size) = (unmapped.flags().bits(), unmapped.size().bytes());
        let pa = unmapped.flush().as_usize();
        Some(Translation { pa, flags, size })
    }

    #[inline(always)]
    fn unmap_region(&mut self, va: usize, bytes: usize) {
        self.0
            .unmap_region(VirtAddr::new(va), bytes)
            .expect("a region")
            .flush();
    }

    #[inline(always)]
    fn protect_region(&mut self, va: usize, bytes: usize, flags: MappingFlags) {
        self.0
            .protect_region(VirtAddr::new(va), bytes, flags)
            .expect("a region")
            .flush();
    }

    #[inline(always)]
    fn leaves(&self) -> Leaves {
        let mut leaves = Leaves::default();
        let _ = self.0.view().leaves::<()>(|leaf| {
            leaves.count += 1;
            leaves.sum += leaf.paddr().as_usize();
            ControlFlow::Continue(())
        });
        leaves
    }

    #[inline(always)]
    fn count_leaves(&self) -> usize {
        let mut count = 0;
        let _ = self.0.view().leaves::<()>(|_| {
            count += 1;
            ControlFlow::Continue(())
        });
        count
    }

    #[inline(always)]
    fn zero(pa: usize) {
        <Pool as PagingHandler>::zero_frame(PhysAddr::new(pa));
    }
}

impl<V: Variant> Ours for Stilt<V> {
    #[inline(always)]
    fn make_read_only(&mut self, va: usize, bytes: usize) {
        let without_write = |flags: MappingFlags| flags.difference(MappingFlags::WRITE);
        self.0
            .protect_region_with(VirtAddr::new(va), bytes, without_write)
            .expect("a region")
            .flush();
    }

    #[inline(always)]
    fn unmap_and_sum(&mut self, va: usize, bytes: usize) -> usize {
        let mut sum = 0;
        self.0
            .unmap_region_with(VirtAddr::new(va), bytes, |frame| sum += frame.pa.as_usize())
            .expect("a region");
        sum
    }

    #[inline(always)]
    fn map_frames(&mut self, va: usize, frames: &[PhysAddr], flags: MappingFlags) {
        self.0
            .map_frames(VirtAddr::new(va), frames, PageSize::Size4K, flags)
            .expect("free pages")
            .flush();
    }

    #[inline(always)]
    fn mark(&mut self, va: usize, bytes: usize) {
        let mark = |leaf: Attributes| Attributes {
            software: leaf.software | SoftwareBits::SOFTW1,
            ..leaf
        };
        self.0
            .update_region_with(VirtAddr::new(va), bytes, mark)
            .expect("a region")
            .flush();
    }

    #[inline(always)]
    fn age(&mut self, va: usize, bytes: usize) -> usize {
        let mut used = 0;
        let count = |leaf: Leaf<V::Entry>| {
            used += usize::from(leaf.flags().contains(MappingFlags::ACCESSED));
        };
        self.0
            .test_and_clear_accessed(VirtAddr::new(va), bytes, count)
            .expect("a region")
            .flush();
        used
    }

    #[inline(always)]
    fn swap_out(&mut self, va: usize, value: u32) -> usize {
        let unmapped = self.0.swap_out(VirtAddr::new(va), value);
        unmapped.expect("a mapped page").flush().as_usize()
    }

    #[inline(always)]
    fn swap_in(&mut self, va: usize, pa: usize, flags: MappingFlags) -> u32 {
        let va = VirtAddr::new(va);
        let value = self.0.swap_entry(va).expect("a swap entry");
        self.0
            .swap_in(va, PhysAddr::new(pa), flags)
            .expect("a swap entry")
            .flush();
        value
    }

    fn marked(&self) -> usize {
        let mut count = 0;
        let _ = self.0.view().leaves::<()>(|leaf| {
            count += usize::from(leaf.software().contains(SoftwareBits::SOFTW1));
            ControlFlow::Continue(())
        });
        count
    }
}
