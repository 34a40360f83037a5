//! Frames on their way into an address space: allocated and cleared, and freed again unless the
//! space takes them.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::arch::cache;
use crate::mm::extents::Extent;
use crate::mm::kernel_frames::{KernelFrames, allocate_run, frame_count};
use crate::mm::layout::phys_to_virt;
use crate::mm::left_out::free;
use crate::mm::map_request::MapRequest;
use crate::mm::space_error::SpaceError;
use crate::paging::PagingHandler;

/// Bytes that are cleared between two looks whether to go on: some milliseconds.
const BYTES_AT_ONCE: usize = 4 << 20;

/// Frames that are about to be mapped. Those that the space owns are freed on drop, unless kept.
pub(crate) struct FreshFrames(Vec<Extent>);

impl FreshFrames {
    /// `extent` alone; `None` if the heap has no room.
    pub(super) fn of(extent: Extent) -> Option<Self> {
        let mut fresh = Self(Vec::new());
        fresh.0.try_reserve(1).ok()?;
        fresh.0.push(extent);
        Some(fresh)
    }

    /// None yet.
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Frames of zeros for `request`, in rows as long as there are for its leaves: the fewer rows,
    /// the fewer extents and regions. Consecutive ones are one extent.
    pub(super) fn allocate(
        request: &MapRequest,
        may_go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Self, SpaceError> {
        let (start, bytes) = (request.va.as_usize(), request.bytes);
        let no_memory = SpaceError::NoMemory { bytes };
        let no_row = match request.alignment() {
            PAGE_SIZE => no_memory,
            bytes => SpaceError::NoSuchRun { bytes },
        };
        // What cannot be is refused before it is tried row by row.
        if bytes / PAGE_SIZE > frame_count().free {
            return Err(no_row);
        }
        let mut fresh = Self::none();
        let mut next = start;
        while next < start + bytes {
            let (least, most) = request.run_sizes(next);
            let run = Extent {
                va: VirtAddr::new(next),
                ..allocate_row(least, most).ok_or(no_row)?
            };
            if !fresh.add(run) {
                free(&run);
                return Err(no_memory);
            }
            next += run.bytes;
        }
        fresh.clear(may_go_on)?;
        Ok(fresh)
    }

    /// Makes all of them zero. `may_go_on` is asked after each [`BYTES_AT_ONCE`].
    fn clear(&self, may_go_on: &mut dyn FnMut(usize) -> bool) -> Result<(), SpaceError> {
        let (mut cleared, mut looked) = (0, 0);
        for extent in &self.0 {
            let mut rest = *extent;
            while rest.bytes > 0 {
                if cleared - looked >= BYTES_AT_ONCE {
                    looked = cleared;
                    if !may_go_on(cleared / PAGE_SIZE) {
                        return Err(SpaceError::Ended);
                    }
                }
                let bytes = rest.bytes.min(BYTES_AT_ONCE);
                clear(&Extent { bytes, ..rest });
                rest.pa = PhysAddr::new(rest.pa.as_usize() + bytes);
                rest.bytes -= bytes;
                cleared += bytes;
            }
        }
        Ok(())
    }

    /// Adds `extent`. Returns whether there was room for it.
    pub(super) fn add(&mut self, extent: Extent) -> bool {
        if let Some(last) = self.0.last_mut()
            && last.is_continued_by(&extent)
        {
            last.bytes += extent.bytes;
            return true;
        }
        let has_room = self.0.try_reserve(1).is_ok();
        if has_room {
            self.0.push(extent);
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

/// Makes the frames of `extent` zero.
pub(super) fn clear(extent: &Extent) {
    for offset in (0..extent.bytes).step_by(PAGE_SIZE) {
        KernelFrames::zero_frame(PhysAddr::new(extent.pa.as_usize() + offset));
    }
}

/// The longest row of free frames from `most` bytes down to `least`, powers of two; at address 0.
fn allocate_row(least: usize, most: usize) -> Option<Extent> {
    let sizes = core::iter::successors(Some(most), |bytes| Some(bytes / 2));
    let mut sizes = sizes.take_while(|bytes| *bytes >= least);
    sizes.find_map(|bytes| {
        Some(Extent {
            va: VirtAddr::new(0),
            pa: allocate_run(bytes)?,
            bytes,
            owned: true,
        })
    })
}
