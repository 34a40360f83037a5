//! [`Core`]: what the scenario needs of an x86-64 core.

use core::fmt;
use core::ops::Range;

use mmu_scenario::{
    Access, AccessedBit, Fault, FaultKind, Identity, Machine, ONE_GIB, Privilege, ROUTINE_BYTES,
    Table, routine_bytes,
};
use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::backend::Invalidation;
use stilt_paging::backend::x86_64::{self, Tlb};
use stilt_paging::format::x86_64::{X64MetaData, X64PTE};
use stilt_paging::{AddressSpace, Asid, PagingResult};

use crate::cpu;
use crate::program;

/// The core.
pub(crate) struct Core;

// SAFETY: the blocks are the memory behind the first GiB, in which the program lies; the boot
// tables and `map_program` map them where they are.
unsafe impl Machine for Core {
    type MetaData = X64MetaData<Tlb>;
    type Entry = X64PTE;
    type Linear = Identity;

    const NAME: &'static str = "x86_64";
    const PRIVILEGES: &'static [Privilege] =
        &[Privilege::Kernel, Privilege::KernelForUser, Privilege::User];
    const BLOCKS: [PhysAddr; 2] = [PhysAddr::new(ONE_GIB), PhysAddr::new(2 * ONE_GIB)];
    const PROGRAM: Range<usize> = program::RAM;
    const INVALID_ADDRESS: fn(Access) -> FaultKind = |_| FaultKind::Address;
    /// The emulator has no PCIDs.
    const ASIDS: usize = 1;

    fn accessed_bit(&self) -> AccessedBit {
        AccessedBit::SetByHardware
    }

    /// SMEP and SMAP are on: data with RFLAGS.AC, code never.
    fn kernel_reaches_user(who: Privilege, access: Access) -> bool {
        who == Privilege::KernelForUser && access != Access::Jump
    }

    fn routine(number: u32) -> [u8; ROUTINE_BYTES] {
        routine_bytes(cpu::routine(number))
    }

    /// Fetches see stores.
    fn publish_code(&mut self) {}

    fn print(&mut self, text: fmt::Arguments<'_>) {
        program::say(text);
    }

    fn map_program(&self, table: &mut Table<Self>) -> PagingResult {
        mmu_scenario::map_program(table, program::RAM.end)
    }

    unsafe fn activate(&mut self, root: PhysAddr, _: Asid) {
        // SAFETY: by the caller the tree maps the program, where it is, and stays.
        unsafe { cpu::set_root(root) };
    }

    fn deactivate(&mut self) {
        // SAFETY: the boot tables map everything where it is, and stay.
        unsafe { cpu::set_root(cpu::boot_root_paddr()) };
        x86_64::execute(Invalidation::Everything(AddressSpace::All));
    }

    fn access(
        &mut self,
        access: Access,
        va: VirtAddr,
        value: u64,
        who: Privilege,
    ) -> Result<u64, Fault> {
        // SAFETY: the scenario stores through mappings of its own blocks alone, and puts a routine
        // into every frame that it lets be executed.
        unsafe { cpu::access(access, va, value, who) }
    }
}
