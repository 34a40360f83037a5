//! [`Core`]: what the scenario needs of the core, for each half, with and without WXN.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;

use mmu_scenario::{
    Access, AccessedBit, Fault, FaultKind, Identity, Machine, Pool, Privilege, ROUTINE_BYTES,
    routine_bytes,
};
use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::format::aarch64::A64PTE;
use stilt_paging::{Asid, MappingFlags, PagingResult};

use crate::board;
use crate::cpu::{self, Wxn};
use crate::program;
use crate::side::{self, MetaData, Side, Table};

/// Frames for tables.
pub(crate) type Frames = Pool<Identity>;

/// The core with a tree of half `S` under test; `WXN` is a [`Wxn`].
pub(crate) struct Core<S, const WXN: u8>(PhantomData<S>);

impl<S, const WXN: u8> Core<S, WXN> {
    const WXN: Wxn = if WXN == Wxn::On as u8 {
        Wxn::On
    } else {
        Wxn::Off
    };

    /// The core.
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

// SAFETY: the blocks are the memory behind the first GiB, in which the program lies; the first map
// and `map_program` map them where they are.
unsafe impl<S: Side, const WXN: u8> Machine for Core<S, WXN> {
    type MetaData = MetaData<S>;
    type Entry = A64PTE;
    type Linear = Identity;

    const NAME: &'static str = match Self::WXN {
        Wxn::Off => S::NAME,
        Wxn::On => S::NAME_WXN,
    };
    /// The core has no PAN: the kernel reaches user pages in one way only.
    const PRIVILEGES: &'static [Privilege] = &[Privilege::Kernel, Privilege::User];
    const BLOCKS: [PhysAddr; 2] = board::BLOCKS;
    const PROGRAM: Range<usize> = S::PROGRAM;
    const INVALID_ADDRESS: fn(Access) -> FaultKind = FaultKind::Page;
    const ASIDS: usize = 1 << 16;

    fn accessed_bit(&self) -> AccessedBit {
        AccessedBit::Faults
    }

    /// Whatever it is to the user, the kernel may read it, may write what the user may, and never
    /// executes it (DDI 0487 D8.4: without PAN, EL1 reads whatever is mapped).
    fn allows(flags: MappingFlags, who: Privilege, access: Access) -> bool {
        let user = flags.contains(MappingFlags::USER);
        let of_kernel = who != Privilege::User;
        match access {
            Access::Load if of_kernel => flags.intersects(MappingFlags::RIGHTS),
            Access::Load => user && flags.contains(MappingFlags::READ),
            Access::Store => (user || of_kernel) && flags.contains(MappingFlags::WRITE),
            Access::Jump => {
                let refused = Self::WXN == Wxn::On && flags.contains(MappingFlags::WRITE);
                user != of_kernel && flags.contains(MappingFlags::EXECUTE) && !refused
            }
        }
    }

    fn kernel_reaches_user(_: Privilege, access: Access) -> bool {
        access != Access::Jump
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

    fn map_program(&self, table: &mut Table<S>) -> PagingResult {
        S::map_program(table)
    }

    unsafe fn activate(&mut self, root: PhysAddr, asid: Asid) {
        // SAFETY: the caller's promise.
        unsafe { side::activate::<S>(root, asid, Self::WXN) };
    }

    fn deactivate(&mut self) {
        side::deactivate();
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
