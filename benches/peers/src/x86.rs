//! `x86_64` 0.15: its `OffsetPageTable`.
//!
//! It maps page by page: regions are loops over its pages, flushes are ignored, as there is nobody
//! to tell. Empty tables go by `clean_up_addr_range` after a region, as its documentation proposes.
//! It has no walk over leaves and no drop: both are recursions over its tables, written here.

use core::ptr;

use x86_64::structures::paging::mapper::{CleanUp, MappedFrame, Translate, TranslateResult};
use x86_64::structures::paging::page::PageRange;
use x86_64::structures::paging::{
    FrameAllocator, FrameDeallocator, Mapper, OffsetPageTable, Page, PageTable, PageTableFlags,
    PhysFrame, Size1GiB, Size2MiB, Size4KiB,
};
use x86_64::{PhysAddr, VirtAddr};

use crate::{Leaves, Sizes, Subject, Translation, Zeroing, frames};

const LAST_LEVEL: usize = 3;

struct Pool;

// SAFETY: the pool gives each frame to one owner until it is given back.
unsafe impl FrameAllocator<Size4KiB> for Pool {
    #[inline(always)]
    fn allocate_frame(&mut self) -> Option<PhysFrame> {
        frames::alloc().map(|pa| PhysFrame::containing_address(PhysAddr::new(pa as u64)))
    }
}

impl FrameDeallocator<Size4KiB> for Pool {
    #[inline(always)]
    unsafe fn deallocate_frame(&mut self, frame: PhysFrame) {
        // SAFETY: the library gives back what it got, when nothing leads to it any more.
        unsafe { frames::dealloc(frame.start_address().as_u64() as usize) };
    }
}

/// The table at `pa`.
#[inline(always)]
fn table_at(pa: usize) -> *mut PageTable {
    ptr::with_exposed_provenance_mut(frames::same(pa))
}

/// The table, and the frame of its root.
pub struct X86(OffsetPageTable<'static>, usize);

impl X86 {
    #[inline(always)]
    fn map_one<S: x86_64::structures::paging::PageSize>(
        &mut self,
        va: usize,
        pa: usize,
        flags: PageTableFlags,
    ) where
        OffsetPageTable<'static>: Mapper<S>,
    {
        let page = Page::<S>::containing_address(VirtAddr::new(va as u64));
        let frame = PhysFrame::<S>::containing_address(PhysAddr::new(pa as u64));
        // SAFETY: nothing is ever reached through the mapping.
        let mapped = unsafe { self.0.map_to(page, frame, flags, &mut Pool) };
        match mapped {
            Ok(flush) => flush.ignore(),
            Err(_) => panic!("a free page"),
        }
    }
}

#[inline(always)]
fn pages(va: usize, bytes: usize) -> PageRange<Size4KiB> {
    let page = |va: usize| Page::containing_address(VirtAddr::new(va as u64));
    Page::range(page(va), page(va + bytes))
}

/// Visits the leaves below the table at `pa`.
fn each_leaf(pa: usize, level: usize, visit: &mut impl FnMut(PhysAddr)) {
    // SAFETY: it is a table of this tree, which nobody changes meanwhile.
    let table = unsafe { &*table_at(pa) };
    for entry in table.iter() {
        if entry.is_unused() {
            continue;
        }
        if level == LAST_LEVEL || entry.flags().contains(PageTableFlags::HUGE_PAGE) {
            visit(entry.addr());
        } else {
            each_leaf(entry.addr().as_u64() as usize, level + 1, visit);
        }
    }
}

fn free(pa: usize, level: usize) {
    if level < LAST_LEVEL {
        // SAFETY: it is a table of this tree, which nobody uses any more.
        let table = unsafe { &*table_at(pa) };
        for entry in table.iter() {
            if !entry.is_unused() && !entry.flags().contains(PageTableFlags::HUGE_PAGE) {
                free(entry.addr().as_u64() as usize, level + 1);
            }
        }
    }
    // SAFETY: it came from the pool, and nobody uses it any more.
    unsafe { frames::dealloc(pa) };
}

impl Subject for X86 {
    const NAME: &'static str = "x86_64";
    type Flags = PageTableFlags;
    const READ_WRITE: PageTableFlags = PageTableFlags::PRESENT
        .union(PageTableFlags::WRITABLE)
        .union(PageTableFlags::NO_EXECUTE);
    const READ_ONLY: PageTableFlags = PageTableFlags::PRESENT.union(PageTableFlags::NO_EXECUTE);
    const READ_EXECUTE: PageTableFlags = PageTableFlags::PRESENT;
    const DEVICE: PageTableFlags = Self::READ_WRITE.union(PageTableFlags::NO_CACHE);
    const ZEROING: Zeroing = Zeroing::EveryFrameTaken;

    #[inline(always)]
    fn new() -> Self {
        let root = frames::alloc().expect("a frame");
        Self::zero(root);
        // SAFETY: the frame is this table's alone until it is dropped.
        let table = unsafe { &mut *table_at(root) };
        let offset = VirtAddr::new(frames::same(0) as u64);
        // SAFETY: the pool's frames are all reached at this offset.
        Self(unsafe { OffsetPageTable::new(table, offset) }, root)
    }

    fn flags_bits(flags: PageTableFlags) -> usize {
        flags.bits() as usize
    }

    #[inline(always)]
    fn map_region(
        &mut self,
        va: usize,
        pa: usize,
        bytes: usize,
        flags: PageTableFlags,
        sizes: Sizes,
    ) {
        const GIB: usize = 1 << 30;
        const BLOCK: usize = 1 << 21;
        let mut done = 0;
        while done < bytes {
            let (va, pa, rest) = (va + done, pa + done, bytes - done);
            let fits = |size: usize| {
                sizes == Sizes::Largest && (va | pa).is_multiple_of(size) && rest >= size
            };
            done += if fits(GIB) {
                self.map_one::<Size1GiB>(va, pa, flags);
                GIB
            } else if fits(BLOCK) {
                self.map_one::<Size2MiB>(va, pa, flags);
                BLOCK
            } else {
                self.map_one::<Size4KiB>(va, pa, flags);
                frames::FRAME
            };
        }
    }

    #[inline(always)]
    fn query(&self, va: usize) -> Option<Translation> {
        match self.0.translate(VirtAddr::new(va as u64)) {
            TranslateResult::Mapped {
                frame,
                offset,
                flags,
            } => Some(Translation {
                pa: (frame.start_address().as_u64() + offset) as usize,
                flags: flags.difference(PageTableFlags::HUGE_PAGE).bits() as usize,
                size: match frame {
                    MappedFrame::Size4KiB(_) => 1 << 12,
                    MappedFrame::Size2MiB(_) => 1 << 21,
                    MappedFrame::Size1GiB(_) => 1 << 30,
                },
            }),
            _ => None,
        }
    }

    #[inline(always)]
    fn map(&mut self, va: usize, pa: usize, flags: PageTableFlags) {
        self.map_one::<Size4KiB>(va, pa, flags);
    }

    /// It says the frame; flags are not asked for.
    #[inline(always)]
    fn unmap(&mut self, va: usize) -> Option<Translation> {
        let page = Page::<Size4KiB>::containing_address(VirtAddr::new(va as u64));
        let (_, flush) = self.0.unmap(page).expect("a mapped page");
        flush.ignore();
        None
    }

    #[inline(always)]
    fn unmap_region(&mut self, va: usize, bytes: usize) {
        for page in pages(va, bytes) {
            self.0.unmap(page).expect("a mapped page").1.ignore();
        }
        let whole = Page::range_inclusive(pages(va, bytes).start, pages(va, bytes).end - 1);
        // SAFETY: the tables that it frees are empty, and no CPU walks them.
        unsafe { self.0.clean_up_addr_range(whole, &mut Pool) };
    }

    #[inline(always)]
    fn protect_region(&mut self, va: usize, bytes: usize, flags: PageTableFlags) {
        for page in pages(va, bytes) {
            // SAFETY: nothing is ever reached through the mapping.
            let updated = unsafe { self.0.update_flags(page, flags) };
            updated.expect("a mapped page").ignore();
        }
    }

    #[inline(always)]
    fn leaves(&self) -> Leaves {
        let mut leaves = Leaves::default();
        each_leaf(self.1, 0, &mut |pa| {
            leaves.count += 1;
            leaves.sum += pa.as_u64() as usize;
        });
        leaves
    }

    #[inline(always)]
    fn count_leaves(&self) -> usize {
        let mut count = 0;
        each_leaf(self.1, 0, &mut |_| count += 1);
        count
    }

    /// As it zeroes its own: entry by entry.
    #[inline(always)]
    fn zero(pa: usize) {
        // SAFETY: the caller owns the frame.
        unsafe { table_at(pa).write(PageTable::new()) };
    }
}

impl Drop for X86 {
    #[inline(always)]
    fn drop(&mut self) {
        free(self.1, 0);
    }
}
