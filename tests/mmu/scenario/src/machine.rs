//! [`Machine`]: what a program for a bare machine brings, and the words for what happens to it.

use core::fmt;
use core::ops::Range;

use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::{Asid, GenericPTE, MappingFlags, PagingMetaData, PagingResult};

use crate::Table;
use crate::pool::LinearMap;

/// Bytes of a routine that [`Machine::routine`] makes.
pub const ROUTINE_BYTES: usize = 32;

/// Bytes of each of [`Machine::BLOCKS`].
pub const ONE_GIB: usize = 1 << 30;

/// What is done with an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Eight bytes are read.
    Load,
    /// Eight bytes are written.
    Store,
    /// An instruction is fetched.
    Jump,
}

/// Who does it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Privilege {
    /// The kernel; where it has a switch that keeps it from user data, that is on.
    Kernel,
    /// The kernel, with the switch off (RISC-V's `sstatus.SUM` set, x86's `EFLAGS.AC` set).
    KernelForUser,
    /// User code.
    User,
}

/// What a leaf without `ACCESSED` means to the machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AccessedBit {
    /// Every access faults.
    Faults,
    /// The first access that is allowed sets it in the descriptor.
    SetByHardware,
}

/// Which fault an access ended with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FaultKind {
    /// The translation does not allow this access.
    Page(Access),
    /// The address is none.
    Address,
    /// Anything else: the machine's number for it.
    Other(u64),
}

/// How an access failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Which fault.
    pub kind: FaultKind,
    /// The address that the machine names, where it names one.
    pub va: Option<VirtAddr>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FaultKind::Page(access) => write!(f, "page fault of a {access:?}")?,
            FaultKind::Address => f.write_str("address fault")?,
            FaultKind::Other(number) => write!(f, "fault {number:#x}")?,
        }
        match self.va {
            Some(va) => write!(f, " at {va}"),
            None => Ok(()),
        }
    }
}

/// A machine, and the format of its tables.
///
/// # Safety
/// `BLOCKS` are twice 1 GiB of memory, aligned to 1 GiB, that nobody else uses, and `Linear`
/// reaches them, with translation on and off. `map_program` maps all that the program needs,
/// `Linear`'s addresses included.
pub unsafe trait Machine: Sized {
    /// Geometry and maintenance.
    type MetaData: PagingMetaData;
    /// The format of an entry.
    type Entry: GenericPTE;
    /// Where the program reaches frames.
    type Linear: LinearMap;

    /// What the output calls the machine.
    const NAME: &'static str;
    /// Everybody who makes accesses: the kernel in one way or both, and user code.
    const PRIVILEGES: &'static [Privilege];
    /// The memory that is mapped in all the ways.
    const BLOCKS: [PhysAddr; 2];
    /// The virtual addresses that `map_program` may use; the scenario maps nothing there. It lies
    /// in the first 64 GiB of the tree, and does not touch its first or last 4 MiB.
    const PROGRAM: Range<usize>;
    /// How an access to an address that the format cannot translate fails.
    const INVALID_ADDRESS: fn(Access) -> FaultKind;
    /// How many address spaces the hardware tells apart by ASID; 1: it does not, and
    /// [`Machine::activate`] is given ASID 0.
    const ASIDS: usize;

    /// What becomes of a leaf without `ACCESSED`.
    fn accessed_bit(&self) -> AccessedBit;

    /// Whether the kernel as `who` can make `access` to a user page that has the right for it.
    fn kernel_reaches_user(who: Privilege, access: Access) -> bool;

    /// Whether a page with `flags` that may be used allows `access` by `who`: what the flags mean.
    /// A machine overrides it whose kernel can do more, or less, than they say.
    fn allows(flags: MappingFlags, who: Privilege, access: Access) -> bool {
        let right = match access {
            Access::Load => MappingFlags::READ,
            Access::Store => MappingFlags::WRITE,
            Access::Jump => MappingFlags::EXECUTE,
        };
        let reaches = match (who, flags.contains(MappingFlags::USER)) {
            (Privilege::User, user) => user,
            (_, false) => true,
            (kernel, true) => Self::kernel_reaches_user(kernel, access),
        };
        flags.contains(right) && reaches
    }

    /// Machine code, without any load or store, that leaves `number` as the result of a jump to it.
    /// It runs wherever it is put.
    fn routine(number: u32) -> [u8; ROUTINE_BYTES];

    /// Makes instruction fetches see what was stored before.
    fn publish_code(&mut self);

    /// Shows text to people.
    fn print(&mut self, text: fmt::Arguments<'_>);

    /// Maps all that the program needs.
    ///
    /// # Errors
    /// Those of mapping.
    fn map_program(&self, table: &mut Table<Self>) -> PagingResult;

    /// Translates by the tree whose root is at `root` from here on, as the address space `asid`.
    /// Invalidates nothing that belongs to another ASID or is global, unless translation was off.
    ///
    /// # Safety
    /// The tree was prepared by `map_program` and stays as long as it is used.
    unsafe fn activate(&mut self, root: PhysAddr, asid: Asid);

    /// Stops translating, or translates by tables of the program's own, and forgets all else.
    fn deactivate(&mut self);

    /// Makes one access at `va`, eight bytes wide; `value` is what is stored. A load gives the
    /// value, a jump the number of the routine.
    ///
    /// # Errors
    /// The fault that came instead.
    fn access(
        &mut self,
        access: Access,
        va: VirtAddr,
        value: u64,
        who: Privilege,
    ) -> Result<u64, Fault>;

    /// Reads eight bytes.
    ///
    /// # Errors
    /// The fault that came instead.
    fn load(&mut self, va: VirtAddr, who: Privilege) -> Result<u64, Fault> {
        self.access(Access::Load, va, 0, who)
    }
}
