//! [`Core`]: what the scenario needs of a LoongArch core.

use core::fmt;
use core::ops::Range;

use mmu_scenario::{
    Access, AccessedBit, Fault, FaultKind, LinearMap, Machine, ONE_GIB, Privilege, ROUTINE_BYTES,
    Table, routine_bytes,
};
use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::backend::Invalidation;
use stilt_paging::backend::loongarch64::{self, Tlb};
use stilt_paging::format::loongarch::{LA64MetaData, LA64PTE};
use stilt_paging::{AddressSpace, Asid, PagingResult};

use crate::emulator::Emulator;
use crate::program::{self, KERNEL_WINDOW, window};
use crate::{cpu, csr};

/// Physical memory, in the kernel's window.
pub(crate) struct Window;

impl LinearMap for Window {
    fn virt(pa: PhysAddr) -> VirtAddr {
        VirtAddr::new(window(KERNEL_WINDOW, pa.as_usize()))
    }
}

/// Where the program reaches the word at `pa`.
pub(crate) fn word(pa: PhysAddr) -> *mut u64 {
    Window::virt(pa).as_usize() as *mut u64
}

/// The core.
pub(crate) struct Core {
    emulator: Emulator,
}

impl Core {
    /// The core that `emulator` makes.
    pub(crate) const fn new(emulator: Emulator) -> Self {
        Self { emulator }
    }
}

// SAFETY: with `-m 4G` the blocks are RAM in every version of QEMU's `virt`, and neither the
// program nor its tables lie there; the window reaches them whatever tree is used.
unsafe impl Machine for Core {
    type MetaData = LA64MetaData<Tlb>;
    type Entry = LA64PTE;
    type Linear = Window;

    const NAME: &'static str = "loongarch64";
    const PRIVILEGES: &'static [Privilege] = &[Privilege::Kernel, Privilege::User];
    const BLOCKS: [PhysAddr; 2] = [PhysAddr::new(3 * ONE_GIB), PhysAddr::new(4 * ONE_GIB)];
    /// The program runs in windows.
    const PROGRAM: Range<usize> = 0..0;
    const INVALID_ADDRESS: fn(Access) -> FaultKind = |_| FaultKind::Address;
    const ASIDS: usize = csr::ASIDS - 1;

    fn accessed_bit(&self) -> AccessedBit {
        AccessedBit::Faults
    }

    /// RPLV = 0: what a level may do, those above may do.
    fn kernel_reaches_user(_: Privilege, _: Access) -> bool {
        true
    }

    fn routine(number: u32) -> [u8; ROUTINE_BYTES] {
        let words = cpu::routine(number).into_iter();
        routine_bytes(words.flat_map(u32::to_le_bytes))
    }

    fn publish_code(&mut self) {
        cpu::synchronise_instructions();
    }

    fn print(&mut self, text: fmt::Arguments<'_>) {
        program::say(text);
    }

    fn map_program(&self, _: &mut Table<Self>) -> PagingResult {
        Ok(())
    }

    unsafe fn activate(&mut self, root: PhysAddr, asid: Asid) {
        // SAFETY: the caller's promise.
        unsafe { cpu::translate_by(root, asid) };
    }

    fn deactivate(&mut self) {
        cpu::translate_by_nothing();
        loongarch64::execute(Invalidation::Everything(AddressSpace::All));
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
        unsafe { self.emulator.access(access, va, value, who) }
    }
}
