//! The boot map, which was given up when the final one came: built again, to be looked at.
#![expect(unsafe_code, reason = "calls what a higher room defines")]

use core::error::Error;
use core::fmt;

use super::address_map::{Piece, each_named};
use crate::addr::VirtAddr;
use crate::mm::layout;
use crate::paging::{MappingFlags, Run};

unsafe extern "Rust" {
    /// In boot/entry.rs.
    safe fn each_boot_leaf(visit: &mut dyn FnMut(Run)) -> bool;
}

/// A half of the boot map.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum BootHalf {
    /// The identity map by TTBR0_EL1, whose leaves are non-global.
    Low,
    /// The kernel's by TTBR1_EL1, whose leaves are global.
    High,
}

/// The heap has no room for the tables.
#[derive(Debug)]
pub(crate) struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the heap has no room for the eight boot tables")
    }
}

impl Error for NoRoom {}

/// Shows `visit` the runs of equal leaves of `half`, by name, in the order of addresses. Every
/// piece is shown as a global one: those of the low half have a line of their own for that.
///
/// # Errors
/// [`NoRoom`]; the first of `visit`, behind which nothing is shown.
pub(crate) fn each_piece<E: From<NoRoom>>(
    half: BootHalf,
    mut visit: impl FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    let mut result = Ok(());
    let mut run: Option<Run> = None;
    let mut show = |run: Run| {
        if result.is_ok() {
            result = each_named_of(half, run, &mut visit);
        }
    };
    let had_room = each_boot_leaf(&mut |leaf| {
        let of_half = if leaf.va.as_usize() >> 48 == 0 {
            BootHalf::Low
        } else {
            BootHalf::High
        };
        if of_half != half {
            return;
        }
        match &mut run {
            Some(run) if run.is_continued_by(&leaf) => run.bytes += leaf.bytes,
            run => {
                if let Some(run) = run.replace(leaf) {
                    show(run);
                }
            }
        }
    });
    if let Some(run) = run {
        show(run);
    }
    if !had_room {
        return Err(NoRoom.into());
    }
    result
}

/// Cuts `run` where its use changes: what is at a low address is what the linear map has there.
fn each_named_of<E>(
    half: BootHalf,
    run: Run,
    visit: &mut impl FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    let linear = Run {
        va: layout::phys_to_virt(run.pa),
        flags: run.flags | MappingFlags::GLOBAL,
        ..run
    };
    each_named(linear, |run, name| {
        let va = match half {
            BootHalf::Low => VirtAddr::new(run.pa.as_usize()),
            BootHalf::High => run.va,
        };
        visit(Piece::Mapped(Run { va, ..run }, name))
    })
}
