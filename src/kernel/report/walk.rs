//! The walk of an address through the live tables, to the descriptor that refuses it.
//!
//! The library's [`Trace`] walks. Each descriptor is read by [`nofault`], so that a table's address
//! that was written over is a line of the report, and no second fault.
#![expect(unsafe_code, reason = "reads memory that may not be mapped")]

use core::fmt::{self, Write};

use crate::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use crate::arch::mmu;
use crate::arch::nofault::{self, AccessWidth};
use crate::arch::tlb::KernelTlb;
use crate::exception::syndrome::{Fault, Syndrome};
use crate::mm::kernel_space::PA_BITS;
use crate::mm::layout::phys_to_virt;
use crate::paging::format::aarch64::{A64MetaData, A64PTE, Describe, Half, HighHalf, LowHalf};
use crate::paging::format::aarch64_refusal::{Attempt, Privilege, Refusal, refusal};
use crate::paging::{ENTRIES, GenericPTE, PagingResult, Trace, Unreadable, Visit};

/// A step of the walk.
type WalkStep = Result<Visit<A64PTE>, Unreadable>;

/// The walk of `va` from the table at `root`, in the tree of half `S`.
///
/// # Errors
/// [`InvalidVirtAddr`](crate::paging::PagingError::InvalidVirtAddr): `va` is not in that half.
fn trace<S: Half>(root: PhysAddr, va: VirtAddr) -> PagingResult<impl Iterator<Item = WalkStep>> {
    let read = |descriptor| {
        // SAFETY: tables lie in RAM; if this one does not, the load fails or reads something else.
        unsafe { nofault::read(phys_to_virt(descriptor), AccessWidth::Double) }.ok()
    };
    Trace::<A64MetaData<S, KernelTlb, PA_BITS>, A64PTE, _>::new(root, va, read)
}

/// An access that the MMU judges.
#[derive(Clone, Copy)]
pub(super) struct JudgedAccess {
    pub(super) attempt: Attempt,
    pub(super) privilege: Privilege,
}

/// Prints the walk of `va` and the reason why `access` failed: the descriptor that refuses it or,
/// if none does, the fault status code in `syndrome`.
pub(super) fn explain(
    out: &mut impl Write,
    va: VirtAddr,
    access: JudgedAccess,
    syndrome: Syndrome,
) -> fmt::Result {
    let high = mmu::high_root();
    if let Ok(trace) = trace::<HighHalf>(high, va) {
        write!(out, "{}", AddressFigure(va))?;
        writeln!(out, "  walk   {high} (TTBR1_EL1)")?;
        return explain_steps(out, trace, access, syndrome);
    }
    let low = mmu::low_table();
    let Ok(trace) = trace::<LowHalf>(low, va) else {
        return writeln!(out, "  walk   none: bits 63:48 are neither all 0 nor all 1");
    };
    if mmu::low_root().is_none() {
        return writeln!(out, "  walk   none: the low half is off (TCR_EL1.EPD0)");
    }
    write!(out, "{}", AddressFigure(va))?;
    writeln!(out, "  walk   {low} (TTBR0_EL1)")?;
    explain_steps(out, trace, access, syndrome)
}

/// The fields of an address that a walk uses, in two rows: their bits, and below them the index
/// into the table of each level, in decimal. Bits 63:48 choose the half, bits 11:0 the byte.
///
/// ```text
///   bits    63:48  47:39  38:30  29:21  20:12   11:0
///   index  0xffff      0      0      2      3  0x010
/// ```
struct AddressFigure(VirtAddr);

impl fmt::Display for AddressFigure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let va = self.0.as_usize();
        let [l0, l1, l2, l3] = [0, 1, 2, 3].map(|level| table_index(self.0, level));
        let (half, offset) = (va >> 48, va % PAGE_SIZE);
        writeln!(f, "  bits    63:48  47:39  38:30  29:21  20:12   11:0")?;
        writeln!(
            f,
            "  index  {half:#06x} {l0:>6} {l1:>6} {l2:>6} {l3:>6}  {offset:#05x}"
        )
    }
}

/// The lowest bit of the index into a table of `level`: 39, 30, 21, 12.
pub(crate) const fn index_shift(level: usize) -> usize {
    39 - 9 * level
}

/// The index of `va` into its table of `level`, 0 to 511.
pub(crate) const fn table_index(va: VirtAddr, level: usize) -> usize {
    va.as_usize() >> index_shift(level) & (ENTRIES - 1)
}

/// The descriptors of one walk, kept.
pub(crate) struct KeptWalk {
    entries: [A64PTE; LEVELS],
    count: usize,
    /// Where a descriptor could not be read.
    pub(crate) unreadable: Option<Unreadable>,
}

/// Levels of tables, in either half.
const LEVELS: usize = 4;

impl KeptWalk {
    /// The walk of `va` from the table at `root`, which is of the half that `va` lies in.
    ///
    /// # Errors
    /// [`InvalidVirtAddr`](crate::paging::PagingError::InvalidVirtAddr): `va` is in neither half.
    pub(crate) fn new(root: PhysAddr, va: VirtAddr) -> PagingResult<Self> {
        match trace::<HighHalf>(root, va) {
            Ok(trace) => Ok(Self::of(trace)),
            Err(_) => Ok(Self::of(trace::<LowHalf>(root, va)?)),
        }
    }

    fn of(trace: impl Iterator<Item = WalkStep>) -> Self {
        let mut walk = Self {
            entries: [A64PTE::from_bits(0); LEVELS],
            count: 0,
            unreadable: None,
        };
        for (slot, step) in walk.entries.iter_mut().zip(trace) {
            match step {
                Ok(visit) => *slot = visit.entry,
                Err(unreadable) => {
                    walk.unreadable = Some(unreadable);
                    break;
                }
            }
            walk.count += 1;
        }
        walk
    }

    /// The descriptors, from the root's on: one of each level.
    pub(crate) fn entries(&self) -> &[A64PTE] {
        self.entries.get(..self.count).unwrap_or_default()
    }
}

/// Prints the steps of `trace`, and what they say about an `access` that failed with `syndrome`.
fn explain_steps(
    out: &mut impl Write,
    trace: impl Iterator<Item = WalkStep>,
    access: JudgedAccess,
    syndrome: Syndrome,
) -> fmt::Result {
    match (first_refusal(out, trace, access)?, syndrome.fault()) {
        (Some((level, refusal)), _) => {
            writeln!(out, "         refused at level {level}: {refusal}")
        }
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

/// Whether the live tables allow EL1's `attempt` to use `va` in the high half.
pub(crate) fn map_allows(va: VirtAddr, attempt: Attempt) -> bool {
    let Ok(trace) = trace::<HighHalf>(mmu::high_root(), va) else {
        return false;
    };
    let privilege = Privilege::El1;
    let access = JudgedAccess { attempt, privilege };
    matches!(first_refusal(&mut NoOutput, trace, access), Ok(None))
}

/// Prints nothing.
struct NoOutput;

impl Write for NoOutput {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

/// Prints each descriptor on the way. Returns what refuses the access, and the level of its table.
fn first_refusal(
    out: &mut impl Write,
    trace: impl Iterator<Item = WalkStep>,
    JudgedAccess { attempt, privilege }: JudgedAccess,
) -> Result<Option<(usize, Refusal)>, fmt::Error> {
    let mut by_table = None;
    for step in trace {
        let Visit {
            level,
            index,
            entry,
            ..
        } = match step {
            Ok(visit) => visit,
            Err(Unreadable {
                level,
                index,
                table,
            }) => {
                writeln!(
                    out,
                    "         L{level}[{index:3}] cannot be read: there is no table at {table}"
                )?;
                return Ok(Some((level, Refusal::Invalid)));
            }
        };
        let (bits, words) = (entry.bits(), Describe { entry, level });
        writeln!(out, "         L{level}[{index:3}] {bits:#018x} {words}")?;
        match refusal(entry, level, attempt, privilege, PA_BITS) {
            None => {}
            // Rights that a table takes count only where a leaf is found.
            Some(
                refusal @ (Refusal::TableNotUser
                | Refusal::TableReadOnly
                | Refusal::TableExecuteNever),
            ) => {
                by_table = by_table.or(Some((level, refusal)));
            }
            // A refusal that stops the walk comes before one of rights.
            Some(
                refusal @ (Refusal::Invalid
                | Refusal::Reserved
                | Refusal::AddressSize
                | Refusal::AccessFlag),
            ) => return Ok(Some((level, refusal))),
            Some(refusal) => return Ok(by_table.or(Some((level, refusal)))),
        }
    }
    Ok(by_table)
}
