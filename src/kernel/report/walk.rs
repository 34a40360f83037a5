//! The walk of an address through the live tables, to the descriptor that refuses it.

use core::fmt::{self, Write};

use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::mmu;
use crate::arch::probe::{self, Width};
use crate::exception::syndrome::{Fault, Syndrome};
use crate::mm::kernel_space::PA_BITS;
use crate::mm::layout::phys_to_virt;
use crate::paging::format::aarch64::{A64PTE, Describe};
use crate::paging::format::aarch64_refusal::{Attempt, Refusal, refusal};
use crate::paging::{ENTRIES, GenericPTE};

/// Bits of the address that all halves have in common (TCR_EL1.T0SZ and T1SZ = 16).
const VA_BITS: u32 = 48;
const LEVELS: usize = 4;

/// Prints the walk of `va`, and why an `attempt` to use it failed, the hardware's word for which
/// is in `syndrome`.
pub(super) fn explain(
    out: &mut impl Write,
    va: VirtAddr,
    attempt: Attempt,
    syndrome: Syndrome,
) -> fmt::Result {
    let root = match (va.as_usize() as u64) >> VA_BITS {
        0xffff => mmu::high_root(),
        0 => match mmu::low_root() {
            Some(root) => root,
            None => return writeln!(out, "  walk   none: the low half is off (TCR_EL1.EPD0)"),
        },
        _ => return writeln!(out, "  walk   none: bits 63:48 are neither all 0 nor all 1"),
    };
    let half = if root == mmu::high_root() { 1 } else { 0 };
    writeln!(out, "  walk   {root} (TTBR{half}_EL1)")?;
    let (level, refused) = steps(out, root, va, attempt)?;
    match (refused, syndrome.fault()) {
        (Some(refusal), _) => writeln!(out, "         refused at level {level}: {refusal}"),
        (
            None,
            Some(fault @ (Fault::Translation(_) | Fault::AccessFlag(_) | Fault::Permission(_))),
        ) => {
            writeln!(
                out,
                "         allowed now: changed since the {fault}, or a stale TLB"
            )
        }
        (None, Some(fault)) => writeln!(out, "         allowed by the map: {fault}"),
        (None, None) => Ok(()),
    }
}

/// Whether the live tables allow `attempt` to use `va` in the high half.
pub(crate) fn map_allows(va: VirtAddr, attempt: Attempt) -> bool {
    let in_high_half = (va.as_usize() as u64) >> VA_BITS == 0xffff;
    let walked = steps(&mut Silent, mmu::high_root(), va, attempt);
    in_high_half && matches!(walked, Ok((_, None)))
}

/// Prints nothing.
struct Silent;

impl Write for Silent {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

/// Prints each descriptor on the way. Returns the last level, and what is refused.
fn steps(
    out: &mut impl Write,
    root: PhysAddr,
    va: VirtAddr,
    attempt: Attempt,
) -> Result<(usize, Option<Refusal>), fmt::Error> {
    let mut table = root;
    let mut by_table = None;
    for level in 0..LEVELS {
        let index = va.as_usize() >> (39 - 9 * level) & (ENTRIES - 1);
        let slot = phys_to_virt(PhysAddr::new(table.as_usize() + index * size_of::<u64>()));
        // SAFETY: tables lie in RAM; if this one does not, the load fails or reads something else.
        let Ok(bits) = (unsafe { probe::read(slot, Width::Double) }) else {
            writeln!(
                out,
                "         L{level}[{index:3}] cannot be read: there is no table at {table}"
            )?;
            return Ok((level, Some(Refusal::Invalid)));
        };
        let entry = A64PTE::from_bits(bits);
        let words = Describe { entry, level };
        writeln!(out, "         L{level}[{index:3}] {bits:#018x} {words}")?;
        let refused = refusal(entry, level, attempt, PA_BITS);
        let is_table = level + 1 < LEVELS && entry.is_present() && !entry.is_huge();
        match refused {
            // Rights that a table takes count only where a leaf is found.
            Some(refusal) if is_table && refusal != Refusal::AddressSize => {
                by_table = by_table.or(Some((level, refusal)));
            }
            None if is_table => {}
            // What stops the walk comes before rights.
            Some(
                Refusal::Invalid | Refusal::Reserved | Refusal::AddressSize | Refusal::AccessFlag,
            ) => {
                return Ok((level, refused));
            }
            _ => {
                return Ok(match by_table {
                    Some((level, refusal)) => (level, Some(refusal)),
                    None => (level, refused),
                });
            }
        }
        table = entry.paddr();
    }
    Ok((LEVELS - 1, None))
}
