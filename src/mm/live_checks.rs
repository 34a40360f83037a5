//! Checks of a running kernel's memory: the frame allocator's invariants, and the pages that the
//! linear map must have. The allocator's lock masks interrupts, so each check releases it between
//! two parts.
#![forbid(unsafe_code)]

use core::ops::Range;

use super::frames;
use super::kernel_frames::look_at_frames;
use super::kernel_space::{CODE, DEVICES, READ_ONLY, READ_WRITE};
use super::layout::Pages;
use super::layout::phys_to_virt;
use super::symbols;
use crate::addr::{PhysAddr, VirtAddr};
use crate::paging::MappingFlags;

/// Frames that a check looks at with the lock held, and so with interrupts masked: a tenth of a
/// millisecond.
const LOOKS: usize = 8192;
/// How often a check may begin again because frames came or went in between.
const RESTARTS: usize = 1000;

/// Checks the frame allocator's states, lists and counts, 8192 frames at a time with interrupts
/// masked. `None` if others never leave it alone for long enough: after 1000 restarts.
///
/// # Errors
/// The first [`FrameViolation`](frames::FrameViolation).
pub fn check_frames() -> Result<Option<frames::CheckedFrames>, frames::FrameViolation> {
    let mut check = frames::Check::new();
    while check.restarts() < RESTARTS {
        let step = look_at_frames(|frames| frames.check_step(&mut check, LOOKS));
        if let Some(checked) = step.unwrap_or(Ok(None))? {
            return Ok(Some(checked));
        }
    }
    Ok(None)
}

/// Where the states of all frames are, and of how many: frame 12's are the 8 bytes at 0x60 from
/// there, as a debugger reads them. Zeros before RAM is known.
#[must_use]
pub fn frame_states() -> (VirtAddr, usize) {
    let states = look_at_frames(|frames| {
        let (first, count) = frames.states();
        (VirtAddr::new(first.addr()), count)
    });
    states.unwrap_or_default()
}

/// Whether `pa` is a single frame in use, as every table of the live map is.
#[must_use]
pub fn is_single_frame(pa: PhysAddr) -> bool {
    look_at_frames(|frames| frames.is_single(pa)).unwrap_or(false)
}

/// Shows `visit` what of the linear map must be mapped, and with which flags: the image without its
/// boot parts, devices, and each frame that is free or in use.
///
/// # Errors
/// That of `visit`.
pub fn each_linear<E>(
    mut visit: impl FnMut(Pages, MappingFlags) -> Result<(), E>,
) -> Result<(), E> {
    let mut show = |name, start: PhysAddr, end: PhysAddr, flags| {
        let size = end.as_usize().saturating_sub(start.as_usize());
        let start = phys_to_virt(start);
        visit(Pages { name, start, size }, flags)
    };
    let image = symbols::image();
    show("vectors of EL2 and EL3", image.early, image.text, READ_ONLY)?;
    show("text", image.text, image.rodata, CODE)?;
    show("rodata", image.rodata, image.data, READ_ONLY)?;
    show("data", image.data, image.scratch, READ_WRITE)?;
    for (name, start, size, flags) in DEVICES {
        show(name, start, PhysAddr::new(start.as_usize() + size), flags)?;
    }
    let mut next = PhysAddr::new(0);
    // The lock is released between blocks: there can be as many as frames.
    while let Some(block) = next_block(next) {
        show("RAM", block.start, block.end, READ_WRITE)?;
        next = block.end;
    }
    Ok(())
}

fn next_block(from: PhysAddr) -> Option<Range<PhysAddr>> {
    look_at_frames(|frames| frames.next_block(from, LOOKS))?
}
