//! Frames on their way into an address space: allocated and cleared, and freed again unless the
//! space takes them.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::arch::cache;
use crate::mm::extents::Extent;
use crate::mm::frames::Order;
use crate::mm::kernel_frames::{KernelFrames, allocate_long_run, allocate_run, frame_count};
use crate::mm::layout::phys_to_virt;
use crate::mm::left_out::free;
use crate::mm::map_request::MapRequest;
use crate::mm::space_error::SpaceError;
use crate::paging::PagingHandler;

/// Bytes that are cleared between two looks whether to go on: some milliseconds.
const BYTES_AT_ONCE: usize = 4 << 20;

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

    /// None yet.
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Frames of zeros for `request`, in rows as long as its leaves ask for; consecutive ones as
    /// one extent.
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
        // What cannot be is refused before gigabytes are cleared.
        if bytes / PAGE_SIZE > frame_count().free {
            return Err(no_row);
        }
        let mut fresh = Self::none();
        let (mut next, mut looked) = (start, start);
        while next < start + bytes {
            if next - looked >= BYTES_AT_ONCE {
                looked = next;
                if !may_go_on((next - start) / PAGE_SIZE) {
                    return Err(SpaceError::Ended);
                }
            }
            let run = match request.run_orders(next) {
                Some((least, most)) => allocate_row(least, most),
                None => allocate_long_row(request.alignment()),
            };
            let run = run.ok_or(no_row)?;
            let run = Extent {
                va: VirtAddr::new(next),
                ..run
            };
            if !fresh.add(run) {
                free(&run);
                return Err(no_memory);
            }
            clear(&run);
            next += run.bytes;
        }
        Ok(fresh)
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

/// The longest row of free frames from `most` down to `least`, at address 0.
fn allocate_row(least: Order, most: Order) -> Option<Extent> {
    let mut orders = Order::all().rev();
    let row = orders.find_map(|order| {
        let pa = (least..=most).contains(&order).then(|| allocate_run(order));
        Some((pa??, order))
    });
    let (pa, order) = row?;
    Some(owned_row(pa, order.bytes()))
}

/// Free frames of `bytes` in a row, more than the allocator's largest block has, at address 0.
fn allocate_long_row(bytes: usize) -> Option<Extent> {
    Some(owned_row(allocate_long_run(bytes)?, bytes))
}

const fn owned_row(pa: PhysAddr, bytes: usize) -> Extent {
    Extent {
        va: VirtAddr::new(0),
        pa,
        bytes,
        owned: true,
    }
}
