//! Accesses under QEMU, which is not right in all that this program looks at.
//!
//! QEMU emulates the TLB of a core (pairs, ASIDs, refills, `invtlb`), and keeps what it found there
//! in a table of its own, from which it serves later accesses. The faults were found with 7.2 and
//! 10.0, by single accesses:
//!
//! | QEMU | fault | here |
//! |---|---|---|
//! | 7.2, 10.0 | what it keeps lets loads through that the pair forbids (NR), after a store or fetch | it forgets that before each access |
//! | 7.2, 10.0 | a fetch that NX or PLV forbids never ends: the exception reads the instruction first, which is forbidden, too | [`may_fetch`] judges by what the TLB holds |
//! | 7.2, 10.0 | it takes addresses whose bits 63:48 are equal, but not equal to bit 47 | these are not tried |
//! | 7.2 | it keeps 16 KiB at a time: bits 13:12 of a physical address are those of the virtual one | [`Displaced`] |
//! | 7.2, 10.0 | `lddir` and `ldpte` drop or forget parts of entries | `refill.S` |
//!
//! Making QEMU forget leaves the TLB itself alone, so a missing invalidation is still found.

use core::arch::asm;

use mmu_scenario::{Access, Fault, FaultKind, Machine, Privilege, ROUTINE_BYTES, Table};
use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use stilt_paging::{Asid, MappingFlags, PageSize, PagingResult};

use crate::csr::{self, Held};
use crate::machine::{Core, word};
use crate::{cpu, program};

/// How much of a physical address an access takes from its virtual one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Granule {
    /// The offset in a page of 4 KiB, as the pair says.
    Page,
    /// The offset in 16 KiB, whatever the pair says.
    FourPages,
}

/// What becomes of an address in the gap between the halves, where bit 47 alone differs from those
/// above.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Gap {
    /// An address error.
    Refused,
    /// It is translated as if the bits above were equal to bit 47.
    Translated,
}

/// Which of the faults that can be looked for the emulator has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Emulator {
    granule: Granule,
    gap: Gap,
}

/// An ASID that no tree has.
const NOBODY: usize = csr::ASIDS - 1;
const FOUR_PAGES: usize = 4 * PAGE_SIZE;

/// Fields of TLBELO.
const VALID: usize = 1 << 0;
const PLV_SHIFT: u32 = 2;
const PLV_MASK: usize = 0b11;
const FRAME: usize = 0x0000_ffff_ffff_f000;
const NO_EXECUTE: usize = 1 << 62;
/// Without it, all levels up to PLV may use the page.
const ONLY_THIS_LEVEL: usize = 1 << 63;

impl Emulator {
    /// Core without any of the faults.
    const RIGHT: Self = Self {
        granule: Granule::Page,
        gap: Gap::Refused,
    };

    /// Looks for the faults, and says which there are.
    pub(crate) fn find() -> PagingResult<Self> {
        let found = Self {
            granule: find_granule()?,
            gap: find_gap(),
        };
        if found.granule == Granule::FourPages {
            say("translates 16 KiB at a time: which 4 KiB a page has is read from the TLB");
        }
        if found.gap == Gap::Translated {
            say("ignores bit 47 of addresses that are none: there, 63:48 alone are tried");
        }
        // This cannot be looked for.
        say("hangs when a fetch is forbidden: whether it is, is read from the TLB");
        Ok(found)
    }

    /// Makes one access, as the core should.
    ///
    /// # Safety
    /// As [`cpu::access`].
    pub(crate) unsafe fn access(
        self,
        access: Access,
        va: VirtAddr,
        value: u64,
        who: Privilege,
    ) -> Result<u64, Fault> {
        if self.gap == Gap::Translated && is_in_gap(va) {
            return Err(Fault {
                kind: FaultKind::Address,
                va: Some(va),
            });
        }
        let mut displaced = None;
        if access == Access::Jump || self.granule == Granule::FourPages {
            let held = hold(va);
            if access == Access::Jump && !held.is_none_or(|held| may_fetch(held, who)) {
                return Err(Fault {
                    kind: FaultKind::Page(Access::Jump),
                    va: Some(va),
                });
            }
            if self.granule == Granule::FourPages {
                displaced = held.and_then(|held| Displaced::new(held, va));
            }
        }
        forget();
        if let Some(displaced) = &displaced {
            displaced.exchange(access);
        }
        // SAFETY: the caller's promise.
        let result = unsafe { cpu::access(access, va, value, who) };
        if let Some(displaced) = &displaced {
            displaced.exchange(access);
        }
        result
    }
}

/// Looks what becomes of a page whose frame has another place in its 16 KiB.
fn find_granule() -> PagingResult<Granule> {
    let mut core = Core::new(Emulator::RIGHT);
    let mut table = Table::<Core>::try_new()?;
    let (va, frame) = (VirtAddr::new(0), Core::BLOCKS[0]);
    let next = PhysAddr::new(frame.as_usize() + PAGE_SIZE);
    let flags = MappingFlags::READ | MappingFlags::ACCESSED;
    table.map(va, next, PageSize::Size4K, flags)?.flush();
    // SAFETY: the blocks are the program's, and nothing is in them yet.
    unsafe { word(next).write_volatile(1) };
    // SAFETY: as above.
    unsafe { word(frame).write_volatile(2) };
    // SAFETY: the tree stays until `deactivate`.
    unsafe { core.activate(table.root_paddr(), Asid::KERNEL) };
    let loaded = core.load(va, Privilege::Kernel);
    core.deactivate();
    match loaded {
        Ok(1) => Ok(Granule::Page),
        Ok(2) => Ok(Granule::FourPages),
        other => panic!("a page that was mapped shows {other:?}"),
    }
}

/// Looks what becomes of an address between the halves when nothing is mapped.
fn find_gap() -> Gap {
    match Core::new(Emulator::RIGHT).load(VirtAddr::new(1 << 47), Privilege::Kernel) {
        Err(Fault {
            kind: FaultKind::Page(_),
            ..
        }) => Gap::Translated,
        _ => Gap::Refused,
    }
}

fn is_in_gap(va: VirtAddr) -> bool {
    let upper = va.as_usize().cast_signed() >> 47;
    upper == 1 || upper == -2
}

fn say(what: &str) {
    program::say(format_args!("loongarch64: this QEMU {what}\n"));
}

/// Gets the pair for `va` into the TLB, unless it is there, by a load that may fail.
fn hold(va: VirtAddr) -> Option<Held> {
    forget();
    // SAFETY: a load changes nothing, whatever it finds.
    let _ = unsafe { cpu::access(Access::Load, va, 0, Privilege::Kernel) };
    csr::tlb_look_up(va.as_usize())
}

/// Whether a fetch through `held` does not end with the exceptions "page non-executable" or "page
/// privilege".
fn may_fetch(held: Held, who: Privilege) -> bool {
    let entry = held.entry;
    let level = match who {
        Privilege::User => 3,
        Privilege::Kernel | Privilege::KernelForUser => 0,
    };
    let allowed = entry >> PLV_SHIFT & PLV_MASK;
    let privileged = level == allowed || level < allowed && entry & ONLY_THIS_LEVEL == 0;
    entry & VALID == 0 || privileged && entry & NO_EXECUTE == 0
}

/// Makes QEMU forget what it keeps beside the TLB: any `invtlb` does, and this one reaches no pair.
fn forget() {
    // SAFETY: forgetting translations loses nothing but time.
    unsafe { asm!("invtlb 4, {}, $zero", in(reg) NOBODY, options(nostack, preserves_flags)) };
}

/// A page whose accesses a QEMU that keeps 16 KiB at a time puts elsewhere in these: for the time
/// of an access, what is here and what is there change places.
struct Displaced {
    /// Where the access should go, by the pair in the TLB.
    here: PhysAddr,
    /// Where it goes.
    there: PhysAddr,
}

impl Displaced {
    /// `None` if nothing is displaced.
    fn new(held: Held, va: VirtAddr) -> Option<Self> {
        let va = va.as_usize();
        let inside = (1 << held.size) - 1;
        let here = held.entry & FRAME & !inside | va & inside;
        let there = here & !(FOUR_PAGES - 1) | va & (FOUR_PAGES - 1);
        (held.entry & VALID != 0 && here != there).then_some(Self {
            here: PhysAddr::new(here),
            there: PhysAddr::new(there),
        })
    }

    fn exchange(&self, access: Access) {
        let bytes = match access {
            Access::Load | Access::Store => 8,
            Access::Jump => ROUTINE_BYTES,
        };
        for offset in (0..bytes).step_by(8) {
            let at = |pa: PhysAddr| word(PhysAddr::new(pa.as_usize() + offset));
            // SAFETY: both are in one of the machine's blocks, which nobody else uses now.
            unsafe { at(self.here).swap(at(self.there)) };
        }
        if access == Access::Jump {
            cpu::synchronise_instructions();
        }
    }
}
