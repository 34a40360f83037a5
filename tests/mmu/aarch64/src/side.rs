//! [`Side`]: what is different for a tree of the low half and one of the high half.

use core::ops::Range;

use mmu_scenario::map_in_place;
use stilt_paging::addr::PhysAddr;
use stilt_paging::backend::aarch64::Tlb;
use stilt_paging::format::aarch64::{A64MetaData, A64PTE, Half, HighHalf, LowHalf};
use stilt_paging::{Asid, PageTable64, PagingResult};

use crate::board;
use crate::boot;
use crate::cpu::{self, Trees, Wxn};
use crate::machine::Frames;

/// Geometry and maintenance of a tree: as the kernel's, on this CPU.
pub(crate) type MetaData<S> = A64MetaData<S, Tlb, 40>;
/// A tree.
pub(crate) type Table<S> = PageTable64<MetaData<S>, A64PTE, Frames>;

/// A half of the address space. The program runs in the low one.
pub(crate) trait Side: Half + Sized {
    /// Its name in the output.
    const NAME: &'static str;
    /// Its name in the output with SCTLR_EL1.WXN set.
    const NAME_WXN: &'static str;
    /// Where the program is in a tree of this half.
    const PROGRAM: Range<usize>;

    /// Maps what the program needs in a tree of this half.
    fn map_program(table: &mut Table<Self>) -> PagingResult;

    /// What to translate by, to use the tree of this half at `root`.
    fn trees(root: PhysAddr) -> Trees;
}

impl Side for LowHalf {
    const NAME: &'static str = "aarch64 low";
    const NAME_WXN: &'static str = "aarch64 low WXN";
    const PROGRAM: Range<usize> = board::DEVICES.start..board::RAM.end;

    fn map_program(table: &mut Table<Self>) -> PagingResult {
        map_in_place(table, board::DEVICES, board::DEVICE_FLAGS)?;
        mmu_scenario::map_program(table, board::RAM.end)
    }

    fn trees(root: PhysAddr) -> Trees {
        Trees {
            low: root,
            ..boot::trees()
        }
    }
}

impl Side for HighHalf {
    const NAME: &'static str = "aarch64 high";
    const NAME_WXN: &'static str = "aarch64 high WXN";
    const PROGRAM: Range<usize> = 0..0;

    /// Nothing: it runs by the first map.
    fn map_program(_: &mut Table<Self>) -> PagingResult {
        Ok(())
    }

    fn trees(root: PhysAddr) -> Trees {
        Trees {
            high: root,
            ..boot::trees()
        }
    }
}

/// Translates by the tree of half `S` at `root`, as the address space `asid`. Invalidates nothing,
/// unless no tree was under test.
///
/// # Safety
/// The tree was prepared by [`Side::map_program`] and stays until [`deactivate`].
pub(crate) unsafe fn activate<S: Side>(root: PhysAddr, asid: Asid, wxn: Wxn) {
    if cpu::trees() == boot::trees() {
        // SAFETY: by the caller, and by `boot`, the program is where it lies.
        unsafe { cpu::replace(S::trees(root), asid, wxn) };
    } else {
        let empty = boot::trees().high;
        // SAFETY: as above; each tree that `map_program` prepared has the program in the same
        // leaves.
        unsafe { cpu::switch(S::trees(root), asid, empty) };
    }
}

/// Uses no tree under test any more.
pub(crate) fn deactivate() {
    // SAFETY: the first map holds the program where it lies, and stays.
    unsafe { cpu::replace(boot::trees(), Asid::KERNEL, Wxn::Off) };
}
