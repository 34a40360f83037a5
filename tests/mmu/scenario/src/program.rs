//! What programs that run where they lie have in common: their parts, and code for one access.
//!
//! The linker script of such a program defines `__text_start`, `__user_start` and `__data_start`,
//! multiples of 2 MiB. Its assembly defines `kernel_load`, `kernel_store`, `user_load` and
//! `user_store`, as [`first_instruction`] describes them.

use core::ops::Range;

use stilt_paging::addr::{PhysAddr, VirtAddr};
use stilt_paging::{
    GenericPTE, MappingFlags, PageTable64, PagingHandler, PagingMetaData, PagingResult,
    RegionOptions,
};

use crate::machine::{Access, Privilege, ROUTINE_BYTES};
use crate::pool::LinearMap;

unsafe extern "C" {
    static __text_start: u8;
    static __user_start: u8;
    static __data_start: u8;
    fn kernel_load();
    fn kernel_store();
    fn user_load();
    fn user_store();
}

/// Physical memory, mapped where it is.
pub struct Identity;

impl LinearMap for Identity {
    fn virt(pa: PhysAddr) -> VirtAddr {
        VirtAddr::new(pa.as_usize())
    }
}

/// What of a program is mapped with rights of its own, at the addresses where it lies.
#[derive(Clone, Copy)]
pub enum Part {
    /// The kernel's code.
    Text,
    /// User code.
    User,
    /// Data, stack, all other memory.
    Data,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Text, Self::User, Self::Data];

    /// Where it lies, in memory that ends at `end`.
    #[must_use]
    pub fn range(self, end: usize) -> Range<usize> {
        let text = (&raw const __text_start).addr();
        let user = (&raw const __user_start).addr();
        let data = (&raw const __data_start).addr();
        match self {
            Self::Text => text..user,
            Self::User => user..data,
            Self::Data => data..end,
        }
    }

    /// What may be done with it.
    #[must_use]
    pub const fn flags(self) -> MappingFlags {
        const READ: MappingFlags = MappingFlags::READ.union(MappingFlags::ACCESSED);
        match self {
            Self::Text => READ
                .union(MappingFlags::EXECUTE)
                .union(MappingFlags::GLOBAL),
            Self::User => READ.union(MappingFlags::EXECUTE).union(MappingFlags::USER),
            Self::Data => READ.union(MappingFlags::WRITE).union(MappingFlags::GLOBAL),
        }
    }
}

/// Maps the program, and all memory behind it up to `end`, where it lies.
///
/// # Errors
/// Those of mapping.
pub fn map_program<M, P, H>(table: &mut PageTable64<M, P, H>, end: usize) -> PagingResult
where
    M: PagingMetaData,
    P: GenericPTE,
    H: PagingHandler,
{
    for part in Part::ALL {
        map_in_place(table, part.range(end), part.flags())?;
    }
    Ok(())
}

/// Maps `range`, multiples of 4 KiB, where it lies.
///
/// # Errors
/// Those of mapping.
pub fn map_in_place<M, P, H>(
    table: &mut PageTable64<M, P, H>,
    range: Range<usize>,
    flags: MappingFlags,
) -> PagingResult
where
    M: PagingMetaData,
    P: GenericPTE,
    H: PagingHandler,
{
    let (va, pa) = (VirtAddr::new(range.start), PhysAddr::new(range.start));
    let region = table.map_region(va, pa, range.len(), flags, RegionOptions::HUGE)?;
    region.flush();
    Ok(())
}

/// Where code begins that makes `access` to `va` as `who`: the address is its first argument, what
/// to store the second, and it ends by an exception. A load leaves its value where results are.
#[must_use]
pub fn first_instruction(access: Access, va: VirtAddr, who: Privilege) -> usize {
    let user = who == Privilege::User;
    let code = match access {
        Access::Load if user => user_load as *const (),
        Access::Load => kernel_load as *const (),
        Access::Store if user => user_store as *const (),
        Access::Store => kernel_store as *const (),
        Access::Jump => return va.as_usize(),
    };
    code.addr()
}

/// `code` as [`Machine::routine`](crate::Machine::routine) gives it.
#[must_use]
pub fn routine_bytes(code: impl IntoIterator<Item = u8>) -> [u8; ROUTINE_BYTES] {
    let mut bytes = [0; ROUTINE_BYTES];
    for (place, byte) in bytes.iter_mut().zip(code) {
        *place = byte;
    }
    bytes
}
