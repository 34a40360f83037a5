//! The boot map, which was given up when the final one came: built again, to be looked at.
#![expect(unsafe_code, reason = "calls what a higher room defines")]

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

/// Shows `visit` the runs of equal leaves of `half`, by name, in the order of addresses. Every
/// piece is shown as a global one: those of the low half have a line of their own for that. Behind
/// the first error of `visit` nothing is shown, and it is returned; `None` if the heap has no room
/// for the tables.
pub(crate) fn each_piece(
    half: BootHalf,
    visit: &mut dyn FnMut(Piece) -> fmt::Result,
) -> Option<fmt::Result> {
    let mut result = Ok(());
    let mut run: Option<Run> = None;
    let had_room = each_boot_leaf(&mut |leaf| {
        let is_low = leaf.va.as_usize() >> 48 == 0;
        if is_low != (half == BootHalf::Low) || result.is_err() {
            return;
        }
        match &mut run {
            Some(run) if run.is_continued_by(&leaf) => run.bytes += leaf.bytes,
            None => run = Some(leaf),
            Some(run) => {
                let ended = core::mem::replace(run, leaf);
                result = each_named_of(half, ended, visit);
            }
        }
    });
    let last = run.filter(|_| result.is_ok());
    let result = last.map_or(result, |run| each_named_of(half, run, visit));
    had_room.then_some(result)
}

/// Cuts `run` where its use changes: what is at a low address is what the linear map has there.
fn each_named_of(
    half: BootHalf,
    run: Run,
    visit: &mut dyn FnMut(Piece) -> fmt::Result,
) -> fmt::Result {
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
