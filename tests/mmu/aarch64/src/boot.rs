//! The first instructions, and the first map: the program where it lies, in blocks of 2 MiB.
//!
//! Made with the MMU off, so nothing here prints, locks or fails. It is also what the program runs
//! on between two trials, and in the low half while a tree of the high half is under test.

use core::arch::global_asm;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

use mmu_scenario::{ONE_GIB, Part};
use stilt_paging::addr::PhysAddr;
use stilt_paging::format::aarch64::A64PTE;
use stilt_paging::format::aarch64_registers::SCTLR_EL1_MMU_OFF;
use stilt_paging::{ENTRIES, GenericPTE, MappingFlags, PageSize};

use crate::board;
use crate::cpu::Trees;
use crate::program;

global_asm!(
    include_str!("start.S"),
    SCTLR_EL1_OFF = const SCTLR_EL1_MMU_OFF,
    MAIN = sym program::main,
);

/// A table.
#[repr(C, align(4096))]
struct Descriptors([AtomicU64; ENTRIES]);

impl Descriptors {
    const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; ENTRIES])
    }

    fn paddr(&'static self) -> PhysAddr {
        PhysAddr::new((&raw const *self).addr())
    }

    fn set(&self, index: usize, bits: u64) {
        self.0[index % ENTRIES].store(bits, Ordering::Relaxed);
    }
}

/// A table for each GiB up to the end of RAM.
static LEVEL_2: [Descriptors; board::RAM.end / ONE_GIB] =
    [const { Descriptors::new() }; board::RAM.end / ONE_GIB];
static LEVEL_1: Descriptors = Descriptors::new();
static LEVEL_0: Descriptors = Descriptors::new();
/// A root with nothing below it.
static EMPTY: Descriptors = Descriptors::new();

/// The trees that the program runs on when none is under test: it alone, in the low half.
pub(crate) fn trees() -> Trees {
    Trees {
        low: LEVEL_0.paddr(),
        high: EMPTY.paddr(),
    }
}

/// Fills the tables of [`trees`]; the MMU is off.
pub(crate) fn make_map() {
    map_in_blocks(board::DEVICES, board::DEVICE_FLAGS);
    for part in Part::ALL {
        map_in_blocks(part.range(board::RAM.end), part.flags());
    }
    for (index, table) in LEVEL_2.iter().enumerate() {
        LEVEL_1.set(index, A64PTE::new_table(table.paddr()).bits());
    }
    LEVEL_0.set(0, A64PTE::new_table(LEVEL_1.paddr()).bits());
}

/// Maps `range`, multiples of 2 MiB, where it lies.
fn map_in_blocks(range: Range<usize>, flags: MappingFlags) {
    const BLOCK: PageSize = PageSize::Size2M;
    let attributes = A64PTE::attributes(flags, BLOCK);
    for pa in range.step_by(BLOCK.bytes()) {
        let index = pa / BLOCK.bytes();
        LEVEL_2[pa / ONE_GIB].set(index, pa as u64 | attributes);
    }
}
