//! An address: its bits, the walk, what it allows and why, and the leaf at its end.
//!
//! The descriptors are read one by one as a fault report reads them, so that a table that was
//! written over ends the walk and not the kernel.
#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use super::super::error::CommandError;
use super::super::lab::spaces::NamedSpace;
use super::descriptor::Heading;
use super::field_row::FieldRow;
use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::arch::mmu::{self, Register};
use crate::kernel::report::{KeptWalk, index_shift, table_index};
use crate::mm::kernel_space::PA_BITS;
use crate::mm::layout::USER;
use crate::paging::GenericPTE;
use crate::paging::format::aarch64::A64PTE;
use crate::paging::format::aarch64_refusal::{Attempt, Privilege};
use crate::paging::format::aarch64_verdict::{needed_for_user_write, verdict};
use crate::paging::format::fields::AARCH64;
use crate::text::Size;

/// The half of the addresses that one is in, and the root of the tables for it.
enum Half {
    /// Bits 63:48 are neither all 0 nor all 1.
    Neither,
    /// Of a core that is in no space: TCR_EL1.EPD0 is set.
    LowOff,
    Low(PhysAddr),
    High(PhysAddr),
}

/// Prints all about `va`, in `named` or else in the space that this core is in.
///
/// # Errors
/// [`SpaceError::Busy`](crate::mm::space_error::SpaceError::Busy) while another core changes the
/// space.
pub(super) fn explain(
    va: VirtAddr,
    named: Option<&NamedSpace>,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let half = match (va.as_usize() >> 48, named) {
        (0xffff, _) => Half::High(mmu::high_root()),
        // The list of extents is held, and with it the tables stay.
        (0, Some(named)) => {
            let walked = named
                .space
                .inspect(|_, root| show(va, &Half::Low(root), Some(named), out))?;
            return Ok(walked?);
        }
        (0, None) => mmu::low_root().map_or(Half::LowOff, Half::Low),
        _ => Half::Neither,
    };
    Ok(show(va, &half, named, out)?)
}

fn show(va: VirtAddr, half: &Half, named: Option<&NamedSpace>, out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "address {va}")?;
    bits(va, half, out)?;
    let root = match *half {
        Half::Neither => {
            return writeln!(
                out,
                "walk    none: every access is a translation fault of level 0"
            );
        }
        Half::LowOff => {
            return writeln!(
                out,
                "walk    none: TCR_EL1.EPD0, bit 7, is 1 on a core in no space; `as use NAME`"
            );
        }
        Half::Low(root) | Half::High(root) => root,
    };
    match (half, named) {
        (Half::Low(_), Some(named)) => writeln!(out, "walk    from {root}, space {}", named.name)?,
        (Half::Low(_), None) => writeln!(out, "walk    from {root} (TTBR0_EL1)")?,
        _ => writeln!(out, "walk    from {root} (TTBR1_EL1)")?,
    }
    let Ok(walk) = KeptWalk::new(root, va) else {
        return Ok(());
    };
    descriptors(va, &walk, out)?;
    rights(walk.entries(), out)?;
    leaf(va, walk.entries(), out)?;
    user_write(va, walk.entries(), out)
}

/// The address, bit by bit.
fn bits(va: VirtAddr, half: &Half, out: &mut dyn Write) -> fmt::Result {
    let (upper, offset) = (va.as_usize() >> 48, va.as_usize() % PAGE_SIZE);
    let words = match half {
        Half::Neither => "neither half: not all 0, and not all 1",
        Half::LowOff | Half::Low(_) => "the low half, TTBR0_EL1: a space's",
        Half::High(_) => "the high half, TTBR1_EL1: the kernel's, in every space",
    };
    writeln!(out, "  63:48 {upper:<#14x} {words}")?;
    for level in 0..AARCH64.levels {
        let (low, index) = (index_shift(level), table_index(va, level));
        let bytes = Size(AARCH64.entry_bytes(level));
        writeln!(
            out,
            "  {}:{low} {index:#011b}    index {index} at level {level}, of {bytes} each",
            low + 8
        )?;
    }
    writeln!(out, "  11:0  {offset:#014b} byte {offset} of the page")
}

/// Each descriptor on the way.
fn descriptors(va: VirtAddr, walk: &KeptWalk, out: &mut dyn Write) -> fmt::Result {
    for (level, entry) in walk.entries().iter().enumerate() {
        let (index, bits) = (table_index(va, level), entry.bits());
        let layout = &AARCH64;
        let heading = Heading {
            layout,
            bits,
            level,
        };
        writeln!(out, "  L{level}[{index:3}] {bits:#018x} {heading}")?;
    }
    match walk.unreadable {
        Some(unreadable) => writeln!(out, "  {unreadable}"),
        None => Ok(()),
    }
}

/// The rights of EL1 and EL0, and the bit that decides each.
fn rights(walk: &[A64PTE], out: &mut dyn Write) -> fmt::Result {
    let sctlr = Register::Sctlr.read();
    writeln!(out, "rights")?;
    for (privilege, level) in [(Privilege::El1, 1), (Privilege::El0, 0)] {
        for (attempt, verb) in [
            (Attempt::Read, "reads"),
            (Attempt::Write, "writes"),
            (Attempt::Execute, "executes"),
        ] {
            if let Some(verdict) = verdict(walk, attempt, privilege, sctlr, PA_BITS) {
                writeln!(out, "  EL{level} {verb:<9} {verdict}")?;
            }
        }
    }
    Ok(())
}

/// Memory type, scope and boundaries of the leaf, if there is one.
fn leaf(va: VirtAddr, walk: &[A64PTE], out: &mut dyn Write) -> fmt::Result {
    let Some((entry, tables)) = walk.split_last() else {
        return Ok(());
    };
    let (bits, level) = (entry.bits(), tables.len());
    let kind = AARCH64.kind(bits, level);
    let Some(frame) = AARCH64
        .address(bits, kind, level)
        .filter(|_| kind.is_leaf())
    else {
        return Ok(());
    };
    writeln!(out, "memory")?;
    for field in AARCH64.fields(kind, level) {
        if ["Contiguous", "nG", "SH", "AttrIndx"].contains(&field.name()) {
            writeln!(out, "{}", FieldRow { field, bits })?;
        }
    }
    let bytes = AARCH64.entry_bytes(level) as usize;
    let first = va.align_down(bytes);
    let last = VirtAddr::new(first.as_usize() + (bytes - 1));
    let offset = va.as_usize() - first.as_usize();
    let pa = PhysAddr::new(frame.as_usize() + offset);
    writeln!(out, "leaf    {first} to {last}")?;
    writeln!(out, "  frame {frame}, this address is {pa}")
}

/// The change after which EL0 may write.
fn user_write(va: VirtAddr, walk: &[A64PTE], out: &mut dyn Write) -> fmt::Result {
    let mut needed = needed_for_user_write(walk).peekable();
    if needed.peek().is_none() {
        return writeln!(out, "EL0 may write here");
    }
    writeln!(out, "EL0 may write here once")?;
    needed.try_for_each(|needed| writeln!(out, "  {needed}"))?;
    if !USER.contains(&va.as_usize()) {
        return writeln!(
            out,
            "which the kernel does not do: above 2^48 all pages are its own, at AP[1] 0"
        );
    }
    let page = va.align_down(PAGE_SIZE);
    let is_mapped =
        walk.len() == AARCH64.levels && walk.last().is_some_and(|leaf| !leaf.is_unused());
    let verb = if is_mapped { "protect" } else { "map" };
    writeln!(out, "in the space: `as {verb} {page} 4K rw`")
}
