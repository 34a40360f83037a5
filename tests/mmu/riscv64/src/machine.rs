//! [`Hart`]: what the scenario needs of a RISC-V hart, for each mode of `satp` and kind of entry.

use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;

use mmu_scenario::{
    Access, AccessedBit, Fault, FaultKind, Identity, Machine, ONE_GIB, Privilege, ROUTINE_BYTES,
    Table, routine_bytes,
};
use stilt_paging::addr::{PAGE_SIZE, PhysAddr, VirtAddr};
use stilt_paging::backend::Invalidation;
use stilt_paging::backend::riscv64::{self, Tlb};
use stilt_paging::format::riscv::{
    MemoryTypes, Platform, Rv64Entry, Sv39MetaData, Sv48MetaData, Svpbmt,
};
use stilt_paging::{AddressSpace, Asid, PagingMetaData, PagingResult};

use crate::hart;
use crate::program;

/// satp.MODE and satp.ASID.
const SATP_MODE_SHIFT: usize = 60;
const SATP_ASID_SHIFT: usize = 44;

/// One way to run a test: a mode of `satp`, and what entries say.
pub(crate) trait Mode {
    /// Levels and addresses.
    type MetaData: PagingMetaData;
    /// Who says what type memory has.
    type Types: MemoryTypes;
    /// What the output calls it.
    const NAME: &'static str;
    /// satp.MODE.
    const SATP_MODE: usize;
}

/// Three levels; `T` says who says what type memory has.
pub(crate) struct Sv39<T>(PhantomData<T>);
/// Four levels.
pub(crate) struct Sv48<T>(PhantomData<T>);

macro_rules! mode {
    ($levels:ident<$types:ident>, $meta_data:ident, $satp_mode:literal, $name:literal) => {
        impl Mode for $levels<$types> {
            type MetaData = $meta_data<Tlb>;
            type Types = $types;
            const NAME: &'static str = $name;
            const SATP_MODE: usize = $satp_mode;
        }
    };
}

mode!(Sv39<Platform>, Sv39MetaData, 8, "riscv64 sv39");
mode!(Sv39<Svpbmt>, Sv39MetaData, 8, "riscv64 sv39 svpbmt");
mode!(Sv48<Platform>, Sv48MetaData, 9, "riscv64 sv48");
mode!(Sv48<Svpbmt>, Sv48MetaData, 9, "riscv64 sv48 svpbmt");

/// The hart, in mode `M`.
pub(crate) struct Hart<M> {
    accessed: AccessedBit,
    mode: PhantomData<M>,
}

impl<M> Hart<M> {
    /// A hart that does `accessed` to entries that were not used.
    pub(crate) const fn new(accessed: AccessedBit) -> Self {
        Self {
            accessed,
            mode: PhantomData,
        }
    }
}

// SAFETY: the blocks are the memory behind the first GiB, in which the program lies; supervisor
// mode reaches them untranslated, and `map_program` maps them all where they are.
unsafe impl<M: Mode> Machine for Hart<M> {
    type MetaData = M::MetaData;
    type Entry = Rv64Entry<M::Types>;
    type Linear = Identity;

    const NAME: &'static str = M::NAME;
    const PRIVILEGES: &'static [Privilege] =
        &[Privilege::Kernel, Privilege::KernelForUser, Privilege::User];
    const BLOCKS: [PhysAddr; 2] = [
        PhysAddr::new(program::RAM.start + ONE_GIB),
        PhysAddr::new(program::RAM.start + 2 * ONE_GIB),
    ];
    const PROGRAM: Range<usize> = program::RAM;
    const INVALID_ADDRESS: fn(Access) -> FaultKind = FaultKind::Page;
    const ASIDS: usize = 1 << 16;

    fn accessed_bit(&self) -> AccessedBit {
        self.accessed
    }

    /// Data with sstatus.SUM, code never.
    fn kernel_reaches_user(who: Privilege, access: Access) -> bool {
        who == Privilege::KernelForUser && access != Access::Jump
    }

    fn routine(number: u32) -> [u8; ROUTINE_BYTES] {
        let words = hart::routine(number).into_iter();
        routine_bytes(words.flat_map(u32::to_le_bytes))
    }

    fn publish_code(&mut self) {
        hart::synchronise_instructions();
    }

    fn print(&mut self, text: fmt::Arguments<'_>) {
        program::say(text);
    }

    fn map_program(&self, table: &mut Table<Self>) -> PagingResult {
        mmu_scenario::map_program(table, program::RAM.end)
    }

    unsafe fn activate(&mut self, root: PhysAddr, asid: Asid) {
        let was_off = hart::satp() == 0;
        let frame = root.as_usize() / PAGE_SIZE;
        let asid = usize::from(asid.as_u16());
        let satp = M::SATP_MODE << SATP_MODE_SHIFT | asid << SATP_ASID_SHIFT | frame;
        // SAFETY: by the caller the tree maps the program, where it is.
        unsafe { hart::set_satp(satp) };
        if was_off {
            riscv64::execute(Invalidation::Everything(AddressSpace::All));
        }
    }

    fn deactivate(&mut self) {
        // SAFETY: untranslated, the program is where it is.
        unsafe { hart::set_satp(0) };
        riscv64::execute(Invalidation::Everything(AddressSpace::All));
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
        unsafe { hart::access(access, va, value, who) }
    }
}
