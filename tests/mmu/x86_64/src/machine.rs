//! [`Core`]: what the scenario needs of an x86-64 core.

use core::fmt;
use core::ops::Range;

use mmu_scenario::{
    Access, AccessedBit, Fault, FaultKind, LinearMap, Machine, ONE_GIB, Privilege, ROUTINE_BYTES,
    Table,
};
use stilt::addr::{PhysAddr, VirtAddr};
use stilt::arch::remote::Invalidation;
use stilt::arch::x86_64::tlb::{self, Tlb};
use stilt::paging::format::x86_64::{X64MetaData, X64PTE};
use stilt::paging::{AddressSpace, Asid, MappingFlags, PagingResult, RegionOptions};

use crate::cpu;
use crate::program::{self, Part};

/// Physical memory, which every tree maps where it is.
pub(crate) struct Identity;

impl LinearMap for Identity {
    fn virt(pa: PhysAddr) -> VirtAddr {
        VirtAddr::new(pa.as_usize())
    }
}

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
        let mut bytes = [0; ROUTINE_BYTES];
        for (place, byte) in bytes.iter_mut().zip(cpu::routine(number)) {
            *place = byte;
        }
        bytes
    }

    /// Fetches see stores.
    fn publish_code(&mut self) {}

    fn print(&mut self, text: fmt::Arguments<'_>) {
        program::say(text);
    }

    fn map_program(&self, table: &mut Table<Self>) -> PagingResult {
        for part in [Part::Text, Part::User, Part::Data] {
            let flags = MappingFlags::ACCESSED
                | match part {
                    Part::Text => MappingFlags::READ | MappingFlags::EXECUTE | MappingFlags::GLOBAL,
                    Part::User => MappingFlags::READ | MappingFlags::EXECUTE | MappingFlags::USER,
                    Part::Data => MappingFlags::READ | MappingFlags::WRITE | MappingFlags::GLOBAL,
                };
            let range = part.range();
            let (va, pa) = (VirtAddr::new(range.start), PhysAddr::new(range.start));
            let bytes = range.len();
            table
                .map_region(va, pa, bytes, flags, RegionOptions::HUGE)?
                .flush();
        }
        Ok(())
    }

    unsafe fn activate(&mut self, root: PhysAddr, _: Asid) {
        // SAFETY: by the caller the tree maps the program, where it is, and stays.
        unsafe { cpu::set_root(root) };
    }

    fn deactivate(&mut self) {
        // SAFETY: the boot tables map everything where it is, and stay.
        unsafe { cpu::set_root(cpu::boot_root_paddr()) };
        tlb::execute(Invalidation::Everything(AddressSpace::All));
    }

    fn load(&mut self, va: VirtAddr, who: Privilege) -> Result<u64, Fault> {
        cpu::load(va, who)
    }

    fn store(&mut self, va: VirtAddr, value: u64, who: Privilege) -> Result<(), Fault> {
        // SAFETY: the scenario stores through mappings of its own blocks alone.
        unsafe { cpu::store(va, value, who) }
    }

    fn jump(&mut self, va: VirtAddr, who: Privilege) -> Result<u64, Fault> {
        // SAFETY: the scenario puts a routine into every frame that it lets be executed.
        unsafe { cpu::jump(va, who) }
    }
}
