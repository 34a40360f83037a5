//! The frames at a physical address, for a space that wants just these.
//!
//! Each is free, and is taken and cleared, or belongs to a space, and is shared with it: then it is
//! free when the last of them gives it up. Nobody gets a device, the image, a table, or what else
//! the kernel has.
#![forbid(unsafe_code)]

use alloc::sync::Arc;

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::board::raspi3::KERNEL_VA_OFFSET;
use crate::mm::extents::Extent;
use crate::mm::fresh_frames::{FreshFrames, clear};
use crate::mm::kernel_frames::{self, allocate_at, is_allocatable};
use crate::mm::kernel_space::{DEVICES, live_view};
use crate::mm::left_out::free;
use crate::mm::space_error::SpaceError;
use crate::mm::symbols;
use crate::mm::user_space::{self, UserSpace};
use crate::mm::user_tables::each_table;
use crate::paging::Visit;
use crate::paging::format::aarch64::A64PTE;

/// The frames from `pa` on, for `bytes` from `va` on. All or nothing.
///
/// # Errors
/// [`SpaceError::NotAFrame`] for the first that is neither free nor a space's;
/// [`SpaceError::NoMemory`] of the heap.
pub(super) fn take(va: VirtAddr, pa: PhysAddr, bytes: usize) -> Result<FreshFrames, SpaceError> {
    let no_memory = SpaceError::NoMemory { bytes };
    let spaces = user_space::all()?;
    let mut taken = FreshFrames::none();
    let mut done = 0;
    while done < bytes {
        let pa = PhysAddr::new(pa.as_usize().wrapping_add(done));
        if !is_allocatable(pa) {
            return Err(what_is_at(pa, &spaces));
        }
        let row = Extent {
            va: VirtAddr::new(va.as_usize() + done),
            pa,
            bytes: PAGE_SIZE,
            owned: true,
        };
        let row = if allocate_at(pa) {
            clear(&row);
            row
        } else {
            let bytes = bytes - done;
            let shared = share_with_owner(&spaces, Extent { bytes, ..row });
            shared.ok_or_else(|| what_is_at(pa, &spaces))?
        };
        if !taken.add(row) {
            free(&row);
            return Err(no_memory);
        }
        done += row.bytes;
    }
    Ok(taken)
}

/// Shares the first frames of `wanted` with the space that has them: as many as lie in one of its
/// extents. `None` if none does.
fn share_with_owner(spaces: &[Arc<UserSpace>], wanted: Extent) -> Option<Extent> {
    spaces.iter().find_map(|space| {
        // While the list is looked at, the space keeps its frames.
        let shared = space.inspect(|extents, _| {
            let owned = extents.iter().filter(|extent| extent.owned);
            let part = owned
                .filter_map(|extent| first_part(extent, wanted))
                .next()?;
            share(&part).then_some(part)
        });
        shared.ok()?
    })
}

/// The first frames of `wanted` that `extent` has: as many as it has from there on.
fn first_part(extent: &Extent, wanted: Extent) -> Option<Extent> {
    let offset = wanted.pa.as_usize().checked_sub(extent.pa.as_usize())?;
    let left = extent.bytes.checked_sub(offset).filter(|left| *left > 0)?;
    let bytes = wanted.bytes.min(left);
    Some(Extent { bytes, ..wanted })
}

/// One more owner for each frame of `extent`, if it is a space's own; or for none. Returns whether
/// all have it.
pub(super) fn share(extent: &Extent) -> bool {
    if !extent.owned {
        return true;
    }
    for offset in (0..extent.bytes).step_by(PAGE_SIZE) {
        if !kernel_frames::share(PhysAddr::new(extent.pa.as_usize() + offset)) {
            free(&Extent {
                bytes: offset,
                ..*extent
            });
            return false;
        }
    }
    true
}

/// Why the frame at `pa` is not for a space.
fn what_is_at(pa: PhysAddr, spaces: &[Arc<UserSpace>]) -> SpaceError {
    let image = symbols::image();
    let is_device = DEVICES.iter().any(|(_, start, size, _)| {
        let offset = pa.as_usize().checked_sub(start.as_usize());
        offset.is_some_and(|offset| offset < *size)
    });
    let what = if is_device {
        "a device"
    } else if !is_allocatable(pa) && (image.park..image.end).contains(&pa) {
        "the kernel's image"
    } else if !is_allocatable(pa) {
        "no RAM of the kernel's"
    } else if is_kernel_table(pa) || spaces.iter().any(|space| has_table(space, pa)) {
        "a page table"
    } else {
        "in use by the kernel"
    };
    SpaceError::NotAFrame { pa, what }
}

fn is_kernel_table(pa: PhysAddr) -> bool {
    let view = live_view();
    let trace = |va, step: &mut dyn FnMut(&Visit<A64PTE>)| {
        let traced = view.trace(va, step);
        debug_assert!(traced.is_ok(), "an address of the high half");
    };
    let mut found = false;
    let looked = each_table(view.root_paddr(), KERNEL_VA_OFFSET, &trace, &mut |table| {
        found |= table.pa == pa;
        Ok::<(), SpaceError>(())
    });
    looked.is_ok() && found
}

fn has_table(space: &UserSpace, pa: PhysAddr) -> bool {
    let mut found = false;
    let looked = space.each_table(&mut |table| {
        found |= table.pa == pa;
        Ok::<(), SpaceError>(())
    });
    looked.is_ok() && found
}
