//! Invalidations that are left out on purpose, to see a stale translation; and the frames that are
//! kept until they are made up for.
//!
//! ```text
//! touch r 0x400000 user       core 0 caches 0x400000 -> 0x1f2000
//! tlb skip, as unmap 0x400000 4K
//!                             the entry is cleared; `tlbi vale1is` is not executed
//! touch r 0x400000 user       core 0 still reads, and could write, frame 0x1f2000
//! as ...                      everything is invalidated; frame 0x1f2000 is free
//! ```
//!
//! 1. Between [`begin`] and [`end`] a change of a space invalidates nothing
//!    ([`crate::arch::maintenance`]). What it gives up is kept: frames, because
//!    whoever has the stale translation may write to them, and tables, because a walk may come to
//!    them by a cached pointer. What they hold stays as it is.
//! 2. [`heal`] invalidates everything on every core, and waits. Then the frames are free.
//!
//! Whoever begins a change heals first, and so does the end of a space: no stale translation meets
//! a new one for its address, and an ASID does not get another space with one.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use crate::addr::{PAGE_SIZE, PhysAddr};
use crate::arch::maintenance;
use crate::arch::tlb;
use crate::arch::try_lock::TryLock;
use crate::mm::extents::Extent;
use crate::mm::kernel_frames::KernelFrames;
use crate::paging::PagingHandler;

/// Tables that are kept at most: they come where the heap cannot be asked. With more of them
/// everything is invalidated at once.
const TABLES: usize = 64;

/// Frames and tables that were given up and are not free yet.
struct Kept {
    /// Whether invalidations were left out, and not made up for.
    is_stale: bool,
    tables: [PhysAddr; TABLES],
    /// How many.
    count: usize,
    extents: Vec<Extent>,
}

static KEPT: TryLock<Kept> = TryLock::new(Kept::NOTHING);

impl Kept {
    const NOTHING: Self = Self {
        is_stale: false,
        tables: [PhysAddr::new(0); TABLES],
        count: 0,
        extents: Vec::new(),
    };
}

/// From here on this core's changes of spaces invalidate nothing.
pub fn begin() {
    if let Some(mut kept) = KEPT.try_lock() {
        kept.is_stale = true;
        maintenance::leave_out();
    }
}

/// Ends [`begin`]: changes invalidate again.
pub fn end() {
    maintenance::leave_nothing_out();
}

/// Whether translations may be stale.
#[must_use]
pub fn is_stale() -> bool {
    KEPT.try_lock().is_none_or(|kept| kept.is_stale)
}

/// Makes up for what was left out: everything is invalidated on every core, and what was kept is
/// free. Nothing happens if nothing was left out.
pub fn heal() {
    maintenance::leave_nothing_out();
    let kept = match KEPT.try_lock() {
        Some(mut kept) if kept.is_stale => core::mem::replace(&mut *kept, Kept::NOTHING),
        _ => return,
    };
    tlb::invalidate_every_core();
    kept.extents.iter().for_each(free_now);
    for pa in kept.tables.iter().take(kept.count) {
        KernelFrames::dealloc_frame(*pa);
    }
}

/// Gives the frames of `extent` back, if they are a space's own: now, or when what was left out is
/// made up for. Not with a space's lock: this may ask the heap.
pub(super) fn free(extent: &Extent) {
    if extent.owned && !keep(extent) {
        free_now(extent);
    }
}

fn free_now(extent: &Extent) {
    for offset in (0..extent.bytes).step_by(PAGE_SIZE) {
        KernelFrames::dealloc_frame(PhysAddr::new(extent.pa.as_usize() + offset));
    }
}

/// Keeps the frames of `extent`, if they must not be free yet. Returns whether it does.
fn keep(extent: &Extent) -> bool {
    if !maintenance::leaves_out() {
        return false;
    }
    let kept = KEPT.try_lock().is_some_and(|mut kept| {
        let has_room = kept.extents.try_reserve(1).is_ok();
        if has_room {
            kept.extents.push(*extent);
        }
        has_room
    });
    if !kept {
        heal();
    }
    kept
}

/// Keeps the table at `pa`, if it must not be free yet. Returns whether it does. Called with the
/// space's lock: asks no heap.
pub(super) fn keep_table(pa: PhysAddr) -> bool {
    if !maintenance::leaves_out() {
        return false;
    }
    let kept = KEPT.try_lock().is_some_and(|mut kept| {
        let count = kept.count;
        let slot = kept.tables.get_mut(count);
        let has_room = slot.is_some();
        if let Some(slot) = slot {
            *slot = pa;
            kept.count += 1;
        }
        has_room
    });
    if !kept {
        // What is kept already stays so until the next change.
        maintenance::leave_nothing_out();
        tlb::invalidate_every_core();
    }
    kept
}
