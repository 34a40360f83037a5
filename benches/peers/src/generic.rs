//! `page-table-generic` 0.9, with an A64 entry of ours: it has no formats of its own.
//!
//! Regions go through `map` with one configuration, which is its fastest way; its walk shows every
//! entry, used or not.

use core::ptr;

use ax_memory_addr::{PhysAddr, VirtAddr};
use page_table_generic::{
    FrameAllocator, MapConfig, PageTable, PageTableEntry, TableMeta, WalkConfig,
};

use crate::workloads::BASE;
use crate::{Leaves, Sizes, Subject, Translation, Zeroing, frames};

const ADDRESS: u64 = 0x0000_ffff_ffff_f000;
const VALID: u64 = 1;
const NOT_BLOCK: u64 = 0b10;
const NORMAL: u64 = 0x0040_0000_0000_0711;
/// All that is ever mapped, and more.
const END: usize = BASE + (1 << 40);

#[derive(Clone)]
struct Pool;

impl FrameAllocator for Pool {
    #[inline(always)]
    fn alloc_frame(&self) -> Option<PhysAddr> {
        frames::alloc().map(PhysAddr::from_usize)
    }

    #[inline(always)]
    fn dealloc_frame(&self, frame: PhysAddr) {
        // SAFETY: the library gives back what it got, when nothing leads to it any more.
        unsafe { frames::dealloc(frame.as_usize()) };
    }

    #[inline(always)]
    fn phys_to_virt(&self, pa: PhysAddr) -> *mut u8 {
        ptr::with_exposed_provenance_mut(frames::same(pa.as_usize()))
    }
}

/// A descriptor; its configuration is all of a leaf but the address and bit 1.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
struct Entry(u64);

impl PageTableEntry for Entry {
    type PteConfig = u64;

    fn new_page(pa: PhysAddr, config: u64, is_huge: bool) -> Self {
        let kind = if is_huge { 0 } else { NOT_BLOCK };
        Self(pa.as_usize() as u64 | config | kind)
    }

    fn new_table(pa: PhysAddr) -> Self {
        Self(pa.as_usize() as u64 | NOT_BLOCK | VALID)
    }

    fn paddr(&self, _is_dir: bool) -> PhysAddr {
        PhysAddr::from_usize((self.0 & ADDRESS) as usize)
    }

    fn config(&self, _is_dir: bool) -> u64 {
        self.0 & !(ADDRESS | NOT_BLOCK)
    }

    fn present(&self) -> bool {
        self.0 & VALID != 0
    }

    fn huge(&self, is_dir: bool) -> bool {
        is_dir && self.0 & (VALID | NOT_BLOCK) == VALID
    }

    fn unused(&self) -> bool {
        self.0 == 0
    }

    fn clear(&mut self) {
        self.0 = 0;
    }
}

#[derive(Clone, Copy)]
struct Meta;

impl TableMeta for Meta {
    type P = Entry;
    const PAGE_SIZE: usize = frames::FRAME;
    const LEVEL_BITS: &[usize] = &[9, 9, 9, 9];
    const MAX_BLOCK_LEVEL: usize = 3;

    fn canonicalize_vaddr(va: VirtAddr) -> VirtAddr {
        VirtAddr::from_usize(va.as_usize() | BASE)
    }

    fn flush(_va: Option<VirtAddr>) {}
}

/// The table.
pub struct Generic(PageTable<Meta, Pool>);

impl Generic {
    #[inline(always)]
    fn each_leaf(&self, mut visit: impl FnMut(Entry)) {
        let range = WalkConfig {
            start_vaddr: VirtAddr::from_usize(BASE),
            end_vaddr: VirtAddr::from_usize(END),
        };
        for entry in self.0.walk_all(range) {
            if entry.is_final_mapping {
                visit(entry.pte);
            }
        }
    }
}

impl Subject for Generic {
    const NAME: &'static str = "generic";
    type Flags = u64;
    const READ_WRITE: u64 = NORMAL | 1 << 53;
    const READ_ONLY: u64 = Self::READ_WRITE | 1 << 7;
    const READ_EXECUTE: u64 = NORMAL | 1 << 7;
    const DEVICE: u64 = 0x0060_0000_0000_0405;
    const ZEROING: Zeroing = Zeroing::EveryFrameTaken;

    #[inline(always)]
    fn new() -> Self {
        Self(PageTable::new(Pool).expect("a frame"))
    }

    fn flags_bits(flags: u64) -> usize {
        flags as usize
    }

    #[inline(always)]
    fn map_region(&mut self, va: usize, pa: usize, bytes: usize, flags: u64, sizes: Sizes) {
        let config = MapConfig {
            vaddr: VirtAddr::from_usize(va),
            paddr: PhysAddr::from_usize(pa),
            size: bytes,
            pte: flags,
            allow_huge: sizes == Sizes::Largest,
            flush: false,
        };
        self.0.map(&config).expect("a free region");
    }

    #[inline(always)]
    fn query(&self, va: usize) -> Option<Translation> {
        let (pa, config, size) = self.0.query(VirtAddr::from_usize(va)).ok()?;
        Some(Translation {
            pa: pa.as_usize(),
            flags: config as usize,
            size,
        })
    }

    #[inline(always)]
    fn map(&mut self, va: usize, pa: usize, flags: u64) {
        let (va, pa) = (VirtAddr::from_usize(va), PhysAddr::from_usize(pa));
        self.0
            .map_page(va, pa, frames::FRAME, flags)
            .expect("a free page");
    }

    #[inline(always)]
    fn unmap(&mut self, va: usize) -> Option<Translation> {
        let unmapped = self.0.unmap_page(VirtAddr::from_usize(va));
        let (pa, config, size) = unmapped.expect("a mapped page");
        Some(Translation {
            pa: pa.as_usize(),
            flags: config as usize,
            size,
        })
    }

    #[inline(always)]
    fn unmap_region(&mut self, va: usize, bytes: usize) {
        self.0
            .unmap(VirtAddr::from_usize(va), bytes)
            .expect("a mapped region");
    }

    #[inline(always)]
    fn protect_region(&mut self, va: usize, bytes: usize, flags: u64) {
        self.0
            .protect_region(VirtAddr::from_usize(va), bytes, flags)
            .expect("a mapped region");
    }

    #[inline(always)]
    fn leaves(&self) -> Leaves {
        let mut leaves = Leaves::default();
        self.each_leaf(|entry| {
            leaves.count += 1;
            leaves.sum += entry.paddr(false).as_usize();
        });
        leaves
    }

    #[inline(always)]
    fn count_leaves(&self) -> usize {
        let mut count = 0;
        self.each_leaf(|_| count += 1);
        count
    }

    #[inline(always)]
    fn zero(pa: usize) {
        frames::zero(pa);
    }
}
