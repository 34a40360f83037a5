//! Frames on their way into an address space: allocated and cleared, and freed again unless the
//! space takes them.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::arch::cache;
use crate::mm::extents::Extent;
use crate::mm::kernel_frames::{KernelFrames, frame_count};
use crate::mm::layout::phys_to_virt;
use crate::mm::space_error::SpaceError;
use crate::paging::PagingHandler;

/// Pages that are cleared between two looks whether to go on: 4 MiB, some milliseconds.
const PAGES_AT_ONCE: usize = 1024;

/// Frames that are about to be mapped. Those that the space owns are freed on drop, unless kept.
pub(super) struct FreshFrames(Vec<Extent>);

impl FreshFrames {
    /// `extent` alone; `None` if the heap has no room.
    pub(super) fn of(extent: Extent) -> Option<Self> {
        let mut fresh = Self(Vec::new());
        fresh.0.try_reserve(1).ok()?;
        fresh.0.push(extent);
        Some(fresh)
    }

    /// Frames of zeros for `bytes` from `va` on; consecutive ones as one extent.
    pub(super) fn allocate(
        va: VirtAddr,
        bytes: usize,
        may_go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Self, SpaceError> {
        let (pages, no_memory) = (bytes / PAGE_SIZE, SpaceError::NoMemory { bytes });
        // What cannot be is refused before gigabytes are cleared.
        if pages > frame_count().free {
            return Err(no_memory);
        }
        let mut fresh = Self(Vec::new());
        for page in 0..pages {
            if page % PAGES_AT_ONCE == PAGES_AT_ONCE - 1 && !may_go_on(page) {
                return Err(SpaceError::Ended);
            }
            let pa = KernelFrames::alloc_frame().ok_or(no_memory)?;
            let va = VirtAddr::new(va.as_usize() + page * PAGE_SIZE);
            if !fresh.add(va, pa) {
                KernelFrames::dealloc_frame(pa);
                return Err(no_memory);
            }
            KernelFrames::zero_frame(pa);
        }
        Ok(fresh)
    }

    /// Whether there was room for it.
    fn add(&mut self, va: VirtAddr, pa: PhysAddr) -> bool {
        if let Some(last) = self.0.last_mut()
            && last.pa.as_usize() + last.bytes == pa.as_usize()
        {
            last.bytes += PAGE_SIZE;
            return true;
        }
        let has_room = self.0.try_reserve(1).is_ok();
        if has_room {
            self.0.push(Extent {
                va,
                pa,
                bytes: PAGE_SIZE,
                owned: true,
            });
        }
        has_room
    }

    /// All of them.
    pub(super) fn as_slice(&self) -> &[Extent] {
        &self.0
    }

    /// They are somebody's.
    pub(super) fn keep(mut self) -> Vec<Extent> {
        core::mem::take(&mut self.0)
    }
}

impl Drop for FreshFrames {
    fn drop(&mut self) {
        self.0.iter().for_each(free);
    }
}

/// Lets cores execute what the frames of `extent` hold.
pub(super) fn make_executable(extent: &Extent) {
    let start = phys_to_virt(extent.pa).as_usize();
    cache::make_executable(start, start + extent.bytes);
}

/// Gives the frames of `extent` back, if they are a space's own.
pub(super) fn free(extent: &Extent) {
    if !extent.owned {
        return;
    }
    for offset in (0..extent.bytes).step_by(PAGE_SIZE) {
        KernelFrames::dealloc_frame(PhysAddr::new(extent.pa.as_usize() + offset));
    }
}
